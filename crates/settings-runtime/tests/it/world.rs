//! Two tenants and the platform in memory: values sealed by the service's own vault, and a store that notes what it is
//! asked.
use async_trait::async_trait;
use settings_crypto::{EnvelopeVault, LocalKeyring, RootKey};
use settings_domain::{
    ids::{EnvironmentId, ModelId, VariableId, WorkspaceId},
    models::{AuthType, Credential, Model, ModelRecord, Provider},
    policy::{Actor, Permit, SystemTask, TenantScope, actions, permit},
    ports::{
        Clock, StoreError,
        store::{ResolvedModel, ResolvedVariables, Resolving},
        vault::{DataKeyStore, OldWrapping, Rewrapped, Vault, WrappedDataKey},
    },
    sealed::{SecretValue, StoredValue},
    tokens::Digest,
    variables::{Variable, VariableRecord},
};
use settings_runtime::Resolver;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub(crate) const MINE: WorkspaceId = WorkspaceId::from_uuid(Uuid::from_u128(0xa));
pub(crate) const THEIRS: WorkspaceId = WorkspaceId::from_uuid(Uuid::from_u128(0xb));
pub(crate) const STAGING: EnvironmentId = EnvironmentId::from_uuid(Uuid::from_u128(0xa1));
pub(crate) const PRODUCTION: EnvironmentId = EnvironmentId::from_uuid(Uuid::from_u128(0xa2));

type Note = (WorkspaceId, ModelId, OffsetDateTime);

#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) variables: Mutex<Vec<VariableRecord>>,
    pub(crate) models: Mutex<Vec<ModelRecord>>,
    pub(crate) keys: Mutex<BTreeMap<(WorkspaceId, i64), WrappedDataKey>>,
    pub(crate) queries: AtomicUsize,
    pub(crate) noted: Mutex<Vec<Note>>,
    /// It finds the variables of all environments.
    pub(crate) careless: AtomicBool,
    /// Notes are refused.
    pub(crate) stuck: AtomicBool,
}

#[async_trait]
impl Resolving for Shelf {
    async fn resolve_variables(
        &self,
        permit: &Permit<actions::ResolveVariables>,
        environment: EnvironmentId,
    ) -> Result<Option<ResolvedVariables>, StoreError> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        let workspace = permit.scope().workspace();
        if workspace != MINE || ![STAGING, PRODUCTION].contains(&environment) {
            return Ok(None);
        }
        let variables = self.variables.lock().unwrap();
        let all = self.careless.load(Ordering::Relaxed);
        let found = variables.iter().filter(|r| all || r.variable.environment == environment);
        let variables = found.cloned().collect();
        let keys = self.keys.lock().unwrap();
        let keys = keys.range((workspace, 0)..=(workspace, i64::MAX)).map(|(_, key)| key.clone()).collect();
        Ok(Some(ResolvedVariables { variables, keys }))
    }
    async fn resolve_model(
        &self,
        permit: &Permit<actions::ResolveModel>,
        model: ModelId,
    ) -> Result<Option<ResolvedModel>, StoreError> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        let models = self.models.lock().unwrap();
        let may = |r: &&ModelRecord| r.model.workspace == permit.scope().workspace() || r.model.is_system();
        let Some(record) = models.iter().filter(may).find(|r| r.model.id == model).cloned() else { return Ok(None) };
        let slot = (record.model.workspace, record.credential.sealed().generation());
        Ok(self.keys.lock().unwrap().get(&slot).map(|key| ResolvedModel { record, key: key.clone() }))
    }
    async fn models_used(&self, used: &[Note]) -> Result<(), StoreError> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("stuck"));
        }
        self.noted.lock().unwrap().extend(used);
        Ok(())
    }
}

#[async_trait]
impl DataKeyStore for Shelf {
    async fn data_keys(&self, scope: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        let keys = self.keys.lock().unwrap();
        Ok(keys.iter().filter(|(slot, _)| slot.0 == scope.workspace()).map(|(_, key)| key.clone()).collect())
    }
    async fn keep_data_key(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        let slot = (scope.workspace(), key.generation);
        Ok(self.keys.lock().unwrap().entry(slot).or_insert_with(|| key.clone()).clone())
    }
    async fn old_wrappings(
        &self,
        _: &Permit<actions::RotateKeys>,
        _: &str,
        _: Option<(WorkspaceId, i64)>,
        _: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        Err(StoreError::unavailable("nobody rotates here"))
    }
    async fn rewrap(&self, _: &Permit<actions::RotateKeys>, _: &[Rewrapped]) -> Result<u64, StoreError> {
        Err(StoreError::unavailable("nobody rotates here"))
    }
    async fn count_wrappings(&self, _: &str) -> Result<(i64, i64), StoreError> {
        Err(StoreError::unavailable("nobody rotates here"))
    }
}

/// A clock that tests move.
pub(crate) struct Watch(Mutex<OffsetDateTime>);

impl Clock for Watch {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

impl Watch {
    pub(crate) fn wait(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<Shelf>,
    pub(crate) vault: Arc<EnvelopeVault>,
    pub(crate) clock: Arc<Watch>,
    keyring: tempfile::TempDir,
}

fn scope(workspace: WorkspaceId) -> TenantScope {
    let actor = Actor::task(SystemTask::Execute, workspace);
    permit::<actions::ResolveVariables>(&actor, OffsetDateTime::UNIX_EPOCH).unwrap().scope()
}

pub(crate) fn secret(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned().into()).unwrap()
}

pub(crate) fn token(text: &str) -> Credential {
    Credential::Token(secret(text))
}

pub(crate) fn pair(client_key: &str, secret_key: &str) -> Credential {
    Credential::ClientKey { client_key: secret(client_key), secret_key: secret(secret_key) }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Arc::new(LocalKeyring::open_or_create(&folder.path().join("keyring.json")).unwrap());
        let store = Arc::new(Shelf::default());
        let clock = Arc::new(Watch(Mutex::new(OffsetDateTime::UNIX_EPOCH + Duration::days(20_000))));
        let root = RootKey::new(&vec![7; 32].into()).unwrap();
        let vault = Arc::new(EnvelopeVault::new(keyring, store.clone(), clock.clone(), &root));
        Self { store, vault, clock, keyring: folder }
    }

    pub(crate) fn resolver(&self, workspace: WorkspaceId) -> Resolver {
        Resolver::new(self.store.clone(), self.vault.clone(), self.clock.clone(), workspace)
    }

    /// The keyring is no more.
    pub(crate) fn lose_the_keyring(&self) {
        self.clock.wait(Duration::hours(1));
        std::fs::remove_file(self.keyring.path().join("keyring.json")).unwrap();
        self.store.keys.lock().unwrap().values_mut().for_each(|key| key.wrapped.clear());
    }

    /// A variable of [`MINE`] whose value was sealed for it.
    pub(crate) async fn variable(&self, environment: EnvironmentId, name: &str, value: &str) {
        let id = VariableId::from_uuid(Uuid::from_u128(0xf00 + self.store.variables.lock().unwrap().len() as u128));
        let cipher = self.vault.current(scope(MINE)).await.unwrap();
        let binding = Variable::binding(MINE, environment, id, 1);
        let sealed = cipher.seal(&binding, value.as_bytes()).unwrap();
        let (name, at) = (name.parse().unwrap(), self.clock.now());
        let variable = Variable { workspace: MINE, id, environment, name, created_at: at, updated_at: at, version: 1 };
        let value = StoredValue::new(binding, sealed, Digest::none());
        self.store.variables.lock().unwrap().push(VariableRecord { variable, value });
    }

    /// A model whose credential was sealed for it and its URL's origin.
    pub(crate) async fn model(&self, workspace: WorkspaceId, id: u128, url: &str, credential: Credential) -> ModelId {
        let id = ModelId::from_uuid(Uuid::from_u128(id));
        let origin = url::Url::parse(url).unwrap().origin().ascii_serialization();
        let auth: AuthType = credential.auth_type();
        let binding = Model::binding(workspace, id, auth, &origin, 1);
        let cipher = self.vault.current(scope(workspace)).await.unwrap();
        let stored = credential.to_stored();
        let sealed = cipher.seal(&binding, secrecy::ExposeSecret::expose_secret(&stored).as_bytes()).unwrap();
        let at = self.clock.now();
        let model = Model {
            workspace,
            id,
            provider: Provider::Custom,
            name: "GPT".parse().unwrap(),
            description: None,
            url: url.to_owned(),
            origin,
            auth,
            visible: true,
            created_at: at,
            updated_at: at,
            version: 1,
        };
        let credential = StoredValue::new(binding, sealed, Digest::none());
        self.store.models.lock().unwrap().push(ModelRecord { model, credential });
        id
    }
}
