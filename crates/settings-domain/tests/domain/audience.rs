//! Who hears of what: every choice of channels, in every state of what they stand on, against a naive model.
use crate::{
    notified::{connection, counted, preference, recipient, settings, webhook},
    support::{start, user, uuid, workspace},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use settings_domain::{
    connections::{Connection, ConnectionStatus},
    deliveries::{Audience, Delivery, Destination, Message},
    ids::{DeliveryId, PublishedEventId},
    notifications::Channel,
    policy::EventType,
    webhook_subscriptions::{SubscriptionStatus, WebhookSubscription},
};
use std::collections::BTreeSet;

fn message() -> Message {
    Message::Event(PublishedEventId::from_uuid(uuid(7)))
}
fn hear(audience: &Audience, kind: EventType) -> Vec<Delivery> {
    audience.hear(workspace(), message(), kind, start(), counted(DeliveryId::from_uuid))
}
fn destinations(audience: &Audience, kind: EventType) -> Vec<Destination> {
    hear(audience, kind).iter().map(|d| d.destination).collect()
}

prop_compose! {
    fn some_connection()(status in select(ConnectionStatus::ALL.to_vec()), has_channel: bool) -> Connection {
        let whole = connection(status);
        Connection { channel: whole.channel.clone().filter(|_| has_channel), ..whole }
    }
}
prop_compose! {
    /// Up to four webhooks with increasing ids, each for some of the types.
    fn some_webhooks()(all in vec((any::<bool>(), 0_u8..32), 0..4)) -> Vec<WebhookSubscription> {
        let one = |(n, (active, bits)): (u64, (bool, u8))| {
            let events: Vec<_> = (0..).zip(EventType::ALL).filter(|(i, _)| bits >> i & 1 == 1).map(|(_, e)| e).collect();
            let status = if active { SubscriptionStatus::Active } else { SubscriptionStatus::Disabled };
            webhook(n, status, &events)
        };
        (1..).zip(all).map(one).collect()
    }
}
prop_compose! {
    fn some_audience()(
        kind in select(EventType::ALL.to_vec()), channels in 0_u8..8, recipients in 0_u64..4, admins in 0_u64..4,
        connection in option::of(some_connection()), subscriptions in some_webhooks(),
    ) -> (EventType, Audience) {
        let channels: Vec<_> = (0..).zip(Channel::ALL).filter(|(i, _)| channels >> i & 1 == 1).map(|(_, c)| c).collect();
        let settings = settings(kind, preference(&channels, 1..=recipients));
        (kind, Audience { settings, admins: (1..=admins).map(user).collect(), connection, subscriptions })
    }
}

/// Who hears of it, written down as plainly as it can be said.
fn expected(kind: EventType, audience: &Audience) -> Vec<Destination> {
    let chosen = audience.settings.of(kind);
    let slack = chosen.channels.contains(&Channel::Slack);
    let webhook = chosen.channels.contains(&Channel::Webhook);
    let slack_is_there = match audience.connection.as_ref().map(|c| (c.status, c.channel.is_some())) {
        Some((ConnectionStatus::Active, has_channel)) => has_channel,
        Some((ConnectionStatus::Error, _)) => true,
        None | Some((ConnectionStatus::Disconnected, _)) => false,
    };
    let hears = |s: &WebhookSubscription| s.status == SubscriptionStatus::Active && s.events.contains(&kind);
    let a_webhook_is_there = audience.subscriptions.iter().any(hears);
    let mut all = Vec::new();
    if chosen.channels.contains(&Channel::Email) || (slack && !slack_is_there) || (webhook && !a_webhook_is_there) {
        for recipient in &chosen.recipients {
            all.push(Destination::Recipient(recipient.id));
        }
        if chosen.recipients.is_empty() {
            for admin in &audience.admins {
                all.push(Destination::Member(*admin));
            }
        }
    }
    if slack && slack_is_there {
        all.push(Destination::Slack(audience.connection.as_ref().unwrap().id));
    }
    for s in &audience.subscriptions {
        if webhook && s.status == SubscriptionStatus::Active && s.events.contains(&kind) {
            all.push(Destination::Webhook(s.id));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn each_chosen_channel_leads_to_exactly_its_receivers_and_to_mail_where_it_is_gone((kind, audience) in some_audience()) {
        let heard = hear(&audience, kind);
        let to: Vec<_> = heard.iter().map(|d| d.destination).collect();
        prop_assert_eq!(&to, &expected(kind, &audience));
        let mut ids = counted(DeliveryId::from_uuid);
        for d in &heard {
            let new = Delivery {
                workspace: workspace(), id: ids(), message: message(), destination: d.destination, instead_of: None, created_at: start(),
            };
            prop_assert_eq!(*d, new, "a row like every other, with ids in the order of the rows");
        }
    }

    #[test]
    fn nobody_is_told_twice_and_the_order_is_always_the_same((kind, audience) in some_audience()) {
        let to = destinations(&audience, kind);
        let places: Vec<_> = to.iter().map(|d| (d.channel(), format!("{d:?}"))).collect();
        prop_assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), to.len());
        let channels: Vec<_> = to.iter().map(|d| d.channel()).collect();
        prop_assert!(channels.is_sorted(), "mails first, then Slack, then webhooks: {channels:?}");
        prop_assert_eq!(destinations(&audience, kind), to);
    }

    /// What was chosen and cannot be used is never lost, as long as there is anybody to mail.
    #[test]
    fn with_an_admin_somebody_hears_of_what_is_told_by_mail_or_slack((kind, audience) in some_audience()) {
        let chosen = audience.settings.of(kind).channels;
        let told = chosen.contains(&Channel::Email) || chosen.contains(&Channel::Slack);
        if told && !audience.admins.is_empty() {
            prop_assert!(!destinations(&audience, kind).is_empty());
        }
    }
}

#[test]
fn before_anybody_chose_anything_the_admins_hear_of_everything_by_mail() {
    let audience = Audience { admins: vec![user(1), user(2)], ..Audience::default() };
    for kind in EventType::ALL {
        assert_eq!(destinations(&audience, kind), [user(1), user(2)].map(Destination::Member));
    }
}

#[test]
fn what_is_told_nowhere_is_told_to_nobody() {
    let settings = settings(EventType::RunFailed, preference(&[], [1]));
    let audience = Audience { settings, admins: vec![user(1)], ..Audience::default() };
    assert!(hear(&audience, EventType::RunFailed).is_empty());
    assert_eq!(hear(&audience, EventType::SecretRotated).len(), 1, "the other types keep their default");
}

#[test]
fn a_connection_in_error_keeps_its_messages_and_one_that_is_switched_off_leaves_them_to_mail() {
    let kind = EventType::RunFailed;
    for (status, expected) in [
        (ConnectionStatus::Active, Destination::Slack(connection(ConnectionStatus::Active).id)),
        (ConnectionStatus::Error, Destination::Slack(connection(ConnectionStatus::Error).id)),
        (ConnectionStatus::Disconnected, Destination::Recipient(recipient(1).id)),
    ] {
        let settings = settings(kind, preference(&[Channel::Slack], [1]));
        let audience = Audience { settings, connection: Some(connection(status)), ..Audience::default() };
        assert_eq!(destinations(&audience, kind), [expected], "{status:?}");
    }
}
