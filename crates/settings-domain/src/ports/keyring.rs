//! Envelope encryption in KMS's words: a data key is used here, and stored only as the key-encryption key wrapped it.
use super::StoreError;
use async_trait::async_trait;
use secrecy::SecretSlice;

/// A data key: the key itself, and what may be stored of it.
#[derive(Debug)]
pub struct DataKey {
    /// 32 bytes.
    pub key: SecretSlice<u8>,
    /// The same, wrapped.
    pub wrapped: Vec<u8>,
    /// The key-encryption key that wrapped it, by the keyring's own name.
    pub wrapped_by: String,
}

/// What became of the wish for another key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// There is one, by this name, and it wraps from now on.
    Made(String),
    /// The keyring makes none by itself: the sentence says who does.
    Elsewhere(&'static str),
}

/// What a wrapped key is bound to, such as `purpose=service-root`. Not secret: ids and fixed words only.
pub type Context<'a> = &'a [(&'a str, &'a str)];

/// The keyring refused or is away.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Wrapped by another keyring, for another context, or damaged.
    #[error("the wrapped key was made by another keyring or for another purpose")]
    Foreign,
    /// The keyring can't be reached.
    #[error("the keyring is unavailable")]
    Unavailable(#[source] super::Cause),
}

/// Wraps and unwraps data keys.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// A fresh data key.
    async fn generate_data_key(&self, context: Context<'_>) -> Result<DataKey, KeyringError>;
    /// Unwraps, whichever of the keyring's key-encryption keys wrapped it.
    async fn decrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<SecretSlice<u8>, KeyringError>;
    /// The key-encryption key that a wrapped key names as its own. Nothing is opened or checked. `None` where it names none.
    fn wrapped_by(&self, wrapped: &[u8]) -> Option<String>;
    /// The name of the key-encryption key that wraps now.
    async fn current(&self) -> Result<String, KeyringError>;
    /// Wraps the same data key by the key-encryption key that wraps now. Returns the new wrapping and that key's name.
    async fn re_encrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<(Vec<u8>, String), KeyringError>;
    /// Makes another key-encryption key, which wraps from then on. Older ones still unwrap.
    async fn rotate(&self) -> Result<Rotation, KeyringError>;
    /// Whether it answered when it was last asked; `None` where it is no place that could be away. Asks nobody.
    fn answered(&self) -> Option<bool> {
        None
    }
}

/// Where the service keeps its own wrapped root key: beside its data, so that every process on one database has the
/// same tokens, seals and cursors.
#[async_trait]
pub trait RootKeyStore: Send + Sync {
    /// The wrapped root key, if there is one yet.
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps this one unless another process was first; returns the one that is kept.
    async fn keep_root_key(&self, wrapped: &[u8]) -> Result<Vec<u8>, StoreError>;
    /// Replaces the wrapping, if it still is `old`. Returns whether it was.
    async fn rewrap_root_key(&self, old: &[u8], new: &[u8]) -> Result<bool, StoreError>;
}
