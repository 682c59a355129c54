//! API keys: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    api_keys::{ApiKey, ApiKeyRecord, ApiKeyView, ApiKeyWrite, Creator},
    ids::{ApiKeyId, UserId, WorkspaceId},
    ports::{
        StoreError,
        store::{ApiKeyFilter, Page},
    },
    tokens::Seal,
};
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! views {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            key_columns!(),
            ", a.last_used_at AS last_used_at, \
             coalesce(u.name, CASE WHEN u.email_verified = 1 THEN u.email END) AS creator_name, \
             m.user_id AS creator_member FROM api_keys k \
             LEFT JOIN users u ON u.id = k.created_by \
             LEFT JOIN memberships m ON m.workspace_id = k.workspace_id AND m.user_id = k.created_by \
                  AND m.removed_at IS NULL \
             LEFT JOIN api_key_uses a ON a.workspace_id = k.workspace_id AND a.key_id = k.id ",
            $rest
        )
    };
}

statements! {
    /// A page, revoked ones included.
    LIST = views!("WHERE k.workspace_id = $1 AND k.id > $2 AND ($3 = 0 OR m.user_id IS NULL) AND ($4 = 0 \
        OR (k.created_by = $5 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $6))) \
        ORDER BY k.id LIMIT $7");
    /// One.
    GET = views!("WHERE k.workspace_id = $1 AND k.id = $2");
    /// How many work at an instant.
    COUNT_ACTIVE = "SELECT count(*) AS keys FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL \
        AND (expires_at IS NULL OR expires_at > $2)";
    /// A new row.
    INSERT = "INSERT INTO api_keys (workspace_id, id, name, prefix, last4, scopes, digest, seal, created_by, created_at, \
        expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    /// Revokes.
    REVOKE = "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        workspace: WorkspaceId::from_uuid(row.id("k_workspace_id")?),
        id: ApiKeyId::from_uuid(row.id("k_id")?),
        name: row.parse("k_name")?,
        prefix: row.text("k_prefix")?,
        last4: row.text("k_last4")?,
        scopes: row.parse("k_scopes")?,
        created_by: row.maybe_id("k_created_by")?.map(UserId::from_uuid),
        created_at: row.time("k_created_at")?,
        expires_at: row.maybe_time("k_expires_at")?,
        revoked_at: row.maybe_time("k_revoked_at")?,
    })
}

/// Reads a key with what authenticates it.
pub fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<ApiKeyRecord, StoreError> {
    Ok(ApiKeyRecord { key: read(row)?, digest: row.digest("k_digest")?, seal: Seal::new(row.bytes32("k_seal")?) })
}

/// Reads a key from an outer join.
pub fn read_maybe<D: SqlDb>(row: &Cells<'_, D>) -> Result<Option<ApiKeyRecord>, StoreError> {
    match row.maybe_id("k_id")? {
        Some(_) => read_record(row).map(Some),
        None => Ok(None),
    }
}

fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<ApiKeyView, StoreError> {
    let key = read(row)?;
    let still_member = row.maybe_id("creator_member")?.is_some();
    let name = row.maybe_text("creator_name")?;
    Ok(ApiKeyView {
        creator: key.created_by.map(|user| Creator { user, name, still_member }),
        key,
        last_used_at: row.maybe_time("last_used_at")?,
    })
}

/// Loads a page.
pub async fn list<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    filter: ApiKeyFilter,
    page: Page,
    at: OffsetDateTime,
) -> Result<Vec<ApiKeyView>, StoreError> {
    let stmt = Stmt::new(LIST)
        .bind(workspace)
        .bind(page.after.unwrap_or_default())
        .bind(i64::from(filter.departed))
        .bind(i64::from(filter.active_of.is_some()))
        .bind(filter.active_of.map(UserId::as_uuid).unwrap_or_default())
        .time(at)
        .bind(page.limit);
    tx.all(stmt, read_view).await
}

/// Loads one.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: ApiKeyId) -> Result<Option<ApiKeyView>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_view).await
}

/// Counts those that work at an instant.
pub async fn count_active<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, at: OffsetDateTime) -> Result<i64, StoreError> {
    tx.one(Stmt::new(COUNT_ACTIVE).bind(workspace).time(at), |row| row.int("keys")).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ApiKeyWrite) -> Result<(), StoreError> {
    let stmt = match write {
        ApiKeyWrite::Insert(record) => Stmt::new(INSERT)
            .bind(workspace)
            .bind(record.key.id.as_uuid())
            .text(record.key.name.as_str())
            .text(&record.key.prefix)
            .text(&record.key.last4)
            .bind(record.key.scopes.names())
            .bytes(record.digest.as_bytes())
            .bytes(record.seal.as_bytes())
            .bind(record.key.created_by.map(UserId::as_uuid))
            .time(record.key.created_at)
            .maybe_time(record.key.expires_at),
        ApiKeyWrite::Revoke(id, at) => Stmt::new(REVOKE).bind(workspace).bind(id.as_uuid()).time(*at),
    };
    tx.run_one(stmt).await
}
