//! Models of workspaces and of the platform: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{ModelId, WorkspaceId},
    models::{Model, ModelRecord, ModelView, ModelWrite, Tenants},
    ports::{StoreError, store::Page},
    sealed::{Sealed, StoredValue},
    tokens::Digest,
};
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! models {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            model_columns!(),
            ", u.last_used_at AS last_used_at FROM models o \
             LEFT JOIN model_uses u ON u.workspace_id = o.workspace_id AND u.model_id = o.id WHERE o.workspace_id = $1 AND ",
            $rest
        )
    };
}

statements! {
    /// A page.
    LIST = models!("o.id > $2 ORDER BY o.id LIMIT $3");
    /// One.
    GET = models!("o.id = $2");
    /// Those of the platform that workspaces may choose. When they were used is no business of a workspace.
    VISIBLE = concat!("SELECT ", model_columns!(), ", CAST(NULL AS BIGINT) AS last_used_at FROM models o \
        WHERE o.workspace_id = $1 AND o.visible = 1 ORDER BY o.id");
    /// How many there are.
    COUNT = "SELECT count(*) AS models FROM models WHERE workspace_id = $1";
    /// Which workspaces are said to use a model of the platform.
    TENANTS = "SELECT w.id AS id, w.name AS name, count(*) AS referrers FROM reference_uses r \
        JOIN workspaces w ON w.id = r.workspace_id AND w.deleted_at IS NULL \
        WHERE r.used_id = $1 AND r.used_kind = 'model' GROUP BY w.id, w.name ORDER BY w.id";
    /// A new row.
    INSERT = "INSERT INTO models (workspace_id, id, provider, name, description, url, origin, auth, sealed, \
        key_generation, value_version, visible, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// The row as it shall be, its credential left alone.
    UPDATE = "UPDATE models SET provider = $3, name = $4, description = $5, url = $6, origin = $7, auth = $8, \
        visible = $9, version = $10, updated_at = $11 WHERE workspace_id = $1 AND id = $2 AND version = $12";
    /// Another credential; part of the same write.
    REPLACE = "UPDATE models SET sealed = $3, key_generation = $4, value_version = $5 WHERE workspace_id = $1 AND id = $2";
    /// Drops the row.
    DELETE = "DELETE FROM models WHERE workspace_id = $1 AND id = $2";
    /// A credential was used.
    USED = "INSERT INTO model_uses (workspace_id, model_id, last_used_at) VALUES ($1, $2, $3) \
        ON CONFLICT (workspace_id, model_id) DO UPDATE SET last_used_at = excluded.last_used_at \
        WHERE model_uses.last_used_at < excluded.last_used_at";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Model, StoreError> {
    Ok(Model {
        workspace: WorkspaceId::from_uuid(row.id("o_workspace_id")?),
        id: ModelId::from_uuid(row.id("o_id")?),
        provider: row.parse("o_provider")?,
        name: row.parse("o_name")?,
        description: row.maybe_parse("o_description")?,
        url: row.text("o_url")?,
        origin: row.text("o_origin")?,
        auth: row.parse("o_auth")?,
        visible: row.flag("o_visible")?,
        created_at: row.time("o_created_at")?,
        updated_at: row.time("o_updated_at")?,
        version: row.int("o_version")?,
    })
}

/// Reads a model with what is stored of its credential. The binding is what the row says: a row that was changed behind the
/// service's back, its origin for instance, does not open.
pub fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<ModelRecord, StoreError> {
    let model = read(row)?;
    let version = row.int("o_value_version")?;
    let binding = Model::binding(model.workspace, model.id, model.auth, &model.origin, version);
    let sealed = Sealed::new(row.int("o_key_generation")?, row.get::<Vec<u8>>("o_sealed")?);
    Ok(ModelRecord { credential: StoredValue::new(binding, sealed, Digest::none()), model })
}

fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<ModelView, StoreError> {
    Ok(ModelView { model: read(row)?, last_used_at: row.maybe_time("last_used_at")? })
}

/// A page.
pub async fn list<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, page: Page) -> Result<Vec<ModelView>, StoreError> {
    let stmt = Stmt::new(LIST).bind(workspace).bind(page.after.unwrap_or_default()).bind(page.limit);
    tx.all(stmt, read_view).await
}

/// One, and when its credential was last used.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: ModelId,
) -> Result<Option<(ModelRecord, Option<OffsetDateTime>)>, StoreError> {
    let stmt = Stmt::new(GET).bind(workspace).bind(id.as_uuid());
    tx.first(stmt, |row| Ok((read_record(row)?, row.maybe_time("last_used_at")?))).await
}

/// Those of the platform that workspaces may choose.
pub async fn visible<D: SqlDb>(tx: &mut Tx<D>) -> Result<Vec<ModelView>, StoreError> {
    tx.all(Stmt::new(VISIBLE).bind(WorkspaceId::PLATFORM.as_uuid()), read_view).await
}

/// How many there are.
pub async fn count<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<i64, StoreError> {
    tx.one(Stmt::new(COUNT).bind(workspace), |row| row.int("models")).await
}

/// Which workspaces are said to use a model of the platform.
pub async fn tenants<D: SqlDb>(tx: &mut Tx<D>, id: ModelId) -> Result<Vec<Tenants>, StoreError> {
    tx.all(Stmt::new(TENANTS).bind(id.as_uuid()), |row| {
        Ok(Tenants {
            workspace: WorkspaceId::from_uuid(row.id("id")?),
            name: row.parse("name")?,
            referrers: row.int("referrers")?,
        })
    })
    .await
}

/// Notes uses, in the order of their keys, so that two processes can't wait for each other.
pub async fn used<D: SqlDb>(tx: &mut Tx<D>, used: &[(WorkspaceId, ModelId, OffsetDateTime)]) -> Result<(), StoreError> {
    let mut rows = used.to_vec();
    rows.sort_unstable();
    for (workspace, model, at) in rows {
        tx.run(Stmt::new(USED).bind(workspace.as_uuid()).bind(model.as_uuid()).time(at)).await?;
    }
    Ok(())
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ModelWrite) -> Result<(), StoreError> {
    match write {
        ModelWrite::Insert(record) => {
            let ModelRecord { model: m, credential } = record.as_ref();
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(m.id.as_uuid())
                .text(m.provider.name())
                .text(m.name.as_str())
                .maybe(m.description.as_ref().map(settings_domain::text::Description::as_str))
                .text(&m.url)
                .text(&m.origin)
                .text(m.auth.name())
                .bytes(credential.sealed().bytes())
                .bind(credential.sealed().generation())
                .bind(credential.binding().version())
                .bind(i64::from(m.visible))
                .bind(m.version)
                .time(m.created_at)
                .time(m.updated_at);
            tx.run_one(stmt).await
        }
        ModelWrite::Update(m, credential) => {
            let stmt = Stmt::new(UPDATE)
                .bind(workspace)
                .bind(m.id.as_uuid())
                .text(m.provider.name())
                .text(m.name.as_str())
                .maybe(m.description.as_ref().map(settings_domain::text::Description::as_str))
                .text(&m.url)
                .text(&m.origin)
                .text(m.auth.name())
                .bind(i64::from(m.visible))
                .bind(m.version)
                .time(m.updated_at)
                .bind(m.version - 1);
            tx.run_one(stmt).await?;
            let Some(credential) = credential else { return Ok(()) };
            let stmt = Stmt::new(REPLACE)
                .bind(workspace)
                .bind(m.id.as_uuid())
                .bytes(credential.sealed().bytes())
                .bind(credential.sealed().generation())
                .bind(credential.binding().version());
            tx.run_one(stmt).await
        }
        ModelWrite::Delete(id) => tx.run_one(Stmt::new(DELETE).bind(workspace).bind(id.as_uuid())).await,
    }
}
