//! Where the events of a call ended up, for whoever made it.
use crate::{ids::WorkspaceId, ports::audit::Link};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Notes the place of the last event that a call left in each workspace. Clones share their notes.
#[derive(Debug, Clone, Default)]
pub struct Receipts(Arc<Mutex<BTreeMap<WorkspaceId, Link>>>);

impl Receipts {
    /// Notes a durable event.
    pub fn note(&self, workspace: WorkspaceId, last: Link) {
        // Nothing runs while it is held that could panic, and what lies in it is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace, last);
    }
    /// What was noted until now.
    #[must_use]
    pub fn all(&self) -> Vec<(WorkspaceId, Link)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(w, l)| (*w, *l)).collect()
    }
}
