//! The vault: envelope encryption of a tenant's values. A data key per workspace and generation, wrapped by the
//! [keyring](super::keyring), seals them; the store holds ciphertexts and wrapped keys alone.
use super::{
    StoreError,
    keyring::{KeyringError, Rotation},
    tokens::NoEntropy,
};
use crate::{
    ids::WorkspaceId,
    policy::{Permit, TenantScope, actions},
    sealed::{Binding, Opening, Sealed, SecretValue},
    tokens::Digest,
};
use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::Arc;
use time::OffsetDateTime;

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keyring refused or is away: nothing can be sealed or opened now.
    #[error("the keyring that unwraps the workspace's data key is unavailable")]
    Keyring(#[source] KeyringError),
    /// The store of data keys failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ciphertext does not open: it was altered, or moved from another row, tenant, place or version.
    #[error("a stored value does not open: it was altered or moved")]
    Altered,
    /// No randomness was to be had.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl From<KeyringError> for VaultError {
    fn from(e: KeyringError) -> Self {
        Self::Keyring(e)
    }
}

/// One unwrapped data key of a workspace, for as long as somebody holds it.
pub trait ValueCipher: Send + Sync {
    /// Which of the workspace's data keys.
    fn generation(&self) -> i64;
    /// Seals a value under a binding, which must be of this cipher's workspace.
    fn seal(&self, binding: &Binding, value: &[u8]) -> Result<Sealed, VaultError>;
    /// Opens a value. Everything but the very binding and ciphertext is [`VaultError::Altered`].
    fn open(&self, opening: Opening<'_>) -> Result<SecretString, VaultError>;
    /// Opens many at once: the key is prepared once. The error names the place of the first that does not open.
    fn open_all(&self, openings: &[Opening<'_>]) -> Result<Vec<SecretString>, (usize, VaultError)>;
}

/// Unwraps data keys and makes them. Unwrapped ones stay in memory for minutes, zeroized at the end.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The key that seals new values of this workspace; made where there is none yet or the newest has served its time.
    /// May ask the keyring and the store: call it before the tenant's lock is taken.
    async fn current(&self, scope: TenantScope) -> Result<Arc<dyn ValueCipher>, VaultError>;
    /// The key of a generation.
    async fn generation(&self, scope: TenantScope, generation: i64) -> Result<Arc<dyn ValueCipher>, VaultError>;
    /// A key whose wrapped form was read together with the values: no query of its own.
    async fn unwrapped(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<Arc<dyn ValueCipher>, VaultError>;
    /// Forgets unwrapped keys whose time is over. Called about once a minute, so that none stays in an idle process.
    fn sweep(&self);
    /// The name of the key-encryption key that wraps now.
    async fn wrapped_by(&self) -> Result<String, VaultError>;
    /// Makes another key-encryption key where the keyring does that by itself.
    async fn rotate(&self) -> Result<Rotation, VaultError>;
    /// Wraps a data key by the key-encryption key that wraps now.
    async fn rewrap(&self, old: OldWrapping) -> Result<Rewrapped, VaultError>;
    /// A keyed digest of a value, the same for equal values of one workspace and useless outside of it.
    fn digest(&self, scope: TenantScope, value: &SecretValue) -> Digest;
}

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// Its generation, from 1.
    pub generation: i64,
    /// The key, as the keyring wrapped it.
    pub wrapped: Vec<u8>,
    /// The key-encryption key that wrapped it, by the keyring's own name.
    pub wrapped_by: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A data key to be wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldWrapping {
    /// Whose.
    pub workspace: WorkspaceId,
    /// Which.
    pub generation: i64,
    /// As it is wrapped now.
    pub wrapped: Vec<u8>,
}

/// The same, wrapped by the new key-encryption key.
#[derive(Debug, Clone)]
pub struct Rewrapped {
    /// What was wrapped anew: its row changes only if it is still so.
    pub old: OldWrapping,
    /// The new wrapping.
    pub wrapped: Vec<u8>,
    /// The key-encryption key that made it.
    pub wrapped_by: String,
}

/// Keeps wrapped data keys.
#[async_trait]
pub trait DataKeyStore: Send + Sync {
    /// The workspace's keys, oldest first.
    async fn data_keys(&self, scope: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError>;
    /// Keeps a key, unless another process kept one of that generation first; returns the one that is kept.
    async fn keep_data_key(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError>;
    /// Keys that are not wrapped by `current`, in the order of workspace and generation, after a place.
    async fn old_wrappings(
        &self,
        permit: &Permit<actions::RotateKeys>,
        current: &str,
        after: Option<(WorkspaceId, i64)>,
        limit: i64,
    ) -> Result<Vec<OldWrapping>, StoreError>;
    /// Replaces wrappings, all in one transaction. Returns how many rows changed.
    async fn rewrap(&self, permit: &Permit<actions::RotateKeys>, keys: &[Rewrapped]) -> Result<u64, StoreError>;
    /// How many keys there are, and how many of them are not wrapped by `current`: for the gauge and the progress.
    async fn count_wrappings(&self, current: &str) -> Result<(i64, i64), StoreError>;
}
