//! What leaves no event: a change to what is there already, a refused call, a reading.
use crate::support::{
    Caller, Site, Store, Tenant, added, assert_unchanged, json, on_both_stores, tenant::SCOPES, values::Values,
};

on_both_stores!(what_changes_nothing_leaves_no_event, no_failure_and_no_reading_leaves_an_event);

async fn what_changes_nothing_leaves_no_event(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let ((), events) = added(&tenant, async {
        let there = tenant.workspace().await;
        admin.put(tenant.path("/workspace"), json!({})).await.ok();
        let same = json!({"name": there["name"], "slug": there["slug"], "seatLimit": there["seatLimit"]});
        let same = admin.put(tenant.path("/workspace"), same).await.ok();
        assert_eq!(same, there, "a change to what is there changes nothing, the version included");
        let member = tenant.path(&format!("/workspace/members/{}", admin.id));
        assert_eq!(admin.put(member, json!({"role": "admin"})).await.ok()["version"], 1);
        let production = json!({"environments": [{"name": "production", "tier": "production"}]});
        admin.put(tenant.path("/workspace/environments"), production).await.ok();
    })
    .await;
    assert!(events.is_empty(), "{events:?}");
}

async fn no_failure_and_no_reading_leaves_an_event(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let [viewer] = tenant.members(["viewer"]).await;
    let key = tenant.key(&SCOPES).await;
    let values = Values::of(&tenant).await;
    assert_unchanged(&tenant, async {
        for path in [
            "/workspace",
            "/workspace/environments",
            "/workspace/members",
            "/workspace/invitations",
            "/workspace/api-keys",
            "/workspace/audit-digest",
            "/workspace/audit-digest/preview",
            "/secrets",
            &format!("/secrets/{}", values.secret),
            "/settings/model-integrations",
            &format!("/settings/model-integrations/{}", values.model),
            "/audit/events",
            "/audit/verify",
            "/audit/public-key",
            "/billing/summary",
            "/authz/explain?action=members:invite",
        ] {
            admin.get(tenant.path(path)).await.ok();
            admin.send("HEAD", &tenant.path(path)).await.has(200);
        }
        for form in ["", "?format=csv", "?risk=low&format=jsonl"] {
            admin.get(tenant.path(&format!("/audit/events/export{form}"))).await.has(200);
        }
        let organization = format!("organizationId={}", tenant.id);
        for path in [
            format!("/api/variables?{organization}"),
            format!("/api/variables/matrix?{organization}"),
            format!("/api/variables/{}", values.variable),
            format!("/api/models?{organization}"),
            format!("/api/models/selectable?{organization}"),
            format!("/api/models/{}", values.model),
            "/api/system-models".to_owned(),
        ] {
            admin.get(path).await.ok();
        }
        let file = json!({"organizationId": tenant.id, "environmentId": values.environment, "content": "KEPT=other"});
        admin.post("/api/variables/import/preview", file).await.ok();
        viewer.put("/workspace", json!({"name": "Mine"})).await.problem(403, "forbidden");
        key.post("/workspace/api-keys", json!({"name": "x", "scopes": ["runs:read"]}))
            .await
            .problem(403, "session-required");
        admin.put(tenant.path("/workspace"), json!({"seatLimit": 1})).await.problem(409, "seat-limit-below-usage");
        admin.put(tenant.path("/workspace"), json!({"slug": "other"})).await.problem(422, "slug-immutable");
        admin
            .put(tenant.path("/workspace"), json!({"name": "X"}))
            .seen("\"v9-0\"")
            .await
            .problem(412, "precondition-failed");
        let own = tenant.path(&format!("/workspace/members/{}", admin.id));
        admin.put(&own, json!({"role": "viewer"})).await.problem(409, "last-admin");
        admin.delete(&own).await.problem(409, "last-admin");
        admin.post(tenant.path("/workspace/members"), json!({"email": "x", "role": "y"})).await.faults();
        admin.act(tenant.path("/workspace/members")).await.problem(415, "unsupported-media-type");
        refused_credentials(&tenant, &viewer, &key, &values).await;
        admin
            .put(tenant.path("/workspace/environments"), json!({"environments": []}))
            .await
            .problem(409, "production-protected");
    })
    .await;
}

/// Refused calls of each of the credentials' operations.
async fn refused_credentials(tenant: &Tenant, viewer: &Caller, key: &Caller, values: &Values) {
    let admin = &tenant.admin;
    let secret = tenant.path(&format!("/secrets/{}", values.secret));
    let (variable, model) = (format!("/api/variables/{}", values.variable), format!("/api/models/{}", values.model));
    for (by, code) in [(viewer, "forbidden"), (key, "session-required")] {
        by.act(format!("{model}/test")).await.problem(403, code);
        by.delete(&model).await.problem(403, code);
    }
    viewer.act(format!("{secret}/reveal")).await.problem(403, "forbidden");
    viewer.put(&variable, json!({"value": "x"})).await.problem(403, "forbidden");
    viewer.put(tenant.path("/references/workflow/w"), json!({"name": "W", "uses": []})).await.problem(403, "forbidden");
    admin.post(format!("{secret}/rotate"), json!({"value": ""})).await.faults();
    admin
        .post(format!("{secret}/rotate"), json!({"value": "x"}))
        .seen("\"v9\"")
        .await
        .problem(412, "precondition-failed");
    admin.put(&variable, json!({"environmentId": tenant.production().await})).await.problem(422, "immutable-field");
    admin.put(&variable, json!({"name": "if"})).await.faults();
    admin.put(&model, json!({"modelUrl": "https://other.example.org"})).await.problem(422, "credential-required");
    admin.put(&model, json!({"modelUrl": "https://10.0.0.1"})).await.problem(422, "url-not-allowed");
    admin.put(tenant.path("/references/workflow/w"), json!({"name": "W", "uses": "all"})).await.faults();
}
