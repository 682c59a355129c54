//! What operators ask: is it alive, is it ready, how is it doing.
use crate::{billing, compose::Service};
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
use settings_domain::ports::{keyring::Keyring, mail::Mailer};
use std::{sync::Arc, time::Duration};

/// How long the database may take to answer before the service says that it is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// What can go away.
#[derive(Clone)]
struct Places {
    app: Arc<App>,
    mirror: Option<Mirroring>,
    keyring: Arc<dyn Keyring>,
    /// The way out for mail, where mail leaves this machine.
    mailer: Option<Arc<dyn Mailer>>,
}

pub(crate) fn router(service: &Service, metrics: PrometheusHandle) -> Router {
    let places = Places {
        app: service.app.clone(),
        mirror: service.mirror.clone(),
        keyring: service.keyring.clone(),
        mailer: service.mailbox.is_none().then(|| service.mailer.clone()),
    };
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .with_state(places)
        .route(
            "/metrics",
            get(move || async move {
                ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"))], metrics.render())
            }),
        )
}

/// The keys were read at start, and without them the process would not run: what it takes to be ready is the database.
async fn ready(State(places): State<Places>) -> Response {
    let Places { app, mirror, keyring, mailer } = places;
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
    // Told and not counted: with the provider away nobody new gets in, and everybody else is served; the directory follows
    // when it is back; what is to be sent waits; and without KMS values are read for as long as their keys are in memory.
    let told = [
        ("identityProvider", app.ports().provider.as_ref().map(|p| p.answered())),
        ("directory", mirror.map(|m| m.answered())),
        ("keyring", keyring.answered().map(Some)),
        ("mail", mailer.map(|m| m.answered())),
        ("slack", app.ports().slack.as_ref().map(|s| s.answered())),
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
