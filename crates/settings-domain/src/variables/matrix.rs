//! Which variable stands in which environment, and where its value is another one: told by keyed digests, without opening
//! a value.
use super::{VariableName, VariableRecord};
use crate::{
    environments::{Environment, Tier},
    ids::{EnvironmentId, VariableId},
};
use std::collections::BTreeMap;

/// How a variable stands in one environment, compared with production, or with the first environment that has it where
/// production has it not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellState {
    /// It is not there.
    Missing,
    /// It has the value it is compared with.
    Same,
    /// It has another value.
    Different,
}

impl CellState {
    /// Name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Same => "same",
            Self::Different => "different",
        }
    }
}

/// One name in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The environment.
    pub environment: EnvironmentId,
    /// The variable, where it is there.
    pub variable: Option<VariableId>,
    /// How it stands.
    pub state: CellState,
}

/// One name in all environments, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    /// The name.
    pub name: VariableName,
    /// A cell for each environment.
    pub cells: Vec<Cell>,
}

/// All names in all environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The columns: production first, then by age.
    pub environments: Vec<Environment>,
    /// The rows, by name.
    pub rows: Vec<MatrixRow>,
}

impl Matrix {
    /// Lays everything out.
    #[must_use]
    pub fn new(mut environments: Vec<Environment>, records: &[VariableRecord]) -> Self {
        environments.sort_by_key(|e| (e.tier != Tier::Production, e.created_at, e.id));
        let mut names: BTreeMap<&VariableName, BTreeMap<EnvironmentId, &VariableRecord>> = BTreeMap::new();
        for record in records {
            names.entry(&record.variable.name).or_default().insert(record.variable.environment, record);
        }
        let row = |(name, there): (&VariableName, BTreeMap<EnvironmentId, &VariableRecord>)| {
            let measure = environments.iter().find_map(|e| there.get(&e.id)).map(|r| r.value.digest());
            let cell = |e: &Environment| match there.get(&e.id) {
                None => Cell { environment: e.id, variable: None, state: CellState::Missing },
                Some(r) => {
                    let same = measure.is_some_and(|m| m == r.value.digest());
                    let state = if same { CellState::Same } else { CellState::Different };
                    Cell { environment: e.id, variable: Some(r.variable.id), state }
                }
            };
            MatrixRow { name: name.clone(), cells: environments.iter().map(cell).collect() }
        };
        let rows = names.into_iter().map(row).collect();
        Self { environments, rows }
    }
}
