//! Variables, secrets, models and what is said to use them.
use super::{refused, require};
use crate::fake::state::Tenant;
use settings_domain::{
    ids::{EnvironmentId, WorkspaceId},
    models::ModelWrite,
    ports::StoreError,
    references::{Referrer, Use},
    secrets::SecretWrite,
    variables::VariableWrite,
};

/// Whatever was said to use a thing is said no more once it is gone.
fn unused(tenant: &mut Tenant, gone: impl Into<Use>) {
    let gone = gone.into();
    for referrer in tenant.referrers.values_mut() {
        referrer.uses.remove(&gone);
    }
}

/// Everything that an environment holds goes with it.
pub(super) fn empty(tenant: &mut Tenant, id: EnvironmentId) {
    let variables: Vec<_> =
        tenant.variables.values().filter(|r| r.variable.environment == id).map(|r| r.variable.id).collect();
    for variable in variables {
        tenant.variables.remove(&variable);
        unused(tenant, variable);
    }
    let secrets: Vec<_> = tenant.secrets.values().filter(|r| r.secret.environment == id).map(|r| r.secret.id).collect();
    for secret in secrets {
        tenant.secrets.remove(&secret);
        unused(tenant, secret);
    }
    unused(tenant, id);
}

pub(super) fn variable(tenant: &mut Tenant, write: &VariableWrite) -> Result<(), StoreError> {
    match write {
        VariableWrite::Insert(record) => {
            if !tenant.environments.iter().any(|e| e.id == record.variable.environment) {
                return Err(refused("foreign-key"));
            }
            require(tenant.variables.insert(record.variable.id, (**record).clone()).is_none())?;
        }
        VariableWrite::Update(row, value) => {
            let there = tenant.variables.get_mut(&row.id).ok_or_else(|| refused("version"))?;
            require(row.version == there.variable.version + 1)?;
            if row.environment != there.variable.environment {
                return Err(refused("environment-fixed"));
            }
            there.variable = row.clone();
            if let Some(value) = value {
                there.value = (**value).clone();
            }
        }
        VariableWrite::Delete(id) => {
            require(tenant.variables.remove(id).is_some())?;
            unused(tenant, *id);
        }
    }
    let mut names: Vec<_> = tenant.variables.values().map(|r| (r.variable.environment, &r.variable.name)).collect();
    names.sort_unstable();
    if names.windows(2).all(|w| w.first() != w.last()) { Ok(()) } else { Err(refused("variable-name")) }
}

pub(super) fn secret(tenant: &mut Tenant, write: &SecretWrite) -> Result<(), StoreError> {
    match write {
        SecretWrite::Insert(record) => {
            if !tenant.environments.iter().any(|e| e.id == record.secret.environment) {
                return Err(refused("foreign-key"));
            }
            require(tenant.secrets.insert(record.secret.id, (**record).clone()).is_none())?;
        }
        SecretWrite::Update(row, value) => {
            let there = tenant.secrets.get_mut(&row.id).ok_or_else(|| refused("version"))?;
            require(row.version == there.secret.version + 1)?;
            if row.environment != there.secret.environment {
                return Err(refused("environment-fixed"));
            }
            if there.secret.sealed && !row.sealed {
                return Err(refused("secret-sealed"));
            }
            there.secret = row.clone();
            if let Some(value) = value {
                there.value = (**value).clone();
            }
        }
        SecretWrite::Delete(id) => {
            require(tenant.secrets.remove(id).is_some())?;
            unused(tenant, *id);
        }
    }
    let mut names: Vec<_> = tenant.secrets.values().map(|r| (r.secret.environment, &r.secret.name)).collect();
    names.sort_unstable();
    if names.windows(2).all(|w| w.first() != w.last()) { Ok(()) } else { Err(refused("secret-name")) }
}

pub(super) fn model(tenant: &mut Tenant, write: &ModelWrite) -> Result<(), StoreError> {
    match write {
        ModelWrite::Insert(record) => {
            require(tenant.models.insert(record.model.id, (**record).clone()).is_none())?;
        }
        ModelWrite::Update(row, credential) => {
            let there = tenant.models.get_mut(&row.id).ok_or_else(|| refused("version"))?;
            require(row.version == there.model.version + 1)?;
            there.model = row.clone();
            if let Some(credential) = credential {
                there.credential = (**credential).clone();
            }
        }
        ModelWrite::Delete(id) => {
            require(tenant.models.remove(id).is_some())?;
            tenant.model_uses.remove(id);
            unused(tenant, *id);
        }
    }
    let hidden = tenant.models.values().any(|r| !r.model.visible);
    if hidden && tenant.workspace.id != WorkspaceId::PLATFORM { Err(refused("check")) } else { Ok(()) }
}

pub(super) fn referrer(tenant: &mut Tenant, row: &Referrer) -> Result<(), StoreError> {
    let before = tenant.referrers.insert(row.key.clone(), row.clone());
    require(before.map_or(0, |r| r.version) + 1 == row.version)
}
