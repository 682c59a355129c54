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
use support::{Site, Store, Tenant, json};

/// Events of the one who is erased.
const EVENTS: i64 = 1_000_000;

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
        tenant.lengthen(&whom, EVENTS).await;
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
