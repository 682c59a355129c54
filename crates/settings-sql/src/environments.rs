//! Environments: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    change::Write,
    environments::{Environment, EnvironmentWrite, Tier},
    ids::{EnvironmentId, WorkspaceId},
    ports::StoreError,
};
use uuid::Uuid;

statements! {
    /// Those of a workspace, oldest first.
    LIST = "SELECT workspace_id, id, name, tier, created_at, updated_at, version FROM environments \
        WHERE workspace_id = $1 ORDER BY created_at, id";
    /// A new row.
    INSERT = "INSERT INTO environments (workspace_id, id, name, tier, created_at, updated_at, version) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    /// Gives a name up for a moment, so that two environments can trade theirs in one change.
    PARK = "UPDATE environments SET name = $3 WHERE workspace_id = $1 AND id = $2 AND version = $4";
    /// The row as it shall be.
    UPDATE = "UPDATE environments SET name = $3, tier = $4, updated_at = $5, version = $6 \
        WHERE workspace_id = $1 AND id = $2 AND version = $7";
    /// Drops the row.
    DELETE = "DELETE FROM environments WHERE workspace_id = $1 AND id = $2";
}

/// Reads an environment.
pub fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Environment, StoreError> {
    Ok(Environment {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: EnvironmentId::from_uuid(row.id("id")?),
        name: row.parse("name")?,
        tier: row.parse("tier")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    })
}

/// Loads those of a workspace, oldest first.
pub async fn list<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Vec<Environment>, StoreError> {
    tx.all(Stmt::new(LIST).bind(workspace), read).await
}

/// Frees the names of everything that a change of several environments updates: a unique name is checked row by row (and
/// SQLite can't put that off), but the list as a whole is what was decided.
pub async fn park<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, writes: &[Write]) -> Result<(), StoreError> {
    let moved: Vec<_> = writes
        .iter()
        .filter_map(|w| match w {
            Write::Environment(EnvironmentWrite::Update(e)) if e.tier != Tier::Production => Some(e),
            _ => None,
        })
        .collect();
    if moved.len() < 2 {
        return Ok(());
    }
    for e in moved {
        // A tilde is in no name, so a parked one collides with nothing.
        let parked = format!("~{}", e.id);
        tx.run_one(Stmt::new(PARK).bind(workspace).bind(e.id.as_uuid()).bind(parked).bind(e.version - 1)).await?;
    }
    Ok(())
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &EnvironmentWrite) -> Result<(), StoreError> {
    let stmt = match write {
        EnvironmentWrite::Insert(e) => Stmt::new(INSERT)
            .bind(workspace)
            .bind(e.id.as_uuid())
            .text(e.name.as_str())
            .text(e.tier.name())
            .time(e.created_at)
            .time(e.updated_at)
            .bind(e.version),
        EnvironmentWrite::Update(e) => Stmt::new(UPDATE)
            .bind(workspace)
            .bind(e.id.as_uuid())
            .text(e.name.as_str())
            .text(e.tier.name())
            .time(e.updated_at)
            .bind(e.version)
            .bind(e.version - 1),
        EnvironmentWrite::Delete(id) => Stmt::new(DELETE).bind(workspace).bind(id.as_uuid()),
    };
    tx.run_one(stmt).await
}
