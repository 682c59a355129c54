//! What an operator sees of a place that is away: `/readyz` tells it and stays 200, and `doctor` names it.
use crate::support::{Site, Store, Value, eventually, json, on_both_stores, scripted_slack::ScriptedSlack, unique};

on_both_stores!(a_mail_server_that_is_away_is_told, a_slack_that_is_away_is_told);

const NOBODY: &str = "http://127.0.0.1:9";

async fn checks(site: &Site) -> Value {
    site.anonymous().get("/readyz").await.has(200).json()["checks"].clone()
}

async fn a_mail_server_that_is_away_is_told(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    assert_eq!(checks(&site).await.get("mail"), None, "mail that is kept here goes to no place");
    site.server.stop();
    let env = [("SETTINGS_MAIL", Some("smtp://127.0.0.1:9")), ("SETTINGS_MAIL_FROM", Some("settings@example.org"))];
    let site = site.through(site.home.serve(&env));
    let tenant = tenant.at(&site);
    assert_eq!(checks(&site).await["mail"], "not asked yet");
    tenant.invite(&format!("ada.{}@example.org", unique()), "viewer").await;
    eventually("the mail server to be called away", async || {
        (checks(&site).await["mail"] == "unavailable").then_some(())
    })
    .await;
    let doctor = String::from_utf8_lossy(&site.home.run(&["doctor"], &env).stdout).into_owned();
    assert!(doctor.contains("FAULT  mail: 127.0.0.1:9 does not accept connections"), "{doctor}");
    let ses = [
        ("SETTINGS_MAIL", Some("ses")),
        ("SETTINGS_MAIL_FROM", Some("settings@example.org")),
        ("AWS_REGION", Some("eu-central-1")),
        ("AWS_ENDPOINT_URL", Some(NOBODY)),
        ("AWS_ACCESS_KEY_ID", Some("AKIAIOSFODNN7EXAMPLE")),
        ("AWS_SECRET_ACCESS_KEY", Some("hunter2")),
        ("AWS_EC2_METADATA_DISABLED", Some("true")),
    ];
    let doctor = String::from_utf8_lossy(&site.home.run(&["doctor"], &ses).stdout).into_owned();
    assert!(doctor.contains("FAULT  mail: AWS SES can't be reached"), "{doctor}");
    assert!(!doctor.contains("hunter2"), "{doctor}");
}

async fn a_slack_that_is_away_is_told(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    assert_eq!(checks(&site).await["slack"], "not asked yet");
    slack.connect(&tenant).await;
    assert_eq!(checks(&site).await["slack"], "ok");
    tenant.tell_on("run_failed", &["slack"]).await;
    slack.answers("fatal_error");
    tenant.tells("run_failed").await;
    eventually("Slack to be called away", async || (checks(&site).await["slack"] == "unavailable").then_some(())).await;
    let away =
        [("SLACK_CLIENT_ID", Some("1.1")), ("SLACK_CLIENT_SECRET", Some("hunter2")), ("SLACK_API_BASE", Some(NOBODY))];
    let doctor = String::from_utf8_lossy(&site.home.run(&["doctor"], &away).stdout).into_owned();
    assert!(doctor.contains("FAULT  slack: Slack cannot be reached"), "{doctor}");
    assert!(!doctor.contains("hunter2"), "{doctor}");
    assert_eq!(json!(tenant.deliveries("&status=failed").await), json!([]), "what waits is not given up");
}
