//! Webhooks (contract, webhooks): where events are sent, signed with a secret that is shown once.
mod change;
mod secret;
mod typed;

use super::read_only;
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Page, Tone, ago, banner, count, dialog, empty, event_name, icon, layout, when},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    policy::{Permission, actions},
    webhook_subscriptions::{Health, MAX_SUBSCRIPTIONS, SubscriptionStatus, WebhookSubscription},
};
use std::sync::Arc;

const SECTION: &str = "webhooks";
const TITLE: &str = "Webhooks";

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/webhooks", cx::page(list))
        .route("/{slug}/settings/webhooks/new", cx::page(change::new).merge(cx::form(change::create)))
        .route("/{slug}/settings/webhooks/{id}/edit", cx::page(change::edit).merge(cx::form(change::update)))
        .route("/{slug}/settings/webhooks/{id}/status", cx::page(change::ask_status).merge(cx::form(change::status)))
        .route("/{slug}/settings/webhooks/{id}/delete", cx::page(change::ask_delete).merge(cx::form(change::delete)))
        .route("/{slug}/settings/webhooks/{id}/rotate", cx::page(secret::ask).merge(cx::form(secret::rotate)))
}

/// A dialog of this section.
fn shown(cx: &Cx, title: &str, status: StatusCode, body: Markup) -> Answer {
    let (back, back_label) = (SECTION, TITLE);
    let d = Dialog { section: SECTION, title, back, back_label, wide: false, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

/// The subscription that the address names.
async fn one(cx: &Cx) -> Result<(WebhookSubscription, Health), Stop> {
    let id = cx.id("id").ok_or(Stop::NotFound)?;
    cx.snapshot::<actions::ReadNotifications>().await?.webhook_subscription(id).await?.ok_or(Stop::NotFound)
}

/// What a dialog begins with.
fn summary(s: &WebhookSubscription) -> Markup {
    html! {
        dl.kv {
            dt { "Address" } dd { span.mono { (s.url) } }
            dt { "Events" } dd { (events(s)) }
        }
    }
}

fn events(s: &WebhookSubscription) -> Markup {
    html! { ul.scopes { @for kind in &s.events { li.scope { (event_name(*kind)) } } } }
}

/// All with their health, the newest first. There are few, and deliveries keep what they found apart from the list.
async fn load(cx: &Cx) -> Result<Vec<(WebhookSubscription, Health)>, Stop> {
    let mut snapshot = cx.snapshot::<actions::ReadNotifications>().await?;
    let mut all = Vec::new();
    for s in snapshot.webhook_subscriptions().await? {
        let health = snapshot.webhook_subscription(s.id).await?.map(|(_, health)| health).unwrap_or_default();
        all.push((s, health));
    }
    all.sort_by_key(|(s, _)| std::cmp::Reverse((s.created_at, s.id)));
    Ok(all)
}

async fn list(cx: Arc<Cx>) -> Answer {
    let all = load(&cx).await?;
    let may = cx.can(Permission::NotificationsUpdate);
    let button =
        || html! { a.btn.primary href=(cx.url("webhooks/new")) data-dialog { (icon(Icon::Plus)) "New webhook" } };
    let failing =
        all.iter().filter(|(s, h)| s.status == SubscriptionStatus::Active && h.failing_since.is_some()).count();
    let body = html! {
        (read_only::notice(&cx, Permission::NotificationsUpdate, "which webhooks there are").await)
        @if all.is_empty() {
            (empty(Icon::Webhook, "Send events to your first webhook", "A webhook is an https address of yours. It gets the events that you choose, each signed with a secret that only you and this service know.", may.then(button)))
        } @else {
            @if failing > 0 {
                (banner(Tone::Warn, &html! {
                    p { strong { (count(failing, "webhook does", "webhooks do")) " not take deliveries." } " Each is tried again for more than a day, then mailed instead; a webhook that fails for five days is disabled." }
                    a.btn.small href={ (cx.url("deliveries")) "?channel=webhook&status=failed" } { "See what failed" }
                }))
            }
            section.card aria-labelledby="h-webhooks" {
                div.card-head {
                    h2 id="h-webhooks" { "Webhooks " span.count { (all.len()) } }
                    p.muted { "At most " (MAX_SUBSCRIPTIONS) }
                }
                (table(&cx, &all, may))
            }
            p.hint { "Which events are sent at all is chosen in " a href=(cx.url("notifications")) { "Notifications" } ": a webhook gets those that are ticked there and chosen here." }
        }
    };
    let action = (may && !all.is_empty()).then(button);
    let lead = "Addresses of yours that events are sent to, signed.";
    Cx::ok(layout(&cx, Page { section: SECTION, title: TITLE, lead, action, body, bare: false }))
}

fn table(cx: &Cx, all: &[(WebhookSubscription, Health)], may: bool) -> Markup {
    html! {
        table.list.webhooks role="table" {
            caption.vh { "Webhooks, without their secrets" }
            thead role="rowgroup" { tr role="row" {
                th role="columnheader" scope="col" { "Address" }
                th role="columnheader" scope="col" { "Events" }
                th role="columnheader" scope="col" { "State" }
                @if may { th.end role="columnheader" scope="col" { span.vh { "Actions" } } }
            } }
            tbody role="rowgroup" { @for (s, health) in all { (row(cx, s, *health, may)) } }
        }
    }
}

fn row(cx: &Cx, s: &WebhookSubscription, health: Health, may: bool) -> Markup {
    let active = s.status == SubscriptionStatus::Active;
    let at = |verb: &str| cx.url(&format!("webhooks/{}/{verb}", s.id));
    html! {
        tr.over[!active] role="row" {
            td.c-url role="cell" { div.name { (s.host) } div.sub.mono { (s.url) } }
            td.c-events role="cell" { (events(s)) }
            td.c-state role="cell" { (state(cx, s, health)) }
            @if may {
                td.end.c-act role="cell" { div.row-act {
                    a.btn.small href=(at("edit")) data-dialog { "Edit" span.vh { " " (s.host) } }
                    button.btn.ghost.icon type="button" popovertarget={ "menu-" (s.id) } aria-label={ "More actions for " (s.host) } { (icon(Icon::Dots)) }
                    div.menu id={ "menu-" (s.id) } popover {
                        a href=(at("rotate")) data-dialog { "Rotate secret…" }
                        a href=(at("status")) data-dialog { @if active { "Disable…" } @else { "Enable…" } }
                        a.danger href=(at("delete")) data-dialog { "Delete webhook…" }
                    }
                } }
            }
        }
    }
}

fn state(cx: &Cx, s: &WebhookSubscription, health: Health) -> Markup {
    html! {
        @match (s.status, health.failing_since) {
            (SubscriptionStatus::Disabled, _) => {
                span.badge { "Disabled" }
                @if let Some(reason) = &s.status_reason { div.sub { (reason) } }
            }
            (SubscriptionStatus::Active, Some(since)) => {
                span.badge.warn { "Failing" }
                div.sub { "Since " (when(since, Some(ago(since, cx.at)))) }
            }
            (SubscriptionStatus::Active, None) => span.badge.ok { "Active" },
        }
        @if let Some(until) = s.previous_secret_until.filter(|until| *until > cx.at) {
            div.sub { "Signed with two secrets: the one of before ends " (when(until, Some(ago(until, cx.at)))) "." }
        }
    }
}
