//! A Slack that takes nothing any more (SL02, SL03, SL05): the connection says why, its admins hear of it once, and what waits
//! is neither lost nor told to anybody else.
use crate::{
    notifications::mail_about,
    support::{Store, Tenant, Value, eventually, json, on_both_stores, scripted_slack::ScriptedSlack, slack::Slack},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    a_revoked_connection_is_in_error_and_nothing_that_waits_is_lost,
    a_token_that_slack_does_not_know_is_replaced_by_authorizing_again,
    a_channel_that_is_gone_is_chosen_anew,
    slack_is_left_alone_for_as_long_as_it_asks,
    what_waits_for_one_team_is_not_told_to_another,
    what_has_waited_for_a_day_is_mailed_instead,
    what_waits_for_a_connection_that_is_deleted_is_dropped,
);

async fn connection(tenant: &Tenant) -> Value {
    tenant.admin.get(tenant.path("/connections")).await.ok()["items"][0].clone()
}
async fn connection_in_error(tenant: &Tenant) -> Value {
    eventually("the connection in error", async || Some(connection(tenant).await).filter(|c| c["status"] == "error"))
        .await
}
async fn slack_reason(tenant: &Tenant) -> Value {
    tenant.admin.get(tenant.path("/workspace/notifications")).await.ok()["channels"][1]["reason"].clone()
}

async fn a_revoked_connection_is_in_error_and_nothing_that_waits_is_lost(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let [second] = tenant.members(["admin"]).await;
    let made = slack.connect(&tenant).await;
    assert_eq!((&made["channel"], &made["channelName"]), (&json!("C1"), &json!("#alerts")));
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("token_revoked");
    let first = tenant.tells("run_failed").await;
    let failed = connection_in_error(&tenant).await;
    assert_eq!(failed["statusReason"], "Slack says that the connection was revoked");
    assert_eq!((&failed["id"], &failed["channel"]), (&made["id"], &made["channel"]));
    assert!(slack_reason(&tenant).await.as_str().unwrap().contains("Authorize it again"));
    let parked = tenant.told(&first, "slack", "parked", 1).await.remove(0);
    assert_eq!(parked["attempts"][0]["error"], failed["statusReason"]);
    // More of them wait without an attempt, and nobody is told twice.
    let more = [tenant.tells("run_failed").await, tenant.tells("run_failed").await];
    for event in &more {
        let parked = tenant.told(event, "slack", "parked", 1).await;
        assert_eq!(parked[0]["attempts"], json!([]));
    }
    for admin in [&tenant.admin, &second] {
        let mail = mail_about(&site, &admin.person.email, "Slack says that the connection was revoked").await;
        assert!(mail["text"].as_str().unwrap().contains("/settings/connections"), "{mail}");
    }
    let warnings = tenant.deliveries("&channel=email").await;
    assert_eq!(warnings.iter().filter(|d| d["message"] == "slack-failing").count(), 2, "{warnings:?}");
    let events = tenant.events_where("&action=connection.failed").await;
    assert_eq!((events.len(), &events[0]["actorKind"]), (1, &json!("service")));
    // Somebody mends it.
    slack.answers("ok");
    slack.grants("T1", "xoxb-two");
    let mended = slack.connect(&tenant).await;
    assert_eq!(
        (&mended["id"], &mended["status"], &mended["statusReason"]),
        (&made["id"], &json!("active"), &Value::Null)
    );
    for event in [&first, &more[0], &more[1]] {
        tenant.told(event, "slack", "delivered", 1).await;
    }
    let posted = slack.posted();
    assert!(posted.len() == 3 && posted.iter().all(|p| p.token == "xoxb-two"), "{} messages", posted.len());
    assert_eq!(posted[0].message["channel"], "C1");
    tenant.intact().await;
}

async fn a_token_that_slack_does_not_know_is_replaced_by_authorizing_again(store: Store) {
    let slack = Slack::start();
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    slack.connect(&tenant, "alerts").await;
    tenant.tell_on("run_failed", &["slack"]).await;
    site.server.stop();
    // A Slack that has forgotten all that it ever granted.
    let slack = Slack::start();
    let env = [&slack.env()[..], &[crate::support::telling::LOOPBACK]].concat();
    let site = site.through(site.home.serve(&env));
    let tenant = tenant.at(&site);
    let event = tenant.tells("run_failed").await;
    let failed = connection_in_error(&tenant).await;
    assert_eq!(failed["statusReason"], "Slack says that the connection lacks a permission");
    tenant.told(&event, "slack", "parked", 1).await;
    let channel = slack.channel("alerts").await;
    assert!(slack.posted(&channel).await.is_empty());
    let query = slack.begin(&tenant, &tenant.admin).await;
    let back = tenant.admin.get(tenant.path(&format!("/connections/slack/callback?{query}"))).await.ok();
    assert_eq!((&back["status"], &back["id"]), (&json!("active"), &failed["id"]));
    if back["channel"] != channel.as_str() {
        let path = tenant.path(&format!("/connections/{}", back["id"].as_str().unwrap()));
        tenant.admin.put(path, json!({"channel": channel})).await.ok();
        tenant.hurry().await;
    }
    tenant.told(&event, "slack", "delivered", 1).await;
    assert_eq!(slack.posted(&channel).await.len(), 1);
}

async fn a_channel_that_is_gone_is_chosen_anew(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let made = slack.connect(&tenant).await;
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("channel_not_found");
    let event = tenant.tells("run_failed").await;
    let failed = connection_in_error(&tenant).await;
    assert_eq!(failed["channel"], Value::Null);
    assert!(slack_reason(&tenant).await.as_str().unwrap().contains("Choose another one"));
    tenant.told(&event, "slack", "parked", 1).await;
    slack.answers("ok");
    let path = tenant.path(&format!("/connections/{}", made["id"].as_str().unwrap()));
    let mended = tenant.admin.put(path, json!({"channel": "#incidents"})).await.ok();
    assert_eq!((&mended["status"], &mended["channel"]), (&json!("active"), &json!("#incidents")));
    tenant.told(&event, "slack", "delivered", 1).await;
    let posted = slack.posts(1).await;
    assert_eq!((&posted[0].message["channel"], posted[0].token.as_str()), (&json!("#incidents"), "xoxb-one"));
}

async fn slack_is_left_alone_for_as_long_as_it_asks(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    slack.connect(&tenant).await;
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("wait 1800");
    let event = tenant.tells("run_failed").await;
    let filter = format!("&channel=slack&eventId={}", event["id"].as_str().unwrap());
    let waiting = eventually("the attempt", async || {
        let there = tenant.deliveries(&filter).await.remove(0);
        (there["attempts"] != json!([])).then_some(there)
    })
    .await;
    assert_eq!((&waiting["status"], &waiting["attempts"][0]["statusCode"]), (&json!("pending"), &json!(429)));
    let instant = |v: &Value| OffsetDateTime::parse(v.as_str().unwrap(), &Rfc3339).unwrap();
    let wait = instant(&waiting["nextAttemptAt"]) - instant(&waiting["attempts"][0]["at"]);
    assert!((Duration::seconds(1_795)..Duration::seconds(1_815)).contains(&wait), "{wait}");
    assert_eq!(connection(&tenant).await["status"], "active", "to ask for patience is no fault");
    slack.answers("ok");
    tenant.hurry().await;
    tenant.told(&event, "slack", "delivered", 1).await;
}

async fn what_waits_for_one_team_is_not_told_to_another(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let made = slack.connect(&tenant).await;
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("account_inactive");
    let event = tenant.tells("run_failed").await;
    tenant.told(&event, "slack", "parked", 1).await;
    slack.answers("ok");
    slack.grants("T2", "xoxb-other-team");
    let other = slack.connect(&tenant).await;
    assert_ne!(other["id"], made["id"]);
    assert_eq!(tenant.admin.get(tenant.path("/connections")).await.ok()["items"].as_array().unwrap().len(), 1);
    tenant.hurry().await;
    tenant.told(&event, "slack", "dropped", 1).await;
    let next = tenant.tells("run_failed").await;
    tenant.told(&next, "slack", "delivered", 1).await;
    assert_eq!(slack.posted().len(), 1, "the new team hears of what came after it");
}

async fn what_has_waited_for_a_day_is_mailed_instead(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    slack.connect(&tenant).await;
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("token_revoked");
    let event = tenant.tells("run_failed").await;
    let parked = tenant.told(&event, "slack", "parked", 1).await.remove(0);
    let instant = |v: &Value| OffsetDateTime::parse(v.as_str().unwrap(), &Rfc3339).unwrap();
    let waits = instant(&parked["nextAttemptAt"]) - instant(&parked["attempts"][0]["at"]);
    assert!((Duration::hours(24) - waits).abs() < Duration::seconds(30), "{waits}");
    tenant.hurry().await;
    let failed = tenant.told(&event, "slack", "failed", 1).await.remove(0);
    let instead = tenant.told(&event, "email", "delivered", 1).await.remove(0);
    assert_eq!(instead["insteadOf"], failed["id"]);
    assert!(slack.posted().is_empty());
}

async fn what_waits_for_a_connection_that_is_deleted_is_dropped(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let made = slack.connect(&tenant).await;
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("token_revoked");
    let event = tenant.tells("run_failed").await;
    tenant.told(&event, "slack", "parked", 1).await;
    slack.answers("ok");
    tenant.admin.delete(tenant.path(&format!("/connections/{}", made["id"].as_str().unwrap()))).await.done();
    tenant.hurry().await;
    tenant.told(&event, "slack", "dropped", 1).await;
    assert!(slack.posted().is_empty());
}
