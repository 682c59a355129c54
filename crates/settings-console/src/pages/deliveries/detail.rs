//! One delivery with its attempts, and another try of one that was given up.
use super::{SECTION, TITLE, receivers::Receivers, status_badge, subject};
use crate::{
    cx::Cx,
    form::Faults,
    refusal::Refusal,
    respond,
    stop::{Answer, Stop},
    ui::{Dialog, Tone, ago, banner, channel_name, dialog, form_faults, when},
};
use maud::{Markup, html};
use settings_domain::{
    deliveries::{Attempt, DeliveryStatus, DeliveryView, Message},
    ids::DeliveryId,
    notifications::Channel,
    policy::{Permission, actions},
};
use std::sync::Arc;

pub(super) async fn show(cx: Arc<Cx>) -> Answer {
    let id = cx.id("id").ok_or(Stop::NotFound)?;
    page(&cx, id, &Faults::default()).await
}

async fn page(cx: &Cx, id: DeliveryId, faults: &Faults) -> Answer {
    let mut snapshot = cx.snapshot::<actions::ReadNotifications>().await?;
    let d = snapshot.delivery(id).await?.ok_or(Stop::NotFound)?;
    let receivers = Receivers::load(cx, snapshot, std::slice::from_ref(&d)).await?;
    let here = cx.url(&format!("deliveries/{id}"));
    let at = d.delivery.created_at;
    let channel = d.delivery.destination.channel();
    let waits = d.status == DeliveryStatus::Pending;
    let retry = d.status == DeliveryStatus::Failed && cx.can(Permission::NotificationsUpdate);
    let inside = html! {
        div.dlg-body {
            (form_faults(faults))
            dl.kv {
                dt { "Status" } dd { (status_badge(d.status)) }
                dt { "What" } dd {
                    (subject(&d))
                    @if let Message::Event(event) = d.delivery.message { " " a href={ (cx.url(SECTION)) (respond::query(&[("event", &event.to_string())])) } { "All of this event" } }
                }
                dt { "To" } dd { (receivers.name(d.delivery.destination)) " by " (channel_name(channel)) }
                dt { "Queued" } dd { (when(at, Some(ago(at, cx.at)))) }
                @if let Some(next) = d.next_attempt_at { dt { "Next attempt" } dd { (when(next, Some(super::due(next, cx.at)))) } }
                @if let Some(before) = d.delivery.instead_of { dt { "In place of" } dd { a href=(cx.url(&format!("deliveries/{before}"))) { "a delivery that was given up" } } }
                dt { "Id" } dd { code.mono { (id) } }
            }
            (verdict(&d, channel))
            (attempts(&d.attempts))
        }
        div.dlg-foot {
            a.btn href=(cx.url(SECTION)) data-close { "Close" }
            @if waits { a.btn href=(here) data-dialog { "Look again" } }
            @if retry { button.btn.primary type="submit" data-busy="Retrying…" { "Retry now" } }
        }
    };
    let body = html! {
        @if retry { form method="post" action={ (here) "/retry" } { (inside) } } @else { (inside) }
    };
    let d = Dialog {
        section: SECTION,
        title: "Delivery",
        back: SECTION,
        back_label: TITLE,
        wide: true,
        guard_copy: false,
        body,
    };
    respond::shown(faults.status(), dialog(cx, &d))
}

/// What its status means for who waits for it.
fn verdict(d: &DeliveryView, channel: Channel) -> Markup {
    let about_event = matches!(d.delivery.message, Message::Event(_));
    html! {
        @match d.status {
            DeliveryStatus::Parked => (banner(Tone::Warn, &html! { p { "It waits for Slack to be authorized again, for up to 24 hours. Then it is given up and mailed instead." } })),
            DeliveryStatus::Failed => (banner(Tone::Danger, &html! { p {
                "It was given up" @if about_event && channel != Channel::Email { ", and who would have got the event’s mails was mailed instead" } ". It is not tried again by itself."
            } })),
            DeliveryStatus::Dropped => p { "The receiver was gone, or switched off, when its turn came: nobody waits for it any more." },
            DeliveryStatus::Pending | DeliveryStatus::Delivered => {}
        }
    }
}

fn attempts(all: &[Attempt]) -> Markup {
    html! {
        @if all.is_empty() { p.muted { "It was not tried yet." } }
        @else {
            table.versions.attempts {
                caption.vh { "Attempts, oldest first" }
                thead { tr { th scope="col" { "Attempt" } th scope="col" { "Outcome" } th scope="col" { "Took" } } }
                tbody { @for a in all { tr {
                    th scope="row" { (when(a.at, Some(exact(a.at)))) }
                    td {
                        @if a.accepted { span.status.ok { "Delivered" } } @else { span.status.bad { "Failed" } }
                        @if let Some(status) = a.status { ", status " (status) }
                        @if let Some(cause) = &a.cause { div.sub { (cause) } }
                    }
                    td { (a.millis) " ms" }
                } } }
            }
        }
    }
}

fn exact(at: time::OffsetDateTime) -> String {
    let shape =
        time::macros::format_description!("[day padding:none] [month repr:short], [hour]:[minute]:[second] UTC");
    at.format(shape).unwrap_or_default()
}

pub(super) async fn retry(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::RetryDelivery>()?;
    let id: DeliveryId = cx.id("id").ok_or(Stop::NotFound)?;
    match cx.site().app().retry_delivery(&permit, &cx.call(), id).await {
        Ok(_) => cx.done(&format!("deliveries/{id}"), "The delivery is tried again."),
        Err(failure) => {
            let mut faults = Faults::default();
            faults.rule(Refusal::of(failure)?.rule()?, &[]);
            page(&cx, id, &faults).await
        }
    }
}
