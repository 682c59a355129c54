//! `/api/variables` (seed B): write-only values of environments. No answer of this file has a member for a value.
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::{Input, Tenant},
    json::{Body, Fields},
    operation::{Operation, op},
    problem::{Fault, Problem},
};
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use settings_app::variables::{ChangeVariable, CreateVariable};
use settings_domain::{
    ids::{EnvironmentId, VariableId},
    policy::{Permit, actions},
    sealed::SecretValue,
    transaction::{Call, Snapshot},
    variables as domain,
    variables::{Entry, Planned, VariableName, parse_dotenv},
};
use std::sync::Arc;
use utoipa::ToSchema;

/// A variable, without its value: that is in no answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variable {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Unique in its environment.
    name: String,
    /// The environment, for ever.
    #[schema(format = Uuid)]
    environment_id: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC; when name or value last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&domain::Variable> for Variable {
    fn from(v: &domain::Variable) -> Self {
        Self {
            id: v.id.to_string(),
            name: v.name.to_string(),
            environment_id: v.environment.to_string(),
            created_at: rfc3339(v.created_at),
            updated_at: rfc3339(v.updated_at),
            version: v.version,
        }
    }
}

/// A variable to be kept.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewVariable {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    environment_id: EnvironmentId,
    /// A JavaScript identifier of ASCII letters, digits and underscores that is no reserved word.
    #[schema(value_type = String, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
    name: VariableName,
    /// Write-only; 1 to 65,536 bytes, kept byte for byte.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 65536)]
    value: SecretValue,
}

impl Body for NewVariable {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let (environment_id, name) = (f.required("environmentId"), f.required("name"));
        let value = f.required_secret("value");
        Some(Self { organization_id, environment_id: environment_id?, name: name?, value: value? })
    }
}

/// Fields to change; absent ones stay.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct VariableChange {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// May be repeated, never changed.
    #[schema(value_type = Option<String>, format = Uuid)]
    environment_id: Option<EnvironmentId>,
    /// New name.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
    name: Option<VariableName>,
    /// Write-only; the stored value stays where this is absent.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 65536)]
    value: Option<SecretValue>,
}

impl Body for VariableChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self {
            organization_id: f.optional("organizationId"),
            environment_id: f.optional("environmentId"),
            name: f.optional("name"),
            value: f.secret("value"),
        })
    }
}

/// A `.env` file for an environment.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct DotenvFile {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    environment_id: EnvironmentId,
    /// Write-only; lines of `NAME=value`. Nothing in it is expanded.
    #[schema(value_type = String, write_only)]
    content: SecretString,
}

impl Body for DotenvFile {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let environment_id = f.required("environmentId");
        let content = f.required_secret_text("content");
        Some(Self { organization_id, environment_id: environment_id?, content: content? })
    }
}

impl DotenvFile {
    fn entries(&self) -> Result<Vec<Entry>, Problem> {
        parse_dotenv(self.content.expose_secret()).map_err(|faults| {
            let fault = |f: domain::DotenvFault| Fault {
                pointer: "/content".to_owned(),
                detail: format!("line {}: {}", f.line, f.detail),
            };
            Problem::invalid(faults.into_iter().map(fault).collect())
        })
    }
}

/// What an import does, or would do. Values are compared by keyed digests and shown nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportPlan {
    /// Where.
    #[schema(format = Uuid)]
    environment_id: String,
    /// An entry for each line of the file.
    items: Vec<PlannedItem>,
}

/// One name of the file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlannedItem {
    /// The name.
    name: String,
    /// `added`, `changed` or `same`.
    change: &'static str,
}

impl ImportPlan {
    fn new(environment: EnvironmentId, planned: &[Planned]) -> Self {
        let item = |p: &Planned| PlannedItem { name: p.name.to_string(), change: p.change.name() };
        Self { environment_id: environment.to_string(), items: planned.iter().map(item).collect() }
    }
}

/// All variables in all environments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matrix {
    /// The columns: production first, then by age.
    environments: Vec<MatrixColumn>,
    /// The rows, by name.
    variables: Vec<MatrixRow>,
}

/// An environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatrixColumn {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Its name.
    name: String,
    /// `production`, `staging` or `development`.
    tier: &'static str,
}

/// One name in all environments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatrixRow {
    /// The name.
    name: String,
    /// A cell for each environment, in their order.
    cells: Vec<MatrixCell>,
}

/// One name in one environment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MatrixCell {
    /// The environment.
    #[schema(format = Uuid)]
    environment_id: String,
    /// The variable; null where it is missing.
    #[schema(format = Uuid)]
    variable_id: Option<String>,
    /// `missing`, or `same` or `different` compared with production, or with the first environment that has the name.
    state: &'static str,
}

impl From<domain::Matrix> for Matrix {
    fn from(m: domain::Matrix) -> Self {
        let column = |e: &settings_domain::environments::Environment| MatrixColumn {
            id: e.id.to_string(),
            name: e.name.to_string(),
            tier: e.tier.name(),
        };
        let cell = |c: &domain::Cell| MatrixCell {
            environment_id: c.environment.to_string(),
            variable_id: c.variable.map(|id| id.to_string()),
            state: c.state.name(),
        };
        let row =
            |r: &domain::MatrixRow| MatrixRow { name: r.name.to_string(), cells: r.cells.iter().map(cell).collect() };
        Self { environments: m.environments.iter().map(column).collect(), variables: m.rows.iter().map(row).collect() }
    }
}

const LIST: &[(&str, &str)] = &[
    ("organizationId", "The organization; needed where the caller has several"),
    ("environmentId", "Only variables of this environment"),
    ("limit", "Entries per page, 1 to 100; 50 where absent"),
    ("cursor", "Where to go on: `nextCursor` of the page before"),
];
const ORGANIZATION: &[(&str, &str)] = &[("organizationId", "The organization; needed where the caller has several")];
const OF_VARIABLE: &[(&str, &str)] = &[("organizationId", "The organization; told by the variable where absent")];

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "variables";
    vec![
        op(Method::GET, "/api/variables", "listVariables", T, "List variables; values are in no answer")
            .tenant(Tenant::Parameter)
            .query(LIST)
            .gives_list::<Variable>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(Method::POST, "/api/variables", "createVariable", T, "Keep a variable")
            .tenant(Tenant::Parameter)
            .query(ORGANIZATION)
            .takes::<NewVariable>()
            .gives::<Variable>(201)
            .problems(&["name-taken", "quota-reached", "idempotency-key-reused"])
            .write(create),
        op(
            Method::GET,
            "/api/variables/matrix",
            "compareVariables",
            T,
            "Which variable is where, and where its value is another one",
        )
        .tenant(Tenant::Parameter)
        .query(ORGANIZATION)
        .gives::<Matrix>(200)
        .read(matrix),
        op(
            Method::POST,
            "/api/variables/import/preview",
            "previewVariables",
            T,
            "Say what taking a .env file over would do; changes nothing",
        )
        .tenant(Tenant::Parameter)
        .query(ORGANIZATION)
        .takes::<DotenvFile>()
        .gives::<ImportPlan>(200)
        .read(preview),
        op(
            Method::POST,
            "/api/variables/import",
            "importVariables",
            T,
            "Take a .env file over: adds and changes, never deletes",
        )
        .tenant(Tenant::Parameter)
        .query(ORGANIZATION)
        .takes::<DotenvFile>()
        .gives::<ImportPlan>(200)
        .problems(&["quota-reached", "confirmation-required", "idempotency-key-reused"])
        .write(import),
        op(Method::GET, "/api/variables/{variableId}", "getVariable", T, "Read a variable; its value is in no answer")
            .tenant(Tenant::Variable)
            .query(OF_VARIABLE)
            .gives::<Variable>(200)
            .read(get),
        op(
            Method::PUT,
            "/api/variables/{variableId}",
            "updateVariable",
            T,
            "Rename a variable or give it another value; an absent value stays",
        )
        .tenant(Tenant::Variable)
        .query(OF_VARIABLE)
        .takes::<VariableChange>()
        .gives::<Variable>(200)
        .problems(&["name-taken", "immutable-field", "precondition-failed", "confirmation-required"])
        .write(update),
        op(Method::DELETE, "/api/variables/{variableId}", "deleteVariable", T, "Delete a variable")
            .tenant(Tenant::Variable)
            .query(OF_VARIABLE)
            .problems(&["precondition-failed", "confirmation-required"])
            .write(delete),
    ]
}

/// The environment that a list is narrowed to. What is no id names nothing: 404, as for an unknown one.
pub(crate) fn environment_filter(input: &Input) -> Result<Option<EnvironmentId>, Problem> {
    match input.query("environmentId")?.as_deref() {
        None => Ok(None),
        Some("") => Err(Problem::new("malformed-request", "The query parameter environmentId is empty.")),
        Some(text) => text.parse().map(Some).map_err(|_| Problem::plain("not-found")),
    }
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ListVariables>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["organizationId", "environmentId", "limit", "cursor"])?;
    let environment = environment_filter(&input)?;
    let context =
        format!("{}|{}", snapshot.permit().scope().workspace(), environment.map(|e| e.to_string()).unwrap_or_default());
    let after: Option<VariableId> = api.position(&input, &context, "variables")?;
    let page = input.page(after.map(VariableId::as_uuid))?;
    let there = snapshot.variables(environment, page).await?.ok_or_else(|| Problem::plain("not-found"))?;
    let list: List<Variable> =
        api.list(&input, &context, "variables", there, |v| v.id.as_uuid(), |v| Variable::from(&v))?;
    Ok(Answer::ok(&list))
}

async fn get(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ListVariables>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let there = snapshot.variable(input.id("variableId")?).await?.ok_or_else(|| Problem::plain("not-found"))?;
    Ok(Answer::ok(&Variable::from(&there)).version(there.version))
}

async fn matrix(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ListVariables>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["organizationId"])?;
    Ok(Answer::ok(&Matrix::from(snapshot.matrix().await?)))
}

async fn create(
    api: Arc<Api>,
    permit: Permit<actions::CreateVariable>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NewVariable { environment_id: environment, name, value, .. } = input.json()?;
    let done = api.app().create_variable(&permit, &call, CreateVariable { environment, name, value }).await?;
    Ok(Answer::created(&Variable::from(done.value())).version(done.value().version).replayed(done.is_replay()))
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateVariable>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: VariableId = input.id("variableId")?;
    let VariableChange { environment_id: environment, name, value, .. } = input.json()?;
    let done = api.app().update_variable(&permit, &call, id, ChangeVariable { environment, name, value }).await?;
    Ok(Answer::ok(&Variable::from(done.value())).version(done.value().version))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteVariable>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: VariableId = input.id("variableId")?;
    let () = input.json()?;
    api.app().delete_variable(&permit, &call, id).await?;
    Ok(Answer::nothing())
}

async fn preview(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::PreviewVariables>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let file: DotenvFile = input.json()?;
    let entries = file.entries()?;
    let planned = api.app().preview_variables(&mut snapshot, file.environment_id, &entries).await?;
    let planned = planned.ok_or_else(|| unknown_environment())?;
    Ok(Answer::ok(&ImportPlan::new(file.environment_id, &planned)).no_store())
}

fn unknown_environment() -> Problem {
    Problem::field("/environmentId", domain::VariableError::UnknownEnvironment.to_string())
}

async fn import(
    api: Arc<Api>,
    permit: Permit<actions::UpdateVariable>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let file: DotenvFile = input.json()?;
    let entries = file.entries()?;
    let done = api.app().import_variables(&permit, &call, file.environment_id, &entries).await?;
    Ok(Answer::ok(&ImportPlan::new(file.environment_id, done.value())).replayed(done.is_replay()))
}
