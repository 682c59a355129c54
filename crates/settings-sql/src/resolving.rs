//! What executors ask: values with the data keys they were sealed with, in one statement each.
use crate::{
    data_keys,
    db::{SqlDb, Stmt, Tx},
    models, variables,
};
use settings_domain::{
    ids::{EnvironmentId, ModelId, WorkspaceId},
    ports::{
        StoreError,
        store::{ResolvedModel, ResolvedVariables},
        vault::WrappedDataKey,
    },
};
use std::collections::BTreeMap;
use uuid::Uuid;

statements! {
    /// The variables of an environment with their data keys. One row without a variable says that the environment is there
    /// and holds none; no row says that it, or the workspace, is not there.
    VARIABLES = concat!("SELECT ", variable_columns!(), ", k.generation AS generation, k.wrapped AS wrapped, \
        k.wrapped_by AS wrapped_by, k.created_at AS created_at FROM environments e \
        JOIN workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL \
        LEFT JOIN variables v ON v.workspace_id = e.workspace_id AND v.environment_id = e.id \
        LEFT JOIN data_keys k ON k.workspace_id = v.workspace_id AND k.generation = v.key_generation \
        WHERE e.workspace_id = $1 AND e.id = $2");
    /// A model with its data key: the workspace's own, or one of the platform that is visible or that something of the
    /// workspace used before it was hidden.
    MODEL = concat!("SELECT ", model_columns!(), ", k.generation AS generation, k.wrapped AS wrapped, \
        k.wrapped_by AS wrapped_by, k.created_at AS created_at FROM workspaces w \
        JOIN models o ON o.id = $2 AND (o.workspace_id = w.id OR (o.workspace_id = $3 AND (o.visible = 1 OR EXISTS ( \
            SELECT 1 FROM reference_uses r WHERE r.workspace_id = w.id AND r.used_kind = 'model' AND r.used_id = o.id)))) \
        JOIN data_keys k ON k.workspace_id = o.workspace_id AND k.generation = o.key_generation \
        WHERE w.id = $1 AND w.deleted_at IS NULL");
}

/// The variables of an environment.
pub async fn environment<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    environment: EnvironmentId,
) -> Result<Option<ResolvedVariables>, StoreError> {
    let stmt = Stmt::new(VARIABLES).bind(workspace).bind(environment.as_uuid());
    let rows = tx
        .all(stmt, |row| match row.maybe_id("v_id")? {
            None => Ok(None),
            Some(_) => Ok(Some((variables::read_record(row)?, data_keys::read(row)?))),
        })
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut keys: BTreeMap<i64, WrappedDataKey> = BTreeMap::new();
    let mut records = Vec::with_capacity(rows.len());
    for (record, key) in rows.into_iter().flatten() {
        keys.entry(key.generation).or_insert(key);
        records.push(record);
    }
    records.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
    Ok(Some(ResolvedVariables { variables: records, keys: keys.into_values().collect() }))
}

/// A model.
pub async fn model<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    model: ModelId,
) -> Result<Option<ResolvedModel>, StoreError> {
    let stmt = Stmt::new(MODEL).bind(workspace).bind(model.as_uuid()).bind(WorkspaceId::PLATFORM.as_uuid());
    tx.first(stmt, |row| Ok(ResolvedModel { record: models::read_record(row)?, key: data_keys::read(row)? })).await
}
