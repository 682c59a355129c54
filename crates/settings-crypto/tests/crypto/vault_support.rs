//! A vault over a real keyring, with a store, a clock and a network that tests move.
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretSlice};
use settings_crypto::{EnvelopeVault, LocalKeyring};
use settings_domain::{
    ids::{EnvironmentId, VariableId, WorkspaceId},
    policy::{Actor, Permit, SystemTask, TenantScope, actions, permit},
    ports::{
        Clock, StoreError,
        keyring::{Context, DataKey, Keyring, KeyringError, Rotation},
        vault::{DataKeyStore, OldWrapping, Rewrapped, ValueCipher, Vault as _, VaultError, WrappedDataKey},
    },
    sealed::{Binding, Sealed, StoredValue},
    tokens::Digest,
    variables::{Variable, VariableRecord},
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tempfile::{TempDir, tempdir};
use time::{Duration, OffsetDateTime};
use tokio::sync::Semaphore;

use crate::support::{at, id, root};

pub(crate) struct Moving(Mutex<OffsetDateTime>);
impl Moving {
    pub(crate) fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}
impl Clock for Moving {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

/// The table of wrapped keys.
#[derive(Default)]
pub(crate) struct Table(pub(crate) Mutex<BTreeMap<(WorkspaceId, i64), WrappedDataKey>>);

#[async_trait]
impl DataKeyStore for Table {
    async fn data_keys(&self, scope: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        let workspace = scope.workspace();
        let keys =
            self.0.lock().unwrap().range((workspace, 0)..=(workspace, i64::MAX)).map(|(_, k)| k.clone()).collect();
        // Others go on meanwhile, as they do while a database answers.
        tokio::task::yield_now().await;
        Ok(keys)
    }
    async fn keep_data_key(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        tokio::task::yield_now().await;
        let slot = (scope.workspace(), key.generation);
        Ok(self.0.lock().unwrap().entry(slot).or_insert_with(|| key.clone()).clone())
    }
    async fn old_wrappings(
        &self,
        _: &Permit<actions::RotateKeys>,
        _: &str,
        _: Option<(WorkspaceId, i64)>,
        _: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        unreachable!("the vault does not ask for these")
    }
    async fn rewrap(&self, _: &Permit<actions::RotateKeys>, _: &[Rewrapped]) -> Result<u64, StoreError> {
        unreachable!("the vault does not ask for these")
    }
    async fn count_wrappings(&self, _: &str) -> Result<(i64, i64), StoreError> {
        unreachable!("the vault does not ask for these")
    }
}

/// A keyring at the other end of a network.
pub(crate) struct Remote {
    pub(crate) ring: LocalKeyring,
    pub(crate) away: AtomicBool,
    pub(crate) asked: AtomicUsize,
    /// How many answers may be given; all of them unless a test says otherwise.
    pub(crate) answers: Semaphore,
    /// How long an answer takes.
    pub(crate) takes: Mutex<Duration>,
    clock: Arc<Moving>,
}

#[async_trait]
impl Keyring for Remote {
    async fn generate_data_key(&self, context: Context<'_>) -> Result<DataKey, KeyringError> {
        self.reach()?;
        self.ring.generate_data_key(context).await
    }
    async fn decrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<SecretSlice<u8>, KeyringError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        self.clock.pass(*self.takes.lock().unwrap());
        self.reach()?;
        self.ring.decrypt(wrapped, context).await
    }
    fn wrapped_by(&self, wrapped: &[u8]) -> Option<String> {
        self.ring.wrapped_by(wrapped)
    }
    async fn current(&self) -> Result<String, KeyringError> {
        self.ring.current().await
    }
    async fn re_encrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<(Vec<u8>, String), KeyringError> {
        self.ring.re_encrypt(wrapped, context).await
    }
    async fn rotate(&self) -> Result<Rotation, KeyringError> {
        self.ring.rotate().await
    }
}

impl Remote {
    fn reach(&self) -> Result<(), KeyringError> {
        if self.away.load(Ordering::SeqCst) { Err(KeyringError::Unavailable("away".into())) } else { Ok(()) }
    }
    pub(crate) fn go(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(crate) struct Stage {
    _directory: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) clock: Arc<Moving>,
    pub(crate) table: Arc<Table>,
    pub(crate) remote: Arc<Remote>,
    pub(crate) vault: Arc<EnvelopeVault>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let directory = tempdir().unwrap();
        let path = directory.path().join("keyring.json");
        let clock = Arc::new(Moving(Mutex::new(at())));
        let remote = Arc::new(Remote {
            ring: LocalKeyring::open_or_create(&path).unwrap(),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
            takes: Mutex::new(Duration::ZERO),
            clock: Arc::clone(&clock),
        });
        let table = Arc::new(Table::default());
        let vault = Arc::new(EnvelopeVault::new(remote.clone(), table.clone(), clock.clone(), &root(1)));
        Self { _directory: directory, path, clock, table, remote, vault }
    }
    /// Another process on the same keyring and table, with an empty memory.
    pub(crate) fn another_process(&self) -> EnvelopeVault {
        EnvelopeVault::new(self.remote.clone(), self.table.clone(), self.clock.clone(), &root(1))
    }
    pub(crate) async fn current(&self, workspace: u128) -> Result<Arc<dyn ValueCipher>, VaultError> {
        self.vault.current(scope(workspace)).await
    }
}

pub(crate) fn workspace(n: u128) -> WorkspaceId {
    WorkspaceId::from_uuid(id(1_000 + n))
}
/// The right to resolve the variables of a workspace: what opens the rows of [`row`].
pub(crate) fn executor(n: u128) -> Permit<actions::ResolveVariables> {
    permit(&Actor::task(SystemTask::Execute, workspace(n)), at()).unwrap()
}
pub(crate) fn scope(n: u128) -> TenantScope {
    executor(n).scope()
}
/// What a variable's value is bound to.
pub(crate) fn binding(n: u128, environment: u128, record: u128, version: i64) -> Binding {
    let environment = EnvironmentId::from_uuid(id(environment));
    Variable::binding(workspace(n), environment, VariableId::from_uuid(id(record)), version)
}
/// A row of workspace `n`, as somebody who can write to the database may have made it: of any binding and any ciphertext.
pub(crate) fn row(n: u128, binding: Binding, sealed: Sealed) -> VariableRecord {
    let variable = Variable {
        workspace: workspace(n),
        id: VariableId::from_uuid(id(1)),
        environment: EnvironmentId::from_uuid(id(1)),
        name: "NAME".parse().unwrap(),
        created_at: at(),
        updated_at: at(),
        version: 1,
    };
    VariableRecord { variable, value: StoredValue::new(binding, sealed, Digest::none()) }
}
pub(crate) fn open(
    cipher: &dyn ValueCipher,
    n: u128,
    binding: &Binding,
    sealed: &Sealed,
) -> Result<String, VaultError> {
    let row = row(n, binding.clone(), sealed.clone());
    let text = cipher.open(row.opening(&executor(n)).unwrap())?;
    Ok(text.expose_secret().to_owned())
}
pub(crate) fn is_altered(result: &Result<String, VaultError>) -> bool {
    matches!(result, Err(VaultError::Altered))
}
