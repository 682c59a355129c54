//! What lies across tenants.
use super::{FakeStore, reads::page};
use async_trait::async_trait;
use settings_domain::{
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

#[async_trait]
impl Directory for FakeStore {
    async fn all(
        &self,
        _permit: &Permit<actions::ListOrganizations>,
        p: Page,
    ) -> Result<Vec<WorkspaceView>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let living = state.tenants.values().filter(|t| !t.deleted).map(|t| t.view(now));
        Ok(page(living, p, |v| v.workspace.id.as_uuid()))
    }
    async fn of(&self, user: UserId, p: Page) -> Result<Vec<OwnWorkspace>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let own = state.workspaces_of(user).map(|(t, m)| OwnWorkspace { view: t.view(now), role: m.role });
        Ok(page(own, p, |o| o.view.workspace.id.as_uuid()))
    }
    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.state().tenants.is_empty())
    }
    async fn slugs(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
        let state = self.state();
        let living = state.tenants.values().filter(|t| !t.deleted);
        Ok(living.map(|t| (t.workspace.id, t.workspace.slug.to_string())).collect())
    }
    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Upkeep for FakeStore {
    /// Memory ends with the test.
    async fn tidy(&self) -> Result<u64, StoreError> {
        Ok(0)
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
            if let Some(tenant) = state.tenants.get_mut(workspace) {
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
}
