//! `/workspace/notifications/deliveries`: what was sent, when, and what came of each attempt.
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::Input,
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    deliveries::{Attempt as DomainAttempt, DeliveryStatus, DeliveryView, Destination, Message},
    ids::{DeliveryId, PublishedEventId},
    notifications::Channel,
    policy::{EventType, Permit, actions},
    ports::store::DeliveryFilter,
    transaction::{Call, Snapshot},
};
use std::{str::FromStr, sync::Arc};
use utoipa::ToSchema;

/// An attempt to send.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    at: String,
    /// `delivered` or `failed`.
    outcome: &'static str,
    /// What the receiver answered, where it answers with numbers.
    status_code: Option<i64>,
    /// Why it failed. Nothing of the receiver's own answer is in it.
    error: Option<String>,
    /// How long it took.
    duration_ms: i64,
}

impl From<&DomainAttempt> for Attempt {
    fn from(a: &DomainAttempt) -> Self {
        Self {
            at: rfc3339(a.at),
            outcome: if a.accepted { "delivered" } else { "failed" },
            status_code: a.status,
            error: a.cause.clone(),
            duration_ms: a.millis,
        }
    }
}

/// The event that a delivery tells.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Told {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Its type; null once the event was forgotten.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
}

/// Who gets a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receiver {
    /// `member`, `recipient` (an address of the preferences), `slack` (a connection) or `webhook` (a subscription).
    kind: &'static str,
    /// The id of that.
    #[schema(format = Uuid)]
    id: String,
}

/// A delivery: one message for one receiver. Holds no address and no text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Its id: the `webhook-id`, and in the Message-ID of a mail. The same in every attempt.
    #[schema(format = Uuid)]
    id: String,
    /// `email`, `slack` or `webhook`.
    channel: &'static str,
    /// `event`, `test`, `slack-failing` or `webhook-failing`.
    message: &'static str,
    /// The event, where it is about one.
    event: Option<Told>,
    /// Who gets it.
    to: Receiver,
    /// `pending`, `parked` (waits for Slack to be authorized again), `delivered`, `failed` (can be retried) or `dropped` (the
    /// receiver is gone).
    status: &'static str,
    /// Every attempt, oldest first.
    attempts: Vec<Attempt>,
    /// When it is tried next.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// The delivery that was given up, in whose place this mail is sent.
    #[schema(format = Uuid)]
    instead_of: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&DeliveryView> for Delivery {
    fn from(view: &DeliveryView) -> Self {
        let delivery = &view.delivery;
        let event = match delivery.message {
            Message::Event(id) => Some(Told { id: id.to_string(), kind: view.event_type.map(EventType::name) }),
            _ => None,
        };
        let id = match delivery.destination {
            Destination::Member(id) => id.to_string(),
            Destination::Recipient(id) => id.to_string(),
            Destination::Slack(id) => id.to_string(),
            Destination::Webhook(id) => id.to_string(),
        };
        Self {
            id: delivery.id.to_string(),
            channel: delivery.destination.channel().name(),
            message: delivery.message.kind(),
            event,
            to: Receiver { kind: delivery.destination.kind(), id },
            status: view.status.name(),
            attempts: view.attempts.iter().map(Attempt::from).collect(),
            next_attempt_at: view.next_attempt_at.map(rfc3339),
            instead_of: delivery.instead_of.map(|id| id.to_string()),
            created_at: rfc3339(delivery.created_at),
        }
    }
}

/// A status to look for.
struct StatusName(DeliveryStatus);

impl FromStr for StatusName {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        DeliveryStatus::parse(s).map(Self).ok_or("must be one of pending, parked, delivered, failed, dropped")
    }
}

/// A channel to look for.
struct ChannelName(Channel);

impl FromStr for ChannelName {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        Channel::parse(s).map(Self).ok_or("must be one of email, slack, webhook")
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "deliveries";
    const LIST: &[(&str, &str)] = &[
        ("status", "Only those that have come this far: pending, parked, delivered, failed or dropped"),
        ("channel", "Only those on this channel: email, slack or webhook"),
        ("eventId", "Only those of this event"),
        ("limit", "Entries per page, 1 to 100; 50 where absent"),
        ("cursor", "Where to go on: `nextCursor` of the page before"),
    ];
    vec![
        op(Method::GET, "/workspace/notifications/deliveries", "listDeliveries", T, "List deliveries, newest first")
            .query(LIST)
            .gives_list::<Delivery>()
            .problems(&["invalid-cursor"])
            .read(list),
        op(
            Method::GET,
            "/workspace/notifications/deliveries/{deliveryId}",
            "getDelivery",
            T,
            "Read a delivery with its attempts",
        )
        .gives::<Delivery>(200)
        .read(get),
        op(
            Method::POST,
            "/workspace/notifications/deliveries/{deliveryId}/retry",
            "retryDelivery",
            T,
            "Try a delivery again that was given up",
        )
        .gives::<Delivery>(200)
        .problems(&["delivery-not-failed", "idempotency-key-reused"])
        .write(retry),
    ]
}

async fn list(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadNotifications>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["status", "channel", "eventId", "limit", "cursor"])?;
    let filter = DeliveryFilter {
        status: input.query_as::<StatusName>("status")?.map(|s| s.0),
        channel: input.query_as::<ChannelName>("channel")?.map(|c| c.0),
        event: input.query_as::<PublishedEventId>("eventId")?,
    };
    let context = format!("{}|{filter:?}", snapshot.permit().scope().workspace());
    let after: Option<DeliveryId> = api.position(&input, &context, "deliveries")?;
    let page = input.page(after.map(DeliveryId::as_uuid))?;
    let there = snapshot.deliveries(filter, page).await?;
    let list: List<Delivery> =
        api.list(&input, &context, "deliveries", there, |d| d.delivery.id.as_uuid(), |d| Delivery::from(&d))?;
    Ok(Answer::ok(&list))
}

async fn get(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadNotifications>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let there = snapshot.delivery(input.id("deliveryId")?).await?.ok_or_else(|| Problem::plain("not-found"))?;
    Ok(Answer::ok(&Delivery::from(&there)))
}

async fn retry(
    api: Arc<Api>,
    permit: Permit<actions::RetryDelivery>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: DeliveryId = input.id("deliveryId")?;
    let () = input.json()?;
    let done = api.app().retry_delivery(&permit, &call, id).await?;
    Ok(Answer::ok(&Delivery::from(done.value())).replayed(done.is_replay()))
}
