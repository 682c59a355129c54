//! Unwrapped data keys in memory: each for a few minutes, so many at most.
use super::{UNWRAPPED_FOR, cipher::DataCipher};
use settings_domain::ids::WorkspaceId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use time::OffsetDateTime;

/// Most keys at once. Beyond that the oldest half goes.
const MOST: usize = 10_000;

/// Which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) workspace: WorkspaceId,
    pub(super) generation: i64,
}

/// Whose turn it is to unwrap a key.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

#[derive(Default)]
struct Content {
    keys: HashMap<Slot, (Arc<DataCipher>, OffsetDateTime)>,
    newest: HashMap<WorkspaceId, (i64, OffsetDateTime)>,
    turns: HashMap<Slot, Turn>,
}

#[derive(Default)]
pub(super) struct Shelf(Mutex<Content>);

/// Whether what was asked for at `since` may still be used. A clock that went backwards makes it old, not young.
fn is_fresh(since: OffsetDateTime, now: OffsetDateTime) -> bool {
    now >= since && now - since < UNWRAPPED_FOR
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Content> {
        // Each change is one insertion or removal: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The key, or the turn to unwrap it.
    pub(super) fn find(&self, slot: Slot, now: OffsetDateTime) -> Result<Arc<DataCipher>, Turn> {
        let mut content = self.lock();
        match content.keys.get(&slot) {
            Some((cipher, since)) if is_fresh(*since, now) => Ok(Arc::clone(cipher)),
            _ => Err(Arc::clone(content.turns.entry(slot).or_default())),
        }
    }
    /// The newest key of a workspace, where it is known and here.
    pub(super) fn newest(&self, workspace: WorkspaceId, now: OffsetDateTime) -> Option<Arc<DataCipher>> {
        let content = self.lock();
        let (generation, since) = content.newest.get(&workspace)?;
        let (cipher, unwrapped) = content.keys.get(&Slot { workspace, generation: *generation })?;
        (is_fresh(*since, now) && is_fresh(*unwrapped, now)).then(|| Arc::clone(cipher))
    }
    pub(super) fn call_newest(&self, workspace: WorkspaceId, generation: i64, since: OffsetDateTime) {
        self.lock().newest.insert(workspace, (generation, since));
    }
    pub(super) fn put(&self, slot: Slot, cipher: &Arc<DataCipher>, since: OffsetDateTime) {
        let mut content = self.lock();
        if content.keys.len() >= MOST {
            let mut ages: Vec<_> = content.keys.values().map(|(_, since)| *since).collect();
            ages.sort_unstable();
            let middle = ages.get(ages.len() / 2).copied();
            content.keys.retain(|_, (_, since)| middle.is_none_or(|middle| *since > middle));
        }
        content.keys.insert(slot, (Arc::clone(cipher), since));
        content.turns.remove(&slot);
    }
    /// Drops what is too old to be used: a dropped key is zeroized.
    pub(super) fn sweep(&self, now: OffsetDateTime) {
        let mut content = self.lock();
        content.keys.retain(|_, (_, since)| is_fresh(*since, now));
        content.newest.retain(|_, (_, since)| is_fresh(*since, now));
        content.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
    }
}
