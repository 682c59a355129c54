//! Every success leaves exactly its events. What leaves none: `audit_silence`.
mod credentials;
mod notifications;

use crate::support::{
    Answer, Caller, Site, Store, Tenant, Value, added, json, on_both_stores, scripted_slack::ScriptedSlack, shape,
    tenant::Person, unique,
};
use std::{collections::BTreeSet, sync::Mutex};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

on_both_stores!(
    every_mutation_leaves_exactly_its_events,
    refused_calls_are_summed_up_when_the_service_stops,
    events_are_found_by_every_filter,
);

/// One event, as it is expected: action, risk, kind of actor, kind of target.
type Expected<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The calls whose events were compared, as method and path.
static COMPARED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes that this call's events are compared. It must have succeeded.
fn compared(answer: &Answer) {
    assert!(answer.status < 300, "{}: {} {}", answer.what, answer.status, answer.text());
    let mut words = answer.what.rsplitn(3, ' ');
    let (path, method) = (words.next().unwrap(), words.next().unwrap());
    COMPARED.lock().unwrap().insert(format!("{method} {path}"));
}

/// Runs a call, which must succeed, and compares what it left.
async fn leaves(
    tenant: &Tenant,
    by: &Actor<'_>,
    call: impl Future<Output = Answer>,
    want: &[Expected<'_>],
) -> (Value, Vec<Value>) {
    let (answer, events) = added(tenant, call).await;
    compared(&answer);
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

/// The platform's own tenant. No address leads to its chain, nor to that of a deleted workspace.
const SYSTEM: &str = "00000000-0000-0000-0000-000000000001";

/// Runs a call of the platform's, which must succeed and leave one event in a chain that only the database shows.
async fn leaves_unseen(site: &Site, chain: &str, call: impl Future<Output = Answer>, action: &str) -> Value {
    let all = "SELECT count(*) FROM audit_events WHERE workspace_id = {ws}";
    let these = format!("{all} AND action = '{action}' AND actor_kind = 'system' AND actor_key IS NULL");
    let count = async || (site.home.number(chain, all).await, site.home.number(chain, &these).await);
    let before = count().await;
    let answer = call.await;
    compared(&answer);
    assert_eq!(count().await, (before.0 + 1, before.1 + 1), "{}: {action}", answer.what);
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Whose ids an event has to carry.
struct Actor<'a> {
    person: Value,
    key: Value,
    caller: &'a Caller,
}

async fn every_mutation_leaves_exactly_its_events(store: Store) {
    // Where every operation can be carried out: with a Slack, and with webhooks that may be on this machine.
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
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
    in_the_other_dialect(&tenant, &admin).await;
    credentials::variables(&tenant, &admin).await;
    credentials::secrets(&tenant, &admin).await;
    credentials::models(&tenant, &admin).await;
    credentials::references(&tenant, &admin).await;
    usage(&tenant, &admin).await;
    notifications::webhooks(&tenant).await;
    notifications::connections(&tenant, &slack).await;
    credentials::system_models(&site).await;
    platform(&tenant).await;
    leaves_unseen(&site, &tenant.id, async { site.platform().delete(tenant.org("")).await }, "workspace.deleted").await;
    nothing_is_left_out(&site).await;
}

/// Whatever else the document lets somebody change: a new operation has to be told above what it leaves.
async fn nothing_is_left_out(site: &Site) {
    /// These change nothing.
    const HARMLESS: [&str; 2] = ["POST /api-keys/verify", "POST /api/variables/import/preview"];
    /// What these leave is compared where the tenant is founded and joined, and where there is a Stripe.
    // An erasure rewrites the past, so what it adds is compared in `erasure`.
    const ELSEWHERE: [&str; 6] = [
        "POST /api/organizations",
        "POST /api/invitations/{token}/accept",
        "POST /workspace/members/{userId}/erase",
        "POST /billing/portal",
        "POST /billing/stripe/webhook",
        "POST /api/mcp/tools/call",
    ];
    let document = site.anonymous().get("/openapi.json").await.has(200).json();
    let done = COMPARED.lock().unwrap().clone();
    let same = |template: &str, call: &str| {
        let path = call.split('?').next().unwrap();
        let path = path.strip_prefix("/w/").map_or(path, |rest| &rest[rest.find('/').unwrap()..]);
        let (a, b): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.starts_with('{') || *a == b)
    };
    let mut left_out = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap().iter().filter(|(t, _)| !t.starts_with("/w/")) {
        for method in item.as_object().unwrap().keys().map(|m| m.to_uppercase()) {
            let operation = format!("{method} {template}");
            let called = |call: &String| call.split_once(' ').is_some_and(|(m, p)| m == method && same(template, p));
            let known = HARMLESS.contains(&&*operation) || ELSEWHERE.contains(&&*operation);
            // The one GET that changes something: OAuth has no other way back.
            let reads = ["GET", "HEAD", "PARAMETERS"].contains(&&*method) && !template.ends_with("/slack/callback");
            if !reads && !known && !done.iter().any(called) {
                left_out.push(operation);
            }
        }
    }
    assert!(left_out.is_empty(), "what these leave is not compared: {left_out:?}");
}

async fn usage(tenant: &Tenant, by: &Actor<'_>) {
    let body = json!({"id": "u-1", "metric": "runs", "quantity": 2});
    let call = async { by.caller.post(tenant.path("/usage"), body).await };
    let (_, events) = leaves(tenant, by, call, &[("usage.recorded", "low", "member", "billing")]).await;
    assert_eq!(events[0]["changes"], json!([{"field": "quantity", "from": null, "to": "2"}]));
}

/// What is reached through `/workspace` is reached through `/api` as well.
async fn in_the_other_dialect(tenant: &Tenant, by: &Actor<'_>) {
    let [person] = tenant.members(["viewer"]).await;
    let path = tenant.org(&format!("/members/{}", person.id));
    let call = async { by.caller.put(&path, json!({"role": "user"})).await };
    leaves(tenant, by, call, &[("member.updated", "medium", "member", "member")]).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &[("member.removed", "medium", "member", "member")]).await;
    let email = format!("third.{}@example.org", unique());
    let call = async { by.caller.post(tenant.org("/invitations"), json!({"email": email, "role": "guest"})).await };
    let (made, _) = leaves(tenant, by, call, &[("member.invited", "low", "member", "invitation")]).await;
    tenant.site.invitation_to(&email).await;
    let path = format!("/api/invitations/{}", made["id"].as_str().unwrap());
    let call = async { by.caller.act(format!("{path}/resend")).await };
    leaves(tenant, by, call, &[("invitation.resent", "low", "member", "invitation")]).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &[("invitation.revoked", "low", "member", "invitation")]).await;
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
    let changed = platform.put(tenant.org(""), json!({"seatLimit": 40})).await;
    compared(&changed);
    platform.put("/workspace", json!({"name": "Named by the platform"})).await.ok();
    let email = format!("late.{}@example.org", unique());
    platform.post("/workspace/members", json!({"email": email, "role": "admin"})).await.created();
    let events = tenant.events().await.split_off(before);
    let got: Vec<_> =
        events.iter().map(|e| (e["action"].as_str().unwrap(), e["actorKind"].as_str().unwrap())).collect();
    assert_eq!(got, [("workspace.updated", "system"), ("workspace.updated", "system"), ("member.invited", "system")]);
    assert!(events.iter().all(|e| e["requestId"].is_string()), "what it was can be found in the log: {events:?}");
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
