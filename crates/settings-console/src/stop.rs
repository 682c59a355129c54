//! Why a page is not shown. Every handler fails with this, and one place shows it.
use axum::response::Response;
use settings_api::{limits::Wait, problem};
use settings_domain::{policy::Denied, ports::StoreError, transaction::EntryError};

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The policy says no.
    Denied(Denied),
    /// There is nothing here that this person may know of.
    NotFound,
    /// The store failed. A change may (`true`) or can't have been made.
    Unavailable(bool),
    /// A limit: wait this many seconds.
    Wait(u64),
    /// A fault of ours.
    Internal,
    /// Another answer altogether.
    Answer(Box<Response>),
}

/// What a handler gives.
pub(crate) type Answer = Result<Response, Stop>;

impl From<StoreError> for Stop {
    fn from(e: StoreError) -> Self {
        problem::log(&e);
        match e {
            StoreError::Unavailable(_) | StoreError::Constraint(_) => Self::Unavailable(false),
            StoreError::Unknown(_) => Self::Unavailable(true),
            StoreError::Corrupt(_) => Self::Internal,
        }
    }
}
impl From<Denied> for Stop {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}
impl From<EntryError> for Stop {
    fn from(e: EntryError) -> Self {
        match e {
            EntryError::Denied(denied) => Self::Denied(denied),
            EntryError::Store(e) => e.into(),
            EntryError::KeyInvalid | EntryError::NotFound | EntryError::WorkspaceRequired => Self::NotFound,
        }
    }
}
impl From<Wait> for Stop {
    fn from(Wait(seconds): Wait) -> Self {
        Self::Wait(seconds)
    }
}
impl From<Response> for Stop {
    fn from(response: Response) -> Self {
        Self::Answer(Box::new(response))
    }
}
