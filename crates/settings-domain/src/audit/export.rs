//! The export of an audit log, line by line: what a file holds so that it can be checked without the service (`audit
//! verify --export`). Every line is one JSON object with its `type`.
//!
//! ```text
//! export      whose log, when, the filter, the public key, the head
//! event       one event, with what opens its personal fields
//! omitted     a run of events that the filter left out: their leaves alone, so that the chain still holds
//! checkpoint  a signed note about the chain
//! fault       the log did not hold when it was exported
//! end         nothing was cut off
//! ```
use super::{AuditRecord, Commitment, FieldChange, Risk};
use crate::{
    ids::{ApiKeyId, WorkspaceId},
    ports::{
        audit::{Disclosed, Link},
        store::AuditFilter,
    },
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Name and version of the format.
pub const FORMAT: &str = "settings-audit-export-1";
/// Most leaves in one line.
pub const LEAVES: usize = 250;
/// Name of the fact that a person was erased. Its event says which openings may be missing, so every export holds all of
/// them, whatever the filter.
pub const ERASURE: &str = "member.erased";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line {
    /// The first line.
    Export(Box<Header>),
    /// An event.
    Event(Box<EventLine>),
    /// Events that the filter left out.
    Omitted(OmittedLine),
    /// A signed note.
    Checkpoint(CheckpointLine),
    /// The log did not hold.
    Fault(FaultLine),
    /// The last line.
    End(EndLine),
}

/// What an export is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// Whose log.
    pub workspace: WorkspaceId,
    /// Its slug.
    pub slug: String,
    /// When, RFC 3339 in UTC.
    pub exported_at: String,
    /// What was asked for; absent where it was everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterLine>,
    /// The key that its notes are signed with, for convenience: whoever checks an export takes the key from elsewhere.
    pub public_key: String,
    /// Where the log ended.
    pub head: HeadLine,
}

/// Where a log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    /// Place of the last event; 0 for an empty log.
    pub seq: i64,
    /// Its hash, in lower-case hex.
    pub hash: String,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterLine {
    /// Levels of risk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk: Vec<Risk>,
    /// Name of the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Uuid>,
    /// About what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Uuid>,
    /// At or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl FilterLine {
    /// The filter in an export's words; `None` where it lets everything through.
    #[must_use]
    pub fn of(filter: &AuditFilter) -> Option<Self> {
        let line = Self {
            risk: filter.risks.clone(),
            action: filter.action.clone(),
            actor: filter.actor,
            target: filter.target,
            from: filter.from.map(instant),
            to: filter.to.map(instant),
        };
        (line != Self::default()).then_some(line)
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventLine {
    /// Its place.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// Version of what is hashed.
    pub version: u8,
    /// When, RFC 3339 in UTC, to the microsecond.
    pub at: String,
    /// Name of the fact.
    pub action: String,
    /// How much it matters.
    pub risk: Risk,
    /// Who, in a word.
    pub actor_kind: String,
    /// The key that acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_key: Option<ApiKeyId>,
    /// What kind of thing it is about.
    pub target_kind: String,
    /// Its id, where that is not personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<Uuid>,
    /// Enumerated changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Personal fields, in the order of their commitments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<PersonalLine>,
    /// The chain's hash at this place, in lower-case hex.
    pub hash: String,
}

/// A personal field. `HMAC-SHA256(nonce, "audit-pii-v1" | workspace | seq | field | value)` is its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalLine {
    /// The field.
    pub field: String,
    /// What the chain holds of it, in lower-case hex.
    pub commitment: String,
    /// The value; absent once it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What opens the commitment, in lower-case hex; absent with the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl std::fmt::Debug for PersonalLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalLine").field("field", &self.field).finish_non_exhaustive()
    }
}

/// A run of events that the filter left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OmittedLine {
    /// Place of the first.
    pub seq: i64,
    /// Their leaves in order, in lower-case hex. The hash of a place follows from its leaf and the hash before.
    pub leaves: Vec<String>,
    /// Which of their personal fields were erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<(i64, String)>,
}

/// A signed note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointLine {
    /// The note.
    pub note: String,
}

/// What the service found when it exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultLine {
    /// Place of the first event that does not hold.
    pub seq: i64,
    /// What is wrong with it.
    pub fault: String,
}

/// Nothing was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndLine {
    /// Events of the chain.
    pub events: i64,
    /// Events that are written out.
    pub shown: i64,
}

/// RFC 3339 in UTC.
#[must_use]
pub fn instant(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// 32 bytes of lower-case hex, and nothing else: one value has one spelling.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut out = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != out.len() || !rest.is_empty() {
        return None;
    }
    for (to, [high, low]) in out.iter_mut().zip(pairs) {
        *to = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(out)
}

impl HeadLine {
    /// The end of a chain.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        Self { seq: link.seq, hash: hex(&link.hash) }
    }
}

impl EventLine {
    /// An event as it is exported.
    #[must_use]
    pub fn of(record: &AuditRecord, commitments: &[Commitment], disclosed: Vec<Disclosed>, hash: &[u8; 32]) -> Self {
        let mut disclosed = disclosed.into_iter();
        let personal = commitments.iter().map(|c| {
            let opening = disclosed.next().filter(|d| d.field == c.field).and_then(|d| d.opening);
            let (value, nonce) = opening.map(|(value, nonce)| (value, hex(&nonce))).unzip();
            PersonalLine { field: c.field.clone(), commitment: c.hash.clone(), value, nonce }
        });
        Self {
            seq: record.seq,
            id: record.id(hash).as_uuid(),
            version: record.version,
            at: instant(record.at),
            action: record.action.clone(),
            risk: record.risk,
            actor_kind: record.actor_kind.clone(),
            actor_key: record.actor_key,
            target_kind: record.target_kind.clone(),
            target_id: record.target_id,
            changes: record.changes.clone(),
            personal: personal.collect(),
            hash: hex(hash),
        }
    }
    /// The public part, as an event of this workspace; `None` when its time is none.
    #[must_use]
    pub fn record(&self, workspace: WorkspaceId) -> Option<AuditRecord> {
        // As it was written and no other spelling of the same instant: what stands in a file that holds is what was exported.
        let at = OffsetDateTime::parse(&self.at, &Rfc3339).ok().filter(|at| instant(*at) == self.at)?;
        Some(AuditRecord {
            version: self.version,
            workspace,
            seq: self.seq,
            at,
            action: self.action.clone(),
            risk: self.risk,
            actor_kind: self.actor_kind.clone(),
            actor_key: self.actor_key,
            target_kind: self.target_kind.clone(),
            target_id: self.target_id,
            changes: self.changes.clone(),
        })
    }
    /// What the chain holds of its personal fields.
    #[must_use]
    pub fn commitments(&self) -> Vec<Commitment> {
        self.personal.iter().map(|p| Commitment { field: p.field.clone(), hash: p.commitment.clone() }).collect()
    }
}

/// Whether a filter lets an event through. `said` is what the event still says in a personal field.
#[must_use]
pub fn admits<'a>(filter: &AuditFilter, record: &AuditRecord, said: impl Fn(&str) -> Option<&'a str>) -> bool {
    let names = |field: &str, id: Uuid| said(field).is_some_and(|value| value == id.to_string());
    let actor = |id: Uuid| record.actor_key.map(ApiKeyId::as_uuid) == Some(id) || names("actor", id);
    let target = |id: Uuid| {
        record.target_id == Some(id)
            || (record.target_kind == "workspace" && record.workspace.as_uuid() == id)
            || names("target", id)
    };
    (filter.risks.is_empty() || filter.risks.contains(&record.risk))
        && filter.action.as_ref().is_none_or(|action| *action == record.action)
        && filter.from.is_none_or(|from| record.at >= from)
        && filter.to.is_none_or(|to| record.at < to)
        && filter.before_seq.is_none_or(|seq| record.seq < seq)
        && filter.after_seq.is_none_or(|seq| record.seq > seq)
        && filter.actor.is_none_or(actor)
        && filter.target.is_none_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_one_spelling() {
        let bytes = [0xab; 32];
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for bad in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"a".repeat(63), &"é".repeat(32), &"0x".repeat(32)] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
