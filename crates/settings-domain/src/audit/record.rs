//! Events as stored: the public part and its encoding, commitments, openings, and what a verification finds.
use super::{FieldChange, Risk};
use crate::ids::{ApiKeyId, EventId, PersonId, WorkspaceId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// The public part of an event, as stored and hashed. Texts rather than enums where a later version may know more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Version of this encoding.
    pub version: u8,
    /// The chain it belongs to; inside the hash, so an event can't be moved to another tenant.
    pub workspace: WorkspaceId,
    /// Place in the chain, from 1, without gaps: the order of commits.
    pub seq: i64,
    /// When it was decided, in whole microseconds.
    pub at: OffsetDateTime,
    /// Name of the fact.
    pub action: String,
    /// How much it matters.
    pub risk: Risk,
    /// `member`, `api_key`, `system` or `service`.
    pub actor_kind: String,
    /// The key that acted.
    pub actor_key: Option<ApiKeyId>,
    /// What kind of thing it is about.
    pub target_kind: String,
    /// Its id, where that is not personal.
    pub target_id: Option<Uuid>,
    /// Enumerated changes.
    pub changes: Vec<FieldChange>,
}

impl AuditRecord {
    /// The bytes that are hashed: every part length-prefixed, so no two records share an encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        fn part(out: &mut Vec<u8>, bytes: &[u8]) {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        fn maybe(out: &mut Vec<u8>, text: Option<&[u8]>) {
            out.push(u8::from(text.is_some()));
            part(out, text.unwrap_or_default());
        }
        let mut out = vec![self.version];
        part(&mut out, self.workspace.as_uuid().as_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.at.unix_timestamp_nanos().to_be_bytes());
        part(&mut out, self.action.as_bytes());
        part(&mut out, self.risk.name().as_bytes());
        part(&mut out, self.actor_kind.as_bytes());
        maybe(&mut out, self.actor_key.map(ApiKeyId::as_uuid).as_ref().map(|u| u.as_bytes().as_slice()));
        part(&mut out, self.target_kind.as_bytes());
        maybe(&mut out, self.target_id.as_ref().map(|u| u.as_bytes().as_slice()));
        out.extend_from_slice(&(self.changes.len() as u64).to_be_bytes());
        for c in &self.changes {
            part(&mut out, c.field.as_bytes());
            maybe(&mut out, c.from.as_deref().map(str::as_bytes));
            maybe(&mut out, c.to.as_deref().map(str::as_bytes));
        }
        out
    }
    /// The event's id: a version 7 UUID made from its time and its hash, so that it needs no randomness and can be recomputed.
    #[must_use]
    pub fn id(&self, hash: &[u8; 32]) -> EventId {
        let millis = u64::try_from(self.at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let mut random = [0; 10];
        random.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        EventId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// An event at its place in the chain, ready to be stored.
#[derive(Debug, Clone)]
pub struct SealedEvent {
    /// The public part.
    pub record: AuditRecord,
    /// Commitments to the personal fields, sorted by field.
    pub commitments: Vec<Commitment>,
    /// What opens them, kept in a table of its own. `None` once erased.
    pub openings: Vec<Opening>,
    /// Hash of this event and, through its predecessor's, of all before.
    pub hash: [u8; 32],
    /// MAC of the hash under a key that the database does not hold.
    pub mac: [u8; 32],
}

/// A commitment to one personal field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// The field.
    pub field: String,
    /// Keyed hash of the value under a nonce of the person's salt, in lower-case hex.
    pub hash: String,
}

/// The encrypted value behind a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The field.
    pub field: String,
    /// Whose salt encrypts it.
    pub person: PersonId,
    /// The ciphertext; `None` when it was erased.
    pub sealed: Option<Vec<u8>>,
}

/// What `/audit/verify` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Events checked.
    pub events: i64,
    /// Personal fields that were erased.
    pub erased: i64,
    /// Hash of the last event, in lower-case hex; empty for an empty chain.
    pub head: String,
    /// The first fault.
    pub first_broken: Option<Broken>,
}

/// The first event of a chain that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its place.
    pub seq: i64,
    /// What is wrong, in one sentence.
    pub fault: &'static str,
}
