//! A key is accepted, lacks a scope, is revoked; variables are resolved; an event is published.
use crate::stage::{Stage, Who, text};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use crate::stage::Stage;
            $(#[tokio::test] async fn $name() { super::$name(Stage::new().await).await; })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            use crate::stage::Stage;
            $(
                #[tokio::test]
                async fn $name() {
                    let database = settings_testkit::postgres::Cluster::shared().await.empty().await;
                    let builder = settings::Settings::builder().postgres(database.url());
                    super::$name(Stage::over(builder, tempfile::tempdir().unwrap()).await).await;
                }
            )*
        }
    };
}

on_every_store!(
    a_key_starts_a_run_that_sees_the_environments_variables,
    who_may_not_is_told_what_is_missing_and_the_audit_log_knows,
    who_has_no_valid_credential_is_nobody,
    a_revoked_key_is_refused_on_the_next_call,
    a_failed_run_is_told_once,
    a_workspace_that_the_caller_may_not_know_of_is_not_found,
);

async fn a_key_starts_a_run_that_sees_the_environments_variables(stage: Stage) {
    let environment = stage.environment().await;
    let variable = json!({"environmentId": environment, "name": "BASE_URL", "value": "https://example.com"});
    let (status, made) = stage.call(Who::Admin, Method::POST, "/api/variables", Some(variable)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (_, key) = stage.key(&["runs:write"]).await;

    let (status, run) = stage.call(Who::Key(&key), Method::POST, &format!("/runs/in/{environment}"), None).await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    assert_eq!(run, json!({"id": 1, "variables": ["BASE_URL"]}));
    // `write` never implies `read`, here as little as anywhere.
    let (status, _) = stage.call(Who::Key(&key), Method::GET, "/runs", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, runs) = stage.call(Who::Admin, Method::GET, "/runs", None).await;
    assert_eq!((status, runs), (StatusCode::OK, json!([run])));
    // An environment of nobody is none, and so is what is no id.
    for other in ["00000000-0000-7000-8000-000000000000", "production"] {
        let (status, _) = stage.call(Who::Key(&key), Method::POST, &format!("/runs/in/{other}"), None).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

async fn who_may_not_is_told_what_is_missing_and_the_audit_log_knows(stage: Stage) {
    let (id, key) = stage.key(&["workspace:read"]).await;
    let (status, problem) = stage.call(Who::Key(&key), Method::GET, "/runs", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text(&problem, "detail").contains("runs:read"), "{problem}");
    assert!(!text(&problem, "requestId").is_empty());
    stage.settings.app().flush_denials().await;
    let (_, events) = stage.call(Who::Admin, Method::GET, "/audit/events", None).await;
    let events = events.to_string();
    assert!(events.contains("authz.denied") && events.contains("runs:read") && events.contains(&id), "{events}");
}

async fn who_has_no_valid_credential_is_nobody(stage: Stage) {
    let (_, key) = stage.key(&["runs:read"]).await;
    for who in [Who::Nobody, Who::Key("sk_nonsense"), Who::Key(&format!("{key}x"))] {
        let (status, problem) = stage.call(who, Method::GET, "/runs", None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
    }
    let both = [("authorization", "Bearer something")];
    let (status, _) = stage.send(Who::Key(&key), Method::GET, "/runs", None, &both).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "one credential, not two");
}

async fn a_revoked_key_is_refused_on_the_next_call(stage: Stage) {
    let (id, key) = stage.key(&["runs:read"]).await;
    let runs = || stage.call(Who::Key(&key), Method::GET, "/runs", None);
    assert_eq!(runs().await, (StatusCode::OK, json!([])));
    let path = format!("/workspace/api-keys/{id}");
    let (status, problem) = stage.call(Who::Admin, Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED, "it was used a moment ago: {problem}");
    let confirm = text(&problem, "impactDigest");
    let (status, _) = stage.send(Who::Admin, Method::DELETE, &path, None, &[("x-confirm", &confirm)]).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(runs().await.0, StatusCode::UNAUTHORIZED);
}

async fn a_failed_run_is_told_once(stage: Stage) {
    let environment = stage.environment().await;
    let (_, key) = stage.key(&["runs:write"]).await;
    let (_, reader) = stage.key(&["runs:read"]).await;
    stage.call(Who::Key(&key), Method::POST, &format!("/runs/in/{environment}"), None).await;
    let failed = |key: &str, run: u8| {
        let (stage, key) = (&stage, key.to_owned());
        async move { stage.call(Who::Key(&key), Method::POST, &format!("/runs/{run}/failed"), None).await.0 }
    };
    assert_eq!(failed(&reader, 1).await, StatusCode::FORBIDDEN);
    assert_eq!(failed(&key, 2).await, StatusCode::NOT_FOUND);
    assert_eq!(failed(&key, 1).await, StatusCode::ACCEPTED);
    assert_eq!(failed(&key, 1).await, StatusCode::OK, "known by its source and id");
    let (_, events) = stage.call(Who::Admin, Method::GET, "/audit/events", None).await;
    assert_eq!(events.to_string().matches("event.published").count(), 1, "{events}");
    // A key publishes what its scopes are about: deploying is not among them.
    let (_, other) = stage.key(&["workflows:write"]).await;
    assert_eq!(failed(&other, 1).await, StatusCode::FORBIDDEN);
}

async fn a_workspace_that_the_caller_may_not_know_of_is_not_found(stage: Stage) {
    let (_, key) = stage.key(&["runs:read"]).await;
    for (who, name, expected) in [
        (Who::Key(&key), "acme", StatusCode::OK),
        (Who::Key(&key), "other", StatusCode::NOT_FOUND),
        (Who::Admin, "acme", StatusCode::OK),
        (Who::Admin, "other", StatusCode::NOT_FOUND),
        (Who::Admin, "no slug", StatusCode::NOT_FOUND),
    ] {
        let (status, body) = stage.send(who, Method::GET, "/runs", None, &[("x-workspace", name)]).await;
        assert_eq!(status, expected, "{name}: {body}");
    }
    let (_, problem) = stage.send(Who::Admin, Method::GET, "/runs", None, &[("x-workspace", "other")]).await;
    assert_eq!(problem.get("status"), Some(&Value::from(404)));
}
