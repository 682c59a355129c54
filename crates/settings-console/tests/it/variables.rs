//! Variables: what forms take, and that no page gives any of it back.
use crate::stage::{Browser, Shown, Stage, value};
use http::StatusCode;
use settings_domain::references::UsedKind;

const SECRET: &str = "canary-7f3a";

async fn with_staging() -> (Stage, Browser, String) {
    let (stage, admin) = Stage::new().await;
    stage.post(&admin, "/acme/settings/environments/new", &[("name", "staging"), ("tier", "staging")]).await;
    let staging = stage.environments(&admin).await.into_iter().find(|(_, n)| n == "staging").unwrap().0;
    (stage, admin, staging)
}

/// No page shows the value, not even the one that was asked with it.
fn silent(shown: &Shown) {
    assert!(!shown.text.contains(SECRET), "{}", shown.text);
    assert!(shown.headers.get("cache-control").is_some_and(|c| c == "no-store"));
}

#[tokio::test]
async fn a_value_goes_in_and_is_on_no_page() {
    let (stage, admin, staging) = with_staging().await;
    let form = [("name", "API_TOKEN"), ("value", SECRET), ("environment", staging.as_str()), ("once", "f1")];
    let made = stage.post(&admin, "/acme/settings/variables/new", &form).await;
    assert_eq!(made.location(), "/acme/settings/variables?env=staging");
    assert!(made.cookies().iter().all(|c| !c.contains(SECRET)));
    let again = stage.post(&admin, "/acme/settings/variables/new", &form).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "sent twice, it makes one thing");
    assert_eq!(stage.variable_names(&admin).await, ["API_TOKEN v1"]);
    assert!(stage.holds(&admin, "staging", "API_TOKEN", SECRET).await);
    let id = stage.variable(&admin, "staging", "OTHER", SECRET).await;
    for page in [
        "variables".to_owned(),
        "variables?env=staging&q=api".to_owned(),
        "variables?view=compare".to_owned(),
        format!("variables/{id}/edit"),
        format!("variables/{id}/delete"),
        "variables/import".to_owned(),
        "environments".to_owned(),
        "audit-log".to_owned(),
        "audit-log/3".to_owned(),
        "audit-log/4".to_owned(),
    ] {
        let shown = stage.get(Some(&admin), &format!("/acme/settings/{page}")).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        silent(&shown);
    }
}

#[tokio::test]
async fn a_fault_carries_the_value_along_unreadably() {
    let (stage, admin, staging) = with_staging().await;
    let path = "/acme/settings/variables/new";
    let bad = stage
        .post(&admin, path, &[("name", "9 lives"), ("value", SECRET), ("environment", &staging), ("once", "f1")])
        .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.text.contains("id=\"name-error\"") && value(&bad.text, "name") == "9 lives");
    silent(&bad);
    let draft = value(&bad.text, "value-draft").to_owned();
    let form = [("name", "NINE"), ("value", ""), ("value-draft", &draft), ("environment", &staging), ("once", "f1")];
    // It opens in this session and this form alone.
    let other = stage.member(&admin, "other@people.example", settings_domain::policy::Role::Admin).await;
    let theirs = stage.post(&other, path, &form).await;
    assert_eq!(theirs.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(theirs.text.contains("id=\"value-error\""));
    assert_eq!(stage.post(&admin, path, &form).await.status, StatusCode::SEE_OTHER);
    assert!(stage.holds(&admin, "staging", "NINE", SECRET).await);
    let id = stage.variable(&admin, "staging", "TEN", "x").await;
    let edit = format!("/acme/settings/variables/{id}/edit");
    let shown = stage.post(&admin, &edit, &[("name", "TEN"), ("value-draft", &draft)]).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY, "a draft of another form is not taken for nothing");
    assert!(stage.holds(&admin, "staging", "TEN", "x").await);
}

#[tokio::test]
async fn a_draft_opens_for_a_quarter_of_an_hour() {
    let (stage, admin, staging) = with_staging().await;
    let path = "/acme/settings/variables/new";
    let bad = stage.post(&admin, path, &[("name", "1"), ("value", SECRET), ("environment", &staging)]).await;
    let draft = value(&bad.text, "value-draft").to_owned();
    stage.store.advance(time::Duration::minutes(15));
    let form = [("name", "LATE"), ("value-draft", draft.as_str()), ("environment", &staging)];
    let late = stage.post(&admin, path, &form).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.text.contains("Enter it again"));
    assert!(stage.variable_names(&admin).await.is_empty());
}

#[tokio::test]
async fn a_blank_value_keeps_the_stored_one() {
    let (stage, admin, _) = with_staging().await;
    let id = stage.variable(&admin, "staging", "TOKEN", SECRET).await;
    let path = format!("/acme/settings/variables/{id}/edit");
    let done = stage.post(&admin, &path, &[("name", "RENAMED"), ("value", ""), ("version", "1")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(stage.holds(&admin, "staging", "RENAMED", SECRET).await);
    let stale = stage.post(&admin, &path, &[("name", "MINE"), ("value", SECRET), ("version", "1")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.text.contains("<bdi>RENAMED</bdi>") && stale.text.contains("<bdi>MINE</bdi>"));
    silent(&stale);
}

#[tokio::test]
async fn a_new_value_in_production_is_confirmed_and_need_not_be_typed_again() {
    let (stage, admin, _) = with_staging().await;
    let id = stage.variable(&admin, "production", "TOKEN", "before").await;
    let path = format!("/acme/settings/variables/{id}/edit");
    let asked = stage.post(&admin, &path, &[("name", "TOKEN"), ("value", SECRET), ("version", "1")]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("its present value is lost") && asked.text.contains("Save anyway"));
    silent(&asked);
    assert!(stage.holds(&admin, "production", "TOKEN", "before").await);
    let (digest, draft) = (value(&asked.text, "confirm-digest"), value(&asked.text, "value-draft"));
    let form = [("name", "TOKEN"), ("value", ""), ("value-draft", draft), ("version", "1"), ("confirm-digest", digest)];
    assert_eq!(stage.post(&admin, &path, &form).await.status, StatusCode::SEE_OTHER);
    assert!(stage.holds(&admin, "production", "TOKEN", SECRET).await);
}

#[tokio::test]
async fn what_uses_a_variable_is_named_before_it_goes() {
    let (stage, admin, _) = with_staging().await;
    let id = stage.variable(&admin, "staging", "TOKEN", SECRET).await;
    stage.uses(&admin, "Nightly <import>", UsedKind::Variable, &id).await;
    let list = stage.get(Some(&admin), "/acme/settings/variables").await;
    assert!(list.text.contains("Used by 1") && list.text.contains("Nightly &lt;import&gt;"));
    let path = format!("/acme/settings/variables/{id}/delete");
    let asked = stage.get(Some(&admin), &path).await;
    assert!(asked.text.contains("Nightly &lt;import&gt;"));
    let asked = stage.post(&admin, &path, &[]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("It uses the variable and fails without it.") && asked.text.contains("Delete anyway"));
    let digest = value(&asked.text, "confirm-digest").to_owned();
    stage.uses(&admin, "Another", UsedKind::Variable, &id).await;
    let grown = stage.post(&admin, &path, &[("confirm-digest", &digest)]).await;
    assert_eq!(grown.status, StatusCode::PRECONDITION_REQUIRED, "more would break than was confirmed");
    let digest = value(&grown.text, "confirm-digest").to_owned();
    let done = stage.post(&admin, &path, &[("confirm-digest", &digest)]).await;
    assert_eq!(done.location(), "/acme/settings/variables?env=staging");
    assert!(stage.variable_names(&admin).await.is_empty());
}

#[tokio::test]
async fn an_import_is_previewed_without_a_value_and_then_is_exactly_that() {
    let (stage, admin, staging) = with_staging().await;
    stage.variable(&admin, "staging", "SAME", "1").await;
    stage.variable(&admin, "staging", "OTHER", "1").await;
    let path = "/acme/settings/variables/import";
    let file = format!("SAME=1\r\nOTHER={SECRET}\r\nexport FRESH='{SECRET}'\r\n");
    let asked = stage.post(&admin, path, &[("environment", &staging), ("content", &file), ("step", "preview")]).await;
    assert_eq!(asked.status, StatusCode::OK);
    silent(&asked);
    assert!(asked.text.contains("1 added, 1 changed, 1 stay as they are") && asked.text.contains("Import 2 variables"));
    assert_eq!(stage.variable_names(&admin).await, ["OTHER v1", "SAME v1"], "a preview changes nothing");
    let (draft, once) = (value(&asked.text, "content-draft").to_owned(), value(&asked.text, "once").to_owned());
    let form = [("environment", staging.as_str()), ("content-draft", &draft), ("once", &once), ("step", "import")];
    let done = stage.post(&admin, path, &form).await;
    assert_eq!(done.location(), "/acme/settings/variables?env=staging");
    assert_eq!(stage.variable_names(&admin).await, ["FRESH v1", "OTHER v2", "SAME v1"]);
    assert!(stage.holds(&admin, "staging", "FRESH", SECRET).await);
    assert_eq!(stage.post(&admin, path, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.variable_names(&admin).await, ["FRESH v1", "OTHER v2", "SAME v1"], "sent twice, done once");
}

#[tokio::test]
async fn lines_that_are_no_variables_are_told_by_number_and_nothing_is_taken_over() {
    let (stage, admin, staging) = with_staging().await;
    let path = "/acme/settings/variables/import";
    let file = format!("GOOD=1\n{SECRET}\nif={SECRET}\n");
    let shown = stage.post(&admin, path, &[("environment", &staging), ("content", &file), ("step", "import")]).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.text.contains("Line 2: ") && shown.text.contains("Line 3: "));
    silent(&shown);
    for (file, said) in [("", "Paste the file’s text"), ("# nothing\n", "no line of the form")] {
        let shown = stage.post(&admin, path, &[("environment", &staging), ("content", file)]).await;
        assert!(shown.text.contains(said), "{file}");
    }
    let large = format!("A={}", "x".repeat(181 * 1024));
    let shown = stage.post(&admin, path, &[("environment", &staging), ("content", &large)]).await;
    assert!(shown.text.contains("at most 180 KiB"));
    assert!(stage.variable_names(&admin).await.is_empty());
}

#[tokio::test]
async fn an_import_into_production_confirms_what_it_overwrites() {
    let (stage, admin, _) = with_staging().await;
    stage.variable(&admin, "production", "TOKEN", "before").await;
    let production = stage.environments(&admin).await.into_iter().find(|(_, n)| n == "production").unwrap().0;
    let path = "/acme/settings/variables/import";
    let file = format!("TOKEN={SECRET}\nFRESH=1\n");
    let asked = stage.post(&admin, path, &[("environment", &production), ("content", &file), ("step", "import")]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("Overwrite and import"));
    silent(&asked);
    let (draft, digest) = (value(&asked.text, "content-draft"), value(&asked.text, "confirm-digest"));
    let form = [
        ("environment", production.as_str()),
        ("content-draft", draft),
        ("confirm-digest", digest),
        ("step", "import"),
    ];
    assert_eq!(stage.post(&admin, path, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.variable_names(&admin).await, ["FRESH v1", "TOKEN v2"]);
}

#[tokio::test]
async fn environments_are_compared_and_counted() {
    let (stage, admin, _) = with_staging().await;
    for (environment, name, value) in [
        ("production", "A", "1"),
        ("staging", "A", "1"),
        ("production", "B", "1"),
        ("staging", "B", "2"),
        ("staging", "C", "1"),
    ] {
        stage.variable(&admin, environment, name, value).await;
    }
    let shown = stage.get(Some(&admin), "/acme/settings/variables?view=compare").await;
    for said in ["Same value", "Other value", "Missing", "variables/new?env=production&amp;name=C"] {
        assert!(shown.text.contains(said), "{said}");
    }
    let shown = stage.get(Some(&admin), "/acme/settings/variables?view=compare&only=differences").await;
    assert!(!shown.text.contains("Same value") && shown.text.contains("Other value"));
    let viewer = stage.member(&admin, "viewer@people.example", settings_domain::policy::Role::Viewer).await;
    let shown = stage.get(Some(&viewer), "/acme/settings/environments").await;
    assert!(shown.text.contains("variables?env=staging\">3<"), "{}", shown.text);
}
