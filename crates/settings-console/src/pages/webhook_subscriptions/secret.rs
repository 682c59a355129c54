//! A webhook's secret: shown when it is made, and never again.
use super::{SECTION, TITLE, one, shown, summary};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    respond,
    stop::Answer,
    ui::{Dialog, Icon, Tone, ago, banner, dialog, foot, form_faults, icon, moment, when},
};
use http::StatusCode;
use maud::html;
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    policy::actions,
    webhook_subscriptions::{OVERLAP, WebhookSubscription},
};
use std::sync::Arc;

pub(super) async fn ask(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::RotateWebhookSecret>()?;
    let (there, _) = one(&cx).await?;
    form(&cx, &there, &Faults::default())
}

fn form(cx: &Cx, there: &WebhookSubscription, faults: &Faults) -> Answer {
    let hours = OVERLAP.whole_hours();
    let body = html! {
        form method="post" action=(cx.url(&format!("webhooks/{}/rotate", there.id))) {
            input type="hidden" name="version" value=(there.version);
            input type="hidden" name="once" value=(cx.once());
            div.dlg-body {
                (form_faults(faults))
                (summary(there))
                p { "A new secret is made and shown once. For " (hours) " hours deliveries are signed with both, so that the receiver can be changed over without losing one. Then the present secret ends." }
                @if let Some(until) = there.previous_secret_until.filter(|until| *until > cx.at) {
                    (banner(Tone::Warn, &html! { p { "It was rotated a short while ago: the secret of before would have been valid until " (when(until, Some(ago(until, cx.at)))) ", and ends now." } }))
                }
            }
            (foot(cx, SECTION, &html! { button.btn.primary type="submit" data-busy="Rotating…" { "Rotate secret" } }))
        }
    };
    shown(cx, "Rotate this secret?", faults.status(), body)
}

pub(super) async fn rotate(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RotateWebhookSecret>()?;
    let (there, _) = one(&cx).await?;
    match cx.site().app().rotate_webhook_secret(&permit, &cx.call_once("consoleRotateWebhookSecret"), there.id).await {
        Ok(made) => match &made.secret {
            Some(text) => once(&cx, made.subscription.value(), text, StatusCode::OK),
            None => over(&cx),
        },
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Reused => over(&cx),
            other => {
                let mut faults = Faults::default();
                faults.rule(other.or_changed("webhook")?, &[]);
                form(&cx, &there, &faults)
            }
        },
    }
}

/// The one page that ever shows it.
pub(super) fn once(cx: &Cx, s: &WebhookSubscription, secret: &SecretString, status: StatusCode) -> Answer {
    let body = html! {
        div.dlg-body {
            (banner(Tone::Warn, &html! { p { strong { "This is the only time you see this secret." } " It is kept encrypted and shown to nobody. Give it to the receiver now." } }))
            div.field {
                label for="secret" { "Secret of " (s.host) }
                div.copy-row {
                    textarea.mono id="secret" rows="2" readonly data-select data-once spellcheck="false" autocomplete="off" { (secret.expose_secret()) }
                    button.btn.primary type="button" data-copy="#secret" hidden data-js-show { (icon(Icon::Copy)) span { "Copy secret" } }
                }
            }
            @if let Some(until) = s.previous_secret_until {
                p { "The secret of before is valid until " (when(until, Some(moment(until)))) ": until then deliveries carry a signature of each." }
            }
            details.try {
                summary { "Check a signature" }
                p.hint { "Deliveries follow Standard Webhooks: " code { "webhook-signature" } " holds " code { "v1," } " and the HMAC-SHA256 of " code { "webhook-id" } ", " code { "webhook-timestamp" } " and the body, joined by dots, under the secret without its " code { "whsec_" } ", decoded from base64. Check it before you trust a body." }
            }
        }
        div.dlg-foot {
            div.leave hidden role="alert" { p { strong { "You haven’t copied the secret yet." } } }
            a.btn href=(cx.url(SECTION)) data-close data-done { "Done" }
        }
    };
    let d = Dialog {
        section: SECTION,
        title: "Copy the webhook’s secret",
        back: SECTION,
        back_label: TITLE,
        wide: true,
        guard_copy: true,
        body,
    };
    respond::shown(status, dialog(cx, &d))
}

pub(super) fn over(cx: &Cx) -> Answer {
    let body = html! {
        div.dlg-body { p { "The form was sent twice, so nothing new was made. The secret can’t be shown again: if you didn’t copy it, rotate it." } }
        div.dlg-foot { a.btn.primary href=(cx.url(SECTION)) data-close { "Go to webhooks" } }
    };
    shown(cx, "This was shown already", StatusCode::CONFLICT, body)
}
