//! Webhook subscriptions: made with a secret, rotated with an overlap, disabled when they fail for five days.
use crate::{
    notified::{counted, deliveries, delivering, stored, value, webhook, webhook_id},
    support::{facts, is_nothing, other_workspace, permit_for, record, refusal, start, user, uuid, workspace},
};
use settings_domain::{
    audit::FieldChange,
    change::{Change, Write},
    deliveries::{Audience, Destination, Message},
    error::Refused,
    ids::{DeliveryId, WebhookSubscriptionId},
    impact::Guard,
    policy::{Actor, EventType, Role, SystemTask, actions, permit},
    ports::outbound::OutboundUrl,
    sealed::{Binding, ValueKind},
    webhook_subscriptions::{
        Health, MAX_SUBSCRIPTIONS, NewSubscription, OVERLAP, PATIENCE, SubscriptionPatch, SubscriptionRecord,
        SubscriptionStatus, WebhookSubscription, WebhookSubscriptionError, WebhookSubscriptionWrite,
    },
};
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

const TICK: Duration = Duration::MICROSECOND;
type Changed = Result<Change<WebhookSubscription>, Refused<WebhookSubscriptionError>>;

fn url(host: &str, path: &str) -> OutboundUrl {
    OutboundUrl::vetted(format!("https://{host}{path}"), format!("https://{host}"), host.to_owned())
}
fn types(all: &[EventType]) -> BTreeSet<EventType> {
    all.iter().copied().collect()
}
fn create(count: usize, events: &[EventType], binding: Binding) -> Changed {
    let new = NewSubscription {
        id: webhook_id(1),
        url: url("zebra.example", "/s3cret"),
        events: types(events),
        secret: stored(binding),
    };
    WebhookSubscription::create(&permit_for::<actions::CreateWebhookSubscription>(Role::Admin), count, new)
}
fn binding(version: i64) -> Binding {
    WebhookSubscription::binding(workspace(), webhook_id(1), version)
}
fn active() -> WebhookSubscription {
    webhook(1, SubscriptionStatus::Active, &[EventType::RunFailed])
}
fn disabled() -> WebhookSubscription {
    let status_reason = Some("no delivery was taken for 5 days".to_owned());
    WebhookSubscription { status_reason, ..webhook(1, SubscriptionStatus::Disabled, &[EventType::RunFailed]) }
}
fn update(there: &WebhookSubscription, patch: SubscriptionPatch) -> Changed {
    there.update(&permit_for::<actions::UpdateWebhookSubscription>(Role::Admin), patch, &Guard::default())
}
fn turned(status: SubscriptionStatus) -> SubscriptionPatch {
    SubscriptionPatch { status: Some(status), ..SubscriptionPatch::default() }
}
fn rotate(there: &WebhookSubscription, binding: Binding) -> Changed {
    there.rotate_secret(&permit_for::<actions::RotateWebhookSecret>(Role::Admin), stored(binding), &Guard::default())
}
/// The row as a change writes it, and whether another secret comes with it.
fn row<T>(change: &Change<T>) -> (WebhookSubscription, bool) {
    let first = change.set().writes().first();
    let Some(Write::WebhookSubscription(WebhookSubscriptionWrite::Update(row, secret))) = first else {
        panic!("the row first, not {first:?}")
    };
    (row.clone(), secret.is_some())
}
fn disable(there: &WebhookSubscription, health: Health, at: OffsetDateTime) -> Change<()> {
    let permit = delivering::<actions::DisableWebhookSubscription>(at);
    let audience = Audience { admins: vec![user(1), user(2)], ..Audience::default() };
    there.disable(&permit, health, &audience, counted(DeliveryId::from_uuid))
}
fn failing_since(failing_since: OffsetDateTime) -> Health {
    Health { failing_since: Some(failing_since), told_at: Some(failing_since) }
}
fn said(field: &str, from: Option<&str>, to: &str) -> FieldChange {
    FieldChange { field: field.to_owned(), from: from.map(str::to_owned), to: Some(to.to_owned()) }
}

#[test]
fn a_subscription_needs_a_type_of_event_and_a_free_place() {
    let one = &[EventType::RunFailed][..];
    for (count, events, expected) in [
        (0, one, None),
        (0, &EventType::ALL[..], None),
        (0, &[][..], Some("validation-failed")),
        (MAX_SUBSCRIPTIONS - 1, one, None),
        (MAX_SUBSCRIPTIONS, one, Some("quota-reached")),
        (MAX_SUBSCRIPTIONS, &[][..], Some("validation-failed")),
    ] {
        assert_eq!(refusal(create(count, events, binding(1))), expected, "{count} {events:?}");
    }
    assert_eq!(MAX_SUBSCRIPTIONS, 50);
}

#[test]
fn a_secret_that_is_bound_to_something_else_is_stale() {
    let other = WebhookSubscriptionId::from_uuid(uuid(1));
    for wrong in [
        binding(2),
        WebhookSubscription::binding(other_workspace(), webhook_id(1), 1),
        WebhookSubscription::binding(workspace(), other, 1),
    ] {
        assert_eq!(refusal(create(0, &[EventType::RunFailed], wrong)), Some("stale"));
    }
    let there = active();
    for wrong in
        [binding(there.version), binding(there.version + 2), WebhookSubscription::binding(workspace(), other, 5)]
    {
        assert_eq!(refusal(rotate(&there, wrong)), Some("stale"));
    }
    assert_eq!((there.next_binding(), binding(1).kind()), (binding(there.version + 1), ValueKind::WebhookSecret));
}

#[test]
fn a_new_subscription_is_active_at_version_1_with_one_secret() {
    let change = create(0, &[EventType::SecretRotated, EventType::RunFailed], binding(1)).unwrap();
    let [Write::WebhookSubscription(WebhookSubscriptionWrite::Insert(record))] = change.set().writes() else {
        panic!("one row")
    };
    let expected = WebhookSubscription {
        workspace: workspace(),
        id: webhook_id(1),
        url: "https://zebra.example/s3cret".to_owned(),
        host: "zebra.example".to_owned(),
        events: types(&[EventType::RunFailed, EventType::SecretRotated]),
        status: SubscriptionStatus::Active,
        status_reason: None,
        previous_secret_until: None,
        created_at: start(),
        updated_at: start(),
        version: 1,
    };
    assert_eq!(
        (&record.subscription, record.secret.binding(), record.previous.is_none()),
        (&expected, &binding(1), true)
    );
    assert_eq!(facts(&change), ["webhook_subscription.created"]);
    assert_eq!(crate::support::record(&change).changes, [said("events", None, "run_failed secret_rotated")]);
    assert_eq!(value(change), expected);
}

#[test]
fn only_what_is_named_changes_and_the_log_says_what() {
    let there = active();
    let change = update(
        &there,
        SubscriptionPatch {
            url: Some(url("okapi.example", "/s3cret")),
            events: Some(types(&[EventType::WorkflowDeployed])),
            status: Some(SubscriptionStatus::Disabled),
        },
    );
    let change = change.unwrap();
    let expected = WebhookSubscription {
        url: "https://okapi.example/s3cret".to_owned(),
        host: "okapi.example".to_owned(),
        events: types(&[EventType::WorkflowDeployed]),
        status: SubscriptionStatus::Disabled,
        updated_at: start(),
        version: there.version + 1,
        ..there.clone()
    };
    assert_eq!(row(&change), (expected, false));
    assert_eq!(facts(&change), ["webhook_subscription.updated"]);
    let changes = [
        said("url", None, "changed"),
        said("events", Some("run_failed"), "workflow_deployed"),
        said("status", Some("active"), "disabled"),
    ];
    assert_eq!(record(&change).changes, changes);
    for (patch, field) in [
        (SubscriptionPatch { url: Some(url("zebra1.example", "/other")), ..SubscriptionPatch::default() }, "url"),
        (SubscriptionPatch { events: Some(types(&EventType::ALL)), ..SubscriptionPatch::default() }, "events"),
        (turned(SubscriptionStatus::Disabled), "status"),
    ] {
        let changes = record(&update(&there, patch).unwrap()).changes;
        assert_eq!(changes.iter().map(|c| c.field.as_str()).collect::<Vec<_>>(), [field]);
    }
}

#[test]
fn a_subscription_keeps_at_least_one_type_and_what_is_there_already_is_no_change() {
    let there = active();
    let none = SubscriptionPatch { events: Some(BTreeSet::new()), ..SubscriptionPatch::default() };
    assert_eq!(refusal(update(&there, none)), Some("validation-failed"));
    let same = SubscriptionPatch {
        url: Some(url("zebra1.example", "/hook")),
        events: Some(there.events.clone()),
        status: Some(SubscriptionStatus::Active),
    };
    for nothing in [same, SubscriptionPatch::default()] {
        let change = update(&there, nothing).unwrap();
        assert!(is_nothing(&change));
        assert_eq!(value(change), there);
    }
    assert!(is_nothing(&update(&disabled(), turned(SubscriptionStatus::Disabled)).unwrap()), "its reason stays");
}

#[test]
fn somebody_who_saw_another_version_changes_nothing() {
    let (there, guard) = (active(), Guard { version: Some(3), confirm: None });
    let patch = turned(SubscriptionStatus::Disabled);
    assert_eq!(refusal(there.update(&permit_for(Role::Admin), patch, &guard)), Some("stale"));
    assert_eq!(
        refusal(there.rotate_secret(&permit_for(Role::Admin), stored(there.next_binding()), &guard)),
        Some("stale")
    );
    assert_eq!(refusal(there.delete(&permit_for(Role::Admin), &guard)), Some("stale"));
}

#[test]
fn enabling_it_again_clears_the_reason_and_so_does_nothing_else() {
    let change = update(&disabled(), turned(SubscriptionStatus::Active)).unwrap();
    let (next, _) = row(&change);
    assert_eq!((next.status, next.status_reason), (SubscriptionStatus::Active, None));
    let events = SubscriptionPatch { events: Some(types(&EventType::ALL)), ..SubscriptionPatch::default() };
    assert_eq!(row(&update(&disabled(), events).unwrap()).0.status_reason, disabled().status_reason);
}

#[test]
fn both_secrets_sign_for_24_hours_and_then_the_new_one_alone() {
    let there = active();
    let change = rotate(&there, there.next_binding()).unwrap();
    let (next, with_secret) = row(&change);
    assert!(with_secret);
    assert_eq!((next.version, next.updated_at), (there.version + 1, start()));
    assert_eq!(next.previous_secret_until, Some(start() + Duration::hours(24)));
    assert_eq!(OVERLAP, Duration::hours(24));
    assert_eq!(facts(&change), ["webhook_subscription.secret_rotated"]);
    assert!(record(&change).changes.is_empty(), "nothing of a secret is on record");
    let (new, old) = (stored(there.next_binding()), stored(binding(1)));
    let record = SubscriptionRecord { subscription: next, secret: new, previous: Some(old) };
    let until = start() + OVERLAP;
    for (at, versions) in [(start(), vec![5, 1]), (until - TICK, vec![5, 1]), (until, vec![5]), (until + TICK, vec![5])]
    {
        let openings = record.openings(&delivering(at));
        assert_eq!(openings.iter().map(|o| o.binding().version()).collect::<Vec<_>>(), versions, "newest first, {at}");
    }
}

#[test]
fn secrets_open_while_it_is_active_in_its_own_workspace() {
    let record = |subscription| SubscriptionRecord {
        subscription,
        secret: stored(binding(1)),
        previous: Some(stored(binding(1))),
    };
    let foreign = permit::<actions::DeliverMessages>(&Actor::task(SystemTask::Deliver, other_workspace()), start());
    // A secret of before without a date is none.
    assert_eq!(record(active()).openings(&delivering(start())).len(), 1);
    assert!(record(active()).openings(&foreign.unwrap()).is_empty());
    assert!(record(disabled()).openings(&delivering(start())).is_empty());
}

#[test]
fn it_is_disabled_after_five_days_and_not_a_microsecond_before() {
    assert_eq!(PATIENCE, Duration::days(5));
    let since = start();
    for (at, hopeless) in [(since + PATIENCE - TICK, false), (since + PATIENCE, true), (since + PATIENCE * 2, true)] {
        assert_eq!(failing_since(since).is_hopeless(at), hopeless);
        assert_eq!(is_nothing(&disable(&active(), failing_since(since), at)), !hopeless, "{at}");
    }
    assert!(is_nothing(&disable(&active(), Health::default(), since + PATIENCE)), "it works");
    assert!(is_nothing(&disable(&disabled(), failing_since(since), since + PATIENCE)), "it is off already");
}

#[test]
fn the_admins_are_told_that_it_was_disabled_and_the_log_says_why() {
    let (there, at) = (active(), start() + PATIENCE);
    let change = disable(&there, failing_since(start()), at);
    let expected = WebhookSubscription {
        status: SubscriptionStatus::Disabled,
        status_reason: Some("no delivery was taken for 5 days".to_owned()),
        updated_at: at,
        version: there.version + 1,
        ..there.clone()
    };
    assert_eq!(row(&change), (expected, false));
    let told: Vec<_> = deliveries(&change).iter().map(|d| (d.destination, d.message, d.created_at)).collect();
    assert_eq!(told, [1, 2].map(|n| (Destination::Member(user(n)), Message::WebhookFailing(there.id), at)));
    assert_eq!(facts(&change), ["webhook_subscription.disabled"]);
    let changes =
        [said("status", Some("active"), "disabled"), said("reason", None, "no delivery was taken for 5 days")];
    assert_eq!(record(&change).changes, changes);
}

#[test]
fn a_failing_is_news_until_the_admins_were_told() {
    let at = Some(start());
    for (failing_since, told_at, news) in [(at, None, true), (at, at, false), (None, None, false), (None, at, false)] {
        assert_eq!(Health { failing_since, told_at }.is_news(), news);
    }
}

#[test]
fn a_deleted_subscription_takes_its_secrets_along() {
    let change = active().delete(&permit_for(Role::Admin), &Guard::default()).unwrap();
    let [Write::WebhookSubscription(WebhookSubscriptionWrite::Delete(id))] = change.set().writes() else {
        panic!("one row")
    };
    assert_eq!(*id, webhook_id(1));
    assert_eq!(facts(&change), ["webhook_subscription.deleted"]);
}

/// A URL is often a password, and its host may say whose it is.
#[test]
fn neither_host_nor_path_stands_in_the_open_and_the_host_alone_aside() {
    let there = active();
    let elsewhere = SubscriptionPatch { url: Some(url("zebra2.example", "/s3cret")), ..SubscriptionPatch::default() };
    for change in [
        create(0, &[EventType::RunFailed], binding(1)).unwrap(),
        update(&there, elsewhere).unwrap(),
        rotate(&there, there.next_binding()).unwrap(),
    ] {
        let [event] = change.set().events() else { panic!("one event") };
        let open = String::from_utf8_lossy(&event.record(1).encode()).to_lowercase();
        assert!(!open.contains("zebra") && !open.contains("s3cret"), "{open}");
        let aside = event.personal();
        assert!(aside.iter().any(|p| p.field == "name" && p.value.starts_with("zebra")));
        assert!(aside.iter().all(|p| !p.value.contains("s3cret") && !p.value.contains("/hook")));
    }
}
