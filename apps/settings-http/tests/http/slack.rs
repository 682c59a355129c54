//! Slack, from the page on which a person allows it to the message in the channel.
use crate::support::{
    Answer, Site, Store, Tenant, Value, added, assert_unchanged, json, on_both_stores, shape, slack::Slack,
    unchanged_by,
};

on_both_stores!(
    a_person_connects_slack_and_a_message_arrives_in_the_channel,
    a_way_back_is_good_for_one_person_one_workspace_and_one_time,
    without_a_slack_app_nothing_is_begun,
    a_connection_is_changed_switched_off_and_deleted_on_record,
    a_connection_of_another_tenant_does_not_exist,
);

const CALLBACK: &str = "/connections/slack/callback";

async fn list(tenant: &Tenant) -> Vec<Value> {
    shape::list(&tenant.admin.get(tenant.path("/connections")).await.ok(), shape::CONNECTION)
}
fn path(tenant: &Tenant, connection: &Value) -> String {
    tenant.path(&format!("/connections/{}", connection["id"].as_str().unwrap()))
}
fn slack_is(settings: &Value) -> &Value {
    &settings["channels"][1]["available"]
}

async fn a_person_connects_slack_and_a_message_arrives_in_the_channel(store: Store) {
    let slack = Slack::start();
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let settings = async || tenant.admin.get(tenant.path("/workspace/notifications")).await.ok();
    let reason = "There is no active Slack connection. Create one in Connections.";
    assert_eq!(settings().await["channels"][1]["reason"], reason);
    let (query, begun) = added(&tenant, slack.begin(&tenant, &tenant.admin)).await;
    assert_eq!((begun.len(), &begun[0]["action"]), (1, &json!("connection.started")));
    let callback = tenant.path(&format!("{CALLBACK}?{query}"));
    let (answer, events) = added(&tenant, async { tenant.admin.get(&callback).await }).await;
    let made = answer.ok();
    shape::is(&made, shape::CONNECTION);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!((&made["status"], &made["teamName"]), (&json!("active"), &json!("Acme HQ")));
    assert_eq!((events.len(), &events[0]["action"]), (1, &json!("connection.authorized")), "the one GET that changes");
    assert_eq!(events[0]["targetId"], made["id"]);
    assert_eq!(list(&tenant).await, std::slice::from_ref(&made));
    // The emulator lets nobody pick a channel, so there is none yet.
    assert_eq!((slack_is(&settings().await), &made["channel"]), (&json!(false), &Value::Null));
    tenant.choose(json!({"event": "run_failed", "channels": ["slack"]})).await.problem(409, "channel-unavailable");
    let channel = slack.channel("alerts").await;
    let chosen = tenant.admin.put(path(&tenant, &made), json!({"channel": channel})).await.ok();
    assert_eq!((&chosen["channel"], &chosen["version"]), (&json!(channel), &json!(2)));
    assert_eq!(slack_is(&settings().await), &json!(true));

    tenant.tell_on("run_failed", &["slack"]).await;
    let published = tenant.tells("run_failed").await;
    let told = tenant.told(&published, "slack", "delivered", 1).await;
    assert_eq!(told[0]["to"], json!({"kind": "slack", "id": made["id"]}));
    let posted = slack.posted(&channel).await;
    let [message] = &posted[..] else { panic!("{posted:?}") };
    assert!(message["text"].as_str().unwrap().contains("A workflow run has failed"), "{message}");
    let blocks = message["blocks"].to_string();
    for part in ["A workflow run has failed", "Tenant of a test", "Workflow name", "nightly", "r-7"] {
        assert!(blocks.contains(part), "{part} in {blocks}");
    }
    let test = tenant.admin.post(tenant.path("/workspace/notifications/test"), json!({"channel": "slack"})).await.ok();
    tenant.delivery_that_is(test["id"].as_str().unwrap(), "delivered").await;
    let posted = slack.posted(&channel).await;
    assert!(posted[1]["text"].as_str().unwrap().contains("This is a test message"), "{posted:?}");
}

async fn a_way_back_is_good_for_one_person_one_workspace_and_one_time(store: Store) {
    let slack = Slack::start();
    let site = slack.site(store, &[]).await;
    let (tenant, foreign) = tokio::join!(site.tenant(), site.tenant());
    let [colleague] = tenant.members(["admin"]).await;
    let query = slack.begin(&tenant, &tenant.admin).await;
    let callback = |t: &Tenant, query: &str| t.path(&format!("{CALLBACK}?{query}"));
    let code = query.split('&').find(|p| p.starts_with("code=")).unwrap();
    let state = query.split('&').find(|p| p.starts_with("state=")).unwrap();
    let theirs = slack.begin(&foreign, &foreign.admin).await;
    let theirs = theirs.split('&').find(|p| p.starts_with("state=")).unwrap();
    let invalid = |answer: Answer| answer.problem(422, "connection-state-invalid");
    unchanged_by(&[&tenant, &foreign], async {
        // Somebody else with the same rights, here and there.
        invalid(colleague.get(callback(&tenant, &query)).await);
        invalid(tenant.platform.get(callback(&tenant, &query)).await);
        invalid(foreign.admin.get(callback(&foreign, &query)).await);
        foreign.admin.get(callback(&tenant, &query)).await.problem(404, "not-found");
        // A state of another workspace, a forged one, one that was tampered with.
        invalid(tenant.admin.get(callback(&tenant, &format!("{code}&{theirs}"))).await);
        invalid(tenant.admin.get(callback(&tenant, &format!("{code}&state=forged"))).await);
        invalid(tenant.admin.get(callback(&tenant, &format!("{code}&{state}x"))).await);
        for (query, faults) in [("", vec!["/code"]), (code, vec!["/state"]), (state, vec!["/code"])] {
            assert_eq!(tenant.admin.get(callback(&tenant, query)).await.faults(), faults);
        }
        let query = format!("{query}&more=1");
        tenant.admin.get(callback(&tenant, &query)).await.problem(400, "malformed-request");
        // Who says no on Slack's page comes back with that.
        let refused = format!("error=access_denied&{state}");
        tenant.admin.get(callback(&tenant, &refused)).await.problem(409, "connection-refused");
    })
    .await;
    // None of that has spent the code.
    tenant.admin.get(callback(&tenant, &query)).await.ok();
    assert_unchanged(&tenant, async {
        invalid(tenant.admin.get(callback(&tenant, &query)).await);
        // A state of before is used up by the connection, whatever code comes with it.
        let again = slack.allow(&slack.page(&state["state=".len()..])).await;
        invalid(tenant.admin.get(callback(&tenant, &again)).await);
    })
    .await;
}

async fn without_a_slack_app_nothing_is_begun(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        let answers = [
            tenant.admin.act(tenant.path("/connections/slack/authorize")).await,
            tenant.admin.get(tenant.path(&format!("{CALLBACK}?code=c&state=s"))).await,
        ];
        for answer in answers {
            assert_eq!(answer.problem(503, "slack-unavailable")["outcome"], "none");
        }
    })
    .await;
    assert!(list(&tenant).await.is_empty());
}

async fn a_connection_is_changed_switched_off_and_deleted_on_record(store: Store) {
    let slack = Slack::start();
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let made = slack.connect(&tenant, "alerts").await;
    let path = path(&tenant, &made);
    assert_unchanged(&tenant, async {
        for (body, faults) in [
            (json!({"channel": ""}), ["/channel"]),
            (json!({"channel": "a b"}), ["/channel"]),
            (json!({"channel": "<!channel>"}), ["/channel"]),
            (json!({"channel": "x".repeat(81)}), ["/channel"]),
            (json!({"channel": null}), ["/channel"]),
            (json!({"status": "active"}), ["/status"]),
            (json!({"status": "error"}), ["/status"]),
            (json!({"token": "xoxb-1"}), ["/token"]),
            (json!({"teamName": "x"}), ["/teamName"]),
        ] {
            assert_eq!(tenant.admin.put(&path, body.clone()).await.faults(), faults, "{body}");
        }
        let both = json!({"channel": "alerts", "status": "disconnected"});
        tenant.admin.put(&path, both).await.problem(409, "connection-disconnected");
        tenant.admin.put(&path, json!({"channel": "x"})).seen("\"v1-0\"").await.problem(412, "precondition-failed");
        tenant.admin.put(&path, json!({})).await.ok();
    })
    .await;
    tenant.tell_on("run_failed", &["slack"]).await;
    let (off, events) =
        added(&tenant, async { tenant.admin.put(&path, json!({"status": "disconnected"})).await.ok() }).await;
    assert_eq!((&off["status"], &events[0]["action"]), (&json!("disconnected"), &json!("connection.updated")));
    let tokens = "SELECT count(*) FROM connections WHERE workspace_id = {ws} AND token IS NOT NULL";
    assert_eq!(site.home.number(&tenant.id, tokens).await, 0, "its token is destroyed");
    tenant.admin.put(&path, json!({"channel": "old"})).await.problem(409, "connection-disconnected");
    // What somebody must hear about goes by mail then.
    let published = tenant.tells("run_failed").await;
    tenant.told(&published, "email", "delivered", 1).await;
    // The same connection comes back when it is authorized again, and the choice of its channel is kept.
    let query = slack.begin(&tenant, &tenant.admin).await;
    let back = tenant.admin.get(tenant.path(&format!("{CALLBACK}?{query}"))).await.ok();
    assert_eq!((&back["id"], &back["status"], &back["channel"]), (&made["id"], &json!("active"), &made["channel"]));
    let published = tenant.tells("run_failed").await;
    tenant.told(&published, "slack", "delivered", 1).await;
    let (gone, events) = added(&tenant, async { tenant.admin.delete(&path).await }).await;
    gone.done();
    assert_eq!((events.len(), &events[0]["action"]), (1, &json!("connection.deleted")));
    assert!(list(&tenant).await.is_empty());
    tenant.admin.delete(&path).await.problem(404, "not-found");
}

async fn a_connection_of_another_tenant_does_not_exist(store: Store) {
    let slack = Slack::start();
    let site = slack.site(store, &[]).await;
    let (ours, theirs) = tokio::join!(site.tenant(), site.tenant());
    let connection = slack.connect(&theirs, "alerts").await;
    unchanged_by(&[&ours, &theirs], async {
        for (method, body) in [("PUT", json!({"status": "disconnected"})), ("DELETE", json!({}))] {
            let call =
                async |id: &str| ours.admin.send(method, &ours.path(&format!("/connections/{id}"))).json(&body).await;
            let there = call(connection["id"].as_str().unwrap()).await;
            there.problem(404, "not-found");
            assert_eq!(there.anonymised(), call(&uuid::Uuid::now_v7().to_string()).await.anonymised());
        }
        assert!(list(&ours).await.is_empty());
    })
    .await;
}
