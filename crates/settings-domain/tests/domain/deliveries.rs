//! Deliveries: tests of a channel, retries, and what follows when one is given up.
use crate::{
    notified::{
        connection, connection_id, counted, deliveries, delivering, preference, recipient, settings, webhook,
        webhook_id,
    },
    support::{facts, is_nothing, key, member, permit_for, permit_of, record, refusal, start, user, uuid, workspace},
};
use settings_domain::{
    audit::FieldChange,
    change::{Change, Write},
    connections::{Connection, ConnectionStatus},
    deliveries::{
        Attempt, Audience, Delivery, DeliveryStatus, DeliveryView, DeliveryWrite, Destination, Message, PARKED_FOR,
        SCHEDULE, TestChannelError,
    },
    error::Refused,
    ids::{DeliveryId, PublishedEventId},
    notifications::{Channel, NotificationSettings},
    policy::{Actor, EventType, Permit, Role, Scope, ScopeSet, actions},
    webhook_subscriptions::{Health, SubscriptionStatus, WebhookSubscription, WebhookSubscriptionWrite},
};
use time::Duration;

const KIND: EventType = EventType::RunFailed;

fn id() -> DeliveryId {
    DeliveryId::from_uuid(uuid(7_100))
}
fn event() -> Message {
    Message::Event(PublishedEventId::from_uuid(uuid(7_200)))
}
fn slack() -> Destination {
    Destination::Slack(connection_id(1))
}
fn hook() -> Destination {
    Destination::Webhook(webhook_id(1))
}
fn view(message: Message, destination: Destination, status: DeliveryStatus) -> DeliveryView {
    let delivery =
        Delivery { workspace: workspace(), id: id(), message, destination, instead_of: None, created_at: start() };
    let attempt = Attempt { at: start(), accepted: false, status: Some(500), cause: Some("no".to_owned()), millis: 7 };
    let event_type = matches!(message, Message::Event(_)).then_some(KIND);
    DeliveryView { delivery, event_type, status, attempts: vec![attempt], next_attempt_at: None }
}
/// Two admins, and webhook 1 active.
fn audience(settings: NotificationSettings) -> Audience {
    let subscriptions = vec![webhook(1, SubscriptionStatus::Active, &[KIND])];
    Audience { settings, admins: vec![user(1), user(2)], connection: None, subscriptions }
}
fn failing(told: bool) -> Health {
    let since = start() - Duration::hours(28);
    Health { failing_since: Some(since), told_at: told.then_some(start() - Duration::HOUR) }
}
/// Of an event that was mailed when mail is chosen: nobody has changed the preferences since.
fn give_up(view: &DeliveryView, audience: &Audience, health: Health) -> Change<()> {
    let mailed = audience.settings.of(KIND).channels.contains(&Channel::Email);
    give_up_mailed(view, audience, health, mailed)
}
fn give_up_mailed(view: &DeliveryView, audience: &Audience, health: Health, mailed: bool) -> Change<()> {
    let permit = delivering::<actions::GiveUpDelivery>(start());
    view.give_up(&permit, audience, health, mailed, counted(DeliveryId::from_uuid))
}
fn mails(change: &Change<()>) -> Vec<(Destination, Message, Option<DeliveryId>)> {
    deliveries(change).iter().map(|d| (d.destination, d.message, d.instead_of)).collect()
}
fn told(change: &Change<()>) -> bool {
    let is = |w: &Write| matches!(w, Write::WebhookSubscription(WebhookSubscriptionWrite::Told(id, at)) if *id == webhook_id(1) && *at == start());
    change.set().writes().iter().any(is)
}
fn test(
    permit: &Permit<actions::TestChannel>,
    channel: Channel,
    audience: &Audience,
) -> Result<Change<Delivery>, Refused<TestChannelError>> {
    Delivery::test(permit, id(), channel, audience)
}
fn tested(permit: &Permit<actions::TestChannel>, channel: Channel, audience: &Audience) -> Destination {
    let change = test(permit, channel, audience).unwrap();
    let [one] = deliveries(&change).try_into().unwrap();
    assert_eq!((one.id, one.message, one.instead_of, one.created_at), (id(), Message::Test, None, start()));
    one.destination
}

#[test]
fn the_schedule_is_the_contracts_and_what_is_parked_waits_for_a_day() {
    let seconds = SCHEDULE.map(Duration::whole_seconds);
    assert_eq!(seconds, [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600]);
    assert_eq!(PARKED_FOR, Duration::hours(24));
}

#[test]
fn a_test_mail_goes_to_the_member_who_asks_and_otherwise_to_the_first_admin() {
    let all = Audience { admins: vec![user(7), user(8)], ..Audience::default() };
    let key = Actor::key(&key(1, ScopeSet::EMPTY.with(Scope::WorkspaceWrite)));
    let owner_and_admin = Actor::member(&member(3, Role::Admin), true).unwrap();
    for (actor, whom) in [
        (Actor::member(&member(1, Role::Admin), false).unwrap(), 1),
        (owner_and_admin, 3),
        // Neither is a member, so neither has mails here.
        (Actor::platform(user(90), workspace()), 7),
        (key, 7),
    ] {
        assert_eq!(tested(&permit_of(&actor), Channel::Email, &all), Destination::Member(user(whom)));
    }
    let nobody = test(&permit_of(&key), Channel::Email, &Audience::default());
    assert!(matches!(nobody, Err(Refused::Rule(TestChannelError::NobodyToMail))));
}

#[test]
fn a_test_in_slack_needs_a_connection_that_can_post() {
    let permit = permit_for::<actions::TestChannel>(Role::Admin);
    let with = |connection: Option<Connection>| Audience { connection, ..Audience::default() };
    assert_eq!(tested(&permit, Channel::Slack, &with(Some(connection(ConnectionStatus::Active)))), slack());
    let without_channel = Connection { channel: None, ..connection(ConnectionStatus::Active) };
    for unusable in [
        None,
        Some(without_channel),
        Some(connection(ConnectionStatus::Error)),
        Some(connection(ConnectionStatus::Disconnected)),
    ] {
        assert_eq!(refusal(test(&permit, Channel::Slack, &with(unusable))), Some("channel-unavailable"));
    }
}

#[test]
fn a_test_of_webhooks_goes_to_the_active_one_that_changed_last() {
    let permit = permit_for::<actions::TestChannel>(Role::Admin);
    let one = |n, status, ago| WebhookSubscription {
        updated_at: start() - Duration::minutes(ago),
        ..webhook(n, status, &[])
    };
    let (active, disabled) = (SubscriptionStatus::Active, SubscriptionStatus::Disabled);
    for (subscriptions, expected) in [
        (vec![one(1, active, 5), one(2, active, 3), one(3, active, 4)], Some(2)),
        (vec![one(1, active, 5), one(2, disabled, 1)], Some(1)),
        (vec![one(1, active, 5), one(2, active, 5)], Some(2)),
        (vec![one(1, disabled, 5)], None),
        (vec![], None),
    ] {
        let all = Audience { subscriptions, ..Audience::default() };
        match expected {
            Some(n) => assert_eq!(tested(&permit, Channel::Webhook, &all), Destination::Webhook(webhook_id(n))),
            None => assert_eq!(refusal(test(&permit, Channel::Webhook, &all)), Some("channel-unavailable")),
        }
    }
}

#[test]
fn a_test_is_on_record_with_its_channel_alone() {
    let permit = permit_for::<actions::TestChannel>(Role::Admin);
    let change = test(&permit, Channel::Webhook, &audience(NotificationSettings::default())).unwrap();
    assert_eq!(facts(&change), ["notification.tested"]);
    let channel = FieldChange { field: "channel".to_owned(), from: None, to: Some("webhook".to_owned()) };
    assert_eq!(record(&change).changes, [channel]);
}

#[test]
fn only_what_was_given_up_can_be_retried_and_keeps_its_attempts() {
    let permit = permit_for::<actions::RetryDelivery>(Role::Admin);
    for status in DeliveryStatus::ALL {
        let there = view(event(), hook(), status);
        let change = there.retry(&permit);
        if status != DeliveryStatus::Failed {
            assert_eq!(refusal(change), Some("delivery-not-failed"), "{status:?}");
            continue;
        }
        let change = change.unwrap();
        assert_eq!(facts(&change), ["delivery.retried"]);
        assert!(matches!(change.set().writes(), [Write::Delivery(DeliveryWrite::Retry(d))] if *d == id()));
        assert!(change.set().notices().is_empty(), "its row in the queue is there");
        let next = crate::notified::value(change);
        let expected = DeliveryView { status: DeliveryStatus::Pending, next_attempt_at: Some(start()), ..there };
        assert_eq!(next, expected);
    }
}

#[test]
fn an_event_that_slack_or_a_webhook_did_not_take_is_mailed_instead_unless_it_is_mailed_anyway() {
    let (to_1, admins) = (Destination::Recipient(recipient(1).id), [user(1), user(2)].map(Destination::Member));
    for destination in [slack(), hook()] {
        for status in [DeliveryStatus::Pending, DeliveryStatus::Parked] {
            for (channels, recipients, expected) in [
                (vec![Channel::Slack, Channel::Webhook], &[1][..], vec![to_1]),
                (vec![Channel::Slack], &[], admins.to_vec()),
                // Nobody wants it there any more, but this one was wanted.
                (vec![], &[], admins.to_vec()),
                (vec![Channel::Email, Channel::Slack, Channel::Webhook], &[1], vec![]),
                (vec![Channel::Email], &[], vec![]),
            ] {
                let all = audience(settings(KIND, preference(&channels, recipients.iter().copied())));
                let change = give_up(&view(event(), destination, status), &all, failing(true));
                let expected: Vec<_> = expected.into_iter().map(|to| (to, event(), Some(id()))).collect();
                assert_eq!(mails(&change), expected, "{destination:?} {channels:?}");
                assert_eq!(facts(&change), ["delivery.given_up"]);
                let first = change.set().writes().first();
                assert!(matches!(first, Some(Write::Delivery(DeliveryWrite::GiveUp(d))) if *d == id()));
            }
        }
    }
}

#[test]
fn what_counts_is_whether_the_event_was_mailed_and_not_what_is_chosen_today() {
    let pending = view(event(), hook(), DeliveryStatus::Pending);
    for channels in [&[Channel::Webhook][..], &[Channel::Email, Channel::Webhook]] {
        let all = audience(settings(KIND, preference(channels, [1])));
        assert_eq!(mails(&give_up_mailed(&pending, &all, failing(true), true)), []);
        let instead = vec![(Destination::Recipient(recipient(1).id), event(), Some(id()))];
        assert_eq!(mails(&give_up_mailed(&pending, &all, failing(true), false)), instead);
    }
}

#[test]
fn what_is_no_event_is_not_mailed_instead() {
    let all = audience(settings(KIND, preference(&[], [])));
    for message in [Message::Test, Message::SlackFailing(connection_id(1)), Message::WebhookFailing(webhook_id(1))] {
        for destination in [slack(), hook()] {
            assert_eq!(mails(&give_up(&view(message, destination, DeliveryStatus::Pending), &all, failing(true))), []);
        }
    }
}

#[test]
fn a_mail_that_nobody_takes_leads_to_no_other_message() {
    let all = audience(settings(KIND, preference(&[Channel::Slack], [1])));
    for destination in [Destination::Member(user(1)), Destination::Recipient(recipient(1).id)] {
        for message in [event(), Message::Test, Message::WebhookFailing(webhook_id(1))] {
            let change = give_up(&view(message, destination, DeliveryStatus::Pending), &all, failing(false));
            assert_eq!((mails(&change), told(&change)), (vec![], false));
            assert!(matches!(change.set().writes(), [Write::Delivery(DeliveryWrite::GiveUp(_))]));
        }
    }
}

#[test]
fn what_is_settled_is_not_given_up_again() {
    let all = audience(settings(KIND, preference(&[Channel::Webhook], [1])));
    for status in [DeliveryStatus::Delivered, DeliveryStatus::Failed, DeliveryStatus::Dropped] {
        assert!(is_nothing(&give_up(&view(event(), hook(), status), &all, failing(false))), "{status:?}");
    }
}

#[test]
fn the_admins_are_told_once_that_a_webhook_fails() {
    let all = audience(settings(KIND, preference(&[Channel::Email], [1])));
    let news: Vec<_> =
        [1, 2].map(|n| (Destination::Member(user(n)), Message::WebhookFailing(webhook_id(1)), None)).to_vec();
    let pending = view(event(), hook(), DeliveryStatus::Pending);
    let change = give_up(&pending, &all, failing(false));
    assert_eq!((mails(&change), told(&change)), (news.clone(), true));
    let again = give_up(&pending, &all, failing(true));
    assert_eq!((mails(&again), told(&again)), (vec![], false));
    // What takes its place and what the admins are told go together.
    let without_mail = audience(settings(KIND, preference(&[Channel::Webhook], [1])));
    let both = mails(&give_up(&pending, &without_mail, failing(false)));
    assert_eq!(both, [vec![(Destination::Recipient(recipient(1).id), event(), Some(id()))], news].concat());
}

#[test]
fn nobody_is_told_of_a_webhook_that_works_is_switched_off_or_is_gone() {
    let pending = view(event(), hook(), DeliveryStatus::Pending);
    let mailed = settings(KIND, preference(&[Channel::Email], []));
    let with = |subscriptions| Audience { subscriptions, ..audience(mailed.clone()) };
    let off = vec![webhook(1, SubscriptionStatus::Disabled, &[KIND])];
    let another = vec![webhook(2, SubscriptionStatus::Active, &[KIND])];
    for (all, health) in [
        (audience(mailed.clone()), Health::default()),
        (with(off), failing(false)),
        (with(another), failing(false)),
        (with(vec![]), failing(false)),
    ] {
        let change = give_up(&pending, &all, health);
        assert_eq!((mails(&change), told(&change)), (vec![], false));
        assert_eq!(facts(&change), ["delivery.given_up"]);
    }
    // Slack's connection has its own word for it.
    assert!(!told(&give_up(&view(event(), slack(), DeliveryStatus::Parked), &audience(mailed), failing(false))));
}

#[test]
fn what_is_given_up_is_on_record_by_channel_and_kind_of_message() {
    let all = audience(NotificationSettings::default());
    let change = give_up(&view(event(), hook(), DeliveryStatus::Pending), &all, failing(true));
    let record = record(&change);
    let said = |field: &str, to: &str| FieldChange { field: field.to_owned(), from: None, to: Some(to.to_owned()) };
    assert_eq!(record.changes, [said("channel", "webhook"), said("message", "event")]);
    assert_eq!((record.target_kind.as_str(), record.target_id), ("delivery", Some(id().as_uuid())));
    assert_eq!((record.actor_kind.as_str(), change.set().events()[0].personal().len()), ("service", 0));
}
