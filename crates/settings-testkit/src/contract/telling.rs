//! Short ways to have something told: preferences, channels, events, and a worker's part.
use super::{
    No, Scenario, World,
    scenario::{ALL, call},
};
use settings_app::events::PublishEvent;
use settings_domain::{
    connections::{Connection, ConnectionRecord, Grant},
    deliveries::{Attempt, DeliveryStatus, DeliveryView, Message, Outgoing},
    events::{Content, EventData, Extensions, Publication},
    ids::{ConnectionId, DeliveryId, WebhookSubscriptionId},
    notifications::{Channel, NotificationSettings, PreferenceChange},
    policy::{Actor, EventType, Mutation, SystemTask, actions, permit},
    ports::{
        Entropy as _,
        outbound::OutboundUrl,
        outbox::{Claimed, Fate, Job},
        store::DeliveryFilter,
    },
    sealed::{Binding, Sealed, StoredValue},
    tokens::Digest,
    transaction::{Transaction, audience},
    webhook_subscriptions::{Health, SubscriptionPatch, SubscriptionRecord, WebhookSubscription},
};
use std::collections::{BTreeMap, BTreeSet};
use time::{Duration, OffsetDateTime};

pub(super) const LEASE: Duration = Duration::minutes(5);

/// A workspace whose founding messages are all sent.
pub(super) async fn quiet(world: &World, slug: &str) -> Scenario {
    let s = Scenario::called(world, slug).await;
    for message in claim(world, 100).await {
        world.store.done(&message, true).await.expect("settled");
    }
    s
}

/// Chooses channels, and recipients where there are some, for one type of event.
pub(super) async fn choose(
    s: &Scenario,
    kind: EventType,
    channels: &[Channel],
    recipients: Option<&[&str]>,
) -> Result<NotificationSettings, No> {
    let permit = s.may::<actions::UpdateNotifications>(&s.admin.caller).await?;
    let recipients = recipients.map(|all| all.iter().map(|e| e.parse().expect("an address")).collect());
    let change = PreferenceChange { channels: channels.iter().copied().collect(), recipients };
    let wanted = BTreeMap::from([(kind, change)]);
    Ok(s.app.update_notifications(&permit, &call(&s.admin.caller), &wanted).await?.0.into_value())
}

/// Sends `events` to a webhook.
pub(super) async fn hook(s: &Scenario, url: &str, events: &[EventType]) -> Result<WebhookSubscription, No> {
    let permit = s.may::<actions::CreateWebhookSubscription>(&s.admin.caller).await?;
    let host = url.trim_start_matches("https://").split('/').next().expect("a host").to_owned();
    let url = OutboundUrl::vetted(url.to_owned(), format!("https://{host}"), host);
    let events: BTreeSet<_> = events.iter().copied().collect();
    let made = s.app.create_webhook_subscription(&permit, &call(&s.admin.caller), url, events).await?;
    Ok(made.subscription.into_value())
}
pub(super) async fn patch_hook(s: &Scenario, id: WebhookSubscriptionId, patch: SubscriptionPatch) {
    let permit = s.may::<actions::UpdateWebhookSubscription>(&s.admin.caller).await.expect("a right");
    let done = s.app.update_webhook_subscription(&permit, &call(&s.admin.caller), id, patch).await;
    done.unwrap_or_else(|e| panic!("{e:?}"));
}
pub(super) async fn drop_hook(s: &Scenario, id: WebhookSubscriptionId) {
    let permit = s.may::<actions::DeleteWebhookSubscription>(&s.admin.caller).await.expect("a right");
    let done = s.app.delete_webhook_subscription(&permit, &call(&s.admin.caller), id).await;
    done.unwrap_or_else(|e| panic!("{e:?}"));
}
pub(super) async fn hook_record(s: &Scenario, id: WebhookSubscriptionId) -> Option<(SubscriptionRecord, Health)> {
    s.reads().await.webhook_subscription(id).await.expect("a read")
}
pub(super) async fn health(s: &Scenario, id: WebhookSubscriptionId) -> Health {
    hook_record(s, id).await.expect("a webhook").1
}

/// A value as a cipher would have made it, recognisable by its last byte.
pub(super) fn sealed(binding: Binding, mark: u8) -> StoredValue {
    StoredValue::new(binding, Sealed::new(1, vec![mark; 48]), Digest::none())
}

/// Connects a team of Slack with a token that `mark` tells from others.
pub(super) async fn connect(world: &World, s: &Scenario, team: &str, mark: u8) -> Connection {
    let permit = s.may::<actions::AuthorizeConnection>(&s.admin.caller).await.expect("a right");
    let mut tx = Transaction::open(world.store.as_ref(), &permit, &call(&s.admin.caller)).await.expect("a transaction");
    let present = tx.load().connection().await.expect("a read").map(|r| r.connection);
    let id = ConnectionId::from_uuid(world.entropy.uuid());
    let same = present.as_ref().filter(|p| p.team_id == team);
    let binding = same.map_or_else(|| Connection::binding(s.workspace, id, team, 1), Connection::next_binding);
    let grant = Grant {
        team_id: team.to_owned(),
        team_name: format!("The {team} team").parse().expect("a name"),
        channel: Some("C0123".parse().expect("a channel")),
        channel_name: Some("alerts".parse().expect("a name")),
        token: sealed(binding, mark),
    };
    let began = tx.permit().at() + Duration::microseconds(1);
    let change = Connection::authorize(present.as_ref(), tx.permit(), began, id, grant).expect("a decision");
    tx.commit(change).await.expect("committed").into_value()
}
pub(super) async fn connection(s: &Scenario) -> Option<ConnectionRecord> {
    s.reads().await.connection().await.expect("a read")
}

fn event(id: &str, kind: EventType) -> PublishEvent {
    let content = Content {
        source: "https://runner.example".parse().expect("a source"),
        id: id.parse().expect("an id"),
        kind,
        subject: None,
        time: None,
        extensions: Extensions::default(),
        data: EventData::default(),
    };
    PublishEvent::new(content, OffsetDateTime::UNIX_EPOCH).expect("an event")
}
/// Publishes an event.
pub(super) async fn publish(s: &Scenario, id: &str, kind: EventType) -> Result<Publication, No> {
    let permit = s.may::<actions::PublishEvent>(&s.admin.caller).await?;
    Ok(s.app.publish_event(&permit, &call(&s.admin.caller), &event(id, kind)).await?.into_value())
}
/// Publishes a failed run.
pub(super) async fn run_failed(s: &Scenario, id: &str) -> Publication {
    publish(s, id, EventType::RunFailed).await.expect("an event")
}

pub(super) async fn claim(world: &World, limit: i64) -> Vec<Claimed> {
    world.store.claim(limit, LEASE).await.expect("messages")
}
/// The one message that is due.
pub(super) async fn claim_one(world: &World) -> Claimed {
    let claimed = claim(world, 10).await;
    let [message] = &claimed[..] else { panic!("one message, not {}", claimed.len()) };
    assert!(matches!(message.job, Job::Notification(_)));
    message.clone()
}
pub(super) async fn settle(world: &World, message: &Claimed, attempt: Option<&Attempt>, fate: Fate) {
    world.store.settle(message, attempt, fate).await.expect("settled");
}
pub(super) async fn outgoing(world: &World, s: &Scenario, id: DeliveryId) -> Option<Outgoing> {
    world.store.outgoing(s.workspace, id).await.expect("an answer")
}
/// An attempt that ended so many seconds after some instant.
pub(super) fn attempt(second: i64, accepted: bool) -> Attempt {
    let (status, cause) =
        if accepted { (Some(204), None) } else { (Some(500), Some("the receiver failed".to_owned())) };
    let at = time::macros::datetime!(2026-01-05 13:00 UTC) + Duration::seconds(second);
    Attempt { at, accepted, status, cause, millis: second }
}

pub(super) async fn ledger(s: &Scenario, filter: DeliveryFilter) -> Vec<DeliveryView> {
    s.reads().await.deliveries(filter, super::scenario::ALL).await.expect("a read")
}
pub(super) async fn delivery(s: &Scenario, id: DeliveryId) -> DeliveryView {
    s.reads().await.delivery(id).await.expect("a read").expect("a delivery")
}
pub(super) async fn status(s: &Scenario, id: DeliveryId) -> DeliveryStatus {
    delivery(s, id).await.status
}
pub(super) async fn waiting(s: &Scenario) -> i64 {
    s.reads().await.waiting_deliveries().await.expect("a count")
}

/// A transaction of the task that delivers.
pub(super) async fn task<A: Mutation>(world: &World, s: &Scenario) -> Transaction<A> {
    let actor = Actor::task(SystemTask::Deliver, s.workspace);
    let permit = permit::<A>(&actor, OffsetDateTime::UNIX_EPOCH).expect("the task's own");
    Transaction::open_for_task(world.store.as_ref(), &permit, "req-1".to_owned()).await.expect("a transaction")
}
pub(super) fn fresh(world: &World) -> DeliveryId {
    DeliveryId::from_uuid(world.entropy.uuid())
}
/// Gives a delivery up, as the worker does.
pub(super) async fn give_up(world: &World, s: &Scenario, id: DeliveryId) {
    let mut tx = task::<actions::GiveUpDelivery>(world, s).await;
    let view = tx.load().delivery(id).await.expect("a read").expect("a delivery");
    let health = match view.delivery.destination {
        settings_domain::deliveries::Destination::Webhook(id) => {
            tx.load().webhook_subscription(id).await.expect("a read").map(|(_, h)| h)
        }
        _ => None,
    };
    let audience = audience(tx.load()).await.expect("an audience");
    let mailed = match view.delivery.message {
        Message::Event(event) => {
            let mails = DeliveryFilter { event: Some(event), channel: Some(Channel::Email), status: None };
            !tx.load().deliveries(mails, ALL).await.expect("a ledger").is_empty()
        }
        _ => true,
    };
    let change = view.give_up(tx.permit(), &audience, health.unwrap_or_default(), mailed, || fresh(world));
    tx.commit(change).await.expect("committed");
}
pub(super) async fn retry(s: &Scenario, id: DeliveryId) -> Result<DeliveryView, No> {
    let permit = s.may::<actions::RetryDelivery>(&s.admin.caller).await?;
    Ok(s.app.retry_delivery(&permit, &call(&s.admin.caller), id).await?.into_value())
}
