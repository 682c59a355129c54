//! Seals audit events. The keys live with the implementation, never in the store.
use crate::{
    audit::{AuditEvent, AuditRecord, Commitment, Opening, SealedEvent},
    ids::{PersonId, WorkspaceId},
};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

/// The keys refused.
#[derive(Debug, thiserror::Error)]
#[error("an audit event could not be sealed or opened: {0}")]
pub struct SealError(pub &'static str);

/// A place in a chain. The first event follows `Link::START`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Place of the event.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Link {
    /// Before the first event.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };
}

/// Wrapped salts by person, and whose salt an erasure destroyed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Salts {
    kept: BTreeMap<PersonId, Vec<u8>>,
    /// Persons without a salt whose openings are still being emptied: nobody can read them, and nobody ever will.
    pub destroyed: BTreeSet<PersonId>,
}

impl Salts {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { kept: BTreeMap::new(), destroyed: BTreeSet::new() }
    }
}

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Salts").field("destroyed", &self.destroyed).finish_non_exhaustive()
    }
}

impl std::ops::Deref for Salts {
    type Target = BTreeMap<PersonId, Vec<u8>>;
    fn deref(&self) -> &Self::Target {
        &self.kept
    }
}

impl std::ops::DerefMut for Salts {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.kept
    }
}

impl FromIterator<(PersonId, Vec<u8>)> for Salts {
    fn from_iter<T: IntoIterator<Item = (PersonId, Vec<u8>)>>(salts: T) -> Self {
        Self { kept: salts.into_iter().collect(), destroyed: BTreeSet::new() }
    }
}

impl<const N: usize> From<[(PersonId, Vec<u8>); N]> for Salts {
    fn from(salts: [(PersonId, Vec<u8>); N]) -> Self {
        salts.into_iter().collect()
    }
}

/// Whether nobody can read an opening any more: it is empty, or will be, since the salt is destroyed.
#[must_use]
pub fn is_unopened(opening: &Opening, salts: &Salts) -> bool {
    opening.sealed.is_none() || salts.destroyed.contains(&opening.person) && !salts.contains_key(&opening.person)
}

/// What a signed note says about a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// Whose chain.
    pub workspace: WorkspaceId,
    /// Where it ended.
    pub link: Link,
    /// Where the checkpoint before this one had it end. Only checkpoints of the table name one, and the first has none.
    pub previous: Option<Link>,
    /// When it was signed, by the database's clock; the notes in mails do not say.
    pub at: Option<OffsetDateTime>,
}

/// The key that signed notes are checked with, as text. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// In one line, as C2SP's tools read it.
    pub verifier: String,
    /// As PEM, for tools such as `openssl`.
    pub pem: String,
}

/// A personal field with what opens its commitment, and no other one: neither the salt nor another nonce follows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The field.
    pub field: String,
    /// Value and nonce; `None` when it was erased.
    pub opening: Option<(String, [u8; 32])>,
}

impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosed").field("field", &self.field).finish_non_exhaustive()
    }
}

/// What the receipt of an erasure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasureNote {
    /// The place of `member.erased`, and its hash.
    pub link: Link,
    /// When it was decided.
    pub at: OffsetDateTime,
    /// How many events spoke of the person.
    pub events: i64,
}

/// Seals, opens and checks events.
pub trait AuditSealer: Send + Sync {
    /// A fresh salt for a person in a workspace, wrapped for the store.
    fn new_salt(&self, workspace: WorkspaceId, person: PersonId) -> Result<Vec<u8>, SealError>;
    /// Puts an event at the place after `prev`. `salts` must hold every person of its personal fields.
    fn seal(&self, prev: &Link, event: &AuditEvent, salts: &Salts) -> Result<SealedEvent, SealError>;
    /// Reads a personal field; `None` when it was erased.
    fn open(
        &self,
        workspace: WorkspaceId,
        seq: i64,
        opening: &Opening,
        salts: &Salts,
    ) -> Result<Option<String>, SealError>;
    /// Checks one stored event against its predecessor: place, hash, MAC, and every commitment that is still open.
    /// The error is the fault, in one sentence.
    fn check(&self, prev: &Link, event: &SealedEvent, salts: &Salts) -> Result<Link, &'static str>;
    /// A signed note that a person was erased: the place and hash of the event that says so, when it was, and how many events
    /// spoke of the person. Anybody can check it with the key of the checkpoints.
    fn erasure_receipt(&self, workspace: WorkspaceId, erasure: &ErasureNote) -> Result<String, SealError>;
    /// A signed note about the state of a chain, which anybody can check without the service. The caller has checked the
    /// event at this place: nothing is signed because the store says so.
    fn state(&self, statement: &Statement) -> Result<String, SealError>;
    /// As [`AuditSealer::state`], with place and hash alone.
    fn checkpoint(&self, workspace: WorkspaceId, link: &Link) -> Result<String, SealError> {
        self.state(&Statement { workspace, link: *link, previous: None, at: None })
    }
    /// What one of the service's own notes says; `None` when it is none of them, or was changed.
    fn read_checkpoint(&self, note: &str) -> Option<Statement>;
    /// A receipt for an event that was just appended, in one line. It says that the service put this event at this place,
    /// and nothing about the events before: those were not checked. So it is no checkpoint, and can't pass for one.
    fn receipt(&self, workspace: WorkspaceId, link: &Link) -> Result<String, SealError>;
    /// The key that notes and receipts are checked with.
    fn public_key(&self) -> Result<PublicKey, SealError>;
    /// What stands for an event in the hash of its place.
    fn leaf(&self, record: &AuditRecord, commitments: &[Commitment]) -> [u8; 32];
    /// The personal fields of an event in the order of their commitments, each with what opens it.
    fn disclose(&self, event: &SealedEvent, salts: &Salts) -> Result<Vec<Disclosed>, SealError>;
}
