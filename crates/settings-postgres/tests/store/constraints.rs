//! What the database refuses by itself, by raw SQL past every decision.
use crate::{fresh, shared::breaking};
use settings_sql::engine::{Engine as _, Scope};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_constraint_refuses_under_its_stable_name() {
    let fresh = fresh().await;
    let world = fresh.world();
    for case in breaking::cases(&world).await {
        let mut tx = fresh.database.engine().begin_write(Scope::tenant(case.workspace)).await.unwrap();
        breaking::check(&mut tx, &case).await;
    }
}

/// The role has no right to try these, so the owner does: the triggers stand behind the grants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_can_not_rewrite_history_either() {
    let fresh = fresh().await;
    let ada = fresh.world().person("Ada").await;
    let id = fresh.world().workspace("history", &ada).await.workspace.id;
    let pool = sqlx::PgPool::connect(fresh.db.admin_url()).await.unwrap();
    let kept = "INSERT INTO audit_checkpoints VALUES ($1, 1, sha256('h'), 0, 'note', 1)";
    sqlx::query(kept).bind(id.as_uuid()).execute(&pool).await.unwrap();
    for sql in [
        "UPDATE audit_checkpoints SET note = 'x'",
        "DELETE FROM audit_checkpoints",
        "TRUNCATE audit_checkpoints",
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM audit_openings",
        "TRUNCATE audit_openings",
        "UPDATE audit_openings SET sealed = 'x'",
        "UPDATE audit_openings SET sealed = NULL",
    ] {
        let refused = sqlx::query(sql).execute(&pool).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().constraint(), Some("audit-append-only"), "{sql}");
    }
    let erased =
        sqlx::query("UPDATE audit_openings SET sealed = NULL, person_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'")
            .execute(&pool)
            .await
            .unwrap();
    assert!(erased.rows_affected() > 0);
}
