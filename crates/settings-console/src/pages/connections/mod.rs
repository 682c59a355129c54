//! Connections (seed A, scope `connections`): a workspace's Slack, connected by OAuth.
mod change;
mod slack;

use super::read_only;
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Page, Tone, ago, banner, dialog, empty, event_name, icon, layout, when},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    connections::{Connection, ConnectionStatus},
    notifications::Channel,
    policy::{Permission, actions},
};
use std::sync::Arc;

const SECTION: &str = "connections";
const TITLE: &str = "Connections";

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/connections", cx::page(list))
        .route("/{slug}/settings/connections/slack/start", cx::form(slack::start))
        .route("/{slug}/settings/connections/slack/callback", cx::landing(slack::callback))
        .route(
            "/{slug}/settings/connections/{id}/channel",
            cx::page(change::ask_channel).merge(cx::form(change::channel)),
        )
        .route(
            "/{slug}/settings/connections/{id}/disconnect",
            cx::page(change::ask_disconnect).merge(cx::form(change::disconnect)),
        )
        .route("/{slug}/settings/connections/{id}/delete", cx::page(change::ask_delete).merge(cx::form(change::delete)))
}

/// A dialog of this section.
fn shown(cx: &Cx, title: &str, status: StatusCode, body: Markup) -> Answer {
    let (back, back_label) = (SECTION, TITLE);
    let d = Dialog { section: SECTION, title, back, back_label, wide: false, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

/// The connection that the address names.
async fn one(cx: &Cx) -> Result<Connection, Stop> {
    let id = cx.id("id").ok_or(Stop::NotFound)?;
    let all = cx.snapshot::<actions::ListConnections>().await?.connections().await?;
    all.into_iter().find(|c| c.id == id).ok_or(Stop::NotFound)
}

/// Where it posts, as people know it.
fn channel(c: &Connection) -> Option<String> {
    c.channel_name.as_ref().map(ToString::to_string).or_else(|| c.channel.as_ref().map(ToString::to_string))
}

/// Which events are chosen for Slack, for who may know.
async fn chosen(cx: &Cx) -> Result<Vec<&'static str>, Stop> {
    if !cx.can(Permission::NotificationsRead) {
        return Ok(Vec::new());
    }
    let settings = cx.snapshot::<actions::ReadNotifications>().await?.notification_settings().await?;
    let to_slack = settings.all().filter(|(_, p)| p.channels.contains(&Channel::Slack));
    Ok(to_slack.map(|(kind, _)| event_name(kind)).collect())
}

/// What leaves for Slack's page: a form, since it is written down who began.
fn start(cx: &Cx, label: &str, class: &str) -> Markup {
    html! { form method="post" action=(cx.url("connections/slack/start")) { button.btn.(class) type="submit" data-busy="Opening Slack…" { (label) } } }
}

async fn list(cx: Arc<Cx>) -> Answer {
    let all = cx.snapshot::<actions::ListConnections>().await?.connections().await?;
    let chosen = chosen(&cx).await?;
    let configured = cx.site().app().slack_configured();
    let create = cx.can(Permission::ConnectionsCreate) && configured;
    let body = html! {
        (read_only::notice(&cx, Permission::ConnectionsUpdate, "how Slack is connected").await)
        @if !configured {
            (banner(Tone::Info, &html! { p { strong { "Slack is not set up on this installation." } " Whoever operates it has to register a Slack app first. Notifications go by e-mail and to webhooks." } }))
        }
        @if all.is_empty() {
            (empty(Icon::Hash, "Connect Slack", "Notifications can be posted in a Slack channel of yours. You choose the channel on Slack’s page and come back here.", create.then(|| start(&cx, "Connect Slack", "primary"))))
        }
        @for c in &all { (card(&cx, c, &chosen, configured)) }
        @if cx.can(Permission::NotificationsRead) {
            p.hint { "Addresses of yours that get events are in " a href=(cx.url("webhooks")) { "Webhooks" } "; what is sent where is chosen in " a href=(cx.url("notifications")) { "Notifications" } "." }
        }
    };
    let lead = "Other services that this workspace is connected to.";
    Cx::ok(layout(&cx, Page { section: SECTION, title: TITLE, lead, action: None, body, bare: false }))
}

fn status_badge(status: ConnectionStatus) -> Markup {
    match status {
        ConnectionStatus::Active => html! { span.badge.ok { "Active" } },
        ConnectionStatus::Error => html! { span.badge.danger { "Error" } },
        ConnectionStatus::Disconnected => html! { span.badge { "Disconnected" } },
    }
}

fn card(cx: &Cx, c: &Connection, chosen: &[&str], configured: bool) -> Markup {
    let off = c.status == ConnectionStatus::Disconnected;
    let (update, delete) = (cx.can(Permission::ConnectionsUpdate), cx.can(Permission::ConnectionsDelete));
    let create = cx.can(Permission::ConnectionsCreate) && configured;
    let at = |verb: &str| cx.url(&format!("connections/{}/{verb}", c.id));
    html! {
        section.card aria-labelledby="h-slack" {
            div.card-head { h2.with-icon id="h-slack" { (icon(Icon::Hash)) "Slack" } (status_badge(c.status)) }
            div.connection {
                (trouble(c))
                dl.kv {
                    dt { "Workspace" } dd { bdi { (c.team_name.as_str()) } }
                    dt { "Channel" } dd { @match channel(c) { Some(name) => bdi { (name) }, None => "None" } }
                    dt { "Authorized" } dd { (when(c.authorized_at, Some(ago(c.authorized_at, cx.at)))) }
                    dt { "Gets" } dd { @if chosen.is_empty() { "No event yet" } @else { (chosen.join(", ")) } }
                }
                div.btns {
                    @if update && !off { a.btn href=(at("channel")) data-dialog { "Choose channel" } }
                    @if create { (start(cx, "Authorize again", if c.status == ConnectionStatus::Active { "quiet" } else { "primary" })) }
                    @if update && !off { a.btn.quiet-danger href=(at("disconnect")) data-dialog { "Disconnect" } }
                    @if delete { a.btn.quiet-danger href=(at("delete")) data-dialog { "Delete" } }
                }
            }
        }
    }
}

/// What is wrong with it, and what mends it.
fn trouble(c: &Connection) -> Markup {
    let reason = html! { @if let Some(reason) = &c.status_reason { strong { (reason) "." } " " } };
    html! {
        @match (c.status, c.channel.is_some()) {
            (ConnectionStatus::Error, true) => (banner(Tone::Danger, &html! { p { (reason) "Authorize it again. Messages wait for up to 24 hours, then go by e-mail." } })),
            (ConnectionStatus::Error, false) => (banner(Tone::Danger, &html! { p { (reason) "Choose another channel. Messages wait for up to 24 hours, then go by e-mail." } })),
            (ConnectionStatus::Active, false) => (banner(Tone::Warn, &html! { p { "It has no channel to post to. Choose one." } })),
            (ConnectionStatus::Disconnected, _) => (banner(Tone::Info, &html! { p { "It is switched off and its token is destroyed. What was chosen for Slack goes by e-mail until it is authorized again." } })),
            (ConnectionStatus::Active, true) => {}
        }
    }
}
