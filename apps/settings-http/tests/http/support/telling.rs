//! Events, webhooks and deliveries of a tenant, in few words.
use super::{
    Answer, Site, Store, Tenant, Value,
    client::{Call, Caller},
    eventually,
    home::Env,
    json, shape, unique,
};

/// The five types of events, written down here by hand.
pub(crate) const EVENTS: [&str; 5] =
    ["run_failed", "approval_requested", "workflow_deployed", "mcp_server_degraded", "secret_rotated"];
/// The networks that webhooks of a test may reach: this machine.
pub(crate) const LOOPBACK: (&str, Option<&str>) = ("SETTINGS_OUTBOUND_ALLOW", Some("127.0.0.0/8"));

/// A new event of a type.
pub(crate) fn event(kind: &str) -> Value {
    json!({"specversion": "1.0", "id": unique(), "source": "urn:test:runner", "type": kind,
        "data": {"workflowName": "nightly", "runId": "r-7"}})
}

/// A webhook subscription with its secret.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Site {
    /// A server of one's own whose webhooks may reach this machine.
    pub(crate) async fn outgoing(store: Store, more: Env<'_>) -> Self {
        Self::own(store, &[&[LOOPBACK], more].concat()).await
    }
}

impl Caller {
    /// Publishes an event in structured mode.
    #[expect(clippy::needless_pass_by_value, reason = "an event is written down where it is sent")]
    pub(crate) fn publish(&self, tenant: &Tenant, event: Value) -> Call {
        self.send("POST", &tenant.path("/events")).body("application/cloudevents+json", event.to_string())
    }
}

impl Tenant {
    /// Publishes a new event of a type; the answer's body.
    pub(crate) async fn tells(&self, kind: &str) -> Value {
        self.admin.publish(self, event(kind)).await.accepted()
    }
    /// A webhook for these events.
    pub(crate) async fn hook(&self, url: &str, events: &[&str]) -> Hook {
        let body = json!({"url": url, "events": events});
        let made = self.admin.post(self.path("/webhooks/subscriptions"), body).await.created();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Hook { id: text("id"), secret: text("secret") }
    }
    /// The address of a webhook subscription.
    pub(crate) fn hook_path(&self, id: &str) -> String {
        self.path(&format!("/webhooks/subscriptions/{id}"))
    }
    /// Chooses the channels of one type of event.
    pub(crate) async fn tell_on(&self, kind: &str, channels: &[&str]) {
        self.choose(json!({"event": kind, "channels": channels})).await.ok();
    }
    /// Asks for one preference.
    pub(crate) async fn choose(&self, preference: Value) -> Answer {
        let body = json!({"preferences": [preference]});
        self.admin.put(self.path("/workspace/notifications"), body).await
    }
    /// Deliveries by a filter such as `&status=failed`, newest first.
    pub(crate) async fn deliveries(&self, filter: &str) -> Vec<Value> {
        let path = self.path(&format!("/workspace/notifications/deliveries?limit=100{filter}"));
        shape::list(&self.admin.get(path).await.ok(), shape::DELIVERY)
    }
    /// A delivery as it stands.
    pub(crate) async fn delivery(&self, id: &str) -> Value {
        let path = self.path(&format!("/workspace/notifications/deliveries/{id}"));
        let delivery = self.admin.get(path).await.ok();
        shape::is(&delivery, shape::DELIVERY);
        for attempt in delivery["attempts"].as_array().unwrap() {
            shape::is(attempt, shape::ATTEMPT);
        }
        delivery
    }
    /// A delivery, once it has come so far.
    pub(crate) async fn delivery_that_is(&self, id: &str, status: &str) -> Value {
        eventually(&format!("a delivery that is {status}"), async || {
            Some(self.delivery(id).await).filter(|d| d["status"] == status)
        })
        .await
    }
    /// The deliveries of an event on a channel, once this many have come so far.
    pub(crate) async fn told(&self, event: &Value, channel: &str, status: &str, count: usize) -> Vec<Value> {
        let filter = format!("&eventId={}&channel={channel}", event["id"].as_str().unwrap());
        eventually(&format!("{count} deliveries on {channel} that are {status}"), async || {
            let there = self.deliveries(&filter).await;
            Some(there).filter(|d| d.len() == count && d.iter().all(|d| d["status"] == status))
        })
        .await
    }
    /// Makes everything that waits in this workspace due now: all that a test does to the clock.
    pub(crate) async fn hurry(&self) {
        let sooner = "UPDATE outbox SET next_at = 0 WHERE workspace_id = {ws} AND state = 'pending'";
        self.site.home.sql(&self.id, &[sooner]).await;
    }
}
