//! What the domain needs from the outside, in its own words. Adapters implement these and hold no rules.
pub mod accounts;
pub mod audit;
pub mod billing;
pub mod checkpoints;
pub mod directory;
pub mod erasures;
pub mod identity;
pub mod keyring;
pub mod mail;
pub mod mirror;
pub mod outbound;
pub mod outbox;
pub mod probe;
pub mod sending;
pub mod sign_in;
pub mod slack;
pub mod store;
pub mod tokens;
pub mod vault;
pub mod webhooks;

use std::error::Error;
use time::OffsetDateTime;
use uuid::Uuid;

/// A boxed cause, for logs only.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A store failed. Callers branch on the kind, never on the driver's words.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; trying again later may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Cause),
    /// The commit was sent and its fate is not known. A retry with the same `Idempotency-Key` settles it.
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] Cause),
    /// A constraint of the database refused what a decision had allowed; its name says which.
    #[error("the constraint {0} refused the change")]
    Constraint(String),
    /// A stored value is not one the domain knows. Nothing is guessed.
    #[error("the store holds a value the domain rejects: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Wraps any error as "nothing was written".
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }
}

/// The process's clock. Rules use the database's; this one is for waiting and for what never meets a database.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> OffsetDateTime;
}

/// Randomness for ids.
pub trait Entropy: Send + Sync {
    /// A fresh `UUIDv7`.
    fn uuid(&self) -> Uuid;
}
