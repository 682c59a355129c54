//! Audit log: whether it holds, and a copy of it that can be checked without this service.
use super::audit_log::{Asked, exact};
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Tone, ago, banner, count, dialog, icon, when},
};
use axum::Router;
use maud::{Markup, html};
use settings_api::audit_export::{Format, file};
use settings_domain::policy::actions;
use std::sync::Arc;
use time::Duration;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/audit-log/verify", cx::page(verify))
        .route("/{slug}/settings/audit-log/export", cx::page(offer))
        .route("/{slug}/settings/audit-log/export/file", cx::page(export))
}

fn shown(cx: &Cx, title: &'static str, wide: bool, body: Markup) -> Answer {
    let (section, back, back_label) = ("audit-log", "audit-log", "Audit log");
    Cx::ok(dialog(cx, &Dialog { section, title, back, back_label, wide, guard_copy: false, body }))
}

async fn verify(cx: Arc<Cx>) -> Answer {
    let app = cx.site().app();
    let snapshot = cx.snapshot::<actions::ReadAudit>().await?;
    let before = app.ports().clock.now();
    let found = app.verify_audit_for(snapshot).await?;
    let took: Duration = app.ports().clock.now() - before;
    let newest = app.ports().store.newest(cx.view.workspace.id).await?;
    let events = count(usize::try_from(found.events).unwrap_or(usize::MAX), "event", "events");
    let body = html! {
        div.dlg-body {
            @match &found.first_broken {
                None => {
                    (banner(Tone::Ok, &html! { p { strong { "The chain holds." } " " (events) " checked from the database, one by one, in " (took.whole_milliseconds()) " ms." } }))
                    @if let Some(newest) = &newest {
                        p { "Its newest signed checkpoint is about event " (newest.link.seq) ", " (when(newest.signed_at, Some(ago(newest.signed_at, cx.at)))) "." }
                    }
                    div.field { span.label { "Hash of the last event" } p.hint { "Keep it elsewhere: a later chain that does not contain it was rewritten." } code.mono.block { (found.head) } }
                }
                Some(broken) => (banner(Tone::Danger, &html! {
                    p { strong { "The chain is broken at event " (broken.seq) "." } " " (broken.fault) "." }
                    p { "The " (events) " before it hold. Somebody changed the database behind the service’s back: tell whoever operates it." }
                }))
            }
        }
        div.dlg-foot { a.btn href=(cx.url("audit-log")) data-close { "Close" } }
    };
    shown(&cx, "Verify the chain", false, body)
}

/// The two files, and how the one is checked.
async fn offer(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::ReadAudit>()?;
    let asked = Asked::read(&cx);
    let key = cx.site().app().ports().sealer.public_key().map_err(|_| Stop::Internal)?.verifier;
    let parts = asked.parts();
    let address = |format: &str| {
        let mut query: Vec<(&str, &str)> = parts.iter().map(|(n, v)| (*n, v.as_str())).collect();
        query.push(("format", format));
        format!("{}{}", cx.url("audit-log/export/file"), respond::query(&query))
    };
    let slug = cx.view.workspace.slug.as_str();
    let command =
        format!("settings-http audit verify --export audit-{slug}-{}.jsonl --public-key '{key}'", cx.at.date());
    let body = html! {
        div.dlg-body {
            p {
                @if asked.any() { "The events that the present filter shows. Of the others JSON Lines hold the hashes alone, so the chain still holds." }
                @else { "All events, the oldest first." }
                " Personal values that were not erased are part of it: treat the file as you treat the log."
            }
            div.field { span.label { "JSON Lines" } p.hint { "With everything that it takes to check it without this service." }
                p { a.btn.primary href=(address("jsonl")) download { (icon(Icon::Import)) "Download JSON Lines" } } }
            div.field { span.label { "CSV" } p.hint { "For spreadsheets. It can’t be checked." }
                p { a.btn href=(address("csv")) download { (icon(Icon::Import)) "Download CSV" } } }
            details.try {
                summary { "Check it without this service" }
                p { "On any machine, with the program and the public key alone. Take the key from where the file did not come from, and add " code { "--against" } " with a digest mail that you kept: only that shows whether the end was cut off." }
                code.mono.block { (command) }
                div.field { span.label { "Public key" } p.hint { "As of " (exact(cx.at)) ". Keep it elsewhere, too." } code.mono.block { (key) } }
            }
        }
        div.dlg-foot { a.btn href=(cx.url("audit-log")) data-close { "Close" } }
    };
    shown(&cx, "Export the audit log", true, body)
}

async fn export(cx: Arc<Cx>) -> Answer {
    let format = Format::parse(cx.query("format")).ok_or(Stop::NotFound)?;
    let snapshot = cx.snapshot::<actions::ReadAudit>().await?;
    let filter = Asked::read(&cx).filter(None);
    let export = cx.site().app().export_audit(snapshot, cx.caller(), filter, format.purpose()).await?;
    Ok(file(export, format))
}
