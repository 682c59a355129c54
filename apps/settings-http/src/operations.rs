//! What operators ask: is it alive, is it ready, how is it doing.
use crate::billing;
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use settings_app::{App, mirror::Mirroring};
use std::{sync::Arc, time::Duration};

/// How long the database may take to answer before the service says that it is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn router(app: Arc<App>, mirror: Option<Mirroring>, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .with_state((app, mirror))
        .route(
            "/metrics",
            get(move || async move {
                ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"))], metrics.render())
            }),
        )
}

/// The keys were read at start, and without them the process would not run: what can go away is the database.
async fn ready(State((app, mirror)): State<(Arc<App>, Option<Mirroring>)>) -> Response {
    let answer = tokio::time::timeout(PATIENCE, app.ports().store.ready()).await;
    let database = match answer {
        Ok(Ok(())) => "ok",
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            "unavailable"
        }
        Err(_) => "slow",
    };
    let status = if database == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({"status": if database == "ok" { "ready" } else { "not ready" }, "checks": {"database": database, "migrations": database, "keys": "ok"}});
    // Told and not counted: with the provider away nobody new gets in, and everybody else is served.
    // The same with the directory: it follows when it is back.
    let told = [
        ("identityProvider", app.ports().provider.as_ref().map(|p| p.answered())),
        ("directory", mirror.map(|m| m.answered())),
    ];
    if let Some(checks) = body.pointer_mut("/checks").and_then(Value::as_object_mut) {
        for (name, answered) in told {
            let seen = match answered {
                None => continue,
                Some(Some(true)) => "ok",
                Some(Some(false)) => "unavailable",
                Some(None) => "not asked yet",
            };
            checks.insert(name.to_owned(), json!(seen));
        }
    }
    // The same for billing: what is known is shown, and what is owed waits.
    if let (Some(gateway), Some(Value::Object(checks))) = (&app.ports().billing, body.pointer_mut("/checks")) {
        checks.insert("billing".to_owned(), json!(billing::word(gateway.as_ref())));
    }
    (status, Json(body)).into_response()
}
