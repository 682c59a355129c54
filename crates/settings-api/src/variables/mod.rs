//! `/api/variables` (seed B): write-only values of environments. No answer of this file has a member for a value.
mod shapes;

use crate::{
    Api,
    answer::{Answer, List},
    input::{Input, Tenant},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use settings_app::variables::{ChangeVariable, CreateVariable};
use settings_domain::{
    ids::{EnvironmentId, VariableId},
    policy::{Permit, actions},
    transaction::{Call, Snapshot},
    variables as domain,
};
use shapes::{DotenvFile, ImportPlan, Matrix, NewVariable, Variable, VariableChange};
use std::sync::Arc;

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
    let planned = planned.ok_or_else(unknown_environment)?;
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
