//! What every answer has, whatever route made it: a request id, security headers, a metric, and a problem instead of a
//! panic.
use crate::{
    dispatch::{RequestId, request_id},
    problem::Problem,
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// All headers together, in bytes.
const MAX_HEADERS: usize = 16 * 1024;
/// Path and query, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;

/// Makes a request id.
pub type MakeId = Arc<dyn Fn() -> String + Send + Sync>;

/// Wraps a router. `https` says whether the public address is https.
pub fn edge(router: Router, make_id: MakeId, https: bool) -> Router {
    // Whoever merged routes into this one did not bring our refusal along.
    let refuse = |request: Request| async move { Problem::plain("method-not-allowed").respond(&request_id(&request)) };
    router.method_not_allowed_fallback(refuse).layer(from_fn(move |request: Request, next: Next| {
        let make_id = make_id.clone();
        async move { around(request, next, &make_id, https).await }
    }))
}

async fn around(mut request: Request, next: Next, make_id: &MakeId, https: bool) -> Response {
    // The id of the caller's own choice goes into logs and into the log: an erasure's must not name who is erased.
    let erases = request.extensions().get::<MatchedPath>().is_some_and(|p| p.as_str().ends_with("/erase"));
    let id = accepted_id(&request).filter(|_| !erases).unwrap_or_else(|| make_id());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = known(request.method());
    // The template, never the path: a path can hold a token, and a label per id would never end.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let started = Instant::now();
    let mut response = match transport(&request) {
        Err(problem) => problem.respond(&id),
        // A panic is an error of ours, not the end of the connection. The transaction it cut off has rolled back.
        Ok(()) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request = id, route, "a handler panicked");
            Problem::plain("internal").respond(&id)
        }),
    };
    if let Some(problem) = rejection(&response) {
        response = problem.respond(&id);
    }
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let labels = [("method", method.to_owned()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("settings_http_requests_total", &labels).increment(1);
    metrics::histogram!("settings_http_request_seconds", &labels).record(seconds);
    tracing::info!(request = id, method, route, status, ms = seconds * 1000.0, "request");
    finish(response.headers_mut(), &id, https);
    response
}

/// The method as a label: a caller can make up as many as they like.
fn known(method: &Method) -> &'static str {
    const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    METHODS.into_iter().find(|m| *m == method.as_str()).unwrap_or("other")
}

/// What the framework says in plain words of its own when a path or a form can't be read, as a problem.
fn rejection(response: &Response) -> Option<Problem> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE)?.as_bytes();
    if !(status.is_client_error() || status.is_server_error()) || !kind.starts_with(b"text/plain") {
        return None;
    }
    Some(Problem::plain(match status.as_u16() {
        // A part of the path that is no UTF-8 names nothing.
        400 | 404 => "not-found",
        405 => "method-not-allowed",
        413 => "payload-too-large",
        415 => "unsupported-media-type",
        402..500 => "malformed-request",
        _ => "internal",
    }))
}

fn finish(headers: &mut HeaderMap, id: &str, https: bool) {
    if let Ok(value) = HeaderValue::from_str(id) {
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
}

/// The first limits of all: size and number of headers, length of the address, a host.
fn transport(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let size: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    if size > MAX_HEADERS || headers.len() > 100 {
        return Err(Problem::plain("headers-too-large"));
    }
    if request.uri().path_and_query().is_some_and(|p| p.as_str().len() > MAX_ADDRESS) {
        return Err(Problem::plain("uri-too-long"));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(Problem::new("malformed-request", "A request names one Host."));
    }
    Ok(())
}

/// The caller's own id, where it can be logged and kept: 1 to 128 visible ASCII characters, sent once.
fn accepted_id(request: &Request) -> Option<String> {
    let mut values = request.headers().get_all(REQUEST_ID).iter();
    let value = values.next()?.to_str().ok()?;
    let good =
        values.next().is_none() && (1..=128).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| value.to_owned())
}
