//! Answers: pages, redirects, cookies.
use crate::stop::Answer;
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use maud::Markup;

/// A page. `no-store` and the rest of the headers come from the guard.
pub(crate) fn html(status: StatusCode, markup: Markup) -> Response {
    (status, Html(markup.into_string())).into_response()
}

/// As [`html`], for the end of a handler.
#[expect(clippy::unnecessary_wraps, reason = "a handler's answer may be a stop; this is the usual end of one")]
pub(crate) fn shown(status: StatusCode, markup: Markup) -> Answer {
    Ok(html(status, markup))
}

/// 303: the answer to a change, and to who has to go elsewhere.
pub(crate) fn see_other(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Addresses are made of ids, slugs and encoded text; what is no header value after all leads home.
    let value = HeaderValue::from_str(address).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, value);
    response
}

/// Adds a cookie, made by [`crate::visit::Cookie::set`].
pub(crate) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// A query string; empty parts are left out.
pub(crate) fn query(parts: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    let mut any = false;
    for (name, value) in parts.iter().filter(|(_, v)| !v.is_empty()) {
        text.append_pair(name, value);
        any = true;
    }
    if any { format!("?{}", text.finish()) } else { String::new() }
}
