//! GD03: killed with SIGKILL in the middle of an erasure, somebody is erased or is not. Who is erased can be read by nobody, the log
//! verifies at every moment, and whoever starts next completes what was left. Nobody else waits for it.
use crate::support::{Answer, Member, Site, Store, Tenant, json, on_both_stores};
use futures_util::future::join_all;
use std::time::{Duration, Instant};

on_both_stores!(
    killed_during_an_erasure_all_of_it_is_done_or_nothing,
    another_workspace_writes_while_somebody_is_erased,
);

const VICTIMS: usize = 8;
/// Events of each of them.
const EVENTS: usize = 150;

fn erase_path(tenant: &Tenant, whom: &Member) -> String {
    tenant.path(&format!("/workspace/members/{}/erase", whom.id))
}

/// Renames the workspace again and again, each time with a request id of its own.
async fn busy(tenant: &Tenant, whom: &Member) {
    for n in 0..EVENTS {
        whom.put(tenant.path("/workspace"), json!({"name": format!("{} {n}", &whom.id[..8])})).await.ok();
    }
}

/// Openings that nobody can read any more and that are not empty yet.
async fn left(tenant: &Tenant) -> i64 {
    let left = "SELECT count(*) FROM audit_openings WHERE workspace_id = {ws} AND sealed IS NOT NULL \
        AND person_id IN (SELECT person_id FROM erasure_work WHERE workspace_id = {ws})";
    tenant.site.home.number(&tenant.id, left).await
}

async fn runs(tenant: &Tenant, which: &str) -> i64 {
    let question = format!("SELECT count(*) FROM erasure_runs WHERE workspace_id = {{ws}} AND {which}");
    tenant.site.home.number(&tenant.id, &question).await
}

async fn killed_during_an_erasure_all_of_it_is_done_or_nothing(store: Store) {
    let mut site = Site::own(store, &[]).await;
    let tenant = site.tenant_with(json!({"seatLimit": 100})).await;
    let victims = tenant.members(["admin"; VICTIMS]).await;
    join_all(victims.iter().map(|whom| busy(&tenant, whom))).await;
    let (mut erased, mut found_unfinished) = (Vec::new(), 0);
    for (n, whom) in victims.iter().enumerate() {
        let here = tenant.at(&site);
        let call = here.admin.post(erase_path(&here, whom), json!({"confirm": whom.person.email}));
        let before = runs(&here, "true").await;
        let pending = tokio::spawn(async move { call.attempt().await.map(|answer: Answer| answer.status) });
        if n % 2 == 0 {
            // Somewhere on the way to the decision.
            tokio::time::sleep(Duration::from_millis(2 + 5 * n as u64)).await;
        } else {
            // As soon as it is decided.
            let until = Instant::now() + Duration::from_secs(20);
            while runs(&here, "true").await == before && Instant::now() < until {}
        }
        site.server.kill();
        let answered = pending.await.unwrap();
        site = site.through(site.home.serve(&[]));
        let here = tenant.at(&site);
        found_unfinished += left(&here).await;
        let gone = runs(&here, "true").await > before;
        assert!(gone || answered.is_err(), "what was answered was done");
        assert!(here.intact().await > 0, "killed at {n}");
        let there = here.admin.get(here.path(&format!("/workspace/members/{}", whom.id))).await;
        assert_eq!(there.status, if gone { 404 } else { 200 }, "all or nothing");
        if gone {
            let events = here.admin.get(here.path("/audit/events?limit=100")).await.ok().to_string();
            assert!(!events.contains(&whom.id), "nobody reads who it was");
            let again = here.admin.post(erase_path(&here, whom), json!({"confirm": whom.person.email})).await;
            again.problem(409, "already-erased");
            erased.push(whom);
        }
    }
    assert!(erased.len() >= VICTIMS / 2 && found_unfinished > 0, "{} erased, {found_unfinished} left", erased.len());
    let here = tenant.at(&site);
    // Whoever starts next waits a while before it takes up what somebody may still be at.
    let until = Instant::now() + Duration::from_mins(2);
    while runs(&here, "completed_at IS NULL").await > 0 {
        assert!(here.intact().await > 0 && Instant::now() < until, "an erasure is never completed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(left(&here).await, 0);
    assert_eq!(runs(&here, "emptied <> openings").await, 0);
    let output = site.home.run(&["audit", "verify"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    // How far each of them is, and its receipt, are there for who may erase.
    let events = here.events().await;
    for event in events.iter().filter(|e| e["action"] == "member.erased") {
        let path = here.path(&format!("/workspace/erasures/{}", event["seq"]));
        let state = here.admin.get(&path).await.ok();
        assert_eq!((&state["complete"], &state["valuesLeft"]), (&json!(true), &json!(0)));
        assert!(state["receipt"].as_str().unwrap().starts_with("settings-erasure/"), "{state}");
    }
    here.admin.get(here.path("/workspace/erasures/1")).await.problem(404, "not-found");
}

async fn another_workspace_writes_while_somebody_is_erased(store: Store) {
    let site = Site::own(store, &[]).await;
    let (tenant, other) = (site.tenant().await, site.tenant().await);
    let [whom] = tenant.members(["editor"]).await;
    tenant.lengthen(&whom, 30_000).await;
    let erasure = tenant.admin.post(erase_path(&tenant, &whom), json!({"confirm": whom.person.email})).into_future();
    let erasure = tokio::spawn(async move { (erasure.await, Instant::now()) });
    let (begun, mut writes, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while !erasure.is_finished() {
        let write = Instant::now();
        other.admin.put(other.path("/workspace"), json!({"name": format!("Other {writes}")})).await.ok();
        longest = longest.max(write.elapsed());
        writes += 1;
    }
    let (answer, ended) = erasure.await.unwrap();
    let took = ended - begun;
    assert_eq!(answer.ok()["complete"], true);
    assert!(writes > 20, "{writes} writes in {took:?}");
    // One that waited for the whole of it would have waited as long as the erasure took.
    assert!(longest < took / 3, "{longest:?} of {took:?}");
    assert_eq!(left(&tenant).await, 0);
}
