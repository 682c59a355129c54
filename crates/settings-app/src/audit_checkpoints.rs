//! Signs checkpoints of chains that have grown. Several processes may do it at once: each checkpoint follows the one before,
//! and the store lets each be followed once.
use crate::App;
use settings_domain::{
    audit::checkpoints::{Checkpoint, Grown},
    ids::WorkspaceId,
    ports::{
        StoreError,
        audit::{Link, Statement},
        store::Page,
    },
};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many chains are looked at together, and how many events of one.
const BATCH: i64 = 500;

/// Chains that were found broken, so that each is reported once by a process and not with every look.
#[derive(Debug, Default)]
pub(crate) struct Reported(Mutex<BTreeSet<WorkspaceId>>);

impl Reported {
    fn first(&self, workspace: WorkspaceId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(workspace)
    }
    fn forget(&self, workspace: WorkspaceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&workspace);
    }
}

/// What a round of signing came to.
#[derive(Debug, Default)]
pub struct Signed {
    /// What this process signed.
    pub checkpoints: Vec<(WorkspaceId, Checkpoint)>,
    /// Chains that do not hold, and so get no checkpoint.
    pub broken: Vec<WorkspaceId>,
}

impl App {
    /// Signs every chain that is due by the database's clock.
    pub async fn sign_due_checkpoints(&self) -> Result<Signed, StoreError> {
        self.sign_checkpoints(Grown::is_due).await
    }
    /// Signs every chain that has grown, due or not: before a backup, or to have the notes at once.
    pub async fn sign_all_checkpoints(&self) -> Result<Signed, StoreError> {
        self.sign_checkpoints(|_| true).await
    }

    async fn sign_checkpoints(&self, wanted: impl Fn(&Grown) -> bool + Send) -> Result<Signed, StoreError> {
        let (mut signed, mut after) = (Signed::default(), None);
        loop {
            let grown = self.ports.store.grown(Page { after, limit: BATCH }).await?;
            let Some(last) = grown.last() else { return Ok(signed) };
            after = Some(last.workspace.as_uuid());
            for chain in grown.iter().filter(|g| wanted(g)) {
                let workspace = chain.workspace;
                match self.sign_checkpoint(chain).await {
                    Ok(Some(checkpoint)) => {
                        self.broken_chains.forget(workspace);
                        // The log is a place of its own: what is written there is out of reach for who writes to the database.
                        let (seq, note) = (checkpoint.link.seq, checkpoint.note.as_str());
                        tracing::info!(%workspace, seq, note, "an audit checkpoint was signed");
                        signed.checkpoints.push((workspace, checkpoint));
                    }
                    Ok(None) => {}
                    Err(Unsigned::Broken(seq, fault)) => {
                        if self.broken_chains.first(workspace) {
                            tracing::error!(%workspace, seq, fault, "the audit log does not hold, so its end is not signed");
                        }
                        signed.broken.push(workspace);
                    }
                    // One chain that can't be read keeps no other one from its checkpoint.
                    Err(Unsigned::Store(error)) => {
                        tracing::warn!(%workspace, %error, "an audit log could not be signed; it will be tried again");
                    }
                }
            }
        }
    }

    /// Checks what was written since the newest checkpoint, and signs the end. `None` where another process was first.
    async fn sign_checkpoint(&self, grown: &Grown) -> Result<Option<Checkpoint>, Unsigned> {
        let (store, sealer, workspace) = (&self.ports.store, &self.ports.sealer, grown.workspace);
        // A checkpoint is believed for its signature, not because it lies in the table.
        let previous = match store.newest(workspace).await? {
            None => None,
            Some(newest) => {
                let said = sealer.read_checkpoint(&newest.note);
                let own = said.filter(|s| s.workspace == workspace && s.link == newest.link);
                Some(own.ok_or(Unsigned::Broken(newest.link.seq, "the newest checkpoint was changed"))?.link)
            }
        };
        let mut link = previous.unwrap_or(Link::START);
        loop {
            let part = store.stretch(workspace, link.seq, BATCH).await?;
            if part.events.is_empty() {
                break;
            }
            for event in &part.events {
                link =
                    sealer.check(&link, event, &part.salts).map_err(|fault| Unsigned::Broken(link.seq + 1, fault))?;
            }
        }
        if link.seq < grown.head {
            return Err(Unsigned::Broken(
                link.seq + 1,
                "the event is missing: the chain's head says that it was written",
            ));
        }
        if previous == Some(link) {
            return Ok(None);
        }
        let statement = Statement { workspace, link, previous, at: Some(grown.now) };
        let note = sealer.state(&statement).map_err(StoreError::unavailable)?;
        let previous_seq = previous.map_or(0, |p| p.seq);
        let checkpoint = Checkpoint { link, previous_seq, note, signed_at: grown.now };
        Ok(store.keep(workspace, &checkpoint).await?.then_some(checkpoint))
    }
}

/// Why there is no checkpoint.
enum Unsigned {
    Broken(i64, &'static str),
    Store(StoreError),
}

impl From<StoreError> for Unsigned {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
