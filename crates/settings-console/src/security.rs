//! Who may post, and what every answer says to the browser.
//!
//! There are no token fields: a browser itself says where a request comes from (`Sec-Fetch-Site`, else `Origin`), and the
//! session cookie is `SameSite=Lax`. What says neither is no browser, and for it the cookie does not count.
use crate::{pages::errors, site::Site, ui::Theme};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use settings_api::{ClientAddress, limits::Wait};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// How long a page may take, the arrival of its form included.
const PATIENCE: Duration = Duration::from_secs(15);
/// What pages may load and where forms may go. No nonce, no inline script, no inline style.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment";

/// Where an unsafe request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A page of ours, or the person themself.
    Own,
    /// Nothing that a browser would send.
    NoBrowser,
    /// A page of somebody else.
    Foreign,
}

/// Reads where a request comes from. `Host` is not asked: behind a proxy it is whatever the caller likes.
pub(crate) fn sender(headers: &HeaderMap, origin: &str) -> Sender {
    let one = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("unreadable"));
    match (one(HeaderName::from_static("sec-fetch-site")), one(header::ORIGIN)) {
        (Some("same-origin" | "none"), _) => Sender::Own,
        (None, Some(from)) if from == origin => Sender::Own,
        (Some(_), _) | (None, Some(_)) => Sender::Foreign,
        (None, None) => Sender::NoBrowser,
    }
}

/// What every request to a page goes through.
pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ClientAddress>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0);
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let private = ["/invitations/", "/sign-in/", "/auth/"].iter().any(|p| request.uri().path().starts_with(p));
    let mut response = if let Err(Wait(seconds)) = site.limit(|l| l.address(address)) {
        errors::wait(Theme::Auto, site.base(), seconds)
    } else if !safe && sender(request.headers(), site.origin()) == Sender::Foreign {
        errors::foreign(site.base())
    } else {
        match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => errors::slow(site.base()),
        }
    };
    headers(response.headers_mut(), private.then_some("no-referrer"));
    response
}

/// Adds what an answer lacks. The address of a page with a token in it is told to nobody.
pub(crate) fn headers(headers: &mut HeaderMap, referrer: Option<&'static str>) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, referrer.unwrap_or("same-origin")),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::VARY).or_insert(HeaderValue::from_static("x-fragment, cookie"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&'static str, &'static str)]) -> Sender {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        sender(&headers, "https://settings.example")
    }

    #[test]
    fn only_this_origin_posts_with_a_cookie() {
        assert_eq!(from(&[("sec-fetch-site", "same-origin"), ("origin", "https://settings.example")]), Sender::Own);
        assert_eq!(from(&[("sec-fetch-site", "none")]), Sender::Own);
        assert_eq!(from(&[("origin", "https://settings.example")]), Sender::Own);
        assert_eq!(from(&[]), Sender::NoBrowser);
        for foreign in ["cross-site", "same-site", "", "Same-Origin"] {
            assert_eq!(from(&[("sec-fetch-site", foreign)]), Sender::Foreign, "{foreign}");
        }
        // A foreign page can't send both: what the browser says of itself counts first.
        assert_eq!(from(&[("sec-fetch-site", "cross-site"), ("origin", "https://settings.example")]), Sender::Foreign);
        for foreign in ["null", "https://evil.example", "http://settings.example", "https://settings.example.evil", ""]
        {
            assert_eq!(from(&[("origin", foreign)]), Sender::Foreign, "{foreign}");
        }
    }
}
