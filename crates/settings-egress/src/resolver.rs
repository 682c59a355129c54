//! Who turns names into addresses.
use async_trait::async_trait;
use std::{fmt, io, net::IpAddr};

/// Looks host names up. [`Client`](crate::Client) asks once per attempt, and judges all that is answered.
///
/// A lookup has to come to an end by itself: one that the client has stopped waiting for still counts as an attempt of
/// its tenant, so that a name server that never answers costs the tenant's share and nobody else's.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// All addresses of the host. The host is a name in lower case, never an address.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver: `getaddrinfo`, on tokio's threads for blocking work.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect())
    }
}
