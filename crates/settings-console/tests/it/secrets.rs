//! Secrets: kept from every page but the one that reveals, once, with an event before it.
use crate::stage::{Browser, Stage, value};
use http::StatusCode;
use settings_domain::references::UsedKind;

const SECRET: &str = "canary-91bd <&>";
/// As markup shows it.
const SHOWN: &str = "canary-91bd &lt;&amp;&gt;";

async fn with_secret(environment: &str) -> (Stage, Browser, String) {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, "/acme/settings/environments/new", &[("name", "staging"), ("tier", "staging")]).await;
    let id = stage.secret(&admin, environment, "Stripe", SECRET).await;
    (stage, admin, format!("/acme/settings/secrets/{id}"))
}

#[tokio::test]
async fn a_reveal_shows_the_value_this_once_and_leaves_its_event() {
    let (stage, admin, path) = with_secret("production").await;
    let reveal = format!("{path}/reveal");
    let asked = stage.get(Some(&admin), &reveal).await;
    assert!(asked.text.contains("secret.accessed") && !asked.text.contains("canary"));
    assert_eq!(stage.events(&admin, "secret.accessed").await, 0, "looking at the question is no access");
    let once = value(&asked.text, "once").to_owned();
    let shown = stage.post(&admin, &reveal, &[("once", &once)]).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.text.contains(SHOWN), "{}", shown.text);
    assert_eq!(shown.headers.get("cache-control").unwrap(), "no-store");
    assert!(shown.cookies().is_empty());
    let again = stage.post(&admin, &reveal, &[("once", &once)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "the same form again shows nothing");
    assert!(!again.text.contains("canary"));
    assert_eq!(stage.events(&admin, "secret.accessed").await, 1);
    let id = path.rsplit('/').next().unwrap();
    for page in
        ["secrets", "secrets?env=production", "secrets/new", "audit-log", "audit-log/2", "audit-log/3", "audit-log/4"]
    {
        assert!(!stage.get(Some(&admin), &format!("/acme/settings/{page}")).await.text.contains("canary"), "{page}");
    }
    for verb in ["rotate", "seal", "delete", "reveal"] {
        let shown = stage.get(Some(&admin), &format!("/acme/settings/secrets/{id}/{verb}")).await;
        assert!(shown.status == StatusCode::OK && !shown.text.contains("canary"), "{verb}");
    }
}

#[tokio::test]
async fn a_value_is_shown_as_it_was_typed_first_line_and_all() {
    let (stage, admin, _) = with_secret("staging").await;
    let id = stage.secret(&admin, "staging", "Certificate", "\r\n-----BEGIN\r\n</textarea>\r\n").await;
    let shown = stage.post(&admin, &format!("/acme/settings/secrets/{id}/reveal"), &[]).await;
    // A parser drops the first line feed of a text area.
    assert!(shown.text.contains(">\n\n-----BEGIN\n&lt;/textarea&gt;\n</textarea>"), "{}", shown.text);
}

#[tokio::test]
async fn who_may_not_reveal_is_shown_nothing_and_leaves_no_access() {
    let (stage, admin, path) = with_secret("staging").await;
    let editor = stage.member(&admin, "editor@people.example", settings_domain::policy::Role::Editor).await;
    let shown = stage.post(&editor, &format!("{path}/reveal"), &[]).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert!(!shown.text.contains("canary"));
    let foreign = [("sec-fetch-site", "cross-site")];
    let shown = stage.post_from(Some(&admin), &format!("{path}/reveal"), &[], &foreign).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.events(&admin, "secret.accessed").await, 0);
}

#[tokio::test]
async fn a_sealed_secret_is_never_shown_again() {
    let (stage, admin, path) = with_secret("staging").await;
    let asked = stage.get(Some(&admin), &format!("{path}/seal")).await;
    assert!(asked.text.contains("This can’t be undone."));
    let version = value(&asked.text, "version").to_owned();
    let done = stage.post(&admin, &format!("{path}/seal"), &[("version", &version)]).await;
    assert_eq!(done.location(), "/acme/settings/secrets?env=staging");
    for shown in [
        stage.get(Some(&admin), &format!("{path}/reveal")).await,
        stage.post(&admin, &format!("{path}/reveal"), &[("once", "x")]).await,
    ] {
        assert_eq!(shown.status, StatusCode::CONFLICT);
        assert!(shown.text.contains("This secret is sealed") && !shown.text.contains("canary"));
    }
    let list = stage.get(Some(&admin), "/acme/settings/secrets").await;
    assert!(list.text.contains("Sealed") && !list.text.contains("/reveal\"") && !list.text.contains("/seal\""));
    assert_eq!(stage.events(&admin, "secret.accessed").await, 0);
}

#[tokio::test]
async fn a_secret_in_production_is_rotated_by_confirming_without_typing_it_again() {
    let (stage, admin, path) = with_secret("production").await;
    let rotate = format!("{path}/rotate");
    let empty = stage.post(&admin, &rotate, &[("value", ""), ("version", "1")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let asked = stage.post(&admin, &rotate, &[("value", "fresh-canary"), ("version", "1")]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("Rotate anyway") && !asked.text.contains("canary"));
    let (digest, draft) = (value(&asked.text, "confirm-digest"), value(&asked.text, "value-draft"));
    let form = [("value-draft", draft), ("confirm-digest", digest), ("version", "1")];
    assert_eq!(stage.post(&admin, &rotate, &form).await.location(), "/acme/settings/secrets?env=production");
    let shown = stage.post(&admin, &format!("{path}/reveal"), &[]).await;
    assert!(shown.text.contains("\nfresh-canary</textarea>"));
    let stale = stage.post(&admin, &rotate, &[("value", "other"), ("version", "1")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.text.contains("Somebody changed this secret meanwhile."));
}

#[tokio::test]
async fn what_uses_a_secret_is_named_before_it_goes() {
    let (stage, admin, path) = with_secret("staging").await;
    stage.uses(&admin, "Charge customers", UsedKind::Secret, path.rsplit('/').next().unwrap()).await;
    assert!(stage.get(Some(&admin), "/acme/settings/secrets").await.text.contains("Charge customers"));
    assert!(stage.get(Some(&admin), &format!("{path}/rotate")).await.text.contains("Charge customers"));
    let asked = stage.post(&admin, &format!("{path}/delete"), &[]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("Charge customers") && asked.text.contains("Delete anyway"));
    let digest = value(&asked.text, "confirm-digest").to_owned();
    let done = stage.post(&admin, &format!("{path}/delete"), &[("confirm-digest", &digest)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(stage.secrets(&admin).await.is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_keeps_the_form_and_the_value() {
    let (stage, admin, _) = with_secret("staging").await;
    let staging = stage.environments(&admin).await.into_iter().find(|(_, n)| n == "staging").unwrap().0;
    let path = "/acme/settings/secrets/new";
    let form = [("name", "Stripe"), ("value", SECRET), ("environment", staging.as_str()), ("sealed", "yes")];
    let shown = stage.post(&admin, path, &form).await;
    assert_eq!(shown.status, StatusCode::CONFLICT);
    assert!(shown.text.contains("id=\"name-error\"") && !shown.text.contains("canary"));
    let draft = value(&shown.text, "value-draft").to_owned();
    let form = [("name", "Second"), ("value-draft", &draft), ("environment", staging.as_str()), ("sealed", "yes")];
    assert_eq!(stage.post(&admin, path, &form).await.status, StatusCode::SEE_OTHER);
    assert!(stage.secrets(&admin).await.iter().any(|s| s.name.as_str() == "Second" && s.sealed));
}
