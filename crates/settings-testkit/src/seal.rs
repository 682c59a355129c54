//! A sealer for tests: the shape of the real one, without its secrets. Everything that a test may compare is computed
//! from the event alone, so two runs give the same chain.
use crate::bytes::{hash, hex};
use settings_domain::{
    audit::{
        AuditEvent, AuditRecord, Commitment, Opening, SealedEvent,
        export::{instant, unhex},
    },
    ids::{PersonId, WorkspaceId},
    ports::audit::{AuditSealer, Disclosed, ErasureNote, Link, PublicKey, Salts, SealError, Statement},
};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Seals audit events in the open: openings hold the value as it is, and anybody could compute the MAC. It notices every
/// change of a stored event all the same, as long as whoever changes it does not use this very type.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainSealer;

impl PlainSealer {
    fn commit(salt: &[u8], workspace: WorkspaceId, seq: i64, field: &str, value: &str) -> String {
        let (tenant, place) = (workspace.as_uuid(), seq.to_be_bytes());
        hex(&hash(&[b"commitment", salt, tenant.as_bytes(), &place, field.as_bytes(), value.as_bytes()]))
    }
    fn node(prev: &Link, event: &SealedEvent) -> [u8; 32] {
        let commitments: Vec<u8> =
            event.commitments.iter().flat_map(|c| hash(&[c.field.as_bytes(), c.hash.as_bytes()])).collect();
        hash(&[b"node", &prev.hash, &event.record.encode(), &commitments])
    }
    fn mac(workspace: WorkspaceId, node: &[u8; 32]) -> [u8; 32] {
        hash(&[b"mac", workspace.as_uuid().as_bytes(), node])
    }
    fn check_opening(event: &SealedEvent, commitment: &Commitment, salts: &Salts) -> Result<(), &'static str> {
        let mut openings = event.openings.iter().filter(|o| o.field == commitment.field);
        let (Some(opening), None) = (openings.next(), openings.next()) else {
            return Err("a commitment has not exactly one opening");
        };
        match (&opening.sealed, salts.get(&opening.person)) {
            (None, _) if opening.person == PersonId::ERASED => Ok(()),
            (None, _) => Err("an opening is gone although its person is not erased"),
            (Some(_), None) if salts.destroyed.contains(&opening.person) => Ok(()),
            (Some(_), None) => Err("an opening is there although its person is erased"),
            (Some(sealed), Some(salt)) => {
                let value = std::str::from_utf8(sealed).map_err(|_| "an opening is no text")?;
                let (workspace, seq) = (event.record.workspace, event.record.seq);
                if Self::commit(salt, workspace, seq, &opening.field, value) == commitment.hash {
                    Ok(())
                } else {
                    Err("an opening does not fit its commitment")
                }
            }
        }
    }
}

impl AuditSealer for PlainSealer {
    fn new_salt(&self, workspace: WorkspaceId, person: PersonId) -> Result<Vec<u8>, SealError> {
        Ok(hash(&[b"salt", workspace.as_uuid().as_bytes(), person.as_uuid().as_bytes()]).to_vec())
    }

    fn seal(&self, prev: &Link, event: &AuditEvent, salts: &Salts) -> Result<SealedEvent, SealError> {
        let record = event.record(prev.seq + 1);
        let (mut commitments, mut openings) = (Vec::new(), Vec::new());
        for personal in event.personal() {
            let erased = personal.person == PersonId::ERASED;
            // A salt of its own for each such field, which nobody keeps.
            let thrown_away = hash(&[b"thrown away", &prev.hash, personal.field.as_bytes()]).to_vec();
            let known = if erased { Some(&thrown_away) } else { salts.get(&personal.person) };
            let salt = known.ok_or(SealError("a person without a salt"))?;
            let hash = Self::commit(salt, record.workspace, record.seq, personal.field, &personal.value);
            commitments.push(Commitment { field: personal.field.to_owned(), hash });
            let sealed = (!erased).then(|| personal.value.clone().into_bytes());
            openings.push(Opening { field: personal.field.to_owned(), person: personal.person, sealed });
        }
        let mut sealed = SealedEvent { record, commitments, openings, hash: [0; 32], mac: [0; 32] };
        sealed.hash = Self::node(prev, &sealed);
        sealed.mac = Self::mac(sealed.record.workspace, &sealed.hash);
        Ok(sealed)
    }

    fn open(&self, _: WorkspaceId, _: i64, opening: &Opening, salts: &Salts) -> Result<Option<String>, SealError> {
        match &opening.sealed {
            Some(sealed) if salts.contains_key(&opening.person) => {
                String::from_utf8(sealed.clone()).map(Some).map_err(|_| SealError("an opening that is no text"))
            }
            _ => Ok(None),
        }
    }

    fn check(&self, prev: &Link, event: &SealedEvent, salts: &Salts) -> Result<Link, &'static str> {
        let record = &event.record;
        if record.seq != prev.seq + 1 {
            return Err("the event is not at its place");
        }
        if event.hash != Self::node(prev, event) {
            return Err("the hash does not fit the event and its predecessor");
        }
        if event.mac != Self::mac(record.workspace, &event.hash) {
            return Err("the MAC does not fit the hash");
        }
        let fields: BTreeSet<_> = event.commitments.iter().map(|c| c.field.as_str()).collect();
        if event.openings.iter().any(|o| !fields.contains(o.field.as_str())) {
            return Err("an opening without a commitment");
        }
        for commitment in &event.commitments {
            Self::check_opening(event, commitment, salts)?;
        }
        Ok(Link { seq: record.seq, hash: event.hash })
    }

    fn state(&self, statement: &Statement) -> Result<String, SealError> {
        let Statement { workspace, link, previous, at } = statement;
        let previous = previous.map_or_else(String::new, |p| format!("{} {}", p.seq, hex(&p.hash)));
        let at = at.map_or_else(String::new, instant);
        Ok(format!("plain/{workspace}\n{}\n{}\n{previous}\n{at}\n", link.seq, hex(&link.hash)))
    }
    fn read_checkpoint(&self, note: &str) -> Option<Statement> {
        let [workspace, seq, hash, previous, at] = note.lines().collect::<Vec<_>>()[..] else { return None };
        let link = |seq: &str, hash: &str| Some(Link { seq: seq.parse().ok()?, hash: unhex(hash)? });
        let previous = previous.split_once(' ').map(|(seq, hash)| link(seq, hash));
        let parse = |at| OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339);
        Some(Statement {
            workspace: workspace.strip_prefix("plain/")?.parse().ok()?,
            link: link(seq, hash)?,
            previous: if let Some(previous) = previous { Some(previous?) } else { None },
            at: if at.is_empty() { None } else { Some(parse(at).ok()?) },
        })
    }
    fn receipt(&self, workspace: WorkspaceId, link: &Link) -> Result<String, SealError> {
        Ok(format!("plain-receipt/{workspace} {} {}", link.seq, hex(&link.hash)))
    }
    fn public_key(&self) -> Result<PublicKey, SealError> {
        Ok(PublicKey { verifier: "plain".to_owned(), pem: "plain\n".to_owned() })
    }
    fn leaf(&self, record: &AuditRecord, commitments: &[Commitment]) -> [u8; 32] {
        let commitments: Vec<u8> =
            commitments.iter().flat_map(|c| hash(&[c.field.as_bytes(), c.hash.as_bytes()])).collect();
        hash(&[b"leaf", &record.encode(), &commitments])
    }
    fn disclose(&self, event: &SealedEvent, salts: &Salts) -> Result<Vec<Disclosed>, SealError> {
        let disclosed = |c: &Commitment| {
            let opening = event.openings.iter().find(|o| o.field == c.field);
            let value = opening.map(|o| self.open(event.record.workspace, event.record.seq, o, salts)).transpose()?;
            Ok(Disclosed { field: c.field.clone(), opening: value.flatten().map(|v| (v, [0; 32])) })
        };
        event.commitments.iter().map(disclosed).collect()
    }
    fn erasure_receipt(&self, workspace: WorkspaceId, erasure: &ErasureNote) -> Result<String, SealError> {
        Ok(format!(
            "plain-erasure/{workspace}\n{}\n{}\n{}\n",
            erasure.link.seq,
            hex(&erasure.link.hash),
            erasure.events
        ))
    }
}
