//! Models in both dialects (`/settings/model-integrations`, `/api/models`, `/api/system-models`); no answer has a credential.
//! All doors lead to the same handlers: a door says who may pass, what the body is like and what the answer shows.
mod bodies;
mod shapes;
mod system;

use crate::{
    Api,
    answer::{Answer, List},
    dispatch::limited,
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
    workspaces::PAGING,
};
use bodies::{Change, IntegrationChange, ModelChange, New, NewIntegration, NewModel};
use http::Method;
use serde::Serialize;
use settings_domain::{
    ids::ModelId,
    models::{CreatesModels, DeletesModels, ModelView, TestsModels, UpdatesModels},
    policy::{Permit, actions},
    transaction::{Call, Snapshot},
};
use shapes::{Model, Selectable, TestReport};
use std::sync::Arc;

const LIST: &[(&str, &str)] = &[
    ("organizationId", "The organization; needed where the caller has several"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];
const ORGANIZATION: &[(&str, &str)] = &[("organizationId", "The organization; needed where the caller has several")];
const OF_MODEL: &[(&str, &str)] = &[("organizationId", "The organization; told by the model where absent")];
const CREATION: &[&str] = &["quota-reached", "url-not-allowed", "idempotency-key-reused"];
const CHANGE: &[&str] = &["credential-required", "url-not-allowed", "precondition-failed"];
const DELETION: &[&str] = &["precondition-failed", "confirmation-required"];

pub(crate) fn operations() -> Vec<Operation> {
    let mut all = integrations();
    all.extend(models());
    all.extend(system::operations());
    all
}

/// Seed A.
fn integrations() -> Vec<Operation> {
    const T: &str = "model-integrations";
    const ONE: &str = "/settings/model-integrations/{modelIntegrationId}";
    vec![
        op(Method::GET, "/settings/model-integrations", "listModelIntegrations", T, "List model integrations")
            .query(PAGING)
            .gives_list::<Model>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/settings/model-integrations", "createModelIntegration", T, "Register a model integration")
            .takes::<NewIntegration>()
            .gives::<Model>(201)
            .problems(CREATION)
            .write(create::<actions::CreateModel, NewIntegration, Model>),
        op(Method::GET, ONE, "getModelIntegration", T, "Read a model integration").gives::<Model>(200).read(get),
        op(Method::PATCH, ONE, "updateModelIntegration", T, "Change a model integration; what is absent stays")
            .takes::<IntegrationChange>()
            .gives::<Model>(200)
            .problems(CHANGE)
            .write(update::<actions::UpdateModel, IntegrationChange, Model>),
        op(Method::DELETE, ONE, "deleteModelIntegration", T, "Delete a model integration")
            .problems(DELETION)
            .write(delete::<actions::DeleteModel>),
        op(
            Method::POST,
            "/settings/model-integrations/{modelIntegrationId}/test",
            "testModelIntegration",
            T,
            "Call the provider with the credential and say what came of it",
        )
        .gives::<TestReport>(200)
        .write(test::<actions::TestModel>),
    ]
}

/// Seed B.
fn models() -> Vec<Operation> {
    const T: &str = "models";
    vec![
        op(Method::GET, "/api/models", "listModels", T, "List models")
            .tenant(Tenant::Parameter)
            .query(LIST)
            .gives_list::<Model>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/api/models", "createModel", T, "Register a model")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .takes::<NewModel>()
            .gives::<Model>(201)
            .problems(CREATION)
            .write(create::<actions::CreateModel, NewModel, Model>),
        op(
            Method::GET,
            "/api/models/selectable",
            "listSelectableModels",
            T,
            "The models to choose from: the organization's own and visible system models",
        )
        .tenant(Tenant::Parameter)
        .query(ORGANIZATION)
        .gives::<Selectable>(200)
        .read(selectable),
        op(Method::GET, "/api/models/{modelId}", "getModel", T, "Read a model")
            .tenant(Tenant::Model)
            .query(OF_MODEL)
            .gives::<Model>(200)
            .read(get),
        op(
            Method::PUT,
            "/api/models/{modelId}",
            "updateModel",
            T,
            "Change a model; what is absent stays, the credential too",
        )
        .tenant(Tenant::Model)
        .query(OF_MODEL)
        .takes::<ModelChange>()
        .gives::<Model>(200)
        .problems(CHANGE)
        .write(update::<actions::UpdateModel, ModelChange, Model>),
        op(Method::DELETE, "/api/models/{modelId}", "deleteModel", T, "Delete a model")
            .tenant(Tenant::Model)
            .query(OF_MODEL)
            .problems(DELETION)
            .write(delete::<actions::DeleteModel>),
        op(
            Method::POST,
            "/api/models/{modelId}/test",
            "testModel",
            T,
            "Call the provider with the credential and say what came of it",
        )
        .tenant(Tenant::Model)
        .query(OF_MODEL)
        .gives::<TestReport>(200)
        .write(test::<actions::TestModel>),
    ]
}

/// The model that the path names, in either dialect.
fn model_id(input: &Input) -> Result<ModelId, Problem> {
    let name = if input.param("modelId").is_empty() { "modelIntegrationId" } else { "modelId" };
    input.id(name)
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListModels>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["organizationId", "limit", "cursor"])?;
    let context = snapshot.permit().scope().workspace().to_string();
    let after: Option<ModelId> = api.position(&input, &context, "models")?;
    let there = snapshot.models(input.page(after.map(ModelId::as_uuid))?).await?;
    let list: List<Model> =
        api.list(&input, &context, "models", there, |v| v.model.id.as_uuid(), |v| Model::from(&v))?;
    Ok(Answer::ok(&list))
}

async fn get(_: Arc<Api>, mut snapshot: Snapshot<actions::ListModels>, input: Arc<Input>) -> Result<Answer, Problem> {
    let there = snapshot.model(model_id(&input)?).await?.ok_or_else(|| Problem::plain("not-found"))?;
    Ok(Answer::ok(&Model::from(&there)).version(there.model.version))
}

async fn selectable(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::PickModel>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["organizationId"])?;
    Ok(Answer::ok(&Selectable::from(snapshot.selectable().await?)))
}

async fn create<A, B, V>(api: Arc<Api>, permit: Permit<A>, call: Call, input: Arc<Input>) -> Result<Answer, Problem>
where
    A: CreatesModels,
    B: New,
    V: for<'a> From<&'a ModelView> + Serialize,
{
    let new: B = input.json()?;
    let new = new.vet(&api, permit.scope().workspace()).await?;
    let done = api.app().create_model(&permit, &call, new).await?;
    let view = ModelView { model: done.value().clone(), last_used_at: None };
    Ok(Answer::created(&V::from(&view)).version(view.model.version).replayed(done.is_replay()))
}

async fn update<A, B, V>(api: Arc<Api>, permit: Permit<A>, call: Call, input: Arc<Input>) -> Result<Answer, Problem>
where
    A: UpdatesModels,
    B: Change,
    V: for<'a> From<&'a ModelView> + Serialize,
{
    let id = model_id(&input)?;
    let change: B = input.json()?;
    let change = change.vet(&api, permit.scope().workspace()).await?;
    let done = api.app().update_model(&permit, &call, id, change).await?;
    let view = ModelView { model: done.value().clone(), last_used_at: None };
    Ok(Answer::ok(&V::from(&view)).version(view.model.version))
}

async fn delete<A: DeletesModels>(
    api: Arc<Api>,
    permit: Permit<A>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id = model_id(&input)?;
    let () = input.json()?;
    api.app().delete_model(&permit, &call, id).await?;
    Ok(Answer::nothing())
}

async fn test<A: TestsModels>(
    api: Arc<Api>,
    permit: Permit<A>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id = model_id(&input)?;
    let () = input.json()?;
    if let Some(limits) = api.limits() {
        limits.probe(permit.scope().workspace().as_uuid()).map_err(limited)?;
    }
    let report = api.app().test_model(&permit, &call, id).await?;
    Ok(Answer::ok(&TestReport::from(report)).no_store())
}
