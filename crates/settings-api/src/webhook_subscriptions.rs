//! `/webhooks/subscriptions` (contract): where events are sent, signed with a secret that is shown once.
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use settings_app::webhook_subscriptions::WithSecret;
use settings_domain::{
    ids::WebhookSubscriptionId,
    policy::{EventType, Permit, actions},
    transaction::{Call, Snapshot},
    webhook_subscriptions::{Health, SubscriptionPatch, SubscriptionStatus, WebhookSubscription},
};
use std::{collections::BTreeSet, str::FromStr, sync::Arc};
use utoipa::ToSchema;

/// A webhook subscription, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Where it sends.
    url: String,
    /// Which types of events it is sent.
    events: Vec<&'static str>,
    /// `active` or `disabled`.
    status: &'static str,
    /// Why it is disabled, where the service did that.
    status_reason: Option<String>,
    /// Until when deliveries are signed with the secret of before too.
    #[schema(format = DateTime)]
    previous_secret_until: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&WebhookSubscription> for Subscription {
    fn from(s: &WebhookSubscription) -> Self {
        Self {
            id: s.id.to_string(),
            url: s.url.clone(),
            events: s.events.iter().map(|e| e.name()).collect(),
            status: s.status.name(),
            status_reason: s.status_reason.clone(),
            previous_secret_until: s.previous_secret_until.map(rfc3339),
            created_at: rfc3339(s.created_at),
            updated_at: rfc3339(s.updated_at),
            version: s.version,
        }
    }
}

/// A webhook subscription, and since when it fails.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionWithHealth {
    #[serde(flatten)]
    subscription: Subscription,
    /// Since when no delivery was taken; null while they are. After five days it is disabled.
    #[schema(format = DateTime)]
    failing_since: Option<String>,
}

/// A webhook subscription with its secret, this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriptionWithSecret {
    #[serde(flatten)]
    subscription: Subscription,
    /// What deliveries are signed with (`whsec_…`). Null in the replay of an earlier call: it is never kept in the clear.
    secret: Option<String>,
}

impl SubscriptionWithSecret {
    fn new(made: &WithSecret) -> Self {
        let secret = made.secret.as_ref().map(|s| s.expose_secret().to_owned());
        Self { subscription: made.subscription.value().into(), secret }
    }
}

fn events(f: &mut Fields) -> Option<BTreeSet<EventType>> {
    let mut seen = BTreeSet::new();
    let before = f.fault_count();
    let list = f.list("events", EventType::ALL.len(), |f, path, v| {
        let kind: EventType = f.entry_text(&path, &v)?;
        if !seen.insert(kind) {
            f.fault_at(&path, "stands twice");
        }
        Some(kind)
    })?;
    if list.is_empty() && f.fault_count() == before {
        f.fault_at("events", "must name at least one type of event");
    }
    Some(list.into_iter().collect())
}

/// A subscription to be made.
#[derive(ToSchema)]
pub(crate) struct NewSubscription {
    /// https on a public host.
    #[schema(max_length = 2048)]
    url: String,
    /// At least one type, each once.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 5)]
    events: BTreeSet<EventType>,
}

impl Body for NewSubscription {
    fn read(f: &mut Fields) -> Option<Self> {
        let (url, events) = (f.required("url"), events(f));
        Some(Self { url: url?, events: events? })
    }
}

/// Whether deliveries go out, in its one spelling.
struct StatusName(SubscriptionStatus);

impl FromStr for StatusName {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        SubscriptionStatus::parse(s).map(Self).ok_or("must be active or disabled")
    }
}

/// The wanted changes; what is absent stays.
#[derive(ToSchema)]
pub(crate) struct SubscriptionChange {
    /// https on a public host.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// At least one type, each once.
    #[schema(value_type = Option<Vec<String>>, min_items = 1, max_items = 5)]
    events: Option<BTreeSet<EventType>>,
    /// `active` or `disabled`.
    #[schema(value_type = Option<String>)]
    status: Option<SubscriptionStatus>,
}

impl Body for SubscriptionChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let url = f.optional("url");
        let events = if f.has("events") { Some(events(f)?) } else { None };
        let status = f.optional::<StatusName>("status").map(|s| s.0);
        Some(Self { url, events, status })
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "webhooks";
    vec![
        op(Method::GET, "/webhooks/subscriptions", "listWebhookSubscriptions", T, "List webhook subscriptions")
            .gives_list::<Subscription>()
            .read(list),
        op(Method::POST, "/webhooks/subscriptions", "createWebhookSubscription", T, "Send events to a webhook")
            .takes::<NewSubscription>()
            .gives::<SubscriptionWithSecret>(201)
            .problems(&["url-not-allowed", "quota-reached", "idempotency-key-reused"])
            .no_tool("it shows the secret")
            .write(create),
        op(
            Method::GET,
            "/webhooks/subscriptions/{subscriptionId}",
            "getWebhookSubscription",
            T,
            "Read a webhook subscription, and since when it fails",
        )
        .gives::<SubscriptionWithHealth>(200)
        .read(get),
        op(
            Method::PUT,
            "/webhooks/subscriptions/{subscriptionId}",
            "updateWebhookSubscription",
            T,
            "Change where events are sent, which, or whether at all",
        )
        .takes::<SubscriptionChange>()
        .gives::<Subscription>(200)
        .problems(&["url-not-allowed", "precondition-failed"])
        .write(update),
        op(
            Method::DELETE,
            "/webhooks/subscriptions/{subscriptionId}",
            "deleteWebhookSubscription",
            T,
            "Delete a webhook subscription",
        )
        .problems(&["precondition-failed"])
        .write(delete),
        op(
            Method::POST,
            "/webhooks/subscriptions/{subscriptionId}/rotate-secret",
            "rotateWebhookSecret",
            T,
            "Give a webhook another secret; the one of before stays valid for 24 hours",
        )
        .gives::<SubscriptionWithSecret>(200)
        .problems(&["precondition-failed", "idempotency-key-reused"])
        .no_tool("it shows the secret")
        .write(rotate),
    ]
}

async fn list(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadNotifications>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let there = snapshot.webhook_subscriptions().await?;
    // At most 50: the list is always whole.
    let items: Vec<Subscription> = there.iter().map(Subscription::from).collect();
    Ok(Answer::ok(&List { items, next_cursor: None }))
}

async fn get(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadNotifications>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let there = snapshot.webhook_subscription(input.id("subscriptionId")?).await?;
    let (subscription, Health { failing_since, .. }) = there.ok_or_else(|| Problem::plain("not-found"))?;
    let version = subscription.version;
    let failing_since = failing_since.map(rfc3339);
    let body = SubscriptionWithHealth { subscription: Subscription::from(&subscription), failing_since };
    Ok(Answer::ok(&body).version(version))
}

async fn create(
    api: Arc<Api>,
    permit: Permit<actions::CreateWebhookSubscription>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NewSubscription { url, events } = input.json()?;
    let url = api.vetted(&url, permit.scope().workspace(), "/url").await?;
    let made = api.app().create_webhook_subscription(&permit, &call, url, events).await?;
    let (version, replay) = (made.subscription.value().version, made.subscription.is_replay());
    Ok(Answer::created(&SubscriptionWithSecret::new(&made)).version(version).no_store().replayed(replay))
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateWebhookSubscription>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: WebhookSubscriptionId = input.id("subscriptionId")?;
    let SubscriptionChange { url, events, status } = input.json()?;
    let url = match url {
        Some(url) => Some(api.vetted(&url, permit.scope().workspace(), "/url").await?),
        None => None,
    };
    let patch = SubscriptionPatch { url, events, status };
    let done = api.app().update_webhook_subscription(&permit, &call, id, patch).await?;
    Ok(Answer::ok(&Subscription::from(done.value())).version(done.value().version))
}

async fn rotate(
    api: Arc<Api>,
    permit: Permit<actions::RotateWebhookSecret>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: WebhookSubscriptionId = input.id("subscriptionId")?;
    let () = input.json()?;
    let made = api.app().rotate_webhook_secret(&permit, &call, id).await?;
    let (version, replay) = (made.subscription.value().version, made.subscription.is_replay());
    Ok(Answer::ok(&SubscriptionWithSecret::new(&made)).version(version).no_store().replayed(replay))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteWebhookSubscription>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: WebhookSubscriptionId = input.id("subscriptionId")?;
    let () = input.json()?;
    api.app().delete_webhook_subscription(&permit, &call, id).await?;
    Ok(Answer::nothing())
}
