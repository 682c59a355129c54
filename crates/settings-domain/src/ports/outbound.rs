//! Whether a tenant may name a place for this service to call.
use crate::ids::WorkspaceId;
use async_trait::async_trait;
use std::fmt;

/// A place that tenants may name. Every later call is vetted again: names point elsewhere tomorrow.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl {
    url: String,
    origin: String,
    host: String,
}

impl OutboundUrl {
    /// What an adapter has vetted: the whole URL, normalised; its origin (scheme, host, port); its host.
    #[must_use]
    pub const fn vetted(url: String, origin: String, host: String) -> Self {
        Self { url, origin, host }
    }
    /// The whole URL, normalised.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }
    /// Scheme, host and port, such as `https://example.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
    /// The host, normalised.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for OutboundUrl {
    /// The origin alone: some services take keys in the path or the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutboundUrl").field(&self.origin).finish()
    }
}

/// Why a place may not be named, in one sentence for the person who did. It tells nothing about a private network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutboundRefusal(pub String);

/// Vets places.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Parses, applies the operator's policy and looks the name up, within two seconds. A name whose answers are private is
    /// refused. One that can't be looked up now is accepted: it is vetted again at each call.
    async fn vet(&self, url: &str, tenant: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal>;
}
