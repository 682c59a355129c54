//! The store over SQLite: the shared smoke tests, every statement, every constraint.
#![expect(clippy::disallowed_methods, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "../../../settings-sql/tests/shared/mod.rs"]
mod shared;

use settings_domain::ports::StoreError;
use settings_domain::ports::directory::Upkeep as _;
use settings_sql::{
    db::Stmt,
    engine::{Engine as _, Scope},
};
use settings_sqlite::{Database, SqliteStore};
use shared::world::{World, sealer};
use sqlx::Executor as _;
use tempfile::TempDir;

/// A database in a folder of its own, which goes with it.
struct Fresh {
    database: Database,
    _folder: TempDir,
}

async fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/for/this/settings.db");
    let database = Database::connect(path.to_str().unwrap()).await.unwrap();
    assert!(!database.pending_migrations().await.unwrap().is_empty());
    database.migrate().await.unwrap();
    assert!(database.pending_migrations().await.unwrap().is_empty());
    Fresh { database, _folder: folder }
}

impl Fresh {
    fn world(&self) -> World<SqliteStore> {
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
    let own = <settings_sqlite::Lite as settings_sql::engine::Engine>::STATEMENTS;
    for (name, sql) in settings_sql::statements().into_iter().chain(own.all()) {
        if let Err(e) = conn.prepare(sqlx::SqlSafeStr::into_sql_str(sql)).await {
            panic!("{name}: {e}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_constraint_refuses_under_its_stable_name() {
    let fresh = fresh().await;
    for case in shared::breaking::cases(&fresh.world()).await {
        let scope = Scope::tenant(case.workspace);
        let mut tx = fresh.database.engine().begin_write(scope).await.unwrap();
        shared::breaking::check(&mut tx, &case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_can_not_be_rewritten() {
    let fresh = fresh().await;
    let ada = fresh.world().person("Ada").await;
    fresh.world().workspace("history", &ada).await;
    for sql in [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_openings",
        "UPDATE audit_openings SET sealed = x'00'",
        "UPDATE audit_openings SET sealed = NULL",
    ] {
        let mut tx = fresh.database.engine().begin_write(Scope::default()).await.unwrap();
        let refused = tx.run(Stmt::new(sql)).await;
        assert!(
            matches!(&refused, Err(StoreError::Constraint(name)) if name == "audit-append-only"),
            "{sql}: {refused:?}"
        );
    }
    let mut tx = fresh.database.engine().begin_write(Scope::default()).await.unwrap();
    assert!(
        tx.run(Stmt::new("UPDATE audit_openings SET sealed = NULL, person_id = x'ffffffffffffffffffffffffffffffff'"))
            .await
            .unwrap()
            > 0
    );
}

#[tokio::test]
async fn readers_can_not_write_and_odd_addresses_are_refused() {
    let fresh = fresh().await;
    let mut tx = fresh.database.engine().begin_read(Scope::default()).await.unwrap();
    assert!(tx.run(Stmt::new("DELETE FROM users")).await.is_err());
    for bad in ["sqlite::memory:", "postgres://x", "sqlite://x?mode=memory", ""] {
        assert!(Database::connect(bad).await.is_err(), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.db");
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let path = path.to_str().unwrap().to_owned();
            tokio::spawn(async move {
                let database = Database::connect(&path).await.unwrap();
                database.migrate().await.unwrap();
                database.pending_migrations().await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn doubt_is_an_error() {
    let fresh = fresh().await;
    shared::doubt_is_an_error(fresh.world(), fresh.database.close()).await;
}

#[tokio::test]
async fn what_has_no_more_use_is_forgotten() {
    let fresh = fresh().await;
    shared::sign_in_works_once(fresh.world()).await;
    let pool = fresh.database.engine().pool();
    for sql in [
        "UPDATE sign_in_links SET expires_at = 1",
        "UPDATE sessions SET expires_at = 1",
        "UPDATE outbox SET state = 'done', created_at = 1",
        "INSERT INTO idempotency VALUES (zeroblob(16), 'user:x', 'op', 'k', zeroblob(32), '{}', 1)",
    ] {
        sqlx::query(sql).execute(pool).await.unwrap();
    }
    assert_eq!(fresh.database.store(sealer()).tidy().await.unwrap(), 4);
    assert_eq!(fresh.database.store(sealer()).tidy().await.unwrap(), 0);
}

#[tokio::test]
async fn a_token_that_says_nothing_new_writes_nothing() {
    let fresh = fresh().await;
    let (world, pool) = (fresh.world(), fresh.database.engine().pool());
    world.person("Ada").await;
    sqlx::query("UPDATE users SET updated_at = 1").execute(pool).await.unwrap();
    world.person("Ada").await;
    let updated: i64 = sqlx::query_scalar("SELECT updated_at FROM users").fetch_one(pool).await.unwrap();
    assert_eq!(updated, 1);
}
