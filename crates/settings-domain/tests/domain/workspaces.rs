//! The workspace's own fields (WS, SE04).
use crate::support::{
    facts, is_nothing, permit_for, person, platform_permit, record, refusal, start, user, uuid, workspace,
};
use proptest::prelude::*;
use settings_domain::{
    audit::Risk,
    change::{Change, Write},
    environments::{EnvironmentWrite, PRODUCTION, Tier},
    error::{Classified as _, Refused},
    ids::{DeliveryId, EnvironmentId, InvitationId},
    impact::{Guard, Impact},
    invitations::{InvitationWrite, NewInvitation},
    members::{Headcount, MemberWrite},
    notices::Notice,
    policy::{Role, actions},
    tokens::Digest,
    workspaces::{
        FirstAdmin, NewWorkspace, UpdateWorkspaceError, Workspace, WorkspacePatch, WorkspaceView, WorkspaceWrite,
    },
};

const SERVICE_FLOOR: i64 = 30;
/// Stands for the retention that is there already.
const PRESENT: i64 = -1;

fn acme() -> Workspace {
    Workspace {
        id: workspace(),
        slug: "acme".parse().unwrap(),
        name: "Acme".parse().unwrap(),
        region: "eu-central-1".parse().unwrap(),
        retention_days: 90,
        floor_days: 60,
        seat_limit: 10,
        created_at: start(),
        updated_at: start(),
        version: 3,
    }
}
const fn used(members: i64) -> Headcount {
    Headcount { members, admins: 1, pending: 0 }
}
fn at_version(version: i64) -> Guard {
    Guard { version: Some(version), confirm: None }
}
fn confirmed(digest: &str) -> Guard {
    Guard { version: None, confirm: Some(digest.to_owned()) }
}
type Updated = Result<Change<WorkspaceView>, Refused<UpdateWorkspaceError>>;
fn update(w: &Workspace, patch: WorkspacePatch, guard: &Guard) -> Updated {
    w.update(&permit_for::<actions::UpdateWorkspace>(Role::Admin), patch, &used(4), SERVICE_FLOOR, guard)
}
fn retention(days: i64) -> WorkspacePatch {
    WorkspacePatch { retention_days: Some(days), ..WorkspacePatch::default() }
}
fn floor(days: i64, retention: Option<i64>) -> WorkspacePatch {
    WorkspacePatch { floor_days: Some(days), retention_days: retention, ..WorkspacePatch::default() }
}
fn seats(limit: i64) -> WorkspacePatch {
    WorkspacePatch { seat_limit: Some(limit), ..WorkspacePatch::default() }
}
fn impact(result: Updated) -> Impact {
    match result {
        Err(Refused::Unconfirmed(impact)) => impact,
        other => panic!("a confirmation was expected, not {other:?}"),
    }
}

#[test]
fn the_slug_may_be_repeated_and_never_changed() {
    let slug = |s: &str| WorkspacePatch { slug: Some(s.to_owned()), ..WorkspacePatch::default() };
    assert!(is_nothing(&update(&acme(), slug("acme"), &Guard::default()).unwrap()));
    for other in ["acme2", "Acme", "", "acme "] {
        assert_eq!(refusal(update(&acme(), slug(other), &Guard::default())), Some("slug-immutable"));
    }
}

#[test]
fn retention_never_goes_under_the_higher_of_both_floors() {
    let own = acme();
    let service = Workspace { floor_days: 7, ..acme() };
    for (workspace, days, expected) in [
        (&own, 59, Some("retention-below-floor")),
        (&own, 60, Some("unconfirmed")),
        (&own, 0, Some("retention-below-floor")),
        (&own, -1, Some("retention-below-floor")),
        (&own, 91, None),
        (&service, 29, Some("retention-below-floor")),
        (&service, 30, Some("unconfirmed")),
    ] {
        assert_eq!(refusal(update(workspace, retention(days), &Guard::default())), expected, "{days}");
    }
}

#[test]
fn an_unrelated_change_passes_while_the_services_floor_lies_above_the_stored_retention() {
    let low = Workspace { retention_days: 20, floor_days: 7, ..acme() };
    assert_eq!(refusal(update(&low, seats(11), &Guard::default())), None);
}

#[test]
fn a_raised_floor_lifts_the_retention_with_it() {
    let view = update(&acme(), floor(365, None), &Guard::default()).unwrap();
    let [Write::Workspace(WorkspaceWrite::Update(row))] = view.set().writes() else { panic!("one row") };
    assert_eq!((row.floor_days, row.retention_days), (365, 365));
}

#[test]
fn a_raised_floor_refuses_a_retention_under_it_also_the_present_one() {
    for days in [90, 91, 364] {
        let result = update(&acme(), floor(365, Some(days)), &Guard::default());
        assert_eq!(refusal(result), Some("retention-below-floor"), "{days}");
    }
    assert_eq!(refusal(update(&acme(), floor(365, Some(365)), &Guard::default())), None);
}

#[test]
fn the_seat_limit_never_goes_under_what_is_used() {
    for (limit, expected) in
        [(3, Some("seat-limit-below-usage")), (4, None), (5, None), (-1, Some("seat-limit-below-usage"))]
    {
        assert_eq!(refusal(update(&acme(), seats(limit), &Guard::default())), expected, "{limit}");
    }
    // A workspace that is over its limit (a plan was lowered) may keep the limit, change other fields and only go up.
    let full = Workspace { seat_limit: 3, ..acme() };
    let name = WorkspacePatch { name: Some("Acme 2".parse().unwrap()), ..seats(3) };
    assert_eq!(refusal(update(&full, name, &Guard::default())), None);
    assert_eq!(refusal(update(&full, seats(2), &Guard::default())), Some("seat-limit-below-usage"));
}

#[test]
fn a_stale_version_wins_over_every_rule() {
    let broken = WorkspacePatch { slug: Some("other".to_owned()), ..seats(0) };
    assert_eq!(refusal(update(&acme(), broken.clone(), &at_version(2))), Some("stale"));
    assert_eq!(refusal(update(&acme(), broken, &at_version(3))), Some("slug-immutable"));
    assert_eq!(refusal(update(&acme(), retention(70), &at_version(4))), Some("stale"));
    assert_eq!(refusal(update(&acme(), WorkspacePatch::default(), &at_version(2))), Some("stale"));
}

#[test]
fn a_rule_answers_before_a_confirmation_is_asked() {
    let both = WorkspacePatch { seat_limit: Some(1), ..retention(70) };
    assert_eq!(refusal(update(&acme(), both, &Guard::default())), Some("seat-limit-below-usage"));
    assert_eq!(refusal(update(&acme(), retention(10), &Guard::default())), Some("retention-below-floor"));
}

#[test]
fn a_lower_retention_asks_and_the_answer_fits_that_call_only() {
    let asked = impact(update(&acme(), retention(70), &Guard::default()));
    assert_eq!(asked.affected().len(), 1);
    assert_eq!(refusal(update(&acme(), retention(70), &confirmed(asked.digest()))), None);
    // Not for another retention, …
    impact(update(&acme(), retention(69), &confirmed(asked.digest())));
    // … not once somebody else has changed it meanwhile, …
    let meanwhile = Workspace { retention_days: 89, ..acme() };
    impact(update(&meanwhile, retention(70), &confirmed(asked.digest())));
    // … not for another workspace, …
    let other = Workspace { id: crate::support::other_workspace(), ..acme() };
    impact(update(&other, retention(70), &confirmed(asked.digest())));
    // … and not by something that only looks like it.
    for near in ["", "0", &asked.digest().to_uppercase(), asked.digest().split_at(31).0] {
        impact(update(&acme(), retention(70), &confirmed(near)));
    }
    assert_eq!(refusal(update(&acme(), retention(91), &Guard::default())), None, "a higher one asks nothing");
}

#[test]
fn a_change_is_recorded_with_numbers_in_the_open_and_names_aside() {
    let patch = WorkspacePatch {
        name: Some("Canary GmbH".parse().unwrap()),
        region: Some("us-east-1".parse().unwrap()),
        seat_limit: Some(20),
        ..retention(120)
    };
    let change = update(&acme(), patch, &at_version(3)).unwrap();
    assert_eq!(facts(&change), ["workspace.updated"]);
    let record = record(&change);
    let shown: Vec<_> = record.changes.iter().map(|c| (c.field.as_str(), c.from.as_deref(), c.to.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("dataRetentionDays", Some("90"), Some("120")),
            ("seatLimit", Some("10"), Some("20")),
            ("defaultRegion", Some("eu-central-1"), Some("us-east-1")),
            ("name", None, None),
        ]
    );
    let [event] = change.set().events() else { panic!("one event") };
    let name = event.personal().into_iter().find(|p| p.field == "name").unwrap();
    assert_eq!((name.person, name.value.as_str()), (person(1), "Canary GmbH"));
    let [Write::Workspace(WorkspaceWrite::Update(row))] = change.set().writes() else { panic!("one row") };
    assert_eq!((row.version, row.updated_at, row.created_at), (4, start(), acme().created_at));
}

proptest! {
    /// Whatever is asked: the row that results keeps every rule, or nothing is written.
    #[test]
    fn no_patch_breaks_a_rule(
        retention_days in proptest::option::of(prop_oneof![0_i64..200, Just(PRESENT)]), floor_days in proptest::option::of(0_i64..200),
        seat_limit in proptest::option::of(0_i64..20), own_floor in 0_i64..100, above in 0_i64..100, in_use in 1_i64..15,
        limit in 1_i64..15, confirm: bool,
    ) {
        let before = Workspace { floor_days: own_floor, retention_days: own_floor + above, seat_limit: limit, ..acme() };
        let retention_days = retention_days.map(|d| if d == PRESENT { before.retention_days } else { d });
        let patch = WorkspacePatch { retention_days, floor_days, seat_limit, ..WorkspacePatch::default() };
        let permit = platform_permit::<actions::UpdateOrganization>();
        let try_it = |guard: &Guard| before.update(&permit, patch.clone(), &used(in_use), SERVICE_FLOOR, guard);
        let mut result = try_it(&Guard::default());
        if confirm && let Err(Refused::Unconfirmed(impact)) = &result {
            result = try_it(&confirmed(impact.digest()));
        }
        match result {
            Ok(change) => match change.set().writes() {
                [] => prop_assert!(is_nothing(&change)),
                [Write::Workspace(WorkspaceWrite::Update(after))] => {
                    prop_assert!(after.retention_days >= after.floor_days, "{after:?}");
                    prop_assert!(after.retention_days == before.retention_days || after.retention_days >= SERVICE_FLOOR);
                    prop_assert!(after.seat_limit >= in_use || after.seat_limit == before.seat_limit);
                    prop_assert!(confirm || after.retention_days >= before.retention_days);
                    prop_assert_eq!(after.version, before.version + 1);
                    prop_assert_eq!(facts(&change), ["workspace.updated"]);
                }
                other => prop_assert!(false, "{other:?}"),
            },
            Err(Refused::Stale) => prop_assert!(false, "no version was named"),
            Err(Refused::Unconfirmed(_)) => prop_assert!(retention_days.is_some_and(|d| d < before.retention_days)),
            Err(Refused::Rule(e)) => prop_assert!(["retention-below-floor", "seat-limit-below-usage"].contains(&e.code())),
        }
    }
}

fn new(slug: &str, admin: FirstAdmin) -> NewWorkspace {
    NewWorkspace {
        production: EnvironmentId::from_uuid(uuid(50)),
        slug: slug.parse().unwrap(),
        name: "Canary GmbH".parse().unwrap(),
        region: "eu-central-1".parse().unwrap(),
        seat_limit: 5,
        floor_days: 30,
        admin,
    }
}
fn invited() -> FirstAdmin {
    FirstAdmin::Invited(NewInvitation {
        id: InvitationId::from_uuid(uuid(60)),
        person: person(7),
        delivery: DeliveryId::from_uuid(uuid(61)),
        token: Digest::new([1; 32]),
        email: "canary@example.org".parse().unwrap(),
        role: Role::Admin,
    })
}

#[test]
fn a_new_workspace_has_its_production_and_its_first_admin() {
    let permit = platform_permit::<actions::CreateOrganization>();
    let change = Workspace::create(&permit, false, new("acme", FirstAdmin::Caller(user(90), person(90)))).unwrap();
    assert_eq!(facts(&change), ["workspace.created"]);
    let [
        Write::Workspace(WorkspaceWrite::Insert(row)),
        Write::Environment(EnvironmentWrite::Insert(production)),
        Write::Member(MemberWrite::InsertPerson(founder)),
        Write::Member(MemberWrite::Join(admin)),
    ] = change.set().writes()
    else {
        panic!("{:?}", change.set().writes())
    };
    assert_eq!((row.id, row.version, row.retention_days), (workspace(), 1, 90));
    assert_eq!((production.name.as_str(), production.tier), (PRODUCTION, Tier::Production));
    assert_eq!((founder.id, founder.user), (person(90), Some(user(90))));
    assert_eq!((admin.user, admin.role, admin.is_active()), (user(90), Role::Admin, true));
    assert!(change.set().notices().is_empty());

    let change = Workspace::create(&permit, false, new("acme", invited())).unwrap();
    let [_, _, Write::Member(MemberWrite::InsertPerson(guest)), Write::Invitation(InvitationWrite::Insert(invitation))] =
        change.set().writes()
    else {
        panic!("{:?}", change.set().writes())
    };
    assert_eq!((guest.id, invitation.person, invitation.role), (person(7), person(7), Role::Admin));
    assert!(matches!(change.set().notices(), [Notice::InvitationMail { generation: 1, .. }]));
}

#[test]
fn a_floor_above_the_default_retention_is_the_retention_of_a_new_workspace() {
    let permit = platform_permit::<actions::CreateOrganization>();
    let wanted = NewWorkspace { floor_days: 400, ..new("acme", invited()) };
    let change = Workspace::create(&permit, false, wanted).unwrap();
    let [Write::Workspace(WorkspaceWrite::Insert(row)), ..] = change.set().writes() else { panic!("a row first") };
    assert_eq!((row.floor_days, row.retention_days), (400, 400));
}

#[test]
fn a_reserved_or_taken_slug_makes_no_workspace() {
    let permit = platform_permit::<actions::CreateOrganization>();
    let code = |slug: &str, taken| Workspace::create(&permit, taken, new(slug, invited())).err().map(|e| e.code());
    assert_eq!(code("acme", true), Some("slug-taken"));
    assert_eq!(code("login", false), Some("slug-reserved"));
    assert_eq!(code("login", true), Some("slug-reserved"));
}

#[test]
fn a_deletion_is_critical_and_checks_the_version() {
    let permit = platform_permit::<actions::DeleteOrganization>();
    assert_eq!(refusal(acme().delete(&permit, &at_version(2))), Some("stale"));
    let change = acme().delete(&permit, &at_version(3)).unwrap();
    assert!(matches!(change.set().writes(), [Write::Workspace(WorkspaceWrite::Delete(at))] if *at == start()));
    let record = record(&change);
    assert_eq!((record.action.as_str(), record.risk), ("workspace.deleted", Risk::Critical));
}
