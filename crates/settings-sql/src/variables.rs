//! Variables: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{EnvironmentId, VariableId, WorkspaceId},
    ports::{StoreError, store::Page},
    sealed::{Sealed, StoredValue},
    variables::{Variable, VariableName, VariableRecord, VariableWrite},
};
use std::collections::BTreeMap;
use uuid::Uuid;

macro_rules! variables {
    ($rest:literal) => {
        concat!("SELECT ", variable_columns!(), " FROM variables v WHERE v.workspace_id = $1 AND ", $rest)
    };
}

statements! {
    /// A page, of one environment or of all.
    LIST = variables!("v.id > $2 AND ($3 = 0 OR v.environment_id = $4) ORDER BY v.id LIMIT $5");
    /// One.
    GET = variables!("v.id = $2");
    /// Every one, of one environment or of all, by name.
    RECORDS = variables!("($2 = 0 OR v.environment_id = $3) ORDER BY v.name, v.id");
    /// The one of a name.
    NAMED = "SELECT id FROM variables WHERE workspace_id = $1 AND environment_id = $2 AND name = $3";
    /// How many each environment has.
    COUNTS = "SELECT environment_id, count(*) AS variables FROM variables WHERE workspace_id = $1 GROUP BY environment_id";
    /// A new row.
    INSERT = "INSERT INTO variables (workspace_id, id, environment_id, name, sealed, key_generation, value_version, \
        value_digest, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    /// The row as it shall be, its value left alone. The environment is written too, so that the database's own rule sees a
    /// change of it.
    UPDATE = "UPDATE variables SET environment_id = $3, name = $4, version = $5, updated_at = $6 \
        WHERE workspace_id = $1 AND id = $2 AND version = $7";
    /// Another value; part of the same write.
    REPLACE = "UPDATE variables SET sealed = $3, key_generation = $4, value_version = $5, value_digest = $6 \
        WHERE workspace_id = $1 AND id = $2";
    /// Drops the row.
    DELETE = "DELETE FROM variables WHERE workspace_id = $1 AND id = $2";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Variable, StoreError> {
    Ok(Variable {
        workspace: WorkspaceId::from_uuid(row.id("v_workspace_id")?),
        id: VariableId::from_uuid(row.id("v_id")?),
        environment: EnvironmentId::from_uuid(row.id("v_environment_id")?),
        name: row.parse("v_name")?,
        created_at: row.time("v_created_at")?,
        updated_at: row.time("v_updated_at")?,
        version: row.int("v_version")?,
    })
}

/// Reads a variable with what is stored of its value.
pub fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<VariableRecord, StoreError> {
    let variable = read(row)?;
    let version = row.int("v_value_version")?;
    let binding = Variable::binding(variable.workspace, variable.environment, variable.id, version);
    let sealed = Sealed::new(row.int("v_key_generation")?, row.get::<Vec<u8>>("v_sealed")?);
    Ok(VariableRecord { value: StoredValue::new(binding, sealed, row.digest("v_value_digest")?), variable })
}

/// A page, of one environment or of all.
pub async fn list<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: Option<EnvironmentId>,
    page: Page,
) -> Result<Vec<Variable>, StoreError> {
    let stmt = Stmt::new(LIST)
        .bind(workspace)
        .bind(page.after.unwrap_or_default())
        .bind(i64::from(environment.is_some()))
        .bind(environment.map(EnvironmentId::as_uuid).unwrap_or_default())
        .bind(page.limit);
    tx.all(stmt, read).await
}

/// One.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: VariableId,
) -> Result<Option<VariableRecord>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_record).await
}

/// Every one, of one environment or of all, by name.
pub async fn records<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: Option<EnvironmentId>,
) -> Result<Vec<VariableRecord>, StoreError> {
    let stmt = Stmt::new(RECORDS)
        .bind(workspace)
        .bind(i64::from(environment.is_some()))
        .bind(environment.map(EnvironmentId::as_uuid).unwrap_or_default());
    let mut records = tx.all(stmt, read_record).await?;
    // Whatever the database's collation makes of case: byte order, the same everywhere.
    records.sort_by(|a, b| (&a.variable.name, a.variable.id).cmp(&(&b.variable.name, b.variable.id)));
    Ok(records)
}

/// The one of a name.
pub async fn named<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: EnvironmentId,
    name: &VariableName,
) -> Result<Option<VariableId>, StoreError> {
    let stmt = Stmt::new(NAMED).bind(workspace).bind(environment.as_uuid()).text(name.as_str());
    tx.first(stmt, |row| row.id("id").map(VariableId::from_uuid)).await
}

/// How many each environment has.
pub async fn counts<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<BTreeMap<EnvironmentId, i64>, StoreError> {
    let rows = tx
        .all(Stmt::new(COUNTS).bind(workspace), |row| {
            Ok((EnvironmentId::from_uuid(row.id("environment_id")?), row.int("variables")?))
        })
        .await?;
    Ok(rows.into_iter().collect())
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &VariableWrite) -> Result<(), StoreError> {
    match write {
        VariableWrite::Insert(record) => {
            let VariableRecord { variable: v, value } = record.as_ref();
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(v.id.as_uuid())
                .bind(v.environment.as_uuid())
                .text(v.name.as_str())
                .bytes(value.sealed().bytes())
                .bind(value.sealed().generation())
                .bind(value.binding().version())
                .bytes(value.digest().as_bytes())
                .bind(v.version)
                .time(v.created_at)
                .time(v.updated_at);
            tx.run_one(stmt).await
        }
        VariableWrite::Update(v, value) => {
            let stmt = Stmt::new(UPDATE)
                .bind(workspace)
                .bind(v.id.as_uuid())
                .bind(v.environment.as_uuid())
                .text(v.name.as_str())
                .bind(v.version)
                .time(v.updated_at)
                .bind(v.version - 1);
            tx.run_one(stmt).await?;
            let Some(value) = value else { return Ok(()) };
            let stmt = Stmt::new(REPLACE)
                .bind(workspace)
                .bind(v.id.as_uuid())
                .bytes(value.sealed().bytes())
                .bind(value.sealed().generation())
                .bind(value.binding().version())
                .bytes(value.digest().as_bytes());
            tx.run_one(stmt).await
        }
        VariableWrite::Delete(id) => tx.run_one(Stmt::new(DELETE).bind(workspace).bind(id.as_uuid())).await,
    }
}
