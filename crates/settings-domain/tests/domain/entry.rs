//! Who gets in: every kind of standing, for every kind of caller.
use crate::support::{key, member, other_workspace, start, user, uuid, workspace};
use settings_domain::{
    api_keys::{ApiKeyRecord, KeyStatus},
    ids::ApiKeyId,
    members::Member,
    policy::{Actor, Principal, Role, Scope, ScopeSet},
    ports::store::Standing,
    tokens::{Digest, Seal},
    transaction::{Caller, EntryError, actor},
};
use time::Duration;

fn standing() -> Standing {
    Standing { workspace: workspace(), at: start(), exists: true, member: None, key: None }
}
fn account(platform: bool) -> Caller {
    Caller::User { id: user(1), verified_email: None, platform }
}
fn record(f: impl FnOnce(&mut settings_domain::api_keys::ApiKey)) -> ApiKeyRecord {
    let mut key = key(1, ScopeSet::EMPTY.with(Scope::RunsRead));
    f(&mut key);
    ApiKeyRecord { key, digest: Digest::new([7; 32]), seal: Seal::new([8; 32]) }
}
fn key_caller() -> Caller {
    Caller::Key((&key(1, ScopeSet::EMPTY.with(Scope::RunsRead))).into())
}
fn outcome(result: &Result<Actor, EntryError>) -> &'static str {
    match result {
        Ok(actor) => match actor.principal() {
            Principal::Member { .. } => "member",
            Principal::Platform { member: Some(_), .. } => "platform and member",
            Principal::Platform { member: None, .. } => "platform",
            Principal::Key { .. } => "key",
            Principal::Invitee { .. } | Principal::Task(_) => panic!("nobody becomes that at the door"),
        },
        Err(EntryError::NotFound) => "not found",
        Err(EntryError::KeyInvalid) => "key invalid",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_account_gets_in_as_an_active_member_or_as_the_platform() {
    for role in Role::ALL {
        let active = member(1, role);
        let former = Member { removed_at: Some(start() - Duration::hours(1)), ..active.clone() };
        for (exists, membership, platform, expected) in [
            (true, Some(&active), false, "member"),
            (true, Some(&active), true, "platform and member"),
            (true, Some(&former), false, "not found"),
            (true, Some(&former), true, "platform"),
            (true, None, false, "not found"),
            (true, None, true, "platform"),
            (false, Some(&active), false, "not found"),
            (false, Some(&active), true, "not found"),
            (false, Some(&former), false, "not found"),
            (false, None, true, "not found"),
            (false, None, false, "not found"),
        ] {
            let standing = Standing { exists, member: membership.cloned(), ..standing() };
            let result = actor(&account(platform), &standing);
            assert_eq!(outcome(&result), expected, "{role} {exists} {platform}");
            if let Ok(actor) = result {
                assert_eq!((actor.workspace(), actor.user()), (workspace(), Some(user(1))));
                assert_eq!(actor.person().is_some(), membership.is_some_and(Member::is_active));
            }
        }
    }
}

#[test]
fn a_former_member_has_no_actor_whatever_the_role_was() {
    for role in Role::ALL {
        for platform in [false, true] {
            let former = Member { removed_at: Some(start()), ..member(1, role) };
            assert_eq!(Actor::member(&former, platform), None);
        }
    }
}

#[test]
fn a_former_admin_who_owns_the_platform_has_the_platforms_rights_only() {
    let former = Member { removed_at: Some(start()), ..member(1, Role::Admin) };
    let found = actor(&account(true), &Standing { member: Some(former), ..standing() }).unwrap();
    assert_eq!(found, Actor::platform(user(1), workspace()));
}

#[test]
fn a_key_gets_in_until_the_instant_at_which_it_ends() {
    let tick = Duration::microseconds(1);
    for (end, expected) in [(-tick, "key invalid"), (Duration::ZERO, "key invalid"), (tick, "key")] {
        let record = record(|k| k.expires_at = Some(start() + end));
        let caller = Caller::Key((&record.key).into());
        let result = actor(&caller, &Standing { key: Some(record.clone()), ..standing() });
        assert_eq!(outcome(&result), expected, "{end}");
        assert_eq!(record.key.status(start()) == KeyStatus::Active, expected == "key");
    }
}

#[test]
fn no_other_key_gets_in() {
    let elsewhere = |r: ApiKeyRecord| {
        let mut r = r;
        r.key.workspace = other_workspace();
        r
    };
    let good = record(|_| {});
    let revoked = record(|k| k.revoked_at = Some(start() - Duration::days(1)));
    let revoked_later = record(|k| k.revoked_at = Some(start() + Duration::days(1)));
    let expired = record(|k| k.expires_at = Some(start() - Duration::days(1)));
    for (exists, record, expected) in [
        (true, Some(good.clone()), "key"),
        (true, Some(revoked.clone()), "key invalid"),
        (true, Some(revoked_later), "key invalid"),
        (true, Some(expired.clone()), "key invalid"),
        (true, None, "key invalid"),
        (true, Some(elsewhere(good.clone())), "not found"),
        (true, Some(elsewhere(revoked)), "not found"),
        (true, Some(elsewhere(expired)), "not found"),
        (false, Some(good.clone()), "key invalid"),
        (false, Some(elsewhere(good)), "not found"),
        (false, None, "key invalid"),
    ] {
        let result = actor(&key_caller(), &Standing { exists, key: record, ..standing() });
        assert_eq!(outcome(&result), expected, "{exists}");
        if let Ok(actor) = result {
            assert_eq!((actor.workspace(), actor.user(), actor.person()), (workspace(), None, None));
        }
    }
}

/// Scopes and expiry never change: a row that says otherwise than what was authenticated was tampered with.
#[test]
fn a_key_whose_row_has_changed_since_it_was_authenticated_does_not_get_in() {
    let later = Some(start() + Duration::days(1));
    for row in [
        record(|k| k.scopes = ScopeSet::EMPTY.with(Scope::RunsRead).with(Scope::SecretsRead)),
        record(|k| k.scopes = ScopeSet::EMPTY.with(Scope::SecretsRead)),
        record(|k| k.scopes = ScopeSet::EMPTY),
        record(|k| k.expires_at = later),
    ] {
        let result = actor(&key_caller(), &Standing { key: Some(row), ..standing() });
        assert_eq!(outcome(&result), "key invalid");
    }
    let authenticated = record(|k| k.expires_at = later);
    let longer = record(|k| k.expires_at = None);
    let caller = Caller::Key((&authenticated.key).into());
    assert_eq!(outcome(&actor(&caller, &Standing { key: Some(longer), ..standing() })), "key invalid");
    // A new name changes nothing of what it may.
    let renamed = record(|k| k.name = "renamed".parse().unwrap());
    assert_eq!(outcome(&actor(&key_caller(), &Standing { key: Some(renamed), ..standing() })), "key");
}

#[test]
fn a_key_does_not_get_in_as_the_member_who_made_it() {
    let standing = Standing { member: Some(member(1, Role::Admin)), ..standing() };
    assert_eq!(outcome(&actor(&key_caller(), &standing)), "key invalid");
}

#[test]
fn an_account_does_not_get_in_by_a_key() {
    let standing = Standing { key: Some(record(|_| {})), ..standing() };
    assert_eq!(outcome(&actor(&account(false), &standing)), "not found");
}

/// A store that mixes rows up must not lend one tenant's right to another.
#[test]
fn a_standing_with_rows_of_somebody_else_lets_nobody_in() {
    let of_other_tenant = Member { workspace: other_workspace(), ..member(1, Role::Admin) };
    let of_other_account = member(2, Role::Admin);
    for row in [of_other_tenant, of_other_account] {
        let result = actor(&account(false), &Standing { member: Some(row), ..standing() });
        assert_eq!(outcome(&result), "not found");
    }
    for workspace in [workspace(), other_workspace()] {
        let other_key = record(|k| (k.id, k.workspace) = (ApiKeyId::from_uuid(uuid(99)), workspace));
        let result = actor(&key_caller(), &Standing { key: Some(other_key), ..standing() });
        assert_eq!(outcome(&result), "key invalid");
    }
}
