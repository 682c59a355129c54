//! What becomes of a delivery that a webhook does not take (NO05 to NO07): again with patience, the same each time, to nobody
//! else, and told to the admins.
use crate::{
    notifications::mail_about,
    support::{
        Site, Store, Tenant, Value, eventually, json, on_both_stores,
        receiver::{Receiver, Reply},
        telling::Hook,
    },
};
use std::time::Instant;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    what_failed_comes_again_after_five_seconds_and_is_the_same,
    who_asks_to_wait_is_left_alone_for_that_long,
    a_redirect_is_not_followed,
    eight_attempts_keep_to_the_schedule_and_then_it_is_mailed_instead,
    a_webhook_that_failed_for_five_days_is_disabled_and_its_admins_told,
    what_waits_for_a_webhook_that_is_switched_off_is_mailed_instead,
    what_waits_for_a_webhook_that_is_deleted_is_dropped,
    a_dead_receiver_delays_nobody_else,
);

fn instant(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}
/// A tenant with a webhook that gets all failed runs, and nobody else does.
async fn hooked(site: &Site, receiver: &Receiver) -> (Tenant, Hook) {
    let tenant = site.tenant().await;
    let hook = tenant.hook(&receiver.url("hook"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    (tenant, hook)
}
/// The event's delivery to the webhook, once it has so many attempts and waits for the next or for nothing.
async fn after(tenant: &Tenant, event: &Value, attempts: usize) -> Value {
    eventually(&format!("attempt {attempts}"), async || {
        let filter = format!("&channel=webhook&eventId={}", event["id"].as_str().unwrap());
        let there = tenant.deliveries(&filter).await.pop()?;
        (there["attempts"].as_array().unwrap().len() == attempts).then_some(there)
    })
    .await
}
/// From the last attempt to the next.
fn wait(delivery: &Value) -> Duration {
    let last = delivery["attempts"].as_array().unwrap().last().unwrap();
    instant(&delivery["nextAttemptAt"]) - instant(&last["at"])
}
fn about(wait: Duration, want: Duration) -> bool {
    (want - Duration::seconds(2)..want + Duration::seconds(10)).contains(&wait)
}

async fn what_failed_comes_again_after_five_seconds_and_is_the_same(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([Reply::Status(500)]).await;
    let (tenant, hook) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    let got = receiver.got(2).await;
    assert_eq!((got[0].id(), &got[0].body), (got[1].id(), &got[1].body));
    assert!(got[1].at - got[0].at >= std::time::Duration::from_millis(4_500), "{:?}", got[1].at - got[0].at);
    assert_ne!(got[0].header("webhook-timestamp"), got[1].header("webhook-timestamp"), "each attempt has its time");
    assert!(got.iter().all(|r| r.is_genuine(&hook.secret)));
    let told = tenant.told(&event, "webhook", "delivered", 1).await;
    let attempts = told[0]["attempts"].as_array().unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|a| (&a["outcome"], &a["statusCode"], &a["error"])).collect();
    assert_eq!(
        outcomes,
        [
            (&json!("failed"), &json!(500), &json!("the receiver failed")),
            (&json!("delivered"), &json!(204), &Value::Null)
        ]
    );
}

async fn who_asks_to_wait_is_left_alone_for_that_long(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let with = |status, after: &str| Reply::With(status, "retry-after", after.to_owned());
    let script = [with(429, "3600"), with(503, "99999999"), with(503, "1"), with(500, "3600")];
    let receiver = Receiver::start(script).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    // As long as it asks; a day at most; never shorter than the schedule; and from whom it means nothing, not at all.
    let waits = [Duration::hours(1), Duration::hours(24), Duration::minutes(30), Duration::hours(2)];
    for (n, want) in waits.into_iter().enumerate() {
        let delivery = after(&tenant, &event, n + 1).await;
        let wait = wait(&delivery);
        assert!(about(wait, want), "{wait} instead of {want} in {delivery}");
        tenant.hurry().await;
    }
    tenant.told(&event, "webhook", "delivered", 1).await;
}

async fn a_redirect_is_not_followed(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let elsewhere = Receiver::start([]).await;
    let location = |status| Reply::With(status, "location", elsewhere.url("taken"));
    let receiver = Receiver::start([location(302), location(307), location(301)]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    for n in 1..=3 {
        let delivery = after(&tenant, &event, n).await;
        let attempt = &delivery["attempts"][n - 1];
        assert_eq!(attempt["error"], "the receiver redirects, which is not followed");
        assert!(!delivery.to_string().contains("taken"), "where to is not told: {delivery}");
        tenant.hurry().await;
    }
    tenant.told(&event, "webhook", "delivered", 1).await;
    assert!(elsewhere.so_far().is_empty());
}

async fn eight_attempts_keep_to_the_schedule_and_then_it_is_mailed_instead(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    receiver.always(Reply::Status(500));
    let (tenant, hook) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    // The contract's words: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    let waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Duration::seconds);
    for (n, want) in waits.into_iter().enumerate() {
        let delivery = after(&tenant, &event, n + 1).await;
        assert_eq!(delivery["status"], "pending");
        let wait = wait(&delivery);
        assert!(about(wait, want), "{wait} instead of {want} after attempt {}", n + 1);
        tenant.hurry().await;
    }
    let failed = tenant.told(&event, "webhook", "failed", 1).await.remove(0);
    assert_eq!((failed["attempts"].as_array().unwrap().len(), &failed["nextAttemptAt"]), (8, &Value::Null));
    let got = receiver.so_far();
    assert!(got.len() == 8 && got.iter().all(|r| r.id() == got[0].id()), "one message, eight times");
    let instead = tenant.told(&event, "email", "delivered", 1).await.remove(0);
    assert_eq!(instead["insteadOf"], failed["id"]);
    mail_about(&site, &tenant.admin.person.email, "A workflow run has failed").await;
    mail_about(&site, &tenant.admin.person.email, "the webhook at 127.0.0.1").await;
    let shown = tenant.admin.get(tenant.hook_path(&hook.id)).await.ok();
    assert_eq!((&shown["status"], &shown["failingSince"]), (&json!("active"), &failed["attempts"][0]["at"]));
    let events = tenant.events_where("&action=delivery.given_up").await;
    assert_eq!((events.len(), &events[0]["targetId"]), (1, &failed["id"]));
    assert_eq!(events[0]["actorKind"], "service");
    // The first that it takes again makes it well.
    receiver.always(Reply::Status(200));
    let event = tenant.tells("run_failed").await;
    tenant.told(&event, "webhook", "delivered", 1).await;
    assert_eq!(tenant.admin.get(tenant.hook_path(&hook.id)).await.ok()["failingSince"], Value::Null);
    tenant.intact().await;
}

async fn a_webhook_that_failed_for_five_days_is_disabled_and_its_admins_told(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    receiver.always(Reply::Status(503));
    let (tenant, hook) = hooked(&site, &receiver).await;
    let first = tenant.tells("run_failed").await;
    after(&tenant, &first, 1).await;
    let age = |seconds: i64| {
        format!(
            "UPDATE webhook_health SET failing_since = failing_since - {seconds} * 1000000 WHERE workspace_id = {{ws}}"
        )
    };
    site.home.sql(&tenant.id, &[&age(5 * 86_400 - 300)]).await;
    let second = tenant.tells("run_failed").await;
    after(&tenant, &second, 1).await;
    assert_eq!(tenant.admin.get(tenant.hook_path(&hook.id)).await.ok()["status"], "active", "five minutes are left");
    site.home.sql(&tenant.id, &[&age(300)]).await;
    let third = tenant.tells("run_failed").await;
    after(&tenant, &third, 1).await;
    let disabled = eventually("its end", async || {
        let shown = tenant.admin.get(tenant.hook_path(&hook.id)).await.ok();
        (shown["status"] == "disabled").then_some(shown)
    })
    .await;
    assert_eq!(disabled["statusReason"], "no delivery was taken for 5 days");
    let events = tenant.events_where("&action=webhook_subscription.disabled").await;
    assert_eq!((events.len(), &events[0]["targetId"]), (1, &json!(hook.id)));
    mail_about(&site, &tenant.admin.person.email, "no delivery was taken for 5 days").await;
    // A person can switch it on again, and then it has its five days anew.
    receiver.always(Reply::Status(204));
    let on = tenant.admin.put(tenant.hook_path(&hook.id), json!({"status": "active"})).await.ok();
    assert_eq!(on["statusReason"], Value::Null);
    let fourth = tenant.tells("run_failed").await;
    tenant.told(&fourth, "webhook", "delivered", 1).await;
    tenant.intact().await;
}

async fn what_waits_for_a_webhook_that_is_switched_off_is_mailed_instead(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([Reply::Status(500)]).await;
    let (tenant, hook) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    after(&tenant, &event, 1).await;
    tenant.admin.put(tenant.hook_path(&hook.id), json!({"status": "disabled"})).await.ok();
    tenant.hurry().await;
    tenant.told(&event, "webhook", "failed", 1).await;
    tenant.told(&event, "email", "delivered", 1).await;
    assert_eq!(receiver.so_far().len(), 1);
    let about_it = tenant.deliveries("&channel=email").await;
    assert_eq!(about_it.len(), 1, "who switched it off knows that: {about_it:?}");
}

async fn what_waits_for_a_webhook_that_is_deleted_is_dropped(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([Reply::Status(500)]).await;
    let (tenant, hook) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    after(&tenant, &event, 1).await;
    tenant.admin.delete(tenant.hook_path(&hook.id)).await.done();
    tenant.hurry().await;
    let dropped = tenant.told(&event, "webhook", "dropped", 1).await;
    assert_eq!(dropped[0]["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.so_far().len(), 1);
}

async fn a_dead_receiver_delays_nobody_else(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let (dead, alive) = (Receiver::start([]).await, Receiver::start([]).await);
    dead.always(Reply::Hang);
    let (theirs, _) = hooked(&site, &dead).await;
    let (ours, _) = hooked(&site, &alive).await;
    for _ in 0..80 {
        theirs.tells("run_failed").await;
    }
    dead.got(1).await;
    // Each of them would wait for 15 s, and a worker has 64 places.
    for n in 1..=5 {
        let since = Instant::now();
        let event = ours.tells("run_failed").await;
        alive.got(n).await;
        ours.told(&event, "webhook", "delivered", 1).await;
        let took = since.elapsed();
        assert!(took < std::time::Duration::from_secs(8), "{took:?} behind a dead receiver");
    }
    // And people, who mend it, are served.
    theirs.admin.get(theirs.path("/workspace/notifications")).await.ok();
}
