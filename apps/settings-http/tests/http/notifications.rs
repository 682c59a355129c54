//! Notification preferences (NO01 to NO03, NO10): chosen strictly, never over a channel that leads nowhere, told to who is there.
use crate::support::{
    Answer, Site, Store, Tenant, Value, added, assert_unchanged, eventually, json, on_both_stores,
    receiver::Receiver,
    telling::{EVENTS, event},
    unique,
};

on_both_stores!(
    a_workspace_begins_with_mail_to_its_admins,
    what_was_chosen_is_answered_kept_and_recorded,
    a_choice_that_breaks_a_rule_changes_nothing,
    a_channel_that_is_not_ready_is_refused_by_its_name,
    a_stale_choice_is_refused,
    an_event_is_mailed_to_whom_it_was_chosen_for,
    who_has_left_gets_no_mail,
    a_channel_that_was_chosen_and_is_gone_is_replaced_by_mail,
);

const PATH: &str = "/workspace/notifications";

async fn get(tenant: &Tenant) -> Value {
    tenant.admin.get(tenant.path(PATH)).await.ok()
}
async fn put(tenant: &Tenant, body: Value) -> Answer {
    tenant.admin.put(tenant.path(PATH), body).await
}
fn of<'v>(settings: &'v Value, event: &str) -> &'v Value {
    settings["preferences"].as_array().unwrap().iter().find(|p| p["event"] == event).unwrap()
}

async fn a_workspace_begins_with_mail_to_its_admins(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let answer = tenant.admin.get(tenant.path(PATH)).await;
    assert!(answer.tag().starts_with("\"v0-"), "{}", answer.tag());
    let preferences = EVENTS.map(|event| json!({"event": event, "channels": ["email"], "recipients": []}));
    assert_eq!(
        answer.ok(),
        json!({
            "preferences": preferences,
            "channels": [
                {"channel": "email", "available": true, "reason": null},
                {"channel": "slack", "available": false, "reason": "Slack is not set up on this installation."},
                {"channel": "webhook", "available": false, "reason": "There is no webhook subscription. Add one in Webhooks."},
            ],
            "version": 0,
        })
    );
}

async fn what_was_chosen_is_answered_kept_and_recorded(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let receiver = Receiver::start([]).await;
    tenant.hook(&receiver.url("x"), &["run_failed"]).await;
    let body = json!({"preferences": [
        {"event": "run_failed", "channels": ["webhook", "email"],
            "recipients": ["Ada@Example.org", "bo@example.org", "ada@example.ORG"]},
        {"event": "secret_rotated", "channels": []},
    ]});
    let (answer, events) = added(&tenant, put(&tenant, body)).await;
    let chosen = answer.ok();
    assert!(answer.tag().starts_with("\"v1-"));
    assert_eq!(
        of(&chosen, "run_failed"),
        &json!({"event": "run_failed", "channels": ["email", "webhook"],
            "recipients": ["Ada@Example.org", "bo@example.org"]}),
        "equal addresses count once"
    );
    assert_eq!(of(&chosen, "secret_rotated")["channels"], json!([]), "nowhere is fine");
    assert_eq!(of(&chosen, "workflow_deployed")["channels"], json!(["email"]), "what is not named keeps what it has");
    assert_eq!(chosen["preferences"].as_array().unwrap().len(), 5);
    assert_eq!(chosen["channels"][2], json!({"channel": "webhook", "available": true, "reason": null}));
    assert_eq!(get(&tenant).await, chosen);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&event["action"], &event["risk"]), (&json!("notifications.updated"), &json!("medium")));
    assert!(!event.to_string().contains("example.org"), "no address is in the log: {event}");

    // Without a list of recipients they stay, an empty one is the admins again.
    let body = |p: Value| json!({"preferences": [p]});
    let kept = put(&tenant, body(json!({"event": "run_failed", "channels": ["email"]}))).await.ok();
    assert_eq!(of(&kept, "run_failed")["recipients"], json!(["Ada@Example.org", "bo@example.org"]));
    let admins = put(&tenant, body(json!({"event": "run_failed", "channels": ["email"], "recipients": []}))).await.ok();
    assert_eq!((&of(&admins, "run_failed")["recipients"], &admins["version"]), (&json!([]), &json!(3)));
    // The same again is no change, and an empty list changes nothing.
    for same in [body(json!({"event": "run_failed", "channels": ["email"]})), json!({"preferences": []})] {
        let (answer, events) = added(&tenant, put(&tenant, same)).await;
        assert_eq!((answer.ok(), events.len()), (admins.clone(), 0));
    }
}

async fn a_choice_that_breaks_a_rule_changes_nothing(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let one = |member: &str, value: Value| {
        let mut preference = json!({"event": "run_failed", "channels": ["email"]});
        preference[member] = value;
        json!({"preferences": [preference]})
    };
    let many: Vec<_> = (0..51).map(|n| format!("r{n}@example.org")).collect();
    let twice = json!({"event": "run_failed", "channels": []});
    let all: Vec<_> = EVENTS.iter().map(|e| json!({"event": e, "channels": []})).collect();
    let six = [all.clone(), vec![twice.clone()]].concat();
    let refused: &[(Value, &[&str])] = &[
        (json!({}), &["/preferences"]),
        (json!({"preferences": {}}), &["/preferences"]),
        (json!({"preferences": null}), &["/preferences"]),
        (json!({"preferences": ["run_failed"]}), &["/preferences/0"]),
        (json!({"preferences": [{}]}), &["/preferences/0/channels", "/preferences/0/event"]),
        (json!({"preferences": [twice, twice]}), &["/preferences/1/event"]),
        (json!({"preferences": six}), &["/preferences"]),
        (one("event", json!("run_succeeded")), &["/preferences/0/event"]),
        (one("event", json!("Run_Failed")), &["/preferences/0/event"]),
        (one("event", json!(null)), &["/preferences/0/event"]),
        (one("channels", json!("email")), &["/preferences/0/channels"]),
        (one("channels", json!(null)), &["/preferences/0/channels"]),
        (one("channels", json!(["fax"])), &["/preferences/0/channels/0"]),
        (one("channels", json!(["Email"])), &["/preferences/0/channels/0"]),
        (one("channels", json!(["email", "email"])), &["/preferences/0/channels/1"]),
        (one("channels", json!(["email", "slack", "webhook", "email"])), &["/preferences/0/channels"]),
        (one("channels", json!([["email"]])), &["/preferences/0/channels/0"]),
        (one("recipients", json!(many)), &["/preferences/0/recipients"]),
        (one("recipients", json!(null)), &["/preferences/0/recipients"]),
        (one("recipients", json!("ada@example.org")), &["/preferences/0/recipients"]),
        (one("recipients", json!(["ada@example.org", "m\u{131}ke@example.org"])), &["/preferences/0/recipients/1"]),
        (one("recipients", json!(["a@x.org\r\nBcc: v@y.org"])), &["/preferences/0/recipients/0"]),
        (one("enabled", json!(true)), &["/preferences/0/enabled"]),
        (json!({"preferences": [], "channels": [], "version": 0}), &["/channels", "/version"]),
    ];
    assert_unchanged(&tenant, async {
        let before = get(&tenant).await;
        for (body, faults) in refused {
            assert_eq!(put(&tenant, body.clone()).await.faults(), *faults, "{body}");
        }
        assert_eq!(get(&tenant).await, before);
    })
    .await;
    put(&tenant, json!({"preferences": all})).await.ok();
}

async fn a_channel_that_is_not_ready_is_refused_by_its_name(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let before = get(&tenant).await;
    assert_unchanged(&tenant, async {
        for channel in ["slack", "webhook"] {
            let choice = json!({"event": "run_failed", "channels": ["email", channel]});
            let test = json!({"channel": channel});
            for answer in [
                tenant.choose(choice).await,
                tenant.admin.post(tenant.path("/workspace/notifications/test"), test).await,
            ] {
                let body = answer.problem(409, "channel-unavailable");
                assert!(body["detail"].as_str().unwrap().contains(channel), "{body}");
            }
        }
        assert_eq!(get(&tenant).await, before);
    })
    .await;
    let receiver = Receiver::start([]).await;
    let hook = tenant.hook(&receiver.url("x"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    tenant.admin.put(tenant.hook_path(&hook.id), json!({"status": "disabled"})).await.ok();
    let now = get(&tenant).await;
    let reason = "Every webhook subscription is disabled. Enable one in Webhooks.";
    assert_eq!(now["channels"][2], json!({"channel": "webhook", "available": false, "reason": reason}));
    assert_eq!(of(&now, "run_failed")["channels"], json!(["webhook"]), "what was chosen stays");
    tenant.choose(json!({"event": "run_failed", "channels": ["webhook"]})).await.problem(409, "channel-unavailable");
    // Who chooses something else is not held to what stands there already.
    tenant.tell_on("workflow_deployed", &[]).await;
}

async fn a_stale_choice_is_refused(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let tag = tenant.admin.get(tenant.path(PATH)).await.tag();
    let body = |channels: Value| json!({"preferences": [{"event": "run_failed", "channels": channels}]});
    tenant.admin.put(tenant.path(PATH), body(json!([]))).seen(&tag).await.ok();
    let late = tenant.admin.put(tenant.path(PATH), body(json!(["email"]))).seen(&tag).await;
    late.problem(412, "precondition-failed");
    assert_eq!(of(&get(&tenant).await, "run_failed")["channels"], json!([]));
}

/// The mails to an address whose text holds something, once one has come.
pub(crate) async fn mail_about(site: &Site, to: &str, what: &str) -> Value {
    eventually(&format!("a mail to {to} about {what}"), async || {
        let mails = site.mails_to(to).await;
        mails.into_iter().find(|m| m["text"].as_str().unwrap().contains(what))
    })
    .await
}

async fn an_event_is_mailed_to_whom_it_was_chosen_for(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [editor] = tenant.members(["editor"]).await;
    // Nobody chose anything: the admins hear of it.
    let published = tenant.tells("run_failed").await;
    assert_eq!(published["deliveries"], 1);
    let told = tenant.told(&published, "email", "delivered", 1).await;
    assert_eq!(told[0]["to"], json!({"kind": "member", "id": tenant.admin.id}));
    assert_eq!(told[0]["event"], json!({"id": published["id"], "type": "run_failed"}));
    let mail = mail_about(&site, &tenant.admin.person.email, "A workflow run has failed").await;
    for part in ["Tenant of a test", "Workflow name", "nightly", "r-7"] {
        assert!(mail["text"].as_str().unwrap().contains(part), "{part} in {mail}");
    }
    // Somebody did: they do, and the admins no more.
    let (one, two) = (format!("one.{}@example.org", unique()), format!("two.{}@example.org", unique()));
    tenant.choose(json!({"event": "approval_requested", "channels": ["email"], "recipients": [one, two]})).await.ok();
    let published = tenant.tells("approval_requested").await;
    assert_eq!(published["deliveries"], 2);
    let told = tenant.told(&published, "email", "delivered", 2).await;
    assert!(told.iter().all(|d| d["to"]["kind"] == "recipient"), "{told:?}");
    let what = "An approval step is waiting for human action";
    for to in [&one, &two] {
        mail_about(&site, to, what).await;
    }
    let others = [site.mails_to(&tenant.admin.person.email).await, site.mails_to(&editor.person.email).await].concat();
    assert!(others.iter().all(|m| !m["text"].as_str().unwrap().contains(what)), "{others:?}");
    // And of what is told nowhere nobody hears.
    tenant.tell_on("workflow_deployed", &[]).await;
    let published = tenant.tells("workflow_deployed").await;
    assert_eq!(published["deliveries"], 0);
    assert!(tenant.deliveries(&format!("&eventId={}", published["id"].as_str().unwrap())).await.is_empty());
}

async fn who_has_left_gets_no_mail(store: Store) {
    // Without a worker things stay queued; then another process with one comes.
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let [second] = tenant.members(["admin"]).await;
    site.server.stop();
    let still = site.through(site.home.serve(&[("SETTINGS_WORKER", Some("off"))]));
    let tenant = tenant.at(&still);
    let gone = format!("gone.{}@example.org", unique());
    let choice = |to: &str| json!({"event": "approval_requested", "channels": ["email"], "recipients": [to]});
    tenant.choose(choice(&gone)).await.ok();
    let [to_admins, to_address] = [tenant.tells("run_failed").await, tenant.tells("approval_requested").await];
    assert_eq!((&to_admins["deliveries"], &to_address["deliveries"]), (&json!(2), &json!(1)));
    tenant.admin.delete(tenant.path(&format!("/workspace/members/{}", second.id))).await.ok();
    tenant.choose(choice("stays@example.org")).await.ok();
    still.server.stop();
    let site = still.through(still.home.serve(&[]));
    let tenant = tenant.at(&site);
    let dropped = tenant.told(&to_address, "email", "dropped", 1).await;
    assert_eq!(dropped[0]["attempts"], json!([]), "{dropped:?}");
    eventually("the others", async || {
        let there = tenant.deliveries(&format!("&eventId={}", to_admins["id"].as_str().unwrap())).await;
        let status = |id: &str| there.iter().find(|d| d["to"]["id"] == id).map(|d| d["status"].clone());
        (status(&second.id)? == "dropped" && status(&tenant.admin.id)? == "delivered").then_some(())
    })
    .await;
    for to in [&gone, &second.person.email] {
        let mails = site.mails_to(to).await;
        assert!(mails.iter().all(|m| m["subject"].as_str().unwrap().contains("invite")), "{mails:?}");
    }
}

async fn a_channel_that_was_chosen_and_is_gone_is_replaced_by_mail(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let receiver = Receiver::start([]).await;
    let hook = tenant.hook(&receiver.url("x"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    tenant.admin.delete(tenant.hook_path(&hook.id)).await.done();
    let published = tenant.admin.publish(&tenant, event("run_failed")).await.accepted();
    tenant.told(&published, "email", "delivered", 1).await;
    assert!(receiver.so_far().is_empty());
    mail_about(&site, &tenant.admin.person.email, "A workflow run has failed").await;
}
