//! A `.env` file taken over in one go: what is not there is added, what differs gets the new value, nothing is deleted.
use super::{
    MAX_VARIABLES, NewVariable, Variable, VariableError, VariableName, VariableRecord, build, check_binding, inserted,
    updated,
};
use crate::{
    audit::{Fact, Target},
    change::Change,
    environments::Environment,
    error::Refused,
    impact::{Guard, Impact},
    policy::{Permit, actions},
    sealed::StoredValue,
    tokens::Digest,
};
use serde::{Deserialize, Serialize};

/// What an import does to one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedChange {
    /// There is none of this name.
    Added,
    /// There is one with another value.
    Changed,
    /// There is one with this very value.
    Same,
}

impl PlannedChange {
    /// Name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The name.
    pub name: VariableName,
    /// What happens to it.
    pub change: PlannedChange,
}

/// Compares a file with what is stored, by keyed digests alone: no value is opened.
#[must_use]
pub fn plan(present: &[VariableRecord], wanted: &[(VariableName, Digest)]) -> Vec<Planned> {
    let compare = |(name, digest): &(VariableName, Digest)| {
        let change = match present.iter().find(|r| r.variable.name == *name) {
            None => PlannedChange::Added,
            Some(there) if there.value.digest() == *digest => PlannedChange::Same,
            Some(_) => PlannedChange::Changed,
        };
        Planned { name: name.clone(), change }
    };
    wanted.iter().map(compare).collect()
}

/// The rights that an import needs.
#[derive(Debug)]
pub struct ImportRights {
    /// To change what is there.
    pub update: Permit<actions::UpdateVariable>,
    /// To add.
    pub create: Option<Permit<actions::CreateVariable>>,
}

/// A value of the file, sealed for what it becomes.
#[derive(Debug, Clone)]
pub enum ImportedValue {
    /// A new variable.
    New(NewVariable),
    /// Another value of one that is there, sealed under its [`Variable::next_binding`].
    Next(Variable, StoredValue),
}

impl Variable {
    /// Takes a file over: one audit event for each variable that is added or changed. What stays the same is not among
    /// `values`. In production every overwritten value is confirmed first.
    pub fn import(
        rights: &ImportRights,
        environment: &Environment,
        count: i64,
        values: Vec<ImportedValue>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<VariableError>> {
        let added = values.iter().filter(|v| matches!(v, ImportedValue::New(_))).count();
        if added > 0 && rights.create.is_none() {
            return Err(VariableError::MayNotCreate.into());
        }
        if count.saturating_add(i64::try_from(added).unwrap_or(i64::MAX)) > MAX_VARIABLES {
            return Err(VariableError::TooMany.into());
        }
        if environment.is_protected() {
            let overwritten = |v: &ImportedValue| match v {
                ImportedValue::Next(there, _) => Some(there.as_affected(
                    "It is in production; its present value is lost, and what runs next gets the new one.",
                )),
                ImportedValue::New(_) => None,
            };
            let impact = values.iter().filter_map(overwritten).collect();
            guard.check_impact(Impact::new("import-variables", environment.id.as_uuid(), impact))?;
        }
        let permit = &rights.update;
        let mut change = Change::nothing(permit, ());
        for value in values {
            change = match value {
                ImportedValue::New(new) => {
                    let create = rights.create.as_ref().ok_or(VariableError::MayNotCreate)?;
                    let (write, target, details, _) = inserted(create, build(create, environment.id, new)?);
                    change.consequence(create, Fact::VariableCreated, write, target, details)
                }
                ImportedValue::Next(before, value) => {
                    check_binding(Some(&value), &before.next_binding())?;
                    let name = before.name.clone();
                    let (write, details, _) = updated(permit, &before, name, Some(value));
                    change.consequence(permit, Fact::VariableUpdated, write, Target::Variable(before.id), details)
                }
            };
        }
        Ok(change)
    }
}
