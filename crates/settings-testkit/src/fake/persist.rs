//! A whole change, or nothing: every write with the constraints that a database would have.
mod values;

use super::{
    audit_digest, billing, erasure, mirror, notifications,
    state::{Message, Outcome, PersonRow, State, Tenant},
};
use settings_domain::{
    api_keys::ApiKeyWrite,
    billing::seats,
    change::{ChangeSet, Write},
    environments::{EnvironmentWrite, PRODUCTION, Tier},
    ids::{InvitationId, PersonId, WorkspaceId},
    invitations::{InvitationState, InvitationWrite},
    members::{Headcount, Member, MemberWrite, Person},
    notices::Notice,
    ports::{
        StoreError,
        audit::{AuditSealer, Link},
        outbox::Job,
    },
    references::ReferrerWrite,
    workspaces::WorkspaceWrite,
};
use std::collections::BTreeSet;
use time::OffsetDateTime;

fn refused(constraint: &str) -> StoreError {
    StoreError::Constraint(constraint.to_owned())
}
/// The row that was decided about is not there as it was.
fn require(met: bool) -> Result<(), StoreError> {
    if met { Ok(()) } else { Err(refused("version")) }
}

/// Applies a change to a copy. `scope` says where its outcome is kept.
pub(super) fn apply(
    state: &mut State,
    set: &ChangeSet,
    at: OffsetDateTime,
    sealer: &dyn AuditSealer,
    scope: Option<WorkspaceId>,
) -> Result<Option<Link>, StoreError> {
    let id = set.scope().workspace();
    let before = state.living(id).map(|t| t.headcount(at)).unwrap_or_default();
    require(state.tenants.get(&id).is_none_or(|t| !t.deleted))?;
    for write in set.writes() {
        match write {
            Write::Workspace(WorkspaceWrite::Insert(row)) => {
                if state.by_slug(&row.slug).is_some() || row.id != id {
                    return Err(refused("slug"));
                }
                require(state.tenants.insert(id, Tenant::new(row.clone())).is_none())?;
            }
            Write::Erasure(w) => erasure::write(state, id, w, at)?,
            Write::Delivery(w) => notifications::delivery(state, id, w, at)?,
            Write::Billing(w) => billing::write(state, id, w, at)?,
            other => one(state.tenants.get_mut(&id).ok_or_else(|| refused("version"))?, other)?,
        }
    }
    if let Some(tenant) = state.living(id) {
        check(tenant, &before, at)?;
    }
    let last = append(state, set, sealer)?;
    for notice in set.notices() {
        let (delivery, job) = match *notice {
            Notice::InvitationMail { delivery, invitation, generation } => {
                (delivery, Job::Invitation(id, invitation, generation))
            }
            Notice::AuditDigestMail { delivery, run, recipient } => (delivery, Job::AuditDigest(id, run, recipient)),
            Notice::ErasureMail { delivery, admin, seq } => (delivery, Job::MemberErased(id, admin, seq)),
            Notice::Delivery(delivery) => (delivery, Job::Notification(id)),
            Notice::SeatQuantity(delivery) => (delivery, Job::SeatQuantity(id)),
        };
        let message = Message::new(job, at);
        require(state.queue.insert(delivery, message).is_none())?;
    }
    mirror::want(state, id, set.writes(), at);
    if let Some(outcome) = set.outcome() {
        let call = &outcome.call;
        state.outcomes.retain(|o| o.at > at - settings_domain::idempotency::KEPT);
        let same = |o: &Outcome| {
            let c = &o.kept.call;
            o.scope == scope && c.principal == call.principal && c.operation == call.operation && c.key == call.key
        };
        if state.outcomes.iter().any(same) {
            return Err(refused("idempotency"));
        }
        state.outcomes.push(Outcome { scope, kept: outcome.clone(), at });
    }
    Ok(last)
}

fn one(tenant: &mut Tenant, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Workspace(w) => workspace(tenant, w),
        Write::Environment(w) => environment(tenant, w),
        Write::Member(w) => member(tenant, w),
        Write::Invitation(w) => invitation(tenant, w),
        Write::ApiKey(w) => api_key(tenant, w),
        Write::Variable(w) => values::variable(tenant, w),
        Write::Secret(w) => values::secret(tenant, w),
        Write::Model(w) => values::model(tenant, w),
        Write::Referrer(ReferrerWrite::Put(row)) => values::referrer(tenant, row),
        Write::AuditDigest(w) => audit_digest::write(tenant, w),
        Write::Notifications(w) => notifications::settings(tenant, w),
        Write::Event(w) => notifications::event(tenant, w),
        Write::Connection(w) => notifications::connection(tenant, w),
        Write::WebhookSubscription(w) => notifications::webhook(tenant, w),
        // They need more than the tenant.
        Write::Delivery(_) | Write::Erasure(_) | Write::Billing(_) => Err(refused("version")),
    }
}

fn workspace(tenant: &mut Tenant, write: &WorkspaceWrite) -> Result<(), StoreError> {
    match write {
        WorkspaceWrite::Insert(_) => Err(refused("version")),
        WorkspaceWrite::Update(row) => {
            let there = &tenant.workspace;
            require(row.id == there.id && row.version == there.version + 1)?;
            if row.slug != there.slug {
                return Err(refused("slug-immutable"));
            }
            tenant.workspace = row.clone();
            Ok(())
        }
        WorkspaceWrite::Delete(_) => {
            tenant.deleted = true;
            Ok(())
        }
    }
}

fn environment(tenant: &mut Tenant, write: &EnvironmentWrite) -> Result<(), StoreError> {
    let rows = &mut tenant.environments;
    match write {
        EnvironmentWrite::Insert(row) => {
            require(rows.iter().all(|e| e.id != row.id))?;
            rows.push(row.clone());
        }
        EnvironmentWrite::Update(row) => {
            let there = rows.iter_mut().find(|e| e.id == row.id).ok_or_else(|| refused("version"))?;
            require(row.version == there.version + 1)?;
            *there = row.clone();
        }
        EnvironmentWrite::Delete(id) => {
            let before = rows.len();
            rows.retain(|e| e.id != *id);
            require(rows.len() + 1 == before)?;
            values::empty(tenant, *id);
        }
    }
    Ok(())
}

fn member(tenant: &mut Tenant, write: &MemberWrite) -> Result<(), StoreError> {
    match write {
        MemberWrite::InsertPerson(Person { id, user, email }) => {
            let email = email.as_ref().map(|e| e.key().clone());
            if email.is_some() && tenant.persons.values().any(|p| p.email == email) {
                return Err(refused("person-email"));
            }
            require(tenant.persons.insert(*id, PersonRow { user: *user, email, salt: None }).is_none())
        }
        MemberWrite::BindPerson(id, user) => {
            tenant.persons.get_mut(id).ok_or_else(|| refused("version"))?.user = Some(*user);
            Ok(())
        }
        MemberWrite::Join(row) => {
            let before = tenant.members.insert(row.user, row.clone());
            let again = |m: &Member| !m.is_active() && row.version == m.version + 1;
            require(before.as_ref().is_none_or(again))?;
            if tenant.persons.contains_key(&row.person) { Ok(()) } else { Err(refused("foreign-key")) }
        }
        MemberWrite::Update(row) => {
            let there = tenant.members.get_mut(&row.user).ok_or_else(|| refused("version"))?;
            require(there.is_active() && row.version == there.version + 1)?;
            *there = row.clone();
            Ok(())
        }
    }
}

fn invitation(tenant: &mut Tenant, write: &InvitationWrite) -> Result<(), StoreError> {
    let mut close = |id: &InvitationId, state| {
        let row = tenant.invitations.get_mut(id).ok_or_else(|| refused("version"))?;
        require(row.state == InvitationState::Pending)?;
        row.state = state;
        row.version += 1;
        Ok(())
    };
    match write {
        InvitationWrite::Accept(id, _) => close(id, InvitationState::Accepted),
        InvitationWrite::Revoke(id, _) => close(id, InvitationState::Revoked),
        InvitationWrite::Expire(id, _) => close(id, InvitationState::Expired),
        InvitationWrite::Renew(row) => {
            let there = tenant.invitations.get_mut(&row.id).ok_or_else(|| refused("version"))?;
            require(there.state == InvitationState::Pending && row.version == there.version + 1)?;
            *there = row.clone();
            Ok(())
        }
        InvitationWrite::Insert(row) => {
            if tenant.pending().any(|i| i.email.key() == row.email.key()) {
                return Err(refused("pending-invitation"));
            }
            if !tenant.persons.contains_key(&row.person) {
                return Err(refused("foreign-key"));
            }
            require(tenant.invitations.insert(row.id, row.clone()).is_none())
        }
    }
}

fn api_key(tenant: &mut Tenant, write: &ApiKeyWrite) -> Result<(), StoreError> {
    match write {
        ApiKeyWrite::Insert(record) if record.key.scopes.is_empty() => Err(refused("api-key-scopes")),
        ApiKeyWrite::Insert(record) => require(tenant.keys.insert(record.key.id, (**record).clone()).is_none()),
        ApiKeyWrite::Revoke(id, at) => {
            let there = tenant.keys.get_mut(id).ok_or_else(|| refused("version"))?;
            require(there.key.revoked_at.replace(*at).is_none())
        }
    }
}

/// What holds over a whole workspace once the change is made.
fn check(tenant: &Tenant, before: &Headcount, at: OffsetDateTime) -> Result<(), StoreError> {
    let heads = tenant.headcount(at);
    if before.admins > 0 && heads.admins == 0 {
        return Err(refused("last-admin"));
    }
    // Who joins has a seat since the invitation, so a subscription that shrinks meanwhile stands in nobody's way.
    let effective = seats::effective_seats(tenant.workspace.seat_limit, tenant.billing.account.subscription.as_ref());
    let limit = if heads.pending > before.pending { effective } else { tenant.workspace.seat_limit };
    if heads.used() > before.used() && heads.used() > limit {
        return Err(refused("seat-limit"));
    }
    let names: BTreeSet<_> = tenant.environments.iter().map(|e| e.name.as_str()).collect();
    if names.len() != tenant.environments.len() {
        return Err(refused("environment-name"));
    }
    let mut live = tenant.environments.iter().filter(|e| e.tier == Tier::Production || e.name.as_str() == PRODUCTION);
    // The platform's own tenant has no environments at all.
    if tenant.workspace.id == WorkspaceId::PLATFORM && tenant.environments.is_empty() {
        return Ok(());
    }
    let fine = live.next().is_some_and(|e| e.tier == Tier::Production && e.name.as_str() == PRODUCTION);
    if !fine || live.next().is_some() {
        return Err(refused("production"));
    }
    Ok(())
}

fn append(state: &mut State, set: &ChangeSet, sealer: &dyn AuditSealer) -> Result<Option<Link>, StoreError> {
    if set.events().is_empty() {
        return Ok(None);
    }
    let id = set.scope().workspace();
    let tenant = state.tenants.get_mut(&id).ok_or_else(|| refused("version"))?;
    let persons: BTreeSet<_> = set.events().iter().flat_map(|e| e.personal().into_iter().map(|p| p.person)).collect();
    for person in persons.into_iter().filter(|p| *p != PersonId::ERASED) {
        let row = tenant.persons.entry(person).or_default();
        if row.salt.is_none() {
            row.salt = Some(sealer.new_salt(id, person).map_err(StoreError::unavailable)?);
        }
    }
    let survey = set.writes().iter().find_map(|w| match w {
        Write::Erasure(w) => Some(w.survey.clone()),
        _ => None,
    });
    let survey = survey.unwrap_or_default();
    let salts = tenant.salts();
    let mut link = tenant.head.map_or(Link::START, |(seq, hash)| Link { seq, hash });
    for event in set.events() {
        let mut event = event.clone();
        if event.closes_openings() {
            let mut unopened = erasure::survey(tenant, survey.clone(), link.seq).unopened;
            let own = event.personal().into_iter().filter(|f| f.person == PersonId::ERASED);
            own.for_each(|f| unopened.add(link.seq + 1, f.field));
            event = event.vouching(&unopened);
        }
        let event = sealer.seal(&link, &event, &salts).map_err(StoreError::unavailable)?;
        link = Link { seq: event.record.seq, hash: event.hash };
        tenant.events.push(event);
    }
    tenant.head = Some((link.seq, link.hash));
    Ok(Some(link))
}
