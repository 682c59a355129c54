//! Retries with an `Idempotency-Key` (contract, Conventions): the outcome is stored with the effect.
use time::Duration;

/// How long an outcome is kept.
pub const KEPT: Duration = Duration::hours(24);

/// A call that may be retried. Two callers never share one, and neither do two operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentCall {
    /// Who calls: `user:<id>` or `key:<id>`.
    pub principal: String,
    /// Which operation.
    pub operation: &'static str,
    /// The caller's key, 1 to 255 printable ASCII characters.
    pub key: String,
    /// SHA-256 over method, path, query and body.
    pub fingerprint: [u8; 32],
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Not seen in the last 24 hours.
    Unknown,
    /// Done before, with this outcome as JSON.
    Done(String),
    /// The key was used for another call.
    Reused,
}
