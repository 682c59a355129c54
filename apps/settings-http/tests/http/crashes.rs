//! Killed with SIGKILL under load, again and again: nothing acknowledged is lost, nothing is done twice.
use crate::support::{Home, Site, Store, Tenant, json, on_both_stores, server::Server, unique};
use futures_util::future::join_all;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

on_both_stores!(killed_under_load_nothing_acknowledged_is_lost_and_nothing_is_done_twice);

const CYCLES: usize = 10;
const WRITERS: usize = 4;

/// One call that has to have exactly one effect.
#[derive(Clone, Debug)]
struct Order {
    name: String,
    key: String,
}

/// Writes until the server is gone; what was acknowledged, and what nobody knows of.
async fn write(tenant: Tenant, site: Site, orders: Vec<Order>) -> (Vec<Order>, Vec<Order>) {
    let (mut made, mut unknown) = (Vec::new(), Vec::new());
    for order in orders {
        let Ok(answer) = make(&tenant, &site, &order).attempt().await else {
            unknown.push(order);
            break;
        };
        answer.created();
        made.push(order);
    }
    (made, unknown)
}

fn make(tenant: &Tenant, site: &Site, order: &Order) -> crate::support::client::Call {
    let body = json!({"name": order.name, "scopes": ["runs:read"]});
    tenant.admin.at(site).post(tenant.path("/workspace/api-keys"), body).once(&order.key)
}

async fn killed_under_load_nothing_acknowledged_is_lost_and_nothing_is_done_twice(store: Store) {
    let first = Site::own(store, &[]).await;
    let home: Arc<Home> = first.home.clone();
    // A key for each order: some workspaces, so that no quota ends the run.
    let tenant = first.tenant_with(json!({"seatLimit": 100})).await;
    let (acknowledged, retried) = (Mutex::new(Vec::new()), Mutex::new(0));
    let mut site = first;
    let until = Instant::now() + Duration::from_secs(20);
    let mut cycles = 0;
    for cycle in 0..CYCLES {
        let writers = (0..WRITERS).map(|w| {
            let order = |n: usize| Order { name: format!("c{cycle}w{w}n{n}"), key: unique() };
            tokio::spawn(write(tenant.clone(), site.clone(), (0..12).map(order).collect()))
        });
        let writers: Vec<_> = writers.collect();
        // At another point of the work each time.
        tokio::time::sleep(Duration::from_millis(15 + 11 * cycle as u64)).await;
        site.server.kill();
        let mut unknown = Vec::new();
        for writer in writers {
            let (made, lost) = writer.await.unwrap();
            acknowledged.lock().unwrap().extend(made);
            unknown.extend(lost);
        }
        let next: Server = home.serve(&[]);
        site = site.through(next);
        let answers = join_all(unknown.iter().map(|order| make(&tenant, &site, order).into_future())).await;
        for (answer, order) in answers.iter().zip(unknown) {
            answer.created();
            *retried.lock().unwrap() += usize::from(answer.header("idempotent-replayed").is_some());
            acknowledged.lock().unwrap().push(order);
        }
        cycles += 1;
        if Instant::now() > until {
            break;
        }
    }
    let here = Tenant { admin: tenant.admin.clone(), site: site.clone(), ..tenant.clone() };
    check(&here, &site, &acknowledged.into_inner().unwrap(), cycles).await;
}

async fn check(tenant: &Tenant, site: &Site, orders: &[Order], cycles: usize) {
    assert!(cycles >= 3 && orders.len() > cycles * WRITERS, "{cycles} cycles, {} writes: no load", orders.len());
    let admin = tenant.admin.at(site);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(tenant.path(&format!("/workspace/api-keys?limit=100{cursor}"))).await.ok();
        names.extend(page["items"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort();
    let mut wanted: Vec<_> = orders.iter().map(|o| o.name.clone()).collect();
    wanted.sort();
    assert_eq!(names, wanted, "acknowledged and present are not the same after {cycles} kills");
    let verdict = admin.get(tenant.path("/audit/verify")).await.ok();
    assert_eq!(verdict["intact"], true, "{verdict}");
    assert_eq!(verdict["events"].as_i64().unwrap(), i64::try_from(orders.len()).unwrap() + 2, "one event for each");
    let output = site.home.run(&["audit", "verify"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}
