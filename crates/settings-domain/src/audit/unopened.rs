//! Which personal fields of a chain nobody can read any more, as one number: the newest `member.erased` names it, so that
//! nobody is hidden without an erasure that can be seen.
use super::AuditRecord;
use crate::ids::PersonId;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The field of `member.erased` that holds the digest.
pub const UNOPENED: &str = "unopened";

/// SHA-256 over the places and names of *all* unopened fields of a chain, by place and then by name. All of them and not
/// those of one person, so that the fields of two erased people can't be told apart.
#[derive(Debug, Clone)]
pub struct Unopened {
    hash: Sha256,
    count: i64,
    first: Option<i64>,
}

impl Default for Unopened {
    fn default() -> Self {
        Self { hash: Sha256::new_with_prefix(b"unopened-v1"), count: 0, first: None }
    }
}

impl Unopened {
    /// Adds the next field. They have to come by place, and those of one event by name.
    pub fn add(&mut self, seq: i64, field: &str) {
        self.hash.update(seq.to_be_bytes());
        self.hash.update((field.len() as u64).to_be_bytes());
        self.hash.update(field.as_bytes());
        self.count += 1;
        self.first.get_or_insert(seq);
    }
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> i64 {
        self.count
    }
    /// The digest, in lower-case hex.
    #[must_use]
    pub fn digest(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        })
    }
}

/// Follows a chain and compares, at its end, what can't be read with what the newest erasure vouches for.
#[derive(Debug, Clone, Default)]
pub struct UnopenedCheck {
    seen: Unopened,
    vouched: Option<(i64, Option<String>)>,
}

impl UnopenedCheck {
    /// The next event of the chain, with the names of its fields that can't be read.
    pub fn event<'a>(&mut self, record: &AuditRecord, unopened: impl IntoIterator<Item = &'a str>) {
        let mut fields: Vec<&str> = unopened.into_iter().collect();
        fields.sort_unstable();
        for field in fields {
            self.seen.add(record.seq, field);
        }
        if record.action == super::Fact::MemberErased.name() {
            let said = record.changes.iter().find(|c| c.field == UNOPENED).and_then(|c| c.to.clone());
            self.vouched = Some((record.seq, said));
        }
    }
    /// How many fields can't be read.
    #[must_use]
    pub const fn count(&self) -> i64 {
        self.seen.count()
    }
    /// At the end of the chain: the place and the fault where the two differ.
    pub fn finish(&self) -> Result<(), (i64, &'static str)> {
        match (&self.vouched, self.seen.first) {
            (None, None) => Ok(()),
            (None, Some(seq)) => {
                Err((seq, "a personal value was emptied and no erasure says so: somebody is being hidden"))
            }
            (Some((_, Some(said))), _) if *said == self.seen.digest() => Ok(()),
            (Some((seq, _)), _) => {
                Err((*seq, "what can be read is not what this erasure left: a personal value was emptied or put back"))
            }
        }
    }
}

impl PersonId {
    /// Stands where an erased person stood, the same for all of them. What is committed to under it can't be opened by
    /// anybody, from the start.
    pub const ERASED: Self = Self::from_uuid(uuid::Uuid::max());
}
