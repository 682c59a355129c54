//! The ledger of what was sent.
use crate::stage::Stage;
use http::StatusCode;
use settings_domain::policy::Role;

const PAGE: &str = "/acme/settings/deliveries";

#[tokio::test]
async fn deliveries_are_listed_by_status_and_channel() {
    let (stage, admin) = Stage::new().await;
    assert!(stage.get(Some(&admin), PAGE).await.text.contains("Nothing was sent yet"));
    stage.webhook(&admin, "https://hooks.example/in").await;
    for channel in ["email", "webhook"] {
        stage.post(&admin, "/acme/settings/notifications/test", &[("channel", channel)]).await;
    }
    let rows = |text: &str| text.matches("class=\"c-what\"").count();
    for (query, expected) in [
        ("", 2),
        ("?status=pending", 2),
        ("?status=failed", 0),
        ("?channel=webhook", 1),
        ("?channel=slack", 0),
        ("?status=nonsense&channel=none", 2),
    ] {
        let shown = stage.get(Some(&admin), &format!("{PAGE}{query}")).await;
        assert_eq!(rows(&shown.text), expected, "{query}");
        assert_eq!(shown.text.contains("No delivery matches"), expected == 0, "{query}");
    }
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("hooks.example") && shown.text.contains("admin@acme.example"));
}

#[tokio::test]
async fn who_may_not_read_members_is_told_no_names_and_retries_nothing() {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, "/acme/settings/notifications/test", &[("channel", "email")]).await;
    let id = stage.deliveries(&admin).await[0].delivery.id;
    let viewer = stage.member(&admin, "viewer@people.example", Role::Viewer).await;
    assert_eq!(stage.get(Some(&viewer), &format!("{PAGE}/{id}")).await.status, StatusCode::FORBIDDEN);
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    assert_eq!(stage.get(Some(&editor), &format!("{PAGE}/{id}")).await.status, StatusCode::OK);
    let refused = stage.post(&editor, &format!("{PAGE}/{id}/retry"), &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn only_what_was_given_up_is_retried() {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, "/acme/settings/notifications/test", &[("channel", "email")]).await;
    let id = stage.deliveries(&admin).await[0].delivery.id;
    let shown = stage.get(Some(&admin), &format!("{PAGE}/{id}")).await;
    assert!(shown.text.contains("It was not tried yet.") && !shown.text.contains("Retry now"));
    let refused = stage.post(&admin, &format!("{PAGE}/{id}/retry"), &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("Only a delivery that was given up can be retried"));
    let unknown = "0190b3a0-0000-7000-8000-000000000001";
    assert_eq!(stage.get(Some(&admin), &format!("{PAGE}/{unknown}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.post(&admin, &format!("{PAGE}/{unknown}/retry"), &[]).await.status, StatusCode::NOT_FOUND);
}
