//! Models in both dialects, and the platform's.
use crate::support::{
    Site, Store, Value, added, assert_unchanged, json, on_both_stores, shape, unique, values::MODEL_URL,
};

on_both_stores!(
    one_record_is_shown_in_both_dialects_and_its_credential_in_neither,
    exactly_one_kind_of_credential_is_taken,
    a_new_origin_needs_the_credential_again,
    addresses_inside_are_refused,
    system_models_are_seen_chosen_and_hidden,
    a_test_tells_what_is_wrong_and_leaves_an_event,
);

const SHAPE: [(&str, &str); 13] = [
    ("id", "uuid"),
    ("provider", "text"),
    ("name", "text"),
    ("description", "text?"),
    ("modelUrl", "text"),
    ("authType", "text"),
    ("hasToken", "flag"),
    ("hasClientKey", "flag"),
    ("system", "flag"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("lastUsedAt", "instant?"),
    ("version", "number"),
];

fn id(v: &Value) -> String {
    v["id"].as_str().unwrap().to_owned()
}

async fn one_record_is_shown_in_both_dialects_and_its_credential_in_neither(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let body = json!({"provider": "anthropic", "credential": {"token": "sk-ant-1"}});
    let made = tenant.admin.post(tenant.path("/settings/model-integrations"), body).await.created();
    shape::is(&made, &SHAPE);
    assert_eq!((&made["name"], &made["authType"]), (&json!("Anthropic"), &json!("Token")));
    assert_eq!(
        (&made["hasToken"], &made["hasClientKey"], &made["system"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let (a, b) =
        (tenant.path(&format!("/settings/model-integrations/{}", id(&made))), format!("/api/models/{}", id(&made)));
    assert_eq!(tenant.admin.get(&a).await.ok(), made);
    assert_eq!(tenant.admin.get(&b).await.ok(), made);
    let patched = tenant.admin.send("PATCH", &a).json(&json!({"description": "For agents"})).await.ok();
    assert_eq!((&patched["description"], &patched["version"]), (&json!("For agents"), &json!(2)));
    let put = json!({"description": null, "clientKey": "AKIA1", "secretKey": "s"});
    let put = tenant.admin.put(&b, put).seen("\"v2\"").await.ok();
    assert_eq!(
        (&put["authType"], &put["hasToken"], &put["hasClientKey"]),
        (&json!("Client Key"), &json!(false), &json!(true))
    );
    assert_eq!(put["description"], Value::Null);
    tenant.admin.put(&b, json!({"name": "x"})).seen("\"v2\"").await.problem(412, "precondition-failed");
    let uses = json!({"name": "Summary", "uses": [{"kind": "model", "id": id(&made)}]});
    tenant.admin.put(tenant.path("/references/agent/a-1"), uses).await.ok();
    let (digest, _) = tenant.admin.delete(&b).await.impact(1);
    tenant.admin.delete(&a).confirming(&digest).await.done();
    assert_eq!(tenant.admin.get(format!("/api/models?organizationId={}", tenant.id)).await.ok()["items"], json!([]));
}

async fn exactly_one_kind_of_credential_is_taken(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let model = id(&tenant.model("there", "t").await);
    assert_unchanged(&tenant, async {
        for (credential, fault) in [
            (json!({}), "/token"),
            (json!({"token": "t", "clientKey": "c", "secretKey": "s"}), "/token"),
            (json!({"clientKey": "c"}), "/secretKey"),
            (json!({"secretKey": "s"}), "/clientKey"),
            (json!({"token": ""}), "/token"),
        ] {
            let mut flat = json!({"organizationId": tenant.id, "name": "m", "modelUrl": MODEL_URL});
            flat.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
            assert_eq!(tenant.admin.post("/api/models", flat).await.faults(), [fault]);
            let nested = json!({"provider": "openai", "credential": credential});
            let path = tenant.path("/settings/model-integrations");
            assert_eq!(tenant.admin.post(&path, nested).await.faults(), [format!("/credential{fault}")]);
        }
        for (extra, fault) in [("hasToken", "/hasToken"), ("system", "/system"), ("visible", "/visible")] {
            let body =
                json!({"organizationId": tenant.id, "name": "m", "modelUrl": MODEL_URL, "token": "t", extra: true});
            assert_eq!(tenant.admin.post("/api/models", body).await.faults(), [fault]);
        }
        let path = tenant.path("/settings/model-integrations");
        for provider in ["azure_openai", "aws_bedrock", "custom"] {
            let body = json!({"provider": provider, "credential": {"token": "t"}});
            assert_eq!(tenant.admin.post(&path, body).await.faults(), ["/modelUrl"]);
        }
        let half = json!({"clientKey": "c"});
        assert_eq!(tenant.admin.put(format!("/api/models/{model}"), half).await.faults(), ["/secretKey"]);
    })
    .await;
}

async fn a_new_origin_needs_the_credential_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let path = format!("/api/models/{}", id(&tenant.model("m", "t").await));
    let elsewhere = json!({"modelUrl": "https://elsewhere.example.org/v1/chat"});
    assert_unchanged(&tenant, async {
        let body = tenant.admin.put(&path, elsewhere.clone()).await.problem(422, "credential-required");
        assert_eq!(body["errors"][0]["pointer"], "/modelUrl");
    })
    .await;
    tenant.admin.put(&path, json!({"modelUrl": "https://models.example.org/v2/chat"})).await.ok();
    let mut body = elsewhere;
    body["token"] = json!("new");
    assert_eq!(tenant.admin.put(&path, body).await.ok()["modelUrl"], "https://elsewhere.example.org/v1/chat");
}

async fn addresses_inside_are_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        for url in [
            "https://127.0.0.1/x",
            "https://127.1/x",
            "https://2130706433/x",
            "https://0x7f000001/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/x",
            "https://localhost/x",
            "https://metadata.google.internal/x",
            "http://models.example.org/x",
            "https://models.example.org:8443/x",
            "https://user:pass@models.example.org/x",
            "https://good.example@127.0.0.1/x",
            "file:///etc/passwd",
            "gopher://models.example.org/",
            "not a url",
        ] {
            let body = json!({"organizationId": tenant.id, "name": "m", "modelUrl": url, "token": "t"});
            let body = tenant.admin.post("/api/models", body).await.problem(422, "url-not-allowed");
            assert_eq!(body["errors"][0]["pointer"], "/modelUrl", "{url}");
        }
    })
    .await;
}

async fn system_models_are_seen_chosen_and_hidden(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let name = format!("System {}", unique());
    let body = json!({"name": name, "modelUrl": MODEL_URL, "token": "platform"});
    let made = site.platform().post("/api/system-models", body).await.created();
    assert_eq!((&made["system"], &made["visible"]), (&json!(true), &json!(true)));
    let path = format!("/api/system-models/{}", id(&made));
    let listed = async |caller: &crate::support::Caller, path: String| {
        let list = caller.get(path).await.ok();
        list["items"].as_array().unwrap().iter().any(|m| m["id"] == made["id"])
    };
    let selectable = |t: &crate::support::Tenant| format!("/api/models/selectable?organizationId={}", t.id);
    assert!(listed(&a.admin, selectable(&a)).await && listed(&a.admin, "/api/system-models?limit=100".into()).await);
    // It is nobody's own: no path of a workspace leads to it, and its owner is the platform alone.
    a.admin.get(format!("/api/models/{}", id(&made))).await.problem(404, "not-found");
    a.admin.put(&path, json!({"name": "mine"})).await.problem(403, "forbidden");
    a.admin.put(format!("/api/models/{}", id(&made)), json!({"name": "mine"})).await.problem(404, "not-found");
    let uses = json!({"name": "Prompt", "uses": [{"kind": "model", "id": id(&made)}]});
    let reference = |t: &crate::support::Tenant| t.path("/references/prompt/p-1");
    a.admin.put(reference(&a), uses.clone()).await.ok();
    let hidden = site.platform().put(format!("{path}/visibility"), json!({"visible": false})).await.ok();
    assert_eq!(hidden["visible"], false);
    assert!(!listed(&a.admin, selectable(&a)).await && !listed(&b.admin, "/api/system-models?limit=100".into()).await);
    assert!(listed(&site.platform(), "/api/system-models?limit=100".into()).await, "the platform sees it");
    // Who used it before may go on saying so; nobody else begins.
    let mut again = uses.clone();
    again["name"] = json!("Prompt, renamed");
    a.admin.put(reference(&a), again).await.ok();
    assert_eq!(b.admin.put(reference(&b), uses).await.faults(), ["/uses"]);
    let (digest, impact) = site.platform().delete(&path).await.impact(1);
    assert_eq!((&impact[0]["kind"], &impact[0]["id"]), (&json!("organization"), &json!(a.id)));
    site.platform().delete(&path).confirming(&digest).await.done();
    // No address leads to the platform's own tenant.
    for address in
        ["/w/system/workspace", "/w/system/audit/events", "/api/organizations/00000000-0000-0000-0000-000000000001"]
    {
        site.platform().get(address).await.problem(404, "not-found");
        a.admin.get(address).await.problem(404, "not-found");
    }
}

async fn a_test_tells_what_is_wrong_and_leaves_an_event(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let model = id(&tenant.model("m", "a-canary-token").await);
    let path = format!("/api/models/{model}/test");
    let (report, events) = added(&tenant, async { tenant.admin.act(&path).await }).await;
    let body = report.ok();
    let fields = [
        ("ok", "flag"),
        ("reachable", "flag"),
        ("authenticated", "flag?"),
        ("status", "number?"),
        ("tookMs", "number"),
        ("detail", "text"),
    ];
    shape::is(&body, &fields);
    // The name is one that nobody can look up.
    assert_eq!((&body["ok"], &body["reachable"]), (&json!(false), &json!(false)), "{body}");
    assert!(!report.text().contains("a-canary-token"));
    assert_eq!((events.len(), &events[0]["action"]), (1, &json!("model.tested")));
    assert!(tenant.admin.get(format!("/api/models/{model}")).await.ok()["lastUsedAt"].is_string());
}
