//! Reading a secret: the one page of the console that shows a value that was stored before.
//!
//! It answers a form, is never cached, and its address shows nothing. The form carries a key: sent again, by a reload or
//! by going back, it is the same call, whose value is not kept. Reading the secret again takes another press, and leaves
//! another event.
use super::{Found, SECTION, shown};
use crate::{
    cx::Cx,
    refusal::Refusal,
    stop::Answer,
    ui::{Icon, Tone, banner, foot, icon},
};
use http::StatusCode;
use maud::html;
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::policy::actions;
use std::sync::Arc;

pub(super) async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RevealSecret>()?;
    let found = Found::load(&cx).await?;
    if found.secret.sealed {
        return sealed(&cx, &found);
    }
    let body = html! {
        form method="post" action=(cx.url(&format!("secrets/{}/reveal", found.secret.id))) {
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (found.summary(cx.at))
                (banner(Tone::Warn, &html! {
                    p { strong { "This is logged." } " Your name, the time and this secret are written to the audit log as " code { "secret.accessed" } ", with its high risk, before the value is shown." }
                }))
                p { "The value is shown once. Make sure that nobody looks over your shoulder." }
            }
            (foot(&cx, &found.back(), &html! { button.btn.primary type="submit" data-busy="Revealing…" { "Reveal value" } }))
        }
    };
    shown(&cx, "Reveal this secret?", &found.back(), StatusCode::OK, body)
}

pub(super) async fn reveal(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RevealSecret>()?;
    cx.site().limit(|l| l.reveal(&cx.principal()))?;
    let found = Found::load(&cx).await?;
    match cx.site().app().reveal_secret(&permit, &cx.call_once("consoleRevealSecret"), found.secret.id).await {
        Ok(revealed) => match &revealed.value {
            Some(value) => once(&cx, &found, value),
            None => over(&cx, &found),
        },
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Reused => over(&cx, &found),
            // Sealed since the page was opened; nothing else stands against it.
            Refusal::Rule(_) | Refusal::Stale | Refusal::Unconfirmed(_) => sealed(&cx, &found),
        },
    }
}

fn once(cx: &Cx, found: &Found, value: &SecretString) -> Answer {
    let text = value.expose_secret();
    let rows = text.lines().count().clamp(1, 12);
    let body = html! {
        div.dlg-body {
            div.field {
                label for="secret" { "Value of “" bdi { (found.name()) } "”" }
                div.copy-row {
                    textarea.mono id="secret" rows=(rows) readonly data-select data-once spellcheck="false" autocomplete="off" { "\n" (text) }
                    button.btn.primary type="button" data-copy="#secret" hidden data-js-show { (icon(Icon::Copy)) span { "Copy value" } }
                }
            }
            (banner(Tone::Info, &html! { p { "This read is in the audit log as " code { "secret.accessed" } ". The value is gone when you close this; showing it again is another event." } }))
        }
        div.dlg-foot { a.btn.primary href=(cx.url(&found.back())) data-close { "Close" } }
    };
    shown(cx, "Secret value", &found.back(), StatusCode::OK, body)
}

fn over(cx: &Cx, found: &Found) -> Answer {
    let again = cx.url(&format!("secrets/{}/reveal", found.secret.id));
    let body = html! {
        div.dlg-body { p { "The value was shown once and is not kept for this page. Reading it again is another event in the audit log." } }
        div.dlg-foot {
            a.btn href=(cx.url(&found.back())) data-close { "Close" }
            a.btn.primary href=(again) data-dialog { "Reveal again…" }
        }
    };
    shown(cx, "This was shown already", &found.back(), StatusCode::CONFLICT, body)
}

fn sealed(cx: &Cx, found: &Found) -> Answer {
    let body = html! {
        div.dlg-body {
            (found.summary(cx.at))
            p { "This secret was sealed: nobody can read it any more. Workflows still get it. Rotate it if you need to know its value." }
        }
        div.dlg-foot { a.btn.primary href=(cx.url(SECTION)) data-close { "Go to secrets" } }
    };
    shown(cx, "This secret is sealed", &found.back(), StatusCode::CONFLICT, body)
}
