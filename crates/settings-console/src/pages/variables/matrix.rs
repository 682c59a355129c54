//! Variables and environments side by side: what is missing where, and where a value is another one.
use super::{LEAD, ROWS, SECTION, actions_of, compare_tab, read_only};
use crate::{
    cx::Cx,
    pages::in_environment::{environment_badge, environment_tabs},
    respond,
    stop::Answer,
    ui::{Icon, Page, empty, layout, pager, zero},
};
use maud::{Markup, html};
use settings_domain::{
    environments::Environment,
    policy::{Permission, actions},
    variables::{Cell, CellState, MatrixRow},
};

/// Whether environments disagree about it.
fn differs(row: &MatrixRow) -> bool {
    row.cells.iter().any(|c| c.state != CellState::Same)
}

pub(super) async fn show(cx: &Cx) -> Answer {
    let matrix = cx.snapshot::<actions::ListVariables>().await?.matrix().await?;
    let only = cx.query("only") == "differences";
    let rows: Vec<&MatrixRow> = matrix.rows.iter().filter(|r| !only || differs(r)).collect();
    let start = cx.query("from").parse::<usize>().unwrap_or(0).min(rows.len());
    let next = (start + ROWS < rows.len()).then(|| (start + ROWS).to_string());
    let page = rows.iter().skip(start).take(ROWS);
    let whole = cx.url("variables?view=compare");
    let body = html! {
        (read_only(cx).await)
        (environment_tabs(cx, SECTION, &matrix.environments, None, Some(compare_tab(cx, true))))
        @if matrix.rows.is_empty() {
            (empty(Icon::Braces, "Nothing to compare yet", "Here stands which variable is in which environment, and where its value is another one.", None))
        } @else {
            section.card aria-labelledby="h-compare" {
                div.card-head {
                    h2 id="h-compare" { @if only { "Differences " } @else { "Variables " } span.count { (rows.len()) } }
                    @if only { a.btn.small href=(whole) { "Show all" } }
                    @else { a.btn.small href={ (whole) "&only=differences" } { "Only differences" } }
                }
                @if rows.is_empty() {
                    (zero("No differences", "Every variable is in every environment, with the same value.", &whole))
                } @else {
                    div.scroll {
                        table.list.compare role="table" {
                            caption.vh { "Variables by environment" }
                            thead role="rowgroup" { tr role="row" {
                                th role="columnheader" scope="col" { "Name" }
                                @for e in &matrix.environments { th role="columnheader" scope="col" { (environment_badge(Some(e))) } }
                            } }
                            tbody role="rowgroup" { @for row in page { (line(cx, row, &matrix.environments)) } }
                        }
                    }
                }
                (pager("Pages of variables", &cx.url(SECTION), &[("view", "compare"), ("only", cx.query("only"))], "from", if start == 0 { "" } else { "more" }, next.as_deref()))
                p.card-foot { "Values are compared with production’s, or with the first environment that has the variable. None of them is read for it." }
            }
        }
    };
    let action = actions_of(cx, None);
    Cx::ok(layout(cx, Page { section: SECTION, title: "Variables", lead: LEAD, action, body, bare: false }))
}

fn line(cx: &Cx, row: &MatrixRow, environments: &[Environment]) -> Markup {
    let first = row.cells.iter().find(|c| c.variable.is_some()).map(|c| c.environment);
    html! {
        tr role="row" {
            th.c-name role="rowheader" scope="row" { span.name.mono { (row.name.as_str()) } }
            @for (cell, environment) in row.cells.iter().zip(environments) {
                td role="cell" {
                    span.cell-key { (environment.name.as_str()) }
                    (state(cx, row, cell, environment, first == Some(cell.environment)))
                }
            }
        }
    }
}

fn state(cx: &Cx, row: &MatrixRow, cell: &Cell, environment: &Environment, first: bool) -> Markup {
    let (class, text) = match cell.state {
        CellState::Missing => ("off", "Missing"),
        CellState::Same if first => ("ok", "Set"),
        CellState::Same => ("ok", "Same value"),
        CellState::Different => ("other", "Other value"),
    };
    let (name, place) = (row.name.as_str(), environment.name.as_str());
    html! {
        @match cell.variable {
            Some(id) if cx.can(Permission::VariablesUpdate) => {
                a.status.(class) href=(cx.url(&format!("variables/{id}/edit"))) data-dialog { (text) span.vh { ": edit " (name) " in " (place) } }
            }
            None if cx.can(Permission::VariablesCreate) => {
                @let query = respond::query(&[("env", place), ("name", name)]);
                a.status.(class) href={ (cx.url("variables/new")) (query) } data-dialog { (text) span.vh { ": add " (name) " to " (place) } }
            }
            _ => span.status.(class) { (text) }
        }
    }
}
