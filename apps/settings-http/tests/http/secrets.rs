//! Secrets: kept, rotated, revealed with their event first, sealed one way.
use crate::support::{Site, Store, Value, added, assert_unchanged, json, on_both_stores, shape};

on_both_stores!(
    a_secret_is_kept_rotated_revealed_and_deleted,
    a_sealed_secret_is_never_revealed_again,
    a_replayed_reveal_shows_nothing,
    reveals_are_limited,
    secrets_of_another_tenant_and_of_the_platform_are_out_of_reach,
);

const SHAPE: [(&str, &str); 8] = [
    ("id", "uuid"),
    ("name", "text"),
    ("environmentId", "uuid"),
    ("sealed", "flag"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("rotatedAt", "instant?"),
    ("version", "number"),
];

fn id(v: &Value) -> String {
    v["id"].as_str().unwrap().to_owned()
}

async fn a_secret_is_kept_rotated_revealed_and_deleted(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let production = tenant.production().await;
    let body = json!({"name": "stripe", "value": "sk_live_1", "environmentId": production});
    let made = tenant.admin.post(tenant.path("/secrets"), body.clone()).await.created();
    shape::is(&made, &SHAPE);
    tenant.admin.post(tenant.path("/secrets"), body).await.problem(409, "name-taken");
    let path = tenant.path(&format!("/secrets/{}", id(&made)));
    assert_eq!(tenant.admin.get(&path).await.ok(), made);
    let (shown, events) = added(&tenant, async { tenant.admin.act(format!("{path}/reveal")).await }).await;
    assert_eq!(shown.ok(), json!({"value": "sk_live_1"}));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert_eq!(
        (events.len(), &events[0]["action"], &events[0]["risk"]),
        (1, &json!("secret.accessed"), &json!("high"))
    );
    let rotate = || tenant.admin.post(format!("{path}/rotate"), json!({"value": "sk_live_2"}));
    let (digest, _) = assert_unchanged(&tenant, async { rotate().await.impact(1) }).await;
    let rotated = rotate().confirming(&digest).await.ok();
    assert_eq!(rotated["version"], 2);
    assert!(rotated["rotatedAt"].is_string());
    let key = tenant.key(&["secrets:read"]).await;
    assert_eq!(key.act(format!("{path}/reveal")).await.ok()["value"], "sk_live_2");
    assert_eq!(key.get(tenant.path("/secrets")).await.ok()["items"], json!([rotated]));
    tenant.key(&["workspace:read"]).await.act(format!("{path}/reveal")).await.problem(403, "forbidden");
    let (digest, _) = tenant.admin.delete(&path).await.impact(1);
    tenant.admin.delete(&path).confirming(&digest).await.done();
    tenant.admin.act(format!("{path}/reveal")).await.problem(404, "not-found");
}

async fn a_sealed_secret_is_never_revealed_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let body = json!({"name": "born sealed", "value": "v", "environmentId": lab, "sealed": true});
    let born = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let body = json!({"name": "sealed later", "value": "v", "environmentId": lab});
    let later = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let path = |s: &Value| tenant.path(&format!("/secrets/{}", id(s)));
    let (sealed, events) =
        added(&tenant, async { tenant.admin.act(format!("{}/seal", path(&later))).await.ok() }).await;
    assert_eq!((&sealed["sealed"], &events[0]["action"]), (&json!(true), &json!("secret.sealed")));
    let (_, events) = added(&tenant, async { tenant.admin.act(format!("{}/seal", path(&later))).await.ok() }).await;
    assert!(events.is_empty(), "sealed twice");
    for secret in [&born, &later] {
        assert_unchanged(&tenant, async {
            tenant.admin.act(format!("{}/reveal", path(secret))).await.problem(409, "secret-sealed")
        })
        .await;
        tenant.admin.post(format!("{}/rotate", path(secret)), json!({"value": "w"})).await.ok();
        tenant.admin.act(format!("{}/reveal", path(secret))).await.problem(409, "secret-sealed");
    }
}

async fn a_replayed_reveal_shows_nothing(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let body = json!({"name": "s", "value": "v", "environmentId": lab});
    let made = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let path = tenant.path(&format!("/secrets/{}/reveal", id(&made)));
    assert_eq!(tenant.admin.act(&path).once("one").await.ok()["value"], "v");
    let (again, events) = added(&tenant, async { tenant.admin.act(&path).once("one").await }).await;
    assert_eq!(again.ok(), json!({"value": null}));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert!(events.is_empty());
}

async fn reveals_are_limited(store: Store) {
    let site = Site::own(store, &[("SETTINGS_RATE_LIMIT", Some("on"))]).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let body = json!({"name": "s", "value": "v", "environmentId": lab});
    let made = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let path = tenant.path(&format!("/secrets/{}/reveal", id(&made)));
    let mut allowed = 0;
    loop {
        let answer = tenant.admin.act(&path).await;
        if answer.status != 200 {
            answer.problem(429, "rate-limited");
            break;
        }
        allowed += 1;
        assert!(allowed < 100, "no limit was met");
    }
    assert!(allowed >= 60, "only {allowed} were allowed");
}

async fn secrets_of_another_tenant_and_of_the_platform_are_out_of_reach(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let lab = id(&b.environment("lab").await);
    let body = json!({"name": "s", "value": "v", "environmentId": lab});
    let theirs = id(&b.admin.post(b.path("/secrets"), body.clone()).await.created());
    crate::support::unchanged_by(&[&a, &b], async {
        for path in ["", "/reveal", "/rotate", "/seal"] {
            let full = a.path(&format!("/secrets/{theirs}{path}"));
            match path {
                "" => a.admin.get(&full).await.problem(404, "not-found"),
                "/rotate" => a.admin.post(&full, json!({"value": "w"})).await.problem(404, "not-found"),
                _ => a.admin.act(&full).await.problem(404, "not-found"),
            };
        }
        assert_eq!(a.admin.post(a.path("/secrets"), body).await.faults(), ["/environmentId"]);
        // The platform may much in a workspace, and reaches no value.
        b.platform.act(b.path(&format!("/secrets/{theirs}/reveal"))).await.problem(403, "forbidden");
        b.platform.get(b.path("/secrets")).await.problem(403, "forbidden");
    })
    .await;
}
