//! What a directory elsewhere has to follow: one row for a workspace, raised by the changes that matter.
use crate::{
    db::{Cells, SqlDb, Stmt, Tx},
    engine::{Engine, Scope},
    store::SqlStore,
};
use async_trait::async_trait;
use settings_domain::{
    change::Write,
    ids::WorkspaceId,
    mirror::{Invited, Roster, follows},
    ports::{
        StoreError,
        mirror::{Backlog, Behind, MirrorQueue, Place},
    },
    text::Email,
};
use time::Duration;
use uuid::Uuid;

/// Nobody has it.
macro_rules! free {
    () => {
        concat!("(lease_until IS NULL OR lease_until <= ", now!(), ")")
    };
}

statements! {
    /// Raises what is wanted of a workspace, from now on where nothing was owed.
    WANT = concat!("INSERT INTO identity_mirrors (workspace_id, wanted, mirrored, behind_since, attempts, next_at) \
        VALUES ($1, 1, 0, ", now!(), ", 0, ", now!(), ") ON CONFLICT (workspace_id) DO UPDATE SET behind_since = \
        CASE WHEN identity_mirrors.mirrored = identity_mirrors.wanted THEN excluded.behind_since \
        ELSE identity_mirrors.behind_since END, wanted = identity_mirrors.wanted + 1, next_at = excluded.next_at");
    /// Whether anything is due, so that an idle worker never takes a lock.
    DUE = concat!("SELECT workspace_id FROM identity_mirrors WHERE mirrored < wanted AND next_at <= (SELECT ", now!(),
        ") AND ", free!(), " LIMIT 1");
    /// Takes what is due longest. Of two at once one finds that it is taken, and looks again another time.
    TAKE = concat!("UPDATE identity_mirrors SET lease_until = ", now!(), " + $1, attempts = attempts + 1 \
        WHERE workspace_id = (SELECT m.workspace_id FROM identity_mirrors m WHERE m.mirrored < m.wanted \
        AND m.next_at <= ", now!(), " AND (m.lease_until IS NULL OR m.lease_until <= ", now!(), ") \
        ORDER BY m.next_at, m.workspace_id LIMIT 1) AND ", free!(), " RETURNING workspace_id, wanted, attempts");
    /// Takes a certain one.
    TAKE_ONE = concat!("UPDATE identity_mirrors SET lease_until = ", now!(), " + $1, attempts = attempts + 1 \
        WHERE workspace_id = $2 AND ", free!(), " RETURNING workspace_id, wanted, attempts");
    /// It was followed as far as it was wanted when it was taken.
    FOLLOWED = concat!("UPDATE identity_mirrors SET mirrored = $3, behind_since = ", now!(), ", attempts = 0, \
        lease_until = NULL, last_cause = NULL WHERE workspace_id = $1 AND attempts = $2 AND lease_until IS NOT NULL \
        AND mirrored <= $3");
    /// To be tried again.
    LATER = concat!("UPDATE identity_mirrors SET next_at = ", now!(), " + $3, last_cause = $4, lease_until = NULL \
        WHERE workspace_id = $1 AND attempts = $2 AND lease_until IS NOT NULL");
    /// What has yet to be followed.
    BACKLOG = "SELECT count(*) AS behind FROM identity_mirrors WHERE mirrored < wanted";
    /// The longest of it.
    OLDEST = "SELECT behind_since, last_cause FROM identity_mirrors WHERE mirrored < wanted \
        ORDER BY behind_since, workspace_id LIMIT 1";
    /// Every workspace to look at.
    PLACES = "SELECT w.id AS id, w.slug AS slug FROM identity_mirrors m JOIN workspaces w ON w.id = m.workspace_id \
        WHERE m.workspace_id > $1 AND (w.deleted_at IS NULL OR m.mirrored < m.wanted) ORDER BY w.id LIMIT $2";
    /// The workspace itself, deleted or not.
    PLACE = "SELECT slug, name, deleted_at FROM workspaces WHERE id = $1";
    /// Its members whom an issuer vouches for.
    MEMBERS = "SELECT u.subject AS subject, m.role AS role FROM memberships m JOIN users u ON u.id = m.user_id \
        WHERE m.workspace_id = $1 AND m.removed_at IS NULL AND rtrim(u.issuer, '/') = $2";
    /// Its invitations that wait.
    INVITED = concat!("SELECT email, role FROM invitations WHERE workspace_id = $1 AND state = 'pending' \
        AND expires_at > ", now!());
}

/// Raises what is wanted of the workspace, where a write asks for it.
pub async fn want<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, writes: &[Write]) -> Result<(), StoreError> {
    if workspace == WorkspaceId::PLATFORM.as_uuid() || !writes.iter().any(follows) {
        return Ok(());
    }
    tx.run_one(Stmt::new(WANT).bind(workspace)).await
}

fn micros_of(d: Duration) -> i64 {
    i64::try_from(d.whole_microseconds()).unwrap_or(i64::MAX)
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Behind, StoreError> {
    Ok(Behind {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        wanted: row.int("wanted")?,
        attempt: row.int("attempts")? - 1,
    })
}

async fn roster<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    issuer: &str,
) -> Result<Option<(Place, Option<Roster>)>, StoreError> {
    let id = workspace.as_uuid();
    let there = tx
        .first(Stmt::new(PLACE).bind(id), |row| {
            let deleted = row.get::<Option<i64>>("deleted_at")?.is_some();
            Ok((Place { workspace, slug: row.parse("slug")? }, row.text("name")?, deleted))
        })
        .await?;
    let Some((place, name, deleted)) = there else { return Ok(None) };
    if deleted {
        return Ok(Some((place, None)));
    }
    let stmt = Stmt::new(MEMBERS).bind(id).text(issuer.trim_end_matches('/'));
    let members = tx.all(stmt, |row| Ok((row.text("subject")?, row.parse("role")?))).await?;
    let invited = |row: &Cells<'_, D>| {
        let email: Email = row.parse("email")?;
        Ok((email.key().clone(), Invited { email, role: row.parse("role")? }))
    };
    let invitations = tx.all(Stmt::new(INVITED).bind(id), invited).await?;
    let (members, invitations) = (members.into_iter().collect(), invitations.into_iter().collect());
    Ok(Some((place, Some(Roster { name, members, invitations }))))
}

#[async_trait]
impl<E: Engine> MirrorQueue for SqlStore<E> {
    async fn take_behind(&self, only: Option<WorkspaceId>, lease: Duration) -> Result<Option<Behind>, StoreError> {
        let stmt = if let Some(workspace) = only {
            Stmt::new(TAKE_ONE).bind(micros_of(lease)).bind(workspace.as_uuid())
        } else {
            let mut looking = self.engine.begin_read(Scope::directory()).await?;
            if looking.first(Stmt::new(DUE), |row| row.id("workspace_id")).await?.is_none() {
                return Ok(None);
            }
            Stmt::new(TAKE).bind(micros_of(lease))
        };
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let taken = tx.first(stmt, read).await?;
        tx.commit().await?;
        Ok(taken)
    }
    async fn followed(&self, behind: &Behind) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let stmt = Stmt::new(FOLLOWED).bind(behind.workspace.as_uuid()).bind(behind.attempt + 1);
        tx.run(stmt.bind(behind.wanted)).await?;
        tx.commit().await
    }
    async fn follow_later(&self, behind: &Behind, after: Duration, cause: &'static str) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let stmt = Stmt::new(LATER).bind(behind.workspace.as_uuid()).bind(behind.attempt + 1);
        tx.run(stmt.bind(micros_of(after)).text(cause)).await?;
        tx.commit().await
    }
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let mut tx = self.engine.begin_read(Scope::directory()).await?;
        let workspaces = tx.one(Stmt::new(BACKLOG), |row| row.int("behind")).await?;
        let oldest =
            tx.first(Stmt::new(OLDEST), |row| Ok((row.time("behind_since")?, row.maybe_text("last_cause")?))).await?;
        let (since, cause) = oldest.unzip();
        Ok(Backlog { workspaces, since, cause: cause.flatten() })
    }
    async fn places(&self, after: Option<WorkspaceId>, limit: i64) -> Result<Vec<Place>, StoreError> {
        let mut tx = self.engine.begin_read(Scope::directory()).await?;
        let stmt = Stmt::new(PLACES).bind(after.map(WorkspaceId::as_uuid).unwrap_or_default()).bind(limit);
        let place = |row: &Cells<'_, E::Db>| {
            Ok(Place { workspace: WorkspaceId::from_uuid(row.id("id")?), slug: row.parse("slug")? })
        };
        tx.all(stmt, place).await
    }
    async fn roster(
        &self,
        workspace: WorkspaceId,
        issuer: &str,
    ) -> Result<Option<(Place, Option<Roster>)>, StoreError> {
        roster(&mut self.engine.begin_read(Scope::tenant(workspace.as_uuid())).await?, workspace, issuer).await
    }
}
