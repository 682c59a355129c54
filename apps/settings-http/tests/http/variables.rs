//! Variables: write-only, one name each in an environment, never moved, confirmed in production, imported from files.
use crate::support::{Site, Store, Value, assert_unchanged, json, on_both_stores, shape, tenant::SCOPES};

on_both_stores!(
    a_variable_is_kept_changed_and_deleted_without_ever_being_shown,
    names_and_values_follow_the_rules,
    production_is_overwritten_and_emptied_only_when_that_is_confirmed,
    an_import_is_previewed_and_carried_out,
    the_matrix_compares_environments,
    an_environment_with_values_is_deleted_only_when_that_is_confirmed,
    twenty_parallel_creations_of_one_name_are_one,
    variables_of_another_tenant_are_not_there,
);

const SHAPE: [(&str, &str); 6] = [
    ("id", "uuid"),
    ("name", "text"),
    ("environmentId", "uuid"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("version", "number"),
];

fn id(v: &Value) -> String {
    v["id"].as_str().unwrap().to_owned()
}

async fn a_variable_is_kept_changed_and_deleted_without_ever_being_shown(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let made = tenant.variable(&lab, "OPENAI_API_KEY", "sk-proj-1").await;
    shape::is(&made, &SHAPE);
    let path = format!("/api/variables/{}", id(&made));
    // No organization is named: the variable tells it.
    let read = tenant.admin.get(&path).await;
    assert_eq!(read.ok(), made);
    let list = tenant.admin.get(format!("/api/variables?organizationId={}&environmentId={lab}", tenant.id)).await.ok();
    assert_eq!(list["items"], json!([made]));
    let environments = tenant.admin.get(tenant.path("/workspace/environments")).await.ok();
    let counted = environments["items"].as_array().unwrap().iter().find(|e| e["id"] == lab.as_str()).unwrap().clone();
    assert_eq!(counted["variables"], 1);

    let kept = tenant.admin.put(&path, json!({"name": "OPENAI_API_KEY"})).await.ok();
    assert_eq!(kept["version"], 1, "nothing changed");
    let renamed = tenant.admin.put(&path, json!({"name": "OTHER", "environmentId": lab})).seen(read.tag()).await.ok();
    assert_eq!((&renamed["name"], &renamed["version"]), (&json!("OTHER"), &json!(2)));
    tenant.admin.put(&path, json!({"value": "x"})).seen(read.tag()).await.problem(412, "precondition-failed");
    assert_eq!(tenant.admin.put(&path, json!({"value": "sk-proj-2"})).await.ok()["version"], 3);
    tenant.admin.delete(&path).await.done();
    tenant.admin.delete(&path).await.problem(404, "not-found");
}

async fn names_and_values_follow_the_rules(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let (lab, other) = (id(&tenant.environment("lab").await), id(&tenant.environment("other").await));
    let post = |body: Value| {
        let mut whole = json!({"organizationId": tenant.id, "environmentId": lab, "name": "A", "value": "v"});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        tenant.admin.post("/api/variables", whole)
    };
    tenant.variable(&lab, "TAKEN", "v").await;
    assert_unchanged(&tenant, async {
        for name in [
            "if",
            "await",
            "undefined",
            "__proto__",
            "constructor",
            "__variables__",
            "entityModel",
            "A-B",
            "1A",
            "",
            "ａ",
            "café",
            "A\u{301}",
        ] {
            assert_eq!(post(json!({"name": name})).await.faults(), ["/name"], "{name}");
        }
        for value in [json!(""), json!(null), json!(7), json!("a\u{0}b"), json!("x".repeat(65_537))] {
            assert_eq!(post(json!({"value": value})).await.faults(), ["/value"]);
        }
        assert_eq!(
            post(json!({"name": "x y", "value": "", "environmentId": "z"})).await.faults(),
            ["/environmentId", "/name", "/value"]
        );
        assert_eq!(post(json!({"extra": 1})).await.faults(), ["/extra"]);
        assert_eq!(post(json!({"environmentId": uuid::Uuid::now_v7().to_string()})).await.faults(), ["/environmentId"]);
        post(json!({"name": "TAKEN"})).await.problem(409, "name-taken");
        let list = format!("/api/variables?organizationId={}", tenant.id);
        tenant.admin.get(format!("{list}&environmentId=")).await.problem(400, "malformed-request");
        tenant.admin.get(format!("{list}&environmentId=*")).await.problem(404, "not-found");
        tenant
            .admin
            .get(format!("{list}&environmentId={lab}&environmentId={lab}"))
            .await
            .problem(400, "malformed-request");
        tenant.admin.get(format!("{list}&environmentId={}", uuid::Uuid::now_v7())).await.problem(404, "not-found");
    })
    .await;
    // The same name elsewhere, and every text within the limit, are fine.
    tenant.variable(&other, "TAKEN", "v").await;
    for (n, value) in ["</script>`${}", "\u{2028}\u{2029}", " padded ", &"x".repeat(65_536)].iter().enumerate() {
        tenant.variable(&lab, &format!("ODD_{n}"), value).await;
    }
    let moved = tenant.variable(&lab, "MOVED", "v").await;
    let path = format!("/api/variables/{}", id(&moved));
    tenant.admin.put(&path, json!({"environmentId": other})).await.problem(422, "immutable-field");
    tenant.admin.put(&path, json!({"name": "TAKEN"})).await.problem(409, "name-taken");
}

async fn production_is_overwritten_and_emptied_only_when_that_is_confirmed(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let production = tenant.production().await;
    let made = tenant.variable(&production, "KEY", "one").await;
    let path = format!("/api/variables/{}", id(&made));
    let (digest, _) =
        assert_unchanged(&tenant, async { tenant.admin.put(&path, json!({"value": "two"})).await.impact(1) }).await;
    tenant.admin.put(&path, json!({"value": "two"})).confirming("0".repeat(32).as_str()).await.impact(1);
    assert_eq!(tenant.admin.put(&path, json!({"value": "two"})).confirming(&digest).await.ok()["version"], 2);
    let uses = json!({"name": "Nightly", "uses": [{"kind": "variable", "id": id(&made)}]});
    tenant.admin.put(tenant.path("/references/workflow/nightly"), uses).await.ok();
    let (digest, impact) = assert_unchanged(&tenant, async { tenant.admin.delete(&path).await.impact(2) }).await;
    assert_eq!(impact[1]["name"], "Nightly");
    // A key with the right scope is asked no less.
    let key = tenant.key(&["workspace:write"]).await;
    key.delete(&path).await.impact(2);
    key.delete(&path).confirming(&digest).await.done();
}

async fn an_import_is_previewed_and_carried_out(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let production = tenant.production().await;
    tenant.variable(&production, "SAME", "1").await;
    tenant.variable(&production, "CHANGED", "1").await;
    let body = |content: &str| json!({"organizationId": tenant.id, "environmentId": production, "content": content});
    let file = "# a file\nSAME=1\nexport CHANGED='2'\nADDED=\"a\\nb\"\n";
    let plan = json!([
        {"name": "SAME", "change": "same"},
        {"name": "CHANGED", "change": "changed"},
        {"name": "ADDED", "change": "added"},
    ]);
    let preview = assert_unchanged(&tenant, async {
        tenant.admin.post("/api/variables/import", body("BAD LINE\n1X=2\nOK=1")).await.faults();
        tenant.admin.post("/api/variables/import", body(file)).await.impact(1);
        tenant.admin.post("/api/variables/import/preview", body(file)).await
    })
    .await;
    assert_eq!(preview.ok()["items"], plan);
    let (digest, _) = tenant.admin.post("/api/variables/import", body(file)).await.impact(1);
    let done = tenant.admin.post("/api/variables/import", body(file)).confirming(&digest).await.ok();
    assert_eq!(done["items"], plan);
    let again = tenant.admin.post("/api/variables/import/preview", body(file)).await.ok();
    assert!(again["items"].as_array().unwrap().iter().all(|i| i["change"] == "same"), "{again}");
}

async fn the_matrix_compares_environments(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let (production, lab) = (tenant.production().await, id(&tenant.environment("lab").await));
    for (environment, name, value) in
        [(&production, "A", "1"), (&lab, "A", "1"), (&production, "B", "1"), (&lab, "B", "2"), (&lab, "C", "3")]
    {
        tenant.variable(environment, name, value).await;
    }
    let matrix = tenant.admin.get(format!("/api/variables/matrix?organizationId={}", tenant.id)).await.ok();
    assert_eq!(matrix["environments"][0]["id"], production.as_str());
    let states: Vec<_> = matrix["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["name"].clone(), r["cells"][0]["state"].clone(), r["cells"][1]["state"].clone()))
        .collect();
    let row = |n: &str, a: &str, b: &str| (json!(n), json!(a), json!(b));
    assert_eq!(states, [row("A", "same", "same"), row("B", "same", "different"), row("C", "missing", "same")]);
}

async fn an_environment_with_values_is_deleted_only_when_that_is_confirmed(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let variable = tenant.variable(&lab, "KEY", "v").await;
    let secret = json!({"name": "s", "value": "v", "environmentId": lab});
    tenant.admin.post(tenant.path("/secrets"), secret).await.created();
    let path = format!("/api/environments/{lab}?organizationId={}", tenant.id);
    let (digest, impact) = assert_unchanged(&tenant, async { tenant.admin.delete(&path).await.impact(2) }).await;
    assert_eq!(
        impact.as_array().unwrap().iter().map(|a| a["kind"].clone()).collect::<Vec<_>>(),
        ["secret", "variable"]
    );
    // The list form asks the same.
    let list = json!({"environments": [{"name": "production", "tier": "production"}]});
    tenant.admin.put(tenant.path("/workspace/environments"), list).await.impact(2);
    // What was confirmed is not what would be lost once there is more.
    tenant.variable(&lab, "MORE", "v").await;
    let (digest_of_more, _) = tenant.admin.delete(&path).confirming(&digest).await.impact(3);
    tenant.admin.delete(&path).confirming(&digest_of_more).await.done();
    tenant.admin.get(format!("/api/variables/{}", id(&variable))).await.problem(404, "not-found");
}

async fn twenty_parallel_creations_of_one_name_are_one(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let lab = id(&tenant.environment("lab").await);
    let body = json!({"organizationId": tenant.id, "environmentId": lab, "name": "ONE", "value": "v"});
    let calls = (0..20).map(|_| async { tenant.admin.post("/api/variables", body.clone()).await.kind() });
    let mut kinds = futures_util::future::join_all(calls).await;
    kinds.sort();
    assert_eq!(kinds.iter().filter(|k| *k == "201").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|k| *k == "409 name-taken").count(), 19, "{kinds:?}");
}

async fn variables_of_another_tenant_are_not_there(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let lab = id(&b.environment("lab").await);
    let theirs = id(&b.variable(&lab, "KEY", "v").await);
    let key = a.key(&SCOPES).await;
    crate::support::unchanged_by(&[&a, &b], async {
        for by in [&*a.admin, &*key] {
            for path in [format!("/api/variables/{theirs}"), format!("/api/variables/{theirs}?organizationId={}", a.id)]
            {
                by.get(&path).await.problem(404, "not-found");
                by.put(&path, json!({"name": "STOLEN"})).await.problem(404, "not-found");
                by.delete(&path).await.problem(404, "not-found");
            }
            by.get(format!("/api/variables?organizationId={}", b.id)).await.problem(404, "not-found");
            by.get(format!("/api/variables?organizationId={}&environmentId={lab}", a.id))
                .await
                .problem(404, "not-found");
            let body = json!({"organizationId": b.id, "environmentId": lab, "name": "A", "value": "v"});
            by.post("/api/variables", body).await.problem(404, "not-found");
            let body = json!({"organizationId": a.id, "environmentId": lab, "name": "A", "value": "v"});
            assert_eq!(by.post("/api/variables", body).await.faults(), ["/environmentId"]);
        }
    })
    .await;
}
