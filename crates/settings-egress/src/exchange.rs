//! What is sent and what comes back.
use crate::{error::Refused, target::Target};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use std::{fmt, time::Duration};

/// How much of an answer is read.
pub(crate) const MAX_ANSWER: usize = 64 * 1024;
/// How long a header of the answer may be to be handed on.
const MAX_HEADER: usize = 256;

/// The methods there is a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Delivers.
    Post,
}

impl Method {
    pub(crate) const fn as_http(self) -> http::Method {
        match self {
            Self::Get => http::Method::GET,
            Self::Post => http::Method::POST,
        }
    }
}

/// What to send where. `Debug` shows neither headers nor body: there are signatures and credentials in them.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub target: Target,
    /// How.
    pub method: Method,
    /// Besides those that the client sets itself, which are refused here.
    pub headers: HeaderMap,
    /// As it is; its type is named in the headers.
    pub body: Bytes,
}

impl Request {
    /// No header that would frame the message otherwise, name another host, or make it one of a session.
    pub(crate) fn check_headers(&self) -> Result<(), Refused> {
        if self.headers.keys().any(is_ours) { Err(Refused::Header) } else { Ok(()) }
    }
}

fn is_ours(name: &HeaderName) -> bool {
    const OURS: [HeaderName; 12] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::COOKIE,
        header::EXPECT,
        header::HOST,
        header::REFERER,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::USER_AGENT,
    ];
    OURS.contains(name) || name.as_str() == "keep-alive" || name.as_str().starts_with("proxy-")
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("target", &self.target)
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What came back. All of it is the peer's word; a tenant is never shown the body of what another one can reach.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, redirects included: they are not followed.
    pub status: StatusCode,
    /// `content-type`, if it is short and printable.
    pub content_type: Option<String>,
    /// `retry-after`, if it is short and printable: seconds or a date.
    pub retry_after: Option<String>,
    /// The first 64 KiB.
    pub body: Bytes,
    /// Whether `body` is all there was. `false` where it fills the 64 KiB, and where it broke off.
    pub complete: bool,
    /// From the lookup to the last byte read. Precise, so it tells about the network: show tenants no more than rough steps.
    pub took: Duration,
}

impl Response {
    /// The head alone.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= MAX_HEADER).then(|| value.to_owned())
        };
        Self {
            status,
            content_type: text(header::CONTENT_TYPE),
            retry_after: text(header::RETRY_AFTER),
            body: Bytes::new(),
            complete: false,
            took: Duration::ZERO,
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("complete", &self.complete)
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}
