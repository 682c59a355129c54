//! API keys: what they are made of, what they may do, and their end.
use crate::support::{
    Site, Store, Tenant, added, assert_unchanged, eventually, json, on_both_stores, shape,
    tenant::{Key, SCOPES},
};
use futures_util::future::join_all;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    a_key_holds_exactly_its_scopes,
    scopes_are_spelled_exactly,
    a_key_makes_lists_and_revokes_no_key,
    a_key_expires_at_its_instant,
    revoking_is_final_and_recorded_once,
    a_key_outlives_its_maker_within_its_scopes,
    a_key_whose_row_was_changed_is_refused,
    a_workspace_has_at_most_500_active_keys,
);

fn post(tenant: &Tenant, body: serde_json::Value) -> crate::support::client::Call {
    tenant.admin.post(tenant.path("/workspace/api-keys"), body)
}

async fn a_key_holds_exactly_its_scopes(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    // A writing scope is no reading one; every pair allows what its two allow and nothing more.
    let probes =
        [("workspace:read", "/workspace"), ("workspace:read", "/api/environments"), ("audit:read", "/audit/verify")];
    let mut pairs = Vec::new();
    for (i, a) in SCOPES.iter().enumerate() {
        for b in &SCOPES[i + 1..] {
            pairs.push([*a, *b]);
        }
    }
    assert_eq!(pairs.len(), 120);
    let check = async |pair: [&'static str; 2]| {
        let key = tenant.key(&pair).await;
        for (scope, path) in probes {
            let want = if pair.contains(&scope) { 200 } else { 403 };
            key.get(path).await.has(want);
        }
        let write = key.put("/workspace", json!([])).await;
        write.has(if pair.contains(&"workspace:write") { 422 } else { 403 });
        for scope in pair {
            key.act(format!("/api-keys/verify?require={scope}")).await.ok();
        }
        let other = SCOPES.iter().find(|s| !pair.contains(s)).unwrap();
        let refused = key.act(format!("/api-keys/verify?require={other}")).await.problem(403, "forbidden");
        assert!(refused["detail"].as_str().unwrap().contains(other), "{refused}");
    };
    for pairs in pairs.chunks(8) {
        join_all(pairs.iter().map(|pair| check(*pair))).await;
    }
    let explained = tenant.key(&["workspace:write"]).await;
    for (action, allowed, by) in [
        ("workspace:update", true, json!("workspace:write")),
        ("workspace:read", false, json!(null)),
        ("members:invite", false, json!(null)),
    ] {
        let why = explained.get(format!("/authz/explain?action={action}")).await.ok();
        shape::is(&why, &[("allowed", "flag"), ("permission", "text"), ("because", "text"), ("grantedBy", "text?")]);
        assert_eq!((&why["allowed"], &why["grantedBy"]), (&json!(allowed), &by), "{action}");
    }
}

async fn scopes_are_spelled_exactly(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        for scope in [
            "*",
            "workflows:*",
            "WORKFLOWS:READ",
            "Workflows:read",
            " workflows:read",
            "workflows:read ",
            "workflows",
            "workflows:",
            ":read",
            "members:read",
            "apiKeys:create",
            "secrets:reveal",
            "admin",
            "",
            "workflows:read\u{0}",
            "work\u{fb02}ows:read",
            "runs:read,runs:write",
            "runs:read runs:write",
        ] {
            let answer = post(&tenant, json!({"name": "k", "scopes": ["audit:read", scope]})).await;
            assert_eq!(answer.faults(), ["/scopes/1"], "{scope:?}");
        }
        for scopes in [json!([]), json!(null), json!("runs:read"), json!({"runs:read": true}), json!(7)] {
            assert_eq!(post(&tenant, json!({"name": "k", "scopes": scopes})).await.faults(), ["/scopes"], "{scopes}");
        }
        assert_eq!(post(&tenant, json!({"name": "k"})).await.faults(), ["/scopes"]);
        assert_eq!(
            post(&tenant, json!({"name": "k", "scopes": ["runs:read", "runs:read"]})).await.faults(),
            ["/scopes/1"]
        );
        let mut seventeen = SCOPES.to_vec();
        seventeen.push("runs:read");
        assert_eq!(post(&tenant, json!({"name": "k", "scopes": seventeen})).await.faults(), ["/scopes"]);
        for name in ["", "  ", "a\nb", &"k".repeat(201)] {
            assert_eq!(post(&tenant, json!({"name": name, "scopes": ["runs:read"]})).await.faults(), ["/name"]);
        }
        let key = tenant.site.key("wsk_x");
        key.act("/api-keys/verify").await.problem(401, "unauthenticated");
    })
    .await;
    let key = tenant.key(&["runs:read"]).await;
    assert_eq!(key.act("/api-keys/verify?require=runs:*").await.faults(), ["/require"]);
    // Whoever misspells the question must not hear that all is well.
    for odd in [
        "requires=secrets:read",
        "Require=secrets:read",
        "require=runs:read&require=secrets:read",
        "scope=secrets:read",
    ] {
        key.act(format!("/api-keys/verify?{odd}")).await.problem(400, "malformed-request");
    }
    let all = post(&tenant, json!({"name": "all", "scopes": SCOPES})).await.created();
    assert_eq!(all["scopes"], json!(SCOPES), "in the order of the documents");
}

async fn a_key_makes_lists_and_revokes_no_key(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [editor] = tenant.members(["editor"]).await;
    let key = tenant.key(&SCOPES).await;
    assert_unchanged(&tenant, async {
        let more = json!({"name": "another", "scopes": ["runs:read"]});
        key.post("/workspace/api-keys", more.clone()).await.problem(403, "session-required");
        key.get("/workspace/api-keys").await.problem(403, "session-required");
        key.delete(format!("/workspace/api-keys/{}", key.id)).await.problem(403, "session-required");
        key.get("/workspace/members").await.problem(403, "session-required");
        key.get("/api/organizations").await.problem(403, "session-required");
        editor.get("/workspace/api-keys").await.problem(403, "forbidden");
        editor.post("/workspace/api-keys", more).await.problem(403, "forbidden");
    })
    .await;
}

async fn a_key_expires_at_its_instant(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let text = |at: OffsetDateTime| at.format(&Rfc3339).unwrap();
    let make = |at: &str| post(&tenant, json!({"name": "k", "scopes": ["workspace:read"], "expiresAt": at}));
    let now = OffsetDateTime::now_utc();
    assert_unchanged(&tenant, async {
        for past in
            [text(now - Duration::seconds(1)), text(now - Duration::days(400)), "1970-01-01T00:00:00Z".to_owned()]
        {
            assert_eq!(make(&past).await.faults(), ["/expiresAt"], "{past}");
        }
        for bad in [
            "",
            "tomorrow",
            "2099-01-01",
            "2099-01-01 00:00:00",
            "2099-13-01T00:00:00Z",
            "4102444800",
            "10000-01-01T00:00:00Z",
            "2099-01-01T00:00:00",
        ] {
            assert_eq!(make(bad).await.faults(), ["/expiresAt"], "{bad}");
        }
        assert_eq!(
            post(&tenant, json!({"name": "k", "scopes": ["runs:read"], "expiresAt": 4_102_444_800_i64})).await.faults(),
            ["/expiresAt"]
        );
    })
    .await;
    assert_eq!(make("2099-01-01T02:00:00+02:00").await.created()["expiresAt"], "2099-01-01T00:00:00Z");
    let never = post(&tenant, json!({"name": "k", "scopes": ["runs:read"], "expiresAt": null})).await.created();
    assert!(never["expiresAt"].is_null());
    let soon = OffsetDateTime::now_utc() + Duration::milliseconds(1500);
    let made = make(&text(soon)).await.created();
    let key = Key::new(&site, String::new(), made["key"].as_str().unwrap());
    key.get("/workspace").await.ok();
    let refused_at =
        eventually("the key's end", async || (key.get("/workspace").await.status == 401).then(OffsetDateTime::now_utc))
            .await;
    assert!(refused_at >= soon, "refused {} before its end", soon - refused_at);
    assert!(refused_at - soon < Duration::seconds(1), "it worked {} after its end", refused_at - soon);
    key.get("/workspace").await.problem(401, "unauthenticated");
    let listed = tenant.admin.get(tenant.path("/workspace/api-keys")).await.ok();
    let status = listed["items"].as_array().unwrap().iter().find(|k| k["id"] == made["id"]).unwrap()["status"].clone();
    assert_eq!(status, "expired");
    // What has expired breaks nothing when it is revoked, so nothing is asked.
    tenant.admin.delete(tenant.path(&format!("/workspace/api-keys/{}", made["id"].as_str().unwrap()))).await.done();
}

async fn revoking_is_final_and_recorded_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:read"]).await;
    let path = tenant.path(&format!("/workspace/api-keys/{}", key.id));
    let (answers, events) =
        added(&tenant, async { join_all((0..20).map(|_| tenant.admin.delete(&path).into_future())).await }).await;
    answers.iter().for_each(crate::support::Answer::done);
    assert_eq!(events.len(), 1, "{events:?}");
    key.get("/workspace").await.problem(401, "unauthenticated");
    let nobody = uuid::Uuid::now_v7();
    tenant.admin.delete(tenant.path(&format!("/workspace/api-keys/{nobody}"))).await.problem(404, "not-found");
    let listed = tenant.admin.get(tenant.path("/workspace/api-keys")).await.ok();
    assert_eq!(shape::list(&listed, shape::API_KEY)[0]["status"], "revoked", "it stays in the list as what it was");
}

async fn a_key_outlives_its_maker_within_its_scopes(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [maker] = tenant.members(["admin"]).await;
    let body = json!({"name": "made by one who goes", "scopes": ["workspace:read"]});
    let made = maker.post("/workspace/api-keys", body).await.created();
    let key = site.key(made["key"].as_str().unwrap());
    let path = tenant.path(&format!("/workspace/members/{}", maker.id));
    for role in ["viewer", "admin"] {
        tenant.admin.put(&path, json!({"role": role})).await.ok();
        key.get("/workspace").await.ok();
        key.put("/workspace", json!({"name": "x"})).await.problem(403, "forbidden");
        key.get("/workspace/members").await.problem(403, "session-required");
    }
    tenant.admin.delete(&path).await.ok();
    key.get("/workspace").await.ok();
    key.put("/workspace", json!({"name": "x"})).await.problem(403, "forbidden");
}

async fn a_key_whose_row_was_changed_is_refused(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let changed = async |column: &str| {
        let key = tenant.key(&["workspace:read"]).await;
        key.get("/workspace").await.ok();
        let change = format!("UPDATE api_keys SET {column} WHERE workspace_id = {{ws}} AND revoked_at IS NULL");
        // Whoever can write rows can also say that they have changed.
        site.home.sql(&tenant.id, &[&change, "UPDATE workspaces SET epoch = epoch + 1 WHERE id = {ws}"]).await;
        let answers = (key.get("/workspace").await, key.put("/workspace", json!({"name": "Widened"})).await);
        let end = "UPDATE api_keys SET scopes = 'runs:read', revoked_at = 1 WHERE workspace_id = {ws}";
        site.home.sql(&tenant.id, &[end]).await;
        answers
    };
    for change in ["scopes = 'workspace:read workspace:write'", "expires_at = 4102444800000000", "digest = seal"] {
        let (read, write) = changed(change).await;
        read.problem(401, "unauthenticated");
        write.problem(401, "unauthenticated");
    }
    let alarms = site.server.log.all().iter().filter(|l| l.contains("behind the service's back")).count();
    assert!(alarms >= 2, "nobody was told");
    // A scope that no program wrote grants nothing, not even what stands beside it.
    let (read, write) = changed("scopes = 'workspace:read everything:all'").await;
    for answer in [read, write] {
        assert!([401, 403, 503].contains(&answer.status), "{}: {}", answer.what, answer.text());
    }
    assert_eq!(tenant.workspace().await["name"], "Tenant of a test");
}

async fn a_workspace_has_at_most_500_active_keys(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for batch in 0..50 {
        let made =
            join_all((0..10).map(|n| {
                post(&tenant, json!({"name": format!("k{batch}-{n}"), "scopes": ["runs:read"]})).into_future()
            }))
            .await;
        for answer in &made {
            answer.created();
        }
    }
    assert_unchanged(&tenant, async {
        post(&tenant, json!({"name": "one more", "scopes": ["runs:read"]})).await.problem(409, "quota-reached");
    })
    .await;
    let listed = tenant.admin.get(tenant.path("/workspace/api-keys?limit=1")).await.ok();
    tenant.revoke(listed["items"][0]["id"].as_str().unwrap()).await;
    post(&tenant, json!({"name": "in its place", "scopes": ["runs:read"]})).await.created();
}
