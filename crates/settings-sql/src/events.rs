//! Published events: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    events::{Event, EventRecord, EventWrite},
    ids::{PublishedEventId, WorkspaceId},
    micros,
    ports::StoreError,
    sealed::{Sealed, StoredValue},
    tokens::Digest,
};
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! events {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT workspace_id, id, kind, deliveries, received_at",
            $columns,
            " FROM published_events WHERE workspace_id = $1 AND ",
            $rest
        )
    };
}

statements! {
    /// The one of a key.
    BY_KEY = events!("", "key_digest = $2");
    /// One with its text.
    GET = events!(", key_digest, sealed, key_generation", "id = $2");
    /// A new row.
    INSERT = "INSERT INTO published_events (workspace_id, id, key_digest, kind, deliveries, received_at, sealed, \
        key_generation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    /// Forgets some that were taken long ago and that no delivery is about any more.
    FORGET = "DELETE FROM published_events WHERE (workspace_id, id) IN (SELECT e.workspace_id, e.id \
        FROM published_events e WHERE e.received_at < $1 AND NOT EXISTS (SELECT 1 FROM deliveries d \
        WHERE d.workspace_id = e.workspace_id AND d.about_id = e.id) ORDER BY e.received_at LIMIT $2)";
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Event, StoreError> {
    Ok(Event {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: PublishedEventId::from_uuid(row.id("id")?),
        kind: row.parse("kind")?,
        deliveries: row.int("deliveries")?,
        received_at: row.time("received_at")?,
    })
}

fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<EventRecord, StoreError> {
    let event = read(row)?;
    let sealed = Sealed::new(row.int("key_generation")?, row.get::<Vec<u8>>("sealed")?);
    let binding = Event::binding(event.workspace, event.id, event.kind);
    Ok(EventRecord { event, key: row.digest("key_digest")?, text: StoredValue::new(binding, sealed, Digest::none()) })
}

/// The one of a key.
pub async fn by_key<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, key: &Digest) -> Result<Option<Event>, StoreError> {
    tx.first(Stmt::new(BY_KEY).bind(workspace).bytes(key.as_bytes()), read).await
}

/// One with its text.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: PublishedEventId,
) -> Result<Option<EventRecord>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_record).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &EventWrite) -> Result<(), StoreError> {
    let EventWrite::Insert(record) = write;
    let EventRecord { event, key, text } = record.as_ref();
    let stmt = Stmt::new(INSERT)
        .bind(workspace)
        .bind(event.id.as_uuid())
        .bytes(key.as_bytes())
        .text(event.kind.name())
        .bind(event.deliveries)
        .time(event.received_at)
        .bytes(text.sealed().bytes())
        .bind(text.sealed().generation());
    tx.run_one(stmt).await
}

/// Forgets some that were taken before an instant.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    tx.run(Stmt::new(FORGET).bind(micros::from_time(before)).bind(most)).await
}
