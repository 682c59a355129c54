//! `POST /billing/stripe/webhook`: events that Stripe sends. No operation of the table: its caller has no credential of ours,
//! and its body is checked by its signature before anything of it is read.
use crate::{
    Api,
    billing::{NOT_CONFIGURED, unavailable},
    dispatch::{self, ClientAddress},
    problem::Problem,
};
use axum::{
    Json,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Value, json};
use settings_app::billing::EventFailure;
use settings_domain::{billing::Ignored, ports::billing::EventRefusal};
use std::{sync::Arc, time::Duration};

/// Where Stripe sends them.
pub(crate) const PATH: &str = "/billing/stripe/webhook";
/// The largest event. Stripe names no limit; with everything expanded they have some hundred kilobytes.
const MAX_EVENT: usize = 1024 * 1024;
/// How long it may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);
/// What Stripe signs with.
const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// Takes an event.
pub(crate) async fn take(api: Arc<Api>, request: Request) -> Response {
    let id = dispatch::request_id(&request);
    match taken(&api, request).await {
        Ok(ignored) => {
            let outcome = ignored.map_or("handled", Ignored::name);
            metrics::counter!("settings_billing_events_total", "outcome" => outcome).increment(1);
            ([(header::CACHE_CONTROL, "no-store")], Json(json!({"received": true}))).into_response()
        }
        Err(problem) => {
            metrics::counter!("settings_billing_events_total", "outcome" => problem.slug()).increment(1);
            problem.respond(&id)
        }
    }
}

async fn taken(api: &Api, request: Request) -> Result<Option<Ignored>, Problem> {
    if let (Some(limits), Some(ClientAddress(address))) = (api.limits(), request.extensions().get::<ClientAddress>()) {
        limits.address(*address).map_err(dispatch::limited)?;
    }
    let (parts, body) = request.into_parts();
    let mut signatures = parts.headers.get_all(&SIGNATURE).iter();
    // Without a signature there is nothing to read the body for.
    let (Some(signature), None) = (signatures.next().and_then(|v| v.to_str().ok()), signatures.next()) else {
        return Err(refused(EventRefusal::Signature));
    };
    let payload = read(body).await?;
    api.app().take_billing_event(&payload, signature).await.map_err(|failure| match failure {
        EventFailure::NotConfigured => unavailable(NOT_CONFIGURED),
        EventFailure::Refused(why) => refused(why),
        EventFailure::Away(e) => {
            unavailable(format!("{e}.")).header(header::RETRY_AFTER, HeaderValue::from_static("60"))
        }
        EventFailure::Store(e) => e.into(),
    })
}

fn refused(why: EventRefusal) -> Problem {
    Problem::new("invalid-signature", format!("This is not an event of Stripe: {why}."))
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_EVENT).collect()).await {
        Err(_) => Err(Problem::plain("request-timeout")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(Problem::plain("payload-too-large")),
        Ok(Err(_)) => Err(Problem::new("malformed-request", "The body broke off.")),
    }
}

/// What the document says of it.
pub(crate) fn described() -> Value {
    let problem = |slugs: &str| json!({"description": slugs, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    json!({"post": {
        "operationId": "takeStripeEvent",
        "tags": ["billing"],
        "summary": "Take an event of Stripe",
        "description": "For Stripe alone: the signature over the raw body is the only credential. An event is a reason to read the subscription again; replayed, late and disordered events change nothing that they should not.",
        "x-permission": null,
        "security": [],
        "parameters": [{"name": "Stripe-Signature", "in": "header", "required": true, "schema": {"type": "string"}}],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "Taken, or of no interest", "content": {"application/json": {"schema": {"type": "object", "required": ["received"], "properties": {"received": {"type": "boolean"}}}}}},
            "400": problem("invalid-signature, malformed-request"),
            "408": problem("request-timeout"),
            "413": problem("payload-too-large"),
            "429": problem("rate-limited"),
            "503": problem("billing-unavailable, unavailable: it has to come again"),
        },
    }})
}
