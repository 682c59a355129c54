//! Which events reach the team, and where.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::{
    notifications::Channel,
    policy::{EventType, Role},
};
use std::collections::BTreeSet;

const PAGE: &str = "/acme/settings/notifications";

/// The whole form with everything as it is at first, but for one event.
fn form<'a>(kind: &'a str, channels: &[&'a str], recipients: &'a str, version: &'a str) -> Vec<(String, &'a str)> {
    let others = EventType::ALL.iter().filter(|e| e.name() != kind).map(|e| (e.name().to_owned(), "email"));
    let own = channels.iter().map(|c| (kind.to_owned(), *c));
    others.chain(own).chain([(format!("{kind}-recipients"), recipients), ("version".to_owned(), version)]).collect()
}

async fn post(stage: &Stage, who: &crate::stage::Browser, form: &[(String, &str)]) -> crate::stage::Shown {
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    stage.post(who, PAGE, &form).await
}

#[tokio::test]
async fn a_channel_that_is_not_set_up_cannot_be_ticked_and_says_why() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("There is no active Slack connection. Create one in Connections."));
    assert!(shown.text.contains("There is no webhook subscription. Add one in Webhooks."));
    assert_eq!(shown.text.matches(" disabled aria-describedby=\"why-slack\"").count(), 5, "{}", shown.text);
    assert_eq!(shown.text.matches(" disabled aria-describedby=\"why-webhook\"").count(), 5);
    assert_eq!(shown.text.matches("value=\"email\" checked>").count(), 5);
    let refused = post(&stage, &admin, &form("run_failed", &["slack"], "", "0")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("The channel slack needs an active Slack connection"));
    assert_eq!(stage.notifications(&admin).await.version, 0);
}

#[tokio::test]
async fn channels_and_recipients_are_chosen_by_event() {
    let (stage, admin) = Stage::new().await;
    stage.webhook(&admin, "https://hooks.example/in").await;
    let people = "oncall@acme.example\r\n\r\n  ONCALL@acme.example \r\nsec@acme.example\r\n";
    let done = post(&stage, &admin, &form("run_failed", &["webhook"], people, "0")).await;
    assert_eq!(done.location(), PAGE, "{}", done.text);
    let settings = stage.notifications(&admin).await;
    let chosen = settings.of(EventType::RunFailed);
    assert_eq!(chosen.channels, BTreeSet::from([Channel::Webhook]));
    let named: Vec<_> = chosen.recipients.iter().map(|r| r.email.as_str()).collect();
    assert_eq!(named, ["oncall@acme.example", "sec@acme.example"]);
    assert_eq!(settings.chosen().len(), 1, "events that stay are not named");
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("\noncall@acme.example\nsec@acme.example</textarea>"));
    // Nowhere at all is a choice too.
    let done = post(&stage, &admin, &form("run_failed", &[], "", "1")).await;
    assert_eq!(done.location(), PAGE, "{}", done.text);
    assert!(stage.notifications(&admin).await.of(EventType::RunFailed).channels.is_empty());
}

#[tokio::test]
async fn a_wrong_address_is_named_by_its_line_and_everything_stays_as_typed() {
    let (stage, admin) = Stage::new().await;
    let shown = post(&stage, &admin, &form("secret_rotated", &[], "a@b.example\n<i>nobody", "0")).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.text.contains("id=\"secret_rotated-recipients-error\"") && shown.text.contains("Line 2: "));
    assert!(shown.text.contains("\na@b.example\n&lt;i&gt;nobody</textarea>"));
    assert!(shown.text.contains("name=\"secret_rotated\" value=\"email\">"), "an unticked box stays so");
    let many = (0..51).map(|n| format!("p{n}@acme.example")).collect::<Vec<_>>().join("\n");
    let shown = post(&stage, &admin, &form("secret_rotated", &[], &many, "0")).await;
    assert!(shown.text.contains("At most 50 addresses."));
}

#[tokio::test]
async fn an_aged_form_shows_both_versions_and_saves_with_the_next() {
    let (stage, admin) = Stage::new().await;
    post(&stage, &admin, &form("run_failed", &[], "theirs@acme.example", "0")).await;
    let shown = post(&stage, &admin, &form("run_failed", &["email"], "mine@acme.example", "0")).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_FAILED);
    assert!(shown.text.contains("nowhere; theirs@acme.example") && shown.text.contains("email; mine@acme.example"));
    let version = value(&shown.text, "version").to_owned();
    assert_eq!(
        post(&stage, &admin, &form("run_failed", &["email"], "mine@acme.example", &version)).await.location(),
        PAGE
    );
}

#[tokio::test]
async fn a_chosen_channel_that_stopped_working_can_be_dropped_and_others_saved_beside_it() {
    let (stage, admin) = Stage::new().await;
    let id = stage.webhook(&admin, "https://hooks.example/in").await;
    post(&stage, &admin, &form("run_failed", &["email", "webhook"], "", "0")).await;
    let off = [("status", "disabled"), ("version", "1")];
    stage.post(&admin, &format!("/acme/settings/webhooks/{id}/status"), &off).await;
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("Every webhook subscription is disabled. Enable one in Webhooks."));
    assert!(shown.text.contains("name=\"run_failed\" value=\"webhook\" checked aria-describedby=\"why-webhook\""));
    let mut beside = form("secret_rotated", &[], "", "1");
    beside.push(("run_failed".to_owned(), "webhook"));
    assert_eq!(post(&stage, &admin, &beside).await.location(), PAGE);
    assert!(stage.notifications(&admin).await.of(EventType::RunFailed).channels.contains(&Channel::Webhook));
    assert_eq!(post(&stage, &admin, &form("run_failed", &["email"], "", "2")).await.location(), PAGE);
}

#[tokio::test]
async fn a_test_is_queued_once_and_leads_to_its_delivery() {
    let (stage, admin) = Stage::new().await;
    let asked = stage.get(Some(&admin), &format!("{PAGE}/test?channel=email")).await;
    assert!(asked.text.contains("admin@acme.example"));
    let once = value(&asked.text, "once").to_owned();
    let form = [("channel", "email"), ("once", once.as_str())];
    let done = stage.post(&admin, &format!("{PAGE}/test"), &form).await;
    let again = stage.post(&admin, &format!("{PAGE}/test"), &form).await;
    let all = stage.deliveries(&admin).await;
    assert_eq!(all.len(), 1, "the same form again sends nothing");
    assert_eq!(done.location(), format!("/acme/settings/deliveries/{}", all[0].delivery.id));
    assert_eq!(again.location(), done.location());
    let refused = stage.post(&admin, &format!("{PAGE}/test"), &[("channel", "slack")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("This channel is not ready"));
    let asked = stage.get(Some(&admin), &format!("{PAGE}/test?channel=webhook")).await;
    assert!(asked.text.contains("There is no webhook subscription.") && !asked.text.contains("Send test"));
}

#[tokio::test]
async fn an_editor_sees_the_choices_and_whom_to_ask() {
    let (stage, admin) = Stage::new().await;
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    let shown = stage.get(Some(&editor), PAGE).await;
    assert!(shown.text.contains("You can see these settings, but not change them."));
    assert!(shown.text.contains("admin@acme.example") && !shown.text.contains("Save changes"));
    assert_eq!(shown.text.matches("type=\"checkbox\"").count(), 15);
    assert_eq!(shown.text.matches("value=\"email\" checked disabled").count(), 5);
}
