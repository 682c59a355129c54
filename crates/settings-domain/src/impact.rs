//! Impact-bound confirmation: a destructive call is confirmed by naming exactly what it would break.
use crate::error::Refused;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use uuid::Uuid;

/// One thing that would break.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affected {
    /// Kind of thing, such as `workflow` or `run-data`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name, for the person who decides.
    pub name: String,
    /// Why it would break.
    pub why: String,
}

/// Everything that a call would break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    affected: Vec<Affected>,
    digest: String,
}

impl Impact {
    /// The impact of `operation` on `target`. The digest covers both and the sorted list, so a confirmation fits one
    /// call only, and no longer fits once the list has changed.
    #[must_use]
    pub fn new(operation: &'static str, target: Uuid, mut affected: Vec<Affected>) -> Self {
        affected.sort();
        let mut hash = Sha256::new();
        let mut part = |text: &[u8]| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        part(operation.as_bytes());
        part(target.as_bytes());
        for a in &affected {
            for text in [&a.kind, &a.id, &a.name, &a.why] {
                part(text.as_bytes());
            }
        }
        let digest = hash.finalize().iter().take(16).fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        });
        Self { affected, digest }
    }
    /// What would break, sorted.
    #[must_use]
    pub fn affected(&self) -> &[Affected] {
        &self.affected
    }
    /// What `X-Confirm` must say, in lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// What the caller said beside the command itself.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// The version the caller has seen (`If-Match`); `None` when any will do.
    pub version: Option<i64>,
    /// The impact the caller has confirmed (`X-Confirm`).
    pub confirm: Option<String>,
}

impl Guard {
    /// Refuses when the caller has seen another version.
    pub fn check_version<E>(&self, current: i64) -> Result<(), Refused<E>> {
        match self.version {
            Some(seen) if seen != current => Err(Refused::Stale),
            _ => Ok(()),
        }
    }
    /// Refuses until the caller has confirmed exactly this impact. An empty impact needs no confirmation.
    pub fn check_impact<E>(&self, impact: Impact) -> Result<(), Refused<E>> {
        if impact.affected.is_empty() || self.confirm.as_deref() == Some(impact.digest()) {
            Ok(())
        } else {
            Err(Refused::Unconfirmed(impact))
        }
    }
}
