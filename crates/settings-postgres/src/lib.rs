//! Postgres: the pool, the tenant's lock, row-level security, migrations. The statements live in `settings-sql`.
//!
//! Every transaction names its tenant with settings that end with it ([`Scope`]), and works as the role `settings_app`
//! where that exists: row-level security then binds it whoever the program connects as. Everything is set by one
//! statement. Behind a transaction pooler: [`Options::persistent`]`(false)`, and migrate past the pooler.
mod options;
mod pool;

pub use options::Options;

use async_trait::async_trait;
use settings_domain::ports::StoreError;
use settings_sql::{
    ConnectError, SqlStore,
    db::{Manner, Stmt, Tx},
    engine::{Engine, EngineStatements, Scope},
    engine_statements,
};
use sqlx::{PgPool, Postgres, migrate::Migrator};
use tokio::sync::OnceCell;

macro_rules! opening {
    ($role:literal) => {
        concat!(
            "SELECT CASE WHEN pg_is_in_recovery() THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS replica, \
             set_config('settings.workspace', $1, true), set_config('settings.user', $2, true), \
             set_config('settings.scope', $3, true), set_config('lock_timeout', '5s', true), \
             set_config('statement_timeout', '8s', true), set_config('idle_in_transaction_session_timeout', '60s', true)",
            $role
        )
    };
}

/// The migrations of this engine.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/postgres");

/// An open Postgres database.
pub type Database = settings_sql::Database<Pg>;
/// The store over Postgres.
pub type PostgresStore = SqlStore<Pg>;

/// What a transaction may see and how long it may wait, in one statement: a transaction that hangs on a lock or forgets to
/// end must not take the tenant with it. A replica is never asked: its answer may be older than a revocation.
const OPEN: &str = opening!("");
/// The same, as the role that row-level security binds.
const OPEN_AS_APP: &str = opening!(", set_config('role', 'settings_app', true)");
/// Changes what the open transaction may see.
const RESCOPE: &str = "SELECT set_config('settings.workspace', $1, true), set_config('settings.user', $2, true), \
    set_config('settings.scope', $3, true)";
/// Whether the role is there for this database and may be taken: 1 or 0, and -1 before the migration.
const APP_ROLE: &str = "SELECT CASE WHEN to_regclass('audit_heads') IS NULL THEN CAST(-1 AS BIGINT) ELSE \
    (SELECT count(*) FROM pg_roles r WHERE r.rolname = 'settings_app' AND pg_has_role(current_user, r.oid, 'MEMBER') \
     AND has_table_privilege(r.oid, 'audit_heads', 'UPDATE')) END AS roles";
/// Takes the role: being a member is not always enough (Postgres 16 and later).
const TAKE_ROLE: &str = "SELECT set_config('role', 'settings_app', true)";
/// Whether the session's own role is bound by row-level security.
const BOUND: &str = "SELECT count(*) AS bound FROM pg_roles \
    WHERE rolname = current_user AND NOT rolsuper AND NOT rolbypassrls";

/// The statements of this engine alone, with their names.
pub const STATEMENTS: &[(&str, &str)] = &[
    ("postgres::OPEN", OPEN),
    ("postgres::OPEN_AS_APP", OPEN_AS_APP),
    ("postgres::RESCOPE", RESCOPE),
    ("postgres::APP_ROLE", APP_ROLE),
    ("postgres::TAKE_ROLE", TAKE_ROLE),
    ("postgres::BOUND", BOUND),
];

/// The Postgres engine.
#[derive(Debug)]
pub struct Pg {
    pool: PgPool,
    manner: Manner<Postgres>,
    /// Whether transactions work as `settings_app`: found out at the first one after the migration.
    as_app: OnceCell<bool>,
}

impl Pg {
    /// The pool, for tests that speak SQL.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        self.manner.suspicion.classify(error)
    }

    async fn as_app(&self) -> Result<bool, StoreError> {
        self.as_app.get_or_try_init(|| self.try_role()).await.copied()
    }

    /// Takes the role once, in a transaction that does nothing else.
    async fn try_role(&self) -> Result<bool, StoreError> {
        let tx = self.pool.begin_with("BEGIN").await.map_err(|e| self.failed(e))?;
        let mut tx = Tx::transaction(tx, &self.manner);
        match tx.one(Stmt::new(APP_ROLE), |row| row.int("roles")).await? {
            -1 => return Err(StoreError::unavailable(Unfit("it has no schema yet"))),
            0 => return Ok(false),
            _ => {}
        }
        let taken = tx.run(Stmt::new(TAKE_ROLE)).await.is_ok();
        if !taken {
            tracing::warn!("the role settings_app is there but can't be taken; working as the connecting role");
        }
        Ok(taken)
    }

    async fn begin(&self, how: &'static str, scope: Scope) -> Result<Tx<Postgres>, StoreError> {
        let open = if self.as_app().await? { OPEN_AS_APP } else { OPEN };
        let tx = self.pool.begin_with(how).await.map_err(|e| self.failed(e))?;
        let mut tx = Tx::transaction(tx, &self.manner);
        if tx.one(named(open, scope), |row| row.int("replica")).await? == 1 {
            self.manner.suspicion.raise();
            return Err(StoreError::unavailable(Unfit("it is a replica")));
        }
        Ok(tx)
    }
}

/// The server can't be worked with.
#[derive(Debug, thiserror::Error)]
#[error("the database can't be used: {0}")]
struct Unfit(&'static str);

/// A scope as settings. Nothing is empty: an unset setting and an empty one both see nothing.
fn named(sql: &'static str, scope: Scope) -> Stmt<Postgres> {
    let id = |id: uuid::Uuid| if id.is_nil() { String::new() } else { id.to_string() };
    Stmt::new(sql).bind(id(scope.workspace)).bind(id(scope.user)).text(if scope.directory { "directory" } else { "" })
}

#[async_trait]
impl Engine for Pg {
    type Db = Postgres;
    type Options = Options;
    const STATEMENTS: EngineStatements = engine_statements! {
        // Not FOR UPDATE: rows that refer to the workspace may still be written by those who need no lock.
        tenant_lock: " FOR NO KEY UPDATE",
        // FOR SHARE and nothing weaker: a role is no key column (measured: 544 of 1,000 late effects with KEY SHARE).
        row_lock: " FOR SHARE",
        // Keeps the planner to the indexes. In a flood its statistics are old, and row-level security lets it expect next to no
        // rows: it then reads all that wait at every step (measured with 100,000 due and 2,000 waiting: 45 s, not 10 ms).
        before_claim: "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), \
            set_config('enable_sort', 'off', true)",
        skip_locked: " FOR UPDATE OF o SKIP LOCKED",
        each: ("CROSS JOIN LATERAL (SELECT o.id, o.next_at FROM outbox o", ") o"),
        in_ids: "= ANY (string_to_array($1, ',')::uuid[])",
        epochs: "SELECT id, epoch, at FROM directory_epochs($1)",
    };

    async fn connect(address: &str, options: &Options) -> Result<Self, ConnectError> {
        let (pool, manner) = pool::open(address, options).await?;
        Ok(Self { pool, manner, as_app: OnceCell::new() })
    }
    async fn migrate(&self) -> Result<(), ConnectError> {
        MIGRATOR.run(&self.pool).await.map_err(ConnectError::Migrate)
    }
    fn migrations(&self) -> Vec<i64> {
        MIGRATOR.iter().map(|m| m.version).collect()
    }
    async fn begin_read(&self, scope: Scope) -> Result<Tx<Postgres>, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", scope).await
    }
    async fn begin_write(&self, scope: Scope) -> Result<Tx<Postgres>, StoreError> {
        // Said in full: a database's own default must not change what a lock means here.
        self.begin("BEGIN ISOLATION LEVEL READ COMMITTED", scope).await
    }
    async fn single(&self) -> Result<Tx<Postgres>, StoreError> {
        let conn = self.pool.acquire().await.map_err(|e| self.failed(e))?;
        Ok(Tx::single(conn, &self.manner))
    }
    async fn rescope(&self, tx: &mut Tx<Postgres>, scope: Scope) -> Result<(), StoreError> {
        tx.run(named(RESCOPE, scope)).await.map(drop)
    }
    async fn rls_enforced(&self) -> Result<bool, StoreError> {
        if self.as_app().await? {
            return Ok(true);
        }
        // Row-level security is forced on the owner too, but never on a superuser.
        self.single().await?.one(Stmt::new(BOUND), |row| Ok(row.int("bound")? > 0)).await
    }
    async fn scrub(&self) -> Result<(), StoreError> {
        // Dead rows leave the files by VACUUM FULL alone, which locks whole tables: the operator's to choose.
        Ok(())
    }
    async fn close(&self) {
        self.pool.close().await;
    }
}
