//! Billing: plan, seats and usage; Stripe's events believed by their signature alone; Stripe away.
use crate::support::{
    Site, Store, Tenant, Value, added, assert_unchanged, eventually, json, on_both_stores, shape,
    stripe::{self, Stripe, event, send, signature, tell},
};
use std::time::{Duration as Wait, Instant};
use time::{Duration, OffsetDateTime};

on_both_stores!(
    without_a_billing_service_the_summary_says_so_and_counts,
    usage_counts_once_for_each_id,
    what_is_no_event_of_stripe_changes_nothing,
    with_stripe_away_the_service_stays_up,
    a_workspace_subscribes_and_its_seats_follow,
);

const NOBODY: &str = "http://127.0.0.1:9";

async fn summary(tenant: &Tenant) -> Value {
    let summary = tenant.admin.get(tenant.path("/billing/summary")).await.ok();
    shape::is(&summary, shape::BILLING);
    summary
}

async fn without_a_billing_service_the_summary_says_so_and_counts(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        let none = summary(&tenant).await;
        assert_eq!((&none["configured"], &none["plan"], &none["stale"]), (&json!(false), &Value::Null, &json!(false)));
        assert_eq!(none["seats"], json!({"used": 1, "limit": 25, "overLimit": false}));
        assert!(
            none["currentPeriod"]["start"].as_str().unwrap().contains("-01T00:00:00"),
            "the calendar month: {none}"
        );
        let problem = tenant.admin.act(tenant.path("/billing/portal")).await.problem(503, "billing-unavailable");
        assert_eq!(problem["outcome"], "none");
        let now = OffsetDateTime::now_utc();
        let payload = event("evt_1", "customer.subscription.updated", "cus_1", now);
        send(&site, &payload, &signature(&payload, "whsec_x", now)).await.problem(503, "billing-unavailable");
    })
    .await;
    let ready = site.anonymous().get("/readyz").await.has(200).json();
    assert_eq!(ready["checks"]["billing"], Value::Null, "there is none to be told of");
}

async fn usage_counts_once_for_each_id(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["runs:write"]).await;
    let report = |id: &str, quantity: i64| json!({"id": id, "metric": "runs", "quantity": quantity});
    let (kept, events) = added(&tenant, async { key.post("/usage", report("r-1", 3)).await }).await;
    let kept = kept.created();
    assert_eq!(json!([kept["id"], kept["metric"], kept["quantity"]]), json!(["r-1", "runs", 3]));
    assert_eq!((events.len(), &events[0]["action"]), (1, &json!("usage.recorded")));
    assert_eq!((&events[0]["actorKind"], &events[0]["targetKind"]), (&json!("api_key"), &json!("billing")));
    assert_unchanged(&tenant, async {
        assert_eq!(key.post("/usage", report("r-1", 3)).await.ok(), kept);
        key.post(tenant.path("/usage"), report("r-1", 4)).await.problem(409, "usage-id-reused");
        let late = json!({"id": "r-2", "metric": "runs", "quantity": 1, "at": "2020-01-01T00:00:00Z"});
        key.post("/usage", late).await.problem(422, "usage-too-late");
        let ahead = json!({"id": "r-2", "metric": "runs", "quantity": 1, "at": "2099-01-01T00:00:00Z"});
        assert_eq!(key.post("/usage", ahead).await.faults(), ["/at"]);
        let wrong = json!({"id": "a b", "metric": "Runs", "quantity": 0, "at": "now", "price": 1});
        assert_eq!(key.post("/usage", wrong).await.faults(), ["/at", "/id", "/metric", "/price", "/quantity"]);
        assert_eq!(key.post("/usage", json!({})).await.faults(), ["/id", "/metric", "/quantity"]);
    })
    .await;
    key.post("/usage", report("r-2", 4)).await.created();
    let replayed = async || key.post("/usage", report("r-3", 1)).once("usage-1").await;
    replayed().await.created();
    assert_eq!(replayed().await.header("idempotent-replayed"), Some("true"));
    let other = site.tenant().await;
    other.admin.post(other.path("/usage"), report("r-1", 100)).await.created();

    let shown = summary(&tenant).await;
    let runs = &shown["usage"][0];
    assert_eq!(json!([runs["metric"], runs["quantity"], runs["included"]]), json!(["runs", 8, null]));
    let today = OffsetDateTime::now_utc().date();
    let history = runs["history"].as_array().unwrap();
    assert_eq!(
        (history.len(), history.last().unwrap()),
        (usize::from(today.day()), &json!({"date": today.to_string(), "quantity": 8}))
    );
}

async fn what_is_no_event_of_stripe_changes_nothing(store: Store) {
    let site = Site::own(store, &stripe::at(NOBODY)).await;
    let tenant = site.tenant().await;
    let now = OffsetDateTime::now_utc();
    let payload = event("evt_1", "customer.subscription.updated", "cus_stranger", now);
    let good = signature(&payload, "whsec_hunter2", now);
    assert_unchanged(&tenant, async {
        for (payload, signature) in [
            (payload.clone(), String::new()),
            (payload.clone(), signature(&payload, "whsec_other", now)),
            (payload.clone(), good.replace("v1=", "v0=")),
            (payload.clone(), good[..good.len() - 2].to_owned()),
            (payload.replace(':', ": "), good.clone()),
            (payload.clone(), signature(&payload, "whsec_hunter2", now - Duration::minutes(6))),
            (payload.clone(), signature(&payload, "whsec_hunter2", now + Duration::minutes(6))),
            ("[]".to_owned(), signature("[]", "whsec_hunter2", now)),
        ] {
            send(&site, &payload, &signature).await.problem(400, "invalid-signature");
        }
        let twice = site.anonymous().send("POST", "/billing/stripe/webhook").header("stripe-signature", &good);
        twice
            .header("stripe-signature", &good)
            .body("application/json", payload.clone())
            .await
            .problem(400, "invalid-signature");
        let large = "x".repeat(1024 * 1024 + 1);
        send(&site, &large, &good).await.problem(413, "payload-too-large");
        // Signed as it should be, and of no interest.
        for payload in [
            payload.clone(),
            event("evt_2", "invoice.created", "cus_1", now),
            payload.replace("\"livemode\":false", "\"livemode\":true"),
        ] {
            assert_eq!(tell(&site, &payload).await.ok(), json!({"received": true}));
        }
    })
    .await;
}

async fn with_stripe_away_the_service_stays_up(store: Store) {
    let site = Site::own(store, &stripe::at(NOBODY)).await;
    let tenant = site.tenant().await;
    let begun = Instant::now();
    let there = summary(&tenant).await;
    assert_eq!(
        (&there["configured"], &there["plan"], &there["customerId"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    let portal = tenant.path("/billing/portal");
    assert_unchanged(&tenant, async {
        tenant.admin.act(&portal).await.problem(503, "billing-unavailable");
        for elsewhere in ["https://evil.example/", "javascript:alert(1)", "/acme"] {
            let answer = tenant.admin.post(&portal, json!({"returnUrl": elsewhere})).await;
            answer.problem(422, "validation-failed");
            assert_eq!(answer.faults(), ["/returnUrl"]);
        }
        let stranger = json!({"customer": "cus_1"});
        assert_eq!(
            tenant.admin.post(&portal, stranger).await.faults(),
            ["/customer"],
            "the customer is the tenant's own (ID15)"
        );
    })
    .await;
    assert!(begun.elapsed() < Wait::from_mins(1));
    eventually("Stripe to be called away", async || {
        let ready = site.anonymous().get("/readyz").await.has(200).json();
        (ready["checks"]["billing"] == "unavailable").then_some(())
    })
    .await;
    tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 30})).await.ok();
    tenant.invite(&format!("new.{}@example.org", crate::support::unique()), "viewer").await;
    let doctor = site.home.run(&["doctor"], &stripe::at(NOBODY));
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("FAULT  stripe: Stripe cannot be reached"), "{said}");
    assert!(!said.contains("hunter2") && !site.server.log.all().join("\n").contains("hunter2"));
}

async fn a_workspace_subscribes_and_its_seats_follow(store: Store) {
    let mut stripe = Stripe::start();
    let site = stripe.site(store, &[]).await;
    let tenant = site.tenant().await;
    let customer =
        eventually("a customer", async || summary(&tenant).await["customerId"].as_str().map(str::to_owned)).await;
    let subscription = stripe.subscribe(&customer, "5").await["id"].as_str().unwrap().to_owned();
    let now = OffsetDateTime::now_utc();
    // Nothing is taken from an event: what it says of the status does not count, and the order neither.
    let begun = event("evt_begun", "customer.subscription.created", &customer, now);
    assert_eq!(tell(&site, &begun).await.ok(), json!({"received": true}));
    let known = summary(&tenant).await;
    let interval = json!({"unit": "month", "count": 1});
    let plan = json!({"name": "Team", "status": "active", "currency": "eur", "amount": 1000, "interval": interval, "endsAt": null});
    assert_eq!((&known["plan"], &known["stale"]), (&plan, &json!(false)));
    assert_eq!(known["seats"], json!({"used": 1, "limit": 5, "overLimit": false}));
    assert_unchanged(&tenant, async {
        tell(&site, &begun).await.ok();
        tell(&site, &event("evt_late", "customer.subscription.deleted", &customer, now - Duration::hours(1)))
            .await
            .ok();
        tell(&site, &event("evt_lying", "customer.subscription.deleted", &customer, now)).await.ok();
    })
    .await;
    assert_eq!(summary(&tenant).await["plan"], plan);

    for limit in [40, 6] {
        tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": limit})).await.ok();
        eventually("the seats to follow", async || (stripe.seats(&subscription).await == limit).then_some(())).await;
        eventually("the seats to count", async || (summary(&tenant).await["seats"]["limit"] == limit).then_some(()))
            .await;
    }
    let updated = tenant.events_where("&action=billing.updated").await;
    assert!(updated.iter().all(|e| e["actorKind"] == "service" && e["targetKind"] == "billing"), "{updated:?}");

    stripe.cancel(&subscription).await;
    tell(&site, &event("evt_over", "customer.subscription.deleted", &customer, now)).await.ok();
    let over = summary(&tenant).await;
    assert_eq!(
        (&over["plan"]["status"], &over["seats"]),
        (&json!("canceled"), &json!({"used": 1, "limit": 0, "overLimit": true}))
    );
    let body = json!({"email": "nobody@example.org", "role": "viewer"});
    tenant.admin.post(tenant.path("/workspace/members"), body).await.problem(409, "seat-limit-reached");

    stripe.goes_away();
    let payload = event("evt_away", "customer.subscription.updated", &customer, now);
    tell(&site, &payload).await.problem(503, "billing-unavailable");
    // What was read is as good as new for a few minutes; then it is shown as it was, and says so.
    site.home
        .sql(&tenant.id, &["UPDATE billing_accounts SET read_at = read_at - 600000000 WHERE workspace_id = {ws}"])
        .await;
    let begun = Instant::now();
    let stale = summary(&tenant).await;
    assert!(begun.elapsed() < Wait::from_secs(4));
    assert_eq!((&stale["stale"], &stale["plan"], &stale["seats"]), (&json!(true), &over["plan"], &over["seats"]));
}
