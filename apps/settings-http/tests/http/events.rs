//! `POST /events`: CloudEvents in structured and binary mode, taken once, from whom they are about and in one form only.
use crate::support::{
    Answer, Site, Store, Tenant, Value, added, assert_unchanged, eventually, json, on_both_stores,
    receiver::Receiver,
    shape,
    telling::{EVENTS, Hook, event},
    tenant::SCOPES,
    unique,
};

on_both_stores!(
    a_structured_event_reaches_a_webhook_as_it_was_said,
    a_binary_event_reaches_a_webhook_as_it_was_said,
    a_key_publishes_what_its_scopes_are_about_and_nothing_else,
    the_same_source_and_id_is_the_same_event,
    a_call_that_is_repeated_is_replayed,
    an_event_that_is_none_is_refused_with_every_fault,
    a_binary_event_that_is_none_is_refused_with_every_fault,
    only_one_event_in_json_is_taken,
    an_event_of_more_than_64_kib_is_refused,
    the_rotation_of_a_secret_is_told_without_its_value,
);

/// A tenant with a webhook that gets everything, and nobody else gets anything.
async fn hooked(site: &Site, receiver: &Receiver) -> (Tenant, Hook) {
    let tenant = site.tenant().await;
    let hook = tenant.hook(&receiver.url("x"), &EVENTS).await;
    let all: Vec<_> = EVENTS.iter().map(|e| json!({"event": e, "channels": ["webhook"]})).collect();
    tenant.admin.put(tenant.path("/workspace/notifications"), json!({"preferences": all})).await.ok();
    (tenant, hook)
}
/// Sends something to `POST /events`.
async fn send(tenant: &Tenant, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    tenant.admin.send("POST", &tenant.path("/events")).body(media_type, body).await
}

async fn a_structured_event_reaches_a_webhook_as_it_was_said(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, hook) = hooked(&site, &receiver).await;
    let said = json!({
        "specversion": "1.0", "id": "run 7 – ü", "source": "https://runner.example.com/a?b#c", "type": "run_failed",
        "subject": "nightly", "time": "2026-11-26T11:00:00.5+01:00", "datacontenttype": "application/json; charset=utf-8",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "sampledrate": 7, "retried": true,
        "data": {"workflowName": "nightly", "deep": {"list": [1, 2.5, null, "\u{1f600}"]}, "": "no name"},
    });
    let (answer, events) = added(&tenant, async { tenant.admin.publish(&tenant, said.clone()).await }).await;
    let published = answer.accepted();
    shape::is(&published, &[("id", "uuid"), ("deliveries", "number")]);
    assert_eq!(published["deliveries"], 1);
    let [entry] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&entry["action"], &entry["targetId"]), (&json!("event.published"), &published["id"]));
    assert!(!entry.to_string().contains("nightly") && !entry.to_string().contains("runner"), "{entry}");
    let got = receiver.got(1).await.remove(0);
    assert!(got.is_genuine(&hook.secret) && got.is_the_platforms(&hook.secret));
    assert!(got.header("content-type").starts_with("application/json"));
    let mut want = said;
    want["time"] = json!("2026-11-26T11:00:00.5+01:00");
    want["datacontenttype"] = json!("application/json");
    assert_eq!(got.json(), want);
    let told = tenant.told(&published, "webhook", "delivered", 1).await;
    assert_eq!(told[0]["id"], got.id());
    // The plain media type does as well, and what may be absent is.
    let bare = json!({"specversion": "1.0", "id": unique(), "source": "/r", "type": "workflow_deployed"});
    send(&tenant, "application/json", bare.to_string()).await.accepted();
    let got = receiver.got(2).await.remove(1).json();
    assert_eq!((&got["id"], &got["data"]), (&bare["id"], &json!({})));
    assert!(got["time"].as_str().unwrap().ends_with('Z'), "the instant at which it was taken: {got}");
}

async fn a_binary_event_reaches_a_webhook_as_it_was_said(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let id = unique();
    let call = tenant
        .admin
        .send("POST", &tenant.path("/events"))
        .header("ce-specversion", "1.0")
        .header("ce-id", &id)
        .header("ce-source", "urn:a%20b")
        .header("ce-type", "run_failed")
        .header("CE-Subject", "Euro%20%E2%82%AC%20%F0%9F%98%80")
        .header("ce-traceparent", "00-1")
        .body("application/json", json!({"runId": "7"}).to_string());
    let published = call.await.accepted();
    let got = receiver.got(1).await.remove(0).json();
    for (name, value) in [
        ("id", json!(id)),
        ("source", json!("urn:a b")),
        ("subject", json!("Euro € 😀")),
        ("traceparent", json!("00-1")),
        ("data", json!({"runId": "7"})),
        ("specversion", json!("1.0")),
    ] {
        assert_eq!(got[name], value, "{name} in {got}");
    }
    // The mode is the sender's business: it is the same event in the other one.
    let same = json!({"specversion": "1.0", "id": id, "source": "urn:a b", "type": "run_failed"});
    assert_eq!(tenant.admin.publish(&tenant, same).await.ok(), published);
    // Without data there is no body, and no media type.
    let call = tenant.admin.act(tenant.path("/events")).header("ce-specversion", "1.0").header("ce-id", unique());
    call.header("ce-source", "s").header("ce-type", "run_failed").await.accepted();
    assert_eq!(receiver.got(2).await[1].json()["data"], json!({}));
}

async fn a_key_publishes_what_its_scopes_are_about_and_nothing_else(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    // Written down here by hand from the contract's words on scopes.
    let may = |scope: &str| match scope {
        "runs:write" => Some("run_failed"),
        "approvals:write" => Some("approval_requested"),
        "workflows:write" => Some("workflow_deployed"),
        "connections:write" => Some("mcp_server_degraded"),
        _ => None,
    };
    for scope in SCOPES {
        let key = tenant.key(&[scope]).await;
        for kind in EVENTS {
            let answer = key.publish(&tenant, event(kind)).await;
            if may(scope) == Some(kind) {
                answer.accepted();
            } else {
                answer.problem(403, "forbidden");
            }
        }
    }
    let every = tenant.key(&SCOPES).await;
    let [editor, viewer] = tenant.members(["editor", "viewer"]).await;
    for kind in EVENTS {
        let answer = every.publish(&tenant, event(kind)).await;
        if kind == "secret_rotated" {
            answer.problem(403, "forbidden");
        } else {
            answer.accepted();
        }
        tenant.admin.publish(&tenant, event(kind)).await.accepted();
        tenant.platform.publish(&tenant, event(kind)).await.accepted();
        for member in [&editor, &viewer] {
            member.publish(&tenant, event(kind)).await.problem(403, "forbidden");
        }
    }
}

async fn the_same_source_and_id_is_the_same_event(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let first = event("run_failed");
    let published = tenant.admin.publish(&tenant, first.clone()).await.accepted();
    let ((), events) = added(&tenant, async {
        let mut other = first.clone();
        other["data"] = json!({"said": "otherwise"});
        other["type"] = json!("workflow_deployed");
        for again in [first.clone(), first.clone(), other] {
            assert_eq!(tenant.admin.publish(&tenant, again).await.ok(), published);
        }
        // Whoever sends it.
        let key = tenant.key(&["runs:write"]).await;
        assert_eq!(key.publish(&tenant, first.clone()).await.ok(), published);
    })
    .await;
    assert_eq!(events.len(), 1, "nothing but the key: {events:?}");
    // Another source or another id is another event, and so is the same in another workspace.
    for (member, value) in [("source", "urn:test:other"), ("id", "another")] {
        let mut other = first.clone();
        other[member] = json!(value);
        tenant.admin.publish(&tenant, other).await.accepted();
    }
    let elsewhere = site.tenant().await;
    elsewhere.admin.publish(&elsewhere, first.clone()).await.accepted();
    let got = receiver.got(3).await;
    assert_eq!(tenant.deliveries("").await.len(), 3);
    assert_eq!(got.iter().filter(|r| r.json()["data"] == first["data"]).count(), 3);
    // At the same time, it is taken once as well.
    let raced = event("run_failed");
    let racers = (0..8).map(|_| tenant.admin.publish(&tenant, raced.clone()).into_future());
    let answers = futures_util::future::join_all(racers).await;
    assert_eq!(answers.iter().filter(|a| a.status == 202).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|a| a.json() == answers[0].json()));
    assert_eq!(tenant.deliveries("").await.len(), 4);
}

async fn a_call_that_is_repeated_is_replayed(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let said = event("run_failed");
    let first = tenant.admin.publish(&tenant, said.clone()).once("k").await;
    let again = tenant.admin.publish(&tenant, said).once("k").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((again.accepted(), first.header("idempotent-replayed")), (first.accepted(), None));
    let other = tenant.admin.publish(&tenant, event("run_failed")).once("k").await;
    other.problem(422, "idempotency-key-reused");
    // In binary mode the event is in its headers, and they are what makes it another one.
    let binary = |id: &str| {
        let call = tenant.admin.act(tenant.path("/events")).header("ce-specversion", "1.0").header("ce-id", id);
        call.header("ce-source", "s").header("ce-type", "run_failed").once("b")
    };
    let first = binary("1").await.accepted();
    assert_eq!(binary("1").await.accepted(), first);
    binary("2").await.problem(422, "idempotency-key-reused");
}

async fn an_event_that_is_none_is_refused_with_every_fault(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let with = |name: &str, value: Value| {
        let mut said = event("run_failed");
        said[name] = value;
        said
    };
    let long = "x".repeat(513);
    let refused: &[(Value, &[&str])] = &[
        (json!({}), &["/id", "/source", "/specversion", "/type"]),
        (
            json!({"specversion": "0.3", "id": "", "source": "", "type": "x"}),
            &["/id", "/source", "/specversion", "/type"],
        ),
        (with("specversion", json!(1.0)), &["/specversion"]),
        (with("id", json!(null)), &["/id"]),
        (with("id", json!(7)), &["/id"]),
        (with("id", json!(long)), &["/id"]),
        (with("id", json!("a\nb")), &["/id"]),
        (with("id", json!("  ")), &["/id"]),
        (with("source", json!(["s"])), &["/source"]),
        (with("source", json!("a\u{0}b")), &["/source"]),
        (with("type", json!("RUN_FAILED")), &["/type"]),
        (with("type", json!("com.example.run_failed")), &["/type"]),
        (with("subject", json!("")), &["/subject"]),
        (with("subject", json!(null)), &["/subject"]),
        (with("time", json!("yesterday")), &["/time"]),
        (with("time", json!(1_764_000_000)), &["/time"]),
        (with("time", json!("2026-11-26T10:00:00")), &["/time"]),
        (with("datacontenttype", json!("text/xml")), &["/datacontenttype"]),
        (with("data", json!("text")), &["/data"]),
        (with("data", json!([1])), &["/data"]),
        (with("data", json!(null)), &["/data"]),
        (with("data_base64", json!("eA==")), &["/data_base64"]),
        (with("Extension", json!("x")), &["/Extension"]),
        (with("with-hyphen", json!("x")), &["/with-hyphen"]),
        (with("twentyonecharacters01", json!("x")), &["/twentyonecharacters01"]),
        (with("extension", json!(1.5)), &["/extension"]),
        (with("extension", json!(null)), &["/extension"]),
        (with("extension", json!({"a": 1})), &["/extension"]),
        (with("extension", json!("a\u{7}")), &["/extension"]),
        (with("extension", json!(long)), &["/extension"]),
        (with("organizationId", json!(tenant.id)), &["/organizationId"]),
    ];
    assert_unchanged(&tenant, async {
        for (body, faults) in refused {
            assert_eq!(tenant.admin.publish(&tenant, body.clone()).await.faults(), *faults, "{body}");
        }
        // What no JSON text may hold stands in the data's depths too.
        let faults = tenant.admin.publish(&tenant, with("data", json!({"a": [{"b": "x\u{0}"}]}))).await.faults();
        assert_eq!(faults, ["/data"]);
    })
    .await;
}

async fn a_binary_event_that_is_none_is_refused_with_every_fault(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let good = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "s"), ("ce-type", "run_failed")];
    let call = |more: &[(&str, &str)]| {
        let mut call = tenant.admin.send("POST", &tenant.path("/events"));
        for (name, value) in good.iter().filter(|(n, _)| !more.iter().any(|(m, _)| m == n)).chain(more) {
            if *value != "-" {
                call = call.header(name, value);
            }
        }
        call
    };
    let json = |more: &[(&str, &str)]| call(more).body("application/json", "{}");
    assert_unchanged(&tenant, async {
        for (more, faults) in [
            (&[("ce-id", "-"), ("ce-type", "-")][..], &["/id", "/type"][..]),
            (&[("ce-specversion", "2.0"), ("ce-time", "x")], &["/specversion", "/time"]),
            (&[("ce-id", "a%00b")], &["/id"]),
            (&[("ce-id", "%20")], &["/id"]),
            (&[("ce-type", "run%20failed")], &["/type"]),
            (&[("ce-some-thing", "x")], &["/some-thing"]),
            (&[("ce-data_base64", "eA==")], &["/data_base64"]),
        ] {
            assert_eq!(json(more).await.faults(), faults, "{more:?}");
        }
        for more in [("ce-id", "%FF"), ("ce-data", "{}"), ("ce-datacontenttype", "application/json")] {
            json(&[more]).await.problem(400, "malformed-request");
        }
        json(&[]).header("ce-id", "2").await.problem(400, "malformed-request");
        call(&[]).body("text/plain", "{}").await.problem(415, "unsupported-media-type");
        call(&[]).header("x-nothing", "x").body("application/json", "[]").await.faults();
        call(&[]).body("application/json", "{").await.problem(400, "malformed-request");
    })
    .await;
}

async fn only_one_event_in_json_is_taken(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let one = event("run_failed").to_string();
    assert_unchanged(&tenant, async {
        for media_type in [
            "application/cloudevents-batch+json",
            "application/cloudevents+xml",
            "application/cloudevents+json; charset=utf-16",
            "text/json",
            "application/x-www-form-urlencoded",
        ] {
            send(&tenant, media_type, one.clone()).await.problem(415, "unsupported-media-type");
        }
        tenant.admin.act(tenant.path("/events")).await.problem(415, "unsupported-media-type");
        let structured = "application/cloudevents+json";
        for body in [format!("[{one}]"), "[]".to_owned(), "null".to_owned(), "\"x\"".to_owned()] {
            assert_eq!(send(&tenant, structured, body).await.faults(), [""]);
        }
        for body in [
            one.replacen('{', "{\"id\":\"1\",", 1),
            one.replace("\"runId\":\"r-7\"", "\"runId\":\"r-7\",\"runId\":\"r-8\""),
            one.replace("r-7", "\\ud800"),
            format!("{one}{one}"),
            String::new(),
            format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        ] {
            send(&tenant, structured, body).await.problem(400, "malformed-request");
        }
    })
    .await;
    send(&tenant, "Application/CloudEvents+JSON; charset=UTF-8", one).await.accepted();
}

async fn an_event_of_more_than_64_kib_is_refused(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let sized = |n: usize| {
        let mut said = event("run_failed");
        said["data"] = json!({"x": "y".repeat(n)});
        said
    };
    // As it is sent: with the time and the media type that every event has.
    let probe = tenant.admin.publish(&tenant, sized(1)).await;
    probe.accepted();
    let frame = receiver.got(1).await[0].body.len() - 1;
    // The instant that is filled in may be written with one digit less or more.
    tenant.admin.publish(&tenant, sized(65_536 - frame - 12)).await.accepted();
    assert!(receiver.got(2).await[1].body.len() <= 65_536);
    assert_unchanged(&tenant, async {
        assert_eq!(tenant.admin.publish(&tenant, sized(65_536 - frame + 12)).await.faults(), [""]);
        tenant.admin.publish(&tenant, sized(256 * 1024)).await.problem(413, "payload-too-large");
    })
    .await;
}

async fn the_rotation_of_a_secret_is_told_without_its_value(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let receiver = Receiver::start([]).await;
    let (tenant, _) = hooked(&site, &receiver).await;
    let lab = tenant.environment("lab").await;
    let (old, new) = (format!("old-{}", unique()), format!("new-{}", unique()));
    let body = json!({"name": "stripe key", "value": old, "environmentId": lab["id"]});
    let secret = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let path = tenant.path(&format!("/secrets/{}/rotate", secret["id"].as_str().unwrap()));
    let (_, events) = added(&tenant, async { tenant.admin.post(&path, json!({"value": new})).await.ok() }).await;
    let actions: Vec<_> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["secret.rotated"], "the event is a part of the rotation");
    let got = receiver.got(1).await.remove(0);
    let said = got.json();
    assert_eq!((&said["type"], &said["source"]), (&json!("secret_rotated"), &json!(format!("urn:uuid:{}", tenant.id))));
    let data = json!({"secret": "stripe key", "environment": "lab", "secretId": secret["id"]});
    assert_eq!(said["data"], data);
    let text = String::from_utf8(got.body).unwrap();
    assert!(!text.contains(&old) && !text.contains(&new), "{text}");
    let list =
        eventually("the ledger", async || Some(tenant.deliveries("&status=delivered").await).filter(|d| d.len() == 1));
    assert_eq!(list.await[0]["event"]["type"], "secret_rotated");
}
