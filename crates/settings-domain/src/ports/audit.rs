//! Seals audit events. The keys live with the implementation, never in the store.
use crate::{
    audit::{AuditEvent, Opening, SealedEvent},
    ids::{PersonId, WorkspaceId},
};
use std::collections::BTreeMap;
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

/// Wrapped salts by person.
pub type Salts = BTreeMap<PersonId, Vec<u8>>;

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
    fn receipt(&self, workspace: WorkspaceId, erasure: &ErasureNote) -> Result<String, SealError>;
    /// A signed note about the state of a chain, which anybody can check without the service. The caller has checked the
    /// event at this place: nothing is signed because the store says so.
    fn checkpoint(&self, workspace: WorkspaceId, link: &Link) -> Result<String, SealError>;
}
