//! Deliveries: what was sent, when, and what came of each attempt.
mod detail;
mod receivers;

use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::Answer,
    ui::{Icon, Page, ago, channel_icon, channel_name, empty, event_name, icon, layout, pager, when, zero},
};
use axum::Router;
use maud::{Markup, html};
use receivers::Receivers;
use settings_domain::{
    deliveries::{DeliveryStatus, DeliveryView, Message},
    ids::PublishedEventId,
    notifications::Channel,
    policy::{Permission, actions},
    ports::store::{DeliveryFilter, Page as Part},
};
use std::sync::Arc;
use time::OffsetDateTime;

const SECTION: &str = "deliveries";
const TITLE: &str = "Deliveries";
/// Rows of a page.
const ROWS: usize = 25;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/deliveries", cx::page(list))
        .route("/{slug}/settings/deliveries/{id}", cx::page(detail::show))
        .route("/{slug}/settings/deliveries/{id}/retry", cx::form(detail::retry))
}

const fn status_name(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "Pending",
        DeliveryStatus::Parked => "Parked",
        DeliveryStatus::Delivered => "Delivered",
        DeliveryStatus::Failed => "Failed",
        DeliveryStatus::Dropped => "Dropped",
    }
}

fn status_badge(status: DeliveryStatus) -> Markup {
    let class = match status {
        DeliveryStatus::Pending => "medium",
        DeliveryStatus::Parked => "warn",
        DeliveryStatus::Delivered => "ok",
        DeliveryStatus::Failed => "danger",
        DeliveryStatus::Dropped => "low",
    };
    html! { span.badge.(class) { (status_name(status)) } }
}

/// What it says, in a few words.
fn subject(d: &DeliveryView) -> &'static str {
    match (d.delivery.message, d.event_type) {
        (Message::Event(_), Some(kind)) => event_name(kind),
        (Message::Event(_), None) => "An event that was forgotten",
        (Message::Test, _) => "Test",
        (Message::SlackFailing(_), _) => "Slack takes no messages",
        (Message::WebhookFailing(_), _) => "A webhook takes no deliveries",
    }
}

/// The filter as asked for. What is no name or id of ours filters nothing and is not repeated.
fn asked(cx: &Cx) -> DeliveryFilter {
    DeliveryFilter {
        status: DeliveryStatus::parse(cx.query("status")),
        channel: Channel::parse(cx.query("channel")),
        event: cx.query("event").parse::<PublishedEventId>().ok(),
    }
}

async fn list(cx: Arc<Cx>) -> Answer {
    let filter = asked(&cx);
    let after = cx.query("after").parse().ok();
    let limit = i64::try_from(ROWS + 1).unwrap_or(26);
    let mut snapshot = cx.snapshot::<actions::ReadNotifications>().await?;
    let mut all = snapshot.deliveries(filter, Part { after, limit }).await?;
    let more = all.len() > ROWS;
    all.truncate(ROWS);
    let receivers = Receivers::load(&cx, snapshot, &all).await?;
    let next = all.last().filter(|_| more).map(|d| d.delivery.id.to_string());
    let event = filter.event.map(|e| e.to_string()).unwrap_or_default();
    let (status, channel) = (filter.status.map_or("", DeliveryStatus::name), filter.channel.map_or("", Channel::name));
    let parts = [("status", status), ("channel", channel), ("event", event.as_str())];
    let narrowed = parts.iter().any(|(_, v)| !v.is_empty());
    let here = after.map(|a: uuid::Uuid| a.to_string()).unwrap_or_default();
    let body = html! {
        section.card aria-labelledby="h-deliveries" {
            div.card-head { h2 id="h-deliveries" { "Deliveries" } (filters(&cx, filter, &event)) }
            @if !event.is_empty() {
                ul.chips aria-label="Filters" { li {
                    a.chip href={ (cx.url(SECTION)) (respond::query(&[("status", status), ("channel", channel)])) } { "One event" (icon(Icon::Close)) span.vh { "Remove this filter" } }
                } }
            }
            @if all.is_empty() && !narrowed && here.is_empty() { (empty(Icon::Send, "Nothing was sent yet", "Each mail, Slack message and call of a webhook is written down here, with every attempt.", None)) }
            @else if all.is_empty() { (zero("No delivery matches", "Nothing was sent that fits these filters.", &cx.url(SECTION))) }
            @else {
                table.list.deliveries role="table" {
                    caption.vh { "Deliveries, newest first" }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { "When" }
                        th role="columnheader" scope="col" { "What" }
                        th role="columnheader" scope="col" { "To" }
                        th role="columnheader" scope="col" { "Status" }
                        th.end role="columnheader" scope="col" { span.vh { "Actions" } }
                    } }
                    tbody role="rowgroup" { @for d in &all { (row(&cx, d, &receivers)) } }
                }
            }
            (pager("Pages of deliveries", &cx.url(SECTION), &parts, "after", &here, next.as_deref()))
        }
    };
    let action = Some(html! { a.btn href=(cx.url("notifications")) { "Choose events" } });
    let lead = "What was sent, and what came of each attempt.";
    Cx::ok(layout(&cx, Page { section: SECTION, title: TITLE, lead, action, body, bare: false }))
}

fn filters(cx: &Cx, filter: DeliveryFilter, event: &str) -> Markup {
    html! {
        form.filters.pick method="get" action=(cx.url(SECTION)) role="search" aria-label="Deliveries" {
            @if !event.is_empty() { input type="hidden" name="event" value=(event); }
            label.vh for="status" { "Status" }
            select id="status" name="status" {
                option value="" { "Any status" }
                @for s in DeliveryStatus::ALL { option value=(s.name()) selected[filter.status == Some(s)] { (status_name(s)) } }
            }
            label.vh for="channel" { "Channel" }
            select id="channel" name="channel" {
                option value="" { "Any channel" }
                @for c in Channel::ALL { option value=(c.name()) selected[filter.channel == Some(c)] { (channel_name(c)) } }
            }
            button.btn type="submit" { "Apply" }
        }
    }
}

fn row(cx: &Cx, d: &DeliveryView, receivers: &Receivers) -> Markup {
    let delivery = &d.delivery;
    let (page, channel) = (cx.url(&format!("deliveries/{}", delivery.id)), delivery.destination.channel());
    let at = delivery.created_at;
    html! {
        tr role="row" {
            td.c-when.muted role="cell" { (when(at, Some(ago(at, cx.at)))) }
            td.c-what role="cell" { a href=(page) data-dialog { (subject(d)) span.vh { ", " (delivery.id) } } }
            td.c-to role="cell" { span.to { (icon(channel_icon(channel))) span { span.vh { (channel_name(channel)) ": " } (receivers.name(delivery.destination)) } } }
            td.c-status role="cell" { (status_badge(d.status)) div.sub { (tries(cx, d)) } }
            td.end.c-act role="cell" { @if d.status == DeliveryStatus::Failed && cx.can(Permission::NotificationsUpdate) {
                form method="post" action={ (page) "/retry" } {
                    button.btn.small type="submit" data-busy="Retrying…" { "Retry" span.vh { " " (subject(d)) " to " (receivers.name(delivery.destination)) } }
                }
            } }
        }
    }
}

/// When an attempt is due. One whose time has come waits for the worker.
fn due(at: OffsetDateTime, now: OffsetDateTime) -> String {
    if at > now { ago(at, now) } else { "at any moment".to_owned() }
}

/// How often it was tried, and when next.
fn tries(cx: &Cx, d: &DeliveryView) -> Markup {
    html! {
        (crate::ui::count(d.attempts.len(), "attempt", "attempts"))
        @if let (DeliveryStatus::Pending, Some(at)) = (d.status, d.next_attempt_at) { ", next " (when(at, Some(due(at, cx.at)))) }
    }
}
