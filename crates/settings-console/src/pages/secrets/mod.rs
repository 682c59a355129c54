//! Secrets (seed A, scope `secrets:read`): kept, rotated, sealed, and revealed one at a time with an event for each.
mod change;
mod reveal;

use super::in_environment::{self, environment_badge, environment_tabs, list_of};
use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Page, ago, dialog, empty, icon, layout, pager, used_by, uses_banner, when, zero},
};
use axum::Router;
use http::StatusCode;
use maud::{Markup, html};
use settings_domain::{
    environments::Environment,
    ids::EnvironmentId,
    policy::{Permission, actions},
    ports::store::Page as Part,
    references::Dependant,
    secrets::{MAX_SECRETS, Secret},
};
use std::sync::Arc;

const SECTION: &str = "secrets";
/// Rows of a page.
const ROWS: usize = 25;
/// What is read at once.
const BATCH: i64 = 500;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/secrets", cx::page(list))
        .route("/{slug}/settings/secrets/new", cx::page(change::new).merge(cx::form(change::create)))
        .route("/{slug}/settings/secrets/{id}/rotate", cx::page(change::ask_rotate).merge(cx::form(change::rotate)))
        .route("/{slug}/settings/secrets/{id}/seal", cx::page(change::ask_seal).merge(cx::form(change::seal)))
        .route("/{slug}/settings/secrets/{id}/delete", cx::page(change::ask_delete).merge(cx::form(change::delete)))
        .route("/{slug}/settings/secrets/{id}/reveal", cx::page(reveal::ask).merge(cx::form(reveal::reveal)))
}

/// A dialog of this section.
fn shown(cx: &Cx, title: &str, back: &str, status: StatusCode, body: Markup) -> Answer {
    let d = Dialog { section: SECTION, title, back, back_label: "Secrets", wide: false, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

/// A secret, where it lives, and what is said to use it.
struct Found {
    secret: Secret,
    environment: Option<Environment>,
    dependants: Vec<Dependant>,
}

impl Found {
    async fn load(cx: &Cx) -> Result<Self, Stop> {
        let id = cx.id("id").ok_or(Stop::NotFound)?;
        let mut snapshot = cx.snapshot::<actions::ListSecrets>().await?;
        let secret = snapshot.secret(id).await?.ok_or(Stop::NotFound)?;
        let dependants = snapshot.dependants([id]).await?;
        let all = in_environment::all(cx).await?;
        let environment = all.into_iter().find(|e| e.id == secret.environment);
        Ok(Self { secret, environment, dependants })
    }
    fn name(&self) -> &str {
        self.secret.name.as_str()
    }
    fn back(&self) -> String {
        list_of(SECTION, self.environment.as_ref())
    }
    fn uses(&self, what_then: &str) -> Markup {
        uses_banner(&self.dependants.iter().collect::<Vec<_>>(), what_then)
    }
    /// What a dialog begins with.
    fn summary(&self, at: time::OffsetDateTime) -> Markup {
        let rotated = self.secret.rotated_at.unwrap_or(self.secret.created_at);
        html! {
            dl.kv {
                dt { "Secret" } dd { strong { bdi { (self.name()) } } }
                dt { "Environment" } dd { (environment_badge(self.environment.as_ref())) }
                dt { @if self.secret.rotated_at.is_some() { "Last rotated" } @else { "Created" } } dd { (when(rotated, Some(ago(rotated, at)))) }
            }
        }
    }
}

/// All secrets of an environment, or of all, by name.
async fn load(cx: &Cx, environment: Option<EnvironmentId>) -> Result<Vec<Secret>, Stop> {
    let mut snapshot = cx.snapshot::<actions::ListSecrets>().await?;
    let mut all: Vec<Secret> = Vec::new();
    for _ in 0..=MAX_SECRETS / BATCH {
        let after = all.last().map(|s| s.id.as_uuid());
        let part = snapshot.secrets(environment, Part { after, limit: BATCH }).await?.ok_or(Stop::NotFound)?;
        let full = i64::try_from(part.len()).unwrap_or(i64::MAX) == BATCH;
        all.extend(part);
        if !full {
            break;
        }
    }
    all.sort_by_key(|s| (s.name.as_str().to_lowercase(), s.created_at));
    Ok(all)
}

async fn list(cx: Arc<Cx>) -> Answer {
    cx.require::<actions::ListSecrets>()?;
    let environments = in_environment::all(&cx).await?;
    let environment = in_environment::asked(&cx, &environments);
    let all = load(&cx, environment.map(|e| e.id)).await?;
    let q = cx.query("q");
    let needle = q.to_lowercase();
    let found: Vec<&Secret> = all.iter().filter(|s| s.name.as_str().to_lowercase().contains(&needle)).collect();
    let start = cx.query("from").parse::<usize>().unwrap_or(0).min(found.len());
    let page: Vec<&Secret> = found.iter().skip(start).take(ROWS).copied().collect();
    let next = (start + ROWS < found.len()).then(|| (start + ROWS).to_string());
    let dependants = cx.snapshot::<actions::ListSecrets>().await?.dependants(page.iter().map(|s| s.id)).await?;
    let name = environment.map_or("", |e| e.name.as_str());
    let unused = all.is_empty() && environment.is_none();
    let new = list_of("secrets/new", environment);
    let button = || html! { a.btn.primary href=(cx.url(&new)) data-dialog { (icon(Icon::Plus)) "New secret" } };
    let create = cx.can(Permission::SecretsCreate);
    let body = html! {
        @if unused {
            (empty(Icon::Lock, "Keep your first secret", "A secret is kept encrypted. Admins can reveal it, and each time is written to the audit log; once sealed, nobody can.", create.then(button)))
        } @else {
            (environment_tabs(&cx, SECTION, &environments, environment, None))
            section.card aria-labelledby="h-secrets" {
                div.card-head {
                    h2 id="h-secrets" { "Secrets " @if q.is_empty() { span.count { (all.len()) } } }
                    (search(&cx, q, name))
                }
                div id="secret-list" data-one="secret" data-many="secrets" {
                    @if found.is_empty() && q.is_empty() {
                        div.empty.small { h3 { "No secrets in " (name) " yet" } p { "Workflows that run there find none." } }
                    } @else if found.is_empty() {
                        (zero("No secret matches", &format!("No name here has “{q}” in it."), &cx.url(&list_of(SECTION, environment))))
                    } @else { (table(&cx, &page, &environments, &dependants)) }
                    (pager("Pages of secrets", &cx.url(SECTION), &[("env", name), ("q", q)], "from", if start == 0 { "" } else { "more" }, next.as_deref()))
                }
            }
            p.hint { "Each reveal is written to the audit log as " code { "secret.accessed" } ", with its high risk. Sealing a secret ends reveals for good." }
        }
    };
    let action = (create && !unused).then(button);
    let lead = "Kept encrypted, given to workflows, and revealed only with a trace.";
    Cx::ok(layout(&cx, Page { section: SECTION, title: "Secrets", lead, action, body, bare: false }))
}

fn search(cx: &Cx, q: &str, environment: &str) -> Markup {
    html! {
        form.filters method="get" action=(cx.url(SECTION)) role="search" aria-label="Secrets" data-live="#secret-list" {
            @if !environment.is_empty() { input type="hidden" name="env" value=(environment); }
            div.input-icon {
                (icon(Icon::Search))
                label.vh for="q" { "Search secrets" }
                input id="q" name="q" type="search" value=(q) placeholder="Name…" maxlength="200" autocomplete="off" spellcheck="false";
            }
            button.btn.no-js type="submit" { "Apply" }
        }
    }
}

fn table(cx: &Cx, page: &[&Secret], environments: &[Environment], dependants: &[Dependant]) -> Markup {
    html! {
        table.list.values.secrets role="table" {
            caption.vh { "Secrets, without their values" }
            thead role="rowgroup" { tr role="row" {
                th role="columnheader" scope="col" { "Name" }
                th role="columnheader" scope="col" { "Environment" }
                th role="columnheader" scope="col" { "Last rotated" }
                th role="columnheader" scope="col" { "State" }
                th.end role="columnheader" scope="col" { span.vh { "Actions" } }
            } }
            tbody role="rowgroup" { @for s in page { (row(cx, s, environments, dependants)) } }
        }
    }
}

fn row(cx: &Cx, s: &Secret, environments: &[Environment], dependants: &[Dependant]) -> Markup {
    let (name, id) = (s.name.as_str(), s.id);
    let uses: Vec<&Dependant> = dependants.iter().filter(|d| d.uses.id == id.as_uuid()).collect();
    let at = |verb: &str| cx.url(&format!("secrets/{id}/{verb}"));
    let (update, delete) = (cx.can(Permission::SecretsUpdate), cx.can(Permission::SecretsDelete));
    html! {
        tr role="row" {
            td.c-name role="cell" { div.name { bdi { (name) } } (used_by(id.as_uuid(), name, &uses)) }
            td.c-env role="cell" { (environment_badge(in_environment::of(environments, s.environment))) }
            td.c-date.muted role="cell" {
                @match s.rotated_at {
                    Some(rotated) => { span.cell-key { "Rotated " } (when(rotated, Some(ago(rotated, cx.at)))) }
                    None => { "Never" span.cell-key { " rotated" } }
                }
            }
            td.c-state role="cell" { @if s.sealed { span.badge.ok { (icon(Icon::Lock)) "Sealed" } } @else { span.badge { "Can be revealed" } } }
            td.end.c-act role="cell" {
                div.row-act {
                    @if !s.sealed && cx.can(Permission::SecretsReveal) { a.btn.small href=(at("reveal")) data-dialog { "Reveal" span.vh { " " (name) } } }
                    @if update { a.btn.small href=(at("rotate")) data-dialog { "Rotate" span.vh { " " (name) } } }
                    @if update || delete {
                        button.btn.ghost.icon type="button" popovertarget={ "menu-" (id) } aria-label={ "More actions for " (name) } { (icon(Icon::Dots)) }
                        div.menu id={ "menu-" (id) } popover {
                            @if update && !s.sealed { a href=(at("seal")) data-dialog { "Seal for good…" } }
                            @if delete { a.danger href=(at("delete")) data-dialog { "Delete secret…" } }
                        }
                    }
                }
            }
        }
    }
}
