//! Row-level security: the second wall.
use crate::{fresh, shared::world::caller};
use settings_domain::policy::Role;
use settings_postgres::Database;
use settings_sql::{
    db::Stmt,
    engine::{Engine as _, Scope},
};
use uuid::Uuid;

const TENANT_TABLES: &[(&str, &str)] = &[
    ("workspaces", "SELECT count(DISTINCT id) AS tenants, count(*) AS all_rows FROM workspaces"),
    ("environments", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM environments"),
    ("persons", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM persons"),
    ("memberships", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM memberships"),
    ("invitations", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM invitations"),
    ("api_keys", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM api_keys"),
    ("api_key_uses", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM api_key_uses"),
    ("member_activity", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM member_activity"),
    ("audit_events", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM audit_events"),
    ("audit_openings", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM audit_openings"),
    ("audit_heads", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM audit_heads"),
    (
        "audit_checkpoints",
        "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM audit_checkpoints",
    ),
    ("erasure_runs", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM erasure_runs"),
    ("erasure_work", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM erasure_work"),
    ("outbox", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM outbox"),
    (
        "notification_settings",
        "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM notification_settings",
    ),
    (
        "notification_recipients",
        "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM notification_recipients",
    ),
    ("connections", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM connections"),
    (
        "webhook_subscriptions",
        "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM webhook_subscriptions",
    ),
    ("webhook_health", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM webhook_health"),
    ("published_events", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM published_events"),
    ("deliveries", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM deliveries"),
    (
        "delivery_attempts",
        "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM delivery_attempts",
    ),
    ("billing_accounts", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM billing_accounts"),
    ("billing_events", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM billing_events"),
    ("billing_checks", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM billing_checks"),
    ("usage_records", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM usage_records"),
    ("usage_days", "SELECT count(DISTINCT workspace_id) AS tenants, count(*) AS all_rows FROM usage_days"),
];
/// What a lookup across tenants may see.
const DIRECTORY: &[&str] = &[
    "workspaces",
    "memberships",
    "invitations",
    "api_keys",
    "api_key_uses",
    "member_activity",
    "outbox",
    "audit_heads",
    "audit_checkpoints",
    "erasure_runs",
    "published_events",
    "deliveries",
    "billing_accounts",
    "billing_events",
    "billing_checks",
    "usage_records",
];
/// A row in each table of notifications and of billing, and among the checkpoints, of the workspace `$1` and around one id `$2`.
const TOLD: &[&str] = &[
    "INSERT INTO audit_checkpoints VALUES ($1, 1 + length(CAST($2 AS text)), sha256('h'), 0, 'note', 1)",
    "INSERT INTO erasure_runs VALUES ($1, 1 + length(CAST($2 AS text)), 1, 1, 0, 1, 1)",
    "INSERT INTO erasure_work VALUES ($1, $2, 1 + length(CAST($2 AS text)))",
    "INSERT INTO notification_settings VALUES ($1, '{}', 1 + length(CAST($2 AS text)))",
    "INSERT INTO notification_recipients VALUES ($1, $2, 'a@out.example', 'a@out.example')",
    "INSERT INTO connections (workspace_id, id, kind, status, team_id, team_name, authorized_at, created_at, updated_at, \
     version) VALUES ($1, $2, 'slack', 'disconnected', 'T1', 'T', 1, 1, 1, 1)",
    "INSERT INTO webhook_subscriptions (workspace_id, id, url, host, events, status, secret, secret_generation, \
     secret_version, created_at, updated_at, version) \
     VALUES ($1, $2, 'u', 'h', 'run_failed', 'active', sha256('s'), 1, 1, 1, 1, 1)",
    "INSERT INTO webhook_health VALUES ($1, $2, 1, 1)",
    "INSERT INTO published_events VALUES ($1, $2, sha256('k'), 'run_failed', 0, 1, sha256('t'), 1)",
    "INSERT INTO deliveries VALUES ($1, $2, 'event', $2, 'webhook', $2, NULL, 'failed', 1)",
    "INSERT INTO delivery_attempts VALUES ($1, $2, 1, 1, 0, 500, 'no', 1)",
    "INSERT INTO billing_accounts VALUES ($1, 'cus_' || CAST($1 AS text), NULL, NULL, length(CAST($2 AS text)), 1)",
    "INSERT INTO billing_events VALUES ($1, CAST($2 AS text), 1)",
    "INSERT INTO billing_checks VALUES ($1, length(CAST($2 AS text)))",
    "INSERT INTO usage_records VALUES ($1, CAST($2 AS text), 'runs', 1, 1, 'waiting', 0)",
    "INSERT INTO usage_days VALUES ($1, length(CAST($2 AS text)), 'runs', 1)",
];

async fn tenants(database: &Database, sql: &'static str, scope: Scope) -> i64 {
    let mut tx = database.engine().begin_read(scope).await.unwrap();
    tx.one(Stmt::new(sql), |row| row.int("tenants")).await.unwrap()
}

/// Two tenants, each with a row in every table.
async fn two_tenants(fresh: &crate::Fresh) -> (Uuid, Uuid) {
    let world = fresh.world();
    let ada = world.person("Ada").await;
    let bob = world.person("Bob").await;
    let mut ids = Vec::new();
    for (slug, admin) in [("tenant-a", &ada), ("tenant-b", &bob)] {
        let id = world.workspace(slug, admin).await.workspace.id;
        let key = world.key(&caller(admin), id).await;
        world.invite(&caller(admin), id, "eve@example.org", Role::Viewer).await;
        let at = key.created_at;
        let seen = settings_domain::ports::directory::Sightings {
            keys: vec![(id, key.id, at)],
            members: vec![(id, admin.id, at)],
        };
        settings_domain::ports::directory::ActivityLog::record(&world.store, &seen).await.unwrap();
        let mut tx = fresh.database.engine().begin_write(Scope::tenant(id.as_uuid())).await.unwrap();
        for sql in TOLD {
            tx.run(Stmt::new(sql).bind(id.as_uuid()).bind(Uuid::from_u128(7))).await.unwrap();
        }
        tx.commit().await.unwrap();
        ids.push(id.as_uuid());
    }
    (ids[0], ids[1])
}

async fn check_walls(database: &Database, a: Uuid) {
    for (table, sql) in TENANT_TABLES {
        assert_eq!(tenants(database, sql, Scope::tenant(a)).await, 1, "{table} of one tenant");
        assert_eq!(tenants(database, sql, Scope::default()).await, 0, "{table} of nobody");
        // The platform's own tenant has a row of its own.
        let platform = i64::from(*table == "workspaces");
        let all = if DIRECTORY.contains(table) { 2 + platform } else { 0 };
        assert_eq!(tenants(database, sql, Scope::directory()).await, all, "{table} in the directory");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_without_a_condition_sees_its_own_tenant_only() {
    let fresh = fresh().await;
    let (a, b) = two_tenants(&fresh).await;
    assert!(fresh.database.rls_enforced().await.unwrap());
    check_walls(&fresh.database, a).await;
    // Also for a superuser, because transactions work as settings_app.
    let admin = Database::connect(fresh.db.admin_url()).await.unwrap();
    assert!(admin.rls_enforced().await.unwrap());
    check_walls(&admin, b).await;
    let mut tx = admin.engine().begin_read(Scope::tenant(a)).await.unwrap();
    let role = tx.one(Stmt::new("SELECT current_user::text AS role"), |row| row.text("role")).await.unwrap();
    assert_eq!(role, "settings_app");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_is_bound_without_the_role_too() {
    let fresh = fresh().await;
    let (a, _) = two_tenants(&fresh).await;
    let mut conn = fresh.database.engine().pool().acquire().await.unwrap();
    let count = "SELECT count(*) FROM environments";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(seen, 0, "no tenant named, nothing seen");
    let mut tx = fresh.database.engine().pool().begin().await.unwrap();
    let named = sqlx::query("SELECT set_config('settings.workspace', $1, true)").bind(a.to_string());
    named.execute(&mut *tx).await.unwrap();
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_another_tenant_can_be_neither_changed_nor_made() {
    let fresh = fresh().await;
    let (a, b) = two_tenants(&fresh).await;
    let mut tx = fresh.database.engine().begin_write(Scope::tenant(a)).await.unwrap();
    let touched = tx.run(Stmt::new("UPDATE workspaces SET name = 'x' WHERE id = $1").bind(b)).await.unwrap();
    assert_eq!(touched, 0);
    let foreign = "INSERT INTO persons (workspace_id, id) VALUES ($1, $2)";
    assert!(tx.run(Stmt::new(foreign).bind(b).bind(Uuid::now_v7())).await.is_err());
    // The directory reads; it writes nothing of a tenant.
    let mut tx = fresh.database.engine().begin_write(Scope::directory()).await.unwrap();
    for sql in [
        "UPDATE workspaces SET name = 'x'",
        "UPDATE deliveries SET status = 'pending'",
        "UPDATE billing_accounts SET version = 9",
        "UPDATE usage_records SET reported = 'taken'",
        "UPDATE erasure_runs SET emptied = 1",
        "DELETE FROM erasure_work",
    ] {
        let touched = tx.run(Stmt::new(sql)).await.unwrap();
        assert_eq!(touched, 0, "{sql}");
    }
    // And the role may not touch an event at all.
    for sql in [
        "UPDATE audit_events SET action = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_checkpoints SET note = 'x'",
        "DELETE FROM audit_checkpoints",
        "TRUNCATE audit_checkpoints",
        "DELETE FROM erasure_runs",
        "UPDATE erasure_work SET seq = 1",
    ] {
        let mut tx = fresh.database.engine().begin_write(Scope::tenant(a)).await.unwrap();
        let refused = tx.run(Stmt::new(sql)).await.unwrap_err();
        let text = format!("{refused:?}");
        assert!(text.contains("42501"), "{sql}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_outlives_its_transaction() {
    let fresh = fresh().await;
    let (a, _) = two_tenants(&fresh).await;
    // One connection at a time, so that each check-out is one that was just used.
    for how in 0..3 {
        let mut tx = fresh.database.engine().begin_write(Scope::tenant(a).by(a)).await.unwrap();
        tx.run(Stmt::new("SELECT 1")).await.unwrap();
        match how {
            0 => drop(tx),
            1 => tx.commit().await.unwrap(),
            _ => assert!(tx.run(Stmt::new("SELECT 1 / 0")).await.is_err()),
        }
    }
    let pool = fresh.database.engine().pool();
    for _ in 0..pool.size() {
        let settings = "SELECT coalesce(current_setting('settings.workspace', true), ''), \
            coalesce(current_setting('settings.user', true), ''), coalesce(current_setting('settings.scope', true), ''), \
            current_user::text, current_setting('lock_timeout')";
        let found: (String, String, String, String, String) = sqlx::query_as(settings).fetch_one(pool).await.unwrap();
        let empty = String::new;
        assert_eq!(found, (empty(), empty(), empty(), "settings_owner".into(), "0".into()));
    }
}
