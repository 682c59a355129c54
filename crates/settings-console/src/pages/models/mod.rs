//! Models (seed A, Model integrations; seed B, Models and System Models): one kind of record, of a workspace or of the
//! platform. Their credentials are write-only.
mod change;
mod form;
mod list;
mod probe;
mod remove;
mod system;

use crate::{
    cx::{self, Cx},
    respond,
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, dialog},
};
use axum::Router;
use http::StatusCode;
use maud::Markup;
use settings_domain::{
    ids::WorkspaceId,
    models::{AuthType, CreatesModels, DeletesModels, ModelView, TestsModels, UpdatesModels},
    policy::{Mutation, Permit, actions},
    transaction::Snapshot,
};
use std::sync::Arc;

/// Whose models a page is about: the pages are the same, the rights and the tenant are not.
trait Owner: Send + Sync + 'static {
    type Create: CreatesModels;
    type Update: UpdatesModels;
    type Test: TestsModels;
    type Delete: DeletesModels;
    /// Address of the section, and of its list.
    const SECTION: &'static str;
    const LABEL: &'static str;
    /// One of them.
    const ONE: &'static str;
    /// Whether they are the platform's.
    const PLATFORM: bool;
}

/// The workspace.
struct Own;
impl Owner for Own {
    type Create = actions::CreateModel;
    type Update = actions::UpdateModel;
    type Test = actions::TestModel;
    type Delete = actions::DeleteModel;
    const SECTION: &'static str = "models";
    const LABEL: &'static str = "Models";
    const ONE: &'static str = "model";
    const PLATFORM: bool = false;
}

/// The platform.
struct Platform;
impl Owner for Platform {
    type Create = actions::CreateSystemModel;
    type Update = actions::UpdateSystemModel;
    type Test = actions::TestSystemModel;
    type Delete = actions::DeleteSystemModel;
    const SECTION: &'static str = "system-models";
    const LABEL: &'static str = "System models";
    const ONE: &'static str = "system model";
    const PLATFORM: bool = true;
}

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    let router = router
        .route("/{slug}/settings/models", cx::page(list::list))
        .route("/{slug}/settings/models/new", cx::page(change::new::<Own>).merge(cx::form(change::create::<Own>)))
        .route(
            "/{slug}/settings/models/{id}/edit",
            cx::page(change::edit::<Own>).merge(cx::form(change::update::<Own>)),
        )
        .route("/{slug}/settings/models/{id}/test", cx::page(probe::ask::<Own>).merge(cx::form(probe::test::<Own>)))
        .route(
            "/{slug}/settings/models/{id}/delete",
            cx::page(remove::ask::<Own>).merge(cx::form(remove::delete::<Own>)),
        );
    system::routes(router)
}

/// The right to change models of this owner, in the owner's tenant.
async fn permit<O: Owner, A: Mutation>(cx: &Cx) -> Result<Permit<A>, Stop> {
    if O::PLATFORM { Ok(cx.platform::<A>().await?.permit().clone()) } else { cx.permit::<A>() }
}

/// A view of the owner's models. What may not be changed by who looks is refused before.
async fn reads<O: Owner>(cx: &Cx) -> Result<Snapshot<actions::ListModels>, Stop> {
    if O::PLATFORM {
        cx.require::<actions::UpdateSystemModel>()?;
        cx.platform::<actions::ListModels>().await
    } else {
        cx.snapshot::<actions::ListModels>().await
    }
}

async fn one<O: Owner>(cx: &Cx) -> Result<ModelView, Stop> {
    let id = cx.id("id").ok_or(Stop::NotFound)?;
    reads::<O>(cx).await?.model(id).await?.ok_or(Stop::NotFound)
}

/// On whose behalf a URL is looked up.
fn tenant<O: Owner>(cx: &Cx) -> WorkspaceId {
    if O::PLATFORM { WorkspaceId::PLATFORM } else { cx.view.workspace.id }
}

/// A dialog of this owner's section.
fn shown<O: Owner>(cx: &Cx, title: &str, wide: bool, status: StatusCode, body: Markup) -> Answer {
    let (section, back_label) = (O::SECTION, O::LABEL);
    let d = Dialog { section, title, back: section, back_label, wide, guard_copy: false, body };
    respond::shown(status, dialog(cx, &d))
}

/// How a model is authenticated to, as people read it.
const fn auth_name(auth: AuthType) -> &'static str {
    match auth {
        AuthType::Token => "Token",
        AuthType::ClientKey => "Client key",
    }
}
