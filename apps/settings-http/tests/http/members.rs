//! Members: roles, the last admin, removal, and the seats that they and their invitations hold.
use crate::support::{
    Member, Site, Store, Tenant, added, assert_unchanged, json, on_both_stores, shape,
    tenant::{Person, SCOPES},
    unique,
};

on_both_stores!(
    a_workspace_keeps_its_last_admin,
    a_role_is_one_of_its_dialect,
    nobody_raises_themselves,
    removing_a_member_tells_which_keys_stay,
    a_removed_member_is_gone_at_once_and_can_come_back,
    what_an_inviter_may_no_longer_offer_is_taken_back,
    seats_are_held_by_members_and_invitations,
    the_seat_limit_never_falls_below_its_use,
);

fn path(tenant: &Tenant, member: &Member) -> String {
    tenant.path(&format!("/workspace/members/{}", member.id))
}

async fn a_workspace_keeps_its_last_admin(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [editor] = tenant.members(["editor"]).await;
    let own = path(&tenant, &tenant.admin);
    let organization = tenant.org(&format!("/members/{}", tenant.admin.id));
    assert_unchanged(&tenant, async {
        for by in [&*tenant.admin, &tenant.platform] {
            for role in ["editor", "viewer"] {
                by.put(&own, json!({"role": role})).await.problem(409, "last-admin");
            }
            by.put(&organization, json!({"role": "user"})).await.problem(409, "last-admin");
            by.delete(&own).await.problem(409, "last-admin");
            by.delete(format!("{organization}?apiKeys=revoke")).await.problem(409, "last-admin");
        }
        // What is stale is stale, whatever else stands against it.
        tenant.admin.delete(&own).seen("\"v9-0\"").await.problem(412, "precondition-failed");
    })
    .await;
    // Asking for the role one has is no demotion.
    tenant.admin.put(&own, json!({"role": "admin"})).await.ok();
    tenant.admin.put(path(&tenant, &editor), json!({"role": "admin"})).await.ok();
    tenant.admin.put(&own, json!({"role": "viewer"})).await.ok();
    tenant.admin.get("/workspace/members").await.problem(403, "forbidden");
    editor.put(path(&tenant, &editor), json!({"role": "viewer"})).await.problem(409, "last-admin");
    // A pending invitation to be an admin is no admin.
    editor
        .post("/workspace/members", json!({"email": format!("a.{}@example.org", unique()), "role": "admin"}))
        .await
        .created();
    editor.delete(path(&tenant, &editor)).await.problem(409, "last-admin");
}

async fn a_role_is_one_of_its_dialect(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [member] = tenant.members(["viewer"]).await;
    let (workspace, organization) = (path(&tenant, &member), tenant.org(&format!("/members/{}", member.id)));
    assert_unchanged(&tenant, async {
        let odd = [
            json!("System"),
            json!("system"),
            json!("owner"),
            json!("ADMIN"),
            json!(" admin"),
            json!("admin "),
            json!("admin\u{0}"),
            json!("\u{0430}dmin"),
            json!(7),
            json!(null),
            json!(["admin"]),
            json!({}),
            json!(""),
        ];
        for role in &odd {
            assert_eq!(tenant.admin.put(&workspace, json!({"role": role})).await.faults(), ["/role"], "{role}");
            assert_eq!(tenant.admin.put(&organization, json!({"role": role})).await.faults(), ["/role"], "{role}");
        }
        for role in ["user", "guest"] {
            assert_eq!(tenant.admin.put(&workspace, json!({"role": role})).await.faults(), ["/role"]);
        }
        for role in ["editor", "viewer"] {
            assert_eq!(tenant.admin.put(&organization, json!({"role": role})).await.faults(), ["/role"]);
        }
        assert_eq!(tenant.admin.put(&workspace, json!({})).await.faults(), ["/role"]);
    })
    .await;
    for (there, here) in [("user", "editor"), ("guest", "viewer"), ("admin", "admin")] {
        assert_eq!(tenant.admin.put(&organization, json!({"role": there})).await.ok()["role"], there);
        assert_eq!(tenant.admin.get(&workspace).await.ok()["role"], here);
    }
    // A pending invitation is no member.
    let waiting = tenant.invite(&format!("w.{}@example.org", unique()), "viewer").await;
    let waiting = tenant.path(&format!("/workspace/members/{}", waiting["id"].as_str().unwrap()));
    tenant.admin.put(waiting, json!({"role": "admin"})).await.problem(404, "not-found");
}

async fn nobody_raises_themselves(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [editor, viewer] = tenant.members(["editor", "viewer"]).await;
    let key = tenant.key(&SCOPES).await;
    assert_unchanged(&tenant, async {
        for member in [&editor, &viewer] {
            for role in ["admin", "editor", "viewer"] {
                let refused = member.put(path(&tenant, member), json!({"role": role})).await.problem(403, "forbidden");
                assert_eq!(refused["permission"], "members:editRole");
                assert_eq!(refused["error"], "Forbidden: You do not have permission to change the roles of members");
            }
            member.delete(path(&tenant, &tenant.admin)).await.problem(403, "forbidden");
            member.delete(path(&tenant, member)).await.problem(403, "forbidden");
            let invite = json!({"email": "second-self@example.org", "role": "admin"});
            let refused = member.post("/workspace/members", invite).await.problem(403, "forbidden");
            assert_eq!(refused["error"], "Forbidden: You do not have permission to invite members");
            // Who may not is told so, not what is wrong with the body.
            let garbage = member.send("PUT", &path(&tenant, member)).body("text/plain", "garbage").await;
            garbage.problem(403, "forbidden");
        }
        for call in [key.put(path(&tenant, &viewer), json!({"role": "admin"})), key.delete(path(&tenant, &viewer))] {
            call.await.problem(403, "session-required");
        }
    })
    .await;
}

async fn removing_a_member_tells_which_keys_stay(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [leaver, other] = tenant.members(["admin", "admin"]).await;
    let make = async |by: &Member, name: &str| {
        let made = by.post("/workspace/api-keys", json!({"name": name, "scopes": ["workspace:read"]})).await.created();
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    };
    let (kept, value) = make(&leaver, "kept").await;
    let (revoked, _) = make(&leaver, "revoked before").await;
    tenant.revoke(&revoked).await;
    let (foreign, _) = make(&other, "of somebody else").await;
    for wrong in ["delete", "", "Revoke"] {
        let answer = tenant.admin.delete(format!("{}?apiKeys={wrong}", path(&tenant, &leaver))).await;
        assert_eq!(answer.faults(), ["/apiKeys"]);
    }
    // A misspelt wish is not taken for none.
    for odd in ["apikeys=revoke", "apiKeys=revoke&force=true", "revoke"] {
        tenant.admin.delete(format!("{}?{odd}", path(&tenant, &leaver))).await.problem(400, "malformed-request");
    }
    let removed = tenant.admin.delete(path(&tenant, &leaver)).await.ok();
    let keys = removed["activeApiKeys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    shape::is(&keys[0], &[("id", "uuid"), ("name", "text"), ("prefix", "text"), ("scopes", "list")]);
    assert_eq!((&keys[0]["id"], &keys[0]["name"]), (&json!(kept), &json!("kept")));
    // It works as before, within its own scopes, and is found for whoever cleans up.
    let key = site.key(&value);
    key.get("/workspace").await.ok();
    key.put("/workspace", json!({"name": "x"})).await.problem(403, "forbidden");
    let departed = tenant.admin.get(tenant.path("/workspace/api-keys?creator=departed")).await.ok();
    let departed = shape::list(&departed, shape::API_KEY);
    let ids: Vec<_> = departed.iter().filter(|k| k["status"] == "active").map(|k| k["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [kept.as_str()]);
    assert_eq!(departed[0]["createdBy"]["stillMember"], false);
    assert_eq!(departed[0]["createdBy"]["userId"], leaver.id.as_str());
    assert_eq!(tenant.admin.get(tenant.path("/workspace/api-keys?creator=me")).await.faults(), ["/creator"]);

    let (foreign_value, removed) =
        (foreign, tenant.admin.delete(format!("{}?apiKeys=revoke", path(&tenant, &other))).await.ok());
    assert_eq!(removed, json!({"removed": true, "activeApiKeys": []}));
    let listed = tenant.admin.get(tenant.path("/workspace/api-keys")).await.ok();
    let status =
        listed["items"].as_array().unwrap().iter().find(|k| k["id"] == foreign_value.as_str()).unwrap()["status"]
            .clone();
    assert_eq!(status, "revoked");
}

async fn a_removed_member_is_gone_at_once_and_can_come_back(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [member] = tenant.members(["editor"]).await;
    member.get("/workspace").await.ok();
    tenant.admin.delete(path(&tenant, &member)).await.ok();
    member.get("/workspace").await.problem(400, "workspace-required");
    member.get(tenant.path("/workspace")).await.problem(404, "not-found");
    member.get(tenant.org("")).await.problem(404, "not-found");
    tenant.admin.get(path(&tenant, &member)).await.problem(404, "not-found");
    tenant.admin.put(path(&tenant, &member), json!({"role": "admin"})).await.problem(404, "not-found");
    tenant.admin.delete(path(&tenant, &member)).await.problem(404, "not-found");
    tenant.invite(&member.person.email, "viewer").await;
    let token = site.nth_invitation(&member.person.email, 2).await;
    member.get(tenant.path("/workspace")).await.problem(404, "not-found");
    member.act(format!("/api/invitations/{token}/accept")).await.ok();
    let back = tenant.admin.get(path(&tenant, &member)).await.ok();
    assert_eq!((&back["role"], &back["userId"]), (&json!("viewer"), &json!(member.id)));
    assert!(back["version"].as_i64().unwrap() > 2, "a version never comes back: {back}");
    member.get("/workspace").await.ok();
}

async fn what_an_inviter_may_no_longer_offer_is_taken_back(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [second] = tenant.members(["admin"]).await;
    let (admin, viewer) = (Person::new("his-second-self"), Person::new("a-viewer"));
    second.post("/workspace/members", json!({"email": admin.email, "role": "admin"})).await.created();
    second.post("/workspace/members", json!({"email": viewer.email, "role": "viewer"})).await.created();
    let (to_admin, to_viewer) = (site.invitation_to(&admin.email).await, site.invitation_to(&viewer.email).await);
    let (_, events) =
        added(&tenant, async { tenant.admin.put(path(&tenant, &second), json!({"role": "editor"})).await.ok() }).await;
    assert_eq!(events.len(), 2, "{events:?}");
    let accept = |person: &Person, token: &str| site.person(person).act(format!("/api/invitations/{token}/accept"));
    accept(&admin, &to_admin).await.problem(404, "not-found");
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1, "the other one is within the rank that is left");
    tenant.admin.delete(path(&tenant, &second)).await.ok();
    accept(&viewer, &to_viewer).await.problem(404, "not-found");
    assert_eq!(tenant.workspace().await["seatsUsed"], 1, "their seats are free");
}

async fn seats_are_held_by_members_and_invitations(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant_with(json!({"seatLimit": 3})).await;
    let admin = &tenant.admin;
    let invite = |email: &str| admin.post(tenant.path("/workspace/members"), json!({"email": email, "role": "viewer"}));
    let email = || format!("s.{}@example.org", unique());
    let used = async || tenant.workspace().await["seatsUsed"].as_i64().unwrap();
    assert_eq!(used().await, 1);
    let person = Person::new("seated");
    let waiting = invite(&person.email).await.created();
    let second = invite(&email()).await.created();
    assert_eq!(used().await, 3);
    let refused = email();
    assert_unchanged(&tenant, async {
        invite(&refused).await.problem(409, "seat-limit-reached");
        admin
            .post(tenant.org("/invitations"), json!({"email": refused, "role": "admin"}))
            .await
            .problem(409, "seat-limit-reached");
        // Who is known already is told that, full or not.
        invite(&person.email).await.problem(409, "already-invited");
        invite(&admin.person.email).await.problem(409, "already-member");
    })
    .await;
    // Joining takes the seat that was held, also in a full workspace; resending needs none.
    admin.act(tenant.path(&format!("/workspace/invitations/{}/resend", second["id"].as_str().unwrap()))).await.ok();
    let member = tenant.joins(person).await;
    assert_eq!(used().await, 3);
    admin.delete(tenant.path(&format!("/workspace/invitations/{}", second["id"].as_str().unwrap()))).await.done();
    assert_eq!(used().await, 2);
    invite(&email()).await.created();
    admin.delete(path(&tenant, &member)).await.ok();
    invite(&email()).await.created();
    invite(&email()).await.problem(409, "seat-limit-reached");
    assert!(site.mails_to(&refused).await.is_empty(), "a refused invitation has sent mail");
    assert_eq!(waiting["status"], "pending");
}

async fn the_seat_limit_never_falls_below_its_use(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let waiting = tenant.invite(&format!("s.{}@example.org", unique()), "viewer").await;
    assert_unchanged(&tenant, async {
        for by in [&*tenant.admin, &tenant.platform] {
            by.put(tenant.path("/workspace"), json!({"seatLimit": 1})).await.problem(409, "seat-limit-below-usage");
        }
        tenant.platform.put(tenant.org(""), json!({"seatLimit": 1})).await.problem(409, "seat-limit-below-usage");
        for bad in [0, -1, 100_001] {
            assert_eq!(
                tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": bad})).await.faults(),
                ["/seatLimit"]
            );
        }
    })
    .await;
    tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 2})).await.ok();
    tenant
        .admin
        .delete(tenant.path(&format!("/workspace/invitations/{}", waiting["id"].as_str().unwrap())))
        .await
        .done();
    assert_eq!(tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 1})).await.ok()["seatLimit"], 1);
    assert_eq!(
        tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 100_000})).await.ok()["seatLimit"],
        100_000
    );
}
