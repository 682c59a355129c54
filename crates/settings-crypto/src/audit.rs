//! Seals, opens and checks audit events. The design and what it does not promise: `docs/adr/0004`.
mod chain;
mod checkpoint;
mod checkpoint_key;
mod erasure_receipt;
pub mod fault;
mod found_notes;
mod offline;
mod personal;

use crate::{key::Key, root::RootKey};
pub use chain::verify_public;
pub use checkpoint_key::{CheckpointError, CheckpointKey};
pub use found_notes::{Witness, found_notes};
pub use offline::{Checked, ExportFault, ExportVerifier};
use personal::{Place, Salt};
use settings_domain::{
    audit::{AuditEvent, AuditRecord, Commitment, Opening, SealedEvent},
    ids::{PersonId, WorkspaceId},
    ports::{
        audit::{AuditSealer, Disclosed, ErasureNote, Link, PublicKey, Salts, SealError, Statement},
        tokens::NoEntropy,
    },
};
use std::{collections::BTreeSet, fmt, sync::Arc};
use subtle::ConstantTimeEq as _;

/// The audit log's keys: the service's [`AuditSealer`].
///
/// Two things `check` can't see, because one event and its predecessor do not tell: whether the event names the workspace
/// whose chain is being read, which the reader must make sure of; and whether an empty opening was emptied by an erasure,
/// which [`UnopenedCheck`](settings_domain::audit::UnopenedCheck) finds at the end of the chain.
pub struct AuditKeys {
    mac: Arc<Key>,
    salts: Arc<Key>,
    checkpoint: Arc<Key>,
}

impl fmt::Debug for AuditKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKeys(..)")
    }
}

impl AuditKeys {
    /// With the keys that come from this root.
    #[must_use]
    pub fn new(root: &RootKey) -> Self {
        let (mac, salts) = (Arc::clone(&root.audit_mac), Arc::clone(&root.audit_salts));
        Self { mac, salts, checkpoint: Arc::clone(&root.audit_checkpoint) }
    }

    /// The public key that signed notes about chains are checked with.
    pub fn checkpoint_key(&self) -> Result<CheckpointKey, SealError> {
        checkpoint::public(&self.checkpoint)
    }

    fn mac(&self, workspace: WorkspaceId, hash: &[u8; 32]) -> [u8; 32] {
        self.mac.mac(&[workspace.as_uuid().as_bytes(), hash])
    }

    /// Checks what lies beside an event: exactly one opening for each commitment, each either open and true, or erased
    /// together with its person's salt.
    fn check_openings(&self, event: &SealedEvent, salts: &Salts) -> Result<(), &'static str> {
        let mut seen = BTreeSet::new();
        for opening in &event.openings {
            if !seen.insert(opening.field.as_str()) {
                return Err(fault::OPENING_TWICE);
            }
            let commitment =
                event.commitments.iter().find(|c| c.field == opening.field).ok_or(fault::OPENING_WITHOUT_COMMITMENT)?;
            self.check_opening(event, opening, commitment, salts)?;
        }
        // All openings have a commitment and none comes twice, so equal counts mean that none is missing.
        if seen.len() == event.commitments.len() { Ok(()) } else { Err(fault::OPENING_MISSING) }
    }

    fn check_opening(
        &self,
        event: &SealedEvent,
        opening: &Opening,
        commitment: &Commitment,
        salts: &Salts,
    ) -> Result<(), &'static str> {
        let place = Place { workspace: event.record.workspace, seq: event.record.seq, field: &opening.field };
        match (&opening.sealed, salts.get(&opening.person)) {
            (None, _) if opening.person == PersonId::ERASED => Ok(()),
            (None, _) => Err(fault::HIDDEN),
            // An erasure destroyed the salt, and the opening is about to be emptied. Whoever only says so hides somebody:
            // `UnopenedCheck` counts the field among those that an erasure has to vouch for.
            (Some(_), None) if salts.destroyed.contains(&opening.person) => Ok(()),
            (Some(_), None) => Err(fault::SALT_MISSING),
            (Some(sealed), Some(wrapped)) => {
                let salt = Salt::unwrap(&self.salts, place.workspace, opening.person, wrapped)
                    .ok_or(fault::SALT_DOES_NOT_OPEN)?;
                let value = salt.open(place, sealed).ok_or(fault::OPENING_DOES_NOT_OPEN)?;
                let expected = hex::encode(salt.commit(place, &value));
                if expected.as_bytes().ct_eq(commitment.hash.as_bytes()).into() {
                    Ok(())
                } else {
                    Err(fault::OPENING_DOES_NOT_MATCH)
                }
            }
        }
    }
}

const fn no_entropy(_: NoEntropy) -> SealError {
    SealError("the system's random number generator failed")
}

impl AuditSealer for AuditKeys {
    fn new_salt(&self, workspace: WorkspaceId, person: PersonId) -> Result<Vec<u8>, SealError> {
        Salt::random().and_then(|salt| salt.wrap(&self.salts, workspace, person)).map_err(no_entropy)
    }

    fn seal(&self, prev: &Link, event: &AuditEvent, salts: &Salts) -> Result<SealedEvent, SealError> {
        let seq = prev.seq.checked_add(1).ok_or(SealError("the chain is full"))?;
        let record = event.record(seq);
        if !record.at.nanosecond().is_multiple_of(1_000) {
            // A store would cut it, and the event would never verify again.
            return Err(SealError("the event's time is not in whole microseconds"));
        }
        let mut commitments: Vec<Commitment> = vec![];
        let mut openings = vec![];
        for personal in event.personal() {
            if commitments.last().is_some_and(|c| c.field == personal.field) {
                return Err(SealError("the event has two personal fields of one name"));
            }
            let erased = personal.person == PersonId::ERASED;
            let salt = if erased {
                // Kept nowhere: what is committed to under it can't be opened by anybody, from the start.
                Salt::random().map_err(no_entropy)?
            } else {
                let wrapped = salts.get(&personal.person).ok_or(SealError("a person's salt is missing"))?;
                Salt::unwrap(&self.salts, record.workspace, personal.person, wrapped)
                    .ok_or(SealError(fault::SALT_DOES_NOT_OPEN))?
            };
            let place = Place { workspace: record.workspace, seq, field: personal.field };
            let field = || personal.field.to_owned();
            let hash = hex::encode(salt.commit(place, &personal.value));
            commitments.push(Commitment { field: field(), hash });
            let sealed = if erased { None } else { Some(salt.seal(place, &personal.value).map_err(no_entropy)?) };
            openings.push(Opening { field: field(), person: personal.person, sealed });
        }
        let hash = chain::hash(&prev.hash, &record, &commitments);
        let mac = self.mac(record.workspace, &hash);
        Ok(SealedEvent { record, commitments, openings, hash, mac })
    }

    fn open(
        &self,
        workspace: WorkspaceId,
        seq: i64,
        opening: &Opening,
        salts: &Salts,
    ) -> Result<Option<String>, SealError> {
        let (Some(sealed), Some(wrapped)) = (&opening.sealed, salts.get(&opening.person)) else { return Ok(None) };
        let salt = Salt::unwrap(&self.salts, workspace, opening.person, wrapped)
            .ok_or(SealError(fault::SALT_DOES_NOT_OPEN))?;
        let place = Place { workspace, seq, field: &opening.field };
        let value = salt.open(place, sealed).ok_or(SealError(fault::OPENING_DOES_NOT_OPEN))?;
        Ok(Some(value.to_string()))
    }

    fn check(&self, prev: &Link, event: &SealedEvent, salts: &Salts) -> Result<Link, &'static str> {
        let link = verify_public(prev, &event.record, &event.commitments, &event.hash)?;
        if !bool::from(self.mac(event.record.workspace, &event.hash).ct_eq(&event.mac)) {
            return Err(fault::MAC);
        }
        self.check_openings(event, salts)?;
        Ok(link)
    }

    fn state(&self, statement: &Statement) -> Result<String, SealError> {
        checkpoint::sign(&self.checkpoint, statement)
    }

    fn read_checkpoint(&self, note: &str) -> Option<Statement> {
        self.checkpoint_key().ok()?.read(note).ok()
    }

    fn receipt(&self, workspace: WorkspaceId, link: &Link) -> Result<String, SealError> {
        checkpoint::receipt(&self.checkpoint, workspace, link)
    }

    fn public_key(&self) -> Result<PublicKey, SealError> {
        let key = self.checkpoint_key()?;
        Ok(PublicKey { verifier: key.verifier(), pem: key.pem() })
    }

    fn leaf(&self, record: &AuditRecord, commitments: &[Commitment]) -> [u8; 32] {
        chain::leaf(record, commitments)
    }

    fn disclose(&self, event: &SealedEvent, salts: &Salts) -> Result<Vec<Disclosed>, SealError> {
        let (workspace, seq) = (event.record.workspace, event.record.seq);
        let disclosed = |commitment: &Commitment| {
            let opening = event.openings.iter().find(|o| o.field == commitment.field);
            let sealed = opening.and_then(|o| Some((o, o.sealed.as_deref()?, salts.get(&o.person)?)));
            let opened = sealed.map(|(opening, sealed, wrapped)| {
                let place = Place { workspace, seq, field: &commitment.field };
                let salt = Salt::unwrap(&self.salts, workspace, opening.person, wrapped)
                    .ok_or(SealError(fault::SALT_DOES_NOT_OPEN))?;
                let value = salt.open(place, sealed).ok_or(SealError(fault::OPENING_DOES_NOT_OPEN))?;
                Ok((String::clone(&value), salt.disclose(place)))
            });
            Ok(Disclosed { field: commitment.field.clone(), opening: opened.transpose()? })
        };
        event.commitments.iter().map(disclosed).collect()
    }

    fn erasure_receipt(&self, workspace: WorkspaceId, erasure: &ErasureNote) -> Result<String, SealError> {
        erasure_receipt::sign(&self.checkpoint, workspace, erasure)
    }
}
