//! What changes of notifications leave in the log; and the one GET that leaves something.
use super::{Actor, leaves};
use crate::support::{
    Store, Tenant, Value, added, assert_unchanged, json, on_both_stores,
    receiver::{Receiver, Reply},
    scripted_slack::ScriptedSlack,
    telling::event,
};

on_both_stores!(the_one_get_that_leaves_an_event_is_the_way_back_from_slack);

fn actor(tenant: &Tenant) -> Actor<'_> {
    Actor { person: json!(tenant.admin.id), key: Value::Null, caller: &tenant.admin }
}
fn id(v: &Value) -> &str {
    v["id"].as_str().unwrap()
}

pub(super) async fn webhooks(tenant: &Tenant) {
    let (by, admin) = (actor(tenant), &tenant.admin);
    let receiver = Receiver::start([Reply::Status(410)]).await;
    let webhook = "webhook_subscription";
    let body = json!({"url": receiver.url("x"), "events": ["run_failed"]});
    let call = async { admin.post(tenant.path("/webhooks/subscriptions"), body).await };
    let want = [("webhook_subscription.created", "medium", "member", webhook)];
    let (hook, events) = leaves(tenant, &by, call, &want).await;
    assert_eq!(events[0]["details"]["name"], "127.0.0.1", "its host is all that the log knows of the address");
    let path = tenant.hook_path(id(&hook));
    let call = async { admin.put(&path, json!({"events": ["run_failed", "secret_rotated"]})).await };
    leaves(tenant, &by, call, &[("webhook_subscription.updated", "medium", "member", webhook)]).await;
    let call = async { admin.act(format!("{path}/rotate-secret")).await };
    leaves(tenant, &by, call, &[("webhook_subscription.secret_rotated", "medium", "member", webhook)]).await;

    let body =
        json!({"preferences": [{"event": "run_failed", "channels": ["webhook"], "recipients": ["a@example.org"]}]});
    let call = async { admin.put(tenant.path("/workspace/notifications"), body).await };
    let want = [("notifications.updated", "medium", "member", "notifications")];
    let (_, events) = leaves(tenant, &by, call, &want).await;
    assert_eq!(
        events[0]["changes"],
        json!([
            {"field": "run_failed", "from": "email", "to": "webhook"},
            {"field": "run_failed.recipients", "from": "0", "to": "1"}
        ])
    );
    let call = async { admin.publish(tenant, event("run_failed")).await };
    let (published, events) = leaves(tenant, &by, call, &[("event.published", "low", "member", "event")]).await;
    assert_eq!(events[0]["targetId"], published["id"]);
    let failed = tenant.told(&published, "webhook", "failed", 1).await.remove(0);
    let given_up = tenant.events_where("&action=delivery.given_up").await;
    assert_eq!((given_up.len(), &given_up[0]["risk"], &given_up[0]["targetId"]), (1, &json!("medium"), &failed["id"]));
    let path = tenant.path(&format!("/workspace/notifications/deliveries/{}/retry", id(&failed)));
    let call = async { admin.act(&path).await };
    leaves(tenant, &by, call, &[("delivery.retried", "low", "member", "delivery")]).await;
    tenant.told(&published, "webhook", "delivered", 1).await;
    let call = async { admin.post(tenant.path("/workspace/notifications/test"), json!({"channel": "webhook"})).await };
    leaves(tenant, &by, call, &[("notification.tested", "low", "member", "delivery")]).await;
    let call = async { admin.delete(tenant.hook_path(id(&hook))).await };
    leaves(tenant, &by, call, &[("webhook_subscription.deleted", "medium", "member", webhook)]).await;

    let key = tenant.key(&["runs:write"]).await;
    let by_key = Actor { person: Value::Null, key: json!(key.id), caller: &key };
    let call = async { key.publish(tenant, event("run_failed")).await };
    leaves(tenant, &by_key, call, &[("event.published", "low", "api_key", "event")]).await;
}

pub(super) async fn connections(tenant: &Tenant, slack: &ScriptedSlack) {
    let (by, admin) = (actor(tenant), &tenant.admin);
    let call = async { admin.act(tenant.path("/connections/slack/authorize")).await };
    let (begun, _) = leaves(tenant, &by, call, &[("connection.started", "low", "member", "workspace")]).await;
    let call = async { admin.get(slack.way_back(tenant, &begun)).await };
    let want = [("connection.authorized", "medium", "member", "connection")];
    let (made, events) = leaves(tenant, &by, call, &want).await;
    assert_eq!((&events[0]["targetId"], &events[0]["details"]["name"]), (&made["id"], &json!("Team T1")));
    assert!(!json!(events).to_string().contains("xoxb"), "{events:?}");
    let path = tenant.path(&format!("/connections/{}", id(&made)));
    for body in [json!({"channel": "C2"}), json!({"status": "disconnected"})] {
        let call = async { admin.put(&path, body).await };
        leaves(tenant, &by, call, &[("connection.updated", "medium", "member", "connection")]).await;
    }
    let call = async { admin.delete(&path).await };
    leaves(tenant, &by, call, &[("connection.deleted", "medium", "member", "connection")]).await;
}

/// Slack leads a person's browser back with a GET: OAuth has no other way. It changes nothing without the state of an
/// authorization that the same person began a moment before, and a second call with it changes nothing more.
async fn the_one_get_that_leaves_an_event_is_the_way_back_from_slack(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[]).await;
    let tenant = site.tenant().await;
    let begun = tenant.admin.act(tenant.path("/connections/slack/authorize")).await.ok();
    let back = slack.way_back(&tenant, &begun);
    let (_, events) = added(&tenant, async { tenant.admin.get(&back).await.ok() }).await;
    assert_eq!(events.len(), 1);
    let test = json!({"channel": "email"});
    let delivery = tenant.admin.post(tenant.path("/workspace/notifications/test"), test).await.ok();
    let hook = tenant.hook("http://127.0.0.1:9/x", &["run_failed"]).await;
    assert_unchanged(&tenant, async {
        tenant.admin.get(&back).await.problem(422, "connection-state-invalid");
        for path in [
            "/workspace/notifications",
            "/workspace/notifications/deliveries",
            &format!("/workspace/notifications/deliveries/{}", id(&delivery)),
            "/webhooks/subscriptions",
            &format!("/webhooks/subscriptions/{}", hook.id),
            "/connections",
        ] {
            tenant.admin.get(tenant.path(path)).await.ok();
            tenant.admin.send("HEAD", &tenant.path(path)).await.has(200);
        }
        // Whoever only asks for the head of it has not been on Slack's page.
        let head = tenant.admin.send("HEAD", &tenant.path("/connections/slack/callback?code=c&state=s")).await;
        assert!(head.status >= 400, "{}", head.status);
    })
    .await;
}
