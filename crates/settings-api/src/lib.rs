//! The JSON API in both dialects, mountable by anybody who has an [`App`].
//!
//! Everything about an operation stands in one row of the operation table; [`router`] and [`openapi::document`] are made
//! from it. [`edge::edge`] adds what every answer has: request ids, security headers, metrics, caught panics.
pub mod answer;
mod api_keys;
mod audit;
mod audit_digest;
pub mod audit_export;
mod billing;
mod billing_events;
mod connections;
mod deliveries;
mod dialect;
mod dispatch;
pub mod edge;
pub mod embed;
mod environments;
mod erasure;
mod events;
pub mod input;
mod invitations;
mod json;
pub mod limits;
mod mcp;
mod members;
mod models;
mod notifications;
pub mod openapi;
pub mod operation;
pub mod pages;
pub mod problem;
mod references;
mod roles;
mod secrets;
mod variables;
mod webhook_subscriptions;
mod workspaces;

pub use dispatch::{ClientAddress, RequestId, unknown};

use crate::{
    answer::List,
    input::Input,
    limits::Limits,
    operation::Operation,
    problem::{Fault, Problem},
};
use axum::{
    Router,
    extract::{Path, Request},
    response::{IntoResponse as _, Response},
    routing::{MethodFilter, MethodRouter, get, post},
};
use http::{HeaderValue, header};
use settings_app::App;
use settings_domain::{ids::WorkspaceId, ports::outbound::OutboundUrl};
use std::{collections::BTreeMap, str::FromStr, sync::Arc};
use uuid::Uuid;

/// What operations share.
#[derive(Debug)]
pub struct Api {
    app: Arc<App>,
    limits: Option<Limits>,
}

impl Api {
    /// `limits` is `None` where rate limiting is off.
    #[must_use]
    pub const fn new(app: Arc<App>, limits: Option<Limits>) -> Self {
        Self { app, limits }
    }
    /// The use cases.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }
    /// The rate limits.
    #[must_use]
    pub const fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// Vets a URL that a body names at `pointer`.
    pub(crate) async fn vetted(&self, url: &str, tenant: WorkspaceId, pointer: &str) -> Result<OutboundUrl, Problem> {
        self.app.vet_url(url, tenant).await.map_err(|refusal| {
            Problem::new("url-not-allowed", format!("This URL can't be used: {refusal}."))
                .with_fault(Fault { pointer: pointer.to_owned(), detail: refusal.to_string() })
        })
    }

    /// Opens the request's cursor, if it has one. Only a cursor of the same list, filter and tenant opens.
    pub(crate) fn open_position(&self, input: &Input, context: &str, list: &str) -> Result<Option<Vec<u8>>, Problem> {
        let Some(cursor) = input.query("cursor")? else { return Ok(None) };
        let context = format!("{list}|{context}");
        let position = self.app.ports().mint.open_cursor(context.as_bytes(), &cursor);
        position.map(Some).ok_or_else(|| Problem::plain("invalid-cursor"))
    }
    /// Seals a position.
    pub(crate) fn seal_position(&self, context: &str, list: &str, position: &[u8]) -> Result<String, Problem> {
        let context = format!("{list}|{context}");
        self.app.ports().mint.seal_cursor(context.as_bytes(), position).map_err(|_| Problem::unavailable())
    }
    /// The id that the request's cursor stands for.
    pub(crate) fn position<T: FromStr>(&self, input: &Input, context: &str, list: &str) -> Result<Option<T>, Problem> {
        let Some(bytes) = self.open_position(input, context, list)? else { return Ok(None) };
        let id = Uuid::from_slice(&bytes).ok().and_then(|id| id.to_string().parse().ok());
        id.map(Some).ok_or_else(|| Problem::plain("invalid-cursor"))
    }
    /// A page of a list that was loaded with one entry more than asked for.
    pub(crate) fn list<V, T>(
        &self,
        input: &Input,
        context: &str,
        name: &str,
        mut views: Vec<V>,
        id: impl Fn(&V) -> Uuid,
        show: impl Fn(V) -> T,
    ) -> Result<List<T>, Problem> {
        let limit = usize::try_from(input.limit()?).unwrap_or(usize::MAX);
        let more = views.len() > limit;
        views.truncate(limit);
        let next_cursor = match views.last() {
            Some(last) if more => Some(self.seal_position(context, name, id(last).as_bytes())?),
            _ => None,
        };
        Ok(List { items: views.into_iter().map(show).collect(), next_cursor })
    }
}

/// Every operation.
#[must_use]
pub fn operations() -> Vec<Operation> {
    [
        workspaces::operations(),
        environments::operations(),
        members::operations(),
        erasure::operations(),
        invitations::operations(),
        api_keys::operations(),
        variables::operations(),
        secrets::operations(),
        models::operations(),
        references::operations(),
        roles::operations(),
        audit::operations(),
        audit_export::operations(),
        audit_digest::operations(),
        notifications::operations(),
        deliveries::operations(),
        webhook_subscriptions::operations(),
        connections::operations(),
        events::operations(),
        billing::operations(),
        mcp::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router of the whole API, with its document and pages. Unknown paths need a credential, too.
pub fn router(api: Arc<Api>) -> Router {
    let operations = Arc::new(operations());
    let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let Ok(filter) = MethodFilter::try_from(operation.method.clone()) else { continue };
        for path in openapi::addresses(operation) {
            let (api, operations) = (api.clone(), operations.clone());
            let handler = move |request: Request| {
                let (api, operations) = (api.clone(), operations.clone());
                async move {
                    match operations.get(index) {
                        Some(operation) => dispatch::run(api, operation, request).await,
                        None => Problem::plain("internal").respond(""),
                    }
                }
            };
            let methods = by_path.remove(&path).unwrap_or_default();
            by_path.insert(path, methods.on(filter, handler));
        }
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(&path, methods);
    }
    let document: Arc<str> = openapi::document(&operations).to_string().into();
    let (listed, events) = (operations.clone(), api.clone());
    router
        .route(billing_events::PATH, post(move |request: Request| billing_events::take(events.clone(), request)))
        .route("/openapi.json", get(move || async move { json(&document) }))
        .route("/docs", get(move || async move { pages::docs(&listed) }))
        .route("/problems", get(|| async { pages::problems() }))
        .route(
            "/problems/{slug}",
            get(|Path(slug): Path<String>, request: Request| async move {
                pages::problem(&slug, &dispatch::request_id(&request))
            }),
        )
        .method_not_allowed_fallback(|request: Request| async move {
            Problem::plain("method-not-allowed").respond(&dispatch::request_id(&request))
        })
        .fallback(move |request: Request| dispatch::unknown(api.clone(), request))
}

fn json(document: &str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document.to_string()).into_response()
}
