//! What an operation answers.
use crate::input::Input;
use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What stands in an answer.
#[derive(Debug)]
enum Content {
    Whole(Vec<u8>),
    /// Made while it is read.
    Stream(Body),
}

/// An answer on its way out.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Content,
    content_type: &'static str,
    version: Option<i64>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    /// JSON with a status.
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Self {
        // Our answers are plain structs: they always serialize.
        let body = Content::Whole(serde_json::to_vec(body).unwrap_or_default());
        Self { status, body, content_type: "application/json", version: None, headers: Vec::new() }
    }
    /// 200 with JSON.
    pub fn ok<T: Serialize>(body: &T) -> Self {
        Self::json(StatusCode::OK, body)
    }
    /// 201 with JSON.
    pub fn created<T: Serialize>(body: &T) -> Self {
        Self::json(StatusCode::CREATED, body)
    }
    /// 204.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: Content::Whole(Vec::new()),
            content_type: "",
            version: None,
            headers: Vec::new(),
        }
    }
    /// 200 with a file that is made while it is read. It has no entity tag, and whoever breaks off gets no end of it.
    #[must_use]
    pub fn file(content_type: &'static str, body: Body) -> Self {
        Self { status: StatusCode::OK, body: Content::Stream(body), content_type, version: None, headers: Vec::new() }
    }
    /// With the resource's version as its entity tag.
    #[must_use]
    pub const fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
    /// Marked as the kept answer of an earlier, equal call.
    #[must_use]
    pub fn replayed(self, replayed: bool) -> Self {
        if replayed {
            self.header(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"))
        } else {
            self
        }
    }
    /// Never to be stored, because it shows something this once.
    #[must_use]
    pub fn no_store(self) -> Self {
        self.header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// The body as text; empty where there is none, or where it is a stream, which no tool answers with.
    pub(crate) fn text(&self) -> String {
        match &self.body {
            Content::Whole(body) => String::from_utf8_lossy(body).into_owned(),
            Content::Stream(_) => String::new(),
        }
    }

    pub(crate) fn respond(self, input: &Input) -> Response {
        let etag = self.etag();
        let read = input.method == Method::GET || input.method == Method::HEAD;
        let fresh = read && self.status == StatusCode::OK && matches(input, etag.as_ref());
        let mut response = Response::new(match self.body {
            _ if fresh => Body::empty(),
            Content::Whole(body) => Body::from(body),
            Content::Stream(body) => body,
        });
        *response.status_mut() = if fresh { StatusCode::NOT_MODIFIED } else { self.status };
        let headers = response.headers_mut();
        if !self.content_type.is_empty() && !fresh {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        // Answers depend on who asks: no shared cache may keep them, and every use has to be checked again.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }

    /// `"v<version>-<hash>"` for a resource, `"<hash>"` for a list: the version is what `If-Match` compares, the hash
    /// tells representations of one version apart (usage counts change without a new version).
    fn etag(&self) -> Option<HeaderValue> {
        let Content::Whole(body) = &self.body else { return None };
        if body.is_empty() || !self.status.is_success() {
            return None;
        }
        let hash = hex::encode(Sha256::digest(body).get(..8)?);
        let tag = self.version.map_or_else(|| format!("\"{hash}\""), |v| format!("\"v{v}-{hash}\""));
        HeaderValue::from_str(&tag).ok()
    }
}

fn matches(input: &Input, etag: Option<&HeaderValue>) -> bool {
    let (Some(wanted), Some(etag)) = (input.headers.get(header::IF_NONE_MATCH), etag) else { return false };
    let Ok(wanted) = wanted.to_str() else { return false };
    wanted.split(',').map(|t| t.trim().trim_start_matches("W/")).any(|t| t == "*" || t.as_bytes() == etag.as_bytes())
}

/// A list page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page starts; null at the end.
    pub next_cursor: Option<String>,
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
