//! The hash chain: public, so that whoever holds an export can check it without any key.
use super::fault;
use crate::key::length;
use ring::digest::{Context, SHA256};
use settings_domain::{
    audit::{AuditRecord, Commitment},
    ports::audit::Link,
};

/// The one version of [`AuditRecord::encode`] there is.
const VERSION: u8 = 1;

/// SHA-256 over the parts, each behind its length.
fn sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&length(part));
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// `leaf = H("leaf" | record | field, hash of each commitment)`, `hash = H("node" | hash before | leaf)`. Two steps, so
/// that leaves can later hang in a Merkle tree too. The workspace is in the record, so no event moves between tenants.
pub(super) fn hash(prev: &[u8; 32], record: &AuditRecord, commitments: &[Commitment]) -> [u8; 32] {
    node(prev, &leaf(record, commitments))
}

/// What stands for an event in the hash of its place.
pub(super) fn leaf(record: &AuditRecord, commitments: &[Commitment]) -> [u8; 32] {
    let record = record.encode();
    let fields = commitments.iter().flat_map(|c| [c.field.as_bytes(), c.hash.as_bytes()]);
    sha256([b"leaf".as_slice(), &record].into_iter().chain(fields))
}

/// The hash of a place.
pub(super) fn node(prev: &[u8; 32], leaf: &[u8; 32]) -> [u8; 32] {
    sha256([b"node".as_slice(), prev, leaf])
}

/// Checks an event's public part against its predecessor: place, format, order of its commitments, hash. Needs no key,
/// so it works offline on an export; it can't tell who wrote the event, nor whether a personal value is true.
///
/// The caller must make sure that all events of a chain name the same workspace. The error is the fault, in one
/// sentence.
pub fn verify_public(
    prev: &Link,
    record: &AuditRecord,
    commitments: &[Commitment],
    hash: &[u8; 32],
) -> Result<Link, &'static str> {
    if prev.seq.checked_add(1) != Some(record.seq) {
        return Err(fault::SEQUENCE);
    }
    if record.version != VERSION {
        return Err(fault::VERSION);
    }
    if !commitments.is_sorted_by(|a, b| a.field < b.field) {
        return Err(fault::COMMITMENT_ORDER);
    }
    if *hash != self::hash(&prev.hash, record, commitments) {
        return Err(fault::HASH);
    }
    Ok(Link { seq: record.seq, hash: *hash })
}
