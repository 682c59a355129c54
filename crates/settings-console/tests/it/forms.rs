//! What forms keep, say and do.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::policy::Role;

const WORKSPACE: &str = "/acme/settings/workspace";

fn general<'a>(name: &'a str, retention: &'a str, seats: &'a str, version: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("name", name), ("region", "eu-central-1"), ("retention", retention), ("seats", seats), ("version", version)]
}

#[tokio::test]
async fn every_fault_is_said_at_once_and_what_was_typed_stays() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.post(&admin, WORKSPACE, &general(" ", "abc", "0", "1")).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    for fault in ["name-error", "retention-error", "seats-error"] {
        assert!(shown.text.contains(&format!("id=\"{fault}\"")), "{fault}");
    }
    assert_eq!(value(&shown.text, "retention"), "abc".to_owned().as_str());
}

#[tokio::test]
async fn a_lower_retention_is_confirmed_for_exactly_what_it_deletes() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.post(&admin, WORKSPACE, &general("Acme", "60", "25", "1")).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(shown.text.contains("run data older than 60 days"));
    let digest = value(&shown.text, "confirm-digest").to_owned();
    let mut other = general("Acme", "50", "25", "1");
    other.push(("confirm-digest", &digest));
    assert_eq!(
        stage.post(&admin, WORKSPACE, &other).await.status,
        StatusCode::PRECONDITION_REQUIRED,
        "another cut wants another word"
    );
    let mut same = general("Acme", "60", "25", "1");
    same.push(("confirm-digest", &digest));
    assert_eq!(stage.post(&admin, WORKSPACE, &same).await.location(), WORKSPACE);
    assert_eq!(value(&stage.get(Some(&admin), WORKSPACE).await.text, "retention"), "60");
}

#[tokio::test]
async fn an_aged_form_shows_both_versions_and_saves_with_the_next() {
    let (stage, admin) = Stage::new().await;
    assert_eq!(stage.post(&admin, WORKSPACE, &general("Theirs", "90", "25", "1")).await.status, StatusCode::SEE_OTHER);
    let shown = stage.post(&admin, WORKSPACE, &general("Mine", "90", "25", "1")).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_FAILED);
    assert!(shown.text.contains("<bdi>Theirs</bdi>") && shown.text.contains("<bdi>Mine</bdi>"));
    let version = value(&shown.text, "version").to_owned();
    assert_eq!(
        stage.post(&admin, WORKSPACE, &general("Mine", "90", "25", &version)).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(value(&stage.get(Some(&admin), WORKSPACE).await.text, "name"), "Mine");
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let (stage, admin) = Stage::new().await;
    let path = format!("/acme/settings/members/{}", admin.user);
    let shown = stage.post(&admin, &format!("{path}/role"), &[("role", "viewer")]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.text.contains("last admin"));
    let shown = stage.post(&admin, &format!("{path}/remove"), &[]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert_eq!(stage.members(&admin).await, ["admin@acme.example admin"]);
}

#[tokio::test]
async fn an_invitation_to_a_member_keeps_the_form() {
    let (stage, admin) = Stage::new().await;
    let path = "/acme/settings/members/invite";
    let shown = stage.post(&admin, path, &[("email", "admin@acme.example"), ("role", "viewer")]).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.text.contains("id=\"email-error\"") && shown.text.contains("value=\"admin@acme.example\""));
    let shown = stage.post(&admin, path, &[("email", "no address"), ("role", "owner")]).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.text.contains("id=\"email-error\"") && shown.text.contains("Choose a role."), "both faults at once");
}

#[tokio::test]
async fn a_key_is_shown_this_once_and_made_once() {
    let (stage, admin) = Stage::new().await;
    let form = [("name", "CI"), ("scope", "runs:read"), ("scope", "secrets:read"), ("once", "form-1")];
    let path = "/acme/settings/api-keys/new";
    let shown = stage.post(&admin, path, &form).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    let key = shown.text.split("autocomplete=\"off\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(stage.app.ports().mint.parse_api_key(&key).is_some(), "{key}");
    let again = stage.post(&admin, path, &form).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let other = [("name", "Other"), ("scope", "runs:read"), ("once", "form-1")];
    assert_eq!(stage.post(&admin, path, &other).await.status, StatusCode::CONFLICT);
    assert_eq!(stage.key_names(&admin).await, ["CI"]);
    for page in [
        "api-keys",
        "api-keys?creator=departed",
        "api-keys/new",
        "audit-log",
        "audit-log/1",
        "audit-log/2",
        "audit-log/verify",
        "audit-log/export",
        "members",
        "sessions",
    ] {
        let shown = stage.get(Some(&admin), &format!("/acme/settings/{page}")).await;
        assert!(!shown.text.contains(&key), "{page}");
        assert!(!shown.text.contains(&admin.token), "{page} holds the session's token");
    }
    assert!(!again.text.contains(&key));
}

#[tokio::test]
async fn a_key_that_is_in_use_is_revoked_only_when_its_loss_is_confirmed() {
    let (stage, admin) = Stage::new().await;
    let (id, _) = stage.key(&admin, "CI", "runs:read").await;
    let (workspace, now) = (stage.workspace(&admin).await, stage.store.now());
    stage.app.saw_key(workspace, id.parse().unwrap(), now);
    let path = format!("/acme/settings/api-keys/{id}/revoke");
    let shown = stage.post(&admin, &path, &[]).await;
    assert_eq!(shown.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(shown.text.contains("used in the last 24 hours") && shown.text.contains("Revoke anyway"));
    let digest = value(&shown.text, "confirm-digest").to_owned();
    assert_eq!(
        stage.post(&admin, &path, &[("confirm-digest", "0000")]).await.status,
        StatusCode::PRECONDITION_REQUIRED
    );
    assert_eq!(stage.post(&admin, &path, &[("confirm-digest", &digest)]).await.location(), "/acme/settings/api-keys");
    let shown = stage.get(Some(&admin), "/acme/settings/api-keys").await;
    assert!(shown.text.contains("Revoked ") && !shown.text.contains(&path));
}

#[tokio::test]
async fn leaving_shows_the_keys_and_can_take_them_along() {
    let (stage, admin) = Stage::new().await;
    let leaver = stage.member(&admin, "leaver@people.example", Role::Admin).await;
    let (key, _) = stage.key(&leaver, "Left behind", "runs:read").await;
    let path = format!("/acme/settings/members/{}/remove", leaver.user);
    let shown = stage.get(Some(&admin), &path).await;
    assert!(shown.text.contains("Left behind") && shown.text.contains("Also revoke"));
    let shown = stage.post(&admin, &path, &[]).await;
    assert_eq!(shown.location(), "/acme/settings/api-keys?creator=departed");
    let shown = stage.get(Some(&admin), shown.location()).await;
    assert!(shown.text.contains("Left behind") && shown.text.contains(&format!("api-keys/{key}/revoke")));
    assert_eq!(stage.get(Some(&leaver), WORKSPACE).await.status, StatusCode::NOT_FOUND, "from the next page on");
}

#[tokio::test]
async fn an_environment_is_deleted_by_its_name_and_production_never() {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, "/acme/settings/environments/new", &[("name", "staging"), ("tier", "staging")]).await;
    let environments = stage.environments(&admin).await;
    for (id, name) in &environments {
        let path = format!("/acme/settings/environments/{id}/delete");
        let wrong = stage.post(&admin, &path, &[("confirm", "Staging")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        let right = stage.post(&admin, &path, &[("confirm", name)]).await;
        let expected = if name == "production" { StatusCode::CONFLICT } else { StatusCode::SEE_OTHER };
        assert_eq!(right.status, expected, "{name}");
    }
    let left: Vec<_> = stage.environments(&admin).await.into_iter().map(|(_, n)| n).collect();
    assert_eq!(left, ["production"]);
}

#[tokio::test]
async fn what_was_done_is_said_once_and_to_its_doer() {
    let (stage, admin) = Stage::new().await;
    let done = stage.post(&admin, "/acme/settings/environments/new", &[("name", "staging"), ("tier", "staging")]).await;
    let flash = done.cookies().into_iter().find(|c| c.starts_with("__Host-settings-flash=")).unwrap();
    assert!(!flash.contains("staging"), "it is not in clear text: {flash}");
    let flash = flash.split(';').next().unwrap().to_owned();
    let look = |who: String| {
        let cookies = format!("__Host-settings={who}; {flash}");
        let request = http::Request::get("/acme/settings/environments").header("cookie", cookies);
        stage.send(request.body(axum::body::Body::empty()).unwrap())
    };
    let shown = look(admin.token.clone()).await;
    assert!(shown.text.contains("Environment staging created.") && shown.cookies()[0].contains("Max-Age=0"));
    let other = stage.member(&admin, "other@people.example", Role::Viewer).await;
    assert!(!look(other.token).await.text.contains("Environment staging created."));
}
