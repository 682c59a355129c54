//! Verifies audit chains, as the operator does it: every workspace, without a caller.
use crate::App;
use settings_domain::{
    audit::Verification,
    ids::WorkspaceId,
    ports::{
        StoreError,
        store::{CallerId, Selector},
    },
    transaction::verify_chain,
};

impl App {
    /// Checks the chain of a workspace from the database, or the platform's own.
    pub async fn verify_audit(&self, workspace: WorkspaceId) -> Result<Verification, StoreError> {
        let which = if workspace == WorkspaceId::PLATFORM { Selector::Platform } else { Selector::Id(workspace) };
        let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &which).await?;
        verify_chain(reads.as_mut(), self.ports.sealer.as_ref()).await
    }
}
