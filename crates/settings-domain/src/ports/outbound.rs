//! Whether a tenant may name a URL that this service will send to (SS01-SS10).
use crate::ids::WorkspaceId;
use async_trait::async_trait;
use std::fmt;

/// A URL that [`Outbound::vet`] has passed. `Debug` shows the origin alone: the path of a webhook is often its password.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl {
    url: String,
    origin: String,
    host: String,
}

impl OutboundUrl {
    /// For implementations of [`Outbound`], and of its fakes: says that the URL was vetted.
    #[must_use]
    pub const fn vetted(url: String, origin: String, host: String) -> Self {
        Self { url, origin, host }
    }

    /// The whole URL, normalised: what is stored and sent to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port, such as `https://example.com`. A credential given for one origin is not for another (MO01).
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host, normalised: what may be shown where the whole URL may not.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutboundUrl").field(&self.origin).finish()
    }
}

/// The URL must not be used: one sentence for the person who typed it, which repeats nothing of what was looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutboundRefusal(pub String);

/// Judges URLs of tenants.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Checks the text, then looks the host up for at most two seconds and connects to nothing.
    ///
    /// A host with an address that is not public is refused. One that cannot be looked up now is accepted: it is judged
    /// again, with what it stands for then, at each attempt to send.
    async fn vet(&self, url: &str, tenant: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal>;
}

#[cfg(test)]
mod tests {
    use super::OutboundUrl;

    #[test]
    fn debug_shows_the_origin_and_keeps_the_path_to_itself() {
        let url = OutboundUrl::vetted(
            "https://hooks.example.com/s3cret".to_owned(),
            "https://hooks.example.com".to_owned(),
            "hooks.example.com".to_owned(),
        );
        assert_eq!(format!("{url:?}"), r#"OutboundUrl("https://hooks.example.com")"#);
    }
}
