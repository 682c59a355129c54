//! Variables (seed B): values that scripts get, by environment. Write-only: no page holds one.
mod edit;
mod import;
mod matrix;

use super::{
    errors,
    in_environment::{self, environment_badge, environment_tabs},
};
use crate::{
    cx::{self, Cx},
    site::Site,
    stop::{Answer, Stop},
    ui::{Icon, Page, Tab, Tone, ask_admins, banner, empty, icon, layout, pager, used_by, when, zero},
};
use axum::Router;
use maud::{Markup, html};
use settings_domain::{
    environments::Environment,
    ids::EnvironmentId,
    policy::{Permission, actions},
    ports::store::Page as Part,
    references::Dependant,
    variables::{MAX_VARIABLES, Variable},
};
use std::sync::Arc;

const SECTION: &str = "variables";
const LEAD: &str = "Values that workflows get when they run. Written here, read by scripts, shown to nobody.";
/// Rows of a page.
const ROWS: usize = 25;
/// What is read at once.
const BATCH: i64 = 500;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/variables", cx::page(list))
        .route("/{slug}/settings/variables/new", cx::page(edit::new).merge(cx::form(edit::create)))
        .route("/{slug}/settings/variables/import", cx::page(import::new).merge(cx::form(import::run)))
        .route("/{slug}/settings/variables/{id}/edit", cx::page(edit::edit).merge(cx::form(edit::update)))
        .route("/{slug}/settings/variables/{id}/delete", cx::page(edit::ask).merge(cx::form(edit::delete)))
}

/// All variables of an environment, or of all, by name.
async fn load(cx: &Cx, environment: Option<EnvironmentId>) -> Result<Vec<Variable>, Stop> {
    let mut snapshot = cx.snapshot::<actions::ListVariables>().await?;
    let mut all: Vec<Variable> = Vec::new();
    for _ in 0..=MAX_VARIABLES / BATCH {
        let after = all.last().map(|v| v.id.as_uuid());
        let part = snapshot.variables(environment, Part { after, limit: BATCH }).await?.ok_or(Stop::NotFound)?;
        let full = i64::try_from(part.len()).unwrap_or(i64::MAX) == BATCH;
        all.extend(part);
        if !full {
            break;
        }
    }
    all.sort_by(|a, b| (&a.name, a.created_at).cmp(&(&b.name, b.created_at)));
    Ok(all)
}

fn compare_tab(cx: &Cx, current: bool) -> Tab<'static> {
    Tab { label: "Compare", href: cx.url("variables?view=compare"), current, locked: false }
}

async fn list(cx: Arc<Cx>) -> Answer {
    if cx.query("view") == "compare" {
        return matrix::show(&cx).await;
    }
    let environments = in_environment::all(&cx).await?;
    let environment = in_environment::asked(&cx, &environments);
    let all = load(&cx, environment.map(|e| e.id)).await?;
    let q = cx.query("q");
    let needle = q.to_lowercase();
    let shown: Vec<&Variable> = all.iter().filter(|v| v.name.as_str().to_lowercase().contains(&needle)).collect();
    let start = cx.query("from").parse::<usize>().unwrap_or(0).min(shown.len());
    let page: Vec<&Variable> = shown.iter().skip(start).take(ROWS).copied().collect();
    let next = (start + ROWS < shown.len()).then(|| (start + ROWS).to_string());
    let dependants = cx.snapshot::<actions::ListVariables>().await?.dependants(page.iter().map(|v| v.id)).await?;
    let name = environment.map_or("", |e| e.name.as_str());
    let mut unused = all.is_empty() && q.is_empty() && environment.is_none();
    // A list narrowed to an environment can be empty while others are not.
    unused &= environments.iter().any(Environment::is_protected);
    let body = html! {
        (read_only(&cx).await)
        @if unused {
            (empty(Icon::Braces, "Create your first variable", "A variable is a name and a value that scripts of one environment can read. Nobody reads it here again, not even you.", actions_of(&cx, environment)))
        } @else {
            (environment_tabs(&cx, SECTION, &environments, environment, Some(compare_tab(&cx, false))))
            section.card aria-labelledby="h-variables" {
                div.card-head {
                    h2 id="h-variables" { "Variables " @if q.is_empty() { span.count { (all.len()) } } }
                    (search(&cx, q, name))
                }
                div id="variable-list" data-one="variable" data-many="variables" {
                    @if shown.is_empty() && q.is_empty() {
                        div.empty.small { h3 { "No variables in " (name) " yet" } p { "Scripts that run there find none." } }
                    } @else if shown.is_empty() {
                        (zero("No variable matches", &format!("No name here has “{q}” in it."), &cx.url(&in_environment::list_of(SECTION, environment))))
                    } @else { (table(&cx, &page, &environments, &dependants)) }
                    (pager("Pages of variables", &cx.url(SECTION), &[("env", name), ("q", q)], "from", if start == 0 { "" } else { "more" }, next.as_deref()))
                }
            }
            (snippet(page.first().map_or("OPENAI_API_KEY", |v| v.name.as_str())))
        }
    };
    let action = if unused { None } else { actions_of(&cx, environment) };
    Cx::ok(layout(&cx, Page { section: SECTION, title: "Variables", lead: LEAD, action, body, bare: false }))
}

/// Says to whom the names are all there is.
async fn read_only(cx: &Cx) -> Markup {
    if cx.can(Permission::VariablesUpdate) {
        return html! {};
    }
    let admins = errors::admins(cx).await;
    banner(
        Tone::Info,
        &html! { p { "You can see which variables there are, but not change them. " (ask_admins(cx, &admins)) } },
    )
}

/// What there is to do on the page.
fn actions_of(cx: &Cx, environment: Option<&Environment>) -> Option<Markup> {
    let (create, import) = (cx.can(Permission::VariablesCreate), cx.can(Permission::VariablesUpdate));
    let at = |path: &str| cx.url(&in_environment::list_of(path, environment));
    (create || import).then(|| {
        html! {
            div.btns {
                @if import { a.btn href=(at("variables/import")) data-dialog { (icon(Icon::Import)) "Import .env" } }
                @if create { a.btn.primary href=(at("variables/new")) data-dialog { (icon(Icon::Plus)) "New variable" } }
            }
        }
    })
}

fn search(cx: &Cx, q: &str, environment: &str) -> Markup {
    html! {
        form.filters method="get" action=(cx.url(SECTION)) role="search" aria-label="Variables" data-live="#variable-list" {
            @if !environment.is_empty() { input type="hidden" name="env" value=(environment); }
            div.input-icon {
                (icon(Icon::Search))
                label.vh for="q" { "Search variables" }
                input id="q" name="q" type="search" value=(q) placeholder="Name…" maxlength="256" autocomplete="off" spellcheck="false";
            }
            button.btn.no-js type="submit" { "Apply" }
        }
    }
}

fn table(cx: &Cx, page: &[&Variable], environments: &[Environment], dependants: &[Dependant]) -> Markup {
    let (update, delete) = (cx.can(Permission::VariablesUpdate), cx.can(Permission::VariablesDelete));
    html! {
        table.list.values role="table" {
            caption.vh { "Variables, without their values" }
            thead role="rowgroup" { tr role="row" {
                th role="columnheader" scope="col" { "Name" }
                th role="columnheader" scope="col" { "Environment" }
                th role="columnheader" scope="col" { "Created" }
                th role="columnheader" scope="col" { "Modified" }
                @if update || delete { th.end role="columnheader" scope="col" { span.vh { "Actions" } } }
            } }
            tbody role="rowgroup" {
                @for v in page {
                    @let name = v.name.as_str();
                    @let uses: Vec<&Dependant> = dependants.iter().filter(|d| d.uses.id == v.id.as_uuid()).collect();
                    tr role="row" {
                        td.c-name role="cell" { div.name.mono { (name) } (used_by(v.id.as_uuid(), name, &uses)) }
                        td.c-env role="cell" { (environment_badge(in_environment::of(environments, v.environment))) }
                        td.c-date.muted role="cell" { span.cell-key { "Created " } (when(v.created_at, None)) }
                        td.c-date.muted role="cell" { span.cell-key { "Modified " } (when(v.updated_at, None)) }
                        @if update || delete {
                            td.end.c-act role="cell" { div.row-act {
                                @if update { a.btn.small href=(cx.url(&format!("variables/{}/edit", v.id))) data-dialog { "Edit" span.vh { " " (name) } } }
                                @if delete { a.btn.small.quiet-danger href=(cx.url(&format!("variables/{}/delete", v.id))) data-dialog { "Delete" span.vh { " " (name) } } }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// The three ways in which scripts read a variable (seed B, Using Variables in Scripts).
fn snippet(name: &str) -> Markup {
    html! {
        details.try {
            summary { "Use a variable in a script" }
            pre tabindex="0" aria-label="Three ways to read a variable" { code {
                "const value = " (name) ";\n"
                "const same = __variablesByName__['" (name) "'];\n"
                "for (const variable of __variables__) print(variable.name);"
            } }
        }
    }
}
