//! Secrets: audited before they are read, sealed one way, confirmed in production.
use crate::{
    notified::{counted, deliveries, stored},
    support::{facts, is_nothing, other_workspace, permit_for, record, refusal, start, user, uuid, workspace},
    variables::{dependant, environment, impact},
};
use settings_domain::{
    audit::Risk,
    change::{Change, Write},
    deliveries::{Audience, Destination, Message},
    environments::{Environment, Tier},
    error::Refused,
    events::{Event, EventWrite, NewEvent, Raised},
    ids::{DeliveryId, PublishedEventId, SecretId, WorkspaceId},
    impact::Guard,
    policy::{EventType, Role, actions},
    sealed::{Sealed, StoredValue},
    secrets::{MAX_SECRETS, NewSecret, Secret, SecretError, SecretWrite, Surroundings},
    tokens::Digest,
};

fn id() -> SecretId {
    SecretId::from_uuid(uuid(6_000))
}
fn value(environment: &Environment, version: i64) -> StoredValue {
    let binding = Secret::binding(workspace(), environment.id, id(), version);
    StoredValue::new(binding, Sealed::new(1, vec![1; 40]), Digest::none())
}
fn create(there: &Surroundings, sealed: bool, value: StoredValue) -> Result<Change<Secret>, Refused<SecretError>> {
    let new = NewSecret { id: id(), name: "stripe".parse().unwrap(), sealed, value };
    Secret::create(&permit_for::<actions::CreateSecret>(Role::Admin), there, new)
}
/// The event that goes with a rotation; one admin hears of it.
fn raised() -> Raised {
    raised_as(EventType::SecretRotated, workspace(), event_id())
}
fn raised_as(kind: EventType, workspace: WorkspaceId, bound_to: PublishedEventId) -> Raised {
    let text = stored(Event::binding(workspace, bound_to, kind));
    let new = NewEvent { id: event_id(), kind, key: Digest::new([9; 32]), text };
    let audience = Audience { admins: vec![user(1)], ..Audience::default() };
    Raised::new(start(), new, &audience, counted(DeliveryId::from_uuid))
}
fn event_id() -> PublishedEventId {
    PublishedEventId::from_uuid(uuid(6_100))
}
fn made(environment: &Environment, sealed: bool) -> Secret {
    let there = Surroundings { environment: Some(environment.clone()), taken: false, count: 0 };
    let change = create(&there, sealed, value(environment, 1)).unwrap();
    let [Write::Secret(SecretWrite::Insert(record))] = change.set().writes() else { panic!("one row") };
    record.secret.clone()
}

#[test]
fn a_secret_needs_its_environment_a_free_name_and_a_free_place() {
    let dev = environment(1, Tier::Development);
    for (there, taken, count, expected) in [
        (Some(dev.clone()), false, MAX_SECRETS - 1, None),
        (Some(dev.clone()), false, MAX_SECRETS, Some("quota-reached")),
        (Some(dev.clone()), true, 0, Some("name-taken")),
        (None, false, 0, Some("validation-failed")),
    ] {
        let there = Surroundings { environment: there, taken, count };
        assert_eq!(refusal(create(&there, false, value(&dev, 1))), expected);
    }
    let there = Surroundings { environment: Some(dev.clone()), taken: false, count: 0 };
    assert_eq!(refusal(create(&there, false, value(&dev, 2))), Some("stale"));
}

#[test]
fn reading_a_secret_is_a_high_event_and_changes_nothing() {
    let secret = made(&environment(1, Tier::Production), false);
    let change = secret.access(&permit_for::<actions::RevealSecret>(Role::Admin)).unwrap();
    assert!(change.set().writes().is_empty());
    assert_eq!(facts(&change), ["secret.accessed"]);
    assert_eq!(record(&change).risk, Risk::High);
}

#[test]
fn what_is_sealed_is_never_read_again_and_sealing_twice_is_one_event() {
    let dev = environment(1, Tier::Development);
    let permit = permit_for::<actions::SealSecret>(Role::Admin);
    let change = made(&dev, false).seal(&permit, &Guard::default()).unwrap();
    assert_eq!(facts(&change), ["secret.sealed"]);
    for sealed in [made(&dev, true), Secret { sealed: true, ..made(&dev, false) }] {
        let reveal = permit_for::<actions::RevealSecret>(Role::Admin);
        assert_eq!(refusal(sealed.access(&reveal)), Some("secret-sealed"));
        assert!(is_nothing(&sealed.seal(&permit, &Guard::default()).unwrap()));
        // It can still be rotated: whoever uses it elsewhere needs the new value.
        let rotate = permit_for::<actions::RotateSecret>(Role::Admin);
        let change = sealed.rotate(&rotate, &dev, value(&dev, 2), raised(), &Guard::default()).unwrap();
        let [Write::Secret(SecretWrite::Update(row, Some(_))), ..] = change.set().writes() else {
            panic!("the row first")
        };
        assert!(row.sealed);
    }
}

#[test]
fn a_rotation_binds_the_new_value_to_the_new_version() {
    let dev = environment(1, Tier::Development);
    let secret = made(&dev, false);
    let permit = permit_for::<actions::RotateSecret>(Role::Admin);
    assert_eq!(refusal(secret.rotate(&permit, &dev, value(&dev, 1), raised(), &Guard::default())), Some("stale"));
    let change = secret.rotate(&permit, &dev, value(&dev, 2), raised(), &Guard::default()).unwrap();
    let [Write::Secret(SecretWrite::Update(row, Some(_))), ..] = change.set().writes() else { panic!("the row first") };
    assert_eq!((row.version, row.rotated_at), (2, Some(start())));
    assert_eq!(facts(&change), ["secret.rotated"]);
}

#[test]
fn a_rotation_carries_its_notification_and_leaves_one_audit_event() {
    let dev = environment(1, Tier::Development);
    let permit = permit_for::<actions::RotateSecret>(Role::Admin);
    let change = made(&dev, false).rotate(&permit, &dev, value(&dev, 2), raised(), &Guard::default()).unwrap();
    assert_eq!(facts(&change), ["secret.rotated"], "nobody published anything");
    let [_, Write::Event(EventWrite::Insert(row)), ..] = change.set().writes() else { panic!("the event second") };
    assert_eq!((row.event.kind, row.event.deliveries, row.event.workspace), (EventType::SecretRotated, 1, workspace()));
    let told: Vec<_> = deliveries(&change).iter().map(|d| (d.message, d.destination)).collect();
    assert_eq!(told, [(Message::Event(event_id()), Destination::Member(user(1)))]);
}

#[test]
fn a_rotation_takes_no_event_of_another_type_workspace_or_binding() {
    let dev = environment(1, Tier::Development);
    let permit = permit_for::<actions::RotateSecret>(Role::Admin);
    for wrong in [
        raised_as(EventType::RunFailed, workspace(), event_id()),
        raised_as(EventType::SecretRotated, other_workspace(), event_id()),
        raised_as(EventType::SecretRotated, workspace(), PublishedEventId::from_uuid(uuid(6_101))),
    ] {
        let change = made(&dev, false).rotate(&permit, &dev, value(&dev, 2), wrong, &Guard::default());
        assert_eq!(refusal(change), Some("stale"));
    }
}

#[test]
fn in_production_and_in_use_it_is_confirmed_first() {
    let production = environment(1, Tier::Production);
    let secret = made(&production, false);
    let rotate = permit_for::<actions::RotateSecret>(Role::Admin);
    let (guard, kinds) =
        impact(secret.rotate(&rotate, &production, value(&production, 2), raised(), &Guard::default()));
    assert_eq!(kinds, ["secret"]);
    assert!(secret.rotate(&rotate, &production, value(&production, 2), raised(), &guard).is_ok());
    let delete = permit_for::<actions::DeleteSecret>(Role::Admin);
    let used = [dependant(secret.id)];
    let (guard, kinds) = impact(secret.delete(&delete, &production, &used, &guard));
    assert_eq!(kinds, ["secret", "workflow"]);
    assert!(secret.delete(&delete, &production, &used, &guard).is_ok());
    // Once nothing uses it any more, what was confirmed is another list.
    assert_eq!(refusal(secret.delete(&delete, &production, &[], &guard)), Some("unconfirmed"));
    let dev = environment(2, Tier::Development);
    assert!(made(&dev, false).delete(&delete, &dev, &[], &Guard::default()).is_ok());
}
