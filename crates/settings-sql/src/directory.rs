//! Lookups across tenants: which workspace is meant, what the caller is there, and the platform's lists.
use crate::{
    api_keys,
    db::{Cells, SqlDb, Stmt, Tx},
    members, workspaces,
};
use settings_domain::{
    api_keys::ApiKeyRecord,
    ids::{ApiKeyId, UserId, WorkspaceId},
    members::Member,
    ports::{
        StoreError,
        directory::OwnWorkspace,
        store::{Page, Selector},
    },
    workspaces::WorkspaceView,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// The one row: the clock, the workspace that the condition finds, and the membership of `$2` there.
macro_rules! door {
    ($found:literal) => {
        concat!(
            "SELECT n.now AS now, w.id AS w_id, ",
            member_columns!(),
            " FROM (SELECT ",
            now!(),
            " AS now) n \
             LEFT JOIN workspaces w ON w.deleted_at IS NULL AND ",
            $found,
            " \
             LEFT JOIN memberships m ON m.workspace_id = w.id AND m.user_id = $2"
        )
    };
}

statements! {
    /// A workspace by id, with an account's standing.
    DOOR_BY_ID = door!("w.id = $1");
    /// By slug.
    DOOR_BY_SLUG = door!("w.slug = $1");
    /// By an invitation.
    DOOR_BY_INVITATION = door!("w.id = (SELECT i.workspace_id FROM invitations i WHERE i.id = $1)");
    /// By a variable.
    DOOR_BY_VARIABLE = door!("w.id = (SELECT v.workspace_id FROM variables v WHERE v.id = $1)");
    /// By a model.
    DOOR_BY_MODEL = door!("w.id = (SELECT o.workspace_id FROM models o WHERE o.id = $1)");
    /// An account's own workspaces: two are enough to see that it has to choose.
    OWN_DOORS = concat!("SELECT ", now!(), " AS now, w.id AS w_id, ", member_columns!(), " FROM memberships m \
        JOIN workspaces w ON w.id = m.workspace_id \
        WHERE m.user_id = $1 AND m.removed_at IS NULL AND w.deleted_at IS NULL LIMIT 2");
    /// A key, and its workspace unless that is deleted.
    KEY_DOOR = concat!("SELECT w.id AS w_id, ", key_columns!(), ", ", now!(), " AS now FROM api_keys k \
        LEFT JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_at IS NULL WHERE k.id = $1");
    /// Every workspace.
    ALL_WORKSPACES = concat!("SELECT ", workspace_columns!(), ", ", seats_used!(), " FROM workspaces w \
        WHERE w.deleted_at IS NULL AND w.id > $1 ORDER BY w.id LIMIT $2");
    /// Those of an account.
    OF_USER = concat!("SELECT ", workspace_columns!(), ", ", seats_used!(), ", m.role AS role FROM memberships m \
        JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1 AND m.removed_at IS NULL \
        AND w.deleted_at IS NULL AND w.id > $2 ORDER BY w.id LIMIT $3");
    /// Whether there is any workspace behind the platform's own, deleted ones included.
    ANY = "SELECT id FROM workspaces WHERE id > $1 LIMIT 1";
    /// Ids and slugs.
    SLUGS = "SELECT id, slug FROM workspaces WHERE deleted_at IS NULL AND id > $1 ORDER BY id";
    /// The newest migration that was applied.
    SCHEMA = "SELECT CAST(max(version) AS BIGINT) AS version FROM _sqlx_migrations WHERE success";
    /// Whether the database answers at all.
    ALIVE = "SELECT CAST(1 AS BIGINT) AS alive";
    /// The clock alone.
    CLOCK = concat!("SELECT ", now!(), " AS now");
}

/// What a lookup at the door found.
#[derive(Debug, Clone)]
pub struct Door {
    /// The workspace, unless there is none or it is deleted.
    pub workspace: Option<Uuid>,
    /// The database's clock.
    pub at: OffsetDateTime,
    /// The account's membership there.
    pub member: Option<Member>,
}

fn read_door<D: SqlDb>(row: &Cells<'_, D>) -> Result<Door, StoreError> {
    Ok(Door { workspace: row.maybe_id("w_id")?, at: row.time("now")?, member: members::read_maybe(row)? })
}

/// Finds the workspace and the membership of an account (nil for none) there. For [`Selector::Own`] see [`own_doors`].
pub async fn door<D: SqlDb>(tx: &mut Tx<D>, selector: &Selector, user: Uuid) -> Result<Option<Door>, StoreError> {
    let stmt = match selector {
        Selector::Id(id) => Stmt::new(DOOR_BY_ID).bind(id.as_uuid()),
        Selector::Slug(slug) => Stmt::new(DOOR_BY_SLUG).text(slug.as_str()),
        Selector::Invitation(id) => Stmt::new(DOOR_BY_INVITATION).bind(id.as_uuid()),
        Selector::Variable(id) => Stmt::new(DOOR_BY_VARIABLE).bind(id.as_uuid()),
        Selector::Model(id) => Stmt::new(DOOR_BY_MODEL).bind(id.as_uuid()),
        Selector::Platform => Stmt::new(DOOR_BY_ID).bind(WorkspaceId::PLATFORM.as_uuid()),
        Selector::Own => return Ok(None),
    };
    let door = tx.first(stmt.bind(user), read_door).await?;
    // No address leads to the platform's own tenant.
    let closed = *selector != Selector::Platform;
    let platform = |id: &Uuid| closed && *id == WorkspaceId::PLATFORM.as_uuid();
    Ok(door.map(|d| Door { workspace: d.workspace.filter(|id| !platform(id)), ..d }))
}

/// The workspaces of an account: none, one, or two of several.
pub async fn own_doors<D: SqlDb>(tx: &mut Tx<D>, user: Uuid) -> Result<Vec<Door>, StoreError> {
    tx.all(Stmt::new(OWN_DOORS).bind(user), read_door).await
}

/// A key with its own workspace, if that is not deleted.
pub async fn key_door<D: SqlDb>(tx: &mut Tx<D>, key: ApiKeyId) -> Result<Option<(Door, ApiKeyRecord)>, StoreError> {
    tx.first(Stmt::new(KEY_DOOR).bind(key.as_uuid()), |row| {
        let door = Door { workspace: row.maybe_id("w_id")?, at: row.time("now")?, member: None };
        Ok((door, api_keys::read_record(row)?))
    })
    .await
}

/// The database's clock.
pub async fn clock<D: SqlDb>(tx: &mut Tx<D>) -> Result<OffsetDateTime, StoreError> {
    tx.one(Stmt::new(CLOCK), |row| row.time("now")).await
}

/// Whether the database answers, migrated or not.
pub async fn alive<D: SqlDb>(tx: &mut Tx<D>) -> Result<(), StoreError> {
    tx.one(Stmt::new(ALIVE), |row| row.int("alive")).await.map(drop)
}

/// Every workspace, by id.
pub async fn all<D: SqlDb>(tx: &mut Tx<D>, page: Page) -> Result<Vec<WorkspaceView>, StoreError> {
    // The platform's own tenant has the lowest id of all: the list begins behind it.
    let after = page.after.unwrap_or(WorkspaceId::PLATFORM.as_uuid());
    let stmt = Stmt::new(ALL_WORKSPACES).bind(after).bind(page.limit);
    tx.all(stmt, workspaces::read_view).await
}

/// Those of an account, by id.
pub async fn of<D: SqlDb>(tx: &mut Tx<D>, user: UserId, page: Page) -> Result<Vec<OwnWorkspace>, StoreError> {
    let stmt = Stmt::new(OF_USER).bind(user.as_uuid()).bind(page.after.unwrap_or_default()).bind(page.limit);
    tx.all(stmt, |row| Ok(OwnWorkspace { view: workspaces::read_view(row)?, role: row.parse("role")? })).await
}

/// Whether there is no workspace at all.
pub async fn is_empty<D: SqlDb>(tx: &mut Tx<D>) -> Result<bool, StoreError> {
    Ok(tx.first(Stmt::new(ANY).bind(WorkspaceId::PLATFORM.as_uuid()), |row| row.id("id")).await?.is_none())
}

/// Ids and slugs of all workspaces that can be entered.
pub async fn slugs<D: SqlDb>(tx: &mut Tx<D>) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
    let stmt = Stmt::new(SLUGS).bind(WorkspaceId::PLATFORM.as_uuid());
    tx.all(stmt, |row| Ok((WorkspaceId::from_uuid(row.id("id")?), row.text("slug")?))).await
}

/// The newest migration that was applied.
pub async fn schema<D: SqlDb>(tx: &mut Tx<D>) -> Result<Option<i64>, StoreError> {
    tx.one(Stmt::new(SCHEMA), |row| row.get::<Option<i64>>("version")).await
}
