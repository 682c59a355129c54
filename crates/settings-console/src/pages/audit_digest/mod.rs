//! Audit digest (seed A): what stands in the audit log, mailed on a schedule.
mod fields;
mod typed;

use crate::{
    cx::{self, Cx},
    form::Faults,
    refusal::Refusal,
    respond,
    site::Site,
    stop::Answer,
    ui::{Dialog, Page, ago, conflict_page, count, dialog, form_faults, layout, moment, when},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    audit_digest::{AuditDigest, Frequency, Schedule},
    policy::{Permission, actions},
};
use std::sync::Arc;
use time::OffsetDateTime;
use typed::{Typed, day_name, schedule};

const SECTION: &str = "audit-digest";
const TITLE: &str = "Audit digest";

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/audit-digest", cx::page(show).merge(cx::form(save)))
        .route("/{slug}/settings/audit-digest/preview", cx::page(preview))
}

async fn load(cx: &Cx) -> Result<AuditDigest, crate::stop::Stop> {
    Ok(cx.snapshot::<actions::ReadAuditDigest>().await?.audit_digest().await?)
}

async fn show(cx: Arc<Cx>) -> Answer {
    let digest = load(&cx).await?;
    page(&cx, &digest, &Typed::stored(&digest), &Faults::default(), None, StatusCode::OK)
}

/// A schedule in words.
fn in_words(s: Schedule) -> String {
    let hour = s.hour.get();
    match s.frequency {
        Frequency::Daily => format!("Every day at {hour:02}:00 UTC"),
        Frequency::Weekly(day) => format!("Every {} at {hour:02}:00 UTC", day_name(day.get())),
        Frequency::Monthly(day) => format!("On day {} of every month at {hour:02}:00 UTC", day.get()),
    }
}

fn page(
    cx: &Cx,
    digest: &AuditDigest,
    typed: &Typed,
    faults: &Faults,
    versions: Option<Markup>,
    status: StatusCode,
) -> Answer {
    let may = cx.can(Permission::AuditDigestUpdate);
    let body = html! {
        (status_card(cx, digest))
        form.card.form method="post" action=(cx.url(SECTION)) data-dirty data-savebar data-runs=(cx.url("audit-digest/preview")) novalidate[!faults.none()] {
            input type="hidden" name="version" value=(typed.version);
            fieldset.form-body disabled[!may] {
                legend.vh { "Audit digest" }
                (form_faults(faults))
                @if let Some(versions) = versions { (versions) }
                (fields::all(typed, faults))
            }
            @if may {
                div.savebar {
                    p data-dirty-text role="status" {}
                    button.btn type="reset" hidden data-when-dirty { "Discard" }
                    button.btn.primary type="submit" data-busy="Saving…" { "Save changes" }
                }
            }
        }
    };
    let lead = "A summary of the audit log by e-mail, on a schedule.";
    respond::shown(status, layout(cx, Page { section: SECTION, title: TITLE, lead, action: None, body, bare: false }))
}

/// What holds now: the schedule in a sentence, when the last one went, when the next ones go.
fn status_card(cx: &Cx, digest: &AuditDigest) -> Markup {
    let s = &digest.settings;
    html! {
        section.card aria-labelledby="h-now" {
            div.card-head {
                h2 id="h-now" { "Schedule" }
                @if s.enabled { span.badge.ok { "On" } } @else { span.badge { "Off" } }
            }
            div.digest-now {
                p {
                    @if s.enabled { (in_words(s.schedule)) ", to " (count(s.recipients.len(), "person", "people")) "." }
                    @else { "Digests are off. Switched on, they go " (lower(&in_words(s.schedule))) "." }
                }
                dl.kv {
                    dt { "Last sent" }
                    dd { @match digest.last_sent_at { Some(at) => (when(at, Some(ago(at, cx.at)))), None => "Never" } }
                    dt { @if s.enabled { "Next runs" } @else { "Next runs would be" } }
                    dd id="next-runs" aria-live="polite" { (runs(s.schedule, cx.at)) }
                }
            }
        }
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The next three runs.
fn runs(schedule: Schedule, now: OffsetDateTime) -> Markup {
    html! {
        ol.runs { @for at in schedule.preview(now) { li { (when(at, Some(moment(at)))) span.muted { " · " (ago(at, now)) } } } }
    }
}

/// The next runs of a schedule that is not saved: of the present one where the address names none.
async fn preview(cx: Arc<Cx>) -> Answer {
    let digest = load(&cx).await?;
    let get = |name| cx.query(name).to_owned();
    let asked =
        schedule(&get("frequency"), &get("dayOfWeek"), &get("dayOfMonth"), &get("hour"), &mut Faults::default());
    let schedule = asked.unwrap_or(digest.settings.schedule);
    let body = html! {
        div.dlg-body { p { (in_words(schedule)) "." } (runs(schedule, cx.at)) }
        div.dlg-foot { a.btn.primary href=(cx.url(SECTION)) data-close { "Done" } }
    };
    let (back, back_label) = (SECTION, TITLE);
    let d = Dialog {
        section: SECTION,
        title: "Next three digests",
        back,
        back_label,
        wide: false,
        guard_copy: false,
        body,
    };
    respond::shown(StatusCode::OK, dialog(&cx, &d))
}

async fn save(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::UpdateAuditDigest>()?;
    let digest = load(&cx).await?;
    let (typed, mut faults) = (Typed::sent(&cx), Faults::default());
    let Some(settings) = typed.read(&mut faults) else {
        let status = faults.status();
        return page(&cx, &digest, &typed, &faults, None, status);
    };
    match cx.site().app().configure_audit_digest(&permit, &cx.call(), settings).await {
        Ok(done) => {
            let text = match done.value().next_due_at {
                Some(at) => format!("Audit digest saved. The next one goes on {}.", moment(at)),
                None => "Audit digest saved. It is off.".to_owned(),
            };
            cx.done(SECTION, &text)
        }
        Err(failure) => match Refusal::of(failure)? {
            Refusal::Stale => {
                let now = Typed::stored(&digest);
                let versions = Some(conflict_page(&cx, SECTION, &typed.against(&now)));
                let mine = Typed { version: now.version, ..typed };
                page(&cx, &digest, &mine, &faults, versions, StatusCode::PRECONDITION_FAILED)
            }
            other => {
                faults.rule(other.rule()?, &[("/recipients", "recipients"), ("/includeRiskLevels", "risk")]);
                let status = faults.status();
                page(&cx, &digest, &typed, &faults, None, status)
            }
        },
    }
}
