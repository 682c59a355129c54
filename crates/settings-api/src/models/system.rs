//! `/api/system-models`: models of the platform, for every organization.
use super::{
    CHANGE, CREATION, DELETION,
    bodies::{ModelChange, NewModel, Visibility},
    create, delete,
    shapes::{SystemModel, TestReport},
    test, update,
};
use crate::{
    Api,
    answer::{Answer, List},
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
    workspaces::PAGING,
};
use http::Method;
use settings_app::authenticate::Authenticated;
use settings_domain::{
    ids::ModelId,
    models::ModelView,
    policy::{Permission, actions},
    ports::store::{Page, Selector},
    transaction::{Caller, Snapshot},
};
use std::sync::Arc;

pub(super) fn operations() -> Vec<Operation> {
    const T: &str = "system-models";
    const ONE: &str = "/api/system-models/{modelId}";
    vec![
        op(
            Method::GET,
            "/api/system-models",
            "listSystemModels",
            T,
            "List system models: the platform sees all, admins of organizations the visible ones",
        )
        .query(PAGING)
        .gives_list::<SystemModel>()
        .problems(&["invalid-cursor"])
        .own::<actions::ListModels, _, _>(list),
        op(Method::POST, "/api/system-models", "createSystemModel", T, "Register a model for every organization")
            .takes::<NewModel>()
            .gives::<SystemModel>(201)
            .problems(CREATION)
            .platform(create::<actions::CreateSystemModel, NewModel, SystemModel>),
        op(Method::PUT, ONE, "updateSystemModel", T, "Change a system model; what is absent stays, the credential too")
            .takes::<ModelChange>()
            .gives::<SystemModel>(200)
            .problems(CHANGE)
            .platform(update::<actions::UpdateSystemModel, ModelChange, SystemModel>),
        op(Method::DELETE, ONE, "deleteSystemModel", T, "Delete a system model")
            .problems(DELETION)
            .platform(delete::<actions::DeleteSystemModel>),
        op(
            Method::PUT,
            "/api/system-models/{modelId}/visibility",
            "setSystemModelVisibility",
            T,
            "Show or hide a system model; a hidden one stays where it is used",
        )
        .takes::<Visibility>()
        .gives::<SystemModel>(200)
        .problems(&["precondition-failed"])
        .platform(update::<actions::UpdateSystemModel, Visibility, SystemModel>),
        op(
            Method::POST,
            "/api/system-models/{modelId}/test",
            "testSystemModel",
            T,
            "Call the provider with the credential and say what came of it",
        )
        .gives::<TestReport>(200)
        .platform(test::<actions::TestSystemModel>),
    ]
}

async fn list(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    input.only(&["limit", "cursor"])?;
    let platform = auth.caller.is_platform();
    let context = format!("system|{platform}");
    let after: Option<ModelId> = api.position(&input, &context, "system-models")?;
    let page = input.page(after.map(ModelId::as_uuid))?;
    let there = if platform {
        api.enter::<actions::ListModels>(&auth, &Selector::Platform).await?.models(page).await?
    } else {
        visible(&mut somewhere(&api, &auth, &input).await?, page).await?
    };
    let list: List<SystemModel> =
        api.list(&input, &context, "system-models", there, |v| v.model.id.as_uuid(), |v| SystemModel::from(&v))?;
    Ok(Answer::ok(&list))
}

async fn visible(snapshot: &mut Snapshot<actions::ListModels>, page: Page) -> Result<Vec<ModelView>, Problem> {
    let mut there = snapshot.visible_system_models().await?;
    there.retain(|v| page.after.is_none_or(|after| v.model.id.as_uuid() > after));
    there.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(there)
}

/// A workspace where the caller may read models: the one that the call names, else any of their own.
async fn somewhere(api: &Api, auth: &Authenticated, input: &Input) -> Result<Snapshot<actions::ListModels>, Problem> {
    let named = input.selector(Tenant::Path)?;
    let Caller::User { id, .. } = &auth.caller else { return api.enter(auth, &named).await };
    if named != Selector::Own {
        return api.enter(auth, &named).await;
    }
    let own = api.app().ports().store.of(*id, Page { after: None, limit: 100 }).await?;
    let admin = own.iter().find(|w| w.role.permissions().contains(Permission::ModelsRead));
    match admin {
        Some(workspace) => api.enter(auth, &Selector::Id(workspace.view.workspace.id)).await,
        None => Err(Problem::lacking(Permission::ModelsRead, &auth.caller)),
    }
}
