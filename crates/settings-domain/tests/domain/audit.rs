//! What is written down: bytes that are no other record's, and nothing personal among them.
use crate::support::{
    facts, member, permit_for, permit_of, person, platform_permit, record, start, user, uuid, workspace,
};
use proptest::prelude::*;
use settings_domain::{
    api_keys::{ApiKey, NewApiKey},
    audit::{AuditRecord, FieldChange, Risk, Target},
    denials::{self, Denials},
    ids::{ApiKeyId, PersonId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    members::Headcount,
    policy::{Actor, Role, Scope, ScopeSet, SystemTask, actions, permit},
    tokens::{Digest, Seal},
    workspaces::{Workspace, WorkspacePatch},
};
use time::{Duration, OffsetDateTime};

/// Texts that are easily mistaken for each other once they are joined.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[ab]{1,3}", "[\\x00\\x01\\x08]{1,9}", Just("\0\0\0\0\0\0\0\u{1}a".to_owned()),]
}
fn field_change() -> impl Strategy<Value = FieldChange> {
    let side = || proptest::option::of(text());
    (text(), side(), side()).prop_map(|(field, from, to)| FieldChange { field, from, to })
}
prop_compose! {
    fn any_record()(
        version in 1_u8..3, workspace in 1_u64..3, seq in 0_i64..3, at in -2_i64..2, action in text(), risk in 0_usize..4,
        actor_kind in text(), actor_key in proptest::option::of(1_u64..3), target_kind in text(),
        target_id in proptest::option::of(1_u64..3), changes in proptest::collection::vec(field_change(), 0..3),
    ) -> AuditRecord {
        AuditRecord {
            version, seq, action, actor_kind, target_kind, changes,
            workspace: WorkspaceId::from_uuid(uuid(workspace)),
            at: OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(at),
            risk: *Risk::ALL.get(risk).unwrap(),
            actor_key: actor_key.map(|k| ApiKeyId::from_uuid(uuid(k))),
            target_id: target_id.map(uuid),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn two_records_share_their_bytes_only_when_they_are_equal(a in any_record(), b in any_record()) {
        prop_assert_eq!(a == b, a.encode() == b.encode());
        prop_assert_eq!(a.encode(), a.clone().encode());
    }

    /// Neighbours: one field of the other record at a time, which random pairs hardly ever are.
    #[test]
    fn a_difference_in_any_single_field_shows(a in any_record(), b in any_record()) {
        let neighbours = [
            AuditRecord { version: b.version, ..a.clone() },
            AuditRecord { workspace: b.workspace, ..a.clone() },
            AuditRecord { seq: b.seq, ..a.clone() },
            AuditRecord { at: b.at, ..a.clone() },
            AuditRecord { action: b.action.clone(), ..a.clone() },
            AuditRecord { risk: b.risk, ..a.clone() },
            AuditRecord { actor_kind: b.actor_kind.clone(), ..a.clone() },
            AuditRecord { actor_key: b.actor_key, ..a.clone() },
            AuditRecord { target_kind: b.target_kind.clone(), ..a.clone() },
            AuditRecord { target_id: b.target_id, ..a.clone() },
            AuditRecord { changes: b.changes.clone(), ..a.clone() },
        ];
        for n in neighbours {
            prop_assert_eq!(a == n, a.encode() == n.encode());
        }
    }

    /// No encoding is the beginning of another: what follows it in a hash can't be mistaken for a part of it.
    #[test]
    fn no_encoding_is_the_beginning_of_another(a in any_record(), b in any_record(), more in field_change()) {
        let longer = AuditRecord { changes: [&a.changes[..], &[more]].concat(), ..a.clone() };
        for other in [b, longer] {
            prop_assert!(a == other || !other.encode().starts_with(&a.encode()));
        }
    }

    /// Records that read the same once their parts are joined: only the lengths between the parts tell them apart.
    #[test]
    fn a_part_that_moves_into_its_neighbour_shows(a in any_record(), text in "[a-z]{1,6}", at in 0_usize..6) {
        let (head, tail) = text.split_at(at.min(text.len()));
        let risk = a.risk.name();
        // action, risk, actor kind: `<head> <risk> <tail>` and `<head><risk><tail>`, with the risk once before or after.
        let moved = [
            (AuditRecord { action: format!("{head}{risk}"), actor_kind: tail.to_owned(), ..a.clone() },
             AuditRecord { action: head.to_owned(), actor_kind: format!("{risk}{tail}"), ..a.clone() }),
            (AuditRecord { actor_kind: format!("{head}{tail}"), target_kind: String::new(), ..a.clone() },
             AuditRecord { actor_kind: head.to_owned(), target_kind: tail.to_owned(), ..a.clone() }),
        ];
        let change = |field: &str, from: Option<&str>, to: Option<&str>| FieldChange {
            field: field.to_owned(), from: from.map(str::to_owned), to: to.map(str::to_owned),
        };
        let lists = [
            (vec![change(&text, None, None)], vec![change(head, Some(tail), None)]),
            (vec![change("f", Some(&text), None)], vec![change("f", Some(head), Some(tail))]),
            (vec![change("f", Some(&text), None)], vec![change("f", None, Some(&text))]),
            (vec![change("f", None, None), change("g", None, None)], vec![change("f", None, None)]),
        ];
        let lists = lists.map(|(x, y)| (AuditRecord { changes: x, ..a.clone() }, AuditRecord { changes: y, ..a.clone() }));
        for (x, y) in moved.into_iter().chain(lists) {
            prop_assert_eq!(x == y, x.encode() == y.encode());
        }
    }

    #[test]
    fn an_event_id_is_a_version_7_uuid_of_its_time_and_hash(micros in 0_i64..4_000_000_000_000_000, hash: [u8; 32]) {
        let at = OffsetDateTime::UNIX_EPOCH + Duration::microseconds(micros);
        let event = AuditRecord { at, ..record(&denials::record(&task_permit(), &knock())) };
        let id = event.id(&hash).as_uuid();
        prop_assert_eq!(id.get_version_num(), 7);
        prop_assert_eq!(id, event.id(&hash).as_uuid());
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        let millis = i64::try_from(seconds).unwrap() * 1_000 + i64::from(nanos / 1_000_000);
        prop_assert_eq!(millis, micros / 1_000);
    }
}

fn task_permit() -> settings_domain::policy::Permit<actions::RecordDenials> {
    permit_of(&Actor::task(SystemTask::RecordDenials, workspace()))
}
fn knock() -> Denials {
    Denials { user: Some((user(5), person(5))), key: None, action: "InviteMember", count: 17 }
}
fn acme() -> Workspace {
    Workspace {
        id: workspace(),
        slug: "acme".parse().unwrap(),
        name: "Acme".parse().unwrap(),
        region: "eu".parse().unwrap(),
        retention_days: 90,
        floor_days: 30,
        seat_limit: 10,
        created_at: start(),
        updated_at: start(),
        version: 1,
    }
}

/// The kind of actor that an update of the workspace is recorded under, and the key, and whose salt covers it.
fn recorded_as(actor: &Actor) -> (String, Option<ApiKeyId>, Option<PersonId>) {
    let patch = WorkspacePatch { seat_limit: Some(11), ..WorkspacePatch::default() };
    let permit = permit::<actions::UpdateWorkspace>(actor, start()).unwrap();
    let heads = Headcount { members: 1, admins: 1, pending: 0 };
    let change = acme().update(&permit, patch, &heads, 0, &Guard::default()).unwrap();
    let [event] = change.set().events() else { panic!("one event") };
    let whose = event.personal().iter().find(|p| p.field == "actor").map(|p| p.person);
    let record = record(&change);
    (record.actor_kind, record.actor_key, whose)
}

#[test]
fn an_event_says_what_kind_of_actor_did_it() {
    let admin = Actor::member(&member(1, Role::Admin), false).unwrap();
    assert_eq!(recorded_as(&admin), ("member".to_owned(), None, Some(person(1))));
    let platform = Actor::platform(user(9), workspace());
    assert_eq!(recorded_as(&platform), ("system".to_owned(), None, None));
    // A platform owner who is a member acts as that member where the membership suffices, and only there.
    let both = |role| Actor::member(&member(1, role), true).unwrap();
    assert_eq!(recorded_as(&both(Role::Admin)), ("member".to_owned(), None, Some(person(1))));
    assert_eq!(recorded_as(&both(Role::Editor)), ("system".to_owned(), None, Some(person(1))));
    let key = crate::support::key(4, ScopeSet::EMPTY.with(Scope::WorkspaceWrite));
    assert_eq!(recorded_as(&Actor::key(&key)), ("api_key".to_owned(), Some(key.id), None));
    let summary = record(&denials::record(&task_permit(), &knock()));
    assert_eq!((summary.actor_kind.as_str(), summary.actor_key), ("service", None));
}

#[test]
fn a_summary_of_denials_names_the_account_aside_and_the_key_in_the_open() {
    let change = denials::record(&task_permit(), &knock());
    assert_eq!(facts(&change), ["authz.denied"]);
    let shown = record(&change);
    assert_eq!((shown.risk, shown.target_kind.as_str(), shown.target_id), (Risk::High, "workspace", None));
    let values: Vec<_> = shown.changes.iter().map(|c| (c.field.as_str(), c.to.as_deref())).collect();
    assert_eq!(values, [("action", Some("InviteMember")), ("count", Some("17"))]);
    let [event] = change.set().events() else { panic!("one event") };
    let [denied] = event.personal()[..] else { panic!("one personal field") };
    assert_eq!((denied.field, denied.person, denied.value.as_str()), ("deniedUser", person(5), &*user(5).to_string()));

    let key = ApiKeyId::from_uuid(uuid(80));
    let change = denials::record(&task_permit(), &Denials { user: None, key: Some(key), ..knock() });
    let shown = record(&change);
    assert_eq!((shown.target_kind.as_str(), shown.target_id), ("api_key", Some(key.as_uuid())));
}

#[test]
fn personal_fields_come_sorted_and_each_name_once() {
    let admin = permit_for::<actions::RemoveMember>(Role::Admin);
    let heads = Headcount { members: 3, admins: 2, pending: 0 };
    let change = member(2, Role::Editor).remove(&admin, &heads, &[], &[], &Guard::default()).unwrap();
    let [event] = change.set().events() else { panic!("one event") };
    let fields: Vec<_> = event.personal().iter().map(|p| (p.field, p.person, p.value.clone())).collect();
    assert_eq!(fields, [("actor", person(1), user(1).to_string()), ("target", person(2), user(2).to_string())]);
}

#[test]
fn nothing_shows_a_personal_value_in_debug_output() {
    let permit = platform_permit::<actions::CreateApiKey>();
    let new = NewApiKey {
        id: ApiKeyId::from_uuid(uuid(81)),
        prefix: "sk_".to_owned(),
        last4: "9999".to_owned(),
        digest: Digest::new([7; 32]),
        name: "Canary".parse().unwrap(),
        scopes: ScopeSet::EMPTY.with(Scope::RunsRead),
        expires_at: None,
    };
    let change = ApiKey::create(&permit, 0, new, |_, _| Seal::new([6; 32])).unwrap();
    for event in change.set().events() {
        assert!(!format!("{event:?}").contains("Canary"));
    }
    assert!(!format!("{:?} {:?}", Digest::new([7; 32]), Seal::new([6; 32])).contains('7'));
}

#[test]
fn a_target_that_is_a_person_has_no_public_id() {
    assert_eq!(format!("{:?}", Target::Workspace), "Workspace");
    let heads = Headcount { members: 3, admins: 2, pending: 0 };
    let admin = permit_for::<actions::ChangeRole>(Role::Admin);
    let change = member(2, Role::Viewer).change_role(&admin, Role::Editor, &heads, &[], &Guard::default()).unwrap();
    let shown = record(&change);
    assert_eq!((shown.target_kind.as_str(), shown.target_id), ("member", None));
}

fn affected(id: &str, name: &str) -> Affected {
    Affected { kind: "workflow".to_owned(), id: id.to_owned(), name: name.to_owned(), why: String::new() }
}

proptest! {
    /// What is moved from one part of an item into the next is another item.
    #[test]
    fn an_impact_tells_its_parts_apart(text in "[ab]{1,6}", at in 0_usize..6) {
        let (head, tail) = text.split_at(at.min(text.len()));
        let digest = |items: Vec<Affected>| Impact::new("drop", uuid(1), items).digest().to_owned();
        let (whole, split) = (vec![affected(&text, "")], vec![affected(head, tail)]);
        prop_assert_eq!(whole == split, digest(whole) == digest(split));
        let (one, two) = (vec![affected(&text, "x")], vec![affected(&text, ""), affected("x", "")]);
        prop_assert_ne!(digest(one), digest(two));
    }

    /// A confirmation fits one operation on one target with one list, in whatever order the list was gathered.
    #[test]
    fn an_impact_is_named_by_everything_in_it_and_by_nothing_else(
        items in proptest::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 1..4),
        others in proptest::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 1..4),
    ) {
        let list = |items: &[(String, String)]| items.iter().map(|(id, name)| affected(id, name)).collect::<Vec<_>>();
        let impact = Impact::new("drop", uuid(1), list(&items));
        let mut reversed = list(&items);
        reversed.reverse();
        prop_assert_eq!(&impact, &Impact::new("drop", uuid(1), reversed));
        let (elsewhere, otherwise) = (Impact::new("drop", uuid(2), list(&items)), Impact::new("move", uuid(1), list(&items)));
        prop_assert_ne!(impact.digest(), elsewhere.digest());
        prop_assert_ne!(impact.digest(), otherwise.digest());
        let other = Impact::new("drop", uuid(1), list(&others));
        prop_assert_eq!(impact.affected() == other.affected(), impact.digest() == other.digest());
    }
}
