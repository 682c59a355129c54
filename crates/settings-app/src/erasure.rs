//! Erasure of a person: everything in one transaction, and then the receipt.
use crate::{
    App,
    failure::{Failure, replayed},
    members::active_keys_of,
};
use settings_domain::{
    change::Committed,
    erasure::{EraseMemberError, Erased, Found, erase},
    ids::{UserId, WorkspaceId},
    policy::{Permit, actions},
    ports::{
        StoreError,
        audit::{ErasureNote, Link},
        store::{AuditFilter, CallerId, Selector},
    },
    tokens::Digest,
    transaction::{Call, Transaction},
};
use std::collections::BTreeSet;

impl App {
    /// Erases a person. Local copies of mail go first: if they can't, nothing is erased. They go once more after the commit,
    /// because a mail may have been under way.
    pub async fn erase_member(
        &self,
        permit: &Permit<actions::EraseMember>,
        call: &Call,
        user: UserId,
        confirm: &str,
    ) -> Result<Committed<Erased>, Failure<EraseMemberError>> {
        let workspace = permit.scope().workspace();
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let subject = self.erased_subject(workspace, user);
        let Some(traces) = tx.load().traces(user).await? else {
            let gone = tx.load().was_erased(&subject).await?;
            return Err(Failure::rule(if gone { EraseMemberError::AlreadyErased } else { EraseMemberError::NotFound }));
        };
        let (mut sent, mut keys) = (Vec::new(), Vec::new());
        for member in &traces.members {
            sent.extend(tx.load().invitations_sent_by(member.user).await?);
            keys.extend(active_keys_of(&mut tx, member.user).await?);
        }
        let found = Found {
            heads: tx.load().headcount().await?,
            digest: tx.load().audit_digest().await?,
            notifications: tx.load().notification_settings().await?,
            head: tx.load().audit_head().await?.map_or(0, |(seq, _)| seq),
            traces,
            sent,
            keys,
        };
        let change = erase(tx.permit(), &found, subject, confirm).map_err(Failure::rule)?;
        let texts = &found.traces.texts;
        self.forget_mail(texts).await?;
        let done = tx.commit(change).await?;
        if let Err(error) = self.forget_mail(texts).await {
            tracing::error!(%workspace, %error, "mail that was under way during an erasure may still lie in the local mailbox");
        }
        Ok(done)
    }

    /// The signed receipt of an erasure, made from the event that the log holds. The same for every call.
    pub async fn erasure_receipt(&self, workspace: WorkspaceId, erased: &Erased) -> Result<String, StoreError> {
        let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
        let (after_seq, before_seq) = (Some(erased.seq - 1), Some(erased.seq + 1));
        let filter = AuditFilter { after_seq, before_seq, ..AuditFilter::default() };
        let entry = reads.audit_events(&filter, 1).await?.pop();
        let entry = entry.ok_or_else(|| StoreError::Corrupt("an erasure without its event".to_owned()))?;
        let link = Link { seq: entry.record.seq, hash: entry.hash };
        let note = ErasureNote { link, at: entry.record.at, events: erased.events };
        self.ports.sealer.erasure_receipt(workspace, &note).map_err(StoreError::unavailable)
    }

    /// What the ledger knows an erased account by: a MAC, so that nobody can be read from it.
    fn erased_subject(&self, workspace: WorkspaceId, user: UserId) -> Digest {
        let (workspace, user) = (workspace.as_uuid(), user.as_uuid());
        Digest::new(self.ports.mint.fingerprint(&[b"erased", workspace.as_bytes(), user.as_bytes()]))
    }

    async fn forget_mail(&self, texts: &BTreeSet<String>) -> Result<(), StoreError> {
        match &self.ports.kept_mail {
            Some(mail) => mail.forget(texts).await.map(drop).map_err(StoreError::unavailable),
            None => Ok(()),
        }
    }
}
