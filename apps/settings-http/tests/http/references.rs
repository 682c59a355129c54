//! References: whole lists, of things that are there.
use crate::support::{Site, Store, Value, assert_unchanged, json, on_both_stores, shape, values::Values};

on_both_stores!(a_referrer_says_all_that_it_uses, only_what_is_there_can_be_used);

async fn a_referrer_says_all_that_it_uses(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let values = Values::of(&tenant).await;
    let path = tenant.path("/references/workflow/nightly.1");
    let uses = json!([
        {"kind": "variable", "id": values.variable},
        {"kind": "model", "id": values.model},
        {"kind": "secret", "id": values.secret},
        {"kind": "environment", "id": values.environment},
    ]);
    let key = tenant.key(&["workflows:write"]).await;
    let said = key.put(&path, json!({"name": "Nightly", "uses": uses})).await;
    let body = said.ok();
    let fields = [
        ("referrerKind", "text"),
        ("referrerId", "text"),
        ("name", "text"),
        ("uses", "list"),
        ("updatedAt", "instant"),
        ("version", "number"),
    ];
    shape::is(&body, &fields);
    assert_eq!((&body["version"], body["uses"].as_array().unwrap().len()), (&json!(1), 4));
    assert_eq!(key.put(&path, json!({"name": "Nightly", "uses": uses})).await.ok()["version"], 1, "nothing new");
    // Whatever is used is deleted only when that is confirmed, and is used no more afterwards.
    let model = format!("/api/models/{}", values.model);
    let (digest, impact) = tenant.admin.delete(&model).await.impact(1);
    assert_eq!(
        (&impact[0]["kind"], &impact[0]["id"], &impact[0]["name"]),
        (&json!("workflow"), &json!("nightly.1"), &json!("Nightly"))
    );
    tenant.admin.delete(&model).confirming(&digest).await.done();
    let environment = format!("/api/environments/{}?organizationId={}", values.environment, tenant.id);
    tenant.admin.delete(&environment).await.impact(3);
    let none = key.put(&path, json!({"name": "Nightly", "uses": []})).seen(said.tag()).await.ok();
    assert_eq!((&none["version"], &none["uses"]), (&json!(2), &json!([])));
    key.put(&path, json!({"name": "x", "uses": []})).seen(said.tag()).await.problem(412, "precondition-failed");
    tenant.admin.delete(&environment).await.impact(2);
}

async fn only_what_is_there_can_be_used(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let (mine, theirs) = (Values::of(&a).await, Values::of(&b).await);
    let path = a.path("/references/workflow/w");
    let put = |uses: Value| a.admin.put(&path, json!({"name": "W", "uses": uses}));
    assert_unchanged(&a, async {
        assert_eq!(put(json!([{"kind": "variable", "id": theirs.variable}])).await.faults(), ["/uses"]);
        assert_eq!(put(json!([{"kind": "secret", "id": mine.variable}])).await.faults(), ["/uses"]);
        assert_eq!(put(json!([{"kind": "key", "id": mine.variable}])).await.faults(), ["/uses/0/kind"]);
        assert_eq!(put(json!([{"kind": "variable", "id": "x"}])).await.faults(), ["/uses/0/id"]);
        assert_eq!(put(json!("all")).await.faults(), ["/uses"]);
        for bad in ["/references/Workflow/w", "/references/workflow/a%20b"] {
            a.admin.put(a.path(bad), json!({"name": "W", "uses": []})).await.problem(404, "not-found");
        }
    })
    .await;
}
