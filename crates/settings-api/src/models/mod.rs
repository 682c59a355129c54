//! Models in both dialects (`/settings/model-integrations`, `/api/models`, `/api/system-models`); no answer has a credential.
mod bodies;
mod system;

use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    dispatch::limited,
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
    workspaces::PAGING,
};
use bodies::{IntegrationChange, ModelChange, NewIntegration, NewModel};
use http::Method;
use serde::Serialize;
use settings_app::models::{ChangeModel, CreateModel};
use settings_domain::{
    ids::ModelId,
    models as domain,
    models::{AuthType, ModelError, ModelView, TestsModels},
    policy::{Permit, actions},
    ports::probe::ProbeReport,
    transaction::{Call, Snapshot},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// A model, without its credential.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the HTTP contract")]
pub(crate) struct Model {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// `anthropic`, `openai`, `google`, `azure_openai`, `aws_bedrock` or `custom`.
    provider: &'static str,
    /// Name for people.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Where it is called.
    model_url: String,
    /// `Token` or `Client Key`.
    auth_type: &'static str,
    /// Whether a token is stored.
    has_token: bool,
    /// Whether a client key and its secret are stored.
    has_client_key: bool,
    /// Whether it is the platform's.
    system: bool,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// RFC 3339, UTC; null before the credential was first used.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&ModelView> for Model {
    fn from(v: &ModelView) -> Self {
        let m = &v.model;
        Self {
            id: m.id.to_string(),
            provider: m.provider.name(),
            name: m.name.to_string(),
            description: m.description.as_ref().map(ToString::to_string),
            model_url: m.url.clone(),
            auth_type: match m.auth {
                AuthType::Token => "Token",
                AuthType::ClientKey => "Client Key",
            },
            has_token: m.auth == AuthType::Token,
            has_client_key: m.auth == AuthType::ClientKey,
            system: m.is_system(),
            created_at: rfc3339(m.created_at),
            updated_at: rfc3339(m.updated_at),
            last_used_at: v.last_used_at.map(rfc3339),
            version: m.version,
        }
    }
}

/// A model to choose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SelectableModel {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Name for people.
    name: String,
    /// Who serves it.
    provider: &'static str,
    /// Whether it is the platform's.
    system: bool,
}

/// What there is to choose from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selectable {
    /// Models of the organization, then visible system models.
    items: Vec<SelectableModel>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

/// What came of a test. Nothing of the provider's answer is in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestReport {
    /// Whether all is well as far as can be told.
    ok: bool,
    /// Whether anything answered in HTTP.
    reachable: bool,
    /// Whether the credential was accepted; null where that can't be told.
    authenticated: Option<bool>,
    /// The provider's status.
    status: Option<u16>,
    /// How long it took.
    took_ms: i64,
    /// What is wrong and what to do, in one sentence.
    detail: String,
}

impl From<ProbeReport> for TestReport {
    fn from(r: ProbeReport) -> Self {
        Self {
            ok: r.reachable && r.authenticated != Some(false),
            reachable: r.reachable,
            authenticated: r.authenticated,
            status: r.status,
            took_ms: r.took_ms,
            detail: r.detail,
        }
    }
}

const LIST: &[(&str, &str)] = &[
    ("organizationId", "The organization; needed where the caller has several"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];
const ORGANIZATION: &[(&str, &str)] = &[("organizationId", "The organization; needed where the caller has several")];
const OF_MODEL: &[(&str, &str)] = &[("organizationId", "The organization; told by the model where absent")];
/// Where a body names the URL of a model.
const MODEL_URL: &str = "/modelUrl";
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
            .write(create_integration),
        op(Method::GET, ONE, "getModelIntegration", T, "Read a model integration").gives::<Model>(200).read(get),
        op(Method::PATCH, ONE, "updateModelIntegration", T, "Change a model integration; what is absent stays")
            .takes::<IntegrationChange>()
            .gives::<Model>(200)
            .problems(CHANGE)
            .write(update_integration),
        op(Method::DELETE, ONE, "deleteModelIntegration", T, "Delete a model integration")
            .problems(DELETION)
            .write(delete),
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
            .write(create_model),
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
        .write(update_model),
        op(Method::DELETE, "/api/models/{modelId}", "deleteModel", T, "Delete a model")
            .tenant(Tenant::Model)
            .query(OF_MODEL)
            .problems(DELETION)
            .write(delete),
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

/// A model as it was just committed.
fn shown(model: &domain::Model) -> Model {
    Model::from(&ModelView { model: model.clone(), last_used_at: None })
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
    let item = |m: &domain::Model| SelectableModel {
        id: m.id.to_string(),
        name: m.name.to_string(),
        provider: m.provider.name(),
        system: m.is_system(),
    };
    let items = snapshot.selectable().await?.iter().map(item).collect();
    Ok(Answer::ok(&Selectable { items, next_cursor: None }))
}

async fn create_integration(
    api: Arc<Api>,
    permit: Permit<actions::CreateModel>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NewIntegration { provider, name, description, model_url, credential } = input.json()?;
    let url = model_url.or_else(|| provider.default_url().map(str::to_owned));
    let url = url.ok_or_else(|| Problem::field("/modelUrl", ModelError::UrlRequired.to_string()))?;
    let url = api.vetted(&url, permit.scope().workspace(), MODEL_URL).await?;
    let new = CreateModel { provider: Some(provider), name, description, url, credential };
    let done = api.app().create_model(&permit, &call, new).await?;
    Ok(Answer::created(&shown(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn update_integration(
    api: Arc<Api>,
    permit: Permit<actions::UpdateModel>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id = model_id(&input)?;
    let IntegrationChange { provider, name, description, model_url, credential } = input.json()?;
    let url = match model_url {
        Some(url) => Some(api.vetted(&url, permit.scope().workspace(), MODEL_URL).await?),
        None => None,
    };
    let change = ChangeModel { provider, name, description, url, credential, visible: None };
    let done = api.app().update_model(&permit, &call, id, change).await?;
    Ok(Answer::ok(&shown(done.value())).version(done.value().version))
}

async fn create_model(
    api: Arc<Api>,
    permit: Permit<actions::CreateModel>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let new: NewModel = input.json()?;
    let new = new.vet(&api, permit.scope().workspace()).await?;
    let done = api.app().create_model(&permit, &call, new).await?;
    Ok(Answer::created(&shown(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn update_model(
    api: Arc<Api>,
    permit: Permit<actions::UpdateModel>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id = model_id(&input)?;
    let change: ModelChange = input.json()?;
    let change = change.vet(&api, permit.scope().workspace()).await?;
    let done = api.app().update_model(&permit, &call, id, change).await?;
    Ok(Answer::ok(&shown(done.value())).version(done.value().version))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteModel>,
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
