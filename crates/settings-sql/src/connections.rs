//! Connections: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    connections::{Connection, ConnectionRecord, ConnectionStatus, ConnectionWrite, SlackChannel},
    ids::{ConnectionId, WorkspaceId},
    ports::StoreError,
    sealed::{Sealed, StoredValue},
    text::DisplayName,
    tokens::Digest,
};
use uuid::Uuid;

statements! {
    /// The one of a workspace.
    GET = "SELECT workspace_id, id, status, status_reason, channel, channel_name, team_id, team_name, token, \
        token_generation, token_version, authorized_at, created_at, updated_at, version FROM connections \
        WHERE workspace_id = $1";
    /// A workspace has one at most: the earlier one makes room.
    CLEAR = "DELETE FROM connections WHERE workspace_id = $1";
    /// A new row.
    INSERT = "INSERT INTO connections (workspace_id, id, kind, status, status_reason, channel, channel_name, team_id, \
        team_name, token, token_generation, token_version, authorized_at, created_at, updated_at, version) \
        VALUES ($1, $2, 'slack', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// The row as it shall be; its token too, where there is another. In one statement, as a rule binds token and status.
    UPDATE = "UPDATE connections SET status = $3, status_reason = $4, channel = $5, channel_name = $6, team_name = $7, \
        authorized_at = $8, updated_at = $9, version = $10, token = coalesce($11, token), \
        token_generation = coalesce($12, token_generation), token_version = coalesce($13, token_version) \
        WHERE workspace_id = $1 AND id = $2 AND version = $10 - 1";
    /// The row as it shall be, without any token.
    DISCONNECT = "UPDATE connections SET status = $3, status_reason = $4, channel = $5, channel_name = $6, team_name = $7, \
        authorized_at = $8, updated_at = $9, version = $10, token = NULL, token_generation = NULL, token_version = NULL \
        WHERE workspace_id = $1 AND id = $2 AND version = $10 - 1";
    /// Drops the row.
    DELETE = "DELETE FROM connections WHERE workspace_id = $1 AND id = $2";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<ConnectionRecord, StoreError> {
    let connection = Connection {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: ConnectionId::from_uuid(row.id("id")?),
        status: row.word("status", ConnectionStatus::parse)?,
        status_reason: row.maybe_text("status_reason")?,
        channel: row.maybe_parse("channel")?,
        channel_name: row.maybe_parse("channel_name")?,
        team_id: row.text("team_id")?,
        team_name: row.parse("team_name")?,
        authorized_at: row.time("authorized_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    };
    let token = match row.get::<Option<Vec<u8>>>("token")? {
        None => None,
        Some(bytes) => {
            let Connection { workspace, id, team_id, .. } = &connection;
            let binding = Connection::binding(*workspace, *id, team_id, row.int("token_version")?);
            Some(StoredValue::new(binding, Sealed::new(row.int("token_generation")?, bytes), Digest::none()))
        }
    };
    Ok(ConnectionRecord { connection, token })
}

/// The one of a workspace.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Option<ConnectionRecord>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace), read).await
}

/// That one, if it still is this one.
pub async fn same<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: ConnectionId,
) -> Result<Option<ConnectionRecord>, StoreError> {
    Ok(get(tx, workspace).await?.filter(|record| record.connection.id == id))
}

fn token<D: SqlDb>(stmt: Stmt<D>, token: Option<&StoredValue>) -> Stmt<D> {
    stmt.bind(token.map(|t| t.sealed().bytes().to_vec()))
        .bind(token.map(|t| t.sealed().generation()))
        .bind(token.map(|t| t.binding().version()))
}

fn changed<D: SqlDb>(sql: &'static str, workspace: Uuid, c: &Connection) -> Stmt<D> {
    Stmt::new(sql)
        .bind(workspace)
        .bind(c.id.as_uuid())
        .text(c.status.name())
        .maybe(c.status_reason.as_deref())
        .maybe(c.channel.as_ref().map(SlackChannel::as_str))
        .maybe(c.channel_name.as_ref().map(DisplayName::as_str))
        .text(c.team_name.as_str())
        .time(c.authorized_at)
        .time(c.updated_at)
        .bind(c.version)
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ConnectionWrite) -> Result<(), StoreError> {
    match write {
        ConnectionWrite::Insert(record) => {
            tx.run(Stmt::new(CLEAR).bind(workspace)).await?;
            let c = &record.connection;
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(c.id.as_uuid())
                .text(c.status.name())
                .maybe(c.status_reason.as_deref())
                .maybe(c.channel.as_ref().map(SlackChannel::as_str))
                .maybe(c.channel_name.as_ref().map(DisplayName::as_str))
                .text(&c.team_id)
                .text(c.team_name.as_str());
            let stmt = token(stmt, record.token.as_ref());
            tx.run_one(stmt.time(c.authorized_at).time(c.created_at).time(c.updated_at).bind(c.version)).await
        }
        ConnectionWrite::Update(c, new) => tx.run_one(token(changed(UPDATE, workspace, c), new.as_deref())).await,
        ConnectionWrite::Disconnect(c) => tx.run_one(changed(DISCONNECT, workspace, c)).await,
        ConnectionWrite::Delete(id) => tx.run_one(Stmt::new(DELETE).bind(workspace).bind(id.as_uuid())).await,
    }
}
