//! The figures of erasure in docs/performance.md: `cargo bench -p settings-http --bench erasure`. Somebody with a million
//! events is erased, while another workspace is written to without a pause.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a bench"
)]
#[path = "../../tests/http/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::disallowed_methods,
    reason = "the tests' people, of whom this needs few"
)]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use support::{Member, Site, Store, Tenant, json};

/// Events of the one who is erased.
const EVENTS: i64 = 1_000_000;

/// Copies of an event, with an actor and a request each. Their hashes are no chain: an erasure does not look at them.
async fn fill(tenant: &Tenant, whom: &Member) {
    let (series, id, bytes, user, analyze) = match tenant.site.home.store {
        Store::Sqlite => (
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS}) SELECT i FROM n)"
            ),
            "randomblob(16)",
            "randomblob(65)",
            format!("X'{}'", whom.id.replace('-', "")),
            "ANALYZE",
        ),
        Store::Postgres => (
            format!("(SELECT i FROM generate_series(1, {EVENTS}) i)"),
            "gen_random_uuid()",
            "decode(repeat(md5(n.i::text), 2), 'hex')",
            format!("'{}'::uuid", whom.id),
            "ANALYZE",
        ),
    };
    let events = format!(
        "INSERT INTO audit_events SELECT e.workspace_id, e.seq + n.i, {id}, e.at, e.version, e.action, e.risk, e.actor_kind, \
         e.actor_key, e.target_kind, e.target_id, e.changes, e.commitments, e.hash, e.mac FROM (SELECT * FROM audit_events \
         WHERE workspace_id = {{ws}} ORDER BY seq DESC LIMIT 1) e, {series} n"
    );
    let openings = ["actor", "requestId"].map(|field| {
        format!(
            "INSERT INTO audit_openings SELECT m.workspace_id, h.seq + n.i, '{field}', m.person_id, {bytes} \
             FROM memberships m, audit_heads h, {series} n \
             WHERE m.workspace_id = {{ws}} AND m.user_id = {user} AND h.workspace_id = {{ws}}"
        )
    });
    let head = format!("UPDATE audit_heads SET seq = seq + {EVENTS} WHERE workspace_id = {{ws}}");
    let [actors, requests] = &openings;
    tenant.site.home.sql(&tenant.id, &[&events, actors, requests, &head, analyze]).await;
}

/// Renames a workspace without a pause: how often it was done, how often refused, and the longest that one took.
async fn others(tenant: Tenant, stop: Arc<AtomicBool>) -> (usize, usize, Duration) {
    let (mut done, mut refused, mut longest) = (0, 0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let name = json!({"name": format!("Other {done} {refused}")});
        let begun = Instant::now();
        let answer = tenant.admin.put(tenant.path("/workspace"), name).await;
        longest = longest.max(begun.elapsed());
        if answer.status == 200 { done += 1 } else { refused += 1 }
    }
    (done, refused, longest)
}

#[tokio::main]
async fn main() {
    println!("| figure | value |\n|---|---|");
    for store in [Store::Sqlite, Store::Postgres] {
        let site = Site::own(store, &[]).await;
        let (tenant, other) = (site.tenant().await, site.tenant().await);
        let [whom] = tenant.members(["editor"]).await;
        fill(&tenant, &whom).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writes = tokio::spawn(others(other, Arc::clone(&stop)));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        let path = tenant.path(&format!("/workspace/members/{}/erase", whom.id));
        let answer = tenant.admin.post(&path, json!({"confirm": whom.person.email})).await;
        let answered = begun.elapsed();
        assert!([200, 202].contains(&answer.status), "{}", answer.status);
        let erased = answer.json();
        let state = tenant.path(&format!("/workspace/erasures/{}", erased["auditSeq"]));
        let mut complete = erased["complete"] == true;
        while !complete {
            tokio::time::sleep(Duration::from_millis(200)).await;
            complete = tenant.admin.get(&state).await.ok()["complete"] == true;
        }
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        let (done, refused, longest) = writes.await.expect("the other workspace");
        let events = erased["auditEventsRewritten"].as_i64().expect("a number");
        assert!(events > EVENTS, "{events}");
        println!(
            "| erase somebody with {events} events, {store:?} | answered after {:.1} s, complete after {:.1} s |",
            answered.as_secs_f64(),
            took.as_secs_f64()
        );
        println!(
            "| writes of another workspace meanwhile, {store:?} | {done} done, {refused} refused, the longest {:.2} s |",
            longest.as_secs_f64()
        );
    }
}
