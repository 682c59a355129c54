//! Webhook subscriptions: made with a secret that is shown once, changed, rotated, and verified by somebody else's libraries.
use crate::support::{
    Site, Store, Tenant, Value, added, assert_unchanged, json, on_both_stores,
    receiver::Receiver,
    shape,
    telling::{EVENTS, event},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    a_secret_is_shown_once,
    what_was_chosen_can_be_changed_and_is_on_record,
    a_choice_that_breaks_a_rule_changes_nothing,
    a_stale_change_is_refused,
    a_workspace_has_fifty_at_most,
    only_what_was_chosen_is_sent,
    during_a_rotation_both_secrets_verify_and_afterwards_the_new_one_alone,
    the_official_verifier_of_another_language_takes_it_too,
);

const PATH: &str = "/webhooks/subscriptions";

fn instant(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}
async fn list(tenant: &Tenant) -> Vec<Value> {
    shape::list(&tenant.admin.get(tenant.path(PATH)).await.ok(), shape::SUBSCRIPTION)
}
/// Without the secret that an answer shows this once.
fn bare(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("secret").unwrap();
    answer
}

async fn a_secret_is_shown_once(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let body = json!({"url": "http://127.0.0.1:9/hook?a=b", "events": ["secret_rotated", "run_failed"]});
    let create = || tenant.admin.post(tenant.path(PATH), body.clone()).once("make");
    let (answer, events) = added(&tenant, async { create().await }).await;
    let made = answer.created();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{} characters", secret.len());
    shape::is(&bare(made.clone()), shape::SUBSCRIPTION);
    assert_eq!((&made["status"], &made["version"]), (&json!("active"), &json!(1)));
    assert_eq!(made["events"], json!(["run_failed", "secret_rotated"]), "in the order of the documents");
    assert_eq!(made["url"], "http://127.0.0.1:9/hook?a=b");
    let [entry] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&entry["action"], &entry["targetId"]), (&json!("webhook_subscription.created"), &made["id"]));
    assert!(!entry.to_string().contains("hook?a=b") && !entry.to_string().contains(secret), "{entry}");
    // The replay of the call knows everything but the secret.
    let (again, events) = added(&tenant, async { create().await }).await;
    assert_eq!((again.header("idempotent-replayed"), events.len()), (Some("true"), 0));
    let mut want = made.clone();
    want["secret"] = Value::Null;
    assert_eq!(again.created(), want);
    // And nothing else ever shows it.
    assert_eq!(list(&tenant).await, [bare(made.clone())]);
    let path = tenant.hook_path(made["id"].as_str().unwrap());
    let mut read = tenant.admin.get(&path).await.ok();
    assert_eq!(read.as_object_mut().unwrap().remove("failingSince"), Some(Value::Null));
    assert_eq!(read, bare(made.clone()));
    let changed = tenant.admin.put(&path, json!({"events": ["run_failed"]})).await.ok();
    shape::is(&changed, shape::SUBSCRIPTION);
    let (rotated, events) = added(&tenant, async { tenant.admin.act(format!("{path}/rotate-secret")).await }).await;
    assert_eq!(rotated.header("cache-control"), Some("no-store"));
    let rotated = rotated.ok();
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(events[0]["action"], "webhook_subscription.secret_rotated");
    let left = instant(&rotated["previousSecretUntil"]) - instant(&rotated["updatedAt"]);
    assert_eq!(left, Duration::hours(24));
    let replayed = tenant.admin.act(format!("{path}/rotate-secret")).once("r").await.ok();
    let again = tenant.admin.act(format!("{path}/rotate-secret")).once("r").await.ok();
    assert_eq!((&again["secret"], &again["version"]), (&Value::Null, &replayed["version"]));
    let (gone, events) = added(&tenant, async { tenant.admin.delete(&path).await }).await;
    gone.done();
    assert_eq!(events[0]["action"], "webhook_subscription.deleted");
    tenant.admin.get(&path).await.problem(404, "not-found");
    tenant.admin.delete(&path).await.problem(404, "not-found");
    assert!(list(&tenant).await.is_empty());
}

async fn what_was_chosen_can_be_changed_and_is_on_record(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let hook = tenant.hook("http://127.0.0.1:9/a", &["run_failed"]).await;
    let path = tenant.hook_path(&hook.id);
    let body = json!({"url": "http://127.0.0.2:9/b", "events": ["secret_rotated"], "status": "disabled"});
    let (answer, events) = added(&tenant, async { tenant.admin.put(&path, body.clone()).await }).await;
    let changed = answer.ok();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{name}");
    }
    assert_eq!((&changed["statusReason"], &changed["version"]), (&Value::Null, &json!(2)));
    assert_eq!(answer.tag(), tenant.admin.get(&path).await.tag());
    let [entry] = &events[..] else { panic!("{events:?}") };
    assert_eq!(entry["action"], "webhook_subscription.updated");
    let fields: Vec<_> = entry["changes"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["url", "events", "status"]);
    for same in [body, json!({})] {
        let (answer, events) = added(&tenant, async { tenant.admin.put(&path, same).await }).await;
        assert_eq!((answer.ok(), events.len()), (changed.clone(), 0));
    }
}

async fn a_choice_that_breaks_a_rule_changes_nothing(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let hook = tenant.hook("http://127.0.0.1:9/a", &["run_failed"]).await;
    let with = |name: &str, value: Value| {
        let mut body = json!({"url": "http://127.0.0.1:9/b", "events": ["run_failed"]});
        body[name] = value;
        body
    };
    let six = [&EVENTS[..], &["run_failed"]].concat();
    let both: &[(Value, &[&str])] = &[
        (with("url", json!(7)), &["/url"]),
        (with("url", json!(null)), &["/url"]),
        (with("events", json!([])), &["/events"]),
        (with("events", json!(null)), &["/events"]),
        (with("events", json!("run_failed")), &["/events"]),
        (with("events", json!(["run_failed", "run_failed"])), &["/events/1"]),
        (with("events", json!(["run_failed", "test"])), &["/events/1"]),
        (with("events", json!(["*"])), &["/events/0"]),
        (with("events", json!(six)), &["/events"]),
        (with("secret", json!("whsec_AAAA")), &["/secret"]),
        (with("id", json!(hook.id)), &["/id"]),
    ];
    assert_unchanged(&tenant, async {
        for (body, faults) in both {
            let made = tenant.admin.post(tenant.path(PATH), body.clone()).await;
            assert_eq!(made.faults(), *faults, "{body}");
            let changed = tenant.admin.put(tenant.hook_path(&hook.id), body.clone()).await;
            assert_eq!(changed.faults(), *faults, "{body}");
        }
        let made = tenant.admin.post(tenant.path(PATH), json!({"status": "active"})).await;
        assert_eq!(made.faults(), ["/events", "/status", "/url"]);
        for status in [json!("Active"), json!("error"), json!(true), json!(null)] {
            let changed = tenant.admin.put(tenant.hook_path(&hook.id), json!({"status": status})).await;
            assert_eq!(changed.faults(), ["/status"]);
        }
        let rotate = tenant.hook_path(&format!("{}/rotate-secret", hook.id));
        assert_eq!(tenant.admin.post(rotate, json!({"secret": "x"})).await.faults(), ["/secret"]);
    })
    .await;
}

async fn a_stale_change_is_refused(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let hook = tenant.hook("http://127.0.0.1:9/a", &["run_failed"]).await;
    let path = tenant.hook_path(&hook.id);
    let tag = tenant.admin.get(&path).await.tag();
    tenant.admin.put(&path, json!({"events": ["secret_rotated"]})).seen(&tag).await.ok();
    assert_unchanged(&tenant, async {
        let late = tenant.admin.put(&path, json!({"status": "disabled"})).seen(&tag).await;
        late.problem(412, "precondition-failed");
        let late = tenant.admin.act(format!("{path}/rotate-secret")).seen(&tag).await;
        late.problem(412, "precondition-failed");
        tenant.admin.delete(&path).seen(&tag).await.problem(412, "precondition-failed");
    })
    .await;
}

async fn a_workspace_has_fifty_at_most(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    for n in 0..49 {
        tenant.hook(&format!("http://127.0.0.1:9/{n}"), &["run_failed"]).await;
    }
    // Of two at the same time, one gets the last place.
    let body = json!({"url": "http://127.0.0.1:9/last", "events": ["run_failed"]});
    let make = || tenant.admin.post(tenant.path(PATH), body.clone()).into_future();
    let (a, b) = tokio::join!(make(), make());
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    make().await.problem(409, "quota-reached");
    assert_eq!(list(&tenant).await.len(), 50);
}

async fn only_what_was_chosen_is_sent(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let tenant = site.tenant().await;
    tenant.hook(&receiver.url("failed"), &["run_failed"]).await;
    tenant.hook(&receiver.url("both"), &["run_failed", "workflow_deployed"]).await;
    for kind in ["run_failed", "workflow_deployed"] {
        tenant.tell_on(kind, &["webhook"]).await;
    }
    let published = tenant.tells("workflow_deployed").await;
    tenant.told(&published, "webhook", "delivered", 1).await;
    let published = tenant.tells("run_failed").await;
    assert_eq!(published["deliveries"], 2);
    tenant.told(&published, "webhook", "delivered", 2).await;
    // Chosen for webhooks in one place, and for other channels in the other: it goes nowhere.
    tenant.tells("approval_requested").await;
    let mut got: Vec<_> = receiver.so_far().iter().map(|r| (r.path.clone(), r.json()["type"].to_string())).collect();
    got.sort();
    let want = [("/both", "\"run_failed\""), ("/both", "\"workflow_deployed\""), ("/failed", "\"run_failed\"")];
    assert_eq!(got, want.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let mut ids: Vec<_> = receiver.so_far().iter().map(|r| r.id().to_owned()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each receiver's delivery is its own");
}

async fn during_a_rotation_both_secrets_verify_and_afterwards_the_new_one_alone(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let tenant = site.tenant().await;
    let hook = tenant.hook(&receiver.url("x"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    let rotate = async || {
        let made = tenant.admin.act(tenant.hook_path(&format!("{}/rotate-secret", hook.id))).await.ok();
        made["secret"].as_str().unwrap().to_owned()
    };
    let mut count = 0;
    let mut verdicts = async |secrets: &[&String]| {
        tenant.tells("run_failed").await;
        count += 1;
        let got = receiver.got(count).await.pop().unwrap();
        let genuine: Vec<_> = secrets.iter().map(|s| got.is_genuine(s)).collect();
        let platform: Vec<_> = secrets.iter().map(|s| got.is_the_platforms(s)).collect();
        (genuine, platform)
    };
    let first = hook.secret.clone();
    let second = rotate().await;
    let both = verdicts(&[&first, &second]).await;
    assert_eq!(both, (vec![true, true], vec![false, true]), "the platform's signature has room for one");
    let third = rotate().await;
    let two = verdicts(&[&first, &second, &third]).await;
    assert_eq!(two, (vec![false, true, true], vec![false, false, true]));
    let past = "UPDATE webhook_subscriptions SET previous_secret_until = 1 WHERE workspace_id = {ws}";
    site.home.sql(&tenant.id, &[past]).await;
    let one = verdicts(&[&first, &second, &third]).await;
    assert_eq!(one, (vec![false, false, true], vec![false, false, true]));
}

async fn the_official_verifier_of_another_language_takes_it_too(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let hook = tenant.hook("http://127.0.0.1:9/x", &["run_failed"]).await;
    let mut receiver =
        settings_testkit::webhook_receiver::Receiver::start(env!("CARGO_TARGET_TMPDIR"), &[&hook.secret]);
    tenant.admin.put(tenant.hook_path(&hook.id), json!({"url": receiver.url("204")})).await.ok();
    tenant.tell_on("run_failed", &["webhook"]).await;
    let said = event("run_failed");
    tenant.admin.publish(&tenant, said.clone()).await.accepted();
    let got = tokio::task::block_in_place(|| receiver.next());
    assert_eq!((got.genuine, got.platform), (vec!["genuine".to_owned()], vec![true]));
    assert_eq!(got.tampered, ["No matching signature found"]);
    let body: Value = serde_json::from_str(&got.body).unwrap();
    assert_eq!((&body["id"], &got.headers["content-type"]), (&said["id"], &"application/json".to_owned()));
}
