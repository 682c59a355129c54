//! When keys and members were last seen: gathered in memory, written about once a second, apart from the rows that
//! calls lock.
use crate::App;
use settings_domain::{
    ids::{ApiKeyId, UserId, WorkspaceId},
    ports::{StoreError, directory::Sightings},
};
use std::{collections::HashMap, sync::Mutex};
use time::OffsetDateTime;

#[derive(Default)]
struct Seen {
    keys: HashMap<(WorkspaceId, ApiKeyId), OffsetDateTime>,
    members: HashMap<(WorkspaceId, UserId), OffsetDateTime>,
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
    /// Writes down what was seen. Called every second, before anything that decides by it, and at the end.
    pub async fn flush_activity(&self) -> Result<(), StoreError> {
        let seen = self.activity.with(std::mem::take);
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
