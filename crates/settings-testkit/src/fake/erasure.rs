//! Erasure of a person: what is found, and what goes.
use super::{
    FakeStore,
    state::{Erasure, State, Tenant},
};
use async_trait::async_trait;
use settings_domain::{
    audit::export::ERASURE,
    deliveries::Destination,
    erasure::{ErasureWrite, Survey, Traces},
    ids::{PersonId, RecipientId, UserId, WorkspaceId},
    members::Member,
    ports::{
        StoreError,
        erasures::{ErasureRun, Erasures},
        outbox::Job,
    },
    text::Email,
};
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

pub(super) fn traces(state: &State, tenant: &Tenant, user: UserId) -> Option<Traces> {
    tenant.members.get(&user)?;
    let (mut persons, mut users): (BTreeSet<PersonId>, BTreeSet<UserId>) = (BTreeSet::new(), BTreeSet::from([user]));
    loop {
        let before = (persons.len(), users.len());
        persons.extend(tenant.members.values().filter(|m| users.contains(&m.user)).map(|m| m.person));
        persons.extend(
            tenant.persons.iter().filter(|(_, p)| p.user.is_some_and(|u| users.contains(&u))).map(|(id, _)| *id),
        );
        users.extend(tenant.members.values().filter(|m| persons.contains(&m.person)).map(|m| m.user));
        if before == (persons.len(), users.len()) {
            break;
        }
    }
    let accounts: Vec<_> = users.iter().filter_map(|u| state.accounts.get(u)).collect();
    let invitations = || tenant.invitations.values().filter(|i| persons.contains(&i.person));
    let mut addresses: BTreeSet<_> =
        accounts.iter().filter_map(|a| a.email.as_ref()).map(|e| e.key().clone()).collect();
    addresses.extend(invitations().map(|i| i.email.key().clone()));
    addresses.extend(persons.iter().filter_map(|p| tenant.persons.get(p)?.email.clone()));
    let mut texts: BTreeSet<String> = addresses.iter().map(|a| a.as_str().to_owned()).collect();
    texts.extend(invitations().map(|i| i.email.as_str().to_owned()));
    for a in &accounts {
        let said = [
            Some(a.subject.clone()),
            a.name.clone(),
            a.picture.clone(),
            a.email.as_ref().map(|e| e.as_str().to_owned()),
        ];
        texts.extend(said.into_iter().flatten().filter(|t| !t.trim().is_empty()));
    }
    let invited = tenant
        .persons
        .iter()
        .filter(|(_, p)| p.user.is_none() && p.email.as_ref().is_some_and(|e| addresses.contains(e)));
    let invited: Vec<_> = invited.map(|(id, _)| *id).collect();
    persons.extend(invited);
    let alone = |u: &&UserId| !state.tenants.values().any(|t| t.workspace.id != tenant.workspace.id && refers(t, **u));
    Some(Traces {
        user,
        email: state.accounts.get(&user).and_then(|a| a.email.clone()),
        members: tenant.members.values().filter(|m: &&Member| users.contains(&m.user)).cloned().collect(),
        accounts: users.iter().filter(alone).copied().collect(),
        addresses,
        texts,
        persons,
    })
}

fn refers(tenant: &Tenant, user: UserId) -> bool {
    tenant.members.contains_key(&user)
        || tenant.invitations.values().any(|i| i.invited_by == Some(user))
        || tenant.keys.values().any(|k| k.key.created_by == Some(user))
}

/// Goes on with a survey, up to a place of the chain.
pub(super) fn survey(tenant: &Tenant, mut survey: Survey, end: i64) -> Survey {
    let left: BTreeSet<_> = tenant.erasures.values().flat_map(|e| &e.left).chain(&survey.persons).copied().collect();
    let places = tenant.events.iter().filter(|e| e.record.seq > survey.upto && e.record.seq <= end);
    let fields = places.flat_map(|e| e.openings.iter().map(|o| (e.record.seq, o)));
    let unopened = fields.filter(|(_, o)| o.sealed.is_none() || left.contains(&o.person));
    let fields = unopened.map(|(seq, o)| (seq, o.field.clone(), survey.persons.contains(&o.person))).collect();
    survey.extend(end, fields);
    survey
}

pub(super) fn erased_since(tenant: &Tenant, seq: i64) -> bool {
    tenant.events.iter().any(|e| e.record.seq > seq && e.record.action == ERASURE)
}

#[async_trait]
impl Erasures for FakeStore {
    async fn erasure(&self, workspace: WorkspaceId, seq: i64) -> Result<Option<ErasureRun>, StoreError> {
        Ok(self.state().tenants.get(&workspace).and_then(|t| t.erasures.get(&seq)).map(|e| e.run))
    }
    async fn left_alone(&self, idle: Duration) -> Result<Vec<(WorkspaceId, i64)>, StoreError> {
        let (state, since) = (self.state(), self.now() - idle);
        let left = |(id, tenant): (&WorkspaceId, &Tenant)| {
            let alone = tenant.erasures.values().filter(|e| e.run.completed_at.is_none() && e.touched_at <= since);
            alone.map(|e| (*id, e.run.seq)).collect::<Vec<_>>()
        };
        Ok(state.tenants.iter().flat_map(left).collect())
    }
    async fn empty(&self, workspace: WorkspaceId, seq: i64, after: i64, limit: i64) -> Result<Option<i64>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let Some(Tenant { events, erasures, .. }) = state.tenants.get_mut(&workspace) else { return Ok(None) };
        let Some(erasure) = erasures.get_mut(&seq) else { return Ok(None) };
        erasure.touched_at = now;
        let Some(person) = erasure.left.first().copied() else {
            erasure.run.completed_at.get_or_insert(now);
            return Ok(None);
        };
        let openings = events.iter_mut().filter(|e| e.record.seq > after && e.record.seq < seq);
        let openings = openings.flat_map(|e| e.openings.iter_mut().map(|o| (e.record.seq, o)));
        let mut last = None;
        for (place, opening) in openings.filter(|(_, o)| o.person == person).take(usize::try_from(limit).unwrap_or(1)) {
            (opening.sealed, opening.person) = (None, PersonId::ERASED);
            erasure.run.emptied += 1;
            last = Some(place - 1);
        }
        if last.is_none() && after == 0 {
            erasure.left.remove(&person);
        }
        Ok(Some(last.unwrap_or(0)))
    }
}

pub(super) fn write(
    state: &mut State,
    workspace: WorkspaceId,
    write: &ErasureWrite,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let unknown = || StoreError::Constraint("version".to_owned());
    let tenant = state.tenants.get_mut(&workspace).ok_or_else(unknown)?;
    tenant.erased.insert(write.subject.as_bytes().to_vec());
    let (seq, events, openings) = (write.seq, write.survey.events, write.survey.openings);
    let run = ErasureRun { seq, events, openings, emptied: 0, completed_at: None };
    tenant.erasures.insert(seq, Erasure { run, left: write.persons.clone(), touched_at: at });
    let is_user = |u: &UserId| write.users.contains(u);
    tenant.members.retain(|u, _| !is_user(u));
    tenant.activity.retain(|u, _| !is_user(u));
    for key in tenant.keys.values_mut() {
        key.key.created_by = key.key.created_by.filter(|u| !is_user(u));
    }
    let gone =
        |person: &PersonId, email: &Email| write.persons.contains(person) || write.addresses.contains(email.key());
    let invitations: BTreeSet<_> =
        tenant.invitations.iter().filter(|(_, i)| gone(&i.person, &i.email)).map(|(id, _)| *id).collect();
    tenant.invitations.retain(|id, _| !invitations.contains(id));
    for invitation in tenant.invitations.values_mut() {
        invitation.invited_by = invitation.invited_by.filter(|u| !is_user(u));
    }
    tenant.persons.retain(|id, _| !write.persons.contains(id));
    for person in tenant.persons.values_mut() {
        person.email = person.email.take().filter(|e| !write.addresses.contains(e));
        person.user = person.user.filter(|u| !is_user(u));
    }
    let recipients: BTreeSet<_> = tenant
        .notifications
        .iter()
        .flat_map(|n| n.recipients())
        .cloned()
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|r| write.addresses.contains(r.email.key()))
        .map(|r| r.id)
        .collect();
    for entry in tenant.ledger.values_mut() {
        match &mut entry.delivery.destination {
            Destination::Member(user) if is_user(user) => *user = UserId::from_uuid(PersonId::ERASED.as_uuid()),
            Destination::Recipient(id) if recipients.contains(id) => {
                *id = RecipientId::from_uuid(PersonId::ERASED.as_uuid());
            }
            _ => {}
        }
    }
    let nobody = settings_domain::audit_digest::nobody().map_err(|_| unknown())?;
    for recipient in tenant.digest_runs.values_mut().flat_map(|r| &mut r.recipients) {
        if write.addresses.contains(recipient.key()) {
            *recipient = nobody.clone();
        }
    }
    state.outcomes.retain(|o| {
        let call = &o.kept.call;
        let own = o.scope.is_none_or(|s| s == workspace);
        !own || ![&call.principal, &call.key, &o.kept.value].into_iter().any(|text| write.is_named_in(text))
    });
    let mut links = BTreeSet::new();
    if !write.accounts.is_empty() {
        links =
            state.links.iter().filter(|(_, l)| write.addresses.contains(l.email.key())).map(|(id, _)| *id).collect();
        state.links.retain(|id, _| !links.contains(id));
        state.sessions.retain(|_, s| !write.accounts.contains(&s.user));
        state.accounts.retain(|id, _| !write.accounts.contains(id));
    }
    let asked: BTreeSet<_> = state
        .asks
        .iter()
        .filter(|((w, _, _, u), _)| *w == workspace && write.users.contains(u))
        .map(|(_, d)| *d)
        .collect();
    state.asks.retain(|_, delivery| !asked.contains(delivery));
    state.queue.retain(|delivery, _| !asked.contains(delivery));
    state.queue.retain(|_, m| match m.job {
        Job::Invitation(_, id, _) => !invitations.contains(&id),
        Job::SignIn(id) => !links.contains(&id),
        Job::MemberErased(of, admin, _) => of != workspace || !write.users.contains(&admin),
        _ => true,
    });
    Ok(())
}
