//! Every success leaves exactly its events; no failure and no reading leaves any.
use crate::support::{
    Caller, Site, Store, Tenant, Value, added, assert_unchanged, json, on_both_stores, shape,
    tenant::{Person, SCOPES},
    unique,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    every_mutation_leaves_exactly_its_events,
    what_changes_nothing_leaves_no_event,
    no_failure_and_no_reading_leaves_an_event,
    refused_calls_are_summed_up_when_the_service_stops,
    events_are_found_by_every_filter,
);

/// One event, as it is expected: action, risk, kind of actor, kind of target.
pub(crate) type Expected<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Runs a call, which must succeed, and compares what it left.
pub(crate) async fn leaves(
    tenant: &Tenant,
    by: &Actor<'_>,
    call: impl Future<Output = crate::support::Answer>,
    want: &[Expected<'_>],
) -> (Value, Vec<Value>) {
    let (answer, events) = added(tenant, call).await;
    assert!(answer.status < 300, "{}: {} {}", answer.what, answer.status, answer.text());
    let got: Vec<_> = events
        .iter()
        .map(|e| ["action", "risk", "actorKind", "targetKind"].map(|f| e[f].as_str().unwrap_or("-").to_owned()))
        .collect();
    let want: Vec<_> = want.iter().map(|(a, r, k, t)| [a, r, k, t].map(|s| (*s).to_owned())).collect();
    assert_eq!(got, want, "{}", answer.what);
    for event in &events {
        assert_eq!(event["personId"], by.person, "{}: {event}", answer.what);
        assert_eq!(event["keyId"], by.key, "{}: {event}", answer.what);
        assert_eq!(event["requestId"].as_str(), answer.header("x-request-id"), "{}: {event}", answer.what);
    }
    (if answer.body.is_empty() { Value::Null } else { answer.json() }, events)
}

/// Whose ids an event has to carry.
pub(crate) struct Actor<'a> {
    pub(crate) person: Value,
    pub(crate) key: Value,
    pub(crate) caller: &'a Caller,
}

async fn every_mutation_leaves_exactly_its_events(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let founded = tenant.events().await;
    let story: Vec<_> =
        founded.iter().map(|e| (e["action"].as_str().unwrap(), e["actorKind"].as_str().unwrap())).collect();
    assert_eq!(story, [("workspace.created", "system"), ("member.joined", "member")]);
    assert_eq!(founded[1]["targetId"], tenant.admin.id.as_str());
    let admin = Actor { person: json!(tenant.admin.id), key: Value::Null, caller: &tenant.admin };
    members(&tenant, &admin).await;
    workspace_and_environments(&tenant, &admin).await;
    keys(&tenant, &admin).await;
    platform(&tenant).await;
}

async fn members(tenant: &Tenant, by: &Actor<'_>) {
    let person = Person::new("emmy");
    let invite = json!({"email": person.email, "role": "editor"});
    let call = async { by.caller.post(tenant.path("/workspace/members"), invite).await };
    let (made, events) = leaves(tenant, by, call, &[("member.invited", "low", "member", "invitation")]).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(events[0]["targetId"], id.as_str());
    assert_eq!(events[0]["changes"], json!([{"field": "role", "from": null, "to": "editor"}]));
    assert_eq!(events[0]["details"]["email"], person.email.as_str());
    // Before it is sent again it has to have been sent: a mail whose link died on the way is never written.
    tenant.site.invitation_to(&person.email).await;
    let call = async { by.caller.act(tenant.path(&format!("/workspace/invitations/{id}/resend"))).await };
    leaves(tenant, by, call, &[("invitation.resent", "low", "member", "invitation")]).await;
    let member = tenant.site.nth_invitation(&person.email, 2).await;
    let invitee = tenant.site.person(&person);
    let (joined, events) =
        added(tenant, async { invitee.act(format!("/api/invitations/{member}/accept")).await.ok() }).await;
    assert_eq!(joined["role"], "user");
    assert_eq!((events.len(), &events[0]["action"]), (1, &json!("member.joined")));
    let user = events[0]["targetId"].as_str().unwrap().to_owned();
    assert_eq!(events[0]["personId"], user.as_str());

    let path = tenant.path(&format!("/workspace/members/{user}"));
    let call = async { by.caller.put(&path, json!({"role": "admin"})).await };
    let (_, events) = leaves(tenant, by, call, &[("member.updated", "medium", "member", "member")]).await;
    assert_eq!(events[0]["changes"], json!([{"field": "role", "from": "editor", "to": "admin"}]));
    assert_eq!(events[0]["targetId"], user.as_str());

    // Emmy invites an admin and makes a key; her demotion and removal take both back, each with an event of its own.
    let friend = format!("friend.{}@example.org", unique());
    invitee.post("/workspace/members", json!({"email": friend, "role": "admin"})).await.created();
    invitee.post("/workspace/api-keys", json!({"name": "hers", "scopes": ["runs:read"]})).await.created();
    let call = async { by.caller.put(&path, json!({"role": "viewer"})).await };
    let want =
        [("member.updated", "medium", "member", "member"), ("invitation.revoked", "low", "member", "invitation")];
    leaves(tenant, by, call, &want).await;
    let call = async { by.caller.delete(format!("{path}?apiKeys=revoke")).await };
    let want = [("member.removed", "medium", "member", "member"), ("api_key.revoked", "medium", "member", "api_key")];
    leaves(tenant, by, call, &want).await;

    let other = tenant.invite(&format!("other.{}@example.org", unique()), "viewer").await;
    let call = async {
        by.caller.delete(tenant.path(&format!("/workspace/invitations/{}", other["id"].as_str().unwrap()))).await
    };
    leaves(tenant, by, call, &[("invitation.revoked", "low", "member", "invitation")]).await;
}

/// What every change of an environment leaves.
const EVENT: Expected<'_> = ("workspace.environment_updated", "medium", "member", "environment");

async fn workspace_and_environments(tenant: &Tenant, by: &Actor<'_>) {
    let body = json!({"name": "Another name", "seatLimit": 30, "defaultRegion": "us-east-1"});
    let call = async { by.caller.put(tenant.path("/workspace"), body).await };
    let (_, events) = leaves(tenant, by, call, &[("workspace.updated", "medium", "member", "workspace")]).await;
    let changed: Vec<_> =
        events[0]["changes"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(changed, ["seatLimit", "defaultRegion", "name"]);
    assert_eq!(events[0]["details"]["name"], "Another name");

    let query = format!("?organizationId={}", tenant.id);
    let call =
        async { by.caller.post(format!("/api/environments{query}"), json!({"name": "qa", "tier": "staging"})).await };
    let (made, events) = leaves(tenant, by, call, &[EVENT]).await;
    assert_eq!(events[0]["targetId"], made["id"]);
    let path = format!("/api/environments/{}{query}", made["id"].as_str().unwrap());
    let call = async { by.caller.put(&path, json!({"tier": "development"})).await };
    leaves(tenant, by, call, &[EVENT]).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &[EVENT]).await;

    // A whole list: one event per environment that changes, none for those that stay.
    let all = json!([{"name": "production", "tier": "production"}, {"name": "a", "tier": "staging"}, {"name": "b", "tier": "staging"}]);
    let call = async { by.caller.put(tenant.path("/workspace/environments"), json!({"environments": all})).await };
    leaves(tenant, by, call, &[EVENT, EVENT]).await;
    let all = json!([{"name": "production", "tier": "production"}, {"name": "b", "tier": "development"}, {"name": "c", "tier": "staging"}]);
    let call = async { by.caller.put(tenant.path("/workspace/environments"), json!({"environments": all})).await };
    let (_, events) = leaves(tenant, by, call, &[EVENT, EVENT, EVENT]).await;
    let mut what: Vec<_> = events.iter().map(|e| e["changes"][0]["to"].as_str().unwrap().to_owned()).collect();
    what.sort();
    assert_eq!(what, ["created", "deleted", "updated"]);
}

async fn keys(tenant: &Tenant, by: &Actor<'_>) {
    let body = |scope: &str| json!({"name": "a key", "scopes": [scope]});
    let digest = json!({"enabled": true, "frequency": "daily", "hourUTC": 8, "includeRiskLevels": ["high"],
        "recipients": ["ada@example.org"]});
    let call = async { by.caller.put(tenant.path("/workspace/audit-digest"), digest).await };
    leaves(tenant, by, call, &[("audit_digest.updated", "medium", "member", "audit_digest")]).await;

    let call = async { by.caller.post(tenant.path("/workspace/api-keys"), body("secrets:read")).await };
    leaves(tenant, by, call, &[("api_key.created", "high", "member", "api_key")]).await;
    let call = async { by.caller.post(tenant.path("/workspace/api-keys"), body("runs:read")).await };
    let (made, events) = leaves(tenant, by, call, &[("api_key.created", "medium", "member", "api_key")]).await;
    assert_eq!(events[0]["targetId"], made["id"]);
    assert_eq!(events[0]["changes"], json!([{"field": "scopes", "from": null, "to": "runs:read"}]));
    let path = tenant.path(&format!("/workspace/api-keys/{}", made["id"].as_str().unwrap()));
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &[("api_key.revoked", "medium", "member", "api_key")]).await;

    let key = tenant.key(&["workspace:write"]).await;
    let by = Actor { person: Value::Null, key: json!(key.id), caller: &key };
    let call = async { by.caller.put("/workspace", json!({"name": "Named by a key"})).await };
    leaves(tenant, &by, call, &[("workspace.updated", "medium", "api_key", "workspace")]).await;
    let call = async { by.caller.post("/api/environments", json!({"name": "keyed", "tier": "staging"})).await };
    leaves(tenant, &by, call, &[("workspace.environment_updated", "medium", "api_key", "environment")]).await;
}

/// Nothing that the platform does here is invisible to the workspace.
async fn platform(tenant: &Tenant) {
    let before = tenant.events().await.len();
    let platform = &tenant.platform;
    platform.put(tenant.org(""), json!({"seatLimit": 40})).await.ok();
    platform.put("/workspace", json!({"name": "Named by the platform"})).await.ok();
    let email = format!("late.{}@example.org", unique());
    platform.post("/workspace/members", json!({"email": email, "role": "admin"})).await.created();
    let events = tenant.events().await.split_off(before);
    let got: Vec<_> =
        events.iter().map(|e| (e["action"].as_str().unwrap(), e["actorKind"].as_str().unwrap())).collect();
    assert_eq!(got, [("workspace.updated", "system"), ("workspace.updated", "system"), ("member.invited", "system")]);
    assert!(events.iter().all(|e| e["requestId"].is_string()), "what it was can be found in the log: {events:?}");
}

async fn what_changes_nothing_leaves_no_event(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let ((), events) = added(&tenant, async {
        let there = tenant.workspace().await;
        admin.put(tenant.path("/workspace"), json!({})).await.ok();
        let same = json!({"name": there["name"], "slug": there["slug"], "seatLimit": there["seatLimit"]});
        let same = admin.put(tenant.path("/workspace"), same).await.ok();
        assert_eq!(same, there, "a change to what is there changes nothing, the version included");
        let member = tenant.path(&format!("/workspace/members/{}", admin.id));
        assert_eq!(admin.put(member, json!({"role": "admin"})).await.ok()["version"], 1);
        let production = json!({"environments": [{"name": "production", "tier": "production"}]});
        admin.put(tenant.path("/workspace/environments"), production).await.ok();
    })
    .await;
    assert!(events.is_empty(), "{events:?}");
}

async fn no_failure_and_no_reading_leaves_an_event(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let [viewer] = tenant.members(["viewer"]).await;
    let key = tenant.key(&SCOPES).await;
    assert_unchanged(&tenant, async {
        for path in [
            "/workspace",
            "/workspace/environments",
            "/workspace/members",
            "/workspace/invitations",
            "/workspace/api-keys",
            "/workspace/audit-digest",
            "/workspace/audit-digest/preview",
            "/audit/events",
            "/audit/verify",
            "/authz/explain?action=members:invite",
        ] {
            admin.get(tenant.path(path)).await.ok();
            admin.send("HEAD", &tenant.path(path)).await.has(200);
        }
        viewer.put("/workspace", json!({"name": "Mine"})).await.problem(403, "forbidden");
        key.post("/workspace/api-keys", json!({"name": "x", "scopes": ["runs:read"]}))
            .await
            .problem(403, "session-required");
        admin.put(tenant.path("/workspace"), json!({"seatLimit": 1})).await.problem(409, "seat-limit-below-usage");
        admin.put(tenant.path("/workspace"), json!({"slug": "other"})).await.problem(422, "slug-immutable");
        admin
            .put(tenant.path("/workspace"), json!({"name": "X"}))
            .seen("\"v9-0\"")
            .await
            .problem(412, "precondition-failed");
        let own = tenant.path(&format!("/workspace/members/{}", admin.id));
        admin.put(&own, json!({"role": "viewer"})).await.problem(409, "last-admin");
        admin.delete(&own).await.problem(409, "last-admin");
        admin.post(tenant.path("/workspace/members"), json!({"email": "x", "role": "y"})).await.faults();
        admin.act(tenant.path("/workspace/members")).await.problem(415, "unsupported-media-type");
        admin
            .put(tenant.path("/workspace/environments"), json!({"environments": []}))
            .await
            .problem(409, "production-protected");
    })
    .await;
}

async fn refused_calls_are_summed_up_when_the_service_stops(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let [viewer] = tenant.members(["viewer"]).await;
    let key = tenant.key(&["runs:read"]).await;
    for _ in 0..5 {
        viewer.get("/workspace/api-keys").await.problem(403, "forbidden");
        key.get("/workspace").await.problem(403, "forbidden");
    }
    viewer.put("/workspace", json!({})).await.problem(403, "forbidden");
    site.server.stop();
    let again = site.through(site.home.serve(&[]));
    let page = tenant.admin.at(&again).get(tenant.path("/audit/events?action=authz.denied")).await.ok();
    let mut denied: Vec<_> = shape::list(&page, shape::EVENT)
        .iter()
        .map(|e| {
            assert_eq!((&e["risk"], &e["actorKind"]), (&json!("high"), &json!("service")));
            let change = |field: &str| {
                let all = e["changes"].as_array().unwrap();
                all.iter().find(|c| c["field"] == field).unwrap()["to"].as_str().unwrap().to_owned()
            };
            let who =
                if e["targetKind"] == "api_key" { e["targetId"].clone() } else { e["details"]["deniedUser"].clone() };
            (change("action"), change("count"), who)
        })
        .collect();
    denied.sort_by(|a, b| a.0.cmp(&b.0));
    let want = [
        ("ListApiKeys".to_owned(), "5".to_owned(), json!(viewer.id)),
        ("ReadWorkspace".to_owned(), "5".to_owned(), json!(key.id)),
        ("UpdateWorkspace".to_owned(), "1".to_owned(), json!(viewer.id)),
    ];
    assert_eq!(denied, want);
    let verdict = tenant.admin.at(&again).get(tenant.path("/audit/verify")).await.ok();
    assert_eq!(verdict["intact"], true);
}

fn instant(text: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(text.as_str().unwrap(), &Rfc3339).unwrap()
}

async fn events_are_found_by_every_filter(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [editor] = tenant.members(["editor"]).await;
    let key = tenant.key(&["workspace:write", "secrets:read"]).await;
    key.put("/workspace", json!({"name": "By a key"})).await.ok();
    let all = tenant.events().await;
    let count = |test: &dyn Fn(&Value) -> bool| all.iter().filter(|e| test(e)).count();
    let at = all[2]["createdAt"].as_str().unwrap();
    let filters = [
        ("&risk=high".to_owned(), count(&|e| e["risk"] == "high")),
        ("&risk=low,high".to_owned(), count(&|e| e["risk"] == "high" || e["risk"] == "low")),
        ("&risk=critical".to_owned(), 0),
        ("&action=member.joined".to_owned(), 2),
        ("&action=no.such".to_owned(), 0),
        (format!("&actor={}", tenant.admin.id), count(&|e| e["personId"] == tenant.admin.id.as_str())),
        (format!("&actor={}", key.id), 1),
        (format!("&target={}", key.id), 1),
        (format!("&target={}", editor.id), 1),
        (format!("&from={at}"), count(&|e| instant(&e["createdAt"]) >= instant(&json!(at)))),
        (format!("&to={at}"), count(&|e| instant(&e["createdAt"]) < instant(&json!(at)))),
        (format!("&actor={}&risk=high", tenant.admin.id), 1),
    ];
    for (filter, want) in filters {
        let found = tenant.events_where(&filter).await;
        assert_eq!(found.len(), want, "{filter}: {found:?}");
    }
    assert!(count(&|e| e["risk"] == "high") == 1 && count(&|e| e["risk"] == "low") >= 3);
    let refused = |query: &str| tenant.admin.get(tenant.path(&format!("/audit/events?{query}")));
    assert_eq!(refused("risk=LOW").await.faults(), ["/risk"]);
    assert_eq!(refused("actor=me").await.faults(), ["/actor"]);
    assert_eq!(refused("from=yesterday").await.faults(), ["/from"]);
    assert_eq!(refused("from=2030-01-02T00:00:00Z&to=2030-01-01T00:00:00Z").await.faults(), ["/from"]);
    refused("from=0001-01-01T00:00:00Z").await.problem(422, "validation-failed");
    refused("from=1970-01-01T00:00:00Z&to=9999-12-31T23:59:59Z").await.ok();
    refused("sort=name").await.problem(400, "malformed-request");
    refused("risk=low&risk=high").await.problem(400, "malformed-request");
    refused("action=a%00b").await.problem(400, "malformed-request");
}
