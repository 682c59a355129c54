//! What a directory elsewhere has to follow.
use super::{FakeStore, state::State};
use async_trait::async_trait;
use settings_domain::{
    change::Write,
    ids::WorkspaceId,
    invitations::InvitationState,
    members::Member,
    mirror::{Invited, Roster, follows},
    ports::{
        StoreError,
        mirror::{Backlog, Behind, MirrorQueue, Place},
    },
};
use time::{Duration, OffsetDateTime};

#[derive(Debug, Clone)]
pub(super) struct MirrorRow {
    wanted: i64,
    mirrored: i64,
    since: OffsetDateTime,
    attempts: i64,
    next_at: OffsetDateTime,
    lease_until: Option<OffsetDateTime>,
    cause: Option<&'static str>,
}

impl MirrorRow {
    const fn is_behind(&self) -> bool {
        self.mirrored < self.wanted
    }
}

/// Raises what is wanted of a workspace, where a write asks for it.
pub(super) fn want(state: &mut State, workspace: WorkspaceId, writes: &[Write], at: OffsetDateTime) {
    if workspace == WorkspaceId::PLATFORM || !writes.iter().any(follows) {
        return;
    }
    let new = MirrorRow { wanted: 0, mirrored: 0, since: at, attempts: 0, next_at: at, lease_until: None, cause: None };
    let row = state.mirrors.entry(workspace).or_insert(new);
    if !row.is_behind() {
        row.since = at;
    }
    row.wanted += 1;
    row.next_at = at;
}

/// The row as this worker has taken it.
fn own<'s>(state: &'s mut State, behind: &Behind) -> Option<&'s mut MirrorRow> {
    let mine = |r: &&mut MirrorRow| r.attempts == behind.attempt + 1 && r.lease_until.is_some();
    state.mirrors.get_mut(&behind.workspace).filter(mine)
}

#[async_trait]
impl MirrorQueue for FakeStore {
    async fn take_behind(&self, only: Option<WorkspaceId>, lease: Duration) -> Result<Option<Behind>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let free = |r: &MirrorRow| r.lease_until.is_none_or(|until| until <= now);
        let due = |id: WorkspaceId, r: &MirrorRow| match only {
            Some(only) => id == only,
            None => r.is_behind() && r.next_at <= now,
        };
        let rows = state.mirrors.iter_mut().filter(|(id, r)| due(**id, r) && free(r));
        Ok(rows.min_by_key(|(id, r)| (r.next_at, **id)).map(|(id, row)| {
            row.lease_until = Some(now + lease);
            row.attempts += 1;
            Behind { workspace: *id, wanted: row.wanted, attempt: row.attempts - 1 }
        }))
    }
    async fn followed(&self, behind: &Behind) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if let Some(row) = own(&mut state, behind).filter(|r| r.mirrored <= behind.wanted) {
            (row.mirrored, row.attempts, row.since) = (behind.wanted, 0, now);
            (row.lease_until, row.cause) = (None, None);
        }
        Ok(())
    }
    async fn follow_later(&self, behind: &Behind, after: Duration, cause: &'static str) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if let Some(row) = own(&mut state, behind) {
            (row.next_at, row.cause, row.lease_until) = (now + after, Some(cause), None);
        }
        Ok(())
    }
    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let state = self.state();
        let behind: Vec<_> = state.mirrors.iter().filter(|(_, r)| r.is_behind()).collect();
        let oldest = behind.iter().min_by_key(|(id, r)| (r.since, **id)).map(|(_, r)| r);
        Ok(Backlog {
            workspaces: i64::try_from(behind.len()).unwrap_or(i64::MAX),
            since: oldest.map(|r| r.since),
            cause: oldest.and_then(|r| r.cause).map(str::to_owned),
        })
    }
    async fn places(&self, after: Option<WorkspaceId>, limit: i64) -> Result<Vec<Place>, StoreError> {
        let state = self.state();
        let shown = state.mirrors.iter().filter(|(id, _)| after.is_none_or(|after| after < **id));
        let shown = shown.filter_map(|(id, row)| {
            let tenant = state.tenants.get(id)?;
            let slug = tenant.workspace.slug.clone();
            (!tenant.deleted || row.is_behind()).then_some(Place { workspace: *id, slug })
        });
        Ok(shown.take(usize::try_from(limit).unwrap_or_default()).collect())
    }
    async fn roster(
        &self,
        workspace: WorkspaceId,
        issuer: &str,
    ) -> Result<Option<(Place, Option<Roster>)>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let Some(tenant) = state.tenants.get(&workspace) else { return Ok(None) };
        let place = Place { workspace, slug: tenant.workspace.slug.clone() };
        if tenant.deleted {
            return Ok(Some((place, None)));
        }
        let bare = |issuer: &str| issuer.trim_end_matches('/').to_owned();
        let member = |m: &Member| {
            let account = state.accounts.get(&m.user).filter(|a| bare(&a.issuer) == bare(issuer))?;
            Some((account.subject.clone(), m.role))
        };
        let waits = tenant.invitations.values().filter(|i| i.state == InvitationState::Pending && !i.is_over(now));
        let invited = waits.map(|i| (i.email.key().clone(), Invited { email: i.email.clone(), role: i.role }));
        let roster = Roster {
            name: tenant.workspace.name.to_string(),
            members: tenant.members.values().filter(|m| m.is_active()).filter_map(member).collect(),
            invitations: invited.collect(),
        };
        Ok(Some((place, Some(roster))))
    }
}
