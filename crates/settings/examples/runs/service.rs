//! Runs of workflows, in memory. What matters here is who may start one, what it gets to see, and who hears that it failed.
use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::Serialize;
use settings::{
    Caller, Event, EventType, Refusal, Settings,
    actions::PublishEvent,
    crates::{
        api::problem::Problem,
        domain::ids::{EnvironmentId, WorkspaceId},
        runtime::resolve::ResolveError,
    },
    rights::{RunsRead, RunsWrite},
};
use std::sync::{Arc, Mutex, PoisonError};

/// A run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// Its number.
    pub id: usize,
    /// The names of the variables that it sees. Their values are its own.
    pub variables: Vec<String>,
    /// Whose it is.
    #[serde(skip)]
    workspace: WorkspaceId,
}

/// What the handlers share.
#[derive(Clone)]
struct Service {
    settings: Settings,
    runs: Arc<Mutex<Vec<Run>>>,
}

/// Where `Caller` finds the settings service.
impl FromRef<Service> for Settings {
    fn from_ref(service: &Service) -> Self {
        service.settings.clone()
    }
}

/// The service.
pub(crate) fn router(settings: Settings) -> Router {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/in/{environment}", post(start))
        .route("/runs/{run}/failed", post(failed))
        .with_state(Service { settings, runs: Arc::default() })
}

/// Needs `runs:read`.
async fn list(caller: Caller<RunsRead>, State(service): State<Service>) -> Json<Vec<Run>> {
    let runs = service.runs.lock().unwrap_or_else(PoisonError::into_inner);
    Json(runs.iter().filter(|run| run.workspace == caller.workspace()).cloned().collect())
}

/// Needs `runs:write`. The variables of the environment go to the run, and their names to the caller.
async fn start(
    caller: Caller<RunsWrite>,
    State(Service { settings, runs }): State<Service>,
    Path(environment): Path<String>,
) -> Result<(StatusCode, Json<Run>), Refusal> {
    let not_found = || caller.refuse(Problem::plain("not-found"));
    let environment: EnvironmentId = environment.parse().map_err(|_| not_found())?;
    let variables = match settings.resolver(caller.permit()).variables(environment).await {
        Ok(variables) => variables,
        Err(ResolveError::UnknownEnvironment) => return Err(not_found()),
        Err(_) => return Err(caller.refuse(Problem::unavailable())),
    };
    let names = variables.iter().map(|v| v.name.to_string()).collect();
    let mut runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    let run = Run { id: runs.len() + 1, variables: names, workspace: caller.workspace() };
    runs.push(run.clone());
    Ok((StatusCode::CREATED, Json(run)))
}

/// Needs `events:publish`, for a key by the scope `runs:write`. Told once, however often it is reported.
async fn failed(
    caller: Caller<PublishEvent>,
    State(Service { settings, runs }): State<Service>,
    Path(run): Path<usize>,
) -> Result<StatusCode, Refusal> {
    let own = |r: &Run| r.id == run && r.workspace == caller.workspace();
    if !runs.lock().unwrap_or_else(PoisonError::into_inner).iter().any(own) {
        return Err(caller.refuse(Problem::plain("not-found")));
    }
    let event = Event::new(EventType::RunFailed, "/runs", &run.to_string())
        .map_err(|e| caller.refuse(Problem::new("malformed-request", e.to_string())))?;
    let told = settings.publish(caller.permit(), &caller.call(), event).await.map_err(|e| caller.refuse(e))?;
    Ok(if told.value().known { StatusCode::OK } else { StatusCode::ACCEPTED })
}
