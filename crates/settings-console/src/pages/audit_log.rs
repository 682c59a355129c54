//! Audit log: who did what, when, and whether the chain holds.
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Page, ago, avatar, called, dialog, empty, icon, layout, pager, when, zero},
};
use axum::Router;
use maud::{Markup, html};
use settings_domain::{
    audit::{Fact, Risk},
    ids::UserId,
    members::MemberView,
    policy::{Permission, actions},
    ports::store::{AuditEntry, AuditFilter},
};
use std::{collections::BTreeMap, sync::Arc};
use time::{Date, OffsetDateTime, Time, macros::format_description};
use uuid::Uuid;

/// Rows of a page.
const ROWS: usize = 25;
/// What a field held that speaks of an erased person.
const ERASED: &str = "Erased person";

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/audit-log", cx::page(list))
        .route("/{slug}/settings/audit-log/{seq}", cx::page(detail))
}

/// The filter as asked for. What is no date, id or name of ours filters nothing and is not repeated.
pub(super) struct Asked {
    action: Option<Fact>,
    risk: Option<Risk>,
    actor: Option<Uuid>,
    from: Option<Date>,
    to: Option<Date>,
}

impl Asked {
    pub(super) fn read(cx: &Cx) -> Self {
        let date = |name| Date::parse(cx.query(name), format_description!("[year]-[month]-[day]")).ok();
        Self {
            action: Fact::ALL.iter().copied().find(|f| f.name() == cx.query("action")),
            risk: Risk::parse(cx.query("risk")),
            actor: cx.query("actor").parse().ok(),
            from: date("from"),
            to: date("to"),
        }
    }
    pub(super) fn filter(&self, before_seq: Option<i64>) -> AuditFilter {
        let start = |d: Date| OffsetDateTime::new_utc(d, Time::MIDNIGHT);
        AuditFilter {
            risks: self.risk.into_iter().collect(),
            action: self.action.map(|f| f.name().to_owned()),
            actor: self.actor,
            target: None,
            from: self.from.map(start),
            // The day that is named belongs to what is asked for.
            to: self.to.and_then(Date::next_day).map(start),
            before_seq,
            ..AuditFilter::default()
        }
    }
    pub(super) fn parts(&self) -> [(&'static str, String); 5] {
        let date = |d: Option<Date>| d.map(|d| d.to_string()).unwrap_or_default();
        [
            ("action", self.action.map(|f| f.name().to_owned()).unwrap_or_default()),
            ("risk", self.risk.map(|r| r.name().to_owned()).unwrap_or_default()),
            ("actor", self.actor.map(|a| a.to_string()).unwrap_or_default()),
            ("from", date(self.from)),
            ("to", date(self.to)),
        ]
    }
    pub(super) fn any(&self) -> bool {
        self.parts().iter().any(|(_, v)| !v.is_empty())
    }
}

/// A field that speaks of a person.
#[derive(Clone, Copy)]
enum Personal<'a> {
    Absent,
    Erased,
    Known(&'a str),
}

fn personal<'a>(e: &'a AuditEntry, field: &str) -> Personal<'a> {
    match e.personal.iter().find(|(f, _)| f == field) {
        None => Personal::Absent,
        Some((_, None)) => Personal::Erased,
        Some((_, Some(value))) => Personal::Known(value),
    }
}

fn known<'a>(e: &'a AuditEntry, field: &str) -> Option<&'a str> {
    if let Personal::Known(value) = personal(e, field) { Some(value) } else { None }
}

fn of<'a>(people: &'a BTreeMap<UserId, MemberView>, id: &str) -> Option<&'a MemberView> {
    people.get(&id.parse().ok()?)
}

/// The people that events speak of, those who left included. Who was erased is not among them: events lost their ids.
async fn people(cx: &Cx, entries: &[AuditEntry]) -> Result<BTreeMap<UserId, MemberView>, Stop> {
    let mut found = BTreeMap::new();
    if !cx.can(Permission::MembersRead) {
        return Ok(found);
    }
    let mut snapshot = cx.snapshot::<actions::ListMembers>().await?;
    let mut asked = std::collections::BTreeSet::new();
    for id in entries.iter().flat_map(|e| ["actor", "target"].map(|f| known(e, f))) {
        let Some(Ok(id)) = id.map(str::parse::<UserId>) else { continue };
        if asked.insert(id)
            && let Some(m) = snapshot.anybody(id).await?
        {
            found.insert(id, m);
        }
    }
    Ok(found)
}

fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(6)..).unwrap_or(id)
}

/// A name, and whether its bearer is gone.
fn named(m: &MemberView) -> Markup {
    html! { span { bdi { (called(&m.user)) } @if !m.member.is_active() { span.sub { " (former member)" } } } }
}

/// Who did it: a name, an id, or what is left of one.
fn actor(e: &AuditEntry, people: &BTreeMap<UserId, MemberView>) -> Markup {
    match personal(e, "actor") {
        Personal::Erased => html! { span.tombstone { (ERASED) } },
        Personal::Known(id) => html! {
            @if let Some(m) = of(people, id) { (avatar(called(&m.user), m.user.id.as_uuid())) (named(m)) }
            @else { span { "Former member " code.nowrap { "…" (short(id)) } } }
        },
        Personal::Absent => match (e.record.actor_kind.as_str(), e.record.actor_key) {
            (_, Some(key)) => html! { span { "API key " code.nowrap { "…" (short(&key.to_string())) } } },
            ("system", None) => html! { "The platform" },
            (_, None) => html! { "The service" },
        },
    }
}

fn target(e: &AuditEntry, people: &BTreeMap<UserId, MemberView>) -> Markup {
    let kind = e.record.target_kind.replace('_', " ");
    let id = match personal(e, "target") {
        Personal::Erased => return html! { span.tombstone { (ERASED) } },
        Personal::Known(id) => Some(id.to_owned()),
        Personal::Absent => e.record.target_id.map(|id| id.to_string()),
    };
    let member = id.as_deref().and_then(|id| of(people, id));
    // A thing is told by the name that it had, as long as that can be read.
    match (member, known(e, "name"), id) {
        (Some(m), ..) => named(m),
        (None, Some(name), _) => html! { (kind) " " bdi { (name) } },
        (None, None, Some(id)) => html! { (kind) " " code.nowrap { "…" (short(&id)) } },
        (None, None, None) => html! { (kind) },
    }
}

pub(super) fn risk_badge(risk: Risk) -> Markup {
    let class = match risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "warn",
        Risk::Critical => "danger",
    };
    html! { span.badge.(class) { (risk_name(risk)) } }
}

const fn risk_name(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "Low",
        Risk::Medium => "Medium",
        Risk::High => "High",
        Risk::Critical => "Critical",
    }
}

async fn list(cx: Arc<Cx>) -> Answer {
    let asked = Asked::read(&cx);
    let before = cx.query("before").parse::<i64>().ok();
    let limit = i64::try_from(ROWS + 1).unwrap_or(26);
    let mut entries = cx.snapshot::<actions::ReadAudit>().await?.audit_events(&asked.filter(before), limit).await?;
    let more = entries.len() > ROWS;
    entries.truncate(ROWS);
    let people = people(&cx, &entries).await?;
    let next = entries.last().filter(|_| more).map(|e| e.record.seq.to_string());
    let parts = asked.parts();
    let parts: Vec<(&str, &str)> = parts.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let here = before.map(|b| b.to_string()).unwrap_or_default();
    let body = html! {
        section.card aria-labelledby="h-events" {
            div.card-head.stacked { h2 id="h-events" { "Events" } (filters(&cx, &asked)) }
            (chips(&cx, &asked, &people))
            @if entries.is_empty() && !asked.any() { (empty(Icon::Log, "Nothing has happened yet", "What people, keys and the service change here is written down and can’t be altered.", None)) }
            @else if entries.is_empty() { (zero("No event matches", "Nothing was written down that fits these filters.", &cx.url("audit-log"))) }
            @else {
                table.list.audit role="table" {
                    caption.vh { "Audit events, newest first" }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { "When" }
                        th role="columnheader" scope="col" { "Who" }
                        th role="columnheader" scope="col" { "Event" }
                        th role="columnheader" scope="col" { "About" }
                        th.end role="columnheader" scope="col" { "Risk" }
                    } }
                    tbody role="rowgroup" {
                        @for e in &entries {
                            tr role="row" {
                                td.c-when.muted role="cell" { (when(e.record.at, Some(ago(e.record.at, cx.at)))) }
                                td.c-actor role="cell" { span.actor { (actor(e, &people)) } }
                                td.c-event role="cell" { a href=(cx.url(&format!("audit-log/{}", e.record.seq))) data-dialog { code { (e.record.action) } span.vh { ", event " (e.record.seq) } } }
                                td.c-target role="cell" { (target(e, &people)) }
                                td.end.c-risk role="cell" { (risk_badge(e.record.risk)) }
                            }
                        }
                    }
                }
            }
            (pager("Pages of events", &cx.url("audit-log"), &parts, "before", &here, next.as_deref()))
        }
    };
    let action = Some(html! {
        div.btns {
            a.btn href={ (cx.url("audit-log/export")) (respond::query(&parts)) } data-dialog { (icon(Icon::Import)) "Export" }
            a.btn href=(cx.url("audit-log/verify")) data-dialog { (icon(Icon::Shield)) "Verify chain" }
        }
    });
    let lead = "Who did what, when. Every event is chained to the one before.";
    Cx::ok(layout(&cx, Page { section: "audit-log", title: "Audit log", lead, action, body, bare: false }))
}

fn filters(cx: &Cx, asked: &Asked) -> Markup {
    let [_, _, (_, actor), (_, from), (_, to)] = asked.parts();
    html! {
        form.filters.wide method="get" action=(cx.url("audit-log")) role="search" aria-label="Audit events" {
            @if !actor.is_empty() { input type="hidden" name="actor" value=(actor); }
            div.labelled { label for="action" { "Event" } select id="action" name="action" {
                option value="" { "All events" }
                @for fact in Fact::ALL { option value=(fact.name()) selected[asked.action == Some(*fact)] { (fact.name()) } }
            } }
            div.labelled { label for="risk" { "Risk" } select id="risk" name="risk" {
                option value="" { "All risks" }
                @for risk in Risk::ALL { option value=(risk.name()) selected[asked.risk == Some(risk)] { (risk_name(risk)) } }
            } }
            div.labelled { label for="from" { "From" } input id="from" name="from" type="date" value=(from); }
            div.labelled { label for="to" { "To" } input id="to" name="to" type="date" value=(to); }
            button.btn type="submit" { "Apply" }
        }
    }
}

/// What is filtered by, each with a way to drop it.
fn chips(cx: &Cx, asked: &Asked, people: &BTreeMap<UserId, MemberView>) -> Markup {
    let parts = asked.parts();
    let without = |name: &str| {
        let rest: Vec<(&str, &str)> = parts.iter().filter(|(n, _)| *n != name).map(|(n, v)| (*n, v.as_str())).collect();
        format!("{}{}", cx.url("audit-log"), respond::query(&rest))
    };
    let shown = |name: &str, value: &str| match name {
        "actor" => match of(people, value) {
            Some(m) => format!("Who: {}", called(&m.user)),
            None => format!("Who: …{}", short(value)),
        },
        "action" => format!("Event: {value}"),
        "risk" => format!("Risk: {value}"),
        other => format!("{other}: {value}"),
    };
    html! {
        @if asked.any() {
            ul.chips aria-label="Filters" {
                @for (name, value) in parts.iter().filter(|(_, v)| !v.is_empty()) {
                    li { a.chip href=(without(name)) { bdi { (shown(name, value)) } (icon(Icon::Close)) span.vh { "Remove this filter" } } }
                }
            }
        }
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

async fn detail(cx: Arc<Cx>) -> Answer {
    let seq: i64 = cx.param("seq").parse().ok().filter(|s| (1..i64::MAX).contains(s)).ok_or(Stop::NotFound)?;
    let filter = AuditFilter { before_seq: Some(seq + 1), ..AuditFilter::default() };
    let found = cx.snapshot::<actions::ReadAudit>().await?.audit_events(&filter, 2).await?;
    let (e, previous) = match found.as_slice() {
        [e, rest @ ..] if e.record.seq == seq => (e, rest.first()),
        _ => return Err(Stop::NotFound),
    };
    let people = people(&cx, std::slice::from_ref(e)).await?;
    // Free text stands aside: the chain only says that it changed.
    let changes: Vec<_> = e.record.changes.iter().filter(|c| c.from.is_some() || c.to.is_some()).collect();
    let meaning = Fact::ALL.iter().find(|f| f.name() == e.record.action).map(|f| f.meaning());
    let more: Vec<_> =
        e.personal.iter().filter(|(f, _)| !matches!(f.as_str(), "actor" | "target" | "requestId")).collect();
    let who = known(e, "actor").map(str::to_owned).or_else(|| e.record.actor_key.map(|k| k.to_string()));
    let body = html! {
        div.dlg-body {
            @if let Some(meaning) = meaning { p { (meaning) } }
            dl.kv {
                dt { "When" } dd { (when(e.record.at, Some(exact(e.record.at)))) }
                dt { "Who" } dd { span.actor { (actor(e, &people)) }
                    @if let Some(id) = &who { " " a href={ (cx.url("audit-log")) (respond::query(&[("actor", id)])) } { "All by them" } } }
                dt { "About" } dd { (target(e, &people)) }
                dt { "Risk" } dd { (risk_badge(e.record.risk)) }
                @for (field, value) in more { dt { (field) } dd { @match value { Some(v) => bdi { (v) }, None => span.tombstone { (ERASED) } } } }
            }
            @if !changes.is_empty() {
                table.versions {
                    caption.vh { "What changed" }
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" } } }
                    tbody { @for c in &changes { tr {
                        th scope="row" { (c.field) }
                        td { @if let Some(v) = &c.from { del { (v) } } @else { span.muted { "–" } } }
                        td { @if let Some(v) = &c.to { ins { (v) } } @else { span.muted { "–" } } }
                    } } }
                }
            }
            details.try {
                summary { "Chain and request" }
                dl.kv.hashes {
                    dt { "Place" } dd { (seq) }
                    dt { "Hash" } dd { code.mono { (hex(&e.hash)) } }
                    dt { "Hash before" } dd { @match previous { Some(p) => code.mono { (hex(&p.hash)) }, None => "It is the first event." } }
                    dt { "Request" } dd { @match personal(e, "requestId") { Personal::Known(id) => code.mono { (id) }, Personal::Erased => span.tombstone { (ERASED) }, Personal::Absent => "–" } }
                }
            }
        }
        div.dlg-foot { a.btn href=(cx.url("audit-log")) data-close { "Close" } }
    };
    let title = e.record.action.clone();
    Cx::ok(dialog(
        &cx,
        &Dialog {
            section: "audit-log",
            title: &title,
            back: "audit-log",
            back_label: "Audit log",
            wide: true,
            guard_copy: false,
            body,
        },
    ))
}

pub(super) fn exact(at: OffsetDateTime) -> String {
    at.format(format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC"))
        .unwrap_or_default()
}
