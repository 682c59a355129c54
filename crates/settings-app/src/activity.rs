//! When keys, members and sessions were last seen: gathered in memory, written about once a second, apart from the rows that
//! calls lock.
use crate::App;
use settings_domain::{
    ids::{ApiKeyId, SessionId, UserId, WorkspaceId},
    ports::{StoreError, directory::Sightings},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Mutex,
};
use time::OffsetDateTime;

#[derive(Default)]
struct Seen {
    keys: HashMap<(WorkspaceId, ApiKeyId), OffsetDateTime>,
    members: HashMap<(WorkspaceId, UserId), OffsetDateTime>,
    sessions: BTreeSet<SessionId>,
}

/// What was seen since the last write.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Seen>);

impl Recorder {
    fn with<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        // A panic while holding the lock can only have left a complete map behind.
        f(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl App {
    /// Notes that a key was used.
    pub fn saw_key(&self, workspace: WorkspaceId, key: ApiKeyId, at: OffsetDateTime) {
        self.activity.with(|s| s.keys.insert((workspace, key), at));
    }
    /// Notes that a member called.
    pub fn saw_member(&self, workspace: WorkspaceId, user: UserId, at: OffsetDateTime) {
        self.activity.with(|s| s.members.insert((workspace, user), at));
    }
    /// Notes that a session is in use.
    pub(crate) fn saw_session(&self, id: SessionId) {
        self.activity.with(|s| s.sessions.insert(id));
    }
    /// Writes down what was seen. Called every second, before anything that decides by it, and at the end.
    pub async fn flush_activity(&self) -> Result<(), StoreError> {
        let mut seen = self.activity.with(std::mem::take);
        let sessions: Vec<_> = std::mem::take(&mut seen.sessions).into_iter().collect();
        let kept = self.ports.store.use_sessions(&sessions).await;
        if kept.is_err() {
            self.activity.with(|s| s.sessions.extend(&sessions));
        }
        self.flush_sightings(seen).await.and(kept)
    }

    async fn flush_sightings(&self, seen: Seen) -> Result<(), StoreError> {
        if seen.keys.is_empty() && seen.members.is_empty() {
            return Ok(());
        }
        let sightings = Sightings {
            keys: seen.keys.iter().map(|((w, k), at)| (*w, *k, *at)).collect(),
            members: seen.members.iter().map(|((w, u), at)| (*w, *u, *at)).collect(),
        };
        let result = self.ports.store.record(&sightings).await;
        if result.is_err() {
            // Nothing is lost by a short outage: what was seen meanwhile is newer and wins.
            self.activity.with(|s| {
                for (k, at) in seen.keys {
                    s.keys.entry(k).or_insert(at);
                }
                for (k, at) in seen.members {
                    s.members.entry(k).or_insert(at);
                }
            });
        }
        result
    }
}
