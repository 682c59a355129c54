//! Snapshots and transactions: both are opened by proving a right, and both read that right together with the data.
mod reads;

pub use reads::{audience, channels};

use crate::{
    api_keys::{ApiKey, KeyStatus},
    audit::{Broken, Receipts, UnopenedCheck, Verification},
    change::{Change, Committed, StoredOutcome},
    idempotency::{IdempotentCall, Recorded},
    ids::UserId,
    members::{Headcount, Member},
    policy::{Action, Actor, Denied, Mutation, Permission, Permit, Principal, Requirement, ScopeSet, permit},
    ports::{
        StoreError,
        audit::{AuditSealer, Link, is_unopened},
        store::{CallerId, Entry, Selector, Standing, Store, TenantReads, UnitOfWork},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

/// An authenticated caller, before any workspace is known. Identity only: rights are read with the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A signed-in account.
    User {
        /// The account.
        id: UserId,
        /// The e-mail, where it is verified.
        verified_email: Option<crate::text::Email>,
        /// Whether the operator named this account a platform owner.
        platform: bool,
    },
    /// A key whose secret and seal were right.
    Key(AuthenticatedKey),
}

/// What authentication vouched for: a key's scopes and expiry never change, so a row that says otherwise was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticatedKey {
    id: crate::ids::ApiKeyId,
    scopes: ScopeSet,
    expires_at: Option<OffsetDateTime>,
}

impl From<&ApiKey> for AuthenticatedKey {
    fn from(key: &ApiKey) -> Self {
        Self { id: key.id, scopes: key.scopes, expires_at: key.expires_at }
    }
}

impl Caller {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> CallerId {
        match self {
            Self::User { id, .. } => CallerId::User(*id),
            Self::Key(key) => CallerId::Key(key.id),
        }
    }
    /// Whether the operator named this account a platform owner.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        matches!(self, Self::User { platform: true, .. })
    }
}

/// Why a caller did not get in.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The key does not work any more (or its row was tampered with).
    #[error("the key is not valid")]
    KeyInvalid,
    /// No such workspace, or none that the caller may know of: one answer for both.
    #[error("there is no such workspace")]
    NotFound,
    /// The caller has to say which workspace is meant.
    #[error("say which workspace is meant")]
    WorkspaceRequired,
    /// In, but without this right.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed; nothing is decided.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Turns a standing into an actor. The one place where "not a member" becomes "not found".
pub fn actor(caller: &Caller, standing: &Standing) -> Result<Actor, EntryError> {
    match caller {
        Caller::Key(authenticated) => match &standing.key {
            Some(record) if record.key.id != authenticated.id => Err(EntryError::KeyInvalid),
            // A key of another workspace learns nothing about this one.
            Some(record) if record.key.workspace != standing.workspace => Err(EntryError::NotFound),
            Some(record)
                if standing.exists
                    && record.key.status(standing.at) == KeyStatus::Active
                    && AuthenticatedKey::from(&record.key) == *authenticated =>
            {
                Ok(Actor::key(&record.key))
            }
            _ => Err(EntryError::KeyInvalid),
        },
        Caller::User { .. } if !standing.exists => Err(EntryError::NotFound),
        Caller::User { id, platform, .. } => {
            // A row of another account or tenant, however it got here, lends nobody its rights.
            let own = |m: &&Member| m.user == *id && m.workspace == standing.workspace;
            let member = standing.member.as_ref().filter(own).and_then(|m| Actor::member(m, *platform));
            match member {
                Some(actor) => Ok(actor),
                None if *platform => Ok(Actor::platform(*id, standing.workspace)),
                None => Err(EntryError::NotFound),
            }
        }
    }
}

/// A consistent view of one workspace for a caller who may do `A` there.
pub struct Snapshot<A> {
    permit: Permit<A>,
    reads: Box<dyn TenantReads>,
}

impl<A> std::fmt::Debug for Snapshot<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl<A: Action> Snapshot<A> {
    /// Reads the caller's standing and decides, in the very snapshot that the data will come from.
    pub async fn open(store: &dyn Store, caller: &Caller, selector: &Selector) -> Result<Self, EntryError> {
        let (reads, entry) = store.snapshot(caller.id(), selector).await?;
        let standing = match entry {
            Entry::Found(standing) => *standing,
            Entry::Missing => return Err(EntryError::NotFound),
            Entry::Unclear => return Err(EntryError::WorkspaceRequired),
        };
        let actor = actor(caller, &standing)?;
        Ok(Self { permit: permit::<A>(&actor, standing.at)?, reads })
    }
    /// The proof, to open a transaction with.
    pub const fn permit(&self) -> &Permit<A> {
        &self.permit
    }
    /// When this view was taken, by the database's clock.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        self.permit.at()
    }
}

/// Checks a whole chain: every event against its predecessor, then the end against the head that commits wrote.
pub async fn verify_chain(reads: &mut dyn TenantReads, sealer: &dyn AuditSealer) -> Result<Verification, StoreError> {
    const BATCH: i64 = 1_000;
    let head = reads.audit_head().await?;
    let mut last = Link::START;
    let mut unopened = UnopenedCheck::default();
    let broken = |last: Link, fault| {
        let first_broken = Some(Broken { seq: last.seq + 1, fault });
        Ok(Verification { events: last.seq, erased: 0, head: hex(&last.hash), first_broken })
    };
    loop {
        let part = reads.audit_chain(last.seq, BATCH).await?;
        if part.events.is_empty() {
            break;
        }
        for event in &part.events {
            match sealer.check(&last, event, &part.salts) {
                Ok(link) => {
                    last = link;
                    let empty = event.openings.iter().filter(|o| is_unopened(o, &part.salts)).map(|o| o.field.as_str());
                    unopened.event(&event.record, empty);
                }
                Err(fault) => return broken(last, fault),
            }
        }
    }
    match head {
        Some((seq, _)) if seq > last.seq => {
            broken(last, "the event is missing: the chain's head says that it was written")
        }
        Some((seq, hash)) if seq < last.seq || hash != last.hash => {
            broken(Link { seq: seq - 1, ..last }, "the chain's head does not match the events")
        }
        None if last.seq > 0 => broken(Link { seq: last.seq - 1, ..last }, "the chain's head is missing"),
        _ => match unopened.finish() {
            Err((seq, fault)) => broken(Link { seq: seq - 1, ..last }, fault),
            Ok(()) => Ok(Verification {
                events: last.seq,
                erased: unopened.count(),
                head: if last.seq == 0 { String::new() } else { hex(&last.hash) },
                first_broken: None,
            }),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// What a mutation needs beside its command.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// Id of the request, bounded and printable.
    pub request: String,
    /// Set when the caller may retry.
    pub idempotent: Option<IdempotentCall>,
    /// `If-Match` and `X-Confirm`.
    pub guard: crate::impact::Guard,
    /// Where the call's events are noted once they are durable.
    pub receipts: Receipts,
}

/// The idempotency key was used for another call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this Idempotency-Key was used for another call")]
pub struct KeyReused;

/// An open transaction of a caller who may do `A`, under the tenant's lock. Dropping it rolls back.
#[must_use = "dropping a transaction rolls it back"]
pub struct Transaction<A> {
    permit: Permit<A>,
    work: Box<dyn UnitOfWork>,
    request: String,
    idempotent: Option<IdempotentCall>,
    receipts: Receipts,
}

impl<A> std::fmt::Debug for Transaction<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("request", &self.request).finish_non_exhaustive()
    }
}

/// What makes a workspace that is not there yet. Every other action wants one that is.
const FOUNDING: Requirement = Requirement::Permission(Permission::OrganizationsCreate);

impl<A: Mutation> Transaction<A> {
    /// Takes the tenant's lock, reads the caller's standing under it and decides again. The permit of before only opens
    /// the door; this one is the right that counts.
    pub async fn open(store: &dyn Store, earlier: &Permit<A>, call: &Call) -> Result<Self, EntryError> {
        let (work, standing) = store.begin(earlier.scope(), call.caller.id()).await?;
        let actor = match earlier.actor().principal() {
            // Founding a workspace: there is no standing in it yet, only the platform flag.
            Principal::Platform { member: None, .. } if !standing.exists && A::REQUIRES == FOUNDING => *earlier.actor(),
            Principal::Invitee { .. } if standing.exists => *earlier.actor(),
            _ => actor(&call.caller, &standing)?,
        };
        let permit = permit::<A>(&actor, standing.at)?;
        let Call { request, idempotent, receipts, .. } = call.clone();
        Ok(Self { permit, work, request, idempotent, receipts })
    }
    /// As [`Transaction::open`], for a task of the service, which has no standing to read.
    pub async fn open_for_task(store: &dyn Store, permit_: &Permit<A>, request: String) -> Result<Self, EntryError> {
        let (work, standing) = store.begin(permit_.scope(), CallerId::Service).await?;
        if !standing.exists {
            return Err(EntryError::NotFound);
        }
        let permit = permit::<A>(permit_.actor(), standing.at)?;
        Ok(Self { permit, work, request, idempotent: None, receipts: Receipts::default() })
    }
    /// The right that counts.
    pub const fn permit(&self) -> &Permit<A> {
        &self.permit
    }
    /// A further right of the same caller at the same instant.
    pub fn also<B: Action>(&self) -> Result<Permit<B>, Denied> {
        permit::<B>(self.permit.actor(), self.permit.at())
    }
    /// Loads, under the lock.
    pub fn load(&mut self) -> &mut dyn UnitOfWork {
        self.work.as_mut()
    }
    /// The workspace and how full it is.
    pub async fn workspace(&mut self) -> Result<(crate::workspaces::Workspace, Headcount), StoreError> {
        let workspace = self
            .work
            .workspace()
            .await?
            .ok_or_else(|| StoreError::Corrupt("a workspace without its row".to_owned()))?;
        Ok((workspace, self.work.headcount().await?))
    }
    /// The kept outcome of an equal earlier call, if there is one.
    pub async fn replay<T: DeserializeOwned>(&mut self) -> Result<Option<Result<Committed<T>, KeyReused>>, StoreError> {
        let Some(call) = &self.idempotent else { return Ok(None) };
        Ok(match self.work.recorded(call).await? {
            Recorded::Unknown => None,
            Recorded::Reused => Some(Err(KeyReused)),
            Recorded::Done(json) => {
                let value =
                    serde_json::from_str(&json).map_err(|_| StoreError::Corrupt("a kept outcome".to_owned()))?;
                Some(Ok(Committed::new(value, true)))
            }
        })
    }
    /// Writes the change, its events, its messages and its outcome, and commits: the only way to write.
    pub async fn commit<T: Serialize>(self, change: Change<T>) -> Result<Committed<T>, StoreError> {
        let (mut set, value) = change.into_parts();
        if set.scope() != self.permit.scope() {
            return Err(StoreError::Corrupt("a change of another tenant".to_owned()));
        }
        let outcome = match self.idempotent {
            None => None,
            Some(call) => {
                let value = serde_json::to_string(&value)
                    .map_err(|_| StoreError::Corrupt("an outcome that is no JSON".to_owned()))?;
                Some(StoredOutcome { call, value })
            }
        };
        set.stamp(&self.request, outcome);
        let workspace = set.scope().workspace();
        if let Some(last) = self.work.persist(set).await? {
            self.receipts.note(workspace, last);
        }
        Ok(Committed::new(value, false))
    }
}
