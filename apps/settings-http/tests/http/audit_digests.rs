//! Audit digests (DG): chosen strictly, mailed once per period whatever happens, with a note that anybody can check.
use crate::support::{
    Answer, Site, Store, Tenant, Value, added, assert_unchanged, eventually, json, on_both_stores, unique,
};
use settings_crypto::CheckpointKey;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    a_workspace_begins_without_digests,
    what_was_chosen_is_answered_and_recorded,
    a_choice_that_breaks_a_rule_changes_nothing,
    a_stale_choice_is_refused,
    the_next_three_runs_can_be_seen_before_anything_is_sent,
    a_digest_is_mailed_once_by_two_servers_and_its_checkpoint_verifies,
    a_server_that_was_away_for_three_periods_sends_one_digest,
    a_server_that_is_killed_after_the_beginning_loses_no_mail,
);

const PATH: &str = "/workspace/audit-digest";

fn daily(recipients: &[&str]) -> Value {
    json!({
        "enabled": true, "frequency": "daily", "hourUTC": 8,
        "includeRiskLevels": ["low", "medium", "high", "critical"], "recipients": recipients,
    })
}

async fn put(tenant: &Tenant, body: Value) -> Answer {
    tenant.admin.put(tenant.path(PATH), body).await
}
async fn get(tenant: &Tenant) -> Value {
    tenant.admin.get(tenant.path(PATH)).await.ok()
}
fn instant(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}
/// Makes a digest of the workspace due: all that a test does to the clock.
async fn make_due(site: &Site, tenant: &Tenant, hours: i64) {
    let back = format!(
        "UPDATE audit_digests SET next_due_at = next_due_at - {hours} * 3600000000 WHERE workspace_id = {{ws}}"
    );
    site.home.sql(&tenant.id, &[&back]).await;
}
async fn digests(tenant: &Tenant) -> Vec<Value> {
    tenant.events_where("&action=audit_digest.sent").await
}

async fn a_workspace_begins_without_digests(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    assert_eq!(
        get(&tenant).await,
        json!({
            "enabled": false, "frequency": "weekly", "dayOfWeek": 1, "hourUTC": 8,
            "includeRiskLevels": ["high", "critical"], "recipients": [], "lastSentAt": null, "nextDueAt": null,
            "version": 0,
        })
    );
}

async fn what_was_chosen_is_answered_and_recorded(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let monthly = json!({
        "enabled": true, "frequency": "monthly", "dayOfMonth": 28, "hourUTC": 23, "includeRiskLevels": ["critical", "low"],
        "recipients": ["Ada@Example.org", "bo@example.org", "ada@example.ORG"],
    });
    let (answer, events) = added(&tenant, put(&tenant, monthly)).await;
    let chosen = answer.ok();
    assert_eq!(chosen["recipients"], json!(["Ada@Example.org", "bo@example.org"]), "equal addresses count once");
    assert_eq!(chosen["includeRiskLevels"], json!(["low", "critical"]));
    assert_eq!((&chosen["dayOfMonth"], &chosen["version"]), (&json!(28), &json!(1)));
    assert!(chosen.get("dayOfWeek").is_none() && chosen["lastSentAt"].is_null());
    let due = instant(&chosen["nextDueAt"]);
    assert_eq!((due.day(), due.hour(), due.minute()), (28, 23, 0));
    assert_eq!(get(&tenant).await, chosen);
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&event["action"], &event["risk"]), (&json!("audit_digest.updated"), &json!("medium")));
    assert_eq!(event["targetKind"], "audit_digest");
    assert!(!event.to_string().contains("example.org"), "no address is in the log: {event}");
    let off = json!({"enabled": false, "frequency": "daily", "hourUTC": 0, "includeRiskLevels": [], "recipients": []});
    let (answer, events) = added(&tenant, put(&tenant, off.clone())).await;
    assert_eq!((&answer.ok()["nextDueAt"], events.len()), (&Value::Null, 1));
    assert_eq!(added(&tenant, put(&tenant, off)).await.1.len(), 0, "the same again is no change");
}

async fn a_choice_that_breaks_a_rule_changes_nothing(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    put(&tenant, daily(&["ada@example.org"])).await.ok();
    let with = |member: &str, value: Value| {
        let mut body = daily(&["ada@example.org"]);
        body[member] = value;
        body
    };
    let many: Vec<_> = (0..51).map(|n| format!("r{n}@example.org")).collect();
    let refused: &[(Value, &[&str])] = &[
        (with("frequency", json!("weekly")), &["/dayOfWeek"]),
        (with("frequency", json!("monthly")), &["/dayOfMonth"]),
        (with("frequency", json!("hourly")), &["/frequency"]),
        (with("frequency", json!("Daily")), &["/frequency"]),
        (with("dayOfMonth", json!(3)), &["/dayOfMonth"]),
        (with("dayOfWeek", json!(3)), &["/dayOfWeek"]),
        (
            json!({"enabled": true, "frequency": "weekly", "dayOfWeek": 7, "dayOfMonth": 1, "hourUTC": 24,
            "includeRiskLevels": ["low"], "recipients": ["a@example.org"]}),
            &["/dayOfMonth", "/dayOfWeek", "/hourUTC"],
        ),
        (with("hourUTC", json!(-1)), &["/hourUTC"]),
        (with("hourUTC", json!(null)), &["/hourUTC"]),
        (with("includeRiskLevels", json!([])), &["/includeRiskLevels"]),
        (with("includeRiskLevels", json!(["LOW"])), &["/includeRiskLevels/0"]),
        (with("includeRiskLevels", json!(["low", "low"])), &["/includeRiskLevels/1"]),
        (with("includeRiskLevels", json!(["severe"])), &["/includeRiskLevels/0"]),
        (with("recipients", json!([])), &["/recipients"]),
        (with("recipients", json!(many)), &["/recipients"]),
        (with("recipients", json!(["ada@example.org", "m\u{131}ke@example.org"])), &["/recipients/1"]),
        (with("recipients", json!(["a@x.org\r\nBcc: v@y.org"])), &["/recipients/0"]),
        (with("recipients", json!("ada@example.org")), &["/recipients"]),
        (with("enabled", json!("true")), &["/enabled"]),
        (with("lastSentAt", json!("2026-01-01T00:00:00Z")), &["/lastSentAt"]),
        (with("nextDueAt", json!(null)), &["/nextDueAt"]),
        (json!({}), &["/enabled", "/frequency", "/hourUTC", "/includeRiskLevels", "/recipients"]),
    ];
    let before = get(&tenant).await;
    assert_unchanged(&tenant, async {
        for (body, faults) in refused {
            let mut found = put(&tenant, body.clone()).await.faults();
            found.sort();
            assert_eq!(found, *faults, "{body}");
        }
    })
    .await;
    assert_eq!(get(&tenant).await, before);
}

async fn a_stale_choice_is_refused(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let seen = tenant.admin.get(tenant.path(PATH)).await;
    let tag = seen.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"v0-"), "{tag}");
    let first = tenant.admin.put(tenant.path(PATH), daily(&["ada@example.org"])).header("if-match", &tag).await;
    first.ok();
    let second = tenant.admin.put(tenant.path(PATH), daily(&["eve@example.org"])).header("if-match", &tag).await;
    second.problem(412, "precondition-failed");
    assert_eq!(get(&tenant).await["recipients"], json!(["ada@example.org"]));
}

async fn the_next_three_runs_can_be_seen_before_anything_is_sent(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    let preview = tenant.admin.get(tenant.path(&format!("{PATH}/preview"))).await.ok();
    let runs: Vec<_> = preview["nextRuns"].as_array().unwrap().iter().map(instant).collect();
    assert_eq!(runs.len(), 3);
    for run in &runs {
        assert_eq!((run.weekday(), run.hour(), run.second()), (time::Weekday::Monday, 8, 0));
    }
    assert!(runs.windows(2).all(|w| w[1] - w[0] == time::Duration::WEEK));
    let chosen = put(&tenant, daily(&["ada@example.org"])).await.ok();
    let preview = tenant.admin.get(tenant.path(&format!("{PATH}/preview"))).await.ok();
    assert_eq!(preview["nextRuns"][0], chosen["nextDueAt"]);
}

/// The mails to an address, once this many have come.
async fn mails(site: &Site, to: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} digests to {to}"), async || {
        let mails = site.mails_to(to).await;
        (mails.len() >= count).then_some(mails)
    })
    .await
}

async fn a_digest_is_mailed_once_by_two_servers_and_its_checkpoint_verifies(store: Store) {
    let site = Site::own(store, &[]).await;
    let other = site.through(site.home.serve(&[]));
    let tenant = site.tenant().await;
    let (one, two) = (format!("one.{}@example.org", unique()), format!("two.{}@example.org", unique()));
    put(&tenant, daily(&[&one, &two])).await.ok();
    let [editor] = tenant.members(["editor"]).await;
    tenant.admin.put(tenant.path(&format!("/workspace/members/{}", editor.id)), json!({"role": "viewer"})).await.ok();
    tenant.key(&["secrets:read"]).await;
    let events = tenant.intact().await;
    make_due(&site, &tenant, 24).await;
    let (first, second) = (mails(&site, &one, 1).await, mails(&site, &two, 1).await);
    let sent = eventually("the event", async || digests(&tenant).await.into_iter().next()).await;
    assert_eq!((&sent["actorKind"], &sent["risk"]), (&json!("service"), &json!("low")));
    let said = |field: &str| {
        let changes = sent["changes"].as_array().unwrap();
        changes.iter().find(|c| c["field"] == field).unwrap()["to"].as_str().unwrap().parse::<i64>().unwrap()
    };
    assert_eq!((said("fromSeq"), said("toSeq"), said("recipients")), (1, events, 2));
    let shown = get(&tenant).await;
    assert!(instant(&shown["lastSentAt"]) <= OffsetDateTime::now_utc());
    assert!(instant(&shown["nextDueAt"]) > OffsetDateTime::now_utc(), "in the future again");
    // What it says, and the same to both.
    let text = first[0]["text"].as_str().unwrap();
    for part in [
        "Events by risk:",
        "critical: 0",
        "api_key.created",
        "Ada Of-Tests",
        &format!("/{}/settings/audit-log/", tenant.slug),
    ] {
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part} in {text}");
    }
    assert_eq!(text, second[0]["text"].as_str().unwrap());
    // The note is checked with the public key alone, and says what the log says.
    let printed = site.home.run(&["audit", "checkpoint-key"], &[]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let key = CheckpointKey::parse(printed.lines().next().unwrap()).expect(&printed);
    let start = text.find("settings-audit/").unwrap();
    let note = text[start..].lines().take(5).map(str::trim).collect::<Vec<_>>().join("\n") + "\n";
    let (workspace, link) = key.verify(&note).unwrap_or_else(|e| panic!("{e}: {note}"));
    assert_eq!((workspace.to_string(), link.seq), (tenant.id.clone(), events));
    let all = tenant.events().await;
    let last = all.iter().find(|e| e["seq"] == events).unwrap();
    let hash = link.hash.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(last["hash"], hash.as_str());
    // Both servers have had time to see that it was due: the second period shows that there was one digest in the first.
    // By two days, because no instant of a workspace is due twice.
    make_due(&site, &tenant, 48).await;
    eventually("the second digest", async || (digests(&tenant).await.len() == 2).then_some(())).await;
    assert_eq!((mails(&other, &one, 2).await.len(), mails(&other, &two, 2).await.len()), (2, 2));
    tenant.intact().await;
}

async fn a_server_that_was_away_for_three_periods_sends_one_digest(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let to = format!("late.{}@example.org", unique());
    put(&tenant, daily(&[&to])).await.ok();
    site.server.kill();
    make_due(&site, &tenant, 3 * 24).await;
    let back = site.through(site.home.serve(&[]));
    mails(&back, &to, 1).await;
    let tenant = Tenant { site: back.clone(), ..tenant.clone() };
    let admin = tenant.admin.at(&back);
    let page = eventually("the event", async || {
        let page = admin.get(tenant.path("/audit/events?action=audit_digest.sent")).await.ok();
        (!page["items"].as_array().unwrap().is_empty()).then_some(page)
    })
    .await;
    assert_eq!((page["items"].as_array().unwrap().len(), back.mails_to(&to).await.len()), (1, 1));
    let shown = admin.get(tenant.path(PATH)).await.ok();
    assert!(instant(&shown["nextDueAt"]) > OffsetDateTime::now_utc());
}

async fn a_server_that_is_killed_after_the_beginning_loses_no_mail(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let to = format!("kept.{}@example.org", unique());
    put(&tenant, daily(&[&to])).await.ok();
    site.server.kill();
    make_due(&site, &tenant, 24).await;
    // A worker without a way to send: it begins the digest, can't deliver it, and is killed.
    let away = [("SETTINGS_MAIL", Some("smtp://127.0.0.1:9"))];
    let lame = site.through(site.home.serve(&away));
    eventually("the beginning", async || {
        let queued = "SELECT count(*) FROM audit_digest_runs WHERE workspace_id = {ws} AND state = 'queued'";
        (site.home.number(&tenant.id, queued).await == 1).then_some(())
    })
    .await;
    lame.server.kill();
    // Its lease and its patience are over.
    site.home.sql(&tenant.id, &["UPDATE outbox SET lease_until = NULL, next_at = 0 WHERE workspace_id = {ws}"]).await;
    let back = site.through(site.home.serve(&[]));
    assert_eq!(mails(&back, &to, 1).await.len(), 1);
    let runs = "SELECT count(*) FROM audit_digest_runs WHERE workspace_id = {ws}";
    assert_eq!(site.home.number(&tenant.id, runs).await, 1, "the same digest, not another one");
}
