//! References: what workflows, agents and the like say they use (contract, References).
//!
//! Other services declare them, each its own whole list. They feed the impact of a deletion, and a hidden system model
//! keeps working for those who referenced it before.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{EnvironmentId, ModelId, PersonId, SecretId, VariableId, WorkspaceId},
    impact::{Affected, Guard},
    policy::{Mutation, Permit, actions},
    text::{DisplayName, TextError},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};
use time::OffsetDateTime;
use uuid::Uuid;

/// Most things that one referrer may use.
pub const MAX_USES: usize = 1_000;
/// Most referrers of a workspace.
pub const MAX_REFERRERS: i64 = 100_000;

macro_rules! code_type {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:expr, $sentence:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        impl $name {
            /// The text.
            #[must_use] pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = TextError;
            fn from_str(s: &str) -> Result<Self, TextError> {
                let allowed: fn(u8) -> bool = $allowed;
                if (1..=$max).contains(&s.len()) && s.bytes().all(allowed) { Ok(Self(s.to_owned())) } else { Err(TextError($sentence)) }
            }
        }
        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(s: String) -> Result<Self, TextError> { s.parse() }
        }
        impl From<$name> for String { fn from(t: $name) -> Self { t.0 } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
    };
}

code_type!(
    /// What kind of thing refers, in the words of the service that runs it, such as `workflow`, `prompt` or `agent`.
    ReferrerKind, 32, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-',
    "must be 1 to 32 lower-case letters, digits and hyphens"
);
code_type!(
    /// Its id, in the words of the service that runs it.
    ReferrerId, 128, |b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b),
    "must be 1 to 128 letters, digits, hyphens, underscores, dots and colons"
);

impl ReferrerKind {
    /// The kind whose references need `agents:write`.
    pub const AGENT: &'static str = "agent";
}

/// What kind of thing can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsedKind {
    /// A variable.
    Variable,
    /// A model of the workspace or of the platform.
    Model,
    /// A secret.
    Secret,
    /// An environment.
    Environment,
}

impl UsedKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Variable, Self::Model, Self::Secret, Self::Environment];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Model => "model",
            Self::Secret => "secret",
            Self::Environment => "environment",
        }
    }
}

/// The text names no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of variable, model, secret, environment")]
pub struct ParseUsedKindError;

impl FromStr for UsedKind {
    type Err = ParseUsedKindError;
    fn from_str(s: &str) -> Result<Self, ParseUsedKindError> {
        Self::ALL.into_iter().find(|k| k.name() == s).ok_or(ParseUsedKindError)
    }
}

/// One thing that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Use {
    /// Its kind.
    pub kind: UsedKind,
    /// Its id.
    pub id: Uuid,
}

impl From<VariableId> for Use {
    fn from(id: VariableId) -> Self {
        Self { kind: UsedKind::Variable, id: id.as_uuid() }
    }
}
impl From<SecretId> for Use {
    fn from(id: SecretId) -> Self {
        Self { kind: UsedKind::Secret, id: id.as_uuid() }
    }
}
impl From<ModelId> for Use {
    fn from(id: ModelId) -> Self {
        Self { kind: UsedKind::Model, id: id.as_uuid() }
    }
}
impl From<EnvironmentId> for Use {
    fn from(id: EnvironmentId) -> Self {
        Self { kind: UsedKind::Environment, id: id.as_uuid() }
    }
}

/// Which referrer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReferrerKey {
    /// Its kind.
    pub kind: ReferrerKind,
    /// Its id.
    pub id: ReferrerId,
}

/// Something outside that uses things of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referrer {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Which one.
    pub key: ReferrerKey,
    /// Its name, for the person who decides about a deletion.
    pub name: DisplayName,
    /// All that it uses.
    pub uses: BTreeSet<Use>,
    /// When it last said so.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its declarations, from 1.
    pub version: i64,
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum ReferrerWrite {
    /// The referrer with its whole list; version 1 is a new row.
    Put(Referrer),
}

/// Who uses a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// What is used.
    pub uses: Use,
    /// Which referrer.
    pub key: ReferrerKey,
    /// Its name.
    pub name: DisplayName,
}

/// As an entry of an impact list: it breaks, because `why`.
#[must_use]
pub fn affected(dependants: &[Dependant], why: &str) -> Vec<Affected> {
    let entry = |d: &Dependant| Affected {
        kind: d.key.kind.to_string(),
        id: d.key.id.to_string(),
        name: d.name.to_string(),
        why: why.to_owned(),
    };
    dependants.iter().map(entry).collect()
}

refusals! {
    /// Why references were not taken.
    DeclareReferencesError {
        UnknownUse: Invalid "validation-failed" at "/uses", "An entry names nothing of this workspace. Send ids of variables, models, secrets and environments that are there; a hidden system model only if it was used before.";
        TooMany: Conflict "quota-reached", "The workspace has too many referrers.";
    }
}

/// A declaration.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// Who declares.
    pub key: ReferrerKey,
    /// Its name.
    pub name: DisplayName,
    /// All that it uses.
    pub uses: BTreeSet<Use>,
}

/// What a declaration is checked against.
#[derive(Debug, Clone)]
pub struct Usable {
    /// What the referrer said before.
    pub present: Option<Referrer>,
    /// Those of the declared uses that name something: things of the workspace and visible system models.
    pub known: BTreeSet<Use>,
    /// How many referrers the workspace has.
    pub referrers: i64,
}

/// An action that declares references.
pub trait Declares: Mutation {}
impl Declares for actions::DeclareReferences {}
impl Declares for actions::DeclareAgentReferences {}

impl Referrer {
    /// Takes a whole list. What is hidden stays usable for who used it before (contract, References).
    pub fn declare<A: Declares>(
        permit: &Permit<A>,
        there: &Usable,
        new: Declaration,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<DeclareReferencesError>> {
        let before = there.present.as_ref();
        guard.check_version(before.map_or(0, |r| r.version))?;
        let kept = |u: &Use| before.is_some_and(|r| r.uses.contains(u));
        if new.uses.iter().any(|u| !there.known.contains(u) && !kept(u)) {
            return Err(DeclareReferencesError::UnknownUse.into());
        }
        if before.is_none() && there.referrers >= MAX_REFERRERS {
            return Err(DeclareReferencesError::TooMany.into());
        }
        if let Some(same) = before.filter(|r| r.name == new.name && r.uses == new.uses) {
            return Ok(Change::nothing(permit, same.clone()));
        }
        let next = Self {
            workspace: permit.scope().workspace(),
            key: new.key,
            name: new.name,
            uses: new.uses,
            updated_at: permit.at(),
            version: before.map_or(1, |r| r.version + 1),
        };
        let count = |r: &Self| PublicValue::from(i64::try_from(r.uses.len()).unwrap_or(i64::MAX));
        let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
        let details = Details::new()
            .change("uses", before.map(count), Some(count(&next)))
            .personal("referrer", person, format!("{}/{}", next.key.kind, next.key.id))
            .personal("name", person, next.name.as_str());
        let write = Write::Referrer(ReferrerWrite::Put(next.clone()));
        Ok(Change::decided(permit, write, Target::Referrer, details, next))
    }
}
