//! Unwrapped data keys in memory: each for a few minutes, so many at most.
use super::{UNWRAPPED_FOR, cipher::DataCipher};
use settings_domain::ids::WorkspaceId;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
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
#[derive(Default)]
pub(super) struct Turn {
    lock: tokio::sync::Mutex<()>,
    failures: AtomicU64,
}

impl Turn {
    /// Waits for the turn; `None` where whoever had it meanwhile found the keyring away. Who waited would be told the same,
    /// each only after everybody before him.
    pub(super) async fn wait(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let failures = self.failures.load(Ordering::Acquire);
        let turn = self.lock.lock().await;
        (self.failures.load(Ordering::Acquire) == failures).then_some(turn)
    }
    /// The keyring is away.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Default)]
struct Content {
    keys: HashMap<Slot, (Arc<DataCipher>, OffsetDateTime)>,
    newest: HashMap<WorkspaceId, (i64, OffsetDateTime)>,
    turns: HashMap<Slot, Arc<Turn>>,
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
    pub(super) fn find(&self, slot: Slot, now: OffsetDateTime) -> Result<Arc<DataCipher>, Arc<Turn>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use settings_domain::ports::vault::ValueCipher as _;
    use time::Duration;
    use uuid::Uuid;

    fn key(n: u128) -> (Slot, Arc<DataCipher>) {
        let workspace = WorkspaceId::from_uuid(Uuid::from_u128(n));
        (Slot { workspace, generation: 1 }, Arc::new(DataCipher::new(workspace, 1, &[7; 32]).unwrap()))
    }
    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    #[test]
    fn sweeping_drops_what_is_too_old_and_nothing_else() {
        let shelf = Shelf::default();
        let ((old, old_key), (young, young_key)) = (key(1), key(2));
        shelf.put(old, &old_key, at(0));
        shelf.call_newest(old.workspace, 1, at(0));
        shelf.put(young, &young_key, at(1));
        assert!(shelf.find(key(3).0, at(2)).is_err());
        let five_minutes = UNWRAPPED_FOR.whole_seconds();
        shelf.sweep(at(five_minutes - 1));
        assert_eq!(shelf.lock().keys.len(), 2);
        shelf.sweep(at(five_minutes));
        assert_eq!(shelf.lock().keys.keys().copied().collect::<Vec<_>>(), [young]);
        assert!(shelf.lock().newest.is_empty() && shelf.lock().turns.is_empty());
        // The shelf's own was the last but the test's: the key is zeroized when that goes.
        assert_eq!((Arc::strong_count(&old_key), Arc::strong_count(&young_key)), (1, 2));
    }

    #[test]
    fn beyond_the_most_the_oldest_half_goes() {
        let shelf = Shelf::default();
        for n in 0..=MOST {
            let (slot, cipher) = key(n as u128);
            shelf.put(slot, &cipher, at(0) + Duration::milliseconds(i64::try_from(n).unwrap()));
        }
        let count = shelf.lock().keys.len();
        assert!((MOST / 2..=MOST / 2 + 1).contains(&count), "{count}");
        let there = |n: usize| shelf.find(key(n as u128).0, at(10)).is_ok_and(|c| c.generation() == 1);
        assert!(there(MOST) && there(MOST / 2 + 1) && !there(0) && !there(MOST / 2 - 1));
    }
}
