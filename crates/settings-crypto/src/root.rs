//! The root key and the keys that come from it.
use crate::key::{KEY_LEN, Key};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use secrecy::{ExposeSecret as _, SecretSlice};
use settings_domain::ports::{
    StoreError,
    keyring::{Context, Keyring, KeyringError, RootKeyStore},
};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// What the wrapped root key is bound to.
const CONTEXT: Context<'static> = &[("purpose", "service-root")];
/// Keeps these keys apart from any others that somebody may derive from the same bytes.
const SALT: &[u8] = b"settings-root-v1";

/// Why the service has no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The stored one does not open.
    #[error(
        "this database was created with another keyring: start with the keyring file (SETTINGS_KEYRING) or the KMS key \
         (SETTINGS_KMS) that it was created with, or with a new database. Without that keyring the tokens, sign-ins and \
         audit records in this database can't be read or checked"
    )]
    Foreign(#[source] KeyringError),
    /// The keyring can't be reached.
    #[error("the keyring that unwraps this database's root key is unavailable")]
    Keyring(#[source] KeyringError),
    /// The keyring gave something that is no key.
    #[error(
        "the keyring gave a root key that is not 32 bytes long: check that SETTINGS_KMS names the right kind of key"
    )]
    Length,
    /// The store failed.
    #[error("the root key could not be read from or kept in the database")]
    Store(#[from] StoreError),
}

impl From<KeyringError> for RootKeyError {
    fn from(e: KeyringError) -> Self {
        match e {
            KeyringError::Foreign => Self::Foreign(e),
            KeyringError::Unavailable(_) => Self::Keyring(e),
        }
    }
}

/// The secret that everything the service makes hangs on, the same for every process on one database.
///
/// The 32 bytes themselves are gone once the keys for each purpose are derived from them (HKDF-SHA-256): one key that
/// leaks betrays neither the root nor any other. The purposes' names are part of stored data and never change.
pub struct RootKey {
    pub(crate) token_digest: Arc<Key>,
    pub(crate) invitation: Arc<Key>,
    pub(crate) sign_in: Arc<Key>,
    pub(crate) api_key_seal: Arc<Key>,
    pub(crate) audit_mac: Arc<Key>,
    pub(crate) audit_salts: Arc<Key>,
    pub(crate) audit_checkpoint: Arc<Key>,
    pub(crate) cursor: Arc<Key>,
    pub(crate) fingerprint: Arc<Key>,
    pub(crate) value_digest: Arc<Key>,
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

impl RootKey {
    /// Derives the keys from 32 secret bytes, as a keyring unwrapped them.
    pub fn new(bytes: &SecretSlice<u8>) -> Result<Self, RootKeyError> {
        let bytes = bytes.expose_secret();
        if bytes.len() != KEY_LEN {
            return Err(RootKeyError::Length);
        }
        let root = Salt::new(HKDF_SHA256, SALT).extract(bytes);
        Ok(Self {
            token_digest: derive(&root, "token-digest")?,
            invitation: derive(&root, "invitation-token")?,
            sign_in: derive(&root, "sign-in-token")?,
            api_key_seal: derive(&root, "api-key-seal")?,
            audit_mac: derive(&root, "audit-mac")?,
            audit_salts: derive(&root, "audit-salt-wrapping")?,
            audit_checkpoint: derive(&root, "audit-checkpoint")?,
            cursor: derive(&root, "cursor")?,
            fingerprint: derive(&root, "call-fingerprint")?,
            value_digest: derive(&root, "value-digest")?,
        })
    }
}

fn derive(root: &Prk, purpose: &str) -> Result<Arc<Key>, RootKeyError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    root.expand(&[purpose.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()))
        .map_err(|_| RootKeyError::Length)?;
    Ok(Arc::new(Key::new(&key)))
}

/// Whether this database's root key is wrapped by the key-encryption key that wraps now, or there is none to wrap.
pub async fn root_is_current(keyring: &dyn Keyring, store: &dyn RootKeyStore) -> Result<bool, RootKeyError> {
    let Some(wrapped) = store.root_key().await? else { return Ok(true) };
    Ok(keyring.wrapped_by(&wrapped) == Some(keyring.current().await?))
}

/// Wraps this database's root key by the key-encryption key that wraps now. Returns whether there was one to wrap; what
/// another process wrapped meanwhile is as good.
pub async fn rewrap_root(keyring: &dyn Keyring, store: &dyn RootKeyStore) -> Result<bool, RootKeyError> {
    let Some(old) = store.root_key().await? else { return Ok(false) };
    let (new, _) = keyring.re_encrypt(&old, CONTEXT).await?;
    store.rewrap_root_key(&old, &new).await?;
    Ok(true)
}

/// Unwraps this database's root key. The first process on a new database makes it; if several are first at once, the
/// store keeps one and all of them use that.
pub async fn load_root(keyring: &dyn Keyring, store: &dyn RootKeyStore) -> Result<RootKey, RootKeyError> {
    if let Some(wrapped) = store.root_key().await? {
        return RootKey::new(&keyring.decrypt(&wrapped, CONTEXT).await?);
    }
    let fresh = keyring.generate_data_key(CONTEXT).await?;
    // Checked before it is kept: a database must not be tied to a key that is none.
    let root = RootKey::new(&fresh.key)?;
    let kept = store.keep_root_key(&fresh.wrapped).await?;
    if kept == fresh.wrapped { Ok(root) } else { RootKey::new(&keyring.decrypt(&kept, CONTEXT).await?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(key: &Key) -> String {
        hex::encode(key.expose())
    }

    #[test]
    fn the_keys_are_those_of_rfc_5869_and_never_change() {
        let root = RootKey::new(&SecretSlice::from((0..32).collect::<Vec<u8>>())).unwrap();
        // Computed apart from this code, with Python's `hmac`: stored digests, seals and chains depend on each of them.
        assert_eq!(hex(&root.token_digest), "c417486e1826c65635c220fc0feb3b15d0a22cc2a03c0ad96227b81c96c29c24");
        assert_eq!(hex(&root.invitation), "dc6d0b84c0a89cbcb89bd9219222a5f310d2b665922b7fd3b6942cb1bc280b34");
        assert_eq!(hex(&root.sign_in), "1c8ea468a93d494cffff5c7a96ee2127fa3df39524191f03e82f042049619912");
        assert_eq!(hex(&root.api_key_seal), "3218b37c3a78cb09ebbdf7f850a821862c7433996360502ce98ddccb37fe9212");
        assert_eq!(hex(&root.audit_mac), "dfb7cf763f462f8ea14d78093412026344d2bf18ece038e263649f6ded122557");
        assert_eq!(hex(&root.audit_salts), "f595a7f7bb96098466fef3ea08fb6a06ca7f0078fdf5764d563ccfc28ae5d9c8");
        assert_eq!(hex(&root.audit_checkpoint), "d18dfb33c5713f7367ab865696922c56e032d7c85d60bfcce7ef6bc2c4f2d446");
        assert_eq!(hex(&root.cursor), "cc50d29af2c5bb601cc33919f24a932c52b705dc502e6927bed607b876d0f6d7");
        assert_eq!(hex(&root.fingerprint), "924a03726d5b0c198f1695a4127c560e6d05cf82dce93dd0a190fc197fd0e17d");
        assert_eq!(hex(&root.value_digest), "7708265b37014087b8e62d510cc1a66c8205d332391127f2e66854cb1bf6771f");
    }

    #[test]
    fn only_32_bytes_are_a_root() {
        for length in [0, 16, 31, 33, 64] {
            assert!(matches!(RootKey::new(&SecretSlice::from(vec![1; length])), Err(RootKeyError::Length)));
        }
    }
}
