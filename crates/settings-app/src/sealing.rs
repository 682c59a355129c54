//! What use cases do with values: seal them before a decision, never open them without a proof.
use crate::Ports;
use settings_domain::{
    policy::TenantScope,
    ports::{
        StoreError,
        vault::{ValueCipher, VaultError},
    },
    sealed::{Binding, SecretValue, StoredValue},
    tokens::Digest,
};
use std::sync::Arc;

/// The present data key of a workspace, fetched before the tenant's lock is taken: a slow keyring delays who asked and
/// nobody else.
pub(crate) struct Sealing<'a> {
    ports: &'a Ports,
    scope: TenantScope,
    cipher: Arc<dyn ValueCipher>,
}

impl<'a> Sealing<'a> {
    pub(crate) async fn current(ports: &'a Ports, scope: TenantScope) -> Result<Self, StoreError> {
        Ok(Self { ports, scope, cipher: ports.vault.current(scope).await.map_err(failed)? })
    }
    /// Seals a value whose equality with others may be asked for.
    pub(crate) fn seal(&self, binding: Binding, value: &SecretValue) -> Result<StoredValue, StoreError> {
        let digest = self.ports.vault.digest(self.scope, value);
        self.seal_text(binding, value.expose(), digest)
    }
    /// Seals a text that nobody compares.
    pub(crate) fn seal_text(&self, binding: Binding, text: &str, digest: Digest) -> Result<StoredValue, StoreError> {
        let sealed = self.cipher.seal(&binding, text.as_bytes()).map_err(failed)?;
        Ok(StoredValue::new(binding, sealed, digest))
    }
}

/// A value that does not open is a fault of the stored data; everything else may mend.
pub(crate) fn failed(e: VaultError) -> StoreError {
    match e {
        VaultError::Store(e) => e,
        VaultError::Altered => StoreError::Corrupt("a value that does not open".to_owned()),
        e @ (VaultError::Keyring(_) | VaultError::NoEntropy(_)) => StoreError::unavailable(e),
    }
}
