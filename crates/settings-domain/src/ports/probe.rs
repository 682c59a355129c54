//! Calls a model's provider once, with the credential, and says what came of it.
use crate::{
    ids::WorkspaceId,
    models::{Credential, Provider},
};
use async_trait::async_trait;

/// What to call.
#[derive(Debug)]
pub struct Probe {
    /// On whose behalf, for the limit of calls under way.
    pub tenant: WorkspaceId,
    /// Whose interface it speaks.
    pub provider: Provider,
    /// Where it is called. The credential goes to its origin and nowhere else.
    pub url: String,
    /// The credential.
    pub credential: Credential,
}

/// What came of it. Nothing of the answer's body is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whether anything answered in HTTP.
    pub reachable: bool,
    /// Whether the credential was accepted; `None` where that can't be told.
    pub authenticated: Option<bool>,
    /// The answer's status.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// What is wrong and what to do, or that all is well: one sentence in our own words.
    pub detail: String,
}

/// Probes providers.
#[async_trait]
pub trait ModelProber: Send + Sync {
    /// Makes one bounded call. It never fails: what goes wrong is the report.
    async fn probe(&self, probe: &Probe) -> ProbeReport;
}
