//! Signed checkpoints in a table that only grows.
use crate::{
    audit,
    db::{Cells, SqlDb, Stmt, Tx},
    engine::{Engine, Scope},
    store::SqlStore,
};
use async_trait::async_trait;
use settings_domain::{
    audit::checkpoints::{Checkpoint, Grown},
    ids::WorkspaceId,
    ports::{
        StoreError,
        audit::Link,
        checkpoints::Checkpoints,
        store::{ChainPart, Page},
    },
};
use uuid::Uuid;

statements! {
    /// Chains that have grown since their newest checkpoint.
    GROWN = concat!("SELECT h.workspace_id AS workspace_id, h.seq AS head, coalesce(c.seq, 0) AS signed, \
        c.signed_at AS signed_at, ", now!(), " AS now FROM audit_heads h \
        LEFT JOIN audit_checkpoints c ON c.workspace_id = h.workspace_id AND c.seq = \
        (SELECT max(n.seq) FROM audit_checkpoints n WHERE n.workspace_id = h.workspace_id) \
        WHERE h.workspace_id > $1 AND h.seq > coalesce(c.seq, 0) ORDER BY h.workspace_id LIMIT $2");
    /// The newest checkpoint.
    NEWEST = "SELECT seq, hash, previous_seq, note, signed_at FROM audit_checkpoints WHERE workspace_id = $1 \
        ORDER BY seq DESC LIMIT 1";
    /// Checkpoints after a place.
    AFTER = "SELECT seq, hash, previous_seq, note, signed_at FROM audit_checkpoints WHERE workspace_id = $1 AND seq > $2 \
        ORDER BY seq LIMIT $3";
    /// Keeps one, unless it is there, or the one that it follows was followed already.
    KEEP = "INSERT INTO audit_checkpoints (workspace_id, seq, hash, previous_seq, note, signed_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Checkpoint, StoreError> {
    Ok(Checkpoint {
        link: Link { seq: row.int("seq")?, hash: row.bytes32("hash")? },
        previous_seq: row.int("previous_seq")?,
        note: row.text("note")?,
        signed_at: row.time("signed_at")?,
    })
}

fn read_grown<D: SqlDb>(row: &Cells<'_, D>) -> Result<Grown, StoreError> {
    Ok(Grown {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        head: row.int("head")?,
        signed: row.int("signed")?,
        signed_at: row.maybe_time("signed_at")?,
        now: row.time("now")?,
    })
}

async fn keep<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, c: &Checkpoint) -> Result<u64, StoreError> {
    let stmt = Stmt::new(KEEP).bind(workspace).bind(c.link.seq).bytes(&c.link.hash).bind(c.previous_seq);
    tx.run(stmt.text(&c.note).time(c.signed_at)).await
}

#[async_trait]
impl<E: Engine> Checkpoints for SqlStore<E> {
    async fn grown(&self, page: Page) -> Result<Vec<Grown>, StoreError> {
        let mut tx = self.engine.begin_read(Scope::directory()).await?;
        tx.all(Stmt::new(GROWN).bind(page.after.unwrap_or_default()).bind(page.limit), read_grown).await
    }
    async fn newest(&self, workspace: WorkspaceId) -> Result<Option<Checkpoint>, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant(workspace)).await?;
        tx.first(Stmt::new(NEWEST).bind(workspace), read).await
    }
    async fn after(&self, workspace: WorkspaceId, seq: i64, limit: i64) -> Result<Vec<Checkpoint>, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant(workspace)).await?;
        tx.all(Stmt::new(AFTER).bind(workspace).bind(seq).bind(limit), read).await
    }
    async fn stretch(&self, workspace: WorkspaceId, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant(workspace)).await?;
        audit::chain(&mut tx, workspace, after, limit).await
    }
    async fn keep(&self, workspace: WorkspaceId, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_write(Scope::tenant(workspace)).await?;
        let kept = keep(&mut tx, workspace, checkpoint).await?;
        tx.commit().await?;
        Ok(kept == 1)
    }
}
