//! Connections (SL): made by an authorization that works once, one team each, in error until it is authorized again.
use crate::{
    notified::{connection, connection_id, counted, deliveries, delivering, stored, value},
    support::{facts, is_nothing, other_workspace, permit_for, record, refusal, start, user, workspace},
};
use settings_domain::{
    audit::{FieldChange, Risk},
    change::{Change, Write},
    connections::{
        Connection, ConnectionError, ConnectionPatch, ConnectionRecord, ConnectionStatus, ConnectionWrite, Grant,
        SlackChannel, SlackFault,
    },
    deliveries::{Audience, DeliveryWrite, Destination, Message},
    error::{Classified as _, Refused},
    ids::{ConnectionId, DeliveryId, WorkspaceId},
    impact::Guard,
    policy::{Actor, Permit, Role, SystemTask, actions, permit},
    sealed::{Binding, ValueKind},
    text::DisplayName,
};
use time::{Duration, OffsetDateTime};

const REASON: &str = "Slack says that the app was removed";

fn fresh_id() -> ConnectionId {
    connection_id(2)
}
fn channel(text: &str) -> SlackChannel {
    text.parse().unwrap()
}
fn name(text: &str) -> DisplayName {
    text.parse().unwrap()
}
fn grant(team: &str, picked: Option<(&str, &str)>, binding: Binding) -> Grant {
    Grant {
        team_id: team.to_owned(),
        team_name: name("Okapi Works"),
        channel: picked.map(|(id, _)| channel(id)),
        channel_name: picked.map(|(_, shown)| name(shown)),
        token: stored(binding),
    }
}
fn first_binding(team: &str) -> Binding {
    Connection::binding(workspace(), fresh_id(), team, 1)
}
fn authorize(present: Option<&Connection>, grant: Grant) -> Result<Change<Connection>, Refused<ConnectionError>> {
    authorize_begun(present, grant, start() - Duration::MINUTE)
}
fn authorize_begun(
    present: Option<&Connection>,
    grant: Grant,
    began: OffsetDateTime,
) -> Result<Change<Connection>, Refused<ConnectionError>> {
    let permit = permit_for::<actions::AuthorizeConnection>(Role::Admin);
    Connection::authorize(present, &permit, began, fresh_id(), grant)
}
fn update(there: &Connection, patch: ConnectionPatch) -> Result<Change<Connection>, Refused<ConnectionError>> {
    there.update(&permit_for::<actions::UpdateConnection>(Role::Admin), patch, &Guard::default())
}
fn to_channel(text: &str) -> ConnectionPatch {
    ConnectionPatch { channel: Some(channel(text)), disconnect: false }
}
fn switch_off() -> ConnectionPatch {
    ConnectionPatch { channel: None, disconnect: true }
}
fn fail(there: &Connection, seen: i64) -> Change<()> {
    fail_by(SlackFault::Token, there, seen)
}
fn fail_by(fault: SlackFault, there: &Connection, seen: i64) -> Change<()> {
    let permit = delivering::<actions::FailConnection>(start());
    let audience = Audience { admins: vec![user(1), user(2)], ..Audience::default() };
    there.fail(&permit, seen, fault, REASON, &audience, counted(DeliveryId::from_uuid))
}
/// Writes that a change makes to connections, and the connection whose messages it wakes.
fn written<T>(change: &Change<T>) -> (Vec<&ConnectionWrite>, Option<ConnectionId>) {
    let (mut rows, mut resumed) = (vec![], None);
    for write in change.set().writes() {
        match write {
            Write::Connection(row) => rows.push(row),
            Write::Delivery(DeliveryWrite::Resume(id)) => assert_eq!(resumed.replace(*id), None),
            Write::Delivery(DeliveryWrite::Insert(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    (rows, resumed)
}
fn status_change(from: Option<&str>, to: &str) -> FieldChange {
    FieldChange { field: "status".to_owned(), from: from.map(str::to_owned), to: Some(to.to_owned()) }
}

#[test]
fn who_begins_is_on_record_and_nothing_changes_yet() {
    let change = Connection::start(&permit_for::<actions::StartConnection>(Role::Admin));
    assert_eq!(facts(&change), ["connection.started"]);
    assert!(change.set().writes().is_empty());
    assert_eq!(record(&change).risk, Risk::Low);
}

#[test]
fn the_first_authorization_makes_the_connection() {
    let change = authorize(None, grant("T9", Some(("C9", "#alerts")), first_binding("T9"))).unwrap();
    assert_eq!(facts(&change), ["connection.authorized"]);
    assert_eq!(record(&change).changes, [status_change(None, "active")]);
    let expected = Connection {
        workspace: workspace(),
        id: fresh_id(),
        status: ConnectionStatus::Active,
        status_reason: None,
        channel: Some(channel("C9")),
        channel_name: Some(name("#alerts")),
        team_id: "T9".to_owned(),
        team_name: name("Okapi Works"),
        authorized_at: start(),
        created_at: start(),
        updated_at: start(),
        version: 1,
    };
    let ([ConnectionWrite::Insert(row)], resumed) = (written(&change).0.as_slice(), written(&change).1) else {
        panic!("one new row")
    };
    assert_eq!((&row.connection, resumed), (&expected, Some(fresh_id())));
    assert_eq!(row.token.as_ref().unwrap().binding(), &first_binding("T9"));
    assert_eq!(value(change), expected);
}

#[test]
fn the_same_team_keeps_its_connection_and_its_channel_and_gets_what_waited() {
    for (status, from) in [
        (ConnectionStatus::Active, "active"),
        (ConnectionStatus::Error, "error"),
        (ConnectionStatus::Disconnected, "disconnected"),
    ] {
        let there = connection(status);
        for (picked, shown) in [(None, ("C0123ABCD", "alerts")), (Some(("C9", "#other")), ("C9", "#other"))] {
            let change = authorize(Some(&there), grant("T1", picked, there.next_binding())).unwrap();
            let (rows, resumed) = written(&change);
            let [ConnectionWrite::Update(row, Some(token))] = rows.as_slice() else { panic!("the same row") };
            assert_eq!((row.id, row.version, row.created_at), (there.id, there.version + 1, there.created_at));
            assert_eq!((row.status, &row.status_reason, row.authorized_at), (ConnectionStatus::Active, &None, start()));
            assert_eq!(row.channel.as_ref().map(SlackChannel::as_str), Some(shown.0));
            assert_eq!(row.channel_name.as_ref().map(DisplayName::as_str), Some(shown.1));
            assert_eq!(row.team_name, name("Okapi Works"), "teams get renamed");
            assert_eq!((token.binding(), resumed), (&there.next_binding(), Some(there.id)));
            assert_eq!(record(&change).changes, [status_change(Some(from), "active")]);
        }
    }
}

/// SL05: what was queued for one team never goes to another.
#[test]
fn another_team_is_another_connection_without_the_channel_of_before() {
    let there = connection(ConnectionStatus::Error);
    let change = authorize(Some(&there), grant("T2", None, first_binding("T2"))).unwrap();
    let (rows, resumed) = written(&change);
    let [ConnectionWrite::Insert(row)] = rows.as_slice() else { panic!("another row") };
    assert_eq!((row.connection.id, row.connection.version), (fresh_id(), 1));
    assert_ne!(row.connection.id, there.id);
    assert_eq!((&row.connection.channel, &row.connection.channel_name), (&None, &None));
    assert_eq!(resumed, Some(fresh_id()), "and nothing that waited for the other");
    assert!(!row.connection.is_ready(), "nobody has said where to post");
    let replaced = FieldChange { field: "replaced".to_owned(), from: Some(there.id.to_string()), to: None };
    assert_eq!(record(&change).changes, [status_change(None, "active"), replaced]);
}

#[test]
fn an_authorization_works_once_and_not_after_a_later_one() {
    let there = connection(ConnectionStatus::Active);
    let tick = Duration::MICROSECOND;
    for (began, expected) in [
        (there.authorized_at - tick, Some("connection-state-invalid")),
        (there.authorized_at, Some("connection-state-invalid")),
        (there.authorized_at + tick, None),
    ] {
        let grant = grant("T1", None, there.next_binding());
        assert_eq!(refusal(authorize_begun(Some(&there), grant, began)), expected);
    }
    // Its own second use: the connection that it made is as old as it says.
    let began = start() - Duration::MINUTE;
    let made = value(authorize_begun(None, grant("T9", None, first_binding("T9")), began).unwrap());
    for again in [grant("T9", None, made.next_binding()), grant("T2", None, first_binding("T2"))] {
        assert_eq!(refusal(authorize_begun(Some(&made), again, began)), Some("connection-state-invalid"));
    }
}

#[test]
fn a_token_that_is_bound_to_something_else_is_stale() {
    let there = connection(ConnectionStatus::Error);
    let bound = |workspace, id, team, version| Connection::binding(workspace, id, team, version);
    for (present, wrong) in [
        (None, bound(workspace(), fresh_id(), "T1", 2)),
        (None, bound(workspace(), there.id, "T1", 1)),
        (None, bound(workspace(), fresh_id(), "T2", 1)),
        (None, bound(other_workspace(), fresh_id(), "T1", 1)),
        (Some(&there), bound(workspace(), there.id, "T1", there.version)),
        (Some(&there), bound(workspace(), there.id, "T2", there.version + 1)),
        (Some(&there), first_binding("T1")),
    ] {
        assert_eq!(refusal(authorize(present, grant("T1", None, wrong))), Some("stale"));
    }
    let binding = there.next_binding();
    assert_eq!((binding.kind(), binding.record()), (ValueKind::ConnectionToken, there.id.as_uuid()));
}

#[test]
fn another_channel_is_chosen_by_whoever_saw_the_present_one() {
    let there = connection(ConnectionStatus::Active);
    let change = update(&there, to_channel("#Okapi-quiet")).unwrap();
    let (rows, None) = written(&change) else { panic!("nothing waited") };
    let [ConnectionWrite::Update(row, None)] = rows.as_slice() else { panic!("the row alone") };
    let expected = Connection {
        channel: Some(channel("#Okapi-quiet")),
        channel_name: None,
        updated_at: start(),
        version: there.version + 1,
        ..there.clone()
    };
    assert_eq!(row, &expected);
    assert_eq!(facts(&change), ["connection.updated"]);
    let changed = FieldChange { field: "channel".to_owned(), from: None, to: Some("changed".to_owned()) };
    assert_eq!(record(&change).changes, [changed], "what it is called is free text");
    assert!(is_nothing(&update(&there, to_channel("C0123ABCD")).unwrap()));
    assert!(is_nothing(&update(&there, ConnectionPatch::default()).unwrap()));
    let stale = Guard { version: Some(there.version - 1), confirm: None };
    let permit = permit_for::<actions::UpdateConnection>(Role::Admin);
    assert_eq!(refusal(there.update(&permit, to_channel("C2"), &stale)), Some("stale"));
    assert_eq!(refusal(there.delete(&permit_for(Role::Admin), &stale)), Some("stale"));
}

#[test]
fn switching_it_off_destroys_the_token_and_is_done_once() {
    for (status, from) in [(ConnectionStatus::Active, "active"), (ConnectionStatus::Error, "error")] {
        let change = update(&connection(status), switch_off()).unwrap();
        let (rows, resumed) = written(&change);
        let [ConnectionWrite::Disconnect(row)] = rows.as_slice() else { panic!("the row without a token") };
        assert_eq!((row.status, &row.status_reason), (ConnectionStatus::Disconnected, &None));
        assert_eq!(record(&change).changes, [status_change(Some(from), "disconnected")]);
        assert_eq!(resumed, None);
    }
    let off = connection(ConnectionStatus::Disconnected);
    assert!(is_nothing(&update(&off, switch_off()).unwrap()));
    // A channel for something that posts no more.
    assert_eq!(refusal(update(&off, to_channel("C2"))), Some("connection-disconnected"));
    let both = ConnectionPatch { channel: Some(channel("C2")), disconnect: true };
    assert_eq!(refusal(update(&connection(ConnectionStatus::Active), both)), Some("connection-disconnected"));
    assert_eq!(ConnectionError::StateUsed.pointer(), None);
}

#[test]
fn a_deleted_connection_takes_its_token_along() {
    let there = connection(ConnectionStatus::Active);
    let change = there.delete(&permit_for(Role::Admin), &Guard::default()).unwrap();
    assert!(matches!(written(&change).0.as_slice(), [ConnectionWrite::Delete(id)] if *id == there.id));
    assert_eq!(facts(&change), ["connection.deleted"]);
}

/// SL02.
#[test]
fn a_refused_token_puts_it_into_error_once_and_the_admins_are_told_once() {
    let there = connection(ConnectionStatus::Active);
    let change = fail(&there, there.version);
    let (rows, resumed) = written(&change);
    let [ConnectionWrite::Update(row, None)] = rows.as_slice() else { panic!("the row, with its token") };
    let expected = Connection {
        status: ConnectionStatus::Error,
        status_reason: Some(REASON.to_owned()),
        updated_at: start(),
        version: there.version + 1,
        ..there.clone()
    };
    assert_eq!((row, resumed), (&expected, None));
    let told: Vec<_> = deliveries(&change).iter().map(|d| (d.destination, d.message)).collect();
    assert_eq!(told, [1, 2].map(|n| (Destination::Member(user(n)), Message::SlackFailing(there.id))));
    assert_eq!(facts(&change), ["connection.failed"]);
    let because = FieldChange { field: "reason".to_owned(), from: None, to: Some(REASON.to_owned()) };
    assert_eq!(record(&change).changes, [status_change(Some("active"), "error"), because]);
    assert!(is_nothing(&fail(row, row.version)), "it is in error already");
}

#[test]
fn a_refused_channel_is_forgotten_and_another_one_mends_the_connection() {
    let there = connection(ConnectionStatus::Active);
    let change = fail_by(SlackFault::Channel, &there, there.version);
    let (rows, _) = written(&change);
    let [ConnectionWrite::Update(failed, None)] = rows.as_slice() else { panic!("the row, with its token") };
    assert_eq!((failed.status, &failed.channel, &failed.channel_name), (ConnectionStatus::Error, &None, &None));
    let mended = update(failed, to_channel("C2")).unwrap();
    let (rows, resumed) = written(&mended);
    let [ConnectionWrite::Update(row, None)] = rows.as_slice() else { panic!("the row, with its token") };
    assert_eq!((row.status, &row.status_reason), (ConnectionStatus::Active, &None));
    assert_eq!(resumed, Some(there.id), "what waited is sent");
    let changed = FieldChange { field: "channel".to_owned(), from: None, to: Some("changed".to_owned()) };
    assert_eq!(record(&mended).changes, [changed, status_change(Some("error"), "active")]);
}

#[test]
fn another_channel_does_not_mend_a_refused_token() {
    let change = update(&connection(ConnectionStatus::Error), to_channel("C2")).unwrap();
    let (rows, resumed) = written(&change);
    let [ConnectionWrite::Update(row, None)] = rows.as_slice() else { panic!("the row alone") };
    assert_eq!((row.status, row.status_reason.as_deref()), (ConnectionStatus::Error, Some("Slack says no")));
    assert_eq!(resumed, None);
}

#[test]
fn a_token_that_was_replaced_or_destroyed_meanwhile_fails_nothing() {
    let there = connection(ConnectionStatus::Active);
    for seen in [there.version - 1, there.version + 1] {
        assert!(is_nothing(&fail(&there, seen)), "seen {seen}");
    }
    for status in [ConnectionStatus::Error, ConnectionStatus::Disconnected] {
        assert!(is_nothing(&fail(&connection(status), there.version)), "{status:?}");
    }
}

#[test]
fn a_token_opens_for_the_task_that_delivers_while_it_is_active_in_its_own_workspace() {
    let task = |workspace: WorkspaceId| -> Permit<actions::DeliverMessages> {
        permit(&Actor::task(SystemTask::Deliver, workspace), start()).unwrap()
    };
    for status in ConnectionStatus::ALL {
        let there = connection(status);
        let token = stored(there.next_binding());
        let record = ConnectionRecord { connection: there, token: Some(token) };
        assert_eq!(record.opening(&task(workspace())).is_some(), status == ConnectionStatus::Active, "{status:?}");
        assert!(record.opening(&task(other_workspace())).is_none());
        let without = ConnectionRecord { token: None, ..record };
        assert!(without.opening(&task(workspace())).is_none());
    }
}

#[test]
fn it_is_ready_while_it_is_active_and_knows_where_to_post() {
    for status in ConnectionStatus::ALL {
        let there = connection(status);
        assert_eq!(there.is_ready(), status == ConnectionStatus::Active);
        assert!(!Connection { channel: None, ..there }.is_ready());
    }
}

#[test]
fn a_channel_is_an_id_or_a_name_of_1_to_80_characters() {
    for good in ["C0123ABCD", "#alerts", "alerts", "équipe-1_a.b", &"x".repeat(80), &format!("#{}", "x".repeat(80))] {
        assert_eq!(channel(good).as_str(), good);
    }
    for bad in ["", "#", "##a", "a b", "a\n", "<!channel>", "@here", "a,b", &"x".repeat(81)] {
        assert!(bad.parse::<SlackChannel>().is_err(), "{bad:?}");
    }
}

/// Teams, channels and people are named by strangers: what is public says none of it.
#[test]
fn no_name_and_no_account_stands_in_the_open() {
    let there = connection(ConnectionStatus::Active);
    let mut public = Vec::new();
    let mut add = |event: &settings_domain::audit::AuditEvent| public.push(event.record(1).encode());
    let made = authorize(None, grant("T9", Some(("C9", "#okapi")), first_binding("T9"))).unwrap();
    made.set().events().iter().for_each(&mut add);
    let updated = update(&there, to_channel("#okapi")).unwrap();
    updated.set().events().iter().for_each(&mut add);
    let deleted = there.delete(&permit_for(Role::Admin), &Guard::default()).unwrap();
    deleted.set().events().iter().for_each(&mut add);
    fail(&there, there.version).set().events().iter().for_each(&mut add);
    assert_eq!(public.len(), 4);
    for bytes in &public {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        assert!(!text.contains("okapi") && !text.contains("zebra") && !text.contains("t9"), "{text}");
        assert!(!bytes.windows(16).any(|w| w == user(1).as_uuid().as_bytes()));
    }
    let aside = made.set().events()[0].personal();
    assert!(aside.iter().any(|p| p.field == "name" && p.value == "Okapi Works"));
}
