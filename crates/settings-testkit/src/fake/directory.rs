//! What lies across tenants.
use super::{
    FakeStore, billing, notifications,
    reads::page,
    state::{MessageState, State},
};
use async_trait::async_trait;
use settings_domain::{
    idempotency::KEPT,
    ids::{UserId, WorkspaceId},
    policy::{Permit, actions},
    ports::{
        StoreError,
        directory::{ActivityLog, Directory, OwnWorkspace, Sightings, Upkeep},
        keyring::RootKeyStore,
        store::Page,
    },
    workspaces::WorkspaceView,
};
use time::Duration;

#[async_trait]
impl Directory for FakeStore {
    async fn all(
        &self,
        _permit: &Permit<actions::ListOrganizations>,
        p: Page,
    ) -> Result<Vec<WorkspaceView>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let living = state.open_tenants().map(|t| t.view(now));
        Ok(page(living, p, |v| v.workspace.id.as_uuid()))
    }
    async fn of(&self, user: UserId, p: Page) -> Result<Vec<OwnWorkspace>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let own = state.workspaces_of(user).map(|(t, m)| OwnWorkspace { view: t.view(now), role: m.role });
        Ok(page(own, p, |o| o.view.workspace.id.as_uuid()))
    }
    async fn is_empty(&self) -> Result<bool, StoreError> {
        // Deleted ones count: an installation is new only once.
        Ok(self.state().tenants.keys().all(|id| *id == WorkspaceId::PLATFORM))
    }
    async fn slugs(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
        let state = self.state();
        Ok(state.open_tenants().map(|t| (t.workspace.id, t.workspace.slug.to_string())).collect())
    }
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// How long a sent message is remembered.
const SENT_KEPT: Duration = Duration::days(30);
/// How long a report of usage and an event of the billing service are known by their ids.
const USAGE_KEPT: Duration = Duration::days(90);
/// How long a link that is over is still kept.
const LINKS_KEPT: Duration = Duration::days(1);

#[async_trait]
impl Upkeep for FakeStore {
    async fn tidy(&self) -> Result<u64, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let runs = |s: &State| s.tenants.values().map(|t| t.digest_runs.len()).sum::<usize>();
        let told = |s: &State| s.tenants.values().map(|t| t.ledger.len() + t.published.len()).sum::<usize>();
        let rows = |s: &State| {
            s.queue.len() + s.outcomes.len() + s.sessions.len() + s.links.len() + runs(s) + told(s) + billing::rows(s)
        };
        let before = rows(&state);
        state.queue.retain(|_, m| m.state != MessageState::Done || m.created_at >= now - SENT_KEPT);
        state.outcomes.retain(|o| o.at > now - KEPT);
        state.sessions.retain(|_, s| s.expires_at >= now);
        state.links.retain(|_, l| l.expires_at >= now - LINKS_KEPT);
        for tenant in state.tenants.values_mut() {
            tenant.digest_runs.retain(|_, r| r.until >= now - SENT_KEPT);
        }
        notifications::forget(&mut state, now - SENT_KEPT);
        billing::forget(&mut state, now - USAGE_KEPT);
        Ok(u64::try_from(before - rows(&state)).unwrap_or_default())
    }
}

#[async_trait]
impl ActivityLog for FakeStore {
    async fn record(&self, seen: &Sightings) -> Result<(), StoreError> {
        let mut state = self.state();
        for (workspace, key, at) in &seen.keys {
            if let Some(tenant) = state.tenants.get_mut(workspace) {
                let last = tenant.key_uses.entry(*key).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        for (workspace, user, at) in &seen.members {
            let known = |t: &&mut super::state::Tenant| t.members.contains_key(user);
            if let Some(tenant) = state.tenants.get_mut(workspace).filter(known) {
                let last = tenant.activity.entry(*user).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl RootKeyStore for FakeStore {
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().root_key.clone())
    }
    async fn keep_root_key(&self, wrapped: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.state().root_key.get_or_insert_with(|| wrapped.to_vec()).clone())
    }
    async fn rewrap_root_key(&self, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let mut state = self.state();
        let same = state.root_key.as_deref() == Some(old);
        if same {
            state.root_key = Some(new.to_vec());
        }
        Ok(same)
    }
}
