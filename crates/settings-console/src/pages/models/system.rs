//! System models (seed B), for the platform's owners: every workspace may choose the visible ones.
use super::{
    Owner as _, Platform, change,
    list::{first_cells, row_actions},
    one, permit, probe, reads, remove,
};
use crate::{
    cx::{self, Cx},
    refusal::Refusal,
    site::Site,
    stop::Answer,
    ui::{Icon, Page, empty, icon, layout},
};
use axum::Router;
use maud::{Markup, html};
use settings_app::models::ChangeModel;
use settings_domain::{
    models::{MAX_MODELS, ModelView},
    policy::actions,
    ports::store::Page as Part,
};
use std::sync::Arc;

pub(super) fn routes(router: Router<Arc<Site>>) -> Router<Arc<Site>> {
    type P = Platform;
    router
        .route("/{slug}/settings/system-models", cx::page(list))
        .route("/{slug}/settings/system-models/new", cx::page(change::new::<P>).merge(cx::form(change::create::<P>)))
        .route(
            "/{slug}/settings/system-models/{id}/edit",
            cx::page(change::edit::<P>).merge(cx::form(change::update::<P>)),
        )
        .route("/{slug}/settings/system-models/{id}/test", cx::page(probe::ask::<P>).merge(cx::form(probe::test::<P>)))
        .route("/{slug}/settings/system-models/{id}/visibility", cx::form(set_visibility))
        .route(
            "/{slug}/settings/system-models/{id}/delete",
            cx::page(remove::ask::<P>).merge(cx::form(remove::delete::<P>)),
        )
}

async fn list(cx: Arc<Cx>) -> Answer {
    let mut models = reads::<Platform>(&cx).await?.models(Part { after: None, limit: MAX_MODELS }).await?;
    models.sort_by_key(|v| v.model.name.as_str().to_lowercase());
    let new = cx.url("system-models/new");
    let button = || html! { a.btn.primary href=(new) data-dialog { (icon(Icon::Plus)) "New system model" } };
    let body = html! {
        @if models.is_empty() {
            (empty(Icon::Globe, "Register the first system model", "Every workspace can choose it, and none of them sees its credential.", Some(button())))
        } @else {
            section.card aria-labelledby="h-system" {
                div.card-head { h2 id="h-system" { "System models " span.count { (models.len()) } } p.muted { "For every workspace of this platform" } }
                table.list.models role="table" {
                    caption.vh { "System models, without their credentials" }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { "Name" }
                        th role="columnheader" scope="col" { "Model URL" }
                        th role="columnheader" scope="col" { "Auth" }
                        th role="columnheader" scope="col" { "Visible" }
                        th.end role="columnheader" scope="col" { span.vh { "Actions" } }
                    } }
                    tbody role="rowgroup" { @for v in &models { tr role="row" {
                        (first_cells(v, &[]))
                        td.c-state role="cell" { (switch(&cx, v)) }
                        td.end.c-act role="cell" { (row_actions(&cx, Platform::SECTION, v, true, true)) }
                    } } }
                }
                p.card-foot { "A hidden model can’t be chosen any more. Hiding keeps existing prompts working." }
            }
        }
    };
    let action = (!models.is_empty()).then(button);
    let lead = "AI providers that the platform offers to every workspace.";
    Cx::ok(layout(&cx, Page { section: Platform::SECTION, title: Platform::LABEL, lead, action, body, bare: false }))
}

/// A real switch: it saves at once.
fn switch(cx: &Cx, v: &ModelView) -> Markup {
    let m = &v.model;
    html! {
        form method="post" action=(cx.url(&format!("system-models/{}/visibility", m.id))) {
            input type="hidden" name="version" value=(m.version);
            button.switch type="submit" role="switch" aria-checked=(m.visible) name="visible" value=(!m.visible) aria-label={ "Visible: " (m.name.as_str()) } {
                span aria-hidden="true" { @if m.visible { "Visible" } @else { "Hidden" } }
            }
        }
    }
}

async fn set_visibility(cx: Arc<Cx>) -> Answer {
    let permit = permit::<Platform, actions::UpdateSystemModel>(&cx).await?;
    let there = one::<Platform>(&cx).await?.model;
    let visible = cx.field("visible") == "true";
    let change = ChangeModel { visible: Some(visible), ..ChangeModel::default() };
    let name = there.name.as_str();
    match cx.site().app().update_model(&permit, &cx.call(), there.id, change).await {
        Ok(_) if visible => cx.done(Platform::SECTION, &format!("“{name}” is visible to every workspace.")),
        Ok(_) => cx.done(Platform::SECTION, &format!("“{name}” is hidden. Prompts that use it keep working.")),
        Err(failure) => {
            let rule = Refusal::of(failure)?.or_changed("model")?;
            cx.done(Platform::SECTION, &rule.text)
        }
    }
}
