//! A store in memory that keeps every promise of the ports: for tests of use cases, and the measure for the real ones.
//!
//! It is slow and simple on purpose: a transaction works on a copy of everything, and a commit swaps one copy for another.
mod accounts;
mod audit_digest;
mod billing;
mod checkpoints;
mod directory;
mod erasure;
mod mirror;
mod notifications;
mod outbox;
mod persist;
mod reads;
mod resolving;
mod state;
mod store;
mod tamper;

use self::state::State;
use settings_domain::{
    ids::WorkspaceId,
    ports::{Clock, audit::AuditSealer},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use time::{Duration, OffsetDateTime};

/// Where [`FakeStore`]'s clock starts: 5 January 2026, noon.
pub const START: OffsetDateTime = time::macros::datetime!(2026-01-05 12:00 UTC);

/// A store in memory. Clones share their content.
#[derive(Clone)]
pub struct FakeStore {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    clock: Mutex<OffsetDateTime>,
    locks: Mutex<HashMap<WorkspaceId, Arc<tokio::sync::Mutex<()>>>>,
    sealer: Arc<dyn AuditSealer>,
}

impl fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeStore").field("now", &self.now()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere fails its own test; whatever it left behind was complete.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeStore {
    /// An empty store whose clock shows [`START`].
    #[must_use]
    pub fn new(sealer: Arc<dyn AuditSealer>) -> Self {
        let shared = Shared {
            state: Mutex::new(State::default()),
            clock: Mutex::new(START),
            locks: Mutex::new(HashMap::new()),
            sealer,
        };
        Self { shared: Arc::new(shared) }
    }
    /// Moves the store's clock on. It does not move by itself.
    pub fn advance(&self, by: Duration) {
        *lock(&self.shared.clock) += by;
    }
    /// What the store's clock shows.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        *lock(&self.shared.clock)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
    /// The lock of one tenant: whoever holds it is the only one who decides there.
    async fn tenant_lock(&self, workspace: WorkspaceId) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = Arc::clone(lock(&self.shared.locks).entry(workspace).or_default());
        lock.lock_owned().await
    }
}

impl Clock for FakeStore {
    fn now(&self) -> OffsetDateTime {
        Self::now(self)
    }
}
