//! Notifications (seed A): which events reach the team on which channels, and whether the channels work.
mod matrix;
mod try_out;
mod typed;

use super::read_only;
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::Refusal,
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Page, Tone, banner, conflict_page, form_faults, layout},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    connections::ConnectionStatus,
    notifications::{Channels, NotificationSettings},
    policy::{Permission, actions},
};
use std::sync::Arc;
use typed::Typed;

const SECTION: &str = "notifications";
const TITLE: &str = "Notifications";

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/notifications", cx::page(show).merge(cx::form(save)))
        .route("/{slug}/settings/notifications/test", cx::page(try_out::ask).merge(cx::form(try_out::send)))
}

/// What is chosen, and what the channels stand on.
struct Present {
    settings: NotificationSettings,
    channels: Channels,
}

impl Present {
    async fn load(cx: &Cx) -> Result<Self, Stop> {
        let mut snapshot = cx.snapshot::<actions::ReadNotifications>().await?;
        let settings = snapshot.notification_settings().await?;
        let channels = snapshot.channels(cx.site().app().slack_configured()).await?;
        Ok(Self { settings, channels })
    }
}

async fn show(cx: Arc<Cx>) -> Answer {
    let present = Present::load(&cx).await?;
    page(&cx, &present, &Typed::stored(&present.settings), &Faults::default(), None, StatusCode::OK).await
}

async fn page(
    cx: &Cx,
    present: &Present,
    typed: &Typed,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let may = cx.can(Permission::NotificationsUpdate);
    let body = html! {
        (read_only::notice(cx, Permission::NotificationsUpdate, "these settings").await)
        (paused(cx, &present.channels))
        form.stack method="post" action=(cx.url(SECTION)) data-dirty data-savebar novalidate[!faults.none()] {
            input type="hidden" name="version" value=(typed.version);
            (form_faults(faults))
            @if let Some(versions) = versions { (versions) }
            (matrix::channels(cx, &present.channels, typed, may))
            (matrix::recipients(typed, faults, may))
            @if may {
                div.savebar {
                    p data-dirty-text role="status" {}
                    button.btn type="reset" hidden data-when-dirty { "Discard" }
                    button.btn.primary type="submit" data-busy="Saving…" { "Save changes" }
                }
            }
        }
        @if may { (try_out::card(cx, &present.channels)) }
    };
    let action = Some(html! { a.btn href=(cx.url("deliveries")) { "See deliveries" } });
    let lead = "Which events reach your team, and where.";
    respond::shown(status, layout(cx, Page { section: SECTION, title: TITLE, lead, action, body, bare: false }))
}

/// What was chosen waits while Slack refuses us: it is said before anything else.
fn paused(cx: &Cx, channels: &Channels) -> Markup {
    let broken = channels.connection.as_ref().filter(|c| c.status == ConnectionStatus::Error);
    html! {
        @if let Some(c) = broken {
            (banner(Tone::Danger, &html! {
                p { strong { "Slack messages are paused." } @if let Some(reason) = &c.status_reason { " " (reason) "." } " Your choices below are kept; what happens meanwhile waits for up to 24 hours, then goes by e-mail." }
                a.btn.small href=(cx.url("connections")) { "Go to Connections" }
            }))
        }
    }
}

async fn save(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateNotifications>()?;
    let present = Present::load(&cx).await?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let Some(wanted) = typed.read(&present.settings, &mut faults) else {
        let status = faults.status();
        return page(&cx, &present, &typed, &faults, None, status).await;
    };
    match cx.site().app().update_notifications(&permit, &cx.call(), &wanted).await {
        Ok(_) => cx.done(SECTION, "Notifications saved."),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let now = Typed::stored(&present.settings);
                let versions = Some(conflict_page(&cx, SECTION, &typed.against(&now)));
                let mine = Typed { version: now.version, ..typed };
                page(&cx, &present, &mine, &faults, versions, StatusCode::PRECONDITION_FAILED).await
            }
            other => {
                faults.rule(other.rule()?, &[]);
                let status = faults.status();
                page(&cx, &present, &typed, &faults, None, status).await
            }
        },
    }
}
