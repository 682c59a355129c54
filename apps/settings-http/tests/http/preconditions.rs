//! Entity tags, `If-Match`, `If-None-Match`, and confirmations that fit one impact.
use crate::support::{Answer, Caller, Site, Store, Tenant, added, assert_unchanged, json, on_both_stores, shape};

on_both_stores!(
    a_change_with_a_stale_tag_is_refused_everywhere,
    an_unchanged_resource_is_not_sent_again,
    of_many_changes_with_one_tag_a_single_one_is_made,
    a_lower_retention_is_confirmed_by_its_exact_impact,
    a_key_in_use_is_revoked_only_once_that_is_confirmed,
    a_list_of_environments_guards_each_entry_by_its_version,
);

/// Everything that has a version: where it is read, and a change to it.
async fn versioned(tenant: &Tenant) -> Vec<(String, serde_json::Value)> {
    let [member] = tenant.members(["viewer"]).await;
    let query = format!("?organizationId={}", tenant.id);
    let made = tenant
        .admin
        .post(format!("/api/environments{query}"), json!({"name": "qa", "tier": "staging"}))
        .await
        .created();
    vec![
        (tenant.path("/workspace"), json!({"name": "Changed"})),
        (tenant.path(&format!("/workspace/members/{}", member.id)), json!({"role": "editor"})),
        (tenant.org(&format!("/members/{}", member.id)), json!({"role": "admin"})),
        (format!("/api/environments/{}{query}", made["id"].as_str().unwrap()), json!({"tier": "development"})),
    ]
}

async fn a_change_with_a_stale_tag_is_refused_everywhere(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    for (path, change) in versioned(&tenant).await {
        let old = admin.get(&path).await.tag();
        let put = |tag: &str| admin.put(&path, change.clone()).seen(tag);
        assert_unchanged(&tenant, async {
            let version: i64 = old[2..].split('-').next().unwrap().parse().unwrap();
            for stale in [
                format!("\"v{}-0000000000000000\"", version + 1),
                "\"v0\"".to_owned(),
                "\"other\"".to_owned(),
                "\"\"".to_owned(),
                format!("W/{old}"),
            ] {
                put(&stale).await.problem(412, "precondition-failed");
            }
            for malformed in ["v1", "\"v1", "1", "\"a\", \"b\"", "'v1'", "W/v1", "**"] {
                put(malformed).await.problem(400, "malformed-request");
            }
            put(&old).seen(&old).await.problem(400, "malformed-request");
        })
        .await;
        let changed = put(&old).await;
        let new = changed.tag();
        changed.ok();
        assert_ne!(old, new, "{path}");
        assert_eq!(admin.get(&path).await.tag(), new, "the answer of a change has the tag of what is there: {path}");
        put(&old).await.problem(412, "precondition-failed");
        put("*").await.ok();
    }
    // Deleting is guarded alike, and a stale tag is told before anything is asked.
    let waiting =
        tenant.admin.post(tenant.path("/workspace/members"), json!({"email": "w@example.org", "role": "viewer"})).await;
    let path = tenant.path(&format!("/workspace/invitations/{}", waiting.created()["id"].as_str().unwrap()));
    admin.act(format!("{path}/resend")).seen("\"v7-0\"").await.problem(412, "precondition-failed");
    admin.delete(&path).seen("\"v7-0\"").await.problem(412, "precondition-failed");
    admin.delete(&path).seen(waiting.tag()).await.done();
    let deletable = site.platform().get(tenant.org("")).await.tag();
    site.platform().delete(tenant.org("")).seen("\"v99-0\"").await.problem(412, "precondition-failed");
    site.platform().delete(tenant.org("")).seen(deletable).await.done();
}

async fn an_unchanged_resource_is_not_sent_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let caller: &Caller = &tenant.platform;
    for path in
        ["/workspace", "/workspace/environments", "/workspace/invitations", "/workspace/api-keys", "/audit/events"]
    {
        let first = caller.get(path).await;
        let tag = first.tag();
        let unseen = [format!("\"x\", {tag}"), tag.clone(), format!("W/{tag}"), "*".to_owned()];
        for seen in unseen {
            let again = caller.get(path).header("if-none-match", &seen).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {seen}");
            assert_eq!(again.tag(), tag);
            assert!(again.header("content-type").is_none(), "{path}");
        }
        caller.get(path).header("if-none-match", "\"other\"").await.ok();
        assert!(first.header("cache-control").unwrap().contains("private"), "{path}");
    }
    let before = caller.get("/workspace").await.tag();
    caller.put("/workspace", json!({"name": "New"})).await.ok();
    caller.get("/workspace").header("if-none-match", before).await.ok();
    // The same text for somebody else has nothing to do with it.
    let other = site.tenant().await;
    let theirs = other.admin.get(other.path("/workspace/environments")).await.tag();
    caller.get("/workspace/environments").header("if-none-match", theirs).await.ok();
    let refused = site.anonymous().get("/workspace").header("if-none-match", "*").await;
    refused.problem(401, "unauthenticated");
}

async fn of_many_changes_with_one_tag_a_single_one_is_made(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for round in 0..10 {
        let tag = tenant.admin.get(tenant.path("/workspace")).await.tag();
        let (answers, events) = added(&tenant, async {
            let puts = (0..6).map(|n| {
                let body = json!({"name": format!("Round {round}, writer {n}")});
                tenant.admin.put(tenant.path("/workspace"), body).seen(&tag).into_future()
            });
            futures_util::future::join_all(puts).await
        })
        .await;
        let made: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
        assert_eq!(made.len(), 1, "round {round}");
        answers.iter().filter(|a| a.status != 200).for_each(|a| {
            a.problem(412, "precondition-failed");
        });
        assert_eq!(events.len(), 1);
        assert_eq!(tenant.workspace().await["name"], made[0].ok()["name"]);
    }
}

async fn a_lower_retention_is_confirmed_by_its_exact_impact(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let put = |days: i64| tenant.admin.put(tenant.path("/workspace"), json!({"dataRetentionDays": days}));
    put(100).await.ok();
    let (fifty, sixty) = assert_unchanged(&tenant, async {
        let (fifty, impact) = put(50).await.impact(1);
        assert_eq!((&impact[0]["kind"], &impact[0]["id"]), (&json!("run-data"), &json!(tenant.id)));
        let (again, _) = put(50).await.impact(1);
        assert_eq!(fifty, again, "the same impact has the same digest");
        let (sixty, _) = put(60).await.impact(1);
        assert_ne!(fifty, sixty);
        for wrong in ["", "yes", "true", "0", &sixty, &fifty.to_uppercase(), &fifty[1..]] {
            put(50).confirming(wrong).await.impact(1);
        }
        put(50).confirming(&fifty).confirming(&fifty).await.problem(400, "malformed-request");
        // Confirmed last: what is wrong anyway is told first, whatever was confirmed.
        put(29).await.problem(422, "retention-below-floor");
        put(29).confirming(&fifty).await.problem(422, "retention-below-floor");
        put(50).confirming(&fifty).seen("\"v99-0\"").await.problem(412, "precondition-failed");
        (fifty, sixty)
    })
    .await;
    // The impact has changed since it was shown.
    put(90).confirming(&put(90).await.impact(1).0).await.ok();
    let (new, _) = put(50).confirming(&fifty).await.impact(1);
    assert_ne!(new, fifty);
    put(50).confirming(&new).await.ok();
    // Confirmed once is not confirmed for ever.
    put(100).await.ok();
    put(50).confirming(&new).await.impact(1);
    let _ = put(60).confirming(&sixty).await.ok();
    // The platform is asked as well, and raising asks nobody.
    tenant.platform.put(tenant.org(""), json!({"dataRetentionDays": 40})).await.impact(1);
    tenant.platform.put(tenant.org(""), json!({"dataRetentionDays": 70})).await.ok();
}

async fn a_key_in_use_is_revoked_only_once_that_is_confirmed(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [used, other, unused] =
        [tenant.key(&["runs:read"]).await, tenant.key(&["runs:read"]).await, tenant.key(&["runs:read"]).await];
    used.act("/api-keys/verify").await.ok();
    other.act("/api-keys/verify").await.ok();
    let path = |id: &str| tenant.path(&format!("/workspace/api-keys/{id}"));
    let digest = assert_unchanged(&tenant, async {
        let (digest, impact) = tenant.admin.delete(path(&used.id)).await.impact(1);
        assert_eq!((&impact[0]["kind"], &impact[0]["name"]), (&json!("api-key"), &json!("a key of the test")));
        tenant.admin.delete(path(&other.id)).confirming(&digest).await.impact(1);
        digest
    })
    .await;
    used.act("/api-keys/verify").await.ok();
    tenant.admin.delete(path(&used.id)).confirming(&digest).await.done();
    used.act("/api-keys/verify").await.problem(401, "unauthenticated");
    // Nothing would break, so nothing is asked.
    tenant.admin.delete(path(&unused.id)).await.done();
}

async fn a_list_of_environments_guards_each_entry_by_its_version(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let put = |list: serde_json::Value| {
        tenant.admin.put(tenant.path("/workspace/environments"), json!({"environments": list}))
    };
    let production = json!({"name": "production", "tier": "production"});
    let made = put(json!([production, {"name": "qa", "tier": "staging"}])).await.ok();
    let made = shape::list(&made, shape::ENVIRONMENT);
    let entry = |tier: &str, version: i64| json!({"id": made[1]["id"], "name": "qa", "tier": tier, "version": version});
    put(json!([production, entry("development", 1)])).await.ok();
    assert_unchanged(&tenant, async {
        put(json!([production, entry("staging", 1)])).await.problem(412, "precondition-failed");
        put(json!([production, {"name": "qa", "tier": "staging", "version": 1}]))
            .await
            .problem(412, "precondition-failed");
    })
    .await;
    put(json!([production, entry("staging", 2)])).await.ok();
}
