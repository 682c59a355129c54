//! The contract, kept by SQLite, with the service's own keys.
#![expect(clippy::unwrap_used, reason = "tests")]
use settings_crypto::{AuditKeys, RootKey};
use settings_domain::ports::audit::AuditSealer;
use settings_sqlite::Database;
use settings_testkit::{
    contract::{World, run, sql},
    entropy::FixedClock,
};
use sqlx::{AssertSqlSafe, Executor as _};
use std::sync::Arc;
use time::OffsetDateTime;

/// Without them the tables take whatever somebody with the file at hand would write.
const TRIGGERS: &[&str] =
    &["audit_events_no_update", "audit_events_no_delete", "audit_openings_only_erased", "audit_openings_no_delete"];

async fn execute(database: &Database, statements: Vec<String>) {
    let mut writer = database.engine().pool().acquire().await.unwrap();
    for statement in statements {
        writer.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
    }
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(folder.path().join("settings.db").to_str().unwrap()).await.unwrap();
    database.migrate().await.unwrap();
    let sealer: Arc<dyn AuditSealer> = Arc::new(AuditKeys::new(&RootKey::new(&vec![7_u8; 32].into()).unwrap()));
    let store = Arc::new(database.store(Arc::clone(&sealer)));
    let (ageing, tampering) = (database.clone(), database.clone());
    World::new(store, Arc::new(database), sealer, Arc::new(FixedClock(OffsetDateTime::UNIX_EPOCH)))
        .with_advance(move |by| {
            let database = ageing.clone();
            Box::pin(async move { execute(&database, sql::age(by)).await })
        })
        .with_tamper(move |workspace, how| {
            let database = tampering.clone();
            Box::pin(async move {
                let triggers = TRIGGERS.iter().map(|t| format!("DROP TRIGGER IF EXISTS {t}"));
                execute(&database, triggers.chain(sql::tamper(&sql::SQLITE, workspace, &how)).collect()).await;
            })
        })
        .keeping(folder)
}

fn main() {
    run("sqlite", || Box::pin(world()));
}
