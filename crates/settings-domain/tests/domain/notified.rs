//! What the tests of notifications share: a connection, webhooks, preferences, and what a change queues.
use crate::support::{start, uuid, workspace};
use settings_domain::{
    change::{Change, Write},
    connections::{Connection, ConnectionStatus},
    deliveries::{Delivery, DeliveryWrite},
    ids::{ConnectionId, RecipientId, WebhookSubscriptionId},
    notices::Notice,
    notifications::{Channel, NotificationSettings, Preference, Recipient},
    policy::{Action, Actor, EventType, Permit, SystemTask, permit},
    sealed::{Binding, Sealed, StoredValue},
    tokens::Digest,
    webhook_subscriptions::{SubscriptionStatus, WebhookSubscription},
};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// Fresh ids, the same in every run.
pub(crate) fn counted<T>(wrap: fn(Uuid) -> T) -> impl FnMut() -> T {
    let mut n = 20_000;
    move || {
        n += 1;
        wrap(uuid(n))
    }
}
pub(crate) fn stored(binding: Binding) -> StoredValue {
    StoredValue::new(binding, Sealed::new(1, vec![1; 40]), Digest::none())
}
/// What the task that delivers may do, at an instant.
pub(crate) fn delivering<A: Action>(at: OffsetDateTime) -> Permit<A> {
    permit::<A>(&Actor::task(SystemTask::Deliver, workspace()), at).unwrap()
}

pub(crate) fn connection_id(n: u64) -> ConnectionId {
    ConnectionId::from_uuid(uuid(8_000 + n))
}
/// A connection that was authorized an hour ago and posts to a channel.
pub(crate) fn connection(status: ConnectionStatus) -> Connection {
    let before = start() - time::Duration::hours(1);
    Connection {
        workspace: workspace(),
        id: connection_id(1),
        status,
        status_reason: (status == ConnectionStatus::Error).then(|| "Slack says no".to_owned()),
        channel: Some("C0123ABCD".parse().unwrap()),
        channel_name: Some("alerts".parse().unwrap()),
        team_id: "T1".to_owned(),
        team_name: "Zebra Works".parse().unwrap(),
        authorized_at: before,
        created_at: before,
        updated_at: before,
        version: 3,
    }
}
pub(crate) fn webhook_id(n: u64) -> WebhookSubscriptionId {
    WebhookSubscriptionId::from_uuid(uuid(9_000 + n))
}
pub(crate) fn webhook(n: u64, status: SubscriptionStatus, events: &[EventType]) -> WebhookSubscription {
    let before = start() - time::Duration::hours(1);
    WebhookSubscription {
        workspace: workspace(),
        id: webhook_id(n),
        url: format!("https://zebra{n}.example/hook"),
        host: format!("zebra{n}.example"),
        events: events.iter().copied().collect(),
        status,
        status_reason: None,
        previous_secret_until: None,
        created_at: before,
        updated_at: before,
        version: 4,
    }
}
pub(crate) fn recipient(n: u64) -> Recipient {
    let email = format!("zebra{n}@canary.example").parse().unwrap();
    Recipient { id: RecipientId::from_uuid(uuid(9_500 + n)), email }
}
pub(crate) fn preference(channels: &[Channel], recipients: impl IntoIterator<Item = u64>) -> Preference {
    let channels: BTreeSet<_> = channels.iter().copied().collect();
    Preference { channels, recipients: recipients.into_iter().map(recipient).collect() }
}
/// Preferences of version 5 that say something of one type alone.
pub(crate) fn settings(kind: EventType, preference: Preference) -> NotificationSettings {
    NotificationSettings::stored(BTreeMap::from([(kind, preference)]), 5)
}

/// The deliveries that a change queues. Each has its row and its notice, in the same order.
pub(crate) fn deliveries<T>(change: &Change<T>) -> Vec<Delivery> {
    let rows: Vec<_> = change
        .set()
        .writes()
        .iter()
        .filter_map(|w| if let Write::Delivery(DeliveryWrite::Insert(row)) = w { Some(*row) } else { None })
        .collect();
    let notices: Vec<_> = rows.iter().map(|row| Notice::Delivery(row.id)).collect();
    assert_eq!(change.set().notices(), notices, "a row and a notice for each");
    rows
}
/// What a change hands back.
pub(crate) fn value<T>(change: Change<T>) -> T {
    let mut value = None;
    drop(change.map(|v| value = Some(v)));
    value.unwrap()
}
