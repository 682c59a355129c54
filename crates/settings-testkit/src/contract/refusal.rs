//! How a use case ended, in a form that can be compared.
use settings_app::failure::Failure;
use settings_domain::{
    error::{Classified, Refused},
    ports::StoreError,
    transaction::EntryError,
};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum No {
    /// The caller is nobody here, or there is no such workspace.
    NotFound,
    /// The key does not work.
    KeyInvalid,
    /// The caller has to say which workspace is meant.
    WorkspaceRequired,
    /// The caller is in, and may not.
    Denied,
    /// A rule stands against it; its code.
    Rule(&'static str),
    /// Somebody else was first.
    Stale,
    /// It has to be confirmed; the digest of what it would break.
    Unconfirmed(String),
    /// The `Idempotency-Key` belongs to another call.
    KeyReused,
    /// A constraint of the store stands against it.
    Constraint(String),
}

impl From<EntryError> for No {
    fn from(e: EntryError) -> Self {
        match e {
            EntryError::KeyInvalid => Self::KeyInvalid,
            EntryError::NotFound => Self::NotFound,
            EntryError::WorkspaceRequired => Self::WorkspaceRequired,
            EntryError::Denied(_) => Self::Denied,
            EntryError::Store(e) => e.into(),
        }
    }
}

impl From<StoreError> for No {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Constraint(name) => Self::Constraint(name),
            other => panic!("the store failed: {other:?}"),
        }
    }
}

impl<E: Classified> From<Failure<E>> for No {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::Entry(e) => e.into(),
            Failure::Refused(Refused::Stale) => Self::Stale,
            Failure::Refused(Refused::Unconfirmed(impact)) => Self::Unconfirmed(impact.digest().to_owned()),
            Failure::Refused(Refused::Rule(e)) => Self::Rule(e.code()),
            Failure::KeyReused => Self::KeyReused,
            Failure::Store(e) => e.into(),
        }
    }
}
