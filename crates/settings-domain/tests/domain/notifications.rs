//! Preferences: what is chosen for each type, what a channel has to stand on, and what the log says of a change.
use crate::{
    notified::{connection, counted, preference, recipient, settings, value, webhook},
    support::{facts, is_nothing, permit_for, record, refusal},
};
use settings_domain::{
    audit::{FieldChange, Risk},
    change::{Change, Write},
    connections::{Connection, ConnectionStatus},
    error::{Classified as _, Refused},
    ids::RecipientId,
    impact::Guard,
    notifications::{
        Channel, Channels, NotificationSettings, NotificationWrite, NotificationsError, Preference, PreferenceChange,
    },
    policy::{EventType, Role, actions},
    text::Email,
    webhook_subscriptions::SubscriptionStatus,
};
use std::collections::BTreeMap;

const KIND: EventType = EventType::RunFailed;
const OTHER: EventType = EventType::SecretRotated;

fn email(text: &str) -> Email {
    text.parse().unwrap()
}
fn wanted(channels: &[Channel], recipients: Option<&[&str]>) -> PreferenceChange {
    let recipients = recipients.map(|all| all.iter().map(|a| email(a)).collect());
    PreferenceChange { channels: channels.iter().copied().collect(), recipients }
}
/// Slack and a webhook, both ready.
fn ready() -> Channels {
    Channels {
        slack_configured: true,
        connection: Some(connection(ConnectionStatus::Active)),
        subscriptions: vec![webhook(1, SubscriptionStatus::Active, &[])],
    }
}
fn update_by(
    present: &NotificationSettings,
    wanted: &[(EventType, PreferenceChange)],
    channels: &Channels,
    version: Option<i64>,
) -> Result<Change<NotificationSettings>, Refused<NotificationsError>> {
    let wanted: BTreeMap<_, _> = wanted.iter().cloned().collect();
    let guard = Guard { version, confirm: None };
    let permit = permit_for::<actions::UpdateNotifications>(Role::Admin);
    present.update(&permit, &wanted, channels, &guard, counted(RecipientId::from_uuid))
}
fn update(
    present: &NotificationSettings,
    kind: EventType,
    wanted: PreferenceChange,
) -> Result<Change<NotificationSettings>, Refused<NotificationsError>> {
    update_by(present, &[(kind, wanted)], &ready(), None)
}
/// What is saved is what is handed back.
fn saved(change: Change<NotificationSettings>) -> NotificationSettings {
    let [Write::Notifications(NotificationWrite::Save(row))] = change.set().writes() else { panic!("one row") };
    let row = row.clone();
    assert_eq!(value(change), row);
    row
}
fn spelled(preference: &Preference) -> Vec<&str> {
    preference.recipients.iter().map(|r| r.email.as_str()).collect()
}

#[test]
fn before_anybody_chose_anything_each_of_the_five_types_is_mailed_to_the_admins() {
    let fresh = NotificationSettings::default();
    let all: Vec<_> = fresh.all().collect();
    let default = preference(&[Channel::Email], []);
    assert_eq!(all, EventType::ALL.map(|kind| (kind, default.clone())));
    assert_eq!(fresh.version, 0);
    assert!(fresh.recipients().is_empty());
}

#[test]
fn types_that_are_not_named_keep_what_they_have() {
    let present = settings(OTHER, preference(&[], [1, 2]));
    let next = saved(update(&present, KIND, wanted(&[Channel::Slack], None)).unwrap());
    assert_eq!(next.of(OTHER), present.of(OTHER));
    assert_eq!(next.of(KIND), preference(&[Channel::Slack], []));
    for kind in EventType::ALL.into_iter().filter(|k| ![KIND, OTHER].contains(k)) {
        assert_eq!(next.of(kind), Preference::default());
    }
    assert_eq!(next.version, present.version + 1);
}

#[test]
fn recipients_that_are_not_named_stay_and_an_empty_list_makes_it_the_admins_again() {
    let present = settings(KIND, preference(&[Channel::Email], [1, 2]));
    let kept = saved(update(&present, KIND, wanted(&[], None)).unwrap());
    assert_eq!(kept.of(KIND), preference(&[], [1, 2]), "also while it is mailed to nobody");
    let emptied = saved(update(&present, KIND, wanted(&[Channel::Email], Some(&[]))).unwrap());
    assert_eq!(emptied.of(KIND), Preference::default());
}

#[test]
fn an_address_is_named_once_and_keeps_its_first_spelling_and_id() {
    let present = settings(KIND, preference(&[Channel::Email], [1]));
    let (first, again) = (recipient(1).email.as_str().to_owned(), recipient(1).email.as_str().to_uppercase());
    let list = [again.as_str(), "New@canary.example", "new@CANARY.example", first.as_str()];
    let both = [
        (KIND, wanted(&[Channel::Email], Some(&list))),
        (OTHER, wanted(&[Channel::Email], Some(&["NEW@canary.example", "other@canary.example"]))),
    ];
    let next = saved(update_by(&present, &both, &ready(), None).unwrap());
    assert_eq!(spelled(&next.of(KIND)), [first.as_str(), "New@canary.example"]);
    assert_eq!(spelled(&next.of(OTHER)), ["New@canary.example", "other@canary.example"]);
    let ids = |kind| next.of(kind).recipients.iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!(ids(KIND).first(), Some(&recipient(1).id), "a known address keeps its id");
    assert_eq!(ids(KIND).last(), ids(OTHER).first(), "one address has one id, whatever names it");
    assert_eq!(next.recipients().len(), 3);
}

#[test]
fn an_address_that_is_only_spelled_anew_is_no_change() {
    let present = settings(KIND, preference(&[Channel::Email], [1]));
    let again = recipient(1).email.as_str().to_uppercase();
    let change = update(&present, KIND, wanted(&[Channel::Email], Some(&[&again]))).unwrap();
    assert!(is_nothing(&change));
    assert_eq!(value(change), present);
}

#[test]
fn where_nothing_differs_nothing_is_written() {
    for present in [NotificationSettings::default(), settings(KIND, preference(&[Channel::Slack], [1]))] {
        for kind in EventType::ALL {
            let same = present.of(kind).channels.into_iter().collect::<Vec<_>>();
            let change = update(&present, kind, wanted(&same, None)).unwrap();
            assert!(is_nothing(&change), "{kind}");
            assert_eq!(value(change).version, present.version);
        }
        assert!(is_nothing(&update_by(&present, &[], &ready(), None).unwrap()));
    }
}

#[test]
fn a_channel_that_is_not_ready_cannot_be_chosen() {
    let (slack, webhook) = (NotificationsError::SlackUnavailable, NotificationsError::WebhookUnavailable);
    let no_slack = Channels { connection: None, ..ready() };
    let no_webhook = Channels { subscriptions: vec![], ..ready() };
    let neither = Channels { connection: None, subscriptions: vec![], ..ready() };
    for (channels, choice, expected) in [
        (&neither, &[Channel::Email][..], None),
        (&neither, &[], None),
        (&no_slack, &[Channel::Webhook], None),
        (&no_slack, &[Channel::Email, Channel::Slack], Some(slack)),
        (&no_webhook, &[Channel::Slack], None),
        (&no_webhook, &[Channel::Webhook], Some(webhook)),
        (&neither, &[Channel::Slack, Channel::Webhook], Some(slack)),
    ] {
        let all = [(KIND, wanted(&[], None)), (OTHER, wanted(choice, None))];
        match update_by(&NotificationSettings::default(), &all, channels, None) {
            Ok(_) => assert_eq!(expected, None, "{choice:?}"),
            Err(Refused::Rule(e)) => {
                assert_eq!((Some(e), e.code(), e.pointer()), (expected, "channel-unavailable", Some("/preferences")));
                let name = if e == slack { "slack" } else { "webhook" };
                assert!(e.to_string().contains(&format!("channel {name} ")), "the channel is named: {e}");
            }
            Err(e) => panic!("{e:?}"),
        }
    }
}

#[test]
fn somebody_who_saw_another_version_changes_nothing() {
    let present = settings(KIND, preference(&[Channel::Email], []));
    for (seen, expected) in [(None, None), (Some(5), None), (Some(4), Some("stale")), (Some(6), Some("stale"))] {
        // Before anything else is judged: what is wanted here could not be chosen anyway.
        let channels = if expected.is_some() { Channels::default() } else { ready() };
        let change = update_by(&present, &[(KIND, wanted(&[Channel::Slack], None))], &channels, seen);
        assert_eq!(refusal(change), expected);
    }
    assert_eq!(refusal(update_by(&NotificationSettings::default(), &[], &ready(), Some(0))), None);
}

#[test]
fn every_state_of_a_channel_says_whether_it_is_ready_and_why_not() {
    use ConnectionStatus::{Active, Disconnected, Error};
    let slack = |connection: Option<Connection>, slack_configured| Channels {
        slack_configured,
        connection,
        subscriptions: vec![],
    };
    let there = |status| Some(connection(status));
    let no_channel = |status| Some(Connection { channel: None, ..connection(status) });
    for (channels, expected) in [
        (slack(there(Active), true), None),
        // What was connected before the operator took Slack away still posts.
        (slack(there(Active), false), None),
        (slack(no_channel(Active), true), Some("no channel")),
        (slack(there(Error), true), Some("in error")),
        (slack(no_channel(Error), true), Some("refused the connection's channel")),
        (slack(there(Error), false), Some("in error")),
        (slack(there(Disconnected), true), Some("no active Slack connection")),
        (slack(there(Disconnected), false), Some("not set up")),
        (slack(None, true), Some("no active Slack connection")),
        (slack(None, false), Some("not set up")),
    ] {
        let said = channels.readiness(Channel::Slack).err();
        assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
        assert!(
            said.unwrap_or_default().contains(expected.unwrap_or_default()),
            "{said:?} says nothing of {expected:?}"
        );
        assert_eq!(channels.readiness(Channel::Email), Ok(()), "mail is always ready");
    }
    let (on, off) = (webhook(1, SubscriptionStatus::Active, &[]), webhook(2, SubscriptionStatus::Disabled, &[]));
    for (subscriptions, expected) in [
        (vec![on.clone()], None),
        (vec![off.clone(), on], None),
        (vec![off], Some("disabled")),
        (vec![], Some("no webhook subscription")),
    ] {
        let said = Channels { subscriptions, ..Channels::default() }.readiness(Channel::Webhook).err();
        assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
        assert!(
            said.unwrap_or_default().contains(expected.unwrap_or_default()),
            "{said:?} says nothing of {expected:?}"
        );
    }
}

#[test]
fn the_log_names_channels_and_counts_addresses() {
    let present = settings(KIND, preference(&[Channel::Email], [1]));
    let all = [
        (KIND, wanted(&[Channel::Webhook, Channel::Email], Some(&["a@canary.example", "b@canary.example"]))),
        (OTHER, wanted(&[], None)),
    ];
    let change = update_by(&present, &all, &ready(), None).unwrap();
    assert_eq!(facts(&change), ["notifications.updated"]);
    let record = record(&change);
    let said = |field: &str, from: &str, to: &str| FieldChange {
        field: field.to_owned(),
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
    };
    let expected = [
        said("run_failed", "email", "email webhook"),
        said("run_failed.recipients", "1", "2"),
        said("secret_rotated", "email", ""),
    ];
    assert_eq!(record.changes, expected);
    assert_eq!((record.risk, record.target_kind.as_str(), record.target_id), (Risk::Medium, "notifications", None));
}

#[test]
fn no_address_stands_in_the_log_also_not_aside() {
    let present = settings(KIND, preference(&[Channel::Email], [1]));
    let change = update(&present, KIND, wanted(&[], Some(&["zebra@canary.example"]))).unwrap();
    let [event] = change.set().events() else { panic!("one event") };
    let open = String::from_utf8_lossy(&event.record(1).encode()).to_lowercase();
    let aside: Vec<_> = event.personal().iter().map(|p| (p.field, p.value.to_lowercase())).collect();
    assert!(!open.contains("zebra") && !open.contains("canary"), "{open}");
    assert!(aside.iter().all(|(_, v)| !v.contains("canary")), "{aside:?}");
    assert_eq!(aside.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["actor"]);
}
