//! Billing: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    billing::{
        BillingAccount, BillingEventId, BillingWrite, CustomerId, DayTotal, Quantity, Subscription, UsageId,
        UsageRecord, seats, usage,
    },
    ids::WorkspaceId,
    micros,
    ports::{StoreError, billing::Reported},
};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

statements! {
    /// What is known of a workspace.
    ACCOUNT = "SELECT customer_id, subscription, read_at, version FROM billing_accounts WHERE workspace_id = $1";
    /// The first of it.
    INSERT_ACCOUNT = "INSERT INTO billing_accounts (workspace_id, customer_id, subscription, plan_seats, read_at, version) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    /// The row as it shall be.
    UPDATE_ACCOUNT = "UPDATE billing_accounts SET customer_id = $2, subscription = $3, plan_seats = $4, read_at = $5, \
        version = $6 WHERE workspace_id = $1 AND version = $6 - 1";
    /// Whose customer it is. Whoever was deleted has none.
    OF_CUSTOMER = "SELECT b.workspace_id AS workspace_id FROM billing_accounts b JOIN workspaces w ON w.id = b.workspace_id \
        WHERE b.customer_id = $1 AND w.deleted_at IS NULL";
    /// Whether an event was handled.
    HANDLED = "SELECT handled_at FROM billing_events WHERE workspace_id = $1 AND id = $2";
    /// It was.
    HANDLE = "INSERT INTO billing_events (workspace_id, id, handled_at) VALUES ($1, $2, $3)";
    /// Takes workspaces that are to be checked: the platform's own tenant pays nobody. The clock is read once, so that an
    /// index can be used.
    CLAIM_CHECKS = concat!("INSERT INTO billing_checks (workspace_id, next_at) \
        SELECT w.id, (SELECT ", now!(), ") + $2 FROM workspaces w LEFT JOIN billing_checks c ON c.workspace_id = w.id \
        WHERE w.deleted_at IS NULL AND w.id <> $3 AND (c.next_at IS NULL OR c.next_at <= (SELECT ", now!(), ")) \
        ORDER BY coalesce(c.next_at, 0), w.id LIMIT $1 \
        ON CONFLICT (workspace_id) DO UPDATE SET next_at = excluded.next_at WHERE billing_checks.next_at <= (SELECT ", now!(),
        ") RETURNING workspace_id");
    /// When the next check is due; what was asked for meanwhile comes first.
    CHECKED = concat!("UPDATE billing_checks SET next_at = ", now!(), " + $2 WHERE workspace_id = $1 AND next_at > ", now!());
    /// A check is due at once. Who was never checked is due anyway.
    CHECK_NOW = concat!("UPDATE billing_checks SET next_at = ", now!(), " WHERE workspace_id = $1");
    /// The report of an id.
    USAGE = "SELECT id, metric, quantity, at FROM usage_records WHERE workspace_id = $1 AND id = $2";
    /// A new report.
    INSERT_USAGE = "INSERT INTO usage_records (workspace_id, id, metric, quantity, at, reported, attempts) \
        VALUES ($1, $2, $3, $4, $5, 'waiting', 0)";
    /// It counts for its day.
    COUNT = "INSERT INTO usage_days (workspace_id, day, metric, quantity) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (workspace_id, day, metric) DO UPDATE SET quantity = usage_days.quantity + excluded.quantity";
    /// Usage by metric and day.
    BY_DAY = "SELECT metric, day, quantity FROM usage_days WHERE workspace_id = $1 AND day >= $2 AND day <= $3 \
        ORDER BY day, metric";
    /// What the billing service does not know of yet, of those who are its customers.
    UNREPORTED = concat!("SELECT u.workspace_id AS workspace_id, b.customer_id AS customer_id, u.id AS id, \
        u.metric AS metric, u.quantity AS quantity, u.at AS at FROM usage_records u \
        JOIN billing_accounts b ON b.workspace_id = u.workspace_id JOIN workspaces w ON w.id = u.workspace_id \
        WHERE u.reported = 'waiting' AND u.at > (SELECT ", now!(), ") - $2 AND b.customer_id IS NOT NULL \
        AND w.deleted_at IS NULL ORDER BY u.attempts, u.at LIMIT $1");
    /// What became of a report.
    REPORTED = "UPDATE usage_records SET reported = $3, attempts = attempts + 1 \
        WHERE workspace_id = $1 AND id = $2 AND reported = 'waiting'";
    /// Forgets events of long ago.
    FORGET_EVENTS = "DELETE FROM billing_events WHERE handled_at < $1";
    /// Forgets reports of long ago. What they counted for their days stays.
    FORGET_USAGE = "DELETE FROM usage_records WHERE (workspace_id, id) IN (SELECT workspace_id, id FROM usage_records \
        WHERE at < $1 ORDER BY at LIMIT $2)";
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

fn day_number(date: Date) -> i64 {
    i64::from(date.to_julian_day()) - i64::from(OffsetDateTime::UNIX_EPOCH.date().to_julian_day())
}

fn read_day(number: i64) -> Option<Date> {
    let julian = number + i64::from(OffsetDateTime::UNIX_EPOCH.date().to_julian_day());
    Date::from_julian_day(i32::try_from(julian).ok()?).ok()
}

fn read_account<D: SqlDb>(row: &Cells<'_, D>) -> Result<BillingAccount, StoreError> {
    let subscription: Option<Subscription> = row
        .maybe_text("subscription")?
        .map(|text| serde_json::from_str(&text).map_err(|_| corrupt("subscription")))
        .transpose()?;
    Ok(BillingAccount {
        customer: row.maybe_parse("customer_id")?,
        subscription,
        read_at: row.maybe_time("read_at")?,
        version: row.int("version")?,
    })
}

fn read_usage<D: SqlDb>(row: &Cells<'_, D>) -> Result<UsageRecord, StoreError> {
    Ok(UsageRecord {
        id: row.parse("id")?,
        metric: row.parse("metric")?,
        quantity: Quantity::try_from(row.int("quantity")?).map_err(|_| corrupt("quantity"))?,
        at: row.time("at")?,
    })
}

/// What is known of a workspace.
pub async fn account<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<BillingAccount, StoreError> {
    Ok(tx.first(Stmt::new(ACCOUNT).bind(workspace), read_account).await?.unwrap_or_default())
}

/// Whether an event was handled.
pub async fn handled<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: &BillingEventId) -> Result<bool, StoreError> {
    let stmt = Stmt::new(HANDLED).bind(workspace).text(id.as_str());
    Ok(tx.first(stmt, |row| row.int("handled_at")).await?.is_some())
}

/// The report of an id.
pub async fn usage<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: &UsageId) -> Result<Option<UsageRecord>, StoreError> {
    tx.first(Stmt::new(USAGE).bind(workspace).text(id.as_str()), read_usage).await
}

/// Usage by metric and day.
pub async fn by_day<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    first: Date,
    last: Date,
) -> Result<Vec<DayTotal>, StoreError> {
    let stmt = Stmt::new(BY_DAY).bind(workspace).bind(day_number(first)).bind(day_number(last));
    tx.all(stmt, |row| {
        let date = read_day(row.int("day")?).ok_or_else(|| corrupt("day"))?;
        Ok(DayTotal { metric: row.parse("metric")?, date, quantity: row.int("quantity")? })
    })
    .await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &BillingWrite) -> Result<(), StoreError> {
    match write {
        BillingWrite::Account(account) => {
            let subscription = account.subscription.as_ref();
            let text = subscription.map(serde_json::to_string).transpose().map_err(|_| corrupt("subscription"))?;
            let sql = if account.version == 1 { INSERT_ACCOUNT } else { UPDATE_ACCOUNT };
            let stmt = Stmt::new(sql)
                .bind(workspace)
                .maybe(account.customer.as_ref().map(CustomerId::as_str))
                .bind(text)
                .bind(seats::given(subscription))
                .maybe_time(account.read_at)
                .bind(account.version);
            tx.run_one(stmt).await
        }
        BillingWrite::Handled(id, at) => {
            tx.run_one(Stmt::new(HANDLE).bind(workspace).text(id.as_str()).time(*at)).await
        }
        BillingWrite::CheckNow => tx.run(Stmt::new(CHECK_NOW).bind(workspace)).await.map(drop),
        BillingWrite::Usage(record) => {
            let (metric, quantity) = (record.metric.as_str(), record.quantity.get());
            let stmt = Stmt::new(INSERT_USAGE).bind(workspace).text(record.id.as_str()).text(metric);
            tx.run_one(stmt.bind(quantity).time(record.at)).await?;
            let stmt = Stmt::new(COUNT).bind(workspace).bind(day_number(record.day())).text(metric).bind(quantity);
            tx.run_one(stmt).await
        }
    }
}

/// Whose customer it is.
pub async fn of_customer<D: SqlDb>(tx: &mut Tx<D>, customer: &CustomerId) -> Result<Option<WorkspaceId>, StoreError> {
    let stmt = Stmt::new(OF_CUSTOMER).text(customer.as_str());
    tx.first(stmt, |row| row.id("workspace_id").map(WorkspaceId::from_uuid)).await
}

fn micros_of(d: Duration) -> i64 {
    i64::try_from(d.whole_microseconds()).unwrap_or(i64::MAX)
}

/// Takes workspaces that are to be checked.
pub async fn claim_checks<D: SqlDb>(
    tx: &mut Tx<D>,
    limit: i64,
    lease: Duration,
) -> Result<Vec<WorkspaceId>, StoreError> {
    let platform = WorkspaceId::PLATFORM.as_uuid();
    let stmt = Stmt::new(CLAIM_CHECKS).bind(limit).bind(micros_of(lease)).bind(platform);
    tx.all(stmt, |row| row.id("workspace_id").map(WorkspaceId::from_uuid)).await
}

/// When the next check is due.
pub async fn checked<D: SqlDb>(tx: &mut Tx<D>, workspace: WorkspaceId, next_in: Duration) -> Result<(), StoreError> {
    tx.run(Stmt::new(CHECKED).bind(workspace.as_uuid()).bind(micros_of(next_in))).await.map(drop)
}

/// What the billing service does not know of yet.
pub async fn unreported<D: SqlDb>(
    tx: &mut Tx<D>,
    limit: i64,
) -> Result<Vec<(WorkspaceId, CustomerId, UsageRecord)>, StoreError> {
    let stmt = Stmt::new(UNREPORTED).bind(limit).bind(micros_of(usage::LATEST));
    tx.all(stmt, |row| {
        Ok((WorkspaceId::from_uuid(row.id("workspace_id")?), row.parse("customer_id")?, read_usage(row)?))
    })
    .await
}

/// What became of a report.
pub async fn reported<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: WorkspaceId,
    id: &UsageId,
    what: Reported,
) -> Result<(), StoreError> {
    let word = match what {
        Reported::Taken => "taken",
        Reported::Refused => "refused",
        Reported::Failed => "waiting",
    };
    tx.run(Stmt::new(REPORTED).bind(workspace.as_uuid()).text(id.as_str()).text(word)).await.map(drop)
}

/// Forgets events and reports of before an instant, of the latter at most so many.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>, before: OffsetDateTime, most: i64) -> Result<u64, StoreError> {
    let events = tx.run(Stmt::new(FORGET_EVENTS).bind(micros::from_time(before))).await?;
    Ok(events + tx.run(Stmt::new(FORGET_USAGE).bind(micros::from_time(before)).bind(most)).await?)
}
