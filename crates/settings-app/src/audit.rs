//! Verifies audit chains: as the operator does it, every workspace without a caller, and for who may read the log.
use crate::App;
use settings_domain::{
    audit::{Broken, Verification, checkpoints::Checkpoint},
    ids::WorkspaceId,
    policy::actions::ReadAudit,
    ports::{
        StoreError,
        store::{CallerId, Selector},
    },
    transaction::{Snapshot, verify_chain},
};

/// How many checkpoints are read together.
const BATCH: i64 = 500;

impl App {
    /// Checks the chain of a workspace from the database, or the platform's own.
    pub async fn verify_audit(&self, workspace: WorkspaceId) -> Result<Verification, StoreError> {
        let which = if workspace == WorkspaceId::PLATFORM { Selector::Platform } else { Selector::Id(workspace) };
        let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &which).await?;
        let found = verify_chain(reads.as_mut(), self.ports.sealer.as_ref()).await?;
        drop(reads);
        self.compare_checkpoints(workspace, found).await
    }
    /// As [`App::verify_audit`], for who may read the log.
    pub async fn verify_audit_for(&self, mut snapshot: Snapshot<ReadAudit>) -> Result<Verification, StoreError> {
        let workspace = snapshot.permit().scope().workspace();
        let found = snapshot.verify(self.ports.sealer.as_ref()).await?;
        drop(snapshot);
        self.compare_checkpoints(workspace, found).await
    }

    /// Holds a chain that is whole in itself against what was signed of it: one that was cut is whole, too.
    async fn compare_checkpoints(
        &self,
        workspace: WorkspaceId,
        found: Verification,
    ) -> Result<Verification, StoreError> {
        if found.first_broken.is_some() {
            return Ok(found);
        }
        let mut after = 0;
        loop {
            let kept = self.ports.store.after(workspace, after, BATCH).await?;
            for checkpoint in &kept {
                if let Some(fault) = self.compare_checkpoint(workspace, checkpoint).await? {
                    let first_broken = Some(Broken { seq: checkpoint.link.seq, fault });
                    return Ok(Verification { events: checkpoint.link.seq - 1, first_broken, ..found });
                }
            }
            match kept.last() {
                Some(last) => after = last.link.seq,
                None => return Ok(found),
            }
        }
    }

    async fn compare_checkpoint(
        &self,
        workspace: WorkspaceId,
        kept: &Checkpoint,
    ) -> Result<Option<&'static str>, StoreError> {
        let said = self.ports.sealer.read_checkpoint(&kept.note);
        if said.is_none_or(|s| s.workspace != workspace || s.link != kept.link) {
            return Ok(Some("the signed checkpoint about it was changed"));
        }
        // Read after the chain: a checkpoint may be younger than what was just verified, and so may its event.
        let part = self.ports.store.stretch(workspace, kept.link.seq - 1, 1).await?;
        Ok(match part.events.first().filter(|e| e.record.seq == kept.link.seq) {
            None => Some("it was signed, and is not there any more"),
            Some(event) if event.hash != kept.link.hash => Some("another event was signed at its place"),
            Some(_) => None,
        })
    }
}
