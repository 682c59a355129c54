//! The job the service is for, from end to end, every answer held against the contract field by field.
use crate::support::{
    Answer, Caller, Site, Store, Tenant, Value, added, eventually, json, on_both_stores, shape,
    tenant::{Key, Person},
    unique,
};

on_both_stores!(
    invite_accept_promote_make_a_key_use_it_revoke_it_and_prove_it,
    the_same_job_in_the_words_of_the_other_dialect,
    a_workspace_is_founded_by_the_platform,
);

async fn a_workspace_is_founded_by_the_platform(store: Store) {
    let site = Site::shared(store).await;
    let platform = site.platform();
    let slug = format!("founded-{}", unique());
    let admin = Person::new("grace");
    let body = json!({"name": "Grace & Söhne", "slug": slug, "adminEmail": admin.email, "defaultRegion": "us-east-1",
        "seatLimit": 3, "complianceFloorDays": 45});
    let answer = platform.post("/api/organizations", body).await;
    let made = answer.created();
    shape::is(&made, shape::WORKSPACE);
    let id = made["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(format!("/api/organizations/{id}").as_str()));
    assert!(answer.tag().starts_with("\"v1-"));
    for (field, value) in [
        ("name", json!("Grace & Söhne")),
        ("slug", json!(slug)),
        ("defaultRegion", json!("us-east-1")),
        ("seatLimit", json!(3)),
        ("seatsUsed", json!(1)),
        ("complianceFloorDays", json!(45)),
        ("version", json!(1)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["dataRetentionDays"].as_i64().unwrap() >= 45);
    let read = platform.get(format!("/api/organizations/{id}")).await.ok();
    assert_eq!(read, made, "the answer of the creation is what is there");
    let environments = platform.get(format!("/w/{slug}/workspace/environments")).await.ok();
    let environments = shape::list(&environments, shape::ENVIRONMENT);
    assert_eq!(environments.len(), 1);
    assert_eq!((&environments[0]["name"], &environments[0]["protected"]), (&json!("production"), &json!(true)));

    // The platform's own address joins at once, in whatever case it is typed, and nobody gets mail.
    let slug = format!("own-{}", unique());
    let own = json!({"name": "Own", "slug": slug, "adminEmail": "Root@Platform.example"});
    platform.post("/api/organizations", own).await.created();
    let members = platform.get(format!("/w/{slug}/workspace/members")).await.ok();
    let members = shape::list(&members, shape::MEMBER);
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["role"], "admin");
    assert!(site.mails_to("root@platform.example").await.is_empty());
}

async fn invite_accept_promote_make_a_key_use_it_revoke_it_and_prove_it(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let boris = Person::with_email(&format!("Boris.{}@Example.org", unique()), "boris");
    let ((), events) = added(&tenant, async {
        let user = invited_and_joined(&tenant, &boris).await;
        promoted(&tenant, &site.person(&boris), &user).await;
        let key = key_made(&tenant, &site.person(&boris)).await;
        key_used_and_revoked(&tenant, &site.person(&boris), &key).await;
    })
    .await;
    let actions: Vec<_> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "member.invited",
            "member.joined",
            "member.updated",
            "api_key.created",
            "workspace.updated",
            "api_key.revoked"
        ]
    );
    let places: Vec<i64> = events.iter().map(|e| e["seq"].as_i64().unwrap()).collect();
    assert!(places.windows(2).all(|w| w[1] == w[0] + 1), "{places:?}");
}

async fn invited_and_joined(tenant: &Tenant, person: &Person) -> String {
    let body = json!({"email": person.email, "role": "editor"});
    let answer = tenant.admin.post(tenant.path("/workspace/members"), body).await;
    let invitation = answer.created();
    shape::is(&invitation, shape::INVITATION);
    assert_eq!(invitation["email"], person.email.as_str(), "kept as typed");
    assert_eq!((&invitation["role"], &invitation["status"]), (&json!("editor"), &json!("pending")));
    assert_eq!(invitation["invitedBy"]["userId"], tenant.admin.id.as_str());
    shape::is(&invitation["invitedBy"], &[("userId", "uuid"), ("name", "text?")]);
    assert!(answer.tag().starts_with("\"v1-"));
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
    let waiting = shape::list(&waiting, shape::INVITATION);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["invitedBy"]["name"], tenant.admin.person.name.as_str());

    let mails = eventually("the mail", async || {
        Some(tenant.site.mails_to(&person.email).await).filter(|mails| !mails.is_empty())
    })
    .await;
    let mail = &mails[0];
    let token = mail["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let sent = eventually("the mail's status", async || {
        let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
        Some(waiting["items"][0]["emailStatus"].clone()).filter(|s| s == "sent")
    })
    .await;
    assert_eq!(sent, "sent");

    let caller = tenant.site.person(person);
    let joined = caller.act(format!("/api/invitations/{token}/accept")).await.ok();
    shape::is(&joined, &[("organizationId", "uuid"), ("slug", "text"), ("role", "user")]);
    assert_eq!((&joined["organizationId"], &joined["slug"]), (&json!(tenant.id), &json!(tenant.slug)));
    let members = tenant.admin.get(tenant.path("/workspace/members?q=boris")).await.ok();
    let members = shape::list(&members, shape::MEMBER);
    assert_eq!(members.len(), 1);
    assert_eq!((&members[0]["role"], &members[0]["name"]), (&json!("editor"), &json!(person.name)));
    assert!(tenant.admin.get(tenant.path("/workspace/invitations")).await.ok()["items"].as_array().unwrap().is_empty());
    members[0]["userId"].as_str().unwrap().to_owned()
}

/// The only workspace of a person needs no naming.
async fn promoted(tenant: &Tenant, caller: &Caller, user: &str) {
    caller
        .post("/workspace/members", json!({"email": "a@b.example", "role": "viewer"}))
        .await
        .problem(403, "forbidden");
    let member = tenant.admin.get(tenant.path(&format!("/workspace/members/{user}"))).await;
    shape::is(&member.ok(), shape::MEMBER);
    let path = tenant.path(&format!("/workspace/members/{user}"));
    let answer = tenant.admin.put(&path, json!({"role": "admin"})).seen(member.tag()).await;
    let changed = answer.ok();
    shape::is(&changed, shape::MEMBER);
    assert_eq!((&changed["role"], &changed["version"]), (&json!("admin"), &json!(2)));
    assert!(answer.tag().starts_with("\"v2-"));
    tenant.admin.put(&path, json!({"role": "viewer"})).seen(member.tag()).await.problem(412, "precondition-failed");
    caller.get("/workspace/api-keys").await.ok();
}

async fn key_made(tenant: &Tenant, caller: &Caller) -> Key {
    let body = json!({"name": "CI of Boris", "scopes": ["workspace:write", "workspace:read"]});
    let answer = caller.post("/workspace/api-keys", body).await;
    let made = answer.created();
    let mut fields = shape::API_KEY.to_vec();
    fields.push(("key", "text"));
    shape::is(&made, &fields);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let value = made["key"].as_str().unwrap();
    assert!(value.starts_with(made["prefix"].as_str().unwrap()), "the prefix is a beginning of the value");
    assert!(value.contains(made["last4"].as_str().unwrap()));
    assert_eq!(
        (&made["status"], &made["expiresAt"], &made["lastUsedAt"]),
        (&json!("active"), &Value::Null, &Value::Null)
    );
    assert_eq!(made["scopes"], json!(["workspace:read", "workspace:write"]));
    shape::is(&made["createdBy"], &[("userId", "uuid"), ("name", "text?"), ("stillMember", "flag")]);
    let listed = tenant.admin.get(tenant.path("/workspace/api-keys")).await;
    assert!(!listed.text().contains(&value[30..]), "the list shows a value");
    let listed = shape::list(&listed.ok(), shape::API_KEY);
    assert_eq!(listed.len(), 1);
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(listed[0]["id"], id.as_str());
    Key::new(&tenant.site, id, value)
}

async fn key_used_and_revoked(tenant: &Tenant, caller: &Caller, key: &Key) {
    let verified = key.act("/api-keys/verify").await.ok();
    shape::is(
        &verified,
        &[("workspaceId", "uuid"), ("slug", "text"), ("keyId", "uuid"), ("scopes", "list"), ("expiresAt", "instant?")],
    );
    assert_eq!((&verified["workspaceId"], &verified["keyId"]), (&json!(tenant.id), &json!(key.id)));
    key.act("/api-keys/verify?require=workspace:read").await.ok();
    key.act("/api-keys/verify?require=runs:read").await.problem(403, "forbidden");
    let workspace = key.get("/workspace").await.ok();
    shape::is(&workspace, shape::WORKSPACE);
    let changed = key.put("/workspace", json!({"name": "Renamed by a key"})).await.ok();
    assert_eq!((&changed["name"], &changed["version"]), (&json!("Renamed by a key"), &json!(2)));

    let used = eventually("the key's last use", async || {
        let listed = caller.get("/workspace/api-keys").await.ok();
        Some(listed["items"][0]["lastUsedAt"].clone()).filter(|at| !at.is_null())
    })
    .await;
    assert!(used.as_str().is_some_and(|at| at.ends_with('Z')));
    let path = format!("/workspace/api-keys/{}", key.id);
    let (digest, impact) = caller.delete(&path).await.impact(1);
    assert_eq!((&impact[0]["kind"], &impact[0]["id"]), (&json!("api-key"), &json!(key.id)));
    key.get("/workspace").await.ok();
    caller.delete(&path).confirming(&digest).await.done();
    key.get("/workspace").await.problem(401, "unauthenticated");
    caller.delete(&path).await.done();
    let listed = caller.get("/workspace/api-keys").await.ok();
    assert_eq!(listed["items"][0]["status"], "revoked");
}

async fn the_same_job_in_the_words_of_the_other_dialect(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let person = Person::new("charles");
    let invite =
        |role: &str| tenant.admin.post(tenant.org("/invitations"), json!({"email": person.email, "role": role}));
    for wrong in ["editor", "viewer", "System"] {
        assert_eq!(invite(wrong).await.faults(), ["/role"]);
    }
    let invitation = invite("guest").await.created();
    shape::is(&invitation, shape::INVITATION);
    assert_eq!(invitation["role"], "guest");
    let waiting = tenant.admin.get(tenant.org("/invitations")).await.ok();
    assert_eq!(shape::list(&waiting, shape::INVITATION)[0]["role"], "guest");
    let id = invitation["id"].as_str().unwrap();
    let resent = tenant.admin.act(format!("/api/invitations/{id}/resend")).await;
    assert_eq!((&resent.ok()["role"], &resent.ok()["version"]), (&json!("guest"), &json!(2)));
    let token = site.nth_invitation(&person.email, 1).await;
    let caller = site.person(&person);
    let joined: Answer = eventually("the living link", async || {
        let token = site.invitation_to(&person.email).await;
        Some(caller.act(format!("/api/invitations/{token}/accept")).await).filter(|a| a.status == 200)
    })
    .await;
    assert_eq!(joined.ok()["role"], "guest", "by {token}");

    let members = tenant.admin.get(tenant.org("/members?role=guest")).await.ok();
    let members = shape::list(&members, shape::ORGANIZATION_MEMBER);
    assert_eq!(members.len(), 1);
    let path = tenant.org(&format!("/members/{}", members[0]["userId"].as_str().unwrap()));
    shape::is(&tenant.admin.get(&path).await.ok(), shape::ORGANIZATION_MEMBER);
    assert_eq!(tenant.admin.put(&path, json!({"role": "editor"})).await.faults(), ["/role"]);
    let changed = tenant.admin.put(&path, json!({"role": "user"})).await.ok();
    shape::is(&changed, shape::ORGANIZATION_MEMBER);
    assert_eq!(changed["role"], "user");
    let own = caller.get("/api/organizations").await.ok();
    assert_eq!(shape::list(&own, shape::WORKSPACE)[0]["id"], tenant.id.as_str());
    let removed = tenant.admin.delete(&path).await.ok();
    shape::is(&removed, &[("removed", "flag"), ("activeApiKeys", "list")]);
    tenant.admin.get(&path).await.problem(404, "not-found");
    caller.get(tenant.org("")).await.problem(404, "not-found");
}
