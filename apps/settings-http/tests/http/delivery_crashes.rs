//! Killed with SIGKILL around a delivery (NO04, NO05, NO08): what was committed arrives, what was not does not, and whatever
//! comes twice is known by its id.
use crate::support::{
    Home, Site, Store, Tenant, added, eventually, on_both_stores,
    receiver::{Receiver, Reply},
    telling::{LOOPBACK, event},
};
use futures_util::{StreamExt as _, stream};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

on_both_stores!(
    killed_after_the_commit_it_is_delivered_by_the_next,
    killed_after_the_receiver_has_answered_it_comes_again_under_the_same_id,
    killed_under_load_every_event_that_was_taken_arrives_and_no_other,
    a_server_that_stops_gives_its_deliveries_back_and_is_gone_within_ten_seconds,
);

mod shared {
    // SQLite is for one process; two of them share a Postgres.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_servers_deliver_each_message_once() {
        super::two_servers_deliver_each_message_once().await;
    }
}

async fn hooked(site: &Site, receiver: &Receiver) -> Tenant {
    let tenant = site.tenant().await;
    tenant.hook(&receiver.url("hook"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    tenant
}
/// A lease outlives its worker by five minutes: all that a test does to the clock.
async fn leases_are_over(site: &Site) {
    site.home
        .sql(
            "00000000-0000-7000-8000-000000000000",
            &["UPDATE outbox SET lease_until = 1 WHERE lease_until IS NOT NULL"],
        )
        .await;
}

async fn killed_after_the_commit_it_is_delivered_by_the_next(store: Store) {
    let receiver = Receiver::start([]).await;
    let site = Site::outgoing(store, &[]).await;
    let tenant = hooked(&site, &receiver).await;
    site.server.stop();
    let site = site.through(site.home.serve(&[LOOPBACK, ("SETTINGS_WORKER", Some("off"))]));
    let tenant = tenant.at(&site);
    let published = tenant.tells("run_failed").await;
    site.server.kill();
    assert!(receiver.so_far().is_empty());
    let site = site.through(site.home.serve(&[LOOPBACK]));
    let tenant = tenant.at(&site);
    let told = tenant.told(&published, "webhook", "delivered", 1).await;
    let got = receiver.so_far();
    assert_eq!(got.iter().map(|r| r.id().to_owned()).collect::<Vec<_>>(), [told[0]["id"].as_str().unwrap()]);
}

async fn killed_after_the_receiver_has_answered_it_comes_again_under_the_same_id(store: Store) {
    let receiver = Receiver::start([]).await;
    let site = Site::outgoing(store, &[]).await;
    let tenant = hooked(&site, &receiver).await;
    // It never gets the answer: to the receiver that is the same as a process that dies before it writes it down.
    receiver.always(Reply::Hang);
    let published = tenant.tells("run_failed").await;
    receiver.got(1).await;
    site.server.kill();
    receiver.always(Reply::Status(200));
    let site = site.through(site.home.serve(&[LOOPBACK]));
    let tenant = tenant.at(&site);
    leases_are_over(&site).await;
    let told = tenant.told(&published, "webhook", "delivered", 1).await;
    let got = receiver.so_far();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|r| r.id() == told[0]["id"].as_str().unwrap() && r.body == got[0].body));
    tenant.intact().await;
}

async fn killed_under_load_every_event_that_was_taken_arrives_and_no_other(store: Store) {
    let receiver = Receiver::start([]).await;
    let first = Site::outgoing(store, &[]).await;
    let home: Arc<Home> = first.home.clone();
    let tenant = hooked(&first, &receiver).await;
    let (mut site, mut taken, mut unknown) = (first, BTreeSet::new(), BTreeSet::new());
    for cycle in 0..6_u64 {
        let here = tenant.at(&site);
        let writer = tokio::spawn(async move {
            let (mut taken, mut unknown) = (BTreeSet::new(), BTreeSet::new());
            for _ in 0..200 {
                let said = event("run_failed");
                let id = said["id"].as_str().unwrap().to_owned();
                let Ok(answer) = here.admin.publish(&here, said).attempt().await else {
                    unknown.insert(id);
                    break;
                };
                answer.accepted();
                taken.insert(id);
            }
            (taken, unknown)
        });
        tokio::time::sleep(Duration::from_millis(400 + 130 * cycle)).await;
        site.server.kill();
        let (more, lost) = writer.await.unwrap();
        taken.extend(more);
        unknown.extend(lost);
        site = site.through(home.serve(&[LOOPBACK]));
        leases_are_over(&site).await;
    }
    assert!(taken.len() > 12, "{} events: no load", taken.len());
    let heard = eventually("all that was taken", async || {
        let heard: BTreeSet<String> =
            receiver.so_far().iter().map(|r| r.json()["id"].as_str().unwrap().to_owned()).collect();
        taken.is_subset(&heard).then_some(heard)
    })
    .await;
    // Nothing before its commit: who did not hear that it was taken may still have been, and nobody else.
    let stray: Vec<_> = heard.iter().filter(|id| !taken.contains(*id) && !unknown.contains(*id)).collect();
    assert!(stray.is_empty(), "{stray:?}");
    // As many ids as events: whatever came twice is known by its id.
    let got = receiver.so_far();
    let pairs: BTreeSet<_> = got.iter().map(|r| (r.json()["id"].to_string(), r.id().to_owned())).collect();
    let ids: BTreeSet<_> = got.iter().map(|r| r.id().to_owned()).collect();
    assert_eq!((pairs.len(), ids.len()), (heard.len(), heard.len()), "{} requests", got.len());
    tenant.at(&site).intact().await;
}

async fn a_server_that_stops_gives_its_deliveries_back_and_is_gone_within_ten_seconds(store: Store) {
    let receiver = Receiver::start([]).await;
    receiver.always(Reply::Hang);
    let site = Site::outgoing(store, &[]).await;
    let tenant = hooked(&site, &receiver).await;
    let (published, _) = added(&tenant, tenant.tells("run_failed")).await;
    receiver.got(1).await;
    let took = tokio::task::block_in_place(|| site.server.stop());
    assert!(took < Duration::from_secs(10), "{took:?}");
    receiver.always(Reply::Status(204));
    let site = site.through(site.home.serve(&[LOOPBACK]));
    let tenant = tenant.at(&site);
    let since = Instant::now();
    let told = tenant.told(&published, "webhook", "delivered", 1).await;
    assert!(since.elapsed() < Duration::from_secs(15), "at once, not after the lease");
    assert!(receiver.so_far().iter().all(|r| r.id() == told[0]["id"].as_str().unwrap()));
}

async fn two_servers_deliver_each_message_once() {
    const EVENTS: usize = 60;
    let receiver = Receiver::start([]).await;
    let site = Site::outgoing(Store::Postgres, &[]).await;
    let other = site.through(site.home.serve(&[LOOPBACK]));
    let tenant = hooked(&site, &receiver).await;
    let there = tenant.at(&other);
    let calls = (0..EVENTS).map(|n| {
        let tenant = if n % 2 == 0 { &tenant } else { &there };
        async move { tenant.tells("run_failed").await }
    });
    // A few at a time: many at once on one workspace is another test's subject.
    stream::iter(calls).buffer_unordered(6).collect::<Vec<_>>().await;
    eventually("all of them", async || {
        let delivered = tenant.deliveries("&status=delivered").await;
        (delivered.len() == EVENTS).then_some(())
    })
    .await;
    let ids: BTreeSet<_> = receiver.so_far().iter().map(|r| r.id().to_owned()).collect();
    assert_eq!((receiver.so_far().len(), ids.len()), (EVENTS, EVENTS));
    assert_eq!(tenant.deliveries("").await.iter().filter(|d| d["attempts"].as_array().unwrap().len() != 1).count(), 0);
}
