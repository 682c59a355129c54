//! The HTML form.
//!
//! Colours: text and page keep the client's own, so that light and dark both read; only the button brings a pair, which
//! has a contrast of 6.7:1 within itself and stands out from white as well as from black.
use super::blocks::{Block, Event, Span, Words};
use maud::{DOCTYPE, Markup, html};

pub(super) fn document(words: &Words<'_>) -> Markup {
    const BODY: &str = "margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,\
                        sans-serif;font-size:16px;line-height:1.5";
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                // A stranger's name may hold a telephone number or a street: no client shall make it a link.
                meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no";
                style { ":root{color-scheme:light dark}" }
                title { (words.subject) }
            }
            body style=(BODY) {
                div style="max-width:560px;margin:0 auto" {
                    @for block in &words.blocks { (part(block)) }
                }
            }
        }
    }
}

fn part(block: &Block<'_>) -> Markup {
    match block {
        Block::Paragraph(spans) => html! { p { (said(spans)) } },
        Block::Button { purpose, button, link } => html! {
            (large(button, link))
            p {
                "Or open this link to " (purpose) ":" br;
                (plain(link, link))
            }
        },
        Block::Footnote(purpose, link) => html! {
            p style="margin-top:32px;font-size:14px" { (purpose) br; (plain(link, link)) }
        },
        Block::Table(heading, rows) => html! {
            @if let Some(heading) = heading {
                h2 style="margin:24px 0 8px;font-size:18px" { (heading) }
            }
            table cellspacing="0" cellpadding="0" border="0" {
                @for (name, value) in rows {
                    tr {
                        th scope="row" align="left" valign="top" style="padding:4px 24px 4px 0;font-weight:400" {
                            (span(name))
                        }
                        td valign="top" style="padding:4px 0" { (span(value)) }
                    }
                }
            }
        },
        Block::Events(events) => html! {
            h2 style="margin:24px 0 8px;font-size:18px" { "Events" }
            ul style="margin:0;padding:0;list-style:none" { @for one in events { (event(one)) } }
        },
        // It may be wider than the page.
        Block::Verbatim(text) => html! {
            pre style="overflow-x:auto;font-size:13px;line-height:1.4" { (text) }
        },
    }
}

fn event(event: &Event<'_>) -> Markup {
    html! {
        li style="margin:0 0 12px" {
            (said(&event.said)) br;
            span style="font-size:14px" {
                (event.head)
                @if let Some(link) = event.link { ", " (plain(link, "see the event")) }
            }
        }
    }
}

fn large(button: &str, link: &str) -> Markup {
    const BUTTON: &str = "display:inline-block;padding:14px 28px;font-size:18px;font-weight:600;color:#ffffff;\
                          background-color:#1d4ed8;border-radius:8px;text-decoration:none";
    html! {
        table role="presentation" cellspacing="0" cellpadding="0" border="0" style="margin:24px 0" {
            tr {
                // The cell's own colour makes the button one in Outlook, which ignores padding on links.
                td bgcolor="#1d4ed8" style="border-radius:8px" {
                    a href=(link) style=(BUTTON) { (button) }
                }
            }
        }
    }
}

fn plain(link: &str, says: &str) -> Markup {
    html! { a href=(link) style="word-break:break-all;color:inherit" { (says) } }
}

fn said(spans: &[Span]) -> Markup {
    html! {
        @for (i, next) in spans.iter().enumerate() {
            @if i > 0 && next.stands_off() { " " }
            (span(next))
        }
    }
}

fn span(span: &Span) -> Markup {
    match span {
        Span::Ours(words) => html! { (words) },
        // Isolated, so that a name written from right to left turns nothing else around.
        Span::Name(name) => html! { strong { bdi { (name) } } },
    }
}
