//! Webhook subscriptions and since when they fail: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    ids::{DeliveryId, WebhookSubscriptionId, WorkspaceId},
    policy::EventType,
    ports::StoreError,
    sealed::{Sealed, StoredValue},
    tokens::Digest,
    webhook_subscriptions::{
        Health, SubscriptionRecord, SubscriptionStatus, WebhookSubscription, WebhookSubscriptionWrite,
    },
};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! subscriptions {
    ($rest:literal) => {
        concat!(
            "SELECT s.workspace_id AS workspace_id, s.id AS id, s.url AS url, s.host AS host, s.events AS events, \
             s.status AS status, s.status_reason AS status_reason, s.secret AS secret, \
             s.secret_generation AS secret_generation, s.secret_version AS secret_version, \
             s.previous_secret AS previous_secret, s.previous_generation AS previous_generation, \
             s.previous_version AS previous_version, s.previous_secret_until AS previous_secret_until, \
             s.created_at AS created_at, s.updated_at AS updated_at, s.version AS version, \
             h.failing_since AS failing_since, h.told_at AS told_at FROM webhook_subscriptions s \
             LEFT JOIN webhook_health h ON h.workspace_id = s.workspace_id AND h.subscription_id = s.id \
             WHERE s.workspace_id = $1 ",
            $rest
        )
    };
}

statements! {
    /// Every one.
    LIST = subscriptions!("ORDER BY s.id");
    /// One.
    GET = subscriptions!("AND s.id = $2");
    /// A new row.
    INSERT = "INSERT INTO webhook_subscriptions (workspace_id, id, url, host, events, status, status_reason, secret, \
        secret_generation, secret_version, previous_secret_until, created_at, updated_at, version) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    /// The row as it shall be, its secrets left alone.
    UPDATE = "UPDATE webhook_subscriptions SET url = $3, host = $4, events = $5, status = $6, status_reason = $7, \
        previous_secret_until = $8, updated_at = $9, version = $10 \
        WHERE workspace_id = $1 AND id = $2 AND version = $10 - 1";
    /// Another secret; the present one becomes the one of before. Part of the same write.
    ROTATE = "UPDATE webhook_subscriptions SET previous_secret = secret, previous_generation = secret_generation, \
        previous_version = secret_version, secret = $3, secret_generation = $4, secret_version = $5 \
        WHERE workspace_id = $1 AND id = $2";
    /// Drops the row.
    DELETE = "DELETE FROM webhook_subscriptions WHERE workspace_id = $1 AND id = $2";
    /// What becomes active, or is somewhere else, is taken for healthy.
    REVIVE = "DELETE FROM webhook_health WHERE workspace_id = $1 AND subscription_id = $2 AND EXISTS (SELECT 1 \
        FROM webhook_subscriptions s WHERE s.workspace_id = $1 AND s.id = $2 AND (s.status = 'disabled' OR s.url <> $3))";
    /// The admins were told.
    TOLD = "INSERT INTO webhook_health (workspace_id, subscription_id, told_at) VALUES ($1, $2, $3) \
        ON CONFLICT (workspace_id, subscription_id) DO UPDATE SET told_at = excluded.told_at";
    /// The receiver of a delivery took it: all is well, if it is a webhook.
    HEALTHY = "DELETE FROM webhook_health WHERE workspace_id = $1 AND subscription_id IN (SELECT d.destination_id \
        FROM deliveries d WHERE d.workspace_id = $1 AND d.id = $2 AND d.destination = 'webhook')";
    /// The receiver of a delivery did not take it: it fails since then, if it is a webhook and did not fail before.
    FAILING = "INSERT INTO webhook_health (workspace_id, subscription_id, failing_since) \
        SELECT s.workspace_id, s.id, CAST($3 AS BIGINT) FROM deliveries d \
        JOIN webhook_subscriptions s ON s.workspace_id = d.workspace_id AND s.id = d.destination_id \
        WHERE d.workspace_id = $1 AND d.id = $2 AND d.destination = 'webhook' \
        ON CONFLICT (workspace_id, subscription_id) DO UPDATE SET failing_since = excluded.failing_since \
        WHERE webhook_health.failing_since IS NULL";
}

fn words(events: &BTreeSet<EventType>) -> String {
    events.iter().map(|e| e.name()).collect::<Vec<_>>().join(" ")
}

fn read_events<D: SqlDb>(row: &Cells<'_, D>) -> Result<BTreeSet<EventType>, StoreError> {
    let corrupt = |_| StoreError::Corrupt("column events".to_owned());
    row.text("events")?.split_whitespace().map(|word| word.parse().map_err(corrupt)).collect()
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<WebhookSubscription, StoreError> {
    Ok(WebhookSubscription {
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        id: WebhookSubscriptionId::from_uuid(row.id("id")?),
        url: row.text("url")?,
        host: row.text("host")?,
        events: read_events(row)?,
        status: row.word("status", SubscriptionStatus::parse)?,
        status_reason: row.maybe_text("status_reason")?,
        previous_secret_until: row.maybe_time("previous_secret_until")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
    })
}

fn read_record<D: SqlDb>(row: &Cells<'_, D>) -> Result<(SubscriptionRecord, Health), StoreError> {
    let subscription = read(row)?;
    let stored = |bytes, generation, version| {
        let binding = WebhookSubscription::binding(subscription.workspace, subscription.id, version);
        StoredValue::new(binding, Sealed::new(generation, bytes), Digest::none())
    };
    let secret = stored(row.get::<Vec<u8>>("secret")?, row.int("secret_generation")?, row.int("secret_version")?);
    let previous = match row.get::<Option<Vec<u8>>>("previous_secret")? {
        None => None,
        Some(bytes) => Some(stored(bytes, row.int("previous_generation")?, row.int("previous_version")?)),
    };
    let health = Health { failing_since: row.maybe_time("failing_since")?, told_at: row.maybe_time("told_at")? };
    Ok((SubscriptionRecord { subscription, secret, previous }, health))
}

/// Every one, by id.
pub async fn list<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Vec<WebhookSubscription>, StoreError> {
    tx.all(Stmt::new(LIST).bind(workspace), read).await
}

/// One, and since when it fails.
pub async fn get<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    id: WebhookSubscriptionId,
) -> Result<Option<(SubscriptionRecord, Health)>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace).bind(id.as_uuid()), read_record).await
}

/// What an attempt says of the receiver's health. Nothing where it is no webhook, or is gone.
pub async fn heard<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    delivery: DeliveryId,
    accepted: bool,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let about = |sql| Stmt::new(sql).bind(workspace).bind(delivery.as_uuid());
    let stmt = if accepted { about(HEALTHY) } else { about(FAILING).time(at) };
    tx.run(stmt).await.map(drop)
}

/// Writes.
pub async fn write<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    write: &WebhookSubscriptionWrite,
) -> Result<(), StoreError> {
    match write {
        WebhookSubscriptionWrite::Insert(record) => {
            let SubscriptionRecord { subscription: s, secret, previous: _ } = record.as_ref();
            let stmt = Stmt::new(INSERT)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .text(&s.url)
                .text(&s.host)
                .bind(words(&s.events))
                .text(s.status.name())
                .maybe(s.status_reason.as_deref())
                .bytes(secret.sealed().bytes())
                .bind(secret.sealed().generation())
                .bind(secret.binding().version())
                .maybe_time(s.previous_secret_until)
                .time(s.created_at)
                .time(s.updated_at)
                .bind(s.version);
            tx.run_one(stmt).await
        }
        WebhookSubscriptionWrite::Update(s, secret) => {
            if s.status == SubscriptionStatus::Active {
                tx.run(Stmt::new(REVIVE).bind(workspace).bind(s.id.as_uuid()).text(&s.url)).await?;
            }
            let stmt = Stmt::new(UPDATE)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .text(&s.url)
                .text(&s.host)
                .bind(words(&s.events))
                .text(s.status.name())
                .maybe(s.status_reason.as_deref())
                .maybe_time(s.previous_secret_until)
                .time(s.updated_at)
                .bind(s.version);
            tx.run_one(stmt).await?;
            let Some(secret) = secret else { return Ok(()) };
            let stmt = Stmt::new(ROTATE)
                .bind(workspace)
                .bind(s.id.as_uuid())
                .bytes(secret.sealed().bytes())
                .bind(secret.sealed().generation())
                .bind(secret.binding().version());
            tx.run_one(stmt).await
        }
        WebhookSubscriptionWrite::Delete(id) => tx.run_one(Stmt::new(DELETE).bind(workspace).bind(id.as_uuid())).await,
        WebhookSubscriptionWrite::Told(id, at) => {
            tx.run_one(Stmt::new(TOLD).bind(workspace).bind(id.as_uuid()).time(*at)).await
        }
    }
}
