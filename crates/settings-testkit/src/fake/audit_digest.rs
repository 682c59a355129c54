//! The audit digest: its rows, and a stretch of the log in numbers.
use super::{
    FakeStore,
    state::{State, Tenant},
};
use async_trait::async_trait;
use settings_domain::{
    audit::{Risk, SealedEvent},
    audit_digest::{ActorCount, ActorName, AuditDigestWrite, AuditSummary, DigestRun, RunState},
    ids::WorkspaceId,
    ports::{StoreError, outbox::DueDigests},
};
use std::collections::BTreeMap;

fn require(met: bool) -> Result<(), StoreError> {
    if met { Ok(()) } else { Err(StoreError::Constraint("version".to_owned())) }
}

pub(super) fn write(tenant: &mut Tenant, write: &AuditDigestWrite) -> Result<(), StoreError> {
    match write {
        AuditDigestWrite::Configure(row) => {
            let there = tenant.digest.replace(row.clone()).unwrap_or_default();
            require(row.version == there.version + 1)?;
            require(row.settings.enabled == row.next_due_at.is_some())
        }
        AuditDigestWrite::Begin(run, next) => {
            let unknown = || StoreError::Constraint("version".to_owned());
            let digest = tenant.digest.as_mut().ok_or_else(unknown)?;
            require(digest.next_due_at == Some(run.due_at))?;
            (digest.next_due_at, digest.last_due_at) = (Some(*next), Some(run.due_at));
            require(tenant.digest_runs.values().all(|r| r.due_at != run.due_at))?;
            for earlier in tenant.digest_runs.values_mut().filter(|r| r.state == RunState::Queued) {
                earlier.state = RunState::Superseded;
            }
            require(tenant.digest_runs.insert(run.id, (**run).clone()).is_none())
        }
        AuditDigestWrite::Sent(run, at) => {
            let there = tenant.digest_runs.get_mut(&run.id).filter(|r| r.state == RunState::Queued);
            let (Some(there), Some(digest)) = (there, tenant.digest.as_mut()) else { return require(false) };
            require(digest.covered_seq <= run.to_seq)?;
            there.state = RunState::Sent;
            (digest.covered_seq, digest.covered_at, digest.last_sent_at) = (run.to_seq, Some(run.until), Some(*at));
            Ok(())
        }
    }
}

fn actor(state: &State, tenant: &Tenant, event: &SealedEvent) -> ActorName {
    match event.record.actor_kind.as_str() {
        "system" => ActorName::Platform,
        "service" => ActorName::Service,
        "api_key" => {
            let key = event.record.actor_key.and_then(|id| tenant.keys.get(&id));
            key.map_or_else(|| ActorName::key("", ""), |k| ActorName::key(k.key.name.as_str(), &k.key.prefix))
        }
        _ => {
            let opening = event.openings.iter().find(|o| o.field == "actor");
            let person = opening.and_then(|o| tenant.persons.get(&o.person)).filter(|p| p.salt.is_some());
            let user = person.and_then(|p| p.user).and_then(|user| state.user(user));
            ActorName::Person(user.and_then(|u| u.name.or_else(|| u.email.map(String::from))))
        }
    }
}

pub(super) fn summary(state: &State, tenant: &Tenant, run: &DigestRun) -> AuditSummary {
    let counts =
        |e: &&SealedEvent| (run.from_seq..=run.to_seq).contains(&e.record.seq) && run.risks.contains(&e.record.risk);
    let mut totals: BTreeMap<Risk, i64> = BTreeMap::new();
    // Who, with how many events and the first of them.
    let mut actors: BTreeMap<ActorName, (i64, i64)> = BTreeMap::new();
    for event in tenant.events.iter().filter(counts) {
        *totals.entry(event.record.risk).or_default() += 1;
        actors.entry(actor(state, tenant, event)).or_insert((0, event.record.seq)).0 += 1;
    }
    let mut actors: Vec<_> = actors.into_iter().collect();
    actors.sort_by_key(|(_, (events, first))| (-events, *first));
    let actors = actors.into_iter().take(5).map(|(actor, (events, _))| ActorCount { actor, events }).collect();
    AuditSummary { totals: totals.into_iter().collect(), actors }
}

#[async_trait]
impl DueDigests for FakeStore {
    async fn due_digests(&self, limit: i64) -> Result<Vec<WorkspaceId>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let mut due: Vec<_> = state
            .tenants
            .values()
            .filter(|t| !t.deleted)
            .filter_map(|t| t.digest.as_ref()?.next_due_at.filter(|due| *due <= now).map(|due| (due, t.workspace.id)))
            .collect();
        due.sort();
        Ok(due.into_iter().map(|(_, id)| id).take(usize::try_from(limit).unwrap_or_default()).collect())
    }
}
