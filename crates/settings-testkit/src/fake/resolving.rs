//! What executors ask, and the wrapped data keys.
use super::FakeStore;
use async_trait::async_trait;
use settings_domain::{
    ids::{EnvironmentId, ModelId, WorkspaceId},
    policy::{Permit, TenantScope, actions},
    ports::{
        StoreError,
        store::{ResolvedModel, ResolvedVariables, Resolving},
        vault::{DataKeyStore, OldWrapping, Rewrapped, WrappedDataKey},
    },
    references::Use,
};
use time::OffsetDateTime;

#[async_trait]
impl Resolving for FakeStore {
    async fn resolve_variables(
        &self,
        permit: &Permit<actions::ResolveVariables>,
        environment: EnvironmentId,
    ) -> Result<Option<ResolvedVariables>, StoreError> {
        let (state, workspace) = (self.state(), permit.scope().workspace());
        let Some(tenant) = state.living(workspace) else { return Ok(None) };
        if !tenant.environments.iter().any(|e| e.id == environment) {
            return Ok(None);
        }
        let of = tenant.variables.values().filter(|r| r.variable.environment == environment);
        let mut variables: Vec<_> = of.cloned().collect();
        variables.sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
        let used = |k: &&WrappedDataKey| variables.iter().any(|r| r.value.sealed().generation() == k.generation);
        let keys = state.data_keys.range((workspace, 0)..=(workspace, i64::MAX)).map(|(_, k)| k).filter(used);
        Ok(Some(ResolvedVariables { keys: keys.cloned().collect(), variables }))
    }
    async fn resolve_model(
        &self,
        permit: &Permit<actions::ResolveModel>,
        model: ModelId,
    ) -> Result<Option<ResolvedModel>, StoreError> {
        let (state, workspace) = (self.state(), permit.scope().workspace());
        let Some(tenant) = state.living(workspace) else { return Ok(None) };
        let system = || {
            let record = state.living(WorkspaceId::PLATFORM)?.models.get(&model)?;
            let used = tenant.referrers.values().any(|r| r.uses.contains(&Use::from(model)));
            (record.model.visible || used).then_some(record)
        };
        let Some(record) = tenant.models.get(&model).or_else(system) else { return Ok(None) };
        let slot = (record.model.workspace, record.credential.sealed().generation());
        Ok(state.data_keys.get(&slot).map(|key| ResolvedModel { record: record.clone(), key: key.clone() }))
    }
    async fn models_used(&self, used: &[(WorkspaceId, ModelId, OffsetDateTime)]) -> Result<(), StoreError> {
        let mut state = self.state();
        for (workspace, model, at) in used {
            if let Some(tenant) = state.tenants.get_mut(workspace) {
                let last = tenant.model_uses.entry(*model).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl DataKeyStore for FakeStore {
    async fn data_keys(&self, scope: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        let (state, workspace) = (self.state(), scope.workspace());
        Ok(state.data_keys.range((workspace, 0)..=(workspace, i64::MAX)).map(|(_, k)| k.clone()).collect())
    }
    async fn keep_data_key(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        let slot = (scope.workspace(), key.generation);
        Ok(self.state().data_keys.entry(slot).or_insert_with(|| key.clone()).clone())
    }
    async fn old_wrappings(
        &self,
        _permit: &Permit<actions::RotateKeys>,
        current: &str,
        after: Option<(WorkspaceId, i64)>,
        limit: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        let state = self.state();
        let old =
            state.data_keys.iter().filter(|(slot, k)| k.wrapped_by != current && after.is_none_or(|a| **slot > a));
        let view = |(slot, k): (&(WorkspaceId, i64), &WrappedDataKey)| OldWrapping {
            workspace: slot.0,
            generation: slot.1,
            wrapped: k.wrapped.clone(),
        };
        Ok(old.map(view).take(usize::try_from(limit).unwrap_or_default()).collect())
    }
    async fn rewrap(&self, _permit: &Permit<actions::RotateKeys>, keys: &[Rewrapped]) -> Result<u64, StoreError> {
        let (mut state, mut changed) = (self.state(), 0);
        for new in keys {
            let slot = (new.old.workspace, new.old.generation);
            if let Some(there) = state.data_keys.get_mut(&slot).filter(|k| k.wrapped == new.old.wrapped) {
                there.wrapped.clone_from(&new.wrapped);
                there.wrapped_by.clone_from(&new.wrapped_by);
                changed += 1;
            }
        }
        Ok(changed)
    }
    async fn count_wrappings(&self, current: &str) -> Result<(i64, i64), StoreError> {
        let state = self.state();
        let old = state.data_keys.values().filter(|k| k.wrapped_by != current).count();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        Ok((count(state.data_keys.len()), count(old)))
    }
}
