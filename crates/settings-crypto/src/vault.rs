//! The vault: a data key per workspace and generation, unwrapped for minutes, and what it seals.
mod cipher;
mod shelf;

use crate::{key::Key, root::RootKey};
use async_trait::async_trait;
use cipher::DataCipher;
use secrecy::ExposeSecret as _;
use settings_domain::{
    ids::WorkspaceId,
    policy::TenantScope,
    ports::{
        Clock,
        keyring::{Keyring, KeyringError, Rotation},
        vault::{DataKeyStore, OldWrapping, Rewrapped, ValueCipher, Vault, VaultError, WrappedDataKey},
    },
    sealed::SecretValue,
    tokens::Digest,
};
use shelf::{Shelf, Slot};
use std::{fmt, sync::Arc};
use time::Duration;

/// How long an unwrapped data key stays in memory. A key-encryption key that was taken away works for as long at most.
pub const UNWRAPPED_FOR: Duration = Duration::minutes(5);
/// How long a data key seals new values; older ones still open. A key must not seal more than 2³² times under random nonces
/// (NIST SP 800-38D), and one workspace does not come near that in a year.
pub const SEALS_FOR: Duration = Duration::days(365);

/// The service's [`Vault`].
pub struct EnvelopeVault {
    keyring: Arc<dyn Keyring>,
    keys: Arc<dyn DataKeyStore>,
    clock: Arc<dyn Clock>,
    digest: Arc<Key>,
    shelf: Shelf,
}

impl fmt::Debug for EnvelopeVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopeVault(..)")
    }
}

/// What a wrapped data key is bound to. KMS logs it in clear: ids and fixed words alone.
struct Labels {
    workspace: String,
    generation: String,
}

impl Labels {
    fn new(workspace: WorkspaceId, generation: i64) -> Self {
        Self { workspace: workspace.to_string(), generation: generation.to_string() }
    }
    fn context(&self) -> [(&str, &str); 3] {
        [("purpose", "data-key"), ("workspace", &self.workspace), ("generation", &self.generation)]
    }
}

impl EnvelopeVault {
    /// Over a keyring and the store of wrapped keys.
    #[must_use]
    pub fn new(keyring: Arc<dyn Keyring>, keys: Arc<dyn DataKeyStore>, clock: Arc<dyn Clock>, root: &RootKey) -> Self {
        Self { keyring, keys, clock, digest: Arc::clone(&root.value_digest), shelf: Shelf::default() }
    }

    /// The key of this generation, from memory or unwrapped now. Many who ask at once share one unwrapping.
    async fn take(&self, workspace: WorkspaceId, key: &WrappedDataKey) -> Result<Arc<DataCipher>, VaultError> {
        let slot = Slot { workspace, generation: key.generation };
        let turn = match self.shelf.find(slot, self.clock.now()) {
            Ok(cipher) => return Ok(cipher),
            Err(turn) => turn,
        };
        let waited = turn.wait().await;
        if let Ok(cipher) = self.shelf.find(slot, self.clock.now()) {
            return Ok(cipher);
        }
        let Some(_turn) = waited else {
            return Err(KeyringError::Unavailable("it was away for another caller, too".into()).into());
        };
        // Its age counts from before it was asked for: a slow keyring does not make it last longer.
        let asked = self.clock.now();
        let labels = Labels::new(workspace, key.generation);
        let bytes = self.keyring.decrypt(&key.wrapped, &labels.context()).await;
        if let Err(KeyringError::Unavailable(_)) = &bytes {
            turn.failed();
        }
        let bytes = bytes?;
        let cipher = Arc::new(DataCipher::new(workspace, key.generation, bytes.expose_secret())?);
        self.shelf.put(slot, &cipher, asked);
        Ok(cipher)
    }

    /// Makes the next generation, unless another process is first.
    async fn make(&self, scope: TenantScope, generation: i64) -> Result<WrappedDataKey, VaultError> {
        let labels = Labels::new(scope.workspace(), generation);
        let made = self.keyring.generate_data_key(&labels.context()).await?;
        let key = WrappedDataKey {
            generation,
            wrapped: made.wrapped,
            wrapped_by: made.wrapped_by,
            created_at: settings_domain::micros::truncate(self.clock.now()),
        };
        Ok(self.keys.keep_data_key(scope, &key).await?)
    }
}

#[async_trait]
impl Vault for EnvelopeVault {
    async fn current(&self, scope: TenantScope) -> Result<Arc<dyn ValueCipher>, VaultError> {
        let workspace = scope.workspace();
        if let Some(cipher) = self.shelf.newest(workspace, self.clock.now()) {
            return Ok(cipher);
        }
        let asked = self.clock.now();
        let newest = self.keys.data_keys(scope).await?.pop();
        let key = match newest {
            Some(key) if asked - key.created_at < SEALS_FOR => key,
            newest => self.make(scope, newest.map_or(1, |k| k.generation + 1)).await?,
        };
        let cipher = self.take(workspace, &key).await?;
        self.shelf.call_newest(workspace, key.generation, asked);
        Ok(cipher)
    }

    async fn generation(&self, scope: TenantScope, generation: i64) -> Result<Arc<dyn ValueCipher>, VaultError> {
        let slot = Slot { workspace: scope.workspace(), generation };
        if let Ok(cipher) = self.shelf.find(slot, self.clock.now()) {
            return Ok(cipher);
        }
        let key = self.keys.data_keys(scope).await?.into_iter().find(|k| k.generation == generation);
        // A value of a generation that does not exist was not sealed here.
        let key = key.ok_or(VaultError::Altered)?;
        Ok(self.take(scope.workspace(), &key).await?)
    }

    async fn unwrapped(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<Arc<dyn ValueCipher>, VaultError> {
        Ok(self.take(scope.workspace(), key).await?)
    }

    fn sweep(&self) {
        self.shelf.sweep(self.clock.now());
    }

    async fn wrapped_by(&self) -> Result<String, VaultError> {
        Ok(self.keyring.current().await?)
    }

    async fn rotate(&self) -> Result<Rotation, VaultError> {
        Ok(self.keyring.rotate().await?)
    }

    async fn rewrap(&self, old: OldWrapping) -> Result<Rewrapped, VaultError> {
        let labels = Labels::new(old.workspace, old.generation);
        let (wrapped, wrapped_by) = self.keyring.re_encrypt(&old.wrapped, &labels.context()).await?;
        Ok(Rewrapped { old, wrapped, wrapped_by })
    }

    fn digest(&self, scope: TenantScope, value: &SecretValue) -> Digest {
        Digest::new(self.digest.mac(&[scope.workspace().as_uuid().as_bytes(), value.expose().as_bytes()]))
    }
}
