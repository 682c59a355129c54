//! Erasure of a person: one transaction decides and makes unreadable, then what can't be read is emptied in batches, and then
//! there is the receipt.
use crate::{
    App,
    failure::{Failure, replayed},
    members::active_keys_of,
};
use settings_domain::{
    change::Committed,
    erasure::{EraseMemberError, Erased, Found, NamedIn, Survey, Traces, erase},
    ids::{DeliveryId, UserId, WorkspaceId},
    policy::{Permit, actions},
    ports::{
        StoreError,
        audit::{ErasureNote, Link},
        erasures::ErasureRun,
        store::{ApiKeyFilter, AuditFilter, CallerId, Page, Selector, TenantReads},
    },
    tokens::Digest,
    transaction::{Call, Transaction},
};
use std::collections::BTreeSet;
use time::Duration;

/// How long an erasure is waited for. What takes longer goes on by itself, and is asked for.
pub const PATIENCE: Duration = Duration::seconds(20);
/// How often the chain is looked at anew because somebody else was erased meanwhile. After that it is looked at under the lock.
const ATTEMPTS: u32 = 3;
/// How many openings are emptied first,
const FIRST_BATCH: i64 = 200;
/// and at most.
const LARGEST_BATCH: i64 = 5_000;
/// How long a batch may take, so that nobody waits for it: a longer one makes the next one smaller.
const BATCH_TIME: Duration = Duration::milliseconds(30);
/// After how long somebody else goes on with what a process left.
const LEFT_ALONE: Duration = Duration::seconds(15);

impl App {
    /// Erases a person. Local copies of mail go first: if they can't, nothing is erased. They go once more after the commit,
    /// because a mail may have been under way.
    ///
    /// From the commit on nobody can read anything of the person. What can't be read any more is emptied afterwards, a few
    /// openings at a time, and waited for where that takes no longer than [`PATIENCE`]; otherwise it goes on
    /// ([`App::resume_erasures`]).
    pub async fn erase_member(
        &self,
        permit: &Permit<actions::EraseMember>,
        call: &Call,
        user: UserId,
        confirm: &str,
    ) -> Result<Committed<Erased>, Failure<EraseMemberError>> {
        let workspace = permit.scope().workspace();
        let subject = self.erased_subject(workspace, user);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (survey, named_in) = self.survey(workspace, user, confirm).await?;
            let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
            replayed!(tx);
            let Some(traces) = tx.load().traces(user).await? else {
                let gone = tx.load().was_erased(&subject).await?;
                return Err(Failure::rule(if gone {
                    EraseMemberError::AlreadyErased
                } else {
                    EraseMemberError::NotFound
                }));
            };
            if !traces.is_confirmed_by(confirm) {
                return Err(Failure::rule(EraseMemberError::WrongConfirmation));
            }
            let holds = survey.persons == traces.persons && !tx.load().erased_since(survey.upto).await?;
            if !holds && attempt < ATTEMPTS {
                continue;
            }
            let survey = if holds { survey } else { Survey::of(&traces.persons) };
            let done = self.erase_found(tx, (traces, survey, named_in), subject, confirm).await?;
            let until = self.ports.clock.now() + PATIENCE;
            let seq = done.value().seq;
            if let Err(error) = self.empty_erasure(workspace, seq, || self.ports.clock.now() >= until).await {
                tracing::warn!(%workspace, seq, %error, "what an erasure left could not be emptied; it will be tried again");
            }
            return Ok(done);
        }
    }

    /// Decides and commits, under the tenant's lock.
    async fn erase_found(
        &self,
        mut tx: Transaction<actions::EraseMember>,
        (traces, survey, named_in): (Traces, Survey, Vec<NamedIn>),
        subject: Digest,
        confirm: &str,
    ) -> Result<Committed<Erased>, Failure<EraseMemberError>> {
        let (mut sent, mut keys) = (Vec::new(), Vec::new());
        for member in &traces.members {
            sent.extend(tx.load().invitations_sent_by(member.user).await?);
            keys.extend(active_keys_of(&mut tx, member.user).await?);
        }
        let found = Found {
            heads: tx.load().headcount().await?,
            digest: tx.load().audit_digest().await?,
            notifications: tx.load().notification_settings().await?,
            survey: tx.load().survey(survey).await?,
            admins: tx.load().admins().await?.into_iter().map(|a| (a, self.fresh_delivery())).collect(),
            named_in,
            traces,
            sent,
            keys,
        };
        let change = erase(tx.permit(), &found, subject, confirm).map_err(Failure::rule)?;
        let texts = &found.traces.texts;
        self.forget_mail(texts).await?;
        let done = tx.commit(change).await?;
        if let Err(error) = self.forget_mail(texts).await {
            tracing::warn!(%error, "mail that was under way during an erasure may still lie in the local mailbox");
        }
        Ok(done)
    }

    /// What the chain says of a person, and which names may name them: looked for before anybody has to wait for it.
    async fn survey(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        confirm: &str,
    ) -> Result<(Survey, Vec<NamedIn>), StoreError> {
        let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
        match reads.glimpse(user).await? {
            // Whoever is wrong about the address is told so without a long look.
            Some(traces) if traces.is_confirmed_by(confirm) => {
                let survey = reads.survey(Survey::of(&traces.persons)).await?;
                Ok((survey, named_in(reads.as_mut(), &traces).await?))
            }
            _ => Ok((Survey::default(), Vec::new())),
        }
    }

    fn fresh_delivery(&self) -> DeliveryId {
        DeliveryId::from_uuid(self.ports.entropy.uuid())
    }

    /// Empties what an erasure left, batch by batch, until it is done or `stop` says so. Whether it is done.
    async fn empty_erasure(
        &self,
        workspace: WorkspaceId,
        seq: i64,
        stop: impl Fn() -> bool + Send,
    ) -> Result<bool, StoreError> {
        let (mut after, mut limit) = (0, FIRST_BATCH);
        while !stop() {
            let begun = self.ports.clock.now();
            let Some(next) = self.ports.store.empty(workspace, seq, after, limit).await? else { return Ok(true) };
            let took = self.ports.clock.now() - begun;
            limit = if took > BATCH_TIME { limit / 2 } else { limit + limit / 4 }.clamp(1, LARGEST_BATCH);
            after = next;
        }
        Ok(false)
    }

    /// Goes on with erasures that a process left, killed or out of patience. How many were completed.
    pub async fn resume_erasures(&self, stop: impl Fn() -> bool + Send + Sync) -> Result<usize, StoreError> {
        let mut completed = 0;
        for (workspace, seq) in self.ports.store.left_alone(LEFT_ALONE).await? {
            if self.empty_erasure(workspace, seq, &stop).await? {
                tracing::info!(%workspace, seq, "an erasure is complete");
                completed += 1;
            }
        }
        Ok(completed)
    }

    /// How far an erasure is, by the place of its event.
    pub async fn erasure(&self, workspace: WorkspaceId, seq: i64) -> Result<Option<ErasureRun>, StoreError> {
        self.ports.store.erasure(workspace, seq).await
    }

    /// The signed receipt of an erasure, made from the event that the log holds. The same for every call.
    pub async fn erasure_receipt(&self, workspace: WorkspaceId, run: &ErasureRun) -> Result<String, StoreError> {
        let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
        let (after_seq, before_seq) = (Some(run.seq - 1), Some(run.seq + 1));
        let filter = AuditFilter { after_seq, before_seq, ..AuditFilter::default() };
        let entry = reads.audit_events(&filter, 1).await?.pop();
        let entry = entry.ok_or_else(|| StoreError::Corrupt("an erasure without its event".to_owned()))?;
        let link = Link { seq: entry.record.seq, hash: entry.hash };
        let note = ErasureNote { link, at: entry.record.at, events: run.events };
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

/// Names that somebody typed and that may name the person.
async fn named_in(reads: &mut dyn TenantReads, traces: &Traces) -> Result<Vec<NamedIn>, StoreError> {
    const ALL: Page = Page { after: None, limit: 10_000 };
    let mut names: Vec<(&str, uuid::Uuid, String)> = Vec::new();
    let workspace = reads.workspace().await?;
    names.extend(workspace.map(|w| ("workspace", w.id.as_uuid(), w.name.to_string())));
    names.extend(reads.environments().await?.into_iter().map(|e| ("environment", e.id.as_uuid(), e.name.to_string())));
    let keys = reads.api_keys(ApiKeyFilter::default(), ALL).await?;
    names.extend(keys.into_iter().map(|k| ("apiKey", k.key.id.as_uuid(), k.key.name.to_string())));
    names.extend(
        reads.variables(None, ALL).await?.into_iter().map(|v| ("variable", v.id.as_uuid(), v.name.to_string())),
    );
    names.extend(reads.secrets(None, ALL).await?.into_iter().map(|s| ("secret", s.id.as_uuid(), s.name.to_string())));
    names.extend(
        reads.models(ALL).await?.into_iter().map(|m| ("model", m.model.id.as_uuid(), m.model.name.to_string())),
    );
    let found = names.into_iter().filter(|(_, _, name)| traces.may_be_named_in(name));
    Ok(found.map(|(kind, id, _)| NamedIn { kind: kind.to_owned(), id }).collect())
}
