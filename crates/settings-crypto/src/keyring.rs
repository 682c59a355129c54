//! The keyring on this machine: key-encryption keys in a file of their owner's.
mod file;

use crate::key::Key;
use async_trait::async_trait;
pub use file::KeyringFileError;
use secrecy::SecretSlice;
use settings_domain::ports::{
    keyring::{Context, DataKey, Keyring, KeyringError},
    tokens::NoEntropy,
};
use std::{fmt, path::Path};

/// Version of the format of a wrapped key: version, length of the id, id, nonce, ciphertext, tag.
const WRAPPED: u8 = 1;

/// A key-encryption key.
struct WrappingKey {
    id: String,
    key: Key,
}

/// A keyring in a file: one active key that wraps, any number of older ones that still unwrap.
///
/// Whoever has the file has everything that it wraps; a backup of the database is worth nothing without it, and nothing
/// can be read after it is lost. So it must be readable by its owner alone, and be backed up apart from the database.
pub struct LocalKeyring {
    active: WrappingKey,
    older: Vec<WrappingKey>,
}

impl fmt::Debug for LocalKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeyring").field("active", &self.active.id).finish_non_exhaustive()
    }
}

impl LocalKeyring {
    /// Opens the keyring; an error if there is none.
    pub fn open(path: &Path) -> Result<Self, KeyringFileError> {
        file::read(path)
    }

    /// Opens the keyring, and makes one with a fresh key if there is none. Of several processes that do so at once one
    /// makes it, and all open that one.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyringFileError> {
        match file::read(path) {
            Err(KeyringFileError::Missing { .. }) => {
                file::create(path)?;
                file::read(path)
            }
            found => found,
        }
    }

    fn key(&self, id: &[u8]) -> Option<&Key> {
        std::iter::once(&self.active).chain(&self.older).find(|k| k.id.as_bytes() == id).map(|k| &k.key)
    }
}

/// Key and value of each entry, sorted: a context is a map, and the order in which it is written says nothing.
fn canonical(context: Context<'_>) -> Vec<&[u8]> {
    let mut entries = context.to_vec();
    entries.sort_unstable();
    std::iter::once(b"settings-keyring".as_slice())
        .chain(entries.into_iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]))
        .collect()
}

#[async_trait]
impl Keyring for LocalKeyring {
    async fn generate_data_key(&self, context: Context<'_>) -> Result<DataKey, KeyringError> {
        let failed = |e: NoEntropy| KeyringError::Unavailable(e.into());
        let data = Key::random().map_err(failed)?;
        let id = self.active.id.as_bytes();
        // The file's ids are checked to be short when it is read.
        let length = u8::try_from(id.len()).map_err(|e| KeyringError::Unavailable(e.into()))?;
        let header = [&[WRAPPED, length], id].concat();
        let wrapped = self.active.key.seal(&header, &canonical(context), data.expose()).map_err(failed)?;
        Ok(DataKey { key: data.to_secret(), wrapped })
    }

    async fn decrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<SecretSlice<u8>, KeyringError> {
        let open = || {
            let [WRAPPED, length, rest @ ..] = wrapped else { return None };
            let (id, _) = rest.split_at_checked(usize::from(*length))?;
            let (header, _) = wrapped.split_at_checked(2 + id.len())?;
            self.key(id)?.open(header, &canonical(context), wrapped)
        };
        open().map(|key| SecretSlice::from(key.to_vec())).ok_or(KeyringError::Foreign)
    }
}
