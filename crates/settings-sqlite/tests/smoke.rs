//! The store over SQLite: the shared smoke tests, every statement, every constraint.
#[path = "../../settings-sql/tests/shared/mod.rs"]
mod shared;

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
