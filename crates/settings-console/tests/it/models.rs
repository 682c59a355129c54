//! Models: credentials go in and come out nowhere, and go to no other place than they were given for.
use crate::stage::{Stage, value};
use http::StatusCode;
use settings_domain::{models::AuthType, references::UsedKind};

const SECRET: &str = "sk-canary";
const NEW: &str = "/acme/settings/models/new";

#[tokio::test]
async fn every_fault_is_said_at_once_and_the_credential_travels_along() {
    let (stage, admin) = Stage::new().await;
    let long = "x".repeat(201);
    let form =
        [("provider", "custom"), ("name", long.as_str()), ("url", "http://x"), ("auth", "token"), ("token", SECRET)];
    let shown = stage.post(&admin, NEW, &form).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.text.contains("id=\"name-error\"") && shown.text.contains("This URL can’t be used:"));
    assert!(!shown.text.contains(SECRET));
    let draft = value(&shown.text, "token-draft").to_owned();
    let form = [
        ("provider", "custom"),
        ("name", "Own"),
        ("url", "https://a.example/v1"),
        ("auth", "token"),
        ("token-draft", &draft),
    ];
    assert_eq!(stage.post(&admin, NEW, &form).await.location(), "/acme/settings/models");
    let shown = stage.post(&admin, NEW, &[("provider", "none"), ("auth", "both")]).await;
    assert!(shown.text.contains("Choose a provider.") && shown.text.contains("Choose how it is authenticated to."));
    let shown = stage.post(&admin, NEW, &[("provider", "custom"), ("auth", "client_key"), ("clientKey", SECRET)]).await;
    assert!(
        shown.text.contains("id=\"secretKey-error\"")
            && shown.text.contains("This provider has no address of its own.")
    );
    assert!(!shown.text.contains(SECRET));
}

#[tokio::test]
async fn a_model_is_called_after_its_provider_and_at_its_address_where_nobody_says_otherwise() {
    let (stage, admin) = Stage::new().await;
    let form =
        [("provider", "anthropic"), ("name", ""), ("url", ""), ("auth", "token"), ("token", SECRET), ("once", "f")];
    for _ in 0..2 {
        assert_eq!(stage.post(&admin, NEW, &form).await.status, StatusCode::SEE_OTHER);
    }
    let models = stage.models(&admin).await;
    assert_eq!(models.len(), 1, "sent twice, it makes one thing");
    assert_eq!(
        (models[0].name.as_str(), models[0].url.as_str()),
        ("Anthropic", "https://api.anthropic.com/v1/messages")
    );
    let id = models[0].id;
    for page in [
        "models".to_owned(),
        format!("models/{id}/edit"),
        format!("models/{id}/test"),
        format!("models/{id}/delete"),
        "audit-log/2".to_owned(),
    ] {
        let shown = stage.get(Some(&admin), &format!("/acme/settings/{page}")).await;
        assert!(shown.status == StatusCode::OK && !shown.text.contains(SECRET), "{page}");
    }
}

#[tokio::test]
async fn a_blank_credential_is_kept_but_never_for_another_origin() {
    let (stage, admin) = Stage::new().await;
    let id = stage.model(&admin, "Own", "https://a.example/v1", SECRET).await;
    let path = format!("/acme/settings/models/{id}/edit");
    let form = |url: &'static str, version: &'static str, more: &[(&'static str, &'static str)]| {
        let mut form =
            vec![("provider", "custom"), ("name", "Own"), ("url", url), ("auth", "token"), ("version", version)];
        form.extend(more);
        form
    };
    let kept = stage.post(&admin, &path, &form("https://a.example/v2", "1", &[("token", "")])).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER);
    let moved = stage.post(&admin, &path, &form("https://b.example/v2", "2", &[("token", "")])).await;
    assert_eq!(moved.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(moved.text.contains("id=\"token-error\"") && moved.text.contains("never sent to another place"));
    assert_eq!(stage.models(&admin).await[0].origin, "https://a.example");
    let moved = stage.post(&admin, &path, &form("https://b.example/v2", "2", &[("token", SECRET)])).await;
    assert_eq!(moved.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.models(&admin).await[0].origin, "https://b.example");
    // Another kind needs its credential; what was typed for the kind that is not chosen does not count.
    let pair = [
        ("provider", "custom"),
        ("name", "Own"),
        ("url", "https://b.example/v2"),
        ("auth", "client_key"),
        ("token", SECRET),
        ("version", "3"),
    ];
    let shown = stage.post(&admin, &path, &pair).await;
    assert!(
        shown.status == StatusCode::UNPROCESSABLE_ENTITY
            && shown.text.contains("Another kind of credential is stored.")
    );
    let whole = [
        ("provider", "aws_bedrock"),
        ("name", "Own"),
        ("url", "https://b.example/v2"),
        ("auth", "client_key"),
        ("clientKey", "AKIA"),
        ("secretKey", SECRET),
        ("version", "3"),
    ];
    assert_eq!(stage.post(&admin, &path, &whole).await.status, StatusCode::SEE_OTHER);
    assert_eq!(stage.models(&admin).await[0].auth, AuthType::ClientKey);
    let stale = stage.post(&admin, &path, &form("https://b.example/v3", "3", &[("token", SECRET)])).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.text.contains("<bdi>https://b.example/v2</bdi>") && !stale.text.contains(SECRET));
}

#[tokio::test]
async fn a_test_says_what_came_of_it_and_is_written_down() {
    let (stage, admin) = Stage::new().await;
    let id = stage.model(&admin, "Own", "https://a.example/v1", SECRET).await;
    let path = format!("/acme/settings/models/{id}/test");
    assert!(stage.get(Some(&admin), &path).await.text.contains("Run test"));
    assert_eq!(stage.events(&admin, "model.tested").await, 0);
    let shown = stage.post(&admin, &path, &[]).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.text.contains("The credential is accepted.") && shown.text.contains("Status 200"));
    assert!(!shown.text.contains(SECRET));
    assert_eq!(stage.events(&admin, "model.tested").await, 1);
}

#[tokio::test]
async fn what_uses_a_model_is_named_before_it_goes() {
    let (stage, admin) = Stage::new().await;
    let id = stage.model(&admin, "Own", "https://a.example/v1", SECRET).await;
    stage.uses(&admin, "Summarise", UsedKind::Model, &id).await;
    assert!(stage.get(Some(&admin), "/acme/settings/models").await.text.contains("Used by 1"));
    let path = format!("/acme/settings/models/{id}/delete");
    let asked = stage.post(&admin, &path, &[]).await;
    assert_eq!(asked.status, StatusCode::PRECONDITION_REQUIRED);
    assert!(asked.text.contains("Summarise") && asked.text.contains("Delete anyway"));
    let digest = value(&asked.text, "confirm-digest").to_owned();
    assert_eq!(stage.post(&admin, &path, &[("confirm-digest", &digest)]).await.location(), "/acme/settings/models");
    assert!(stage.models(&admin).await.is_empty());
}

#[tokio::test]
async fn system_models_are_the_platforms_owners_and_seen_by_every_admin() {
    let (stage, owner) = Stage::owned().await;
    let admin = stage.member(&owner, "other@people.example", settings_domain::policy::Role::Admin).await;
    let form = [("provider", "openai"), ("name", "House GPT"), ("url", ""), ("auth", "token"), ("token", SECRET)];
    let refused = stage.post(&admin, "/acme/settings/system-models/new", &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.text.contains("System models</span>"), "the entry is not for who can never open it");
    let made = stage.post(&owner, "/acme/settings/system-models/new", &form).await;
    assert_eq!(made.location(), "/acme/settings/system-models");
    assert!(stage.models(&owner).await.is_empty(), "it is not the workspace's");
    let list = stage.get(Some(&owner), "/acme/settings/system-models").await;
    assert!(list.text.contains("House GPT") && list.text.contains("role=\"switch\" aria-checked=\"true\""));
    let seen = stage.get(Some(&admin), "/acme/settings/models").await;
    assert!(
        seen.text.contains("House GPT") && seen.text.contains("Managed by the platform") && !seen.text.contains(SECRET)
    );
    let path = list.text.split("action=\"").filter_map(|p| p.split('"').next()).find(|p| p.ends_with("/visibility"));
    let path = path.unwrap().to_owned();
    assert_eq!(stage.post(&admin, &path, &[("visible", "false")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        stage.post(&owner, &path, &[("visible", "false"), ("version", "1")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(!stage.get(Some(&admin), "/acme/settings/models").await.text.contains("House GPT"));
    let one = path.strip_suffix("visibility").unwrap();
    let tested = stage.post(&owner, &format!("{one}test"), &[]).await;
    assert!(tested.text.contains("The credential is accepted."), "{}", tested.text);
    // By the address of the workspace's models it is nothing at all.
    let mixed = one.replace("system-models", "models");
    assert_eq!(stage.get(Some(&owner), &format!("{mixed}edit")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.post(&owner, &format!("{one}delete"), &[]).await.location(), "/acme/settings/system-models");
}
