//! Personal fields: committed to in the chain, encrypted beside it, both under the salt of the person they speak of.
//! Destroying the salt makes the value unreadable and the commitments meaningless, wherever copies of them lie.
use crate::key::Key;
use settings_domain::{
    ids::{PersonId, WorkspaceId},
    ports::tokens::NoEntropy,
};
use std::fmt;
use zeroize::Zeroizing;

/// Version of the format of wrapped salts and of openings.
const FORMAT: &[u8] = &[1];

/// Where a field stands. Every hash and ciphertext is bound to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) seq: i64,
    pub(super) field: &'a str,
}

impl Place<'_> {
    /// Calls `f` with the label and the place's parts.
    fn with<T>(self, label: &[u8], f: impl FnOnce([&[u8]; 4]) -> T) -> T {
        f([label, self.workspace.as_uuid().as_bytes(), &self.seq.to_be_bytes(), self.field.as_bytes()])
    }
}

/// The commitment to a value under a nonce.
fn commit(nonce: &Key, place: Place<'_>, value: &str) -> [u8; 32] {
    place.with(b"audit-pii-v1", |[label, workspace, seq, field]| {
        nonce.mac(&[label, workspace, seq, field, value.as_bytes()])
    })
}

/// The commitment that a disclosed value and nonce make: what an export is checked with.
pub(super) fn recommit(nonce: &[u8; 32], place: Place<'_>, value: &str) -> [u8; 32] {
    commit(&Key::new(nonce), place, value)
}

/// The salt of a person in a workspace.
pub(super) struct Salt(Key);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Salt {
    pub(super) fn random() -> Result<Self, NoEntropy> {
        Key::random().map(Self)
    }
    /// For the store: encrypted under the service's key, bound to person and workspace.
    pub(super) fn wrap(&self, key: &Key, workspace: WorkspaceId, person: PersonId) -> Result<Vec<u8>, NoEntropy> {
        let (workspace, person) = (workspace.as_uuid(), person.as_uuid());
        key.seal(FORMAT, &[workspace.as_bytes(), person.as_bytes()], self.0.expose())
    }
    /// From the store; `None` when it was changed or is another's.
    pub(super) fn unwrap(key: &Key, workspace: WorkspaceId, person: PersonId, wrapped: &[u8]) -> Option<Self> {
        let (workspace, person) = (workspace.as_uuid(), person.as_uuid());
        key.open(FORMAT, &[workspace.as_bytes(), person.as_bytes()], wrapped)
            .and_then(|salt| Key::from_slice(&salt))
            .map(Self)
    }
    /// What the chain holds of a value. A nonce for each field of each event makes commitments of the same value to the
    /// same person unlinkable; all nonces come from the salt, so they perish with it.
    pub(super) fn commit(&self, place: Place<'_>, value: &str) -> [u8; 32] {
        commit(&self.nonce(place), place, value)
    }
    /// What opens the commitment at this place, and no other one.
    fn nonce(&self, place: Place<'_>) -> Key {
        place.with(b"nonce", |parts| self.0.derive(&parts))
    }
    /// The nonce, to be handed out with the value.
    pub(super) fn disclose(&self, place: Place<'_>) -> [u8; 32] {
        *self.nonce(place).expose()
    }
    fn cipher(&self) -> Key {
        self.0.derive(&[b"opening"])
    }
    /// The value, encrypted. The nonce is random: a rolled-back transaction uses the same place again.
    pub(super) fn seal(&self, place: Place<'_>, value: &str) -> Result<Vec<u8>, NoEntropy> {
        place.with(b"opening", |parts| self.cipher().seal(FORMAT, &parts, value.as_bytes()))
    }
    /// The value; `None` when it was changed or belongs elsewhere.
    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let plain = place.with(b"opening", |parts| self.cipher().open(FORMAT, &parts, sealed))?;
        std::str::from_utf8(&plain).ok().map(|value| Zeroizing::new(value.to_owned()))
    }
}
