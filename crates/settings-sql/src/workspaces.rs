//! Workspaces: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::WorkspaceId,
    members::Headcount,
    ports::StoreError,
    text::Slug,
    workspaces::{Workspace, WorkspaceView, WorkspaceWrite},
};
use time::OffsetDateTime;
use uuid::Uuid;

statements! {
    /// One workspace.
    GET = concat!("SELECT ", workspace_columns!(), " FROM workspaces w WHERE w.id = $1 AND w.deleted_at IS NULL");
    /// How full it is at an instant.
    HEADCOUNT = "SELECT \
        (SELECT count(*) FROM memberships WHERE workspace_id = $1 AND removed_at IS NULL) AS members, \
        (SELECT count(*) FROM memberships WHERE workspace_id = $1 AND removed_at IS NULL AND role = 'admin') AS admins, \
        (SELECT count(*) FROM invitations WHERE workspace_id = $1 AND state = 'pending' AND expires_at > $2) AS pending";
    /// Whether a slug is taken, also by a deleted workspace.
    BY_SLUG = "SELECT id FROM workspaces WHERE slug = $1";
    /// A new row.
    INSERT = "INSERT INTO workspaces (id, slug, name, region, retention_days, floor_days, seat_limit, created_at, \
        updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    /// The row as it shall be. The slug is written too, so that the database's own rule sees a change of it.
    UPDATE = "UPDATE workspaces SET slug = $2, name = $3, region = $4, retention_days = $5, floor_days = $6, \
        seat_limit = $7, updated_at = $8, version = $9 WHERE id = $1 AND version = $10 AND deleted_at IS NULL";
    /// The mark.
    DELETE = "UPDATE workspaces SET deleted_at = $2, updated_at = $2, version = version + 1 \
        WHERE id = $1 AND deleted_at IS NULL";
    /// Ends everything that was cached of the workspace. Part of every commit that writes.
    NEXT_EPOCH = "UPDATE workspaces SET epoch = epoch + 1 WHERE id = $1";
}

/// Reads a workspace.
pub fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: WorkspaceId::from_uuid(row.id("w_id")?),
        slug: row.parse("w_slug")?,
        name: row.parse("w_name")?,
        region: row.parse("w_region")?,
        retention_days: row.int("w_retention_days")?,
        floor_days: row.int("w_floor_days")?,
        seat_limit: row.int("w_seat_limit")?,
        created_at: row.time("w_created_at")?,
        updated_at: row.time("w_updated_at")?,
        version: row.int("w_version")?,
    })
}

/// Reads a workspace and how full it is.
pub fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<WorkspaceView, StoreError> {
    Ok(WorkspaceView { workspace: read(row)?, seats_used: row.int("seats_used")? })
}

/// Loads the workspace.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Option<Workspace>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace), read).await
}

/// Counts its seats at an instant.
pub async fn headcount<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, at: OffsetDateTime) -> Result<Headcount, StoreError> {
    tx.one(Stmt::new(HEADCOUNT).bind(workspace).time(at), |row| {
        Ok(Headcount { members: row.int("members")?, admins: row.int("admins")?, pending: row.int("pending")? })
    })
    .await
}

/// Whether the slug is taken. The transaction must be in the directory's scope.
pub async fn slug_taken<D: SqlDb>(tx: &mut Tx<D>, slug: &Slug) -> Result<bool, StoreError> {
    Ok(tx.first(Stmt::new(BY_SLUG).text(slug.as_str()), |row| row.id("id")).await?.is_some())
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &WorkspaceWrite) -> Result<(), StoreError> {
    let stmt = match write {
        WorkspaceWrite::Insert(w) => Stmt::new(INSERT)
            .bind(w.id.as_uuid())
            .text(w.slug.as_str())
            .text(w.name.as_str())
            .text(w.region.as_str())
            .bind(w.retention_days)
            .bind(w.floor_days)
            .bind(w.seat_limit)
            .time(w.created_at)
            .time(w.updated_at)
            .bind(w.version),
        WorkspaceWrite::Update(w) => Stmt::new(UPDATE)
            .bind(workspace)
            .text(w.slug.as_str())
            .text(w.name.as_str())
            .text(w.region.as_str())
            .bind(w.retention_days)
            .bind(w.floor_days)
            .bind(w.seat_limit)
            .time(w.updated_at)
            .bind(w.version)
            .bind(w.version - 1),
        WorkspaceWrite::Delete(at) => Stmt::new(DELETE).bind(workspace).time(*at),
    };
    tx.run_one(stmt).await
}
