//! The ledger of deliveries: rows, statements, writes. When a delivery is tried next stands in the [queue](crate::outbox).
use crate::{
    db::{Cells, SqlDb, Stmt, Tx, id_list},
    engine::EngineStatements,
    outbox,
};
use settings_domain::{
    deliveries::{Attempt, Delivery, DeliveryStatus, DeliveryView, DeliveryWrite, Destination, Message},
    ids::{ConnectionId, DeliveryId, PublishedEventId, RecipientId, UserId, WebhookSubscriptionId, WorkspaceId},
    micros,
    ports::{
        StoreError,
        store::{DeliveryFilter, Page},
    },
};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! views {
    ($rest:expr) => {
        concat!(
            "SELECT d.workspace_id AS workspace_id, d.id AS id, d.message AS message, d.about_id AS about_id, \
             d.destination AS destination, d.destination_id AS destination_id, d.instead_of AS instead_of, \
             d.status AS status, d.created_at AS created_at, e.kind AS kind, o.next_at AS next_at FROM deliveries d \
             LEFT JOIN published_events e ON d.message = 'event' AND e.workspace_id = d.workspace_id AND e.id = d.about_id \
             LEFT JOIN outbox o ON o.id = d.id AND o.workspace_id = d.workspace_id AND o.state = 'pending' \
             WHERE d.workspace_id = $1 AND ",
            $rest
        )
    };
}

/// A page that fits all of a filter, newest first. One condition may be said again alone, where an index finds it.
macro_rules! page {
    ($found:literal) => {
        views!(concat!(
            $found,
            "d.id < $2 AND ($3 = '' OR d.status = $3) AND ($4 = '' OR d.destination = $4 \
             OR ($4 = 'email' AND d.destination IN ('member', 'recipient'))) \
             AND ($5 = 0 OR (d.message = 'event' AND d.about_id = $6)) ORDER BY d.id DESC LIMIT $7"
        ))
    };
}

/// What nobody waits for and may be forgotten, the oldest first.
macro_rules! over {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM deliveries WHERE status IN ('delivered', 'failed', 'dropped') AND created_at < $1 \
             ORDER BY created_at, id LIMIT $2"
        )
    };
}

statements! {
    /// A page.
    LIST = page!("");
    /// A page of one status.
    LIST_OF_STATUS = page!("d.status = $3 AND ");
    /// A page of one event.
    LIST_OF_EVENT = page!("d.about_id = $6 AND ");
    /// One.
    GET = views!("d.id = $2");
    /// How many wait.
    WAITING = "SELECT count(*) AS waiting FROM deliveries WHERE workspace_id = $1 AND status IN ('pending', 'parked')";
    /// A new row.
    INSERT = "INSERT INTO deliveries (workspace_id, id, message, about_id, destination, destination_id, instead_of, \
        status, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8)";
    /// How far one has come.
    MARK = "UPDATE deliveries SET status = $3 WHERE workspace_id = $1 AND id = $2 AND status <> $3";
    /// Those that wait for a connection wait no longer.
    RESUME = "UPDATE deliveries SET status = 'pending' \
        WHERE workspace_id = $1 AND status = 'parked' AND destination = 'slack' AND destination_id = $2";
    /// Another attempt.
    ATTEMPT = "INSERT INTO delivery_attempts (workspace_id, delivery_id, number, at, accepted, status, cause, millis) \
        SELECT d.workspace_id, d.id, (SELECT coalesce(max(a.number), 0) + 1 FROM delivery_attempts a \
        WHERE a.workspace_id = d.workspace_id AND a.delivery_id = d.id), CAST($3 AS BIGINT), CAST($4 AS BIGINT), \
        CAST($5 AS BIGINT), CAST($6 AS TEXT), CAST($7 AS BIGINT) FROM deliveries d WHERE d.workspace_id = $1 AND d.id = $2";
    /// Forgets rows of the queue whose deliveries are about to be forgotten.
    FORGET_QUEUED = concat!("DELETE FROM outbox WHERE state <> 'pending' AND id IN (", over!("id"), ")");
    /// Forgets deliveries, and with them their attempts.
    FORGET = concat!("DELETE FROM deliveries WHERE (workspace_id, id) IN (", over!("workspace_id, id"), ")");
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

/// Reads a delivery.
pub(crate) fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<Delivery, StoreError> {
    let message = match (row.text("message")?.as_str(), row.maybe_id("about_id")?) {
        ("event", Some(id)) => Message::Event(PublishedEventId::from_uuid(id)),
        ("test", None) => Message::Test,
        ("slack-failing", Some(id)) => Message::SlackFailing(ConnectionId::from_uuid(id)),
        ("webhook-failing", Some(id)) => Message::WebhookFailing(WebhookSubscriptionId::from_uuid(id)),
        _ => return Err(corrupt("message")),
    };
    let id = row.id("destination_id")?;
    let destination = match row.text("destination")?.as_str() {
        "member" => Destination::Member(UserId::from_uuid(id)),
        "recipient" => Destination::Recipient(RecipientId::from_uuid(id)),
        "slack" => Destination::Slack(ConnectionId::from_uuid(id)),
        "webhook" => Destination::Webhook(WebhookSubscriptionId::from_uuid(id)),
        _ => return Err(corrupt("destination")),
    };
    Ok(Delivery {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: DeliveryId::from_uuid(row.id("id")?),
        message,
        destination,
        instead_of: row.maybe_id("instead_of")?.map(DeliveryId::from_uuid),
        created_at: row.time("created_at")?,
    })
}

fn read_view<D: SqlDb>(row: &Cells<'_, D>) -> Result<DeliveryView, StoreError> {
    Ok(DeliveryView {
        delivery: read(row)?,
        event_type: row.maybe_parse("kind")?,
        status: row.word("status", DeliveryStatus::parse)?,
        attempts: Vec::new(),
        next_attempt_at: row.maybe_time("next_at")?,
    })
}

fn read_attempt<D: SqlDb>(row: &Cells<'_, D>) -> Result<(DeliveryId, Attempt), StoreError> {
    let attempt = Attempt {
        at: row.time("at")?,
        accepted: row.flag("accepted")?,
        status: row.get::<Option<i64>>("status")?,
        cause: row.maybe_text("cause")?,
        millis: row.int("millis")?,
    };
    Ok((DeliveryId::from_uuid(row.id("delivery_id")?), attempt))
}

/// Adds every attempt, in one statement.
async fn with_attempts<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    workspace: Uuid,
    mut views: Vec<DeliveryView>,
) -> Result<Vec<DeliveryView>, StoreError> {
    if views.is_empty() {
        return Ok(views);
    }
    let ids = id_list(views.iter().map(|v| v.delivery.id.as_uuid()));
    let rows = tx.all(Stmt::new(own.attempts).bind(ids).bind(workspace), read_attempt).await?;
    let mut attempts: BTreeMap<DeliveryId, Vec<Attempt>> = BTreeMap::new();
    for (id, attempt) in rows {
        attempts.entry(id).or_default().push(attempt);
    }
    for view in &mut views {
        view.attempts = attempts.remove(&view.delivery.id).unwrap_or_default();
    }
    Ok(views)
}

/// A page that fits all of a filter, newest first.
pub async fn list<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    workspace: Uuid,
    filter: DeliveryFilter,
    page: Page,
) -> Result<Vec<DeliveryView>, StoreError> {
    let sql = match filter {
        DeliveryFilter { event: Some(_), .. } => LIST_OF_EVENT,
        DeliveryFilter { status: Some(_), .. } => LIST_OF_STATUS,
        DeliveryFilter { .. } => LIST,
    };
    let stmt = Stmt::new(sql)
        .bind(workspace)
        .bind(page.after.unwrap_or(Uuid::max()))
        .text(filter.status.map_or("", DeliveryStatus::name))
        .text(filter.channel.map_or("", |c| c.name()))
        .bind(i64::from(filter.event.is_some()))
        .bind(filter.event.map(PublishedEventId::as_uuid).unwrap_or_default())
        .bind(page.limit);
    let views = tx.all(stmt, read_view).await?;
    with_attempts(tx, own, workspace, views).await
}

/// One.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    workspace: Uuid,
    id: DeliveryId,
) -> Result<Option<DeliveryView>, StoreError> {
    let views = tx.all(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_view).await?;
    Ok(with_attempts(tx, own, workspace, views).await?.pop())
}

/// How many wait.
pub async fn waiting<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<i64, StoreError> {
    tx.one(Stmt::new(WAITING).bind(workspace), |row| row.int("waiting")).await
}

/// How far one has come.
pub async fn mark<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: DeliveryId,
    status: DeliveryStatus,
) -> Result<(), StoreError> {
    tx.run(Stmt::new(MARK).bind(workspace).bind(id.as_uuid()).text(status.name())).await.map(drop)
}

/// Notes an attempt.
pub async fn note<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: DeliveryId,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let stmt = Stmt::new(ATTEMPT)
        .bind(workspace)
        .bind(id.as_uuid())
        .time(attempt.at)
        .bind(i64::from(attempt.accepted))
        .bind(attempt.status)
        .maybe(attempt.cause.as_deref())
        .bind(attempt.millis);
    tx.run_one(stmt).await
}

const fn about(message: Message) -> Option<Uuid> {
    match message {
        Message::Event(id) => Some(id.as_uuid()),
        Message::Test => None,
        Message::SlackFailing(id) => Some(id.as_uuid()),
        Message::WebhookFailing(id) => Some(id.as_uuid()),
    }
}

const fn receiver(destination: Destination) -> Uuid {
    match destination {
        Destination::Member(id) => id.as_uuid(),
        Destination::Recipient(id) => id.as_uuid(),
        Destination::Slack(id) => id.as_uuid(),
        Destination::Webhook(id) => id.as_uuid(),
    }
}

/// Writes. The queue's row is touched first, everywhere: whoever settles a delivery locks in the same order.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &DeliveryWrite) -> Result<(), StoreError> {
    match write {
        DeliveryWrite::Insert(d) => {
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(d.id.as_uuid())
                .text(d.message.kind())
                .bind(about(d.message))
                .text(d.destination.kind())
                .bind(receiver(d.destination))
                .bind(d.instead_of.map(DeliveryId::as_uuid))
                .time(d.created_at);
            tx.run_one(stmt).await
        }
        DeliveryWrite::Retry(id) => {
            outbox::revive(tx, workspace, *id).await?;
            mark(tx, workspace, *id, DeliveryStatus::Pending).await
        }
        DeliveryWrite::GiveUp(id) => {
            outbox::give_up(tx, workspace, *id).await?;
            mark(tx, workspace, *id, DeliveryStatus::Failed).await
        }
        DeliveryWrite::Resume(connection) => {
            outbox::resume(tx, workspace, *connection).await?;
            tx.run(Stmt::new(RESUME).bind(workspace).bind(connection.as_uuid())).await.map(drop)
        }
    }
}

/// Forgets some deliveries that were made before an instant and that nobody waits for, with their rows of the queue.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let old = |sql| Stmt::new(sql).bind(micros::from_time(before)).bind(most);
    Ok(tx.run(old(FORGET_QUEUED)).await? + tx.run(old(FORGET)).await?)
}
