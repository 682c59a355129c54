//! Erasing a person: asked for on a page of its own, confirmed by the address, and answered with a receipt.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::policy::Role;

#[tokio::test]
async fn an_erasure_is_confirmed_by_the_address_and_shows_its_receipt() {
    let (stage, admin) = Stage::new().await;
    let whom = stage.member(&admin, "leaver@people.example", Role::Admin).await;
    let (key, _) = stage.key(&whom, "Left behind", "runs:read").await;
    let path = format!("/acme/settings/members/{}/erase", whom.user);
    let list = stage.get(Some(&admin), "/acme/settings/members").await;
    assert!(list.text.contains(&format!("href=\"{path}\"")) && list.text.contains("Erase personal data…"));
    let shown = stage.get(Some(&admin), &path).await;
    assert!(shown.text.contains("can’t be undone") && shown.text.contains("Left behind"), "what stays is listed");
    assert!(shown.text.contains("<code>leaver@people.example</code>"), "what is to be typed");
    let once = value(&shown.text, "once").to_owned();

    let wrong = stage.post(&admin, &path, &[("once", &once), ("confirm", "admin@acme.example")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("id=\"confirm-error\""));
    assert_eq!(stage.members(&admin).await.len(), 2, "nobody was erased");
    let once = value(&wrong.text, "once").to_owned();

    let done = stage.post(&admin, &path, &[("once", &once), ("confirm", " Leaver@people.example ")]).await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.text.contains("Personal data erased") && done.text.contains("erasure/"), "{}", done.text);
    assert!(done.text.contains("Left behind") && !done.text.contains("leaver@people.example"));
    assert_eq!(stage.members(&admin).await, ["admin@acme.example admin"]);
    // The same form again is the same call.
    let again = stage.post(&admin, &path, &[("once", &once), ("confirm", " Leaver@people.example ")]).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(stage.events(&admin, "member.erased").await, 1);
    let other = stage.post(&admin, &path, &[("confirm", "leaver@people.example")]).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert!(other.text.contains("Already erased"));
    assert_eq!(
        stage.get(Some(&whom), "/acme/settings/workspace").await.status,
        StatusCode::SEE_OTHER,
        "the session is over"
    );
    let keys = stage.get(Some(&admin), "/acme/settings/api-keys?creator=departed").await;
    assert!(keys.text.contains(&format!("api-keys/{key}/revoke")), "the key is among those of people who left");
    let log = stage.get(Some(&admin), "/acme/settings/audit-log").await;
    assert!(!log.text.contains("leaver@people.example") && !log.text.contains(&whom.user.to_string()));
}

#[tokio::test]
async fn former_members_are_listed_and_can_be_erased() {
    let (stage, admin) = Stage::new().await;
    let whom = stage.member(&admin, "gone@people.example", Role::Viewer).await;
    stage.post(&admin, &format!("/acme/settings/members/{}/remove", whom.user), &[]).await;
    let path = format!("/acme/settings/members/{}/erase", whom.user);
    assert!(!stage.get(Some(&admin), "/acme/settings/members").await.text.contains(&path));
    let former = stage.get(Some(&admin), "/acme/settings/members?state=former").await;
    assert!(former.text.contains("Former members") && former.text.contains(&path));
    assert!(!former.text.contains(&format!("members/{}/remove", whom.user)), "nobody is removed twice");
    let done = stage.post(&admin, &path, &[("confirm", "gone@people.example")]).await;
    assert_eq!(done.status, StatusCode::OK);
    let former = stage.get(Some(&admin), "/acme/settings/members?state=former").await;
    assert!(!former.text.contains(&path) && former.text.contains("Nobody was removed"));
}

#[tokio::test]
async fn the_last_admin_is_not_erased() {
    let (stage, admin) = Stage::new().await;
    let path = format!("/acme/settings/members/{}/erase", admin.user);
    let shown = stage.post(&admin, &path, &[("confirm", "admin@acme.example")]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.text.contains("last admin"));
    assert_eq!(stage.members(&admin).await, ["admin@acme.example admin"]);
}
