//! How a use case fails.
use settings_domain::{
    error::Refused,
    policy::Denied,
    ports::{StoreError, tokens::NoEntropy},
    transaction::{EntryError, KeyReused},
};

/// Why a mutation was not made. `E` is the use case's own refusal.
#[derive(Debug)]
pub enum Failure<E> {
    /// The caller did not get in.
    Entry(EntryError),
    /// A precondition or a rule stands against it.
    Refused(Refused<E>),
    /// The `Idempotency-Key` belongs to another call.
    KeyReused,
    /// The store failed.
    Store(StoreError),
}

impl<E> From<EntryError> for Failure<E> {
    fn from(e: EntryError) -> Self {
        match e {
            EntryError::Store(e) => Self::Store(e),
            e => Self::Entry(e),
        }
    }
}
impl<E> From<Denied> for Failure<E> {
    fn from(e: Denied) -> Self {
        Self::Entry(EntryError::Denied(e))
    }
}
impl<E> From<Refused<E>> for Failure<E> {
    fn from(e: Refused<E>) -> Self {
        Self::Refused(e)
    }
}
impl<E> From<StoreError> for Failure<E> {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}
impl<E> From<KeyReused> for Failure<E> {
    fn from(KeyReused: KeyReused) -> Self {
        Self::KeyReused
    }
}
impl<E> From<NoEntropy> for Failure<E> {
    fn from(e: NoEntropy) -> Self {
        Self::Store(StoreError::unavailable(e))
    }
}
impl<E> Failure<E> {
    /// A rule of the use case.
    pub const fn rule(e: E) -> Self {
        Self::Refused(Refused::Rule(e))
    }
}

/// Answers an equal earlier call with its kept outcome: returns from the use case when there is one.
macro_rules! replayed {
    ($tx:expr) => {
        if let Some(earlier) = $tx.replay().await? {
            return Ok(earlier?);
        }
    };
}
pub(crate) use replayed;
