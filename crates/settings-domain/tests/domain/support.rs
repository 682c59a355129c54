//! Small things that every test needs: ids, instants, actors, permits.
use settings_domain::{
    api_keys::ApiKey,
    audit::AuditRecord,
    change::Change,
    error::{Classified, Refused},
    ids::{ApiKeyId, PersonId, UserId, WorkspaceId},
    members::Member,
    policy::{Action, Actor, Permit, Role, ScopeSet, permit},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A UUID that is the same in every run: version 7 in shape, `n` in content.
pub(crate) fn uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(0x0192_f0c1_2d3e_7000, 0x8000_0000_0000_0000 | n)
}
pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::from_uuid(uuid(1))
}
pub(crate) fn other_workspace() -> WorkspaceId {
    WorkspaceId::from_uuid(uuid(2))
}
pub(crate) fn user(n: u64) -> UserId {
    UserId::from_uuid(uuid(1_000 + n))
}
pub(crate) fn person(n: u64) -> PersonId {
    PersonId::from_uuid(uuid(2_000 + n))
}
/// The instant at which every test starts.
pub(crate) fn start() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::days(21_000)
}

pub(crate) fn member(n: u64, role: Role) -> Member {
    Member {
        workspace: workspace(),
        user: user(n),
        person: person(n),
        role,
        joined_at: start() - Duration::days(1),
        removed_at: None,
        version: 1,
    }
}
pub(crate) fn key(n: u64, scopes: ScopeSet) -> ApiKey {
    ApiKey {
        workspace: workspace(),
        id: ApiKeyId::from_uuid(uuid(3_000 + n)),
        name: "deploy".parse().unwrap(),
        prefix: "sk_".to_owned(),
        last4: "abcd".to_owned(),
        scopes,
        created_by: Some(user(1)),
        created_at: start() - Duration::days(1),
        expires_at: None,
        revoked_at: None,
    }
}

/// What an active member with this role may do, at the start.
pub(crate) fn permit_for<A: Action>(role: Role) -> Permit<A> {
    permit_of(&Actor::member(&member(1, role), false).unwrap())
}
/// What the platform may do, at the start.
pub(crate) fn platform_permit<A: Action>() -> Permit<A> {
    permit_of(&Actor::platform(user(90), workspace()))
}
pub(crate) fn permit_of<A: Action>(actor: &Actor) -> Permit<A> {
    permit::<A>(actor, start()).unwrap()
}

/// Names of the facts that a change records, in order.
pub(crate) fn facts<T>(change: &Change<T>) -> Vec<&'static str> {
    change.set().events().iter().map(|e| e.fact().name()).collect()
}
/// The public part of the only event of a change.
pub(crate) fn record<T>(change: &Change<T>) -> AuditRecord {
    let [event] = change.set().events() else { panic!("one event was expected, not {}", change.set().events().len()) };
    event.record(1)
}
/// Whether a change does nothing at all.
pub(crate) fn is_nothing<T>(change: &Change<T>) -> bool {
    let set = change.set();
    set.writes().is_empty() && set.events().is_empty() && set.notices().is_empty()
}

/// What a refusal is called: the code of a rule, `stale` or `unconfirmed`.
pub(crate) fn refusal<T, E: Classified>(result: Result<T, Refused<E>>) -> Option<&'static str> {
    match result {
        Ok(_) => None,
        Err(Refused::Stale) => Some("stale"),
        Err(Refused::Unconfirmed(_)) => Some("unconfirmed"),
        Err(Refused::Rule(e)) => Some(e.code()),
    }
}
