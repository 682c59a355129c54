//! Workspaces and environments: names, slugs, regions, retention, and production that is always there.
use crate::support::{Site, Store, Tenant, assert_unchanged, json, on_both_stores, shape, unique};
use futures_util::future::join_all;

on_both_stores!(
    a_slug_is_plain_ascii_and_taken_for_ever,
    a_name_is_what_people_can_read,
    a_workspace_changes_by_its_rules,
    a_floor_of_ones_own_is_kept,
    production_is_always_there_once,
    environments_are_named_by_rule,
    environments_change_one_at_a_time_and_as_a_list_alike,
);

async fn a_slug_is_plain_ascii_and_taken_for_ever(store: Store) {
    let site = Site::shared(store).await;
    let platform = site.platform();
    let found = |slug: &str| {
        platform.post("/api/organizations", json!({"name": "N", "slug": slug, "adminEmail": "n@example.org"}))
    };
    let too_long = "a".repeat(49);
    for bad in [
        "",
        "a",
        "ab",
        "Acme",
        "ac me",
        "acme-",
        "-acme",
        "ac--me",
        "xn--acme",
        "acme.",
        "a_c",
        "acme/x",
        "..",
        "%61cme",
        "\u{430}cme",
        "\u{ff41}cme",
        "acme\u{200b}",
        "acm\u{e9}",
        "acme\n",
        &too_long,
    ] {
        assert_eq!(found(bad).await.faults(), ["/slug"], "{bad:?}");
    }
    for reserved in [
        "api",
        "admin",
        "www",
        "app",
        "login",
        "static",
        "health",
        "healthz",
        "metrics",
        "workspace",
        "settings",
        "system",
        "null",
        "undefined",
        "new",
        "billing",
        "secrets",
        "connections",
        "events",
        "audit",
        "webhooks",
        "problems",
        "docs",
        "invitations",
        "sign-in",
        "readyz",
        "authz",
        "api-keys",
        "dev",
        "openapi",
    ] {
        found(reserved).await.problem(409, "slug-reserved");
    }
    // Every first part of a path that the service answers is out of reach, those of one letter by the rule of three.
    let document = site.anonymous().get("/openapi.json").await.has(200).json();
    for path in document["paths"].as_object().unwrap().keys() {
        let first = path.split('/').nth(1).unwrap();
        let answer = found(first).await;
        assert!([409, 422].contains(&answer.status), "{first} can be taken: {}", answer.text());
    }
    let u = unique();
    for good in [format!("a1-{u}"), format!("{}{u}", "a".repeat(28)), format!("arnazon-{u}"), u[..3].to_owned()] {
        if good.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            assert_eq!(found(&good).await.created()["slug"], good.as_str());
            found(&good).await.problem(409, "slug-taken");
        }
    }
    let raced = format!("raced-{u}");
    let answers = join_all((0..8).map(|_| found(&raced).into_future())).await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1, "{answers:?}");
    answers.iter().filter(|a| a.status != 201).for_each(|a| {
        a.problem(409, "slug-taken");
    });
    let missing = platform.post("/api/organizations", json!({})).await.faults();
    assert_eq!(missing, ["/adminEmail", "/name", "/slug"]);
    let region = json!({"name": "N", "slug": "no-region", "adminEmail": "n@example.org", "defaultRegion": "mars-1"});
    assert_eq!(platform.post("/api/organizations", region).await.faults(), ["/defaultRegion"]);
}

async fn a_name_is_what_people_can_read(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let put = |name: &str| tenant.admin.put(tenant.path("/workspace"), json!({"name": name}));
    assert_unchanged(&tenant, async {
        for bad in [
            "",
            " ",
            "\u{a0}\u{2003}",
            "\t",
            "a\nb",
            "a\u{0}b",
            "a\u{7f}",
            "\u{85}",
            &"x".repeat(201),
            &"é".repeat(201),
        ] {
            assert_eq!(put(bad).await.faults(), ["/name"], "{bad:?}");
        }
    })
    .await;
    for good in [
        "x",
        &"x".repeat(200),
        &"é".repeat(200),
        &"🚀".repeat(200),
        "\u{202e}odd\u{202c}",
        "=HYPERLINK(\"x\")",
        "<script>",
        "Ünïcødé 名前 🏳️‍🌈",
        "null",
        "'; --",
    ] {
        assert_eq!(put(good).await.ok()["name"], good);
        assert_eq!(tenant.workspace().await["name"], good, "kept to the letter");
    }
}

async fn a_workspace_changes_by_its_rules(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let put = |body: serde_json::Value| tenant.admin.put(tenant.path("/workspace"), body);
    let before = tenant.workspace().await;
    shape::is(&before, shape::WORKSPACE);
    assert_unchanged(&tenant, async {
        put(json!({"slug": "another"})).await.problem(422, "slug-immutable");
        put(json!({"slug": tenant.slug.to_uppercase()})).await.problem(422, "slug-immutable");
        let body = put(json!({"dataRetentionDays": 29})).await.problem(422, "retention-below-floor");
        assert_eq!(body["errors"][0]["pointer"], "/dataRetentionDays");
        for bad in [0, -1, 3651] {
            assert_eq!(put(json!({"dataRetentionDays": bad})).await.faults(), ["/dataRetentionDays"]);
        }
        for bad in ["mars-1", "", "EU-CENTRAL-1", "eu-central-1 "] {
            assert_eq!(put(json!({"defaultRegion": bad})).await.faults(), ["/defaultRegion"]);
        }
        // One fault spoils the whole change.
        put(json!({"name": "Half a change", "slug": "another"})).await.problem(422, "slug-immutable");
    })
    .await;
    let changed = put(json!({"name": "Changed", "slug": tenant.slug, "defaultRegion": "us-east-1", "seatLimit": 7, "dataRetentionDays": 400})).await.ok();
    shape::is(&changed, shape::WORKSPACE);
    for (field, value) in [
        ("name", json!("Changed")),
        ("defaultRegion", json!("us-east-1")),
        ("seatLimit", json!(7)),
        ("dataRetentionDays", json!(400)),
        ("version", json!(2)),
        ("createdAt", before["createdAt"].clone()),
        ("id", before["id"].clone()),
    ] {
        assert_eq!(changed[field], value, "{field}");
    }
    assert!(changed["updatedAt"].as_str() > before["updatedAt"].as_str());
    assert_eq!(tenant.workspace().await, changed);
    assert_eq!(site.platform().get(tenant.org("")).await.ok(), changed, "both dialects show the same");
    // What is read can be written back, without what nobody may write.
    let mut back = changed.clone();
    for field in ["id", "complianceFloorDays", "seatsUsed", "createdAt", "updatedAt", "version"] {
        back.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(put(back).await.ok(), changed);
    assert_eq!(put(json!({"complianceFloorDays": 10})).await.faults(), ["/complianceFloorDays"]);
}

async fn a_floor_of_ones_own_is_kept(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant_with(json!({"complianceFloorDays": 120})).await;
    let there = tenant.workspace().await;
    assert_eq!(there["complianceFloorDays"], 120);
    assert!(there["dataRetentionDays"].as_i64().unwrap() >= 120);
    let days = |days: i64| tenant.admin.put(tenant.path("/workspace"), json!({"dataRetentionDays": days}));
    days(119).await.problem(422, "retention-below-floor");
    days(150).await.ok();
    // The platform raises the floor: a lower retention rises with it, and nothing else stops working.
    let raised = tenant.platform.put(tenant.org(""), json!({"complianceFloorDays": 200})).await.ok();
    assert_eq!((&raised["complianceFloorDays"], &raised["dataRetentionDays"]), (&json!(200), &json!(200)));
    tenant.admin.put(tenant.path("/workspace"), json!({"name": "Unrelated"})).await.ok();
    tenant
        .platform
        .put(tenant.org(""), json!({"complianceFloorDays": 300, "dataRetentionDays": 299}))
        .await
        .problem(422, "retention-below-floor");
    // The service's own floor counts where a workspace asks for less.
    let low = site.tenant_with(json!({"complianceFloorDays": 1})).await;
    assert_eq!(low.workspace().await["complianceFloorDays"], 30);
}

#[expect(clippy::needless_pass_by_value, reason = "a body is written down where it is sent")]
fn list(tenant: &Tenant, items: serde_json::Value) -> crate::support::client::Call {
    tenant.admin.put(tenant.path("/workspace/environments"), json!({"environments": items}))
}

async fn production_is_always_there_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let there = tenant.admin.get(tenant.path("/workspace/environments")).await.ok();
    let id = there["items"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("/api/environments/{id}?organizationId={}", tenant.id);
    let production = json!({"name": "production", "tier": "production"});
    assert_unchanged(&tenant, async {
        for wrong in [
            json!([]),
            json!([{"name": "qa", "tier": "staging"}]),
            json!([{"name": "production", "tier": "staging"}]),
            json!([{"name": "live", "tier": "production"}]),
            json!([{"id": id, "name": "live", "tier": "production"}]),
            json!([production, {"name": "live", "tier": "production"}]),
            json!([{"id": id, "name": "qa", "tier": "staging"}, production]),
        ] {
            list(&tenant, wrong.clone()).await.problem(409, "production-protected");
        }
        // A second production of the same name is both a second production (409) and a repeated name (422).
        let twice = list(&tenant, json!([production, production])).await.kind();
        assert!(["409 production-protected", "422 validation-failed"].contains(&twice.as_str()), "{twice}");
        for change in
            [json!({"name": "live"}), json!({"tier": "staging"}), json!({"name": "qa", "tier": "development"})]
        {
            tenant.admin.put(&one, change).await.problem(409, "production-protected");
        }
        tenant.admin.delete(&one).await.problem(409, "production-protected");
        let second = json!({"name": "live", "tier": "production"});
        tenant
            .admin
            .post(format!("/api/environments?organizationId={}", tenant.id), second)
            .await
            .problem(409, "production-protected");
        let twin = json!({"name": "production", "tier": "staging"});
        tenant
            .admin
            .post(format!("/api/environments?organizationId={}", tenant.id), twin)
            .await
            .problem(409, "production-protected");
        assert_eq!(tenant.admin.put(&one, json!({"name": "production"})).await.ok()["version"], 1);
    })
    .await;
    // The right to change is not the right to add or drop: no role has one without the others, and no key either.
    let reader = tenant.key(&["workspace:read"]).await;
    reader.put("/workspace/environments", json!({"environments": []})).await.problem(403, "forbidden");
}

async fn environments_are_named_by_rule(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let post = |name: &str| {
        let body = json!({"organizationId": tenant.id, "name": name, "tier": "staging"});
        tenant.admin.post("/api/environments", body)
    };
    assert_unchanged(&tenant, async {
        for bad in ["", "Production", "PRODUCTION", " production", "production ", "pr\u{43e}duction", "production\u{200b}",
            "__proto__", "..", "a/b", "a b", "-a", "_a", "a.b", "\u{e9}", &"a".repeat(65), "a\0"]
        {
            assert_eq!(post(bad).await.faults(), ["/name"], "{bad:?}");
        }
        for tier in ["", "Staging", "prod", "test"] {
            let body = json!({"organizationId": tenant.id, "name": "qa", "tier": tier});
            assert_eq!(tenant.admin.post("/api/environments", body).await.faults(), ["/tier"]);
        }
        let twice = json!([{"name": "production", "tier": "production"}, {"name": "qa", "tier": "staging"}, {"name": "qa", "tier": "development"}]);
        assert_eq!(list(&tenant, twice).await.faults(), ["/environments"]);
        let numbered = |n: usize| -> Vec<_> { (0..n).map(|i| json!({"name": format!("e{i}"), "tier": "staging"})).collect() };
        let mut many = numbered(50);
        many.push(json!({"name": "production", "tier": "production"}));
        assert_eq!(list(&tenant, json!(many)).await.faults(), ["/environments"]);
    })
    .await;
    for good in ["con", "a", "0", "a-b_c", &"a".repeat(64)] {
        let made = post(good).await.created();
        shape::is(&made, shape::ENVIRONMENT);
        assert_eq!((&made["name"], &made["protected"], &made["variables"]), (&json!(good), &json!(false), &json!(0)));
        post(good).await.problem(409, "name-taken");
    }
    let there = tenant.admin.get(tenant.path("/workspace/environments")).await.ok();
    let mut items = there["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| json!({"name": e["name"], "tier": e["tier"]}))
        .collect::<Vec<_>>();
    items.extend((0..50 - items.len()).map(|i| json!({"name": format!("e{i}"), "tier": "development"})));
    assert_eq!(list(&tenant, json!(items)).await.ok()["items"].as_array().unwrap().len(), 50);
    assert!([409, 422].contains(&post("one-more").await.status), "51 environments");
}

async fn environments_change_one_at_a_time_and_as_a_list_alike(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let production = json!({"name": "production", "tier": "production"});
    let made =
        list(&tenant, json!([production, {"name": "a", "tier": "staging"}, {"name": "b", "tier": "development"}]))
            .await
            .ok();
    let made = shape::list(&made, shape::ENVIRONMENT);
    let id = |n: usize| made[n]["id"].as_str().unwrap().to_owned();
    // Two swap their names in one step, by id.
    let swapped = json!([production, {"id": id(1), "name": "b", "tier": "staging"}, {"id": id(2), "name": "a", "tier": "development"}]);
    let swapped = list(&tenant, swapped).await;
    let swapped = shape::list(&swapped.ok(), shape::ENVIRONMENT);
    let names: Vec<_> = swapped.iter().map(|e| (e["id"].as_str().unwrap(), e["name"].as_str().unwrap())).collect();
    assert!(names.contains(&(id(1).as_str(), "b")) && names.contains(&(id(2).as_str(), "a")), "{names:?}");
    // By name alone it is the same environment as before.
    let kept = list(&tenant, json!([production, {"name": "b", "tier": "development"}])).await.ok();
    let kept = shape::list(&kept, shape::ENVIRONMENT);
    assert_eq!((kept.len(), &kept[1]["id"]), (2, &json!(id(1))));
    let path = format!("/api/environments/{}?organizationId={}", id(1), tenant.id);
    assert_eq!(tenant.admin.get(&path).await.ok(), kept[1]);
    let renamed = tenant.admin.put(&path, json!({"name": "c"})).await.ok();
    assert_eq!((&renamed["name"], &renamed["tier"]), (&json!("c"), &json!("development")));
    tenant.admin.put(&path, json!({"name": "production"})).await.problem(409, "production-protected");
    tenant.admin.post("/api/environments", json!({"name": "d", "tier": "staging"})).await.created();
    tenant.admin.put(&path, json!({"name": "d"})).await.problem(409, "name-taken");
    tenant.admin.delete(&path).await.done();
    tenant.admin.delete(&path).await.problem(404, "not-found");
    tenant.admin.get(&path).await.problem(404, "not-found");
    let there = tenant.admin.get("/api/environments").await.ok();
    assert_eq!(there, tenant.admin.get(tenant.path("/workspace/environments")).await.ok());
    let unknown = json!([production, {"id": id(1), "name": "e", "tier": "staging"}]);
    assert_eq!(list(&tenant, unknown).await.faults(), ["/environments"]);
}
