//! Signed checkpoints.
use super::{FakeStore, state::Tenant};
use async_trait::async_trait;
use settings_domain::{
    audit::checkpoints::{Checkpoint, Grown},
    ids::WorkspaceId,
    ports::{
        StoreError,
        audit::Salts,
        checkpoints::Checkpoints,
        store::{ChainPart, Page},
    },
};

#[async_trait]
impl Checkpoints for FakeStore {
    async fn grown(&self, page: Page) -> Result<Vec<Grown>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let grown = |(id, tenant): (&WorkspaceId, &Tenant)| {
            let (head, _) = tenant.head?;
            let newest = tenant.checkpoints.last();
            let signed = newest.map_or(0, |c| c.link.seq);
            let after = page.after.is_none_or(|a| id.as_uuid() > a);
            (after && head > signed).then(|| Grown {
                workspace: *id,
                head,
                signed,
                signed_at: newest.map(|c| c.signed_at),
                now,
            })
        };
        Ok(state.tenants.iter().filter_map(grown).take(usize::try_from(page.limit).unwrap_or_default()).collect())
    }
    async fn newest(&self, workspace: WorkspaceId) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.state().tenants.get(&workspace).and_then(|t| t.checkpoints.last().cloned()))
    }
    async fn after(&self, workspace: WorkspaceId, seq: i64, limit: i64) -> Result<Vec<Checkpoint>, StoreError> {
        let state = self.state();
        let all = state.tenants.get(&workspace).map(|t| t.checkpoints.clone()).unwrap_or_default();
        let limit = usize::try_from(limit).unwrap_or_default();
        Ok(all.into_iter().filter(|c| c.link.seq > seq).take(limit).collect())
    }
    async fn stretch(&self, workspace: WorkspaceId, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        let state = self.state();
        let Some(tenant) = state.tenants.get(&workspace) else {
            return Ok(ChainPart { events: Vec::new(), salts: Salts::new() });
        };
        let mut events = tenant.events.clone();
        events.sort_by_key(|e| e.record.seq);
        events.retain(|e| e.record.seq > after);
        events.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(ChainPart { events, salts: tenant.salts() })
    }
    async fn keep(&self, workspace: WorkspaceId, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(tenant) = state.tenants.get_mut(&workspace) else { return Ok(false) };
        let taken = |c: &Checkpoint| c.link.seq == checkpoint.link.seq || c.previous_seq == checkpoint.previous_seq;
        if tenant.checkpoints.iter().any(taken) {
            return Ok(false);
        }
        tenant.checkpoints.push(checkpoint.clone());
        Ok(true)
    }
}
