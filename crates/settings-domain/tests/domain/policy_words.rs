//! The small things of the policy that the tables rest on: sets, names, sentences, and who an actor is.
use crate::support::{key, member, other_workspace, person, platform_permit, start, user, uuid, workspace};
use settings_domain::{
    ids::InvitationId,
    invitations::{EmailStatus, Invitation, InvitationState},
    policy::{
        Action, Actor, Denied, Permission, PermissionSet, Principal, Requirement, Role, Scope, ScopeSet, SystemTask,
        actions, explain, holders, permit, rights,
    },
    tokens::Digest,
};
use time::Duration;

fn invitation() -> Invitation {
    Invitation {
        workspace: workspace(),
        id: InvitationId::from_uuid(uuid(7)),
        person: person(5),
        email: "ada@example.org".parse().unwrap(),
        role: Role::Admin,
        state: InvitationState::Pending,
        invited_by: None,
        created_at: start(),
        expires_at: start() + Duration::days(7),
        generation: 1,
        email_status: EmailStatus::Sent,
        version: 1,
        token: Digest::none(),
    }
}
fn of_role(role: Role, platform: bool) -> Actor {
    Actor::member(&member(1, role), platform).unwrap()
}
fn with_scopes(scopes: &[Scope]) -> Actor {
    Actor::key(&key(1, scopes.iter().copied().collect()))
}

#[test]
fn what_is_added_twice_is_in_a_set_once() {
    let (a, b) = (Permission::RunsRead, Permission::SecretsReveal);
    let both = PermissionSet::EMPTY.with(a).with(b);
    assert_eq!(both.with(a).with(b), both);
    assert_eq!(both.union(both), both);
    assert_eq!(both.union(PermissionSet::EMPTY), both);
    assert_eq!(PermissionSet::EMPTY.with(a).union(PermissionSet::EMPTY.with(b)), both);
    assert_eq!(both.iter().collect::<Vec<_>>(), [b, a], "in the order of the table");
    for a in Scope::ALL {
        for b in Scope::ALL {
            let both = ScopeSet::EMPTY.with(a).with(b);
            assert_eq!((both.with(a), both.with(b)), (both, both));
            assert!(both.contains(a) && both.contains(b));
            assert_eq!(both.iter().count(), if a == b { 1 } else { 2 });
        }
    }
}

#[test]
fn a_set_is_empty_where_it_has_nothing() {
    assert!(ScopeSet::EMPTY.is_empty());
    assert!(ScopeSet::default().is_empty());
    assert_eq!(PermissionSet::default(), PermissionSet::EMPTY);
    assert_eq!(PermissionSet::EMPTY.iter().next(), None);
    for scope in Scope::ALL {
        assert!(!ScopeSet::EMPTY.with(scope).is_empty());
    }
}

#[test]
fn roles_scopes_and_requirements_are_shown_by_their_names() {
    for role in Role::ALL {
        assert_eq!(role.to_string(), role.name());
    }
    for scope in Scope::ALL {
        assert_eq!(scope.to_string(), scope.name());
    }
    for p in Permission::ALL {
        assert_eq!(Requirement::Permission(*p).to_string(), p.name());
        assert!(p.does().starts_with(char::is_lowercase), "{}: to complete a sentence", p.does());
    }
    assert_eq!(Requirement::Invitee.to_string(), "the invitation");
    assert_eq!(Requirement::Task(SystemTask::Deliver).to_string(), "the service itself");
}

#[test]
fn a_scope_set_is_stored_as_its_names_and_read_back_as_the_same_set() {
    let set = ScopeSet::from_iter([Scope::SecretsRead, Scope::RunsWrite]);
    assert_eq!(serde_json::to_string(&set).unwrap(), r#""runs:write secrets:read""#);
    for bits in (1..=u16::MAX).step_by(97) {
        let set = ScopeSet::from_bits(bits);
        let stored = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<ScopeSet>(&stored).unwrap(), set);
    }
    for bad in [r#""""#, r#""runs:*""#, r#""runs:read,runs:write""#, "null", "7", r#"["runs:read"]"#] {
        assert!(serde_json::from_str::<ScopeSet>(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_actor_is_who_it_was_made_from() {
    let plain = of_role(Role::Editor, false);
    assert_eq!((plain.user(), plain.person(), plain.rank()), (Some(user(1)), Some(person(1)), Some(Role::Editor)));
    let owner = of_role(Role::Viewer, true);
    assert_eq!((owner.user(), owner.person(), owner.rank()), (Some(user(1)), Some(person(1)), Some(Role::Admin)));
    let platform = Actor::platform(user(9), workspace());
    assert_eq!((platform.user(), platform.person(), platform.rank()), (Some(user(9)), None, Some(Role::Admin)));
    let invitee = Actor::invitee(&invitation(), user(3));
    assert_eq!(invitee.principal(), Principal::Invitee { user: user(3), person: person(5) });
    assert_eq!((invitee.user(), invitee.person(), invitee.rank()), (Some(user(3)), Some(person(5)), None));
    assert_eq!((invitee.workspace(), invitee.grants()), (workspace(), PermissionSet::EMPTY));
    for actor in [with_scopes(&[Scope::RunsRead]), Actor::task(SystemTask::Deliver, workspace())] {
        assert_eq!((actor.user(), actor.person(), actor.rank()), (None, None, None));
    }
    assert_eq!(Actor::task(SystemTask::Deliver, other_workspace()).workspace(), other_workspace());
    assert_eq!(Actor::task(SystemTask::Deliver, workspace()).grants(), PermissionSet::EMPTY);
}

#[test]
fn only_an_invitee_meets_the_invitation_and_only_a_task_its_own_task() {
    let invitee = Actor::invitee(&invitation(), user(3));
    assert!(Requirement::Invitee.is_met_by(&invitee));
    assert!(permit::<actions::AcceptInvitation>(&invitee, start()).is_ok());
    let others = [
        of_role(Role::Admin, true),
        Actor::platform(user(9), workspace()),
        with_scopes(&Scope::ALL),
        Actor::task(SystemTask::Execute, workspace()),
    ];
    for other in others {
        assert!(!Requirement::Invitee.is_met_by(&other));
        assert!(!Requirement::Task(SystemTask::Deliver).is_met_by(&other));
    }
    assert!(!Requirement::Task(SystemTask::Deliver).is_met_by(&invitee));
    for p in Permission::ALL {
        assert!(!Requirement::Permission(*p).is_met_by(&invitee));
    }
}

#[test]
fn a_right_is_its_permission_as_a_type() {
    fn asks<A: Action>() -> (&'static str, Requirement) {
        (A::NAME, A::REQUIRES)
    }
    assert_eq!(asks::<rights::RunsWrite>(), ("runs:write", Requirement::Permission(Permission::RunsWrite)));
    assert_eq!(asks::<rights::SecretsReveal>(), ("secrets:reveal", Requirement::Permission(Permission::SecretsReveal)));
    let permit = permit::<rights::RunsWrite>(&of_role(Role::Editor, false), start()).unwrap();
    assert_eq!(permit.scope().workspace(), workspace());
    let denied = settings_domain::policy::permit::<rights::RunsWrite>(&of_role(Role::Viewer, false), start());
    let denied = denied.unwrap_err();
    assert_eq!((denied.action, denied.permission()), ("runs:write", Some(Permission::RunsWrite)));
}

#[test]
fn a_permit_and_its_copy_prove_the_same() {
    let permit = platform_permit::<actions::ListOrganizations>();
    let copy = permit.clone();
    assert_eq!((copy.actor(), copy.at(), copy.scope()), (permit.actor(), permit.at(), permit.scope()));
    assert_eq!((permit.scope().workspace(), permit.scope().user()), (workspace(), Some(user(90))));
    assert_eq!(permit.at(), start());
}

#[test]
fn an_answer_says_what_granted_it_or_what_is_missing_and_who_has_it() {
    use Permission::{EventsPublish, MembersInvite, OrganizationsRead, RunsRead, SecretsReveal};
    let service = Actor::task(SystemTask::Execute, workspace());
    let invitee = Actor::invitee(&invitation(), user(3));
    let platform = Actor::platform(user(9), workspace());
    for (actor, permission, granted_by, because) in [
        (of_role(Role::Viewer, false), RunsRead, Some("viewer"), "viewer grants runs:read"),
        (of_role(Role::Viewer, true), RunsRead, Some("viewer"), "viewer grants runs:read"),
        (of_role(Role::Viewer, true), MembersInvite, Some("system"), "system grants members:invite"),
        (of_role(Role::Admin, true), SecretsReveal, Some("admin"), "admin grants secrets:reveal"),
        (platform, OrganizationsRead, Some("system"), "system grants organizations:read"),
        (with_scopes(&[Scope::AuditRead, Scope::RunsRead]), RunsRead, Some("runs:read"), "runs:read grants runs:read"),
        (
            of_role(Role::Viewer, false),
            MembersInvite,
            None,
            "needs members:invite; viewer has it not; admin, system have",
        ),
        (of_role(Role::Editor, true), SecretsReveal, None, "needs secrets:reveal; system has it not; admin have"),
        (
            with_scopes(&[Scope::RunsWrite]),
            MembersInvite,
            None,
            "needs members:invite; no API key can have it, only people: admin, system",
        ),
        (
            with_scopes(&[Scope::RunsRead]),
            EventsPublish,
            None,
            "needs events:publish; the key does not have a scope that grants it: workflows:write, runs:write, \
             approvals:write, connections:write",
        ),
        (service, RunsRead, None, "needs runs:read; admin, editor, viewer, system have it"),
        (invitee, OrganizationsRead, None, "needs organizations:read; system have it"),
    ] {
        let decision = explain(&actor, permission);
        assert_eq!((decision.allowed, decision.granted_by), (granted_by.is_some(), granted_by), "{because}");
        assert_eq!(decision.because, because);
        if !decision.allowed {
            let denied = Denied { actor, action: "Anything", requirement: Requirement::Permission(permission) };
            assert_eq!(denied.to_string(), because);
        }
    }
    let denied = permit::<actions::AcceptInvitation>(&of_role(Role::Admin, false), start()).unwrap_err();
    assert_eq!((denied.to_string().as_str(), denied.permission()), ("needs the invitation", None));
}

#[test]
fn a_person_is_needed_where_a_key_asks_and_no_scope_would_do() {
    let key = with_scopes(&[Scope::RunsRead]);
    let person = of_role(Role::Viewer, false);
    let needs = |actor: Actor, requirement| Denied { actor, action: "Anything", requirement }.needs_a_person();
    assert!(needs(key, Requirement::Permission(Permission::ApiKeysCreate)));
    assert!(needs(key, Requirement::Invitee));
    assert!(!needs(key, Requirement::Permission(Permission::RunsWrite)), "another key could");
    assert!(!needs(person, Requirement::Permission(Permission::ApiKeysCreate)), "this is a person");
    assert!(!needs(person, Requirement::Permission(Permission::RunsWrite)));
    assert_eq!(holders(Permission::ApiKeysCreate), (vec!["admin", "system"], vec![]));
    assert_eq!(holders(Permission::SecretsReveal), (vec!["admin"], vec![Scope::SecretsRead]));
}
