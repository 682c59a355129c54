//! The ledger of deliveries: what was sent, what came of it, and another try for what was given up.
use crate::support::{
    Answer, Site, Store, Tenant, Value, added, assert_unchanged, json, on_both_stores,
    receiver::{Receiver, Reply},
    shape,
    telling::Hook,
};

on_both_stores!(
    a_test_message_comes_over_the_channel_that_is_tried,
    a_test_of_a_key_or_of_the_platform_is_mailed_to_an_admin,
    a_test_that_is_asked_for_twice_under_one_key_is_sent_once,
    what_was_sent_is_listed_filtered_and_paged,
    what_was_given_up_can_be_retried_and_nothing_else,
);

const LEDGER: &str = "/workspace/notifications/deliveries";

async fn test(tenant: &Tenant, channel: &str) -> Answer {
    tenant.admin.post(tenant.path("/workspace/notifications/test"), json!({"channel": channel})).await
}
fn id(v: &Value) -> &str {
    v["id"].as_str().unwrap()
}
/// A tenant with a webhook that gets all failed runs, and nobody else does.
async fn hooked(site: &Site, receiver: &Receiver) -> (Tenant, Hook) {
    let tenant = site.tenant().await;
    let hook = tenant.hook(&receiver.url("hook"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    (tenant, hook)
}

async fn a_test_message_comes_over_the_channel_that_is_tried(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let tenant = site.tenant().await;
    tenant.hook(&receiver.url("older"), &["run_failed"]).await;
    let hook = tenant.hook(&receiver.url("newer"), &["secret_rotated"]).await;
    let (answer, events) = added(&tenant, test(&tenant, "webhook")).await;
    let queued = answer.ok();
    shape::is(&queued, shape::DELIVERY);
    assert_eq!(
        (&queued["status"], &queued["message"], &queued["event"]),
        (&json!("pending"), &json!("test"), &Value::Null)
    );
    assert_eq!(queued["to"], json!({"kind": "webhook", "id": hook.id}), "the one that changed last");
    assert_eq!(events[0]["action"], "notification.tested");
    let got = receiver.got(1).await.remove(0);
    assert_eq!((got.path.as_str(), got.id()), ("/newer", id(&queued)));
    assert!(got.is_genuine(&hook.secret) && got.is_the_platforms(&hook.secret));
    let body = got.json();
    assert_eq!((&body["type"], &body["specversion"]), (&json!("test"), &json!("1.0")));
    let sent = tenant.delivery_that_is(id(&queued), "delivered").await;
    let [attempt] = &sent["attempts"].as_array().unwrap()[..] else { panic!("{sent}") };
    assert_eq!((&attempt["outcome"], &attempt["statusCode"]), (&json!("delivered"), &json!(204)));
    assert_eq!((&attempt["error"], &sent["nextAttemptAt"]), (&Value::Null, &Value::Null));

    let queued = test(&tenant, "email").await.ok();
    assert_eq!(queued["to"], json!({"kind": "member", "id": tenant.admin.id}), "to who asks");
    tenant.delivery_that_is(id(&queued), "delivered").await;
    let mail = crate::notifications::mail_about(&site, &tenant.admin.person.email, "This is a test message").await;
    assert!(mail["text"].as_str().unwrap().contains("Tenant of a test"), "{mail}");

    for (body, faults) in [
        (json!({}), ["/channel"]),
        (json!({"channel": "fax"}), ["/channel"]),
        (json!({"channel": null}), ["/channel"]),
        (json!({"channel": "email", "to": "me@example.org"}), ["/to"]),
    ] {
        let answer = tenant.admin.post(tenant.path("/workspace/notifications/test"), body).await;
        assert_eq!(answer.faults(), faults);
    }
}

async fn a_test_of_a_key_or_of_the_platform_is_mailed_to_an_admin(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:write"]).await;
    let path = tenant.path("/workspace/notifications/test");
    for caller in [&*key, &tenant.platform] {
        let queued = caller.post(&path, json!({"channel": "email"})).await.ok();
        assert_eq!(queued["to"], json!({"kind": "member", "id": tenant.admin.id}), "{caller:?}");
    }
}

async fn a_test_that_is_asked_for_twice_under_one_key_is_sent_once(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let ask = || tenant.admin.post(tenant.path("/workspace/notifications/test"), json!({"channel": "webhook"}));
    let first = ask().once("one").await.ok();
    let again = ask().once("one").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.ok(), first);
    tenant.delivery_that_is(id(&first), "delivered").await;
    assert_eq!(receiver.so_far().len(), 1);
}

async fn what_was_sent_is_listed_filtered_and_paged(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([Reply::Status(410)]).await;
    let (tenant, hook) = hooked(&site, &receiver).await;
    // The first is given up and mailed instead; the others arrive.
    let mut events = vec![tenant.tells("run_failed").await];
    tenant.told(&events[0], "webhook", "failed", 1).await;
    tenant.told(&events[0], "email", "delivered", 1).await;
    for _ in 0..4 {
        events.push(tenant.tells("run_failed").await);
    }
    for event in &events[1..] {
        tenant.told(event, "webhook", "delivered", 1).await;
    }
    let all = tenant.deliveries("").await;
    let on = |channel: &str| all.iter().filter(|d| d["channel"] == channel).count();
    // Two mails: the event's own, and the news that the webhook fails.
    assert_eq!((on("webhook"), on("email"), on("slack")), (5, 2, 0), "{all:#?}");
    let ids: Vec<&str> = all.iter().map(id).collect();
    assert!(ids.windows(2).all(|w| w[0] > w[1]), "newest first: {ids:?}");
    assert!(all.iter().filter(|d| d["channel"] == "webhook").all(|d| d["to"]["id"] == hook.id.as_str()));
    for (filter, want) in [
        ("&status=failed".to_owned(), 1),
        ("&status=delivered&channel=webhook".to_owned(), 4),
        ("&status=parked".to_owned(), 0),
        ("&channel=email".to_owned(), 2),
        (format!("&eventId={}", id(&events[0])), 2),
        (format!("&eventId={}&status=failed&channel=webhook", id(&events[0])), 1),
        (format!("&eventId={}", uuid::Uuid::now_v7()), 0),
    ] {
        assert_eq!(tenant.deliveries(&filter).await.len(), want, "{filter}");
    }
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = tenant.admin.get(tenant.path(&format!("{LEDGER}?limit=2{cursor}"))).await.ok();
        paged.extend(shape::list(&page, shape::DELIVERY));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let read = |query: &str| tenant.admin.get(tenant.path(&format!("{LEDGER}?{query}")));
    // A cursor belongs to its list, its filter and its tenant.
    read(&format!("channel=email{cursor}")).await.problem(400, "invalid-cursor");
    read("cursor=forged").await.problem(400, "invalid-cursor");
    assert_eq!(read("status=sent").await.faults(), ["/status"]);
    assert_eq!(read("channel=Email").await.faults(), ["/channel"]);
    assert_eq!(read("eventId=1").await.faults(), ["/eventId"]);
    assert_eq!(read("limit=101").await.faults(), ["/limit"]);
    read("sort=id").await.problem(400, "malformed-request");
}

async fn what_was_given_up_can_be_retried_and_nothing_else(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([Reply::Status(410)]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let event = tenant.tells("run_failed").await;
    let failed = tenant.told(&event, "webhook", "failed", 1).await.remove(0);
    let attempts = failed["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["statusCode"]), (1, &json!(410)), "gone is gone: not tried again");
    assert_eq!(failed["nextAttemptAt"], Value::Null);
    let instead = tenant.told(&event, "email", "delivered", 1).await.remove(0);
    assert_eq!(instead["insteadOf"], failed["id"]);
    let path = tenant.path(&format!("{LEDGER}/{}/retry", id(&failed)));
    let (retried, events) = added(&tenant, async { tenant.admin.act(&path).once("again").await }).await;
    assert_eq!(retried.ok()["status"], "pending");
    assert_eq!(events[0]["action"], "delivery.retried");
    assert_eq!(events[0]["targetId"], failed["id"]);
    let done = tenant.delivery_that_is(id(&failed), "delivered").await;
    assert_eq!(done["attempts"].as_array().unwrap().len(), 2, "both are on record: {done}");
    let got = receiver.got(2).await;
    assert_eq!((got[0].id(), &got[0].body), (got[1].id(), &got[1].body), "the same message");
    let replayed = tenant.admin.act(&path).once("again").await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (200, Some("true")));
    assert_unchanged(&tenant, async {
        tenant.admin.act(&path).await.problem(409, "delivery-not-failed");
        let mail = tenant.path(&format!("{LEDGER}/{}/retry", id(&instead)));
        tenant.admin.act(mail).await.problem(409, "delivery-not-failed");
        tenant.admin.post(&path, json!({"now": true})).await.faults();
    })
    .await;
    assert_eq!(receiver.so_far().len(), 2);
}
