//! Dialogs. The same address is a page of its own, and the inside of the one native dialog where script asks for it.
use super::{
    icons::{Icon, icon},
    layout::{Page, layout},
    parts::{Tone, banner},
};
use crate::cx::Cx;
use maud::{Markup, html};
use settings_domain::impact::Impact;

/// A dialog.
pub(crate) struct Dialog<'a> {
    /// The section it belongs to.
    pub(crate) section: &'static str,
    pub(crate) title: &'a str,
    /// Where closing leads, below the workspace's settings.
    pub(crate) back: &'a str,
    /// What that page is called.
    pub(crate) back_label: &'a str,
    pub(crate) wide: bool,
    /// Whether it holds something that is shown this once: closing it uncopied warns.
    pub(crate) guard_copy: bool,
    pub(crate) body: Markup,
}

/// Renders it one way or the other.
pub(crate) fn dialog(cx: &Cx, d: &Dialog<'_>) -> Markup {
    let back = cx.url(d.back);
    let inside = |heading: Markup| {
        html! {
            div.dlg.wide[d.wide] data-guard=[d.guard_copy.then_some("copy")] {
                div.dlg-head {
                    (heading)
                    a.btn.ghost.icon href=(back) data-close aria-label="Close" { (icon(Icon::Close)) }
                }
                (d.body)
            }
        }
    };
    if cx.fragment {
        return inside(html! { h2 id="dlg-title" tabindex="-1" { (d.title) } });
    }
    let body = html! {
        p.crumb { a href=(back) { (icon(Icon::Back)) (d.back_label) } }
        div.card.dlg-page.wide[d.wide] { (inside(html! { h1 id="dlg-title" { (d.title) } })) }
    };
    layout(cx, Page { section: d.section, title: d.title, lead: "", action: None, body, bare: true })
}

/// The bottom of a dialog: cancel, then the one thing it does.
pub(crate) fn foot(cx: &Cx, back: &str, submit: &Markup) -> Markup {
    html! { div.dlg-foot { a.btn href=(cx.url(back)) data-close { "Cancel" } (submit) } }
}

/// What would break, and the confirmation of exactly that.
pub(crate) fn impact_list(impact: &Impact) -> Markup {
    html! {
        input type="hidden" name="confirm-digest" value=(impact.digest());
        (banner(Tone::Danger, &html! {
            p { strong { "This would affect " (super::count(impact.affected().len(), "thing", "things")) ":" } }
            ul.facts {
                @for a in impact.affected() { li { strong { bdi { (a.name) } ":" } " " (a.why) } }
            }
        }))
    }
}

/// Both versions of what somebody else changed meanwhile: name, mine, theirs. In a dialog, where cancelling keeps theirs.
pub(crate) fn conflict(rows: &[(&str, String, String)]) -> Markup {
    versions(rows, &html! { p { "Save again to keep yours, or cancel to keep what is there now." } })
}

/// The same on a page, which is left for the same page with theirs.
pub(crate) fn conflict_page(cx: &Cx, page: &str, rows: &[(&str, String, String)]) -> Markup {
    let how = html! {
        p { "Save again to keep yours." }
        a.btn.small href=(cx.url(page)) data-theirs { "Use what is there now" }
    };
    versions(rows, &how)
}

fn versions(rows: &[(&str, String, String)], how: &Markup) -> Markup {
    html! {
        div.banner.warn role="alert" tabindex="-1" data-fault {
            (icon(Icon::Warn))
            div {
                p { strong { "Somebody changed this while you were editing." } " Nothing of yours is saved yet." }
                table.versions {
                    caption.vh { "Both versions" }
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Now" } th scope="col" { "Yours" } } }
                    tbody {
                        @for (name, mine, theirs) in rows.iter().filter(|(_, mine, theirs)| mine != theirs) {
                            tr { th scope="row" { (name) } td { bdi { (theirs) } } td { bdi { (mine) } } }
                        }
                    }
                }
                (how)
            }
        }
    }
}
