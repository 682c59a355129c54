//! Somebody leaves: one page says what ends, what stays and who takes over, and one button does it.
use crate::stage::{Browser, Stage};
use http::StatusCode;
use settings_domain::policy::{EventType, Role};

const NOTIFICATIONS: &str = "/acme/settings/notifications";

/// A leaver with a key and an open invitation, named as recipient of an event and of the digest.
async fn leaver(stage: &Stage, admin: &Browser) -> (Browser, String) {
    let whom = stage.member(admin, "leaver@people.example", Role::Admin).await;
    stage.key(&whom, "Left behind", "runs:read").await;
    stage.invite(&whom, "waiting@people.example").await;
    stage.invite(admin, "of-somebody-else@people.example").await;
    let shown = stage.get(Some(admin), NOTIFICATIONS).await;
    let form = [
        ("version", crate::stage::value(&shown.text, "version")),
        ("run_failed", "email"),
        ("run_failed-recipients", "oncall@people.example\nLeaver@people.example"),
        ("approval_requested", "email"),
        ("workflow_deployed", "email"),
        ("mcp_server_degraded", "email"),
        ("secret_rotated", "email"),
    ];
    assert_eq!(stage.post(admin, NOTIFICATIONS, &form).await.status, StatusCode::SEE_OTHER);
    let digest = [
        ("version", "0"),
        ("enabled", "yes"),
        ("frequency", "daily"),
        ("hour", "8"),
        ("risk", "high"),
        ("recipients", "leaver@people.example"),
    ];
    assert_eq!(stage.post(admin, "/acme/settings/audit-digest", &digest).await.status, StatusCode::SEE_OTHER);
    let path = format!("/acme/settings/members/{}/remove", whom.user);
    (whom, path)
}

async fn recipients(stage: &Stage, admin: &Browser) -> (Vec<String>, Vec<String>) {
    let events = stage.notifications(admin).await.of(EventType::RunFailed).recipients;
    let digest = stage.digest(admin).await.settings.recipients;
    (
        events.iter().map(|r| r.email.as_str().to_owned()).collect(),
        digest.iter().map(|e| e.as_str().to_owned()).collect(),
    )
}

#[tokio::test]
async fn one_page_says_what_ends_what_stays_and_who_takes_over() {
    let (stage, admin) = Stage::new().await;
    let (_, path) = leaver(&stage, &admin).await;
    let shown = stage.get(Some(&admin), &path).await.text;
    for told in [
        "1 open invitation of theirs is taken back: <bdi>waiting@people.example</bdi>",
        "Left behind",
        "<code class=\"scope\">runs:read</code>",
        "Run failed, Audit digest",
        "I get them",
        "Take the address off the lists",
        "stays in the audit log",
    ] {
        assert!(shown.contains(told), "{told}\n{shown}");
    }
    assert!(!shown.contains("of-somebody-else@people.example"), "what others sent is not theirs");
}

#[tokio::test]
async fn mails_are_handed_over_with_the_removal() {
    let (stage, admin) = Stage::new().await;
    let (whom, path) = leaver(&stage, &admin).await;
    let done = stage.post(&admin, &path, &[("mails", &admin.user.to_string())]).await;
    assert_eq!(done.location(), "/acme/settings/api-keys?creator=departed");
    let (events, digest) = recipients(&stage, &admin).await;
    assert_eq!(events, ["oncall@people.example", "admin@acme.example"]);
    assert_eq!(digest, ["admin@acme.example"]);
    assert_eq!(stage.members(&admin).await, ["admin@acme.example admin"]);
    assert_eq!(stage.get(Some(&whom), NOTIFICATIONS).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mails_are_left_alone_unless_somebody_chooses() {
    let (stage, admin) = Stage::new().await;
    let (_, path) = leaver(&stage, &admin).await;
    stage.post(&admin, &path, &[("keys", "revoke"), ("mails", "keep")]).await;
    let (events, digest) = recipients(&stage, &admin).await;
    assert_eq!((events.len(), digest.len()), (2, 1));
    assert_eq!(stage.events(&admin, "api_key.revoked").await, 1);
}

#[tokio::test]
async fn a_choice_that_can_not_be_kept_removes_nobody() {
    let (stage, admin) = Stage::new().await;
    let (_, path) = leaver(&stage, &admin).await;
    // The digest is on and has nobody else: an empty list is refused, beside the choice.
    for (wrong, why) in [("off", "recipient"), ("somebody", "Choose who gets the mails.")] {
        let shown = stage.post(&admin, &path, &[("mails", wrong), ("keys", "revoke")]).await;
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        let said = shown.text.split("id=\"mails-error\"").nth(1).unwrap_or_default();
        assert!(said.split("</p>").next().is_some_and(|said| said.contains(why)), "{wrong}: {said}");
        assert!(shown.text.contains("value=\"revoke\" checked"), "what was ticked stays: {}", shown.text);
        assert_eq!(stage.members(&admin).await.len(), 2);
    }
    let (events, digest) = recipients(&stage, &admin).await;
    assert_eq!((events.len(), &*digest), (2, &["leaver@people.example".to_owned()][..]), "nothing was handed over");
}

#[tokio::test]
async fn a_member_who_changed_meanwhile_is_looked_at_again() {
    let (stage, admin) = Stage::new().await;
    let (whom, path) = leaver(&stage, &admin).await;
    let role = format!("/acme/settings/members/{}/role", whom.user);
    stage.post(&admin, &role, &[("role", "viewer")]).await;
    let form = [("version", "1"), ("mails", &*admin.user.to_string())];
    let shown = stage.post(&admin, &path, &form).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_FAILED);
    assert!(shown.text.contains("they are Viewer now"));
    assert_eq!(recipients(&stage, &admin).await.1, ["leaver@people.example"], "and nothing was handed over");
}
