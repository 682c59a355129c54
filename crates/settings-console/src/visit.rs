//! A request to a page, read once: cookies, parameters and form.
use crate::{
    security::{Sender, sender},
    site::Site,
    ui::Theme,
};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use settings_api::{ClientAddress, RequestId};
use settings_app::authenticate::Authenticated;
use settings_domain::{ids::SessionId, ports::StoreError};
use std::{net::IpAddr, str::FromStr, sync::Arc};

/// Names of our cookies. The `__Host-` prefix makes a browser refuse one that another host or plain http set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session's token.
    Session,
    /// What the last change did, for the next page.
    Flash,
    /// Light or dark.
    Theme,
    /// Where to go after signing in.
    Return,
    /// A sign-in under way at the provider, sealed.
    Attempt,
}

impl Cookie {
    pub(crate) const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, true) => "__Host-settings",
            (Self::Session, false) => "settings",
            (Self::Flash, true) => "__Host-settings-flash",
            (Self::Flash, false) => "settings-flash",
            (Self::Theme, true) => "__Host-settings-theme",
            (Self::Theme, false) => "settings-theme",
            (Self::Return, true) => "__Host-settings-return",
            (Self::Return, false) => "settings-return",
            (Self::Attempt, true) => "__Host-settings-attempt",
            (Self::Attempt, false) => "settings-attempt",
        }
    }
    /// The header that sets it, for this many seconds; none ends it.
    pub(crate) fn set(self, https: bool, value: &str, seconds: i64) -> String {
        let secure = if https { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", self.name(https))
    }
}

/// What could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The form is larger than allowed.
    TooLarge,
    /// The path names nothing.
    Path,
}

/// A request, read. Holds the session's token, so it has no `Debug`.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    posted: bool,
    /// Path and query, as the browser asked for them.
    pub(crate) address: String,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    /// Id of the request.
    pub(crate) request: String,
    pub(crate) client: IpAddr,
    /// Whether script asks for the inside of a dialog.
    pub(crate) fragment: bool,
    /// Whether the caller wants JSON: a program at one of the links in mails.
    pub(crate) json: bool,
    pub(crate) theme: Theme,
    pub(crate) sender: Sender,
    /// `Authorization: Bearer`, for signing out by the API's means.
    pub(crate) bearer: Option<SecretString>,
    /// The page of ours that a form was posted from.
    from: Option<String>,
    session: Option<SecretString>,
    flash: Option<String>,
    back: Option<String>,
    attempt: Option<SecretString>,
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    pairs.filter_map(|p| p.trim().split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

impl Visit {
    pub(crate) async fn read(site: Arc<Site>, request: Request) -> Result<Self, Unreadable> {
        let (mut parts, body) = request.into_parts();
        let params = RawPathParams::from_request_parts(&mut parts, &()).await.map_err(|_| Unreadable::Path)?;
        let params = params.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let form = if parts.method == Method::POST {
            let body = http_body_util::Limited::new(body, crate::MAX_FORM);
            pairs(&body.collect().await.map_err(|_| Unreadable::TooLarge)?.to_bytes())
        } else {
            Vec::new()
        };
        let (headers, https) = (&parts.headers, site.https());
        let text = |name: http::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
        let of = |c: Cookie| cookie(headers, c.name(https));
        let sender = sender(headers, site.origin());
        // Without a word of where it comes from, a change is not a browser's, and the cookie is not its sender's to use.
        let trusted = matches!(parts.method, Method::GET | Method::HEAD) || sender == Sender::Own;
        let bearer = text(header::AUTHORIZATION)
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| SecretString::from(token.trim().to_owned()));
        Ok(Self {
            address: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), |p| p.as_str().to_owned()),
            posted: parts.method == Method::POST,
            params,
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form,
            request: parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default(),
            client: parts.extensions.get::<ClientAddress>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0),
            fragment: headers.contains_key("x-fragment"),
            json: text(header::ACCEPT).is_some_and(|a| a.contains("application/json")),
            theme: of(Cookie::Theme).map_or(Theme::Auto, |t| Theme::parse(&t)),
            sender,
            bearer,
            from: text(header::REFERER)
                .filter(|_| parts.method == Method::POST)
                .and_then(|r| r.strip_prefix(site.origin()))
                .and_then(own_path),
            session: of(Cookie::Session).filter(|_| trusted).map(SecretString::from),
            flash: of(Cookie::Flash),
            back: of(Cookie::Return),
            attempt: of(Cookie::Attempt).map(SecretString::from),
            site,
        })
    }

    /// A part of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
    /// A query parameter, trimmed; empty where absent.
    pub(crate) fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.trim())
    }
    /// A field of the form, as typed; empty where absent.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
    /// Every value of a field.
    pub(crate) fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.form.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// The whole form, for its fingerprint.
    pub(crate) fn form(&self) -> &[(String, String)] {
        &self.form
    }
    /// An id in the path.
    pub(crate) fn id<T: FromStr>(&self, name: &str) -> Option<T> {
        self.param(name).parse().ok()
    }
    /// What the last change left to say, still sealed.
    pub(crate) fn sealed_flash(&self) -> Option<&str> {
        self.flash.as_deref()
    }
    /// The session's token.
    pub(crate) const fn session_token(&self) -> Option<&SecretString> {
        self.session.as_ref()
    }
    /// The sign-in under way at the provider, still sealed.
    pub(crate) const fn attempt(&self) -> Option<&SecretString> {
        self.attempt.as_ref()
    }
    /// Where to go after signing in, if it is a path of ours.
    pub(crate) fn way_back(&self) -> Option<String> {
        self.back.as_deref().and_then(own_path)
    }
    /// The page to come back to: this one, or the one that a form was posted from, for not every form has a page.
    pub(crate) fn here(&self) -> Option<String> {
        if self.posted { self.from.clone() } else { own_path(&self.site.at(&self.address)) }
    }
    /// Who is signed in.
    pub(crate) async fn authenticate(&self) -> Result<Option<(SessionId, Authenticated)>, StoreError> {
        match &self.session {
            Some(token) => self.site.app().authenticate_session(token).await,
            None => Ok(None),
        }
    }
}

/// A path on this origin and nothing else: what `return_to` may name.
pub(crate) fn own_path(path: &str) -> Option<String> {
    let one_slash = path.starts_with('/') && !path.starts_with("//");
    let plain =
        path.len() <= 500 && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b';' | b'"' | b','));
    (one_slash && plain).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_stays_on_this_origin() {
        for own in ["/", "/acme/settings/members?q=a%20b"] {
            assert_eq!(own_path(own).as_deref(), Some(own));
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https:evil",
            "https://evil.example",
            "evil",
            "/a\tb",
            "/a b",
            "/a;b",
            "/é",
        ] {
            assert_eq!(own_path(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn cookies_over_https_belong_to_this_host_alone() {
        for cookie in [Cookie::Session, Cookie::Flash, Cookie::Theme, Cookie::Return, Cookie::Attempt] {
            let set = cookie.set(true, "v", 60);
            assert!(set.starts_with("__Host-settings") && set.ends_with("; Secure"), "{set}");
            assert!(set.contains("; Path=/; HttpOnly; SameSite=Lax;"), "{set}");
            assert!(!cookie.set(false, "v", 60).contains("Secure"));
        }
    }
}
