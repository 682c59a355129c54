//! Secrets: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{EnvironmentId, SecretId, WorkspaceId},
    ports::{StoreError, store::Page},
    sealed::{Sealed, StoredValue},
    secrets::{Secret, SecretRecord, SecretWrite},
    text::DisplayName,
    tokens::Digest,
};
use uuid::Uuid;

macro_rules! secrets {
    ($rest:literal) => {
        concat!(
            "SELECT workspace_id, id, environment_id, name, sealed, key_generation, value_version, is_sealed, version, \
             created_at, updated_at, rotated_at FROM secrets WHERE workspace_id = $1 AND ",
            $rest
        )
    };
}

statements! {
    /// A page, of one environment or of all.
    LIST = secrets!("id > $2 AND ($3 = 0 OR environment_id = $4) ORDER BY id LIMIT $5");
    /// One.
    GET = secrets!("id = $2");
    /// The one of a name.
    NAMED = "SELECT id FROM secrets WHERE workspace_id = $1 AND environment_id = $2 AND name = $3";
    /// How many there are.
    COUNT = "SELECT count(*) AS secrets FROM secrets WHERE workspace_id = $1";
    /// A new row.
    INSERT = "INSERT INTO secrets (workspace_id, id, environment_id, name, sealed, key_generation, value_version, \
        is_sealed, version, created_at, updated_at, rotated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    /// The row as it shall be, its value left alone. The environment is written too, so that the database's own rule sees a
    /// change of it.
    UPDATE = "UPDATE secrets SET environment_id = $3, name = $4, is_sealed = $5, version = $6, updated_at = $7, \
        rotated_at = $8 WHERE workspace_id = $1 AND id = $2 AND version = $9";
    /// Another value; part of the same write.
    REPLACE = "UPDATE secrets SET sealed = $3, key_generation = $4, value_version = $5 WHERE workspace_id = $1 AND id = $2";
    /// Drops the row.
    DELETE = "DELETE FROM secrets WHERE workspace_id = $1 AND id = $2";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Secret, StoreError> {
    Ok(Secret {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: SecretId::from_uuid(row.id("id")?),
        environment: EnvironmentId::from_uuid(row.id("environment_id")?),
        name: row.parse("name")?,
        sealed: row.flag("is_sealed")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        rotated_at: row.maybe_time("rotated_at")?,
        version: row.int("version")?,
    })
}

fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<SecretRecord, StoreError> {
    let secret = read(row)?;
    let binding = Secret::binding(secret.workspace, secret.environment, secret.id, row.int("value_version")?);
    let sealed = Sealed::new(row.int("key_generation")?, row.get::<Vec<u8>>("sealed")?);
    Ok(SecretRecord { value: StoredValue::new(binding, sealed, Digest::none()), secret })
}

/// A page, of one environment or of all.
pub async fn list<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: Option<EnvironmentId>,
    page: Page,
) -> Result<Vec<Secret>, StoreError> {
    let stmt = Stmt::new(LIST)
        .bind(workspace)
        .bind(page.after.unwrap_or_default())
        .bind(i64::from(environment.is_some()))
        .bind(environment.map(EnvironmentId::as_uuid).unwrap_or_default())
        .bind(page.limit);
    tx.all(stmt, read).await
}

/// One.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: SecretId) -> Result<Option<SecretRecord>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_record).await
}

/// The one of a name.
pub async fn named<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: EnvironmentId,
    name: &DisplayName,
) -> Result<Option<SecretId>, StoreError> {
    let stmt = Stmt::new(NAMED).bind(workspace).bind(environment.as_uuid()).text(name.as_str());
    tx.first(stmt, |row| row.id("id").map(SecretId::from_uuid)).await
}

/// How many there are.
pub async fn count<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<i64, StoreError> {
    tx.one(Stmt::new(COUNT).bind(workspace), |row| row.int("secrets")).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &SecretWrite) -> Result<(), StoreError> {
    match write {
        SecretWrite::Insert(record) => {
            let SecretRecord { secret: s, value } = record.as_ref();
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .bind(s.environment.as_uuid())
                .text(s.name.as_str())
                .bytes(value.sealed().bytes())
                .bind(value.sealed().generation())
                .bind(value.binding().version())
                .bind(i64::from(s.sealed))
                .bind(s.version)
                .time(s.created_at)
                .time(s.updated_at)
                .maybe_time(s.rotated_at);
            tx.run_one(stmt).await
        }
        SecretWrite::Update(s, value) => {
            let stmt = Stmt::new(UPDATE)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .bind(s.environment.as_uuid())
                .text(s.name.as_str())
                .bind(i64::from(s.sealed))
                .bind(s.version)
                .time(s.updated_at)
                .maybe_time(s.rotated_at)
                .bind(s.version - 1);
            tx.run_one(stmt).await?;
            let Some(value) = value else { return Ok(()) };
            let stmt = Stmt::new(REPLACE)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .bytes(value.sealed().bytes())
                .bind(value.sealed().generation())
                .bind(value.binding().version());
            tx.run_one(stmt).await
        }
        SecretWrite::Delete(id) => tx.run_one(Stmt::new(DELETE).bind(workspace).bind(id.as_uuid())).await,
    }
}
