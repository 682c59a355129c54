//! Variables (seed B): environment-scoped values for scripts. Write-only: no answer ever holds one.
mod dotenv;
mod import;
mod matrix;
mod name;

pub use dotenv::{DotenvFault, Entry, parse as parse_dotenv};
pub use import::{ImportRights, ImportedValue, Planned, PlannedChange, plan};
pub use matrix::{Cell, CellState, Matrix, MatrixRow};
pub use name::{RESERVED_VARIABLE_NAMES, VariableName, VariableNameError};

use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    environments::Environment,
    error::{Refused, refusals},
    ids::{EnvironmentId, PersonId, VariableId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    policy::{Mutation, Permit, actions},
    references::{Dependant, affected},
    sealed::{Binding, Opening, StoredValue, ValueKind},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Most variables of a workspace.
pub const MAX_VARIABLES: i64 = 10_000;

/// A variable, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: VariableId,
    /// Where it lives; for ever, so that nobody promotes a value by moving it.
    pub environment: EnvironmentId,
    /// Unique in the environment.
    pub name: VariableName,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When its name or value last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A variable with what is stored of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableRecord {
    /// The variable.
    pub variable: Variable,
    /// The value, sealed.
    pub value: StoredValue,
}

impl VariableRecord {
    /// The right to open it, for who resolves variables of this workspace.
    #[must_use]
    pub fn opening(&self, permit: &Permit<actions::ResolveVariables>) -> Option<Opening<'_>> {
        (permit.scope().workspace() == self.variable.workspace).then(|| self.value.opening())
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum VariableWrite {
    /// A new row.
    Insert(Box<VariableRecord>),
    /// The row as it shall be, with another value where there is one.
    Update(Variable, Option<Box<StoredValue>>),
    /// Drops the row, and what is said to use it.
    Delete(VariableId),
}

refusals! {
    /// Why a variable was not changed.
    VariableError {
        NotFound: NotFound "not-found", "There is no such variable.";
        UnknownEnvironment: Invalid "validation-failed" at "/environmentId", "There is no such environment in this workspace.";
        EnvironmentFixed: Invalid "immutable-field" at "/environmentId", "A variable stays in its environment. Make another one where it is needed.";
        NameTaken: Conflict "name-taken" at "/name", "There is a variable of this name in the environment. Change that one, or choose another name.";
        TooMany: Conflict "quota-reached", "A workspace has at most 10,000 variables.";
        MayNotCreate: Forbidden "forbidden", "You do not have permission to create variables.";
    }
}

/// A variable to be made.
#[derive(Debug, Clone)]
pub struct NewVariable {
    /// Fresh id.
    pub id: VariableId,
    /// Its name.
    pub name: VariableName,
    /// Its value, sealed under [`Variable::binding`] of version 1.
    pub value: StoredValue,
}

/// What a new variable is checked against.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment, where it is there.
    pub environment: Option<Environment>,
    /// Whether the name is taken in it.
    pub taken: bool,
    /// How many variables the workspace has.
    pub count: i64,
}

impl Variable {
    /// What a value of a variable is bound to.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, environment: EnvironmentId, id: VariableId, version: i64) -> Binding {
        Binding::in_environment(workspace, ValueKind::Variable, id.as_uuid(), version, environment)
    }
    /// What the next value of this one is bound to.
    #[must_use]
    pub fn next_binding(&self) -> Binding {
        Self::binding(self.workspace, self.environment, self.id, self.version + 1)
    }

    /// Adds one.
    pub fn create(
        permit: &Permit<actions::CreateVariable>,
        there: &Surroundings,
        new: NewVariable,
    ) -> Result<Change<Self>, Refused<VariableError>> {
        let environment = there.environment.as_ref().ok_or(VariableError::UnknownEnvironment)?;
        if there.taken {
            return Err(VariableError::NameTaken.into());
        }
        if there.count >= MAX_VARIABLES {
            return Err(VariableError::TooMany.into());
        }
        let record = build(permit, environment.id, new)?;
        let (write, target, details, variable) = inserted(permit, record);
        Ok(Change::decided(permit, write, target, details, variable))
    }

    /// Renames it, gives it another value, or both. What is absent stays. In production, where somebody relies on it,
    /// each of that is confirmed first.
    pub fn update(
        &self,
        permit: &Permit<actions::UpdateVariable>,
        there: &InUse<'_>,
        name: VariableName,
        value: Option<StoredValue>,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<VariableError>> {
        guard.check_version(self.version)?;
        let renamed = name != self.name;
        if renamed && there.taken {
            return Err(VariableError::NameTaken.into());
        }
        if !renamed && value.is_none() {
            return Ok(Change::nothing(permit, self.clone()));
        }
        check_binding(value.as_ref(), &self.next_binding())?;
        let mut impact = Vec::new();
        if there.environment.is_protected() {
            let why = if value.is_some() {
                "It is in production; its present value is lost, and what runs next gets the new one."
            } else {
                "It is in production; scripts that use its present name fail from the next run."
            };
            impact.push(self.as_affected(why));
        }
        if renamed {
            impact.extend(affected(there.dependants, "It uses the variable by its present name."));
        }
        guard.check_impact(Impact::new("update-variable", self.id.as_uuid(), impact))?;
        let (write, details, next) = updated(permit, self, name, value);
        Ok(Change::decided(permit, write, Target::Variable(self.id), details, next))
    }

    /// Deletes it. In production, or where something uses it, that is confirmed first.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteVariable>,
        there: &InUse<'_>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<VariableError>> {
        guard.check_version(self.version)?;
        let mut impact = affected(there.dependants, "It uses the variable and fails without it.");
        if there.environment.is_protected() {
            impact.push(self.as_affected("It is in production; its value can't be restored."));
        }
        guard.check_impact(Impact::new("delete-variable", self.id.as_uuid(), impact))?;
        let details = details(permit, self).change("environment", Some(self.environment.as_uuid().into()), None);
        let write = Write::Variable(VariableWrite::Delete(self.id));
        Ok(Change::decided(permit, write, Target::Variable(self.id), details, ()))
    }

    /// As an entry of an impact list.
    #[must_use]
    pub fn as_affected(&self, why: &str) -> Affected {
        Affected {
            kind: "variable".to_owned(),
            id: self.id.to_string(),
            name: self.name.as_str().to_owned(),
            why: why.to_owned(),
        }
    }
}

/// Where a variable stands when it is changed.
#[derive(Debug, Clone, Copy)]
pub struct InUse<'a> {
    /// Its environment.
    pub environment: &'a Environment,
    /// Whether another one there has the wanted name.
    pub taken: bool,
    /// What is said to use it.
    pub dependants: &'a [Dependant],
}

/// A value sealed for another version was decided about another state of the world.
fn check_binding<E>(value: Option<&StoredValue>, expected: &Binding) -> Result<(), Refused<E>> {
    match value {
        Some(value) if value.binding() != expected => Err(Refused::Stale),
        _ => Ok(()),
    }
}

fn build<A, E>(permit: &Permit<A>, environment: EnvironmentId, new: NewVariable) -> Result<VariableRecord, Refused<E>> {
    let at = permit.at();
    let workspace = permit.scope().workspace();
    check_binding(Some(&new.value), &Variable::binding(workspace, environment, new.id, 1))?;
    let variable =
        Variable { workspace, id: new.id, environment, name: new.name, created_at: at, updated_at: at, version: 1 };
    Ok(VariableRecord { variable, value: new.value })
}

fn inserted<A: Mutation>(permit: &Permit<A>, record: VariableRecord) -> (Write, Target, Details, Variable) {
    let variable = record.variable.clone();
    let details = details(permit, &variable).change("environment", None, Some(variable.environment.as_uuid().into()));
    (Write::Variable(VariableWrite::Insert(Box::new(record))), Target::Variable(variable.id), details, variable)
}

fn updated<A: Mutation>(
    permit: &Permit<A>,
    before: &Variable,
    name: VariableName,
    value: Option<StoredValue>,
) -> (Write, Details, Variable) {
    let next = Variable { name, updated_at: permit.at(), version: before.version + 1, ..before.clone() };
    let mut details = details(permit, &next);
    if value.is_some() {
        details = details.change("value", None, Some(PublicValue::word("changed")));
    }
    if next.name != before.name {
        details = details.change("name", None, Some(PublicValue::word("changed")));
    }
    (Write::Variable(VariableWrite::Update(next.clone(), value.map(Box::new))), details, next)
}

fn details<A: Mutation>(permit: &Permit<A>, variable: &Variable) -> Details {
    let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
    Details::new().personal("name", person, variable.name.as_str())
}
