//! Wrapped data keys.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::WorkspaceId,
    ports::{
        StoreError,
        vault::{OldWrapping, Rewrapped, WrappedDataKey},
    },
};
use uuid::Uuid;

statements! {
    /// Those of a workspace, oldest first.
    LIST = "SELECT generation, wrapped, wrapped_by, created_at FROM data_keys WHERE workspace_id = $1 ORDER BY generation";
    /// One.
    GET = "SELECT generation, wrapped, wrapped_by, created_at FROM data_keys WHERE workspace_id = $1 AND generation = $2";
    /// Keeps one unless there is one of its generation.
    KEEP = "INSERT INTO data_keys (workspace_id, generation, wrapped, wrapped_by, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, generation) DO NOTHING";
    /// Those that another key-encryption key wrapped, after a place.
    OLD = "SELECT workspace_id, generation, wrapped FROM data_keys WHERE wrapped_by <> $1 \
        AND (workspace_id > $2 OR (workspace_id = $2 AND generation > $3)) ORDER BY workspace_id, generation LIMIT $4";
    /// Another wrapping, if the present one still is the one that was wrapped anew.
    REWRAP = "UPDATE data_keys SET wrapped = $4, wrapped_by = $5 \
        WHERE workspace_id = $1 AND generation = $2 AND wrapped = $3";
    /// How many there are, and how many another key-encryption key wrapped.
    COUNT = "SELECT count(*) AS keys, count(CASE WHEN wrapped_by <> $1 THEN 1 END) AS old FROM data_keys";
}

pub(crate) fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<WrappedDataKey, StoreError> {
    Ok(WrappedDataKey {
        generation: row.int("generation")?,
        wrapped: row.get::<Vec<u8>>("wrapped")?,
        wrapped_by: row.text("wrapped_by")?,
        created_at: row.time("created_at")?,
    })
}

/// Those of a workspace, oldest first.
pub async fn list<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Vec<WrappedDataKey>, StoreError> {
    tx.all(Stmt::new(LIST).bind(workspace), read).await
}

/// One of them.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    generation: i64,
) -> Result<Option<WrappedDataKey>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(generation), read).await
}

/// Keeps one unless there is one of its generation; returns the one that is kept.
pub async fn keep<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    key: &WrappedDataKey,
) -> Result<WrappedDataKey, StoreError> {
    let stmt = Stmt::new(KEEP)
        .bind(workspace)
        .bind(key.generation)
        .bytes(&key.wrapped)
        .text(&key.wrapped_by)
        .time(key.created_at);
    tx.run(stmt).await?;
    let kept = get(tx, workspace, key.generation).await?;
    kept.ok_or_else(|| StoreError::Corrupt("a data key that is not kept".to_owned()))
}

/// Those that another key-encryption key wrapped, after a place.
pub async fn old<D: SqlDb>(
    tx: &mut Tx<D>,
    current: &str,
    after: Option<(WorkspaceId, i64)>,
    limit: i64,
) -> Result<Vec<OldWrapping>, StoreError> {
    let (workspace, generation) = after.map_or((Uuid::nil(), 0), |(w, g)| (w.as_uuid(), g));
    let stmt = Stmt::new(OLD).text(current).bind(workspace).bind(generation).bind(limit);
    tx.all(stmt, |row| {
        Ok(OldWrapping {
            workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
            generation: row.int("generation")?,
            wrapped: row.get::<Vec<u8>>("wrapped")?,
        })
    })
    .await
}

/// Replaces wrappings; returns how many rows changed.
pub async fn rewrap<D: SqlDb>(tx: &mut Tx<D>, keys: &[Rewrapped]) -> Result<u64, StoreError> {
    let mut changed = 0;
    for new in keys {
        let stmt = Stmt::new(REWRAP)
            .bind(new.old.workspace.as_uuid())
            .bind(new.old.generation)
            .bytes(&new.old.wrapped)
            .bytes(&new.wrapped)
            .text(&new.wrapped_by);
        changed += tx.run(stmt).await?;
    }
    Ok(changed)
}

/// How many there are, and how many another key-encryption key wrapped.
pub async fn count<D: SqlDb>(tx: &mut Tx<D>, current: &str) -> Result<(i64, i64), StoreError> {
    tx.one(Stmt::new(COUNT).text(current), |row| Ok((row.int("keys")?, row.int("old")?))).await
}
