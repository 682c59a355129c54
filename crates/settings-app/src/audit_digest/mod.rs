//! The audit digest: chosen by people, begun when it is due, written when its mails are sent.
mod letter;

use crate::{App, failure::Failure};
use settings_domain::{
    audit_digest::{AuditDigest, AuditDigestError, DigestRun, DigestSettings},
    change::Committed,
    ids::{DeliveryId, DigestRunId, WorkspaceId},
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::{
        StoreError,
        mail::{Letter, Mail},
        store::{CallerId, Entry, Selector},
    },
    transaction::{Call, EntryError, Transaction},
};

/// How many digests one look at the clock begins.
const BATCH: i64 = 50;

impl App {
    /// Chooses when, to whom and about what digests are sent.
    pub async fn configure_audit_digest(
        &self,
        permit: &Permit<actions::UpdateAuditDigest>,
        call: &Call,
        settings: DigestSettings,
    ) -> Result<Committed<AuditDigest>, Failure<AuditDigestError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let present = tx.load().audit_digest().await?.unwrap_or_default();
        let change = present.configure(tx.permit(), settings, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Begins every digest that is due by the database's clock, and queues its mails. Returns how many began. Several workers
    /// may do it at once: each digest begins under its tenant's lock, once.
    pub async fn begin_audit_digests(&self) -> Result<usize, StoreError> {
        let mut begun = 0;
        for workspace in self.ports.store.due_digests(BATCH).await? {
            match self.begin_audit_digest(workspace).await {
                Ok(Some(run)) => {
                    tracing::info!(%workspace, run = %run.id, from = run.from_seq, to = run.to_seq, "an audit digest began");
                    begun += 1;
                }
                Ok(None) => {}
                // One workspace whose digest can't begin keeps nobody else's from it.
                Err(error) => {
                    tracing::error!(%workspace, %error, "an audit digest could not begin; it will be tried again");
                }
            }
        }
        Ok(begun)
    }

    async fn begin_audit_digest(&self, workspace: WorkspaceId) -> Result<Option<DigestRun>, EntryError> {
        let mut tx = self.digest_transaction(workspace).await?;
        let Some(digest) = tx.load().audit_digest().await? else { return Ok(None) };
        let head = tx.load().audit_head().await?.map_or(0, |(seq, _)| seq);
        let entropy = &self.ports.entropy;
        let id = DigestRunId::from_uuid(entropy.uuid());
        let change = digest.begin(tx.permit(), head, id, || DeliveryId::from_uuid(entropy.uuid()));
        Ok(tx.commit(change).await?.into_value())
    }

    /// A mail of a digest as it has to be now; `None` when nobody waits for it any more.
    pub(crate) async fn audit_digest_mail(
        &self,
        delivery: DeliveryId,
        workspace: WorkspaceId,
        run: DigestRunId,
        recipient: i64,
    ) -> Result<Option<Mail>, StoreError> {
        let (mut reads, entry) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
        if !matches!(entry, Entry::Found(_)) {
            return Ok(None);
        }
        let digest = reads.audit_digest().await?.unwrap_or_default();
        let Some(run) = reads.audit_digest_run(run).await?.filter(DigestRun::is_current) else { return Ok(None) };
        let Some(to) = run.recipient(recipient).filter(|to| digest.is_wanted_by(to)).cloned() else { return Ok(None) };
        let letter = letter::write(reads.as_mut(), self.ports.sealer.as_ref(), &self.rules.public_url, &run).await?;
        Ok(letter.map(|letter| Mail { delivery, to, letter: Letter::AuditDigest(Box::new(letter)) }))
    }

    /// A mail server has accepted a mail of this digest. Writes that down once, whichever mail was first.
    pub(crate) async fn audit_digest_accepted(
        &self,
        workspace: WorkspaceId,
        run: DigestRunId,
    ) -> Result<(), StoreError> {
        let written = async {
            let mut tx = self.digest_transaction(workspace).await?;
            let Some(run) = tx.load().audit_digest_run(run).await? else { return Ok(()) };
            let change = run.accepted(tx.permit());
            tx.commit(change).await.map(drop).map_err(EntryError::from)
        };
        match written.await {
            // The workspace was deleted meanwhile: there is no log to write to.
            Ok(()) | Err(EntryError::NotFound) => Ok(()),
            Err(EntryError::Store(e)) => Err(e),
            Err(e) => Err(StoreError::unavailable(e)),
        }
    }

    async fn digest_transaction(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Transaction<actions::SendAuditDigest>, EntryError> {
        let task = Actor::task(SystemTask::SendDigest, workspace);
        let permit = permit::<actions::SendAuditDigest>(&task, self.ports.clock.now())?;
        let request = self.ports.entropy.uuid().to_string();
        Transaction::open_for_task(self.ports.store.as_ref(), &permit, request).await
    }
}
