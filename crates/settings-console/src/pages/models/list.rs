//! The models of a workspace, and those that the platform offers it.
use super::auth_name;
use crate::{
    cx::Cx,
    stop::Answer,
    ui::{Icon, Page, ago, empty, icon, layout, used_by, when},
};
use maud::{Markup, html};
use settings_domain::{
    models::{MAX_MODELS, ModelView},
    policy::{Permission, actions},
    ports::store::Page as Part,
    references::Dependant,
};
use std::sync::Arc;

pub(super) async fn list(cx: Arc<Cx>) -> Answer {
    let mut snapshot = cx.snapshot::<actions::ListModels>().await?;
    let mut own = snapshot.models(Part { after: None, limit: MAX_MODELS }).await?;
    let mut system = snapshot.visible_system_models().await?;
    let ids: Vec<_> = own.iter().chain(&system).map(|v| v.model.id).collect();
    let dependants = snapshot.dependants(ids).await?;
    drop(snapshot);
    for models in [&mut own, &mut system] {
        models.sort_by_key(|v| v.model.name.as_str().to_lowercase());
    }
    let create = cx.can(Permission::ModelsCreate);
    let button = || html! { a.btn.primary href=(cx.url("models/new")) data-dialog { (icon(Icon::Plus)) "New model" } };
    let body = html! {
        @if own.is_empty() {
            (empty(Icon::Cpu, "Register your first model", "A model is an AI provider’s address with a credential. Prompts and agents choose it by name, so a new credential is entered in one place.", create.then(button)))
        } @else {
            section.card aria-labelledby="h-models" {
                div.card-head { h2 id="h-models" { "Models of this workspace " span.count { (own.len()) } } }
                table.list.models role="table" {
                    caption.vh { "Models of this workspace, without their credentials" }
                    (head("Created"))
                    tbody role="rowgroup" { @for v in &own { (row(&cx, v, &dependants)) } }
                }
            }
        }
        @if !system.is_empty() {
            section.card aria-labelledby="h-system" {
                div.card-head { h2 id="h-system" { "System models " span.count { (system.len()) } } p.muted { "Managed by the platform" } }
                table.list.models role="table" {
                    caption.vh { "System models, which every workspace may choose" }
                    (head("Visibility"))
                    tbody role="rowgroup" { @for v in &system { (offered(v, &dependants)) } }
                }
                p.card-foot { "The platform keeps their credentials. Prompts choose them like your own." }
            }
        }
    };
    let action = (create && !own.is_empty()).then(button);
    let lead = "AI providers that prompts and agents can use. Their credentials are kept here and shown to nobody.";
    Cx::ok(layout(&cx, Page { section: "models", title: "Models", lead, action, body, bare: false }))
}

fn head(fourth: &str) -> Markup {
    html! {
        thead role="rowgroup" { tr role="row" {
            th role="columnheader" scope="col" { "Name" }
            th role="columnheader" scope="col" { "Model URL" }
            th role="columnheader" scope="col" { "Auth" }
            th role="columnheader" scope="col" { (fourth) }
            th.end role="columnheader" scope="col" { span.vh { "Actions" } }
        } }
    }
}

/// What every table of models begins with.
pub(super) fn first_cells(v: &ModelView, dependants: &[Dependant]) -> Markup {
    let m = &v.model;
    let name = m.name.as_str();
    let uses: Vec<&Dependant> = dependants.iter().filter(|d| d.uses.id == m.id.as_uuid()).collect();
    html! {
        td.c-name role="cell" {
            div.name { bdi { (name) } }
            div.sub { (m.provider.display_name()) @if let Some(text) = &m.description { " · " bdi { (text.as_str()) } } }
            (used_by(m.id.as_uuid(), name, &uses))
        }
        td.c-url role="cell" { span.mono { (m.url) } }
        td.c-auth role="cell" { span.cell-key { "Authenticated by " } (auth_name(m.auth)) }
    }
}

fn row(cx: &Cx, v: &ModelView, dependants: &[Dependant]) -> Markup {
    let m = &v.model;
    html! {
        tr role="row" {
            (first_cells(v, dependants))
            td.c-date role="cell" {
                span.cell-key { "Created " } (when(m.created_at, None))
                div.sub { @match v.last_used_at { Some(at) => { "Used " (when(at, Some(ago(at, cx.at)))) }, None => { "Not used yet" } } }
            }
            td.end.c-act role="cell" { (row_actions(cx, "models", v, cx.can(Permission::ModelsUpdate), cx.can(Permission::ModelsDelete))) }
        }
    }
}

/// Test, edit, delete.
pub(super) fn row_actions(cx: &Cx, section: &str, v: &ModelView, update: bool, delete: bool) -> Markup {
    let (name, id) = (v.model.name.as_str(), v.model.id);
    let at = |verb: &str| cx.url(&format!("{section}/{id}/{verb}"));
    html! {
        div.row-act {
            @if update {
                a.btn.small href=(at("test")) data-dialog { "Test" span.vh { " " (name) } }
                a.btn.small href=(at("edit")) data-dialog { "Edit" span.vh { " " (name) } }
            }
            @if delete { a.btn.small.quiet-danger href=(at("delete")) data-dialog { "Delete" span.vh { " " (name) } } }
        }
    }
}

fn offered(v: &ModelView, dependants: &[Dependant]) -> Markup {
    html! {
        tr role="row" {
            (first_cells(v, dependants))
            td.c-state role="cell" { span.badge.ok { "Visible" } }
            td.end.c-act role="cell" { span.badge { "System" } }
        }
    }
}
