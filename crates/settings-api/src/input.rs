//! A request as operations see it: bounded, unparsed parts with typed readers.
use crate::{
    Api,
    json::{self, Body},
    problem::Problem,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use serde_json::Value;
use settings_domain::{
    audit::Receipts,
    idempotency::IdempotentCall,
    ids::WorkspaceId,
    impact::Guard,
    ports::store::{CallerId, Page, Selector},
    transaction::{Call, Caller},
};
use std::{fmt, net::IpAddr, str::FromStr};

/// The largest body.
pub const MAX_BODY: usize = 256 * 1024;

/// Where an operation finds its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenant {
    /// `/w/{slug}/…`, else the header `X-Workspace`, else the caller's only one (seed A).
    Path,
    /// `{organizationId}` in the path (seed B).
    Organization,
    /// `organizationId` in query or body, else as [`Tenant::Path`] (seed B).
    Parameter,
    /// The workspace of `{invitationId}` (seed B: the path names no organization).
    Invitation,
    /// `organizationId` in query or body, else the header `X-Workspace`, else the workspace of `{variableId}`.
    Variable,
    /// The same for `{modelId}`.
    Model,
}

/// Whether a header is an attribute of a CloudEvent in binary mode.
pub(crate) fn is_attribute(name: &HeaderName) -> bool {
    name.as_str().starts_with(ATTRIBUTE)
}

/// What the attributes of binary mode begin with.
pub(crate) const ATTRIBUTE: &str = "ce-";

/// A request.
#[derive(Debug)]
pub struct Input {
    /// Method.
    pub method: Method,
    /// Raw path.
    pub path: String,
    /// Raw query.
    pub query: String,
    /// Parts of the path by name, decoded.
    pub params: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Where the request's changes are noted.
    pub receipts: Receipts,
    /// Body, at most [`MAX_BODY`].
    pub body: Bytes,
    /// Id of the request.
    pub request: String,
    /// The caller's address.
    pub address: IpAddr,
}

impl Input {
    /// A part of the path.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }
    /// An id in the path. What is no id names nothing: 404, the same answer as for an unknown id.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        self.param(name).parse().map_err(|_| Problem::plain("not-found"))
    }
    fn pairs(&self) -> impl Iterator<Item = (String, String)> + '_ {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }
    /// A query parameter; standing twice is a fault.
    pub fn query(&self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.pairs().filter(|(n, _)| n == name).map(|(_, v)| v);
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::new("malformed-request", format!("The query parameter {name} stands twice.")));
        }
        if value.as_ref().is_some_and(|v| v.contains('\0')) {
            return Err(Problem::new(
                "malformed-request",
                format!("The query parameter {name} holds a NUL character."),
            ));
        }
        Ok(value)
    }
    /// A parsed query parameter.
    pub fn query_as<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.query(name)?
            .map(|v| v.parse().map_err(|e: T::Err| Problem::field(&format!("/{name}"), e.to_string())))
            .transpose()
    }
    /// Refuses query parameters that the operation does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.pairs().find(|(n, _)| !known.contains(&n.as_str())) {
            Some(_) => Err(Problem::new(
                "malformed-request",
                format!("Unknown query parameter. Known are: {}.", known.join(", ")),
            )),
            None => Ok(()),
        }
    }
    /// `limit`, 1 to 100, 50 where absent.
    pub fn limit(&self) -> Result<i64, Problem> {
        match self.query("limit")? {
            None => Ok(50),
            Some(s) => match s.parse() {
                Ok(n @ 1..=100) => Ok(n),
                _ => Err(Problem::field("/limit", "must be a whole number from 1 to 100")),
            },
        }
    }
    /// The text of a header that may stand once.
    pub fn header(&self, name: &HeaderName) -> Result<Option<&str>, Problem> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(Problem::new("malformed-request", format!("The header {name} stands twice.")));
        }
        first
            .map(|v| {
                v.to_str().map_err(|_| {
                    Problem::new("malformed-request", format!("The header {name} is not printable ASCII."))
                })
            })
            .transpose()
    }

    /// The body as JSON. An operation without a body accepts an absent one or `{}`.
    pub(crate) fn json<T: Body>(&self) -> Result<T, Problem> {
        // Clients that always name a media type may do so for a body that is not there.
        if self.body.is_empty() && T::OPTIONAL {
            return json::read::<T>(serde_json::Map::new());
        }
        json::read(self.object(&["application/json"])?)
    }
    /// The body as one JSON object of one of these media types.
    pub(crate) fn object(&self, types: &[&str]) -> Result<serde_json::Map<String, Value>, Problem> {
        self.check_media_type(types)?;
        json::object(&self.body)
    }
    fn check_media_type(&self, types: &[&str]) -> Result<(), Problem> {
        let unsupported = || Problem::plain("unsupported-media-type");
        let text = self.header(&header::CONTENT_TYPE)?.ok_or_else(unsupported)?;
        let mut parts = text.split(';').map(str::trim);
        let json = parts.next().is_some_and(|given| types.iter().any(|t| given.eq_ignore_ascii_case(t)));
        let utf8 =
            parts.all(|p| p.eq_ignore_ascii_case("charset=utf-8") || p.eq_ignore_ascii_case("charset=\"utf-8\""));
        let plain = self.headers.get(header::CONTENT_ENCODING).is_none_or(|e| e == "identity");
        if json && utf8 && plain { Ok(()) } else { Err(unsupported()) }
    }

    /// Which workspace the call is about.
    pub fn selector(&self, tenant: Tenant) -> Result<Selector, Problem> {
        let not_found = || Problem::plain("not-found");
        match tenant {
            Tenant::Organization => Ok(Selector::Id(self.id("organizationId")?)),
            Tenant::Invitation => Ok(Selector::Invitation(self.id("invitationId")?)),
            Tenant::Path => {
                if let Some((_, slug)) = self.params.iter().find(|(n, _)| n == "slug") {
                    return Ok(Selector::Slug(slug.parse().map_err(|_| not_found())?));
                }
                match self.header(&HeaderName::from_static("x-workspace"))? {
                    Some(text) => named(text).ok_or_else(not_found),
                    None => Ok(Selector::Own),
                }
            }
            Tenant::Variable => self.selector_or(|input| Ok(Selector::Variable(input.id("variableId")?))),
            Tenant::Model => self.selector_or(|input| Ok(Selector::Model(input.id("modelId")?))),
            Tenant::Parameter => {
                let (query, body) = (self.query("organizationId")?, self.organization_in_body());
                // Two that differ mean that somebody is mistaken about where this happens.
                if query.is_some() && body.is_some() && query != body {
                    return Err(Problem::field("/organizationId", "is not the organizationId of the query"));
                }
                match query.or(body) {
                    Some(text) => text.parse::<WorkspaceId>().map(Selector::Id).map_err(|_| not_found()),
                    None => self.selector(Tenant::Path),
                }
            }
        }
    }
    /// The workspace that the call names, else the one that a record in its path belongs to.
    fn selector_or(&self, record: impl FnOnce(&Self) -> Result<Selector, Problem>) -> Result<Selector, Problem> {
        match self.selector(Tenant::Parameter)? {
            Selector::Own => record(self),
            named => Ok(named),
        }
    }
    /// The organization that a body names. Read before anything else of the body is looked at: who may not enter that
    /// organization learns nothing about the rest.
    fn organization_in_body(&self) -> Option<String> {
        match serde_json::from_slice::<Value>(&self.body).ok()?.get("organizationId")? {
            Value::String(s) => Some(s.clone()),
            _ => None,
        }
    }

    /// `If-Match` and `X-Confirm`.
    pub fn guard(&self) -> Result<Guard, Problem> {
        let confirm = self.header(&HeaderName::from_static("x-confirm"))?.map(str::to_owned);
        let Some(text) = self.header(&header::IF_MATCH)? else { return Ok(Guard { version: None, confirm }) };
        let text = text.trim();
        if text == "*" {
            return Ok(Guard { version: None, confirm });
        }
        // A weak tag never matches strongly (RFC 9110), so it is as good as a stale one.
        if text.starts_with("W/\"") && text.ends_with('"') {
            return Ok(Guard { version: Some(-1), confirm });
        }
        let tag = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).filter(|t| !t.contains('"'));
        let tag = tag.ok_or_else(|| {
            Problem::new("malformed-request", "If-Match must be one entity tag in double quotes, or *.")
        })?;
        // `"v3-1f2e…"`: the version counts, the rest only tells representations apart. Other tags are not ours.
        let version =
            tag.strip_prefix('v').and_then(|t| t.split('-').next()).and_then(|v| v.parse().ok()).unwrap_or(-1);
        Ok(Guard { version: Some(version), confirm })
    }

    /// What a mutation needs beside its command.
    pub(crate) fn call(&self, api: &Api, caller: &Caller, operation: &'static str) -> Result<Call, Problem> {
        let idempotent = match self.header(&HeaderName::from_static("idempotency-key"))? {
            Some(key) if self.method == Method::POST => {
                if !(1..=255).contains(&key.len()) {
                    return Err(Problem::new("malformed-request", "An Idempotency-Key has 1 to 255 characters."));
                }
                Some(IdempotentCall {
                    principal: principal(caller),
                    operation,
                    key: key.to_owned(),
                    fingerprint: self.fingerprint(api),
                })
            }
            _ => None,
        };
        let (request, receipts) = (self.request.clone(), self.receipts.clone());
        Ok(Call { caller: caller.clone(), request, idempotent, guard: self.guard()?, receipts })
    }
    /// Keyed, because it is stored and the body may hold a value that could be guessed.
    fn fingerprint(&self, api: &Api) -> [u8; 32] {
        let mut parts = vec![self.method.as_str().as_bytes(), self.path.as_bytes(), self.query.as_bytes(), &self.body];
        // An event in binary mode is in its headers: with another one of them it is another event.
        let mut attributes: Vec<_> = self.headers.iter().filter(|(name, _)| is_attribute(name)).collect();
        attributes.sort_by_key(|(name, value)| (name.as_str(), value.as_bytes()));
        parts.extend(attributes.into_iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]));
        api.app().ports().mint.fingerprint(&parts)
    }
    /// A page after the last id of the page before.
    pub(crate) fn page(&self, after: Option<uuid::Uuid>) -> Result<Page, Problem> {
        Ok(Page { after, limit: self.limit()? + 1 })
    }
}

/// `user:<id>` or `key:<id>`.
pub(crate) fn principal(caller: &Caller) -> String {
    match caller.id() {
        CallerId::User(id) => format!("user:{id}"),
        CallerId::Key(id) => format!("key:{id}"),
        CallerId::Service => "service".to_owned(),
    }
}

/// A workspace by id or slug.
pub(crate) fn named(text: &str) -> Option<Selector> {
    text.parse().map(Selector::Id).or_else(|_| text.parse().map(Selector::Slug)).ok()
}
