//! General: name, region, retention, seats (seed A, Workspace settings).
use super::errors;
use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::Refusal,
    respond,
    site::Site,
    stop::Answer,
    ui::{
        Dialog, Page, Tone, ask_admins, banner, conflict_page, copy_value, day, dialog, field, foot, form_faults,
        gauge, impact_list, layout, text_input,
    },
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    impact::Impact,
    policy::{Permission, actions},
    text::{DisplayName, Region},
    workspaces::{MAX_RETENTION_DAYS, MAX_SEATS, Workspace, WorkspacePatch},
};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/workspace", cx::page(show).merge(cx::form(save)))
}

/// The form as text: what was typed, or what is there.
struct Typed {
    name: String,
    region: String,
    retention: String,
    seats: String,
    version: i64,
}

impl Typed {
    fn stored(w: &Workspace) -> Self {
        Self {
            name: w.name.as_str().to_owned(),
            region: w.region.as_str().to_owned(),
            retention: w.retention_days.to_string(),
            seats: w.seat_limit.to_string(),
            version: w.version,
        }
    }
    fn sent(cx: &Cx) -> Self {
        Self {
            name: cx.field("name").to_owned(),
            region: cx.field("region").to_owned(),
            retention: cx.field("retention").trim().to_owned(),
            seats: cx.field("seats").trim().to_owned(),
            version: cx.field("version").parse().unwrap_or(cx.view.workspace.version),
        }
    }
}

async fn show(cx: Arc<Cx>) -> Answer {
    let typed = Typed::stored(&cx.view.workspace);
    page(&cx, &typed, &Faults::default(), None, StatusCode::OK).await
}

async fn page(cx: &Cx, typed: &Typed, faults: &Faults, versions: Option<Markup>, status: StatusCode) -> Answer {
    let may = cx.can(Permission::WorkspaceUpdate);
    let admins = if may { Vec::new() } else { errors::admins(cx).await };
    let (view, workspace) = (&cx.view, &cx.view.workspace);
    let body = html! {
        @if !may { (banner(Tone::Info, &html! { p { "You can see these settings, but not change them. " (ask_admins(cx, &admins)) } })) }
        div.seats {
            div.seats-text {
                strong { (view.seats_used) " of " (workspace.seat_limit) " seats" }
                span.muted { "Members and open invitations together" }
            }
            (gauge(view.seats_used, workspace.seat_limit, "Seats in use"))
        }
        form.card.form method="post" action=(cx.url("workspace")) data-dirty data-savebar novalidate[!faults.none()] {
            input type="hidden" name="version" value=(typed.version);
            fieldset.form-body disabled[!may] {
                legend.vh { "Workspace" }
                (form_faults(faults))
                @if let Some(versions) = versions { (versions) }
                (text_input("name", "Name", Some(&html! { "What people read. Up to 200 characters." }), faults, &typed.name, false))
                (region(cx, typed, faults))
                (number("retention", "Data retention", "days", &html! { "Run data is kept this long. At least " (floor(cx)) " days (compliance floor)." }, faults, &typed.retention, MAX_RETENTION_DAYS))
                (number("seats", "Seat limit", "seats", &html! { (view.seats_used) " are in use." }, faults, &typed.seats, MAX_SEATS))
            }
            @if may {
                div.savebar {
                    p data-dirty-text role="status" {}
                    button.btn type="reset" hidden data-when-dirty { "Discard" }
                    button.btn.primary type="submit" data-busy="Saving…" { "Save changes" }
                }
            }
        }
        section.card.form aria-labelledby="h-identity" {
            div.card-head { h2 id="h-identity" { "Identity" } p.muted { "Fixed when the workspace was made." } }
            div.form-body {
                div.field { label for="slug" { "Slug" } p.hint { "Can’t be changed: it is part of API paths and links." } (copy_value("slug", workspace.slug.as_str())) }
                div.field { label for="workspace-id" { "Workspace ID" } p.hint { "The organization ID of the " code { "/api" } " paths." } (copy_value("workspace-id", &workspace.id.to_string())) }
                p.muted { "Made on " (day(workspace.created_at)) ", last changed on " (day(workspace.updated_at)) "." }
            }
        }
    };
    let page = Page {
        section: "workspace",
        title: "General",
        lead: "Name, region, data retention and seats.",
        action: None,
        body,
        bare: false,
    };
    respond::shown(status, layout(cx, page))
}

fn region(cx: &Cx, typed: &Typed, faults: &Faults) -> Markup {
    let present = cx.view.workspace.region.as_str();
    let mut regions: Vec<&str> = cx.site().app().rules().regions.iter().map(Region::as_str).collect();
    // The operator may have dropped a region from the list since: what is stored stays a choice.
    if !regions.contains(&present) {
        regions.push(present);
    }
    field("region", "Default region", Some(&html! { "Where new data is stored." }), faults, |described, invalid| {
        html! {
            select id="region" name="region" aria-describedby=[described] aria-invalid=[invalid] {
                @for r in regions { option value=(r) selected[r == typed.region] { (r) } }
            }
        }
    })
}

fn number(id: &'static str, label: &str, unit: &str, hint: &Markup, faults: &Faults, value: &str, most: i64) -> Markup {
    field(id, label, Some(hint), faults, |described, invalid| {
        html! {
            div.unit {
                input id=(id) name=(id) type="number" inputmode="numeric" min="1" max=(most) step="1" value=(value) required
                    aria-describedby=[described] aria-invalid=[invalid];
                span aria-hidden="true" { (unit) }
            }
        }
    })
}

/// The fewest days that run data is kept: the installation's, or this workspace's own.
fn floor(cx: &Cx) -> i64 {
    cx.view.workspace.floor_days.max(cx.site().app().rules().floor_days)
}

fn whole(faults: &mut Faults, name: &'static str, subject: &str, text: &str, most: i64) -> Option<i64> {
    let parsed = text.parse::<i64>().ok().filter(|n| (1..=most).contains(n));
    if parsed.is_none() {
        faults.field(name, format!("{subject} must be a whole number from 1 to {most}."));
    }
    parsed
}

async fn save(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateWorkspace>()?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let name = faults.parse::<DisplayName>("name", "The name", typed.name.trim());
    let known = |r: &Region| cx.site().app().rules().regions.contains(r) || *r == cx.view.workspace.region;
    let region = typed.region.parse::<Region>().ok().filter(known);
    if region.is_none() {
        faults.field("region", "Choose one of the regions.");
    }
    let retention_days = whole(&mut faults, "retention", "The retention", &typed.retention, MAX_RETENTION_DAYS);
    let seat_limit = whole(&mut faults, "seats", "The seat limit", &typed.seats, MAX_SEATS);
    // The use case decides. What it would say is said with the rest: whoever mends one fault wants to know of the others.
    let (workspace, least, used) = (&cx.view.workspace, floor(&cx), cx.view.seats_used);
    if retention_days.is_some_and(|days| days != workspace.retention_days && days < least) {
        faults
            .field("retention", format!("Run data has to be kept for at least {least} days here (compliance floor)."));
    }
    if seat_limit.is_some_and(|seats| seats != workspace.seat_limit && seats < used) {
        faults.field("seats", format!("{used} seats are in use. Remove members or revoke invitations first."));
    }
    if !faults.none() {
        let status = faults.status();
        return page(&cx, &typed, &faults, None, status).await;
    }
    let patch = WorkspacePatch { name, region, retention_days, seat_limit, ..WorkspacePatch::default() };
    match cx.site().app().update_workspace(&permit, &cx.call(), patch).await {
        Ok(_) => cx.done("workspace", "Workspace saved."),
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let now = Typed::stored(&cx.view.workspace);
                let rows = [
                    ("Name", typed.name.clone(), now.name.clone()),
                    ("Default region", typed.region.clone(), now.region.clone()),
                    ("Data retention", typed.retention.clone(), now.retention.clone()),
                    ("Seat limit", typed.seats.clone(), now.seats.clone()),
                ];
                let mine = Typed { version: now.version, ..typed };
                page(&cx, &mine, &faults, Some(conflict_page(&cx, "workspace", &rows)), StatusCode::PRECONDITION_FAILED)
                    .await
            }
            Refusal::Unconfirmed(impact) => {
                respond::shown(StatusCode::PRECONDITION_REQUIRED, confirm(&cx, &typed, &impact))
            }
            other => {
                let pointers =
                    [("/dataRetentionDays", "retention"), ("/seatLimit", "seats"), ("/defaultRegion", "region")];
                faults.rule(other.rule()?, &pointers);
                let status = faults.status();
                page(&cx, &typed, &faults, None, status).await
            }
        },
    }
}

/// Lower retention deletes: everything typed travels along, with the confirmation of exactly that.
fn confirm(cx: &Cx, typed: &Typed, impact: &Impact) -> Markup {
    let body = html! {
        form method="post" action=(cx.url("workspace")) {
            div.dlg-body {
                @for (name, value) in [("name", &typed.name), ("region", &typed.region), ("retention", &typed.retention), ("seats", &typed.seats)] {
                    input type="hidden" name=(name) value=(value);
                }
                input type="hidden" name="version" value=(typed.version);
                p { "Run data would be kept for " strong { (typed.retention) " days" } " instead of " (cx.view.workspace.retention_days) "." }
                (impact_list(impact))
            }
            (foot(cx, "workspace", &html! { button.btn.danger type="submit" data-busy="Saving…" { "Lower retention" } }))
        }
    };
    dialog(
        cx,
        &Dialog {
            section: "workspace",
            title: "Lower the data retention?",
            back: "workspace",
            back_label: "General",
            wide: false,
            guard_copy: false,
            body,
        },
    )
}
