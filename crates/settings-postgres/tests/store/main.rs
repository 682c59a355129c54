//! The store over Postgres: the shared smoke tests and every statement.
#![expect(clippy::disallowed_methods, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod constraints;
mod isolation;
#[path = "../../../settings-sql/tests/shared/mod.rs"]
mod shared;

use settings_domain::ports::directory::Upkeep as _;
use settings_postgres::{Database, MIGRATOR, PostgresStore};
use settings_testkit::postgres::{Cluster, TestDb, migrations_key};
use shared::world::{World, sealer};
use sqlx::Executor as _;

/// A migrated database of one test.
pub(crate) struct Fresh {
    pub(crate) database: Database,
    pub(crate) db: TestDb,
}

async fn migrate(url: String) -> Result<(), String> {
    let database = Database::connect(&url).await.map_err(|e| format!("{e:?}"))?;
    database.migrate().await.map_err(|e| format!("{e:?}"))?;
    database.close().await;
    Ok(())
}

pub(crate) async fn fresh() -> Fresh {
    let cluster = Cluster::shared().await;
    cluster.template(&migrations_key(&MIGRATOR), migrate).await;
    let db = cluster.fresh().await;
    let database = Database::connect(db.url()).await.unwrap();
    assert!(database.pending_migrations().await.unwrap().is_empty());
    Fresh { database, db }
}

impl Fresh {
    pub(crate) fn world(&self) -> World<PostgresStore> {
        World::new(self.database.store(sealer()))
    }
}

macro_rules! shared_tests {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let fresh = fresh().await;
            shared::$name(fresh.world()).await;
        }
    )*};
}

shared_tests!(
    a_workspace_lives,
    a_member_of_one_workspace_need_not_name_it,
    environments_trade_names,
    sign_in_works_once,
    no_call_after_a_revocation_sees_the_key_active,
    one_idempotency_key_has_one_effect,
    a_caller_who_leaves_tears_nothing,
);

#[tokio::test]
async fn every_statement_prepares() {
    let fresh = fresh().await;
    let mut conn = fresh.database.engine().pool().acquire().await.unwrap();
    let own = <settings_postgres::Pg as settings_sql::engine::Engine>::STATEMENTS.all();
    let shared = settings_sql::statements().into_iter();
    for (name, sql) in shared.chain(own).chain(settings_postgres::STATEMENTS.iter().copied()) {
        if let Err(e) = conn.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await {
            panic!("{name}: {e}");
        }
    }
}

#[tokio::test]
async fn an_empty_database_says_what_it_lacks_and_is_migrated_by_several_at_once() {
    let db = Cluster::shared().await.empty().await;
    let database = Database::connect(db.url()).await.unwrap();
    assert_eq!(database.pending_migrations().await.unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let other = Database::connect(db.url()).await.unwrap();
    let (a, b) = tokio::join!(database.migrate(), other.migrate());
    a.unwrap();
    b.unwrap();
    assert!(database.pending_migrations().await.unwrap().is_empty());
    assert!(database.rls_enforced().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_need_not_stay_prepared() {
    let fresh = fresh().await;
    let options = settings_postgres::Options::default().persistent(false);
    let database = Database::connect_with(fresh.db.url(), &options).await.unwrap();
    shared::a_workspace_lives(World::new(database.store(sealer()))).await;
}

#[tokio::test]
async fn doubt_is_an_error() {
    let fresh = fresh().await;
    shared::doubt_is_an_error(fresh.world(), fresh.database.close()).await;
}

#[tokio::test]
async fn a_server_that_became_read_only_costs_one_call_and_its_connections() {
    let fresh = fresh().await;
    let admin = sqlx::PgPool::connect(fresh.db.admin_url()).await.unwrap();
    let set = async |to: &str| {
        let sql = format!("ALTER DATABASE {} SET default_transaction_read_only = {to}", fresh.db.name());
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&admin).await.unwrap();
    };
    set("on").await;
    let database = Database::connect(fresh.db.url()).await.unwrap();
    let world = World::new(database.store(sealer()));
    let sync = async || {
        let id = settings_domain::ids::UserId::from_uuid(shared::world::uuid());
        let profile = shared::world::profile("Ada", "ada@example.org");
        settings_domain::ports::accounts::Accounts::sync(&world.store, id, &profile).await
    };
    assert!(matches!(sync().await, Err(settings_domain::ports::StoreError::Unavailable(_))));
    set("off").await;
    // The same pool, and no wait: the connections that were read-only are gone.
    sync().await.unwrap();
}

#[tokio::test]
async fn what_has_no_more_use_is_forgotten() {
    let fresh = fresh().await;
    shared::sign_in_works_once(fresh.world()).await;
    let admin = sqlx::PgPool::connect(fresh.db.admin_url()).await.unwrap();
    for sql in [
        "UPDATE sign_in_links SET expires_at = 1",
        "UPDATE sessions SET expires_at = 1",
        "UPDATE outbox SET state = 'done', created_at = 1",
        "INSERT INTO idempotency SELECT gen_random_uuid(), 'user:x', 'op', 'k', decode(repeat('00', 32), 'hex'), '{}', 1",
    ] {
        sqlx::query(sql).execute(&admin).await.unwrap();
    }
    assert_eq!(fresh.database.store(sealer()).tidy().await.unwrap(), 4);
    assert_eq!(fresh.database.store(sealer()).tidy().await.unwrap(), 0);
}

/// A new flood, that no statistics know of: a claim that reads all that wait at each of its steps would take minutes, and
/// end with the time that a statement has.
#[tokio::test]
async fn a_claim_reads_no_more_than_it_takes() {
    let fresh = fresh().await;
    let admin = sqlx::PgPool::connect(fresh.db.admin_url()).await.unwrap();
    let queue = |tenants: u32, each: u32, from_now: i64| {
        format!(
            "WITH w AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, {tenants})) INSERT INTO outbox \
             (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, created_at) \
             SELECT gen_random_uuid(), w.id, 'notification', w.id, 0, 'pending', 0, \
             CAST(unixepoch('subsec') * 1000000 AS BIGINT) + {from_now}, 0 FROM w, generate_series(1, {each})"
        )
    };
    for sql in [queue(1, 50_000, -1_000_000), queue(2_000, 2, 1_000_000_000_000), queue(3, 2, 0)] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&admin).await.unwrap();
    }
    let store = fresh.database.store(sealer());
    for _ in 0..3 {
        let lease = time::Duration::minutes(5);
        let claimed = settings_domain::ports::outbox::Outbox::claim(&store, 64, lease).await.unwrap();
        assert_eq!(claimed.len(), 64);
    }
}
