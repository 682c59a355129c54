//! Key lookups that are both strict and fast: the group read.
//!
//! The promise: once a revocation was acknowledged, no call that begins later, on any process, sees the key active. A
//! cache alone breaks it, one query per call is slow. So concurrent calls share one query, as a group commit shares one
//! flush, and what that query need not read again is cached under the workspace's epoch. Why the promise holds:
//!
//! 1. **No answer is older than its question.** A call first puts its key into the queue, and a round takes the whole queue
//!    *before* it starts its query. So the query that answers a call begins after the call arrived. A call that comes while
//!    a round runs waits for the next one, although the answer of this one may be close.
//! 2. **An epoch names a state.** Everything that an answer is made of (the key's row, the workspace's row, its members and
//!    waiting invitations) is written by `persist` alone, and `persist` counts the workspace's epoch up in the very commit
//!    that writes. Commits of one workspace are in a row, because each updates its row. So two snapshots that show the same
//!    epoch of a workspace show the same rows of it.
//! 3. **A cached row was read with its epoch**, by one statement and therefore from one snapshot. When the round's query
//!    shows that epoch again, by 2 the cached rows are what the query would have read; by 1 they are fresh enough. When it
//!    shows another one or none, the rows are loaded again, by a query that begins later still.
//! 4. What changes without a write is time. The instant comes with every answer from the database's clock, and what depends
//!    on it (the key's expiry, the invitations that still hold a seat) is worked out from it for each answer.
//!
//! Nothing here depends on messages between processes, on leases or on clocks that agree.
use crate::{
    api_keys,
    db::{SqlDb, Stmt, Tx, id_list},
    engine::{Engine, Scope},
    workspaces,
};
use settings_domain::{
    api_keys::ApiKeyRecord,
    ids::ApiKeyId,
    micros,
    ports::{StoreError, store::KeyStanding},
    workspaces::{Workspace, WorkspaceView},
};
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Most keys in one query; the rest of a round takes another.
const BATCH: usize = 256;
/// Keys kept per generation of the cache; there are two.
const GENERATION: usize = 5_000;
/// A round that takes longer has failed: doubt is 503, never "allowed".
const DEADLINE: Duration = Duration::from_secs(5);

type Answer = Result<Option<KeyStanding>, StoreError>;
type Asked = HashMap<ApiKeyId, Vec<oneshot::Sender<Answer>>>;

/// What is known of a key under an epoch of its workspace.
#[derive(Debug)]
struct Known {
    epoch: i64,
    record: ApiKeyRecord,
    workspace: Workspace,
    members: i64,
    /// When each waiting invitation ends, in microseconds.
    waiting: Vec<i64>,
}

impl Known {
    fn answer(&self, at: OffsetDateTime) -> KeyStanding {
        let now = micros::from_time(at);
        let pending = self.waiting.iter().filter(|expires| **expires > now).count();
        let seats_used = self.members + i64::try_from(pending).unwrap_or(i64::MAX);
        let workspace = WorkspaceView { workspace: self.workspace.clone(), seats_used };
        KeyStanding { record: self.record.clone(), workspace, at }
    }
}

/// Two generations: what was not asked for while a whole one filled up is forgotten.
#[derive(Debug, Default)]
struct Cache {
    young: HashMap<ApiKeyId, Arc<Known>>,
    old: HashMap<ApiKeyId, Arc<Known>>,
}

impl Cache {
    fn get(&mut self, id: ApiKeyId) -> Option<Arc<Known>> {
        if let Some(known) = self.young.get(&id) {
            return Some(Arc::clone(known));
        }
        let known = self.old.remove(&id)?;
        self.put(id, Arc::clone(&known));
        Some(known)
    }
    fn put(&mut self, id: ApiKeyId, known: Arc<Known>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, known);
    }
    fn forget(&mut self, id: ApiKeyId) {
        self.young.remove(&id);
        self.old.remove(&id);
    }
}

#[derive(Debug, Default)]
struct Queue {
    asked: Asked,
    running: bool,
}

/// Answers key lookups in groups.
pub(crate) struct KeyReader<E: Engine> {
    engine: Arc<E>,
    queue: Mutex<Queue>,
    cache: Mutex<Cache>,
}

impl<E: Engine> fmt::Debug for KeyReader<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyReader").finish_non_exhaustive()
    }
}

/// A lock that outlives a panic: what it guards is consistent at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The round ended without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the key lookup was given up")]
struct GivenUp;

/// Lets the next call start a new round when this one ends early, for whatever reason.
struct Running<'a, E: Engine>(&'a KeyReader<E>);

impl<E: Engine> Drop for Running<'_, E> {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.running = false;
        // Those who wait would wait for ever: their senders go, and they learn that nobody will answer.
        queue.asked.clear();
    }
}

impl<E: Engine> KeyReader<E> {
    pub(crate) fn new(engine: Arc<E>) -> Self {
        Self { engine, queue: Mutex::default(), cache: Mutex::default() }
    }

    /// The key as it stands at some instant after this call.
    pub(crate) async fn key(self: &Arc<Self>, id: ApiKeyId) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut queue = lock(&self.queue);
            queue.asked.entry(id).or_default().push(sender);
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            let reader = Arc::clone(self);
            tokio::spawn(async move { reader.work().await });
        }
        receiver.await.unwrap_or_else(|_| Err(StoreError::unavailable(GivenUp)))
    }

    /// Rounds until nobody asks.
    async fn work(&self) {
        let running = Running(self);
        loop {
            // Who is about to ask may join: under load this makes rounds of dozens instead of a few, and alone it costs nothing.
            tokio::task::yield_now().await;
            let asked = {
                let mut queue = lock(&self.queue);
                if queue.asked.is_empty() {
                    queue.running = false;
                    break;
                }
                std::mem::take(&mut queue.asked)
            };
            self.round(asked).await;
        }
        // Nothing to clean up: the queue was empty under its lock, and by now another task may be the one that runs.
        std::mem::forget(running);
    }

    async fn round(&self, mut asked: Asked) {
        let ids: Vec<ApiKeyId> = asked.keys().copied().collect();
        let mut failure = None;
        for part in ids.chunks(BATCH) {
            let read = tokio::time::timeout(DEADLINE, self.read(part)).await;
            match read.unwrap_or_else(|_| Err(StoreError::unavailable(GivenUp))) {
                Ok(answers) => {
                    for (id, answer) in answers {
                        reply(asked.remove(&id), &answer);
                    }
                }
                Err(e) => failure = Some(e),
            }
        }
        if let Some(failure) = failure {
            tracing::warn!(error = %failure, "a key lookup failed");
            for (_, waiting) in asked.drain() {
                reply(Some(waiting), &Err(failure.to_string()));
            }
        }
    }

    /// Reads some keys, from now on.
    async fn read(&self, ids: &[ApiKeyId]) -> Result<Vec<(ApiKeyId, Result<Option<KeyStanding>, String>)>, StoreError> {
        let cached: Vec<(ApiKeyId, Arc<Known>)> = {
            let mut cache = lock(&self.cache);
            ids.iter().filter_map(|id| Some((*id, cache.get(*id)?))).collect()
        };
        let workspaces: BTreeSet<Uuid> = cached.iter().map(|(_, k)| k.workspace.id.as_uuid()).collect();
        let epochs = if workspaces.is_empty() {
            HashMap::new()
        } else {
            epochs(&mut self.engine.single().await?, E::STATEMENTS.epochs, workspaces).await?
        };
        let mut answers = HashMap::with_capacity(ids.len());
        for (id, known) in cached {
            if let Some((epoch, at)) = epochs.get(&known.workspace.id.as_uuid())
                && *epoch == known.epoch
            {
                answers.insert(id, Ok(Some(known.answer(*at))));
            }
        }
        let stale: Vec<ApiKeyId> = ids.iter().copied().filter(|id| !answers.contains_key(id)).collect();
        if !stale.is_empty() {
            self.load(&stale, &mut answers).await?;
        }
        Ok(answers.into_iter().collect())
    }

    /// Loads rows with their epoch, from one snapshot.
    async fn load(
        &self,
        ids: &[ApiKeyId],
        answers: &mut HashMap<ApiKeyId, Result<Option<KeyStanding>, String>>,
    ) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_read(Scope::directory()).await?;
        let list = id_list(ids.iter().map(|id| id.as_uuid()));
        // One damaged row must not lock out everybody else: it spoils its own answer only.
        let rows = tx
            .all(Stmt::new(E::STATEMENTS.load_keys).bind(list), |row| {
                Ok((ApiKeyId::from_uuid(row.id("k_id")?), read_known(row)))
            })
            .await?;
        let mut cache = lock(&self.cache);
        for id in ids {
            cache.forget(*id);
            answers.insert(*id, Ok(None));
        }
        for (id, row) in rows {
            let answer = match row {
                Ok((known, at)) => {
                    let known = Arc::new(known);
                    cache.put(id, Arc::clone(&known));
                    Ok(Some(known.answer(at)))
                }
                Err(e) => Err(e.to_string()),
            };
            answers.insert(id, answer);
        }
        Ok(())
    }
}

fn reply(waiting: Option<Vec<oneshot::Sender<Answer>>>, answer: &Result<Option<KeyStanding>, String>) {
    for sender in waiting.into_iter().flatten() {
        // Nobody there any more: fine.
        let _ = sender.send(answer.clone().map_err(StoreError::unavailable));
    }
}

async fn epochs<D: SqlDb>(
    tx: &mut Tx<D>,
    sql: &'static str,
    workspaces: BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, (i64, OffsetDateTime)>, StoreError> {
    let stmt = Stmt::new(sql).bind(id_list(workspaces));
    let rows = tx.all(stmt, |row| Ok((row.id("id")?, (row.int("epoch")?, row.time("at")?)))).await?;
    Ok(rows.into_iter().collect())
}

fn read_known<D: SqlDb>(row: &crate::db::Cells<'_, D>) -> Result<(Known, OffsetDateTime), StoreError> {
    let waiting = row.maybe_text("waiting")?.unwrap_or_default();
    let waiting = waiting.split(',').filter(|t| !t.is_empty()).map(str::parse).collect::<Result<_, _>>();
    let known = Known {
        epoch: row.int("epoch")?,
        record: api_keys::read_record(row)?,
        workspace: workspaces::read(row)?,
        members: row.int("members")?,
        waiting: waiting.map_err(|_| StoreError::Corrupt("column waiting".to_owned()))?,
    };
    Ok((known, row.time("now")?))
}
