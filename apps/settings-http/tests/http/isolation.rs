//! Two tenants side by side: what belongs to the other is answered like what does not exist, byte for byte.
use crate::support::{
    Answer, Caller, Site, Store, Tenant, json, on_both_stores,
    tenant::{Person, SCOPES},
    unchanged_by, unique,
    values::{MODEL_URL, Values},
};

on_both_stores!(
    what_belongs_to_another_tenant_is_answered_like_what_does_not_exist,
    another_workspace_is_answered_like_one_that_does_not_exist,
    lists_show_one_tenant_only,
    a_person_in_both_tenants_is_two_members,
);

/// Ids of everything that a tenant has.
struct Things {
    user: String,
    invitation: String,
    key: String,
    environment: String,
    delivery: String,
    hook: String,
    /// No tenant has one here: the tests of Slack try those that are there.
    connection: String,
    values: Values,
}

async fn things(tenant: &Tenant) -> Things {
    let [member] = tenant.members(["editor"]).await;
    let invitation = tenant.invite(&format!("waiting.{}@example.org", unique()), "viewer").await;
    let key = tenant.key(&["runs:read"]).await;
    let list =
        json!({"environments": [{"name": "production", "tier": "production"}, {"name": "qa", "tier": "staging"}]});
    let list = tenant.admin.put(tenant.path("/workspace/environments"), list).await.ok();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let test = json!({"channel": "email"});
    let delivery = tenant.admin.post(tenant.path("/workspace/notifications/test"), test).await.ok();
    let hook = tenant.hook("https://hooks.example.org/x", &["run_failed"]).await;
    Things {
        delivery: text(&delivery["id"]),
        hook: hook.id,
        connection: uuid::Uuid::now_v7().to_string(),
        user: member.id.clone(),
        invitation: text(&invitation["id"]),
        key: key.id.clone(),
        environment: text(&list["items"][1]["id"]),
        values: Values::of(tenant).await,
    }
}

fn random() -> Things {
    let id = || uuid::Uuid::now_v7().to_string();
    let values = Values { environment: id(), variable: id(), secret: id(), model: id() };
    Things {
        user: id(),
        invitation: id(),
        key: id(),
        environment: id(),
        delivery: id(),
        hook: id(),
        connection: id(),
        values,
    }
}

/// Every call that names a thing by its id, as somebody of `home` who names things of wherever.
async fn calls(home: &Tenant, by: &Caller, things: &Things) -> Vec<Answer> {
    let Things { user, invitation, key, environment, delivery, hook, connection, values } = things;
    let org = format!("?organizationId={}", home.id);
    let role = json!({"role": "viewer"});
    let mut answers = vec![
        by.get(home.path(&format!("/workspace/members/{user}"))).await,
        by.put(home.path(&format!("/workspace/members/{user}")), role).await,
        by.delete(home.path(&format!("/workspace/members/{user}"))).await,
        by.delete(home.path(&format!("/workspace/members/{user}?apiKeys=revoke"))).await,
        by.act(home.path(&format!("/workspace/invitations/{invitation}/resend"))).await,
        by.delete(home.path(&format!("/workspace/invitations/{invitation}"))).await,
        by.delete(home.path(&format!("/workspace/api-keys/{key}"))).await,
        by.get(home.org(&format!("/members/{user}"))).await,
        by.put(home.org(&format!("/members/{user}")), json!({"role": "guest"})).await,
        by.delete(home.org(&format!("/members/{user}"))).await,
        by.act(format!("/api/invitations/{invitation}/resend")).await,
        by.delete(format!("/api/invitations/{invitation}")).await,
        by.get(format!("/api/environments/{environment}{org}")).await,
        by.put(format!("/api/environments/{environment}{org}"), json!({"name": "stolen"})).await,
        by.delete(format!("/api/environments/{environment}{org}")).await,
        by.get(home.path(&format!("/workspace/notifications/deliveries/{delivery}"))).await,
        by.act(home.path(&format!("/workspace/notifications/deliveries/{delivery}/retry"))).await,
        by.get(home.hook_path(hook)).await,
        by.put(home.hook_path(hook), json!({"status": "disabled"})).await,
        by.act(home.hook_path(&format!("{hook}/rotate-secret"))).await,
        by.delete(home.hook_path(hook)).await,
        by.put(home.path(&format!("/connections/{connection}")), json!({"status": "disconnected"})).await,
        by.delete(home.path(&format!("/connections/{connection}"))).await,
    ];
    answers.extend(calls_of_credentials(home, by, values).await);
    for answer in &answers {
        answer.problem(404, "not-found");
    }
    // In a body an id is a value: unknown here, whoever else knows it.
    let list = json!({"environments": [{"name": "production", "tier": "production"}, {"id": environment, "name": "qa", "tier": "staging"}]});
    let in_body = by.put(home.path("/workspace/environments"), list).await;
    assert_eq!(in_body.faults(), ["/environments"]);
    answers.push(in_body);
    let Values { environment, variable, secret, model } = values;
    let body = json!({"organizationId": home.id, "environmentId": environment, "name": "A", "value": "v"});
    let secret_body = json!({"environmentId": environment, "name": "a", "value": "v"});
    let file = json!({"organizationId": home.id, "environmentId": environment, "content": "A=v"});
    for in_body in [
        by.post("/api/variables", body).await,
        by.post(home.path("/secrets"), secret_body).await,
        by.post("/api/variables/import", file.clone()).await,
        by.post("/api/variables/import/preview", file).await,
    ] {
        assert_eq!(in_body.faults(), ["/environmentId"], "{}", in_body.what);
        answers.push(in_body);
    }
    for (kind, id) in [("environment", environment), ("variable", variable), ("secret", secret), ("model", model)] {
        for referrer in ["workflow", "agent"] {
            let uses = json!({"name": "W", "uses": [{"kind": kind, "id": id}]});
            let in_body = by.put(home.path(&format!("/references/{referrer}/w")), uses).await;
            assert_eq!(in_body.faults(), ["/uses"], "{}: {kind}", in_body.what);
            answers.push(in_body);
        }
    }
    answers
}

/// The same for variables, secrets and models, in each dialect. A system model has no other owner than the platform, so an
/// id that is none of those is 404 for its owners as well.
async fn calls_of_credentials(home: &Tenant, by: &Caller, values: &Values) -> Vec<Answer> {
    let Values { environment, variable, secret, model } = values;
    let org = format!("?organizationId={}", home.id);
    let mut answers = vec![by.get(format!("/api/variables{org}&environmentId={environment}")).await];
    // With the organization in the query, and told by the thing itself.
    for end in ["", &*org] {
        let (variable, model) = (format!("/api/variables/{variable}{end}"), format!("/api/models/{model}{end}"));
        answers.extend([
            by.get(&variable).await,
            by.put(&variable, json!({"value": "stolen"})).await,
            by.delete(&variable).await,
            by.get(&model).await,
            by.put(&model, json!({"modelUrl": MODEL_URL, "token": "stolen"})).await,
            by.delete(&model).await,
        ]);
    }
    let (secret, integration) =
        (home.path(&format!("/secrets/{secret}")), home.path(&format!("/settings/model-integrations/{model}")));
    let system = format!("/api/system-models/{model}");
    let platform = home.site.platform();
    answers.extend([
        by.act(format!("/api/models/{model}/test")).await,
        by.act(format!("/api/models/{model}/test{org}")).await,
        by.get(&secret).await,
        by.act(format!("{secret}/reveal")).await,
        by.post(format!("{secret}/rotate"), json!({"value": "stolen"})).await,
        by.act(format!("{secret}/seal")).await,
        by.delete(&secret).await,
        by.get(&integration).await,
        by.send("PATCH", &integration).json(&json!({"credential": {"token": "stolen"}})).await,
        by.act(format!("{integration}/test")).await,
        by.delete(&integration).await,
        platform.put(&system, json!({"token": "stolen"})).await,
        platform.put(format!("{system}/visibility"), json!({"visible": true})).await,
        platform.act(format!("{system}/test")).await,
        platform.delete(&system).await,
    ]);
    answers
}

async fn what_belongs_to_another_tenant_is_answered_like_what_does_not_exist(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let theirs = things(&b).await;
    unchanged_by(&[&a, &b], async {
        let foreign = Box::pin(calls(&a, &a.admin, &theirs)).await;
        let nobodys = Box::pin(calls(&a, &a.admin, &random())).await;
        for (foreign, nobodys) in foreign.iter().zip(&nobodys) {
            assert_eq!(foreign.anonymised(), nobodys.anonymised(), "{}", foreign.what);
            let names = |a: &Answer| a.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(foreign), names(nobodys), "{}", foreign.what);
        }
        // Not even for who is a member of both does a path reach across.
        let at_home = Box::pin(calls(&b, &b.admin, &random())).await;
        assert_eq!(at_home.len(), foreign.len());
    })
    .await;
    // The other tenant's things still work.
    let path = b.path(&format!("/workspace/invitations/{}/resend", theirs.invitation));
    b.admin.act(path).await.ok();
}

async fn another_workspace_is_answered_like_one_that_does_not_exist(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let key = a.key(&SCOPES).await;
    let nowhere = uuid::Uuid::now_v7().to_string();
    let nowhere_slug = format!("t-{}", unique());
    unchanged_by(&[&a, &b], async {
        for by in [&*a.admin, &*key] {
            for (method, path) in [
                ("GET", "/workspace"),
                ("PUT", "/workspace"),
                ("GET", "/workspace/environments"),
                ("PUT", "/workspace/environments"),
                ("GET", "/workspace/members"),
                ("POST", "/workspace/members"),
                ("GET", "/workspace/invitations"),
                ("GET", "/workspace/api-keys"),
                ("POST", "/workspace/api-keys"),
                ("GET", "/audit/events"),
                ("GET", "/audit/verify"),
                ("GET", "/audit/events/export"),
                ("GET", "/audit/public-key"),
                ("GET", "/authz/explain?action=workspace:read"),
                ("GET", "/workspace/audit-digest"),
                ("PUT", "/workspace/audit-digest"),
                ("GET", "/workspace/audit-digest/preview"),
                ("GET", "/secrets"),
                ("POST", "/secrets"),
                ("GET", "/settings/model-integrations"),
                ("POST", "/settings/model-integrations"),
                ("PUT", "/references/workflow/w"),
                ("PUT", "/references/agent/a"),
            ] {
                let there = by.send(method, &b.path(path)).await;
                there.problem(404, "not-found");
                let none = by.send(method, &format!("/w/{nowhere_slug}{path}")).await;
                assert_eq!(there.anonymised(), none.anonymised(), "{}", there.what);
                for header in [&b.id, &b.slug] {
                    let there = by.within(header).send(method, path).await;
                    assert_eq!(there.anonymised(), none.anonymised(), "{} with X-Workspace", there.what);
                }
            }
            for (method, path) in [
                ("GET", "/api/environments"),
                ("POST", "/api/environments"),
                ("GET", "/api/variables"),
                ("POST", "/api/variables"),
                ("GET", "/api/variables/matrix"),
                ("POST", "/api/variables/import/preview"),
                ("POST", "/api/variables/import"),
                ("GET", "/api/models"),
                ("POST", "/api/models"),
                ("GET", "/api/models/selectable"),
            ] {
                let there = by.send(method, &format!("{path}?organizationId={}", b.id)).await;
                there.problem(404, "not-found");
                let none = by.send(method, &format!("{path}?organizationId={nowhere}")).await;
                assert_eq!(there.anonymised(), none.anonymised());
            }
            let body = json!({"organizationId": b.id, "name": "theirs", "tier": "staging"});
            by.post("/api/environments", body.clone()).await.problem(404, "not-found");
            let elsewhere = by.post(format!("/api/environments?organizationId={}", a.id), body).await;
            assert_eq!(elsewhere.faults(), ["/organizationId"], "where this happens is not a matter of taste");
            for path in ["not-a-uuid", "", "%2e%2e"] {
                by.get(format!("/api/environments?organizationId={path}")).await.problem(404, "not-found");
            }
        }
        for path in ["", "/members", "/invitations"] {
            let there = a.admin.get(b.org(path)).await;
            there.problem(404, "not-found");
            let none = a.admin.get(format!("/api/organizations/{nowhere}{path}")).await;
            assert_eq!(there.anonymised(), none.anonymised());
        }
        // A key under another workspace's slug is 404 on every path, also where no permission is asked.
        key.act(b.path("/api-keys/verify")).await.problem(404, "not-found");
        key.within(&b.slug).act("/api-keys/verify").await.problem(404, "not-found");
        key.act(a.path("/api-keys/verify")).await.ok();
        for (path, body) in [("", json!({"name": "theirs"})), ("/members/x", json!({"role": "user"}))] {
            a.admin.put(b.org(path), body).await.problem(404, "not-found");
        }
        a.admin.delete(b.org("")).await.problem(404, "not-found");
    })
    .await;
}

async fn lists_show_one_tenant_only(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    // Interleaved, so that ids of both lie between each other.
    for n in 0..5 {
        for tenant in [&a, &b] {
            tenant.invite(&format!("p{n}.{}@example.org", unique()), "viewer").await;
            tenant.key(&["runs:read"]).await;
            let test = json!({"channel": "email"});
            tenant.admin.post(tenant.path("/workspace/notifications/test"), test).await.ok();
            let lab = tenant.environment(&format!("lab-{n}")).await["id"].as_str().unwrap().to_owned();
            tenant.variable(&lab, &format!("V{n}"), "v").await;
            tenant.model(&format!("m{n}"), "t").await;
            let secret = json!({"name": format!("s{n}"), "value": "v", "environmentId": lab});
            tenant.admin.post(tenant.path("/secrets"), secret).await.created();
        }
    }
    for (tenant, other) in [(&a, &b), (&b, &a)] {
        for path in [
            "/workspace/members",
            "/workspace/invitations",
            "/workspace/api-keys",
            "/workspace/notifications/deliveries",
            "/audit/events",
            "/secrets",
            "/settings/model-integrations",
            "/api/variables",
            "/api/models",
        ] {
            let (mut seen, mut cursor) = (0, String::new());
            loop {
                let page = format!("{path}?limit=2{cursor}");
                let answer = match path.strip_prefix("/api/") {
                    None => tenant.admin.get(tenant.path(&page)).await,
                    Some(_) => tenant.admin.get(format!("{page}&organizationId={}", tenant.id)).await,
                };
                let page = answer.ok();
                for foreign in [&other.id, &other.slug, &other.admin.id, &other.admin.person.email] {
                    assert!(!answer.text().contains(foreign.as_str()), "{path} shows {foreign}");
                }
                seen += page["items"].as_array().unwrap().len();
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let want = match path {
                "/workspace/members" => 1,
                // The founding and the joining, and in each round an invitation, a key, a test, an environment and three values.
                "/audit/events" => 2 + 5 * 7,
                _ => 5,
            };
            assert_eq!(seen, want, "{path}");
        }
        let own = tenant.admin.get("/api/organizations").await.ok();
        let ids: Vec<_> = own["items"].as_array().unwrap().iter().map(|w| w["id"].clone()).collect();
        assert_eq!(ids, [json!(tenant.id)]);
    }
    let everywhere = site.platform().get("/api/organizations?limit=100").await.ok();
    let ids: Vec<_> = everywhere["items"].as_array().unwrap().iter().map(|w| w["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&a.id.as_str()) && ids.contains(&b.id.as_str()), "the platform sees all");
}

async fn a_person_in_both_tenants_is_two_members(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let person = Person::new("both");
    a.invite(&person.email, "viewer").await;
    let in_a = a.joins(person.clone()).await;
    b.invite(&person.email, "editor").await;
    let token = site.nth_invitation(&person.email, 2).await;
    let caller = site.person(&person);
    caller.act(format!("/api/invitations/{token}/accept")).await.ok();

    // With two workspaces the caller has to say which one is meant.
    caller.get("/workspace").await.problem(400, "workspace-required");
    caller.get("/api/environments").await.problem(400, "workspace-required");
    assert_eq!(caller.within(&a.slug).get("/workspace").await.ok()["id"], a.id.as_str());
    assert_eq!(caller.within(&b.id).get("/workspace").await.ok()["id"], b.id.as_str());
    caller.within("no such").get("/workspace").await.problem(404, "not-found");
    caller
        .get("/workspace")
        .header("x-workspace", &a.id)
        .header("x-workspace", &b.id)
        .await
        .problem(400, "malformed-request");
    // Viewer here, editor there; each role counts in its own place only.
    caller.get(a.path("/workspace/members")).await.problem(403, "forbidden");
    let members = caller.get(b.path("/workspace/members?q=both")).await.ok();
    assert_eq!((&members["items"][0]["userId"], &members["items"][0]["role"]), (&json!(in_a.id), &json!("editor")));
    let path = |t: &Tenant| t.path(&format!("/workspace/members/{}", in_a.id));
    unchanged_by(&[&b], async { a.admin.delete(path(&a)).await.ok() }).await;
    caller.get(a.path("/workspace")).await.problem(404, "not-found");
    caller.get(b.path("/workspace")).await.ok();
    assert_eq!(caller.get("/workspace").await.ok()["id"], b.id.as_str(), "one is left, so it is meant");
    assert_eq!(b.admin.get(path(&b)).await.ok()["role"], "editor");
}
