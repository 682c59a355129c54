//! SQLite: pools, the writer's lock, migrations. The statements live in `settings-sql`.
//!
//! One connection writes (`BEGIN IMMEDIATE`, so that a transaction has the lock before it decides anything); others read,
//! each from its own snapshot of the write-ahead log. `synchronous = FULL`: what was acknowledged survives a power cut.
//! `secure_delete`: what was deleted leaves no copy in free pages.
use async_trait::async_trait;
use settings_domain::ports::StoreError;
use settings_sql::{
    ConnectError, SqlStore,
    db::{Manner, Tx},
    engine::{Engine, EngineStatements, Scope},
    engine_statements,
    error::Suspicion,
};
use sqlx::{
    Sqlite, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteQueryResult, SqliteSynchronous},
};
use std::{path::Path, str::FromStr as _, sync::Arc, time::Duration};

/// The migrations of this engine.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// How long a transaction waits for another process's lock, and a call for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the write-ahead log is tried to be emptied after an erasure.
const SCRUBS: u32 = 20;
/// How long to wait between.
const SCRUB_PAUSE: Duration = Duration::from_millis(100);

/// An open SQLite database.
pub type Database = settings_sql::Database<Lite>;
/// The store over SQLite.
pub type SqliteStore = SqlStore<Lite>;

/// What can be chosen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Connections that read.
    pub readers: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 8 }
    }
}

impl Options {
    /// With this many connections that read.
    #[must_use]
    pub const fn readers(mut self, readers: u32) -> Self {
        self.readers = readers;
        self
    }
}

/// The SQLite engine.
#[derive(Debug)]
pub struct Lite {
    writer: SqlitePool,
    readers: SqlitePool,
    manner: Manner<Sqlite>,
}

impl Lite {
    /// The writer's pool, for tests that speak SQL.
    #[must_use]
    pub const fn pool(&self) -> &SqlitePool {
        &self.writer
    }
}

/// A path, `sqlite:path` or `sqlite://path?options`.
fn parse(address: &str) -> Result<SqliteConnectOptions, ConnectError> {
    let options = if address.starts_with("sqlite:") {
        SqliteConnectOptions::from_str(address).map_err(ConnectError::Open)?
    } else if address.contains("://") {
        return Err(ConnectError::Address("it is none of SQLite"));
    } else {
        SqliteConnectOptions::new().filename(address)
    };
    let file = options.get_filename();
    // The writer and the readers are connections of their own: a database in memory would be another one for each.
    if file.as_os_str().is_empty() || address.contains(":memory:") || address.contains("mode=memory") {
        return Err(ConnectError::Address("a file is needed, not a database in memory"));
    }
    Ok(options)
}

/// Makes folder and file. The file holds what the service knows of people, so nobody else on the machine may read it.
fn prepare(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut new = std::fs::OpenOptions::new();
    // Only a file that is not there is opened: closing one that is would take away the locks of the process's other
    // connections to it (POSIX locks belong to the process, whichever descriptor is closed).
    new.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    match new.open(file) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        opened => opened.map(drop),
    }
}

#[async_trait]
impl Engine for Lite {
    type Db = Sqlite;
    type Options = Options;
    const STATEMENTS: EngineStatements = engine_statements! {
        // BEGIN IMMEDIATE has locked everything already.
        tenant_lock: "",
        row_lock: "",
        before_claim: "SELECT 1 AS ready",
        skip_locked: "",
        each: ("JOIN outbox o ON o.id IN (SELECT o.id FROM outbox o", ")"),
        in_ids: "IN (SELECT unhex(value) FROM json_each('[\"' || replace($1, ',', '\",\"') || '\"]'))",
        epochs: "SELECT id, epoch, CAST(unixepoch('subsec') * 1000000 AS BIGINT) AS at FROM workspaces \
            WHERE deleted_at IS NULL \
            AND id IN (SELECT unhex(value) FROM json_each('[\"' || replace($1, ',', '\",\"') || '\"]'))",
    };

    async fn connect(address: &str, options: &Options) -> Result<Self, ConnectError> {
        let file = parse(address)?;
        prepare(file.get_filename()).map_err(ConnectError::File)?;
        let file = file
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF");
        let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE).idle_timeout(None).max_lifetime(None);
        // The writer first: it makes the file a write-ahead one, which a reader can't.
        let writer = pool()
            .max_connections(1)
            .min_connections(1)
            .connect_with(file.clone())
            .await
            .map_err(ConnectError::Open)?;
        let readers = pool()
            .max_connections(options.readers.max(1))
            .connect_with(file.pragma("query_only", "ON"))
            .await
            .map_err(ConnectError::Open)?;
        let manner = Manner {
            persistent: true,
            suspicion: Arc::new(Suspicion::default()),
            affected: SqliteQueryResult::rows_affected,
        };
        Ok(Self { writer, readers, manner })
    }
    async fn migrate(&self) -> Result<(), ConnectError> {
        // sqlx has no lock for migrations of SQLite. Each is one transaction, so of two processes one does it and the other
        // fails: tried again, it finds the work done. That can happen once with each of them.
        let mut done = MIGRATOR.run(&self.writer).await;
        for _ in MIGRATOR.iter() {
            if done.is_ok() {
                break;
            }
            done = MIGRATOR.run(&self.writer).await;
        }
        done.map_err(ConnectError::Migrate)
    }
    fn migrations(&self) -> Vec<i64> {
        MIGRATOR.iter().map(|m| m.version).collect()
    }
    async fn begin_read(&self, _: Scope) -> Result<Tx<Sqlite>, StoreError> {
        // DEFERRED: the first statement takes the snapshot, and all others of the transaction see the same.
        let tx = self.readers.begin_with("BEGIN DEFERRED").await.map_err(|e| self.manner.suspicion.classify(e))?;
        Ok(Tx::transaction(tx, &self.manner))
    }
    async fn begin_write(&self, _: Scope) -> Result<Tx<Sqlite>, StoreError> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.manner.suspicion.classify(e))?;
        Ok(Tx::transaction(tx, &self.manner))
    }
    async fn single(&self) -> Result<Tx<Sqlite>, StoreError> {
        let conn = self.readers.acquire().await.map_err(|e| self.manner.suspicion.classify(e))?;
        Ok(Tx::single(conn, &self.manner))
    }
    async fn rescope(&self, _: &mut Tx<Sqlite>, _: Scope) -> Result<(), StoreError> {
        // SQLite has no row-level security: every statement names its tenant itself.
        Ok(())
    }
    async fn rls_enforced(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn scrub(&self) -> Result<(), StoreError> {
        // Freed bytes of the file are zeroed (`secure_delete`); what they were still stands in the write-ahead log.
        // A reader may keep it there a while longer: then it goes with the next checkpoint. Nobody who writes waits for that
        // reader, so this asks now and then instead of holding the lock until it is gone.
        for attempt in 0..SCRUBS {
            if attempt > 0 {
                tokio::time::sleep(SCRUB_PAUSE).await;
            }
            let mut conn = self.writer.acquire().await.map_err(|e| self.manner.suspicion.classify(e))?;
            let impatient = sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *conn).await;
            let done = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await;
            let patient = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
            let patient = sqlx::query(sqlx::AssertSqlSafe(patient)).execute(&mut *conn).await;
            impatient.and(patient).map_err(|e| self.manner.suspicion.classify(e))?;
            if done.map_err(|e| self.manner.suspicion.classify(e))? == 0 {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("somebody still reads an older state of the database"))
    }
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
