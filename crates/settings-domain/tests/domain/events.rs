//! Published events: who may publish what, once for each source and id, and never without a bound.
use crate::{
    golden,
    notified::{counted, deliveries, preference, settings, stored, value, webhook, webhook_id},
    support::{facts, is_nothing, key, member, other_workspace, record, refusal, start, user, uuid, workspace},
};
use settings_domain::{
    audit::{FieldChange, Risk},
    change::{Change, Write},
    deliveries::{Audience, Destination, Message},
    error::Refused,
    events::{Event, EventWrite, MAX_WAITING, NewEvent, Publication, PublishEventError},
    ids::{DeliveryId, PublishedEventId, WorkspaceId},
    notifications::Channel,
    policy::{Actor, EventType, Permit, Role, Scope, ScopeSet, SystemTask, actions, permit},
    sealed::ValueKind,
    tokens::Digest,
    webhook_subscriptions::SubscriptionStatus,
};
use std::collections::BTreeSet;

fn id() -> PublishedEventId {
    PublishedEventId::from_uuid(uuid(6_200))
}
fn new(kind: EventType) -> NewEvent {
    new_bound(kind, workspace(), id(), kind)
}
fn new_bound(kind: EventType, workspace: WorkspaceId, bound_to: PublishedEventId, bound_kind: EventType) -> NewEvent {
    let text = stored(Event::binding(workspace, bound_to, bound_kind));
    NewEvent { id: id(), kind, key: Digest::new([3; 32]), text }
}
fn allowed(actor: &Actor) -> Option<Permit<actions::PublishEvent>> {
    permit::<actions::PublishEvent>(actor, start()).ok()
}
fn admin() -> Permit<actions::PublishEvent> {
    allowed(&Actor::member(&member(1, Role::Admin), false).unwrap()).unwrap()
}
fn publish(
    permit: &Permit<actions::PublishEvent>,
    known: Option<Event>,
    waiting: i64,
    new: NewEvent,
    audience: &Audience,
) -> Result<Change<Publication>, Refused<PublishEventError>> {
    Event::publish(permit, known, waiting, new, audience, counted(DeliveryId::from_uuid))
}

#[test]
fn all_65536_scope_sets_publish_exactly_the_types_that_the_golden_table_gives_them() {
    let publishes: Vec<_> = golden::scopes().iter().map(|row| row.publishes).collect();
    let audience = Audience::default();
    for bits in 0..=u16::MAX {
        let its: BTreeSet<_> =
            (0..).zip(&publishes).filter(|(i, _)| bits >> i & 1 == 1).filter_map(|(_, event)| *event).collect();
        let actor = Actor::key(&key(1, ScopeSet::from_bits(bits)));
        let permit = allowed(&actor);
        assert_eq!(permit.is_some(), !its.is_empty(), "{bits:#018b}");
        for kind in EventType::ALL {
            let may = its.contains(kind.name());
            assert_eq!(Event::may_be_published_by(&actor, kind), may, "{bits:#018b} {kind}");
            if let Some(permit) = &permit {
                let refused = refusal(publish(permit, None, 0, new(kind), &audience));
                assert_eq!(refused, (!may).then_some("forbidden"), "{bits:#018b} {kind}");
            }
        }
    }
}

#[test]
fn no_key_publishes_that_a_secret_was_rotated() {
    let every_scope = Actor::key(&key(1, ScopeSet::from_bits(u16::MAX)));
    for kind in EventType::ALL {
        assert_eq!(Event::may_be_published_by(&every_scope, kind), kind != EventType::SecretRotated, "{kind}");
    }
}

#[test]
fn people_publish_every_type_where_their_role_publishes_at_all() {
    let rows = golden::roles();
    let row = rows.iter().find(|r| r.permission == "events:publish").unwrap();
    let role_of = |r: Role| Actor::member(&member(1, r), false).unwrap();
    let actors =
        [Actor::platform(user(9), workspace()), role_of(Role::Admin), role_of(Role::Editor), role_of(Role::Viewer)];
    for ((column, has), actor) in golden::COLUMNS.iter().zip(row.has).zip(actors) {
        assert_eq!(allowed(&actor).is_some(), has, "{column}");
        for kind in EventType::ALL {
            assert_eq!(Event::may_be_published_by(&actor, kind), has, "{column} {kind}");
        }
    }
    let task = Actor::task(SystemTask::Deliver, workspace());
    assert!(allowed(&task).is_none() && EventType::ALL.iter().all(|k| !Event::may_be_published_by(&task, *k)));
}

#[test]
fn a_known_event_changes_nothing_and_answers_what_was_answered_first() {
    let first = Event {
        workspace: workspace(),
        id: PublishedEventId::from_uuid(uuid(6_201)),
        kind: EventType::RunFailed,
        deliveries: 7,
        received_at: start() - time::Duration::hours(2),
    };
    let audience = Audience { admins: vec![user(1)], ..Audience::default() };
    // Also while the queue is full: there is nothing to add to it.
    for waiting in [0, MAX_WAITING] {
        let again = publish(&admin(), Some(first), waiting, new(EventType::RunFailed), &audience).unwrap();
        assert!(is_nothing(&again));
        assert_eq!(value(again), Publication { event: first, known: true });
    }
    // Who may not publish the type does not learn that it is known.
    let other = allowed(&Actor::key(&key(1, ScopeSet::EMPTY.with(Scope::ApprovalsWrite)))).unwrap();
    assert_eq!(refusal(publish(&other, Some(first), 0, new(EventType::RunFailed), &audience)), Some("forbidden"));
}

#[test]
fn a_workspace_with_100000_waiting_deliveries_takes_no_more_events() {
    for (waiting, expected) in
        [(0, None), (99_999, None), (100_000, Some("quota-reached")), (100_001, Some("quota-reached"))]
    {
        assert_eq!(
            refusal(publish(&admin(), None, waiting, new(EventType::RunFailed), &Audience::default())),
            expected
        );
    }
}

#[test]
fn a_text_that_is_bound_to_something_else_is_stale() {
    let (kind, other) = (EventType::RunFailed, EventType::SecretRotated);
    for wrong in [
        new_bound(kind, other_workspace(), id(), kind),
        new_bound(kind, workspace(), PublishedEventId::from_uuid(uuid(6_201)), kind),
        new_bound(kind, workspace(), id(), other),
    ] {
        assert_eq!(refusal(publish(&admin(), None, 0, wrong, &Audience::default())), Some("stale"));
    }
    let binding = Event::binding(workspace(), id(), kind);
    assert_eq!((binding.kind(), binding.version(), binding.place()), (ValueKind::Event, 1, "run_failed"));
}

#[test]
fn an_event_is_written_with_its_deliveries_counted_and_a_low_fact() {
    let kind = EventType::ApprovalRequested;
    let audience = Audience {
        settings: settings(kind, preference(&[Channel::Email, Channel::Webhook], [])),
        admins: vec![user(1), user(2)],
        connection: None,
        subscriptions: vec![webhook(1, SubscriptionStatus::Active, &[kind])],
    };
    let change = publish(&admin(), None, 0, new(kind), &audience).unwrap();
    assert_eq!(facts(&change), ["event.published"]);
    let fact = record(&change);
    assert_eq!((fact.risk, fact.target_kind.as_str(), fact.target_id), (Risk::Low, "event", Some(id().as_uuid())));
    let said = |field: &str, to: &str| FieldChange { field: field.to_owned(), from: None, to: Some(to.to_owned()) };
    assert_eq!(fact.changes, [said("type", "approval_requested"), said("deliveries", "3")]);
    let [Write::Event(EventWrite::Insert(row)), ..] = change.set().writes() else { panic!("the event first") };
    let event = Event { workspace: workspace(), id: id(), kind, deliveries: 3, received_at: start() };
    assert_eq!((row.event, row.key), (event, Digest::new([3; 32])));
    let told = deliveries(&change);
    let to: Vec<_> = told.iter().map(|d| d.destination).collect();
    assert_eq!(to, [Destination::Member(user(1)), Destination::Member(user(2)), Destination::Webhook(webhook_id(1))]);
    assert!(told.iter().all(|d| d.message == Message::Event(id())));
    assert_eq!(value(change), Publication { event, known: false });
}

#[test]
fn an_event_opens_for_the_task_that_delivers_in_its_own_workspace_alone() {
    let change = publish(&admin(), None, 0, new(EventType::RunFailed), &Audience::default()).unwrap();
    let [Write::Event(EventWrite::Insert(row))] = change.set().writes() else { panic!("one row") };
    for (at, opens) in [(workspace(), true), (other_workspace(), false)] {
        let permit = permit::<actions::DeliverMessages>(&Actor::task(SystemTask::Deliver, at), start()).unwrap();
        assert_eq!(row.opening(&permit).is_some(), opens);
    }
}

#[test]
fn the_five_types_have_one_spelling() {
    let names = ["run_failed", "approval_requested", "workflow_deployed", "mcp_server_degraded", "secret_rotated"];
    assert_eq!(EventType::ALL.map(EventType::name), names);
    for kind in EventType::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        assert_eq!(serde_json::from_str::<EventType>(&format!("\"{kind}\"")).unwrap(), kind);
    }
    for bad in ["", "RUN_FAILED", "run-failed", "run_failed ", "secret.rotated", "test"] {
        assert!(bad.parse::<EventType>().is_err(), "{bad:?}");
    }
}
