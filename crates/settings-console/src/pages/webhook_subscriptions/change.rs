//! A webhook: made, changed, switched off and on, deleted.
use super::{
    SECTION, TITLE, one, secret, shown, summary,
    typed::{Typed, fields},
};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    respond,
    stop::{Answer, Stop},
    ui::{Dialog, ago, conflict, dialog, foot, form_faults, when},
};
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    policy::actions,
    webhook_subscriptions::{Health, SubscriptionPatch, SubscriptionStatus, WebhookSubscription},
};
use std::sync::Arc;

const POINTERS: &[(&str, &str)] = &[("/url", "url"), ("/events", "event")];

/// The form of a new webhook, or of one that is there.
fn form(
    cx: &Cx,
    there: Option<&WebhookSubscription>,
    typed: &Typed,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let path = there.map_or_else(|| "webhooks/new".to_owned(), |s| format!("webhooks/{}/edit", s.id));
    let body = html! {
        form method="post" action=(cx.url(&path)) data-dirty novalidate[!faults.none()] {
            @if there.is_some() { input type="hidden" name="version" value=(typed.version); }
            @else { input type="hidden" name="once" value=(cx.once()); }
            div.dlg-body {
                (form_faults(faults))
                @if let Some(versions) = versions { (versions) }
                (fields(typed, faults))
            }
            (foot(cx, SECTION, &html! {
                @if there.is_some() { button.btn.primary type="submit" data-busy="Saving…" { "Save webhook" } }
                @else { button.btn.primary type="submit" data-busy="Creating…" { "Create webhook" } }
            }))
        }
    };
    let title = if there.is_some() { "Edit webhook" } else { "New webhook" };
    let (back, back_label) = (SECTION, TITLE);
    let d = Dialog { section: SECTION, title, back, back_label, wide: true, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

pub(super) async fn new(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::CreateWebhookSubscription>()?;
    form(&cx, None, &Typed::fresh(), &Faults::default(), None, StatusCode::OK)
}

pub(super) async fn create(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::CreateWebhookSubscription>()?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let (url, events) = (typed.vetted(&cx, &mut faults).await, typed.chosen(&mut faults));
    let (Some(url), Some(events)) = (url, events) else {
        return form(&cx, None, &typed, &faults, None, faults.status());
    };
    let call = cx.call_once("consoleCreateWebhookSubscription");
    match cx.site().app().create_webhook_subscription(&permit, &call, url, events).await {
        Ok(made) => match &made.secret {
            Some(text) => secret::once(&cx, made.subscription.value(), text, StatusCode::CREATED),
            None => secret::over(&cx),
        },
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Reused => secret::over(&cx),
            other => {
                faults.rule(other.rule()?, POINTERS);
                form(&cx, None, &typed, &faults, None, faults.status())
            }
        },
    }
}

pub(super) async fn edit(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateWebhookSubscription>()?;
    let (there, _) = one(&cx).await?;
    form(&cx, Some(&there), &Typed::stored(&there), &Faults::default(), None, StatusCode::OK)
}

pub(super) async fn update(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateWebhookSubscription>()?;
    let (there, _) = one(&cx).await?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    // An address that stays was vetted when it was entered, and is vetted again at each delivery.
    let url = if typed.url == there.url { None } else { typed.vetted(&cx, &mut faults).await };
    let events = typed.chosen(&mut faults);
    if !faults.none() {
        return form(&cx, Some(&there), &typed, &faults, None, faults.status());
    }
    let patch = SubscriptionPatch { url, events, status: None };
    match cx.site().app().update_webhook_subscription(&permit, &cx.call(), there.id, patch).await {
        Ok(done) => cx.done(SECTION, &format!("Webhook {} saved.", done.value().host)),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let now = Typed::stored(&there);
                let rows =
                    [("Address", typed.url.clone(), now.url.clone()), ("Events", typed.in_words(), now.in_words())];
                let mine = Typed { version: now.version, ..typed };
                form(&cx, Some(&there), &mine, &faults, Some(conflict(&rows)), StatusCode::PRECONDITION_FAILED)
            }
            other => {
                faults.rule(other.rule()?, POINTERS);
                form(&cx, Some(&there), &typed, &faults, None, faults.status())
            }
        },
    }
}

pub(super) async fn ask_status(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::UpdateWebhookSubscription>()?;
    let (there, health) = one(&cx).await?;
    status_form(&cx, &there, health, &Faults::default())
}

/// Asks for the state that it is not in.
fn status_form(cx: &Cx, there: &WebhookSubscription, health: Health, faults: &Faults) -> Answer {
    let disable = there.status == SubscriptionStatus::Active;
    let wanted = if disable { SubscriptionStatus::Disabled } else { SubscriptionStatus::Active };
    let body = html! {
        form method="post" action=(cx.url(&format!("webhooks/{}/status", there.id))) {
            input type="hidden" name="version" value=(there.version);
            input type="hidden" name="status" value=(wanted.name());
            div.dlg-body {
                (form_faults(faults))
                (summary(there))
                @if disable {
                    @if let Some(since) = health.failing_since { p { "It takes no deliveries since " (when(since, Some(ago(since, cx.at)))) "." } }
                    p { "Nothing is sent here while it is disabled, and what waits for it is dropped. Where no other webhook gets an event, it is mailed instead. Its secret stays." }
                } @else {
                    @if let Some(reason) = &there.status_reason { p { "Why it is disabled: " (reason) "." } }
                    p { "Events from now on are sent here, signed with the secret that it had. What happened meanwhile is not." }
                }
            }
            (foot(cx, SECTION, &html! {
                @if disable { button.btn.danger type="submit" data-busy="Disabling…" { "Disable webhook" } }
                @else { button.btn.primary type="submit" data-busy="Enabling…" { "Enable webhook" } }
            }))
        }
    };
    let title = if disable { "Disable this webhook?" } else { "Enable this webhook?" };
    shown(cx, title, faults.status(), body)
}

pub(super) async fn status(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateWebhookSubscription>()?;
    let (there, health) = one(&cx).await?;
    let wanted = SubscriptionStatus::parse(cx.field("status")).ok_or(Stop::NotFound)?;
    let patch = SubscriptionPatch { status: Some(wanted), ..SubscriptionPatch::default() };
    match cx.site().app().update_webhook_subscription(&permit, &cx.call(), there.id, patch).await {
        Ok(done) => {
            let now = if wanted == SubscriptionStatus::Active { "enabled" } else { "disabled" };
            cx.done(SECTION, &format!("Webhook {} {now}.", done.value().host))
        }
        Err(failure) => {
            let mut faults = Faults::default();
            faults.rule(Refusal::of(failure)?.or_changed("webhook")?, &[]);
            status_form(&cx, &there, health, &faults)
        }
    }
}

pub(super) async fn ask_delete(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::DeleteWebhookSubscription>()?;
    let (there, _) = one(&cx).await?;
    delete_form(&cx, &there, &Faults::default())
}

fn delete_form(cx: &Cx, there: &WebhookSubscription, faults: &Faults) -> Answer {
    let body = html! {
        form method="post" action=(cx.url(&format!("webhooks/{}/delete", there.id))) {
            input type="hidden" name="version" value=(there.version);
            div.dlg-body {
                (form_faults(faults))
                (summary(there))
                p { "Nothing is sent here any more, what waits for it is dropped, and its secret is destroyed. Where no other webhook gets an event, it is mailed instead." }
            }
            (foot(cx, SECTION, &html! { button.btn.danger type="submit" data-busy="Deleting…" { "Delete webhook" } }))
        }
    };
    shown(cx, "Delete this webhook?", faults.status(), body)
}

pub(super) async fn delete(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::DeleteWebhookSubscription>()?;
    let (there, _) = one(&cx).await?;
    match cx.site().app().delete_webhook_subscription(&permit, &cx.call(), there.id).await {
        Ok(_) => cx.done(SECTION, &format!("Webhook {} deleted.", there.host)),
        Err(failure) => {
            let mut faults = Faults::default();
            faults.rule(Refusal::of(failure)?.or_changed("webhook")?, &[]);
            delete_form(&cx, &there, &faults)
        }
    }
}
