//! What an executor asks of the service: the variables of an environment, and a model with its credential.
//!
//! A [`Resolver`] is made for one workspace and asks for no other: none of its methods takes one. A workspace's
//! environment or model that is not its own does not exist for it (ID16).
//!
//! It answers with everything or with an error. A variable that does not open fails the whole environment, and the error
//! names it (VA11): a script that runs without one of its variables does something that nobody wanted. A model whose
//! credential does not open fails as well; nothing stands in for it, least of all a credential of the platform (MO09).
mod uses;

use crate::{Credential, Model, Owner, inject};
use secrecy::SecretString;
use settings_domain::{
    ids::{EnvironmentId, ModelId, WorkspaceId},
    models::{self, ModelRecord},
    policy::{Actor, Denied, Permit, SystemTask, actions, permit},
    ports::{
        Clock, StoreError,
        store::{ResolvedVariables, Resolving},
        vault::{Vault, VaultError, WrappedDataKey},
    },
    sealed::Opening,
    variables::VariableName,
};
use std::{collections::BTreeMap, fmt, sync::Arc};
use time::OffsetDateTime;
use url::Url;
use uses::Uses;

/// Why nothing was resolved. No message has anything of a value in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The environment is not there, or it is another workspace's.
    #[error("the workspace has no such environment")]
    UnknownEnvironment,
    /// The model is not there, or it is neither the workspace's nor one that it may use.
    #[error("the workspace has no such model")]
    UnknownModel,
    /// A variable does not open. No other one is given out either.
    #[error("the variable {name} does not open, so none is given out")]
    Variable {
        /// Which.
        name: VariableName,
        /// Why.
        #[source]
        source: VaultError,
    },
    /// The model's credential does not open, or belongs to another URL than the model's.
    #[error("the credential of the model {model} does not open")]
    Credential {
        /// Which.
        model: ModelId,
        /// Why.
        #[source]
        source: VaultError,
    },
    /// The data key is not to be had now: the keyring is away, or refuses.
    #[error("the data key of the workspace is unavailable")]
    DataKey(#[source] VaultError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policy has no such right for executors.
    #[error("the policy does not let executors resolve")]
    Denied(#[source] Denied),
}

impl From<Denied> for ResolveError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// Resolves for one workspace. Cheap to clone; clones share what they know of recorded uses.
///
/// There is no way from the resolver of one workspace to another workspace:
/// ```compile_fail,E0451
/// use settings_domain::{ids::WorkspaceId, policy::{Actor, SystemTask}};
/// use settings_runtime::resolve::Resolver;
/// fn of_another(mine: Resolver, other: WorkspaceId) -> Resolver {
///     Resolver { actor: Actor::task(SystemTask::Execute, other), ..mine }
/// }
/// ```
#[derive(Clone)]
pub struct Resolver {
    store: Arc<dyn Resolving>,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    actor: Actor,
    uses: Arc<Uses>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("workspace", &self.actor.workspace()).finish_non_exhaustive()
    }
}

/// What is to be opened with one data key: the places of the variables in the answer, and the right to open each.
type Batch<'a> = (Vec<usize>, Vec<Opening<'a>>);

impl Resolver {
    /// For this workspace and no other. The host decides which one a run belongs to, never the run itself.
    #[must_use]
    pub fn new(
        store: Arc<dyn Resolving>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        workspace: WorkspaceId,
    ) -> Self {
        Self { store, vault, clock, actor: Actor::task(SystemTask::Execute, workspace), uses: Arc::default() }
    }

    /// The variables of an environment by name, in one query and one batch for each data key, of which there is mostly one.
    ///
    /// # Errors
    /// Any [`ResolveError`] except those about models.
    pub async fn variables(&self, environment: EnvironmentId) -> Result<Vec<inject::Variable>, ResolveError> {
        let permit = permit(&self.actor, self.clock.now())?;
        let found = self.store.resolve_variables(&permit, environment).await?;
        let found = found.ok_or(ResolveError::UnknownEnvironment)?;

        let mut values: Vec<(usize, SecretString)> = Vec::with_capacity(found.variables.len());
        for (generation, (places, openings)) in batches(&permit, environment, &found)? {
            let altered = |place: usize| variable(&found, places.get(place).copied(), VaultError::Altered);
            let key = found.keys.iter().find(|key| key.generation == generation).ok_or_else(|| altered(0))?;
            let cipher = self.vault.unwrapped(permit.scope(), key).await.map_err(ResolveError::DataKey)?;
            let opened = cipher.open_all(&openings);
            let opened = opened.map_err(|(place, source)| variable(&found, places.get(place).copied(), source))?;
            if opened.len() != places.len() {
                return Err(altered(opened.len()));
            }
            values.extend(places.into_iter().zip(opened));
        }
        values.sort_unstable_by_key(|(place, _)| *place);

        let names = found.variables.into_iter().map(|record| record.variable.name);
        Ok(names.zip(values).map(|(name, (_, value))| inject::Variable { name, value }).collect())
    }

    /// A model with its credential: the workspace's own, or a system model that it may use.
    ///
    /// That it was used is noted at most once a second. A note that cannot be taken is no error: it is taken next time.
    ///
    /// # Errors
    /// Any [`ResolveError`] except those about variables.
    pub async fn model(&self, id: ModelId) -> Result<Model, ResolveError> {
        let at = self.clock.now();
        let own = permit(&self.actor, at)?;
        let found = self.store.resolve_model(&own, id).await?.filter(|found| found.record.model.id == id);
        let found = found.ok_or(ResolveError::UnknownModel)?;
        let tenant = found.record.model.workspace;
        // What is the platform's stays the platform's, even for an executor of the platform's own tenant.
        let (owner, permit) = if found.record.model.is_system() {
            (Owner::System, permit(&Actor::task(SystemTask::Execute, tenant), at)?)
        } else {
            (Owner::Workspace, own)
        };
        let (url, credential) = self.open(&permit, &found.record, &found.key).await?;
        self.note_use(tenant, id, at).await;
        let name = found.record.model.name.as_str().to_owned();
        Ok(Model { id: id.to_string(), name, url, owner, credential })
    }

    /// Opens a model's credential, for the one origin that it was given for.
    async fn open(
        &self,
        permit: &Permit<actions::ResolveModel>,
        record: &ModelRecord,
        key: &WrappedDataKey,
    ) -> Result<(Url, Credential), ResolveError> {
        let model = &record.model;
        let failed = |source| ResolveError::Credential { model: model.id, source };
        // The origin is what the credential is sealed for, the URL is what it is sent to. A row in which they differ was
        // changed behind the service's back (MO01).
        let url = Url::parse(&model.url).ok().filter(|url| url.origin().ascii_serialization() == model.origin);
        let url = url.ok_or_else(|| failed(VaultError::Altered))?;
        let bound = record.credential.binding();
        let own = models::Model::binding(model.workspace, model.id, model.auth, &model.origin, bound.version());
        if *bound != own {
            return Err(failed(VaultError::Altered));
        }
        let opening = record.opening(permit).ok_or(ResolveError::UnknownModel)?;
        let cipher = self.vault.unwrapped(permit.scope(), key).await.map_err(ResolveError::DataKey)?;
        let text = cipher.open(opening).map_err(failed)?;
        let credential = models::Credential::from_stored(model.auth, &text);
        Ok((url, credential.ok_or_else(|| failed(VaultError::Altered))?.into()))
    }

    async fn note_use(&self, tenant: WorkspaceId, model: ModelId, at: OffsetDateTime) {
        if self.uses.is_due(model, at) {
            let at = settings_domain::micros::truncate(at);
            if self.store.models_used(&[(tenant, model, at)]).await.is_err() {
                self.uses.forget(model);
            }
        }
    }
}

/// What is to be opened with which generation of the data key. What the store has mixed in from elsewhere is refused.
fn batches<'a>(
    permit: &Permit<actions::ResolveVariables>,
    environment: EnvironmentId,
    found: &'a ResolvedVariables,
) -> Result<BTreeMap<i64, Batch<'a>>, ResolveError> {
    let mut batches: BTreeMap<i64, Batch<'a>> = BTreeMap::new();
    for (place, record) in found.variables.iter().enumerate() {
        let opening = record.opening(permit).filter(|_| record.variable.environment == environment);
        let opening = opening.ok_or_else(|| variable(found, Some(place), VaultError::Altered))?;
        let (places, openings) = batches.entry(opening.sealed().generation()).or_default();
        places.push(place);
        openings.push(opening);
    }
    Ok(batches)
}

/// The error that names a variable.
fn variable(found: &ResolvedVariables, place: Option<usize>, source: VaultError) -> ResolveError {
    match place.and_then(|place| found.variables.get(place)) {
        Some(record) => ResolveError::Variable { name: record.variable.name.clone(), source },
        // A vault that speaks of more values than it was given.
        None => ResolveError::DataKey(source),
    }
}
