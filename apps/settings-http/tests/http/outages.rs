//! The database away, busy or crashing: the caller learns whether something happened, and nothing acknowledged is lost.
use crate::support::{Caller, Home, Site, Store, Tenant, eventually, json};
use sqlx::{Connection as _, SqliteConnection};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_away_is_no_reason_to_drop_a_credential() {
    let site = Site::in_home(Home::on_its_own_postgres().await, &[]);
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:read", "workspace:write"]).await;
    site.anonymous().get("/readyz").await.has(200);
    let cluster = site.home.cluster.as_ref().unwrap();
    tokio::task::block_in_place(|| cluster.stop().unwrap());
    for caller in [&*key, &*tenant.admin] {
        let answer = caller.get(tenant.path("/workspace")).await;
        assert_eq!(answer.problem(503, "unavailable")["outcome"], "none", "{}", answer.what);
        let answer = caller.put(tenant.path("/workspace"), json!({"name": "While away"})).await;
        assert!(["none", "unknown"].contains(&answer.problem(503, "unavailable")["outcome"].as_str().unwrap()));
    }
    site.key("wsk_nonsense").get("/workspace").await.problem(401, "unauthenticated");
    site.anonymous().get("/healthz").await.has(200);
    let ready = site.anonymous().get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    cluster.start_again().await.unwrap();
    eventually("the service to recover", async || (site.anonymous().get("/readyz").await.status == 200).then_some(()))
        .await;
    for caller in [&*key, &*tenant.admin] {
        assert_eq!(caller.get(tenant.path("/workspace")).await.ok()["name"], "Tenant of a test");
    }
    tenant.intact().await;
}

/// Names that were acknowledged, and those of which nobody knows.
#[derive(Default)]
struct Ledger {
    made: Mutex<Vec<String>>,
    unknown: Mutex<Vec<(String, String)>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_postgres_loses_nothing_that_was_acknowledged() {
    let site = Site::in_home(Home::on_its_own_postgres().await, &[]);
    let tenant = site.tenant().await;
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..4).map(|n| tokio::spawn(write(tenant.clone(), n, ledger.clone(), stop.clone()))).collect();
    let cluster = site.home.cluster.as_ref().unwrap();
    for _ in 0..3 {
        let before = ledger.made.lock().unwrap().len();
        eventually("some writes", async || (ledger.made.lock().unwrap().len() > before + 10).then_some(())).await;
        cluster.crash().await.unwrap();
        cluster.start_again().await.unwrap();
    }
    stop.store(true, SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let mut made = ledger.made.lock().unwrap().clone();
    // Whoever does not know repeats the call with its key.
    let unknown = std::mem::take(&mut *ledger.unknown.lock().unwrap());
    for (name, key) in unknown {
        make(&tenant.admin, &tenant, &name, &key).await.created();
        made.push(name);
    }
    let there: Vec<String> = tenant
        .events_where("&action=api_key.created")
        .await
        .iter()
        .map(|e| e["details"]["name"].as_str().unwrap().to_owned())
        .collect();
    made.sort();
    let mut sorted = there.clone();
    sorted.sort();
    assert_eq!(sorted, made, "acknowledged and present are not the same");
    tenant.intact().await;
}

fn make(caller: &Caller, tenant: &Tenant, name: &str, key: &str) -> crate::support::client::Call {
    caller.post(tenant.path("/workspace/api-keys"), json!({"name": name, "scopes": ["runs:read"]})).once(key)
}

async fn write(tenant: Tenant, writer: usize, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
    for n in 0.. {
        if stop.load(SeqCst) || n >= 120 {
            return;
        }
        let (name, key) = (format!("w{writer}-{n}"), format!("key-{writer}-{n}"));
        let answer = make(&tenant.admin, &tenant, &name, &key).attempt().await.unwrap();
        if answer.status == 201 {
            ledger.made.lock().unwrap().push(name);
        } else {
            answer.problem(503, "unavailable");
            ledger.unknown.lock().unwrap().push((name, key));
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_another_program_locks_is_read_and_then_written() {
    let site = Site::shared(Store::Sqlite).await;
    let tenant = site.tenant().await;
    let mut other = SqliteConnection::connect(site.home.url()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    tenant.workspace().await;
    let waiting =
        tokio::spawn(tenant.admin.put(tenant.path("/workspace"), json!({"name": "After the lock"})).into_future());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "a write has passed a lock");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(waiting.await.unwrap().ok()["name"], "After the lock");
}
