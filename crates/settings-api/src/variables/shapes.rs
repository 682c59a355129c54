//! Bodies and answers. No answer has a member for a value.
use crate::{
    answer::rfc3339,
    json::{Body, Fields},
    problem::{Fault, Problem},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use settings_domain::{
    ids::EnvironmentId,
    sealed::SecretValue,
    variables as domain,
    variables::{Entry, Planned, VariableName, parse_dotenv},
};
use utoipa::ToSchema;

/// A variable, without its value: that is in no answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variable {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Unique in its environment.
    name: String,
    /// The environment, for ever.
    #[schema(format = Uuid)]
    environment_id: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC; when name or value last changed.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&domain::Variable> for Variable {
    fn from(v: &domain::Variable) -> Self {
        Self {
            id: v.id.to_string(),
            name: v.name.to_string(),
            environment_id: v.environment.to_string(),
            created_at: rfc3339(v.created_at),
            updated_at: rfc3339(v.updated_at),
            version: v.version,
        }
    }
}

/// A variable to be kept.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewVariable {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    pub(super) environment_id: EnvironmentId,
    /// A JavaScript identifier of ASCII letters, digits and underscores that is no reserved word.
    #[schema(value_type = String, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
    pub(super) name: VariableName,
    /// Write-only; 1 to 65,536 bytes, kept byte for byte.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 65536)]
    pub(super) value: SecretValue,
}

impl Body for NewVariable {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let (environment_id, name) = (f.required("environmentId"), f.required("name"));
        let value = f.required_secret("value");
        Some(Self { organization_id, environment_id: environment_id?, name: name?, value: value? })
    }
}

/// Fields to change; absent ones stay.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct VariableChange {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// May be repeated, never changed.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(super) environment_id: Option<EnvironmentId>,
    /// New name.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
    pub(super) name: Option<VariableName>,
    /// Write-only; the stored value stays where this is absent.
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 65536)]
    pub(super) value: Option<SecretValue>,
}

impl Body for VariableChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self {
            organization_id: f.optional("organizationId"),
            environment_id: f.optional("environmentId"),
            name: f.optional("name"),
            value: f.secret("value"),
        })
    }
}

/// A `.env` file for an environment.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct DotenvFile {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// Where.
    #[schema(value_type = String, format = Uuid)]
    pub(super) environment_id: EnvironmentId,
    /// Write-only; lines of `NAME=value`. Nothing in it is expanded.
    #[schema(value_type = String, write_only)]
    content: SecretString,
}

impl Body for DotenvFile {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let environment_id = f.required("environmentId");
        let content = f.required_secret_text("content");
        Some(Self { organization_id, environment_id: environment_id?, content: content? })
    }
}

impl DotenvFile {
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Problem> {
        parse_dotenv(self.content.expose_secret()).map_err(|faults| {
            let fault = |f: domain::DotenvFault| Fault {
                pointer: "/content".to_owned(),
                detail: format!("line {}: {}", f.line, f.detail),
            };
            Problem::invalid(faults.into_iter().map(fault).collect())
        })
    }
}

/// What an import does, or would do. Values are compared by keyed digests and shown nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportPlan {
    /// Where.
    #[schema(format = Uuid)]
    environment_id: String,
    /// An entry for each line of the file.
    items: Vec<PlannedItem>,
}

/// One name of the file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlannedItem {
    /// The name.
    name: String,
    /// `added`, `changed` or `same`.
    change: &'static str,
}

impl ImportPlan {
    pub(super) fn new(environment: EnvironmentId, planned: &[Planned]) -> Self {
        let item = |p: &Planned| PlannedItem { name: p.name.to_string(), change: p.change.name() };
        Self { environment_id: environment.to_string(), items: planned.iter().map(item).collect() }
    }
}

/// All variables in all environments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matrix {
    /// The columns: production first, then by age.
    environments: Vec<MatrixColumn>,
    /// The rows, by name.
    variables: Vec<MatrixRow>,
}

/// An environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatrixColumn {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Its name.
    name: String,
    /// `production`, `staging` or `development`.
    tier: &'static str,
}

/// One name in all environments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatrixRow {
    /// The name.
    name: String,
    /// A cell for each environment, in their order.
    cells: Vec<MatrixCell>,
}

/// One name in one environment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MatrixCell {
    /// The environment.
    #[schema(format = Uuid)]
    environment_id: String,
    /// The variable; null where it is missing.
    #[schema(format = Uuid)]
    variable_id: Option<String>,
    /// `missing`, or `same` or `different` compared with production, or with the first environment that has the name.
    state: &'static str,
}

impl From<domain::Matrix> for Matrix {
    fn from(m: domain::Matrix) -> Self {
        let column = |e: &settings_domain::environments::Environment| MatrixColumn {
            id: e.id.to_string(),
            name: e.name.to_string(),
            tier: e.tier.name(),
        };
        let cell = |c: &domain::Cell| MatrixCell {
            environment_id: c.environment.to_string(),
            variable_id: c.variable.map(|id| id.to_string()),
            state: c.state.name(),
        };
        let row =
            |r: &domain::MatrixRow| MatrixRow { name: r.name.to_string(), cells: r.cells.iter().map(cell).collect() };
        Self { environments: m.environments.iter().map(column).collect(), variables: m.rows.iter().map(row).collect() }
    }
}
