//! The contract, kept by Postgres, with the service's own keys, as an owner whom row-level security binds.
#![expect(clippy::unwrap_used, reason = "tests")]
use settings_crypto::{AuditKeys, RootKey};
use settings_domain::ports::audit::AuditSealer;
use settings_postgres::{Database, MIGRATOR};
use settings_testkit::{
    contract::{World, run, sql},
    entropy::FixedClock,
    postgres::{Cluster, migrations_key},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::sync::Arc;
use time::OffsetDateTime;

async fn migrate(url: String) -> Result<(), String> {
    let database = Database::connect(&url).await.map_err(|e| format!("{e:?}"))?;
    database.migrate().await.map_err(|e| format!("{e:?}"))?;
    database.close().await;
    Ok(())
}

/// As the superuser, past row-level security and every trigger.
async fn execute(admin_url: &str, statements: Vec<String>) {
    let mut admin = PgConnection::connect(admin_url).await.unwrap();
    admin.execute("SET session_replication_role = replica").await.unwrap();
    for statement in statements {
        admin.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
    }
    admin.close().await.unwrap();
}

async fn world() -> World {
    let cluster = Cluster::shared().await;
    cluster.template(&migrations_key(&MIGRATOR), migrate).await;
    let db = Arc::new(cluster.fresh().await);
    let database = Database::connect(db.url()).await.unwrap();
    let sealer: Arc<dyn AuditSealer> = Arc::new(AuditKeys::new(&RootKey::new(&vec![7_u8; 32].into()).unwrap()));
    let store = Arc::new(database.store(Arc::clone(&sealer)));
    let (ageing, tampering) = (Arc::clone(&db), Arc::clone(&db));
    World::new(store, Arc::new(database), sealer, Arc::new(FixedClock(OffsetDateTime::UNIX_EPOCH)))
        .with_advance(move |by| {
            let db = Arc::clone(&ageing);
            Box::pin(async move { execute(db.admin_url(), sql::age(by)).await })
        })
        .with_tamper(move |workspace, how| {
            let db = Arc::clone(&tampering);
            Box::pin(async move { execute(db.admin_url(), sql::tamper(&sql::POSTGRES, workspace, &how)).await })
        })
        .keeping(db)
}

fn main() {
    run("postgres", || Box::pin(world()));
}
