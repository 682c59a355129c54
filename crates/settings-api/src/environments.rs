//! `/workspace/environments` (seed A: the whole list) and `/api/environments` (seed B: one at a time).
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::{Input, Tenant},
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
    workspaces::PAGING,
};
use http::Method;
use serde::Serialize;
use settings_app::environments::WantedEnvironment;
use settings_domain::{
    environments as domain,
    environments::{MAX_ENVIRONMENTS, Tier},
    ids::EnvironmentId,
    policy::{Permit, actions},
    text::EnvironmentName,
    transaction::{Call, Snapshot},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// An environment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Unique in the workspace.
    name: String,
    /// `production`, `staging` or `development`.
    tier: &'static str,
    /// Whether it can't be dropped.
    protected: bool,
    /// How many variables it holds.
    variables: i64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&domain::EnvironmentView> for Environment {
    fn from(view: &domain::EnvironmentView) -> Self {
        let e = &view.environment;
        Self {
            id: e.id.to_string(),
            name: e.name.to_string(),
            tier: e.tier.name(),
            protected: e.is_protected(),
            variables: view.variables,
            created_at: rfc3339(e.created_at),
            updated_at: rfc3339(e.updated_at),
            version: e.version,
        }
    }
}

/// The whole wanted list.
#[derive(Debug, ToSchema)]
pub(crate) struct EnvironmentList {
    /// At most 50, production among them.
    #[schema(max_items = 50)]
    environments: Vec<WantedItem>,
}

/// An environment of the wanted list.
#[derive(Debug, ToSchema)]
pub(crate) struct WantedItem {
    /// Which one; by name where absent.
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<EnvironmentId>,
    /// 1 to 64 of `a-z 0-9 - _`.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    name: EnvironmentName,
    /// `production`, `staging` or `development`.
    #[schema(value_type = String)]
    tier: Tier,
    /// The version that was seen; a stale one is 412.
    version: Option<i64>,
}

impl Body for WantedItem {
    fn read(f: &mut Fields) -> Option<Self> {
        let id = f.optional("id");
        let (name, tier, version) = (f.required("name"), f.required("tier"), f.integer("version", 1..=i64::MAX));
        Some(Self { id, name: name?, tier: tier?, version })
    }
}

impl Body for EnvironmentList {
    fn read(f: &mut Fields) -> Option<Self> {
        let environments = f.list("environments", MAX_ENVIRONMENTS, |f, path, v| f.entry_object(&path, v))?;
        Some(Self { environments })
    }
}

/// An environment to add.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewEnvironment {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// 1 to 64 of `a-z 0-9 - _`.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_-]{0,63}$")]
    name: EnvironmentName,
    /// `staging` or `development`; production is always there.
    #[schema(value_type = String)]
    tier: Tier,
}

impl Body for NewEnvironment {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let (name, tier) = (f.required("name"), f.required("tier"));
        Some(Self { organization_id, name: name?, tier: tier? })
    }
}

/// Fields to change; absent ones stay.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct EnvironmentChange {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// New name.
    #[schema(value_type = Option<String>)]
    name: Option<EnvironmentName>,
    /// New tier.
    #[schema(value_type = Option<String>)]
    tier: Option<Tier>,
}

impl Body for EnvironmentChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self { organization_id: f.optional("organizationId"), name: f.optional("name"), tier: f.optional("tier") })
    }
}

const LIST: &[(&str, &str)] = &[
    ("organizationId", "The organization; needed where the caller has several"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];
const ORGANIZATION: &[(&str, &str)] = &[("organizationId", "The organization; needed where the caller has several")];
const RULES: &[&str] = &["production-protected", "name-taken", "precondition-failed", "confirmation-required"];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "environments";
    vec![
        op(Method::GET, "/workspace/environments", "listEnvironments", T, "List environments")
            .query(PAGING)
            .gives_list::<Environment>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(
            Method::PUT,
            "/workspace/environments",
            "replaceEnvironments",
            T,
            "Make the list of environments what it shall be",
        )
        .takes::<EnvironmentList>()
        .gives_list::<Environment>()
        .problems(RULES)
        .write(replace),
        op(Method::GET, "/api/environments", "listOrganizationEnvironments", T, "List environments")
            .tenant(Tenant::Parameter)
            .query(LIST)
            .gives_list::<Environment>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/api/environments", "createEnvironment", T, "Add an environment")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .takes::<NewEnvironment>()
            .gives::<Environment>(201)
            .problems(&["production-protected", "name-taken", "idempotency-key-reused"])
            .write(create),
        op(Method::GET, "/api/environments/{environmentId}", "getEnvironment", T, "Read an environment")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .gives::<Environment>(200)
            .read(get),
        op(Method::PUT, "/api/environments/{environmentId}", "updateEnvironment", T, "Change an environment")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .takes::<EnvironmentChange>()
            .gives::<Environment>(200)
            .problems(RULES)
            .write(update),
        op(Method::DELETE, "/api/environments/{environmentId}", "deleteEnvironment", T, "Drop an environment")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .problems(RULES)
            .write(delete),
    ]
}

fn all(list: &[domain::EnvironmentView]) -> List<Environment> {
    List { items: list.iter().map(Environment::from).collect(), next_cursor: None }
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListEnvironments>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["organizationId", "limit", "cursor"])?;
    let context = snapshot.permit().scope().workspace().to_string();
    let after: Option<EnvironmentId> = api.position(&input, &context, "environments")?;
    let mut there = snapshot.environments().await?;
    there.retain(|e| after.is_none_or(|after| e.id > after));
    there.sort_by_key(|e| e.id);
    let counts = snapshot.variable_counts().await?;
    let show = |e| Environment::from(&domain::EnvironmentView::new(e, &counts));
    let list: List<Environment> = api.list(&input, &context, "environments", there, |e| e.id.as_uuid(), show)?;
    Ok(Answer::ok(&list))
}

async fn get(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ListEnvironments>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: EnvironmentId = input.id("environmentId")?;
    let there = snapshot.environments().await?.into_iter().find(|e| e.id == id);
    let there = there.ok_or_else(|| Problem::plain("not-found"))?;
    let view = domain::EnvironmentView::new(there, &snapshot.variable_counts().await?);
    Ok(Answer::ok(&Environment::from(&view)).version(view.environment.version))
}

async fn replace(
    api: Arc<Api>,
    permit: Permit<actions::UpdateEnvironment>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let EnvironmentList { environments } = input.json()?;
    let wanted = environments
        .into_iter()
        .map(|e| WantedEnvironment { id: e.id, name: e.name, tier: e.tier, version: e.version })
        .collect();
    let done = api.app().replace_environments(&permit, &call, wanted).await?;
    Ok(Answer::ok(&all(done.value())))
}

async fn create(
    api: Arc<Api>,
    permit: Permit<actions::CreateEnvironment>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NewEnvironment { name, tier, .. } = input.json()?;
    let done =
        api.app().create_environment(&permit, &call, WantedEnvironment { id: None, name, tier, version: None }).await?;
    let version = done.value().environment.version;
    Ok(Answer::created(&Environment::from(done.value())).version(version).replayed(done.is_replay()))
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateEnvironment>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: EnvironmentId = input.id("environmentId")?;
    let EnvironmentChange { name, tier, .. } = input.json()?;
    let done = api.app().update_environment(&permit, &call, id, name, tier).await?;
    Ok(Answer::ok(&Environment::from(done.value())).version(done.value().environment.version))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteEnvironment>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: EnvironmentId = input.id("environmentId")?;
    let () = input.json()?;
    api.app().delete_environment(&permit, &call, id).await?;
    Ok(Answer::nothing())
}
