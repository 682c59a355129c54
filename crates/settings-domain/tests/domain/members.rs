//! Members and invitations, rule by rule (RO, IN). Sequences of them: `sequences`.
use crate::support::{
    facts, is_nothing, member, permit_for, permit_of, person, platform_permit, refusal, start, user, uuid, workspace,
};
use settings_domain::{
    api_keys::ApiKey,
    change::Write,
    error::{Classified as _, Kind},
    ids::{DeliveryId, InvitationId},
    impact::Guard,
    invitations::{
        AcceptError, Acquaintance, EmailStatus, Invitation, InvitationState, InvitationWrite, Invitee, LIFETIME,
        NewInvitation,
    },
    members::{Headcount, Member},
    policy::{Actor, Permit, Role, Scope, ScopeSet, actions},
    tokens::Digest,
};
use time::Duration;

const ONE_ADMIN: Headcount = Headcount { members: 3, admins: 1, pending: 0 };
const TWO_ADMINS: Headcount = Headcount { members: 3, admins: 2, pending: 0 };

fn invitation(n: u64, role: Role) -> Invitation {
    Invitation {
        workspace: workspace(),
        id: InvitationId::from_uuid(uuid(4_000 + n)),
        person: person(100 + n),
        email: format!("guest{n}@example.org").parse().unwrap(),
        role,
        state: InvitationState::Pending,
        invited_by: Some(user(1)),
        created_at: start() - LIFETIME + Duration::hours(1),
        expires_at: start() + Duration::hours(1),
        generation: 2,
        email_status: EmailStatus::Sent,
        version: 5,
        token: Digest::new([2; 32]),
    }
}
fn new_invitation(role: Role) -> NewInvitation {
    NewInvitation {
        id: InvitationId::from_uuid(uuid(4_900)),
        person: person(900),
        delivery: DeliveryId::from_uuid(uuid(4_901)),
        token: Digest::new([9; 32]),
        email: "guest1@example.org".parse().unwrap(),
        role,
    }
}
fn guard(version: i64) -> Guard {
    Guard { version: Some(version), confirm: None }
}

#[test]
fn the_last_admin_stays_whoever_asks() {
    let asking: [Permit<actions::ChangeRole>; 2] = [permit_for(Role::Admin), platform_permit()];
    for permit in &asking {
        for role in [Role::Editor, Role::Viewer] {
            let result = member(1, Role::Admin).change_role(permit, role, &ONE_ADMIN, &[], &Guard::default());
            assert_eq!(refusal(result), Some("last-admin"));
            let result = member(1, Role::Admin).change_role(permit, role, &TWO_ADMINS, &[], &Guard::default());
            assert_eq!(refusal(result), None);
        }
        let same = member(1, Role::Admin).change_role(permit, Role::Admin, &ONE_ADMIN, &[], &Guard::default());
        assert!(is_nothing(&same.unwrap()));
    }
    let asking: [Permit<actions::RemoveMember>; 2] = [permit_for(Role::Admin), platform_permit()];
    for permit in &asking {
        let result = |heads| member(1, Role::Admin).remove(permit, heads, &[], &[], &Guard::default());
        assert_eq!(refusal(result(&ONE_ADMIN)), Some("last-admin"));
        assert_eq!(refusal(result(&TWO_ADMINS)), None);
        let editor = member(2, Role::Editor).remove(permit, &ONE_ADMIN, &[], &[], &Guard::default());
        assert_eq!(refusal(editor), None);
    }
}

#[test]
fn a_former_member_is_not_there_and_a_stale_version_wins_over_the_rules() {
    let (change, remove) =
        (permit_for::<actions::ChangeRole>(Role::Admin), permit_for::<actions::RemoveMember>(Role::Admin));
    let former = Member { removed_at: Some(start()), ..member(2, Role::Editor) };
    let result = former.change_role(&change, Role::Viewer, &TWO_ADMINS, &[], &guard(9));
    assert_eq!(refusal(result), Some("not-found"));
    assert_eq!(refusal(former.remove(&remove, &TWO_ADMINS, &[], &[], &guard(9))), Some("not-found"));
    let admin = member(1, Role::Admin);
    assert_eq!(refusal(admin.change_role(&change, Role::Viewer, &ONE_ADMIN, &[], &guard(2))), Some("stale"));
    assert_eq!(refusal(admin.change_role(&change, Role::Admin, &ONE_ADMIN, &[], &guard(2))), Some("stale"));
    assert_eq!(refusal(admin.remove(&remove, &ONE_ADMIN, &[], &[], &guard(2))), Some("stale"));
}

#[test]
fn who_loses_rank_loses_the_invitations_above_it() {
    let sent: Vec<_> = [(1, Role::Admin), (2, Role::Editor), (3, Role::Viewer)].map(|(n, r)| invitation(n, r)).into();
    let permit = permit_for::<actions::ChangeRole>(Role::Admin);
    for (to, taken_back) in [(Role::Editor, 1), (Role::Viewer, 2)] {
        let change = member(1, Role::Admin).change_role(&permit, to, &TWO_ADMINS, &sent, &Guard::default()).unwrap();
        let expected = [&["member.updated"][..], &vec!["invitation.revoked"; taken_back]].concat();
        assert_eq!(facts(&change), expected, "{to}");
        assert_eq!(change.set().writes().len(), 1 + taken_back);
    }
    let raised =
        member(2, Role::Viewer).change_role(&permit, Role::Admin, &ONE_ADMIN, &sent, &Guard::default()).unwrap();
    assert_eq!(facts(&raised), ["member.updated"]);
    let permit = permit_for::<actions::RemoveMember>(Role::Admin);
    let keys: Vec<ApiKey> = (1..=2).map(|n| crate::support::key(n, ScopeSet::EMPTY.with(Scope::RunsRead))).collect();
    let gone = member(2, Role::Viewer).remove(&permit, &ONE_ADMIN, &sent, &keys, &Guard::default()).unwrap();
    assert_eq!(facts(&gone), [&["member.removed"][..], &["api_key.revoked"; 2], &["invitation.revoked"; 3]].concat());
}

#[test]
fn an_invitation_needs_rank_a_stranger_and_a_seat() {
    let admin = permit_for::<actions::InviteMember>(Role::Admin);
    let stranger = Acquaintance::default();
    let code = |known: &Acquaintance, used: i64, limit| {
        let heads = Headcount { members: used, admins: 1, pending: 0 };
        Invitation::invite(&admin, new_invitation(Role::Admin), known, &heads, limit).err().map(|e| e.code())
    };
    let pending = |i: Invitation| Acquaintance { person: Some(i.person), is_member: false, pending: Some(i) };
    let over = Invitation { expires_at: start(), ..invitation(1, Role::Viewer) };
    let known = Acquaintance { person: Some(person(5)), is_member: true, pending: None };
    assert_eq!(code(&stranger, 4, 5), None);
    assert_eq!(code(&stranger, 5, 5), Some("seat-limit-reached"));
    assert_eq!(code(&stranger, 6, 5), Some("seat-limit-reached"));
    assert_eq!(code(&known, 5, 5), Some("already-member"));
    assert_eq!(code(&pending(invitation(1, Role::Viewer)), 5, 5), Some("already-invited"));
    assert_eq!(code(&pending(over.clone()), 4, 5), None);
    assert_eq!(code(&pending(over), 5, 5), Some("seat-limit-reached"));
}

#[test]
fn an_expired_invitation_makes_room_for_the_new_one_and_the_person_stays_the_same() {
    let permit = permit_for::<actions::InviteMember>(Role::Admin);
    let old = Invitation { expires_at: start(), ..invitation(1, Role::Viewer) };
    let known = Acquaintance { person: Some(old.person), is_member: false, pending: Some(old.clone()) };
    let change = Invitation::invite(&permit, new_invitation(Role::Editor), &known, &ONE_ADMIN, 9).unwrap();
    let [Write::Invitation(InvitationWrite::Expire(id, at)), Write::Invitation(InvitationWrite::Insert(fresh))] =
        change.set().writes()
    else {
        panic!("{:?}", change.set().writes())
    };
    assert_eq!((*id, *at), (old.id, start()));
    assert_eq!((fresh.person, fresh.generation, fresh.version), (old.person, 1, 1));
    assert_eq!(fresh.expires_at, start() + LIFETIME);
}

#[test]
fn resending_starts_a_new_week_with_a_new_link() {
    let permit = permit_for::<actions::ResendInvitation>(Role::Admin);
    let full = Headcount { members: 5, admins: 1, pending: 0 };
    let resend = |i: &Invitation, limit, guard: &Guard| {
        i.resend(&permit, Digest::new([7; 32]), DeliveryId::from_uuid(uuid(5)), &full, limit, guard)
    };
    let open = invitation(1, Role::Viewer);
    let change = resend(&open, 5, &guard(5)).unwrap();
    assert_eq!(facts(&change), ["invitation.resent"]);
    assert_eq!(change.set().notices().len(), 1);
    let [Write::Invitation(InvitationWrite::Renew(next))] = change.set().writes() else { panic!("one row") };
    assert_eq!((next.generation, next.version, next.email_status), (3, 6, EmailStatus::Queued));
    assert_eq!((next.token, next.expires_at), (Digest::new([7; 32]), start() + LIFETIME));

    assert_eq!(refusal(resend(&open, 5, &guard(4))), Some("stale"));
    let over = Invitation { expires_at: start(), ..open.clone() };
    assert_eq!(refusal(resend(&over, 5, &Guard::default())), Some("seat-limit-reached"));
    assert_eq!(refusal(resend(&over, 6, &Guard::default())), None);
    for state in [InvitationState::Accepted, InvitationState::Revoked, InvitationState::Expired] {
        let closed = Invitation { state, ..open.clone() };
        assert_eq!(refusal(resend(&closed, 9, &guard(4))), Some("invitation-closed"));
        let revoke = permit_for::<actions::RevokeInvitation>(Role::Admin);
        assert_eq!(refusal(closed.revoke(&revoke, &guard(4))), Some("invitation-closed"));
    }
}

fn accept(i: &Invitation, token: [u8; 32], email: Option<&str>, member: Option<Member>) -> Result<Member, AcceptError> {
    let permit = permit_of::<actions::AcceptInvitation>(&Actor::invitee(i, user(8)));
    let by = Invitee { user: user(8), verified_email: email.map(|e| e.parse().unwrap()), member };
    i.accept(&permit, &Digest::new(token), &by).map(|change| {
        assert_eq!(facts(&change), ["member.joined"]);
        assert_eq!(change.set().writes().len(), 3);
        let mut joined = None;
        let _ = change.map(|member| joined = Some(member));
        joined.unwrap()
    })
}

#[test]
fn an_invitation_is_accepted_once_in_time_by_the_verified_address() {
    let (good, mine) = ([2; 32], Some("Guest1@EXAMPLE.org"));
    let open = invitation(1, Role::Editor);
    let tick = Duration::microseconds(1);
    let ends = |at| Invitation { expires_at: at, ..open.clone() };
    let is = |state| Invitation { state, ..open.clone() };
    assert!(accept(&open, good, mine, None).is_ok());
    assert!(accept(&ends(start() + tick), good, mine, None).is_ok());
    assert_eq!(accept(&ends(start()), good, mine, None), Err(AcceptError::Expired));
    assert_eq!(accept(&ends(start() - tick), good, mine, None), Err(AcceptError::Expired));
    assert_eq!(accept(&open, [3; 32], mine, None), Err(AcceptError::NotFound));
    for state in [InvitationState::Accepted, InvitationState::Revoked, InvitationState::Expired] {
        assert_eq!(accept(&is(state), good, mine, None), Err(AcceptError::NotFound));
    }
    assert_eq!(accept(&open, good, None, None), Err(AcceptError::EmailNotVerified));
    assert_eq!(accept(&open, good, Some("guest2@example.org"), None), Err(AcceptError::EmailMismatch));
    assert_eq!(accept(&open, good, mine, Some(member(8, Role::Viewer))), Err(AcceptError::AlreadyMember));
    // A stranger who guessed the address but not the token learns nothing of either.
    assert_eq!(accept(&ends(start()), [3; 32], None, None), Err(AcceptError::NotFound));
    assert_eq!(AcceptError::Expired.kind(), Kind::Gone);
}

#[test]
fn a_new_link_is_asked_for_once_the_old_one_is_over_and_while_it_waits() {
    let open = invitation(1, Role::Editor);
    let tick = Duration::microseconds(1);
    assert!(!open.may_be_asked_for(open.expires_at - tick), "its link works");
    assert!(open.may_be_asked_for(open.expires_at) && open.may_be_asked_for(open.expires_at + tick));
    for state in [InvitationState::Accepted, InvitationState::Revoked, InvitationState::Expired] {
        let closed = Invitation { state, ..open.clone() };
        assert!(!closed.may_be_asked_for(open.expires_at), "{state:?}");
    }
}

#[test]
fn who_joins_has_the_invited_role_and_who_comes_back_continues_the_count() {
    let open = invitation(1, Role::Editor);
    let mine = Some("guest1@example.org");
    let joined = accept(&open, [2; 32], mine, None).unwrap();
    assert_eq!((joined.role, joined.user, joined.person, joined.version), (Role::Editor, user(8), open.person, 1));
    assert_eq!((joined.joined_at, joined.removed_at), (start(), None));
    let former = Member { removed_at: Some(start()), role: Role::Admin, version: 4, ..member(8, Role::Admin) };
    let back = accept(&open, [2; 32], mine, Some(former)).unwrap();
    assert_eq!((back.role, back.version, back.is_active()), (Role::Editor, 5, true));
}
