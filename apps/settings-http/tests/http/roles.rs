//! The policy as callers see it: roles, and why somebody may or may not.
use crate::support::{Site, Store, json, on_both_stores, shape};

on_both_stores!(
    roles_are_listed_with_what_they_may,
    a_decision_is_explained_to_its_caller,
    a_former_or_unknown_role_grants_nothing
);

async fn roles_are_listed_with_what_they_may(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let answer = tenant.admin.get("/api/roles").await.ok();
    let roles =
        shape::list(&answer, &[("id", "text"), ("name", "text"), ("description", "text"), ("permissions", "list")]);
    let names: Vec<_> = roles.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "user", "guest"], "and no system: that is no membership");
    let has =
        |role: usize, permission: &str| roles[role]["permissions"].as_array().unwrap().contains(&json!(permission));
    for (permission, holders) in [
        ("workspace:read", [true, true, true]),
        ("members:read", [true, true, false]),
        ("members:invite", [true, false, false]),
        ("audit:read", [true, true, false]),
        ("apiKeys:create", [true, false, false]),
        ("workflows:create", [true, true, false]),
        ("secrets:reveal", [true, false, false]),
        ("organizations:create", [false, false, false]),
    ] {
        assert_eq!([has(0, permission), has(1, permission), has(2, permission)], holders, "{permission}");
    }
    site.anonymous().get("/api/roles").await.problem(401, "unauthenticated");
}

async fn a_decision_is_explained_to_its_caller(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [viewer] = tenant.members(["viewer"]).await;
    let ask = async |by: &crate::support::Caller, action: &str| {
        by.get(tenant.path(&format!("/authz/explain?action={action}"))).await.ok()
    };
    let yes = ask(&tenant.admin, "members:invite").await;
    assert_eq!(
        (&yes["allowed"], &yes["grantedBy"], &yes["permission"]),
        (&json!(true), &json!("admin"), &json!("members:invite"))
    );
    let no = ask(&viewer, "members:invite").await;
    assert_eq!((&no["allowed"], &no["grantedBy"]), (&json!(false), &json!(null)));
    let because = no["because"].as_str().unwrap();
    for word in ["members:invite", "viewer", "admin"] {
        assert!(because.contains(word), "{because}");
    }
    // The same sentence is told to whoever tries.
    let refused = viewer.post("/workspace/members", json!({})).await.problem(403, "forbidden");
    assert!(refused["detail"].as_str().unwrap().contains(because), "{refused} lacks {because}");
    assert_eq!(refused["permission"], "members:invite");
    let system = ask(&tenant.platform, "members:invite").await;
    assert_eq!((&system["allowed"], &system["grantedBy"]), (&json!(true), &json!("system")));
    let secret = ask(&tenant.platform, "secrets:reveal").await;
    assert_eq!(secret["allowed"], false, "the platform reaches no secret");
    for bad in ["", "?action=", "?action=members", "?action=*", "?action=members:Invite"] {
        assert_eq!(tenant.admin.get(tenant.path(&format!("/authz/explain{bad}"))).await.faults(), ["/action"], "{bad}");
    }
}

/// What no program wrote is never read as a right.
async fn a_former_or_unknown_role_grants_nothing(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let [member] = tenant.members(["viewer"]).await;
    let unchecked: &[&str] = match store {
        Store::Sqlite => &[
            "PRAGMA ignore_check_constraints = ON",
            "UPDATE memberships SET role = 'owner', version = version + 1 WHERE workspace_id = {ws} AND role = 'viewer'",
        ],
        Store::Postgres => &[
            "ALTER TABLE memberships DROP CONSTRAINT memberships_role_check",
            "UPDATE memberships SET role = 'owner' WHERE workspace_id = {ws} AND role = 'viewer'",
        ],
    };
    site.home.sql(&tenant.id, unchecked).await;
    for path in ["/workspace", "/workspace/members"] {
        let answer = member.get(tenant.path(path)).await;
        assert!(answer.status >= 400 && answer.status != 401, "{path}: an unknown role was served: {}", answer.text());
    }
    tenant.admin.get(tenant.path("/workspace")).await.ok();
}
