//! What every answer has, whatever route made it: a request id, security headers, a metric, and a problem instead of a
//! panic.
use crate::{
    dispatch::{ClientAddress, RequestId},
    problem::Problem,
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use http::{HeaderName, HeaderValue, header};
use std::{sync::Arc, time::Instant};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes a request id.
pub type MakeId = Arc<dyn Fn() -> String + Send + Sync>;

/// Wraps a router. `https` says whether the public address is https.
pub fn edge(router: Router, make_id: MakeId, https: bool) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let make_id = make_id.clone();
        async move { around(request, next, &make_id, https).await }
    }))
}

async fn around(mut request: Request, next: Next, make_id: &MakeId, https: bool) -> Response {
    let id = accepted_id(&request).unwrap_or_else(|| make_id());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    // The template, never the path: a path can hold a token, and a label per id would never end.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let _address = request.extensions().get::<ClientAddress>().copied();
    let started = Instant::now();
    // A task of its own turns a panic into an error, and lets a started answer run to its end.
    let mut response = match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(request = id, route, panic = error.is_panic(), "a handler did not finish");
            Problem::plain("internal").respond(&id)
        }
    };
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let labels = [("method", method.as_str().to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("settings_http_requests_total", &labels).increment(1);
    metrics::histogram!("settings_http_request_seconds", &labels).record(seconds);
    tracing::info!(request = id, %method, route, status, ms = seconds * 1000.0, "request");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if https {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    response
}

/// The caller's own id, where it is one that can be logged and kept: 1 to 128 harmless characters, sent once.
fn accepted_id(request: &Request) -> Option<String> {
    let mut values = request.headers().get_all(REQUEST_ID).iter();
    let value = values.next()?.to_str().ok()?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b);
    let good = values.next().is_none() && (1..=128).contains(&value.len()) && value.bytes().all(harmless);
    good.then(|| value.to_owned())
}
