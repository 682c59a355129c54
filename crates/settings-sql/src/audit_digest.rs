//! The audit digest: rows, statements, writes.
use crate::db::{Cells, SqlDb, Stmt, Tx};
use settings_domain::{
    audit::Risk,
    audit_digest::{
        ActorCount, ActorName, AuditDigest, AuditDigestWrite, AuditSummary, DayOfMonth, DayOfWeek, DigestRun,
        DigestSettings, Frequency, Hour, RunState, Schedule,
    },
    ids::{DigestRunId, WorkspaceId},
    micros,
    ports::StoreError,
    text::Email,
};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

macro_rules! window {
    () => {
        "e.workspace_id = $1 AND e.seq >= $2 AND e.seq <= $3 AND $4 LIKE '%' || e.risk || '%'"
    };
}

statements! {
    /// What was chosen.
    GET = "SELECT enabled, frequency, day, hour, risks, recipients, next_due_at, last_due_at, last_sent_at, covered_seq, \
        covered_at, version FROM audit_digests WHERE workspace_id = $1";
    /// The first choice.
    INSERT = "INSERT INTO audit_digests (workspace_id, enabled, frequency, day, hour, risks, recipients, next_due_at, \
        version, covered_seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)";
    /// Another choice.
    UPDATE = "UPDATE audit_digests SET enabled = $2, frequency = $3, day = $4, hour = $5, risks = $6, recipients = $7, \
        next_due_at = $8, version = $9 WHERE workspace_id = $1 AND version = $9 - 1";
    /// Where a digest is due in any tenant, the longest overdue first. The clock is read once, so that an index can be used.
    DUE = concat!("SELECT d.workspace_id AS workspace_id FROM audit_digests d JOIN workspaces w ON w.id = d.workspace_id \
        WHERE d.next_due_at <= (SELECT ", now!(), ") AND w.deleted_at IS NULL ORDER BY d.next_due_at LIMIT $1");
    /// A digest that began.
    RUN = "SELECT id, due_at, from_seq, to_seq, since, until, risks, recipients, state FROM audit_digest_runs \
        WHERE workspace_id = $1 AND id = $2";
    /// Those that nobody accepted are covered by the one that begins.
    SUPERSEDE = "UPDATE audit_digest_runs SET state = 'superseded' WHERE workspace_id = $1 AND state = 'queued'";
    /// A digest begins.
    BEGIN = "INSERT INTO audit_digest_runs (workspace_id, id, due_at, from_seq, to_seq, since, until, risks, recipients, \
        state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued')";
    /// The next one is due then, if this one still was.
    NEXT = "UPDATE audit_digests SET next_due_at = $3, last_due_at = $2 WHERE workspace_id = $1 AND next_due_at = $2";
    /// A mail of it was accepted.
    SENT = "UPDATE audit_digest_runs SET state = 'sent', sent_at = $3 \
        WHERE workspace_id = $1 AND id = $2 AND state = 'queued'";
    /// The next one begins behind it.
    COVERED = "UPDATE audit_digests SET covered_seq = $2, covered_at = $3, last_sent_at = $4 \
        WHERE workspace_id = $1 AND covered_seq <= $2";
    /// Forgets digests of long ago.
    FORGET = "DELETE FROM audit_digest_runs WHERE until < $1";
    /// How many events of each risk.
    TOTALS = concat!("SELECT e.risk AS risk, count(*) AS events FROM audit_events e WHERE ", window!(), " GROUP BY e.risk");
    /// Who left the most. A person is named as long as its salt is there.
    ACTORS = concat!("WITH most AS (SELECT e.actor_kind AS kind, e.actor_key AS key_id, \
        CASE WHEN e.actor_kind = 'member' THEN o.person_id END AS person_id, count(*) AS events, min(e.seq) AS first_seq \
        FROM audit_events e LEFT JOIN audit_openings o \
        ON o.workspace_id = e.workspace_id AND o.seq = e.seq AND o.field = 'actor' WHERE ", window!(),
        " GROUP BY 1, 2, 3 ORDER BY count(*) DESC, min(e.seq) LIMIT 5) \
        SELECT m.kind AS kind, m.events AS events, k.name AS key_name, k.prefix AS key_prefix, \
        CASE WHEN p.salt IS NOT NULL THEN coalesce(u.name, u.email) END AS person FROM most m \
        LEFT JOIN api_keys k ON k.workspace_id = $1 AND k.id = m.key_id \
        LEFT JOIN persons p ON p.workspace_id = $1 AND p.id = m.person_id \
        LEFT JOIN users u ON u.id = p.user_id ORDER BY m.events DESC, m.first_seq");
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

fn words(risks: &BTreeSet<Risk>) -> String {
    risks.iter().map(|r| r.name()).collect::<Vec<_>>().join(" ")
}

fn addresses(recipients: &[Email]) -> Result<String, StoreError> {
    serde_json::to_string(recipients).map_err(|_| corrupt("recipients"))
}

fn read_risks<D: SqlDb>(row: &Cells<'_, D>) -> Result<BTreeSet<Risk>, StoreError> {
    let risk = |word| Risk::parse(word).ok_or_else(|| corrupt("risks"));
    row.text("risks")?.split_whitespace().map(risk).collect()
}

fn read_recipients<D: SqlDb>(row: &Cells<'_, D>) -> Result<Vec<Email>, StoreError> {
    serde_json::from_str(&row.text("recipients")?).map_err(|_| corrupt("recipients"))
}

fn read_schedule<D: SqlDb>(row: &Cells<'_, D>) -> Result<Schedule, StoreError> {
    let day = row.get::<Option<i64>>("day")?;
    let frequency = match (row.text("frequency")?.as_str(), day) {
        ("daily", None) => Some(Frequency::Daily),
        ("weekly", Some(day)) => DayOfWeek::try_from(day).ok().map(Frequency::Weekly),
        ("monthly", Some(day)) => DayOfMonth::try_from(day).ok().map(Frequency::Monthly),
        _ => None,
    };
    let hour = Hour::try_from(row.int("hour")?).map_err(|_| corrupt("hour"))?;
    Ok(Schedule { frequency: frequency.ok_or_else(|| corrupt("frequency"))?, hour })
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<AuditDigest, StoreError> {
    let settings = DigestSettings {
        enabled: row.flag("enabled")?,
        schedule: read_schedule(row)?,
        risks: read_risks(row)?,
        recipients: read_recipients(row)?,
    };
    Ok(AuditDigest {
        settings,
        next_due_at: row.maybe_time("next_due_at")?,
        last_due_at: row.maybe_time("last_due_at")?,
        last_sent_at: row.maybe_time("last_sent_at")?,
        covered_seq: row.int("covered_seq")?,
        covered_at: row.maybe_time("covered_at")?,
        version: row.int("version")?,
    })
}

fn read_run<D: SqlDb>(row: &Cells<'_, D>) -> Result<DigestRun, StoreError> {
    Ok(DigestRun {
        id: DigestRunId::from_uuid(row.id("id")?),
        due_at: row.time("due_at")?,
        from_seq: row.int("from_seq")?,
        to_seq: row.int("to_seq")?,
        since: row.maybe_time("since")?,
        until: row.time("until")?,
        risks: read_risks(row)?,
        recipients: read_recipients(row)?,
        state: row.word("state", RunState::parse)?,
    })
}

fn read_actor<D: SqlDb>(row: &Cells<'_, D>) -> Result<ActorCount, StoreError> {
    let actor = match row.text("kind")?.as_str() {
        "member" => ActorName::Person(row.maybe_text("person")?),
        "api_key" => {
            let (name, prefix) = (row.maybe_text("key_name")?, row.maybe_text("key_prefix")?);
            ActorName::key(&name.unwrap_or_default(), &prefix.unwrap_or_default())
        }
        "system" => ActorName::Platform,
        "service" => ActorName::Service,
        _ => return Err(corrupt("actor_kind")),
    };
    Ok(ActorCount { actor, events: row.int("events")? })
}

/// What was chosen.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Option<AuditDigest>, StoreError> {
    tx.first(Stmt::new(GET).bind(workspace), read).await
}

/// A digest that began.
pub async fn run<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, id: DigestRunId) -> Result<Option<DigestRun>, StoreError> {
    tx.first(Stmt::new(RUN).bind(workspace).bind(id.as_uuid()), read_run).await
}

/// Where a digest is due in any tenant.
pub async fn due<D: SqlDb>(tx: &mut Tx<D>, limit: i64) -> Result<Vec<WorkspaceId>, StoreError> {
    tx.all(Stmt::new(DUE).bind(limit), |row| Ok(WorkspaceId::from_uuid(row.id("workspace_id")?))).await
}

/// The run's window in numbers.
pub async fn summary<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, run: &DigestRun) -> Result<AuditSummary, StoreError> {
    let over = |sql| Stmt::new(sql).bind(workspace).bind(run.from_seq).bind(run.to_seq).bind(words(&run.risks));
    let totals = tx.all(over(TOTALS), |row| Ok((row.word("risk", Risk::parse)?, row.int("events")?))).await?;
    Ok(AuditSummary { totals, actors: tx.all(over(ACTORS), read_actor).await? })
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &AuditDigestWrite) -> Result<(), StoreError> {
    match write {
        AuditDigestWrite::Configure(digest) => configure(tx, workspace, digest).await,
        AuditDigestWrite::Begin(run, next_due_at) => begin(tx, workspace, run, *next_due_at).await,
        AuditDigestWrite::Sent(run, at) => {
            tx.run_one(Stmt::new(SENT).bind(workspace).bind(run.id.as_uuid()).time(*at)).await?;
            tx.run_one(Stmt::new(COVERED).bind(workspace).bind(run.to_seq).time(run.until).time(*at)).await
        }
    }
}

async fn configure<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, digest: &AuditDigest) -> Result<(), StoreError> {
    let DigestSettings { enabled, schedule, risks, recipients } = &digest.settings;
    let frequency = schedule.frequency;
    let day = frequency.day_of_week().map(i64::from).or_else(|| frequency.day_of_month().map(i64::from));
    let stmt = Stmt::new(if digest.version == 1 { INSERT } else { UPDATE })
        .bind(workspace)
        .bind(i64::from(*enabled))
        .text(frequency.name())
        .bind(day)
        .bind(i64::from(schedule.hour))
        .bind(words(risks))
        .bind(addresses(recipients)?)
        .maybe_time(digest.next_due_at)
        .bind(digest.version);
    tx.run_one(stmt).await
}

async fn begin<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    run: &DigestRun,
    next_due_at: OffsetDateTime,
) -> Result<(), StoreError> {
    tx.run(Stmt::new(SUPERSEDE).bind(workspace)).await?;
    let stmt = Stmt::new(BEGIN)
        .bind(workspace)
        .bind(run.id.as_uuid())
        .time(run.due_at)
        .bind(run.from_seq)
        .bind(run.to_seq)
        .maybe_time(run.since)
        .time(run.until)
        .bind(words(&run.risks))
        .bind(addresses(&run.recipients)?);
    tx.run_one(stmt).await?;
    tx.run_one(Stmt::new(NEXT).bind(workspace).time(run.due_at).time(next_due_at)).await
}

/// Forgets digests that began before an instant.
pub async fn forget<D: SqlDb>(tx: &mut Tx<D>, before: OffsetDateTime) -> Result<u64, StoreError> {
    tx.run(Stmt::new(FORGET).bind(micros::from_time(before))).await
}
