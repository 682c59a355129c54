//! Webhooks, and their secrets, which are shown once.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::webhook_subscriptions::SubscriptionStatus;

const PAGE: &str = "/acme/settings/webhooks";
const URL: &str = "https://hooks.example/in";

/// What the text area of the one page holds.
fn secret(text: &str) -> String {
    let area = text.split("<textarea").nth(1).unwrap().split("</textarea>").next().unwrap();
    area.split('>').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_is_shown_when_it_is_made_and_nowhere_else() {
    let (stage, admin) = Stage::new().await;
    let asked = stage.get(Some(&admin), &format!("{PAGE}/new")).await;
    assert_eq!(asked.text.matches("name=\"event\"").count(), 5);
    let once = value(&asked.text, "once").to_owned();
    let form = [("url", URL), ("event", "run_failed"), ("event", "secret_rotated"), ("once", &once)];
    let shown = stage.post(&admin, &format!("{PAGE}/new"), &form).await;
    assert_eq!(shown.status, StatusCode::CREATED, "{}", shown.text);
    assert_eq!(shown.headers.get("cache-control").unwrap(), "no-store");
    assert!(shown.cookies().is_empty());
    let secret = secret(&shown.text);
    assert!(secret.starts_with("whsec_"), "{secret}");
    let again = stage.post(&admin, &format!("{PAGE}/new"), &form).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let there = stage.webhooks(&admin).await;
    assert_eq!((there.len(), there[0].events.len()), (1, 2));
    let id = there[0].id;
    let mut pages = vec![again.text];
    for page in ["", "/new"]
        .map(str::to_owned)
        .into_iter()
        .chain(["edit", "status", "rotate", "delete"].map(|v| format!("/{id}/{v}")))
    {
        pages.push(stage.get(Some(&admin), &format!("{PAGE}{page}")).await.text);
    }
    pages.push(stage.get(Some(&admin), "/acme/settings/audit-log").await.text);
    assert!(pages.iter().all(|text| !text.contains("whsec_") || !text.contains(&secret)));
    assert!(pages[1].contains("hooks.example") && pages[1].contains("Secret rotated"));
}

#[tokio::test]
async fn every_fault_is_said_beside_its_field() {
    let (stage, admin) = Stage::new().await;
    for (url, fault) in [("", "Enter the address"), ("http://hooks.example", "This URL can’t be used")] {
        let shown = stage.post(&admin, &format!("{PAGE}/new"), &[("url", url)]).await;
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(shown.text.contains(fault) && shown.text.contains("Choose at least one event."), "{url}");
    }
    assert!(stage.webhooks(&admin).await.is_empty());
}

#[tokio::test]
async fn rotating_gives_another_secret_and_says_how_long_both_count() {
    let (stage, admin) = Stage::new().await;
    let id = stage.webhook(&admin, URL).await;
    let rotate = format!("{PAGE}/{id}/rotate");
    let asked = stage.get(Some(&admin), &rotate).await;
    assert!(asked.text.contains("For 24 hours deliveries are signed with both"));
    let (once, version) = (value(&asked.text, "once").to_owned(), value(&asked.text, "version").to_owned());
    let form = [("once", once.as_str()), ("version", version.as_str())];
    let shown = stage.post(&admin, &rotate, &form).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert!(secret(&shown.text).starts_with("whsec_"));
    assert!(shown.text.contains("The secret of before is valid until"));
    assert_eq!(shown.headers.get("cache-control").unwrap(), "no-store");
    assert_eq!(stage.post(&admin, &rotate, &form).await.status, StatusCode::CONFLICT);
    let stale = stage.post(&admin, &rotate, &[("version", "1")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stage.get(Some(&admin), PAGE).await.text.contains("Signed with two secrets"));
    assert!(stage.get(Some(&admin), &rotate).await.text.contains("and ends now"));
}

#[tokio::test]
async fn a_webhook_is_changed_switched_off_and_deleted() {
    let (stage, admin) = Stage::new().await;
    let id = stage.webhook(&admin, URL).await;
    let at = |verb: &str| format!("{PAGE}/{id}/{verb}");
    let form = [("url", "https://other.example/x"), ("event", "approval_requested"), ("version", "1")];
    assert_eq!(stage.post(&admin, &at("edit"), &form).await.location(), PAGE);
    let stale = stage.post(&admin, &at("edit"), &[("url", URL), ("event", "run_failed"), ("version", "1")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.text.contains("https://other.example/x") && stale.text.contains("Approval requested"));
    let asked = stage.get(Some(&admin), &at("status")).await;
    assert_eq!(value(&asked.text, "status"), "disabled");
    let off = [("status", "disabled"), ("version", "2")];
    assert_eq!(stage.post(&admin, &at("status"), &off).await.location(), PAGE);
    assert_eq!(stage.webhooks(&admin).await[0].status, SubscriptionStatus::Disabled);
    assert_eq!(value(&stage.get(Some(&admin), &at("status")).await.text, "status"), "active");
    let gone = stage.post(&admin, &at("delete"), &[("version", "2")]).await;
    assert_eq!(gone.status, StatusCode::PRECONDITION_FAILED, "somebody changed it meanwhile");
    assert_eq!(stage.post(&admin, &at("delete"), &[("version", "3")]).await.location(), PAGE);
    assert!(stage.webhooks(&admin).await.is_empty());
    assert_eq!(stage.get(Some(&admin), &at("edit")).await.status, StatusCode::NOT_FOUND);
}
