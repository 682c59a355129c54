//! The keyring on this machine: key-encryption keys in a file of their owner's.
mod file;

use crate::key::Key;
use async_trait::async_trait;
pub use file::KeyringFileError;
use secrecy::{ExposeSecret as _, SecretSlice};
use settings_domain::ports::{
    keyring::{Context, DataKey, Keyring, KeyringError, Rotation},
    tokens::NoEntropy,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// Version of the format of a wrapped key: version, length of the id, id, nonce, ciphertext, tag.
const WRAPPED: u8 = 1;

/// A key-encryption key.
struct WrappingKey {
    id: String,
    key: Key,
}

/// What stood in the file when it was last read.
struct Content {
    active: Arc<WrappingKey>,
    older: Vec<Arc<WrappingKey>>,
    stamp: file::Stamp,
}

impl Content {
    fn key(&self, id: &[u8]) -> Option<Arc<WrappingKey>> {
        std::iter::once(&self.active).chain(&self.older).find(|k| k.id.as_bytes() == id).cloned()
    }
}

/// A keyring in a file: one active key that wraps, any number of older ones that still unwrap.
///
/// Whoever has the file has everything that it wraps; a backup of the database is worth nothing without it, and nothing
/// can be read after it is lost. So it must be readable by its owner alone, and be backed up apart from the database.
///
/// Another process may give it a new key while this one runs. So the file is looked at again before something is wrapped,
/// and when something was wrapped by a key that is not known yet.
pub struct LocalKeyring {
    path: PathBuf,
    content: RwLock<Content>,
}

impl fmt::Debug for LocalKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeyring").field("active", &self.read().active.id).finish_non_exhaustive()
    }
}

impl LocalKeyring {
    /// The keyring of a database. A database that has a root key already (`known`) was made with some keyring, and a fresh one would
    /// not be it: only for a new database a file is made.
    pub fn open_for(path: &Path, known: bool) -> Result<Self, KeyringFileError> {
        if known { Self::open(path) } else { Self::open_or_create(path) }
    }
    /// Opens the keyring; an error if there is none.
    pub fn open(path: &Path) -> Result<Self, KeyringFileError> {
        Ok(Self { path: path.to_owned(), content: RwLock::new(file::read(path)?) })
    }

    /// Opens the keyring, and makes one with a fresh key if there is none. Of several processes that do so at once one
    /// makes it, and all open that one.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyringFileError> {
        match Self::open(path) {
            Err(KeyringFileError::Missing { .. }) => {
                file::create(path)?;
                Self::open(path)
            }
            found => found,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        // What is behind the lock is replaced as a whole, so a panic elsewhere leaves nothing half done.
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file again if it is not the one that was read.
    fn refresh(&self) -> Result<(), KeyringFileError> {
        if file::stamp(&self.path)? != self.read().stamp {
            let content = file::read(&self.path)?;
            *self.content.write().unwrap_or_else(PoisonError::into_inner) = content;
        }
        Ok(())
    }

    fn active(&self) -> Result<Arc<WrappingKey>, KeyringError> {
        self.refresh().map_err(|e| KeyringError::Unavailable(e.into()))?;
        Ok(Arc::clone(&self.read().active))
    }

    fn key(&self, id: &[u8]) -> Result<Option<Arc<WrappingKey>>, KeyringError> {
        if let Some(key) = self.read().key(id) {
            return Ok(Some(key));
        }
        self.refresh().map_err(|e| KeyringError::Unavailable(e.into()))?;
        Ok(self.read().key(id))
    }

    /// Adds a fresh key that wraps from now on; returns its id. One process at a time.
    pub fn add_key(&self) -> Result<String, KeyringFileError> {
        let id = file::add(&self.path)?;
        self.refresh()?;
        Ok(id)
    }
}

fn wrap(by: &WrappingKey, data: &[u8], context: Context<'_>) -> Result<Vec<u8>, KeyringError> {
    let id = by.id.as_bytes();
    // The file's ids are checked to be short when it is read.
    let length = u8::try_from(id.len()).map_err(|e| KeyringError::Unavailable(e.into()))?;
    let header = [&[WRAPPED, length], id].concat();
    by.key.seal(&header, &canonical(context), data).map_err(|e: NoEntropy| KeyringError::Unavailable(e.into()))
}

/// A wrapped key's id of the key that wrapped it, and its header, which holds that.
fn parts(wrapped: &[u8]) -> Option<(&[u8], &[u8])> {
    let [WRAPPED, length, rest @ ..] = wrapped else { return None };
    let (id, _) = rest.split_at_checked(usize::from(*length))?;
    Some((id, wrapped.split_at_checked(2 + id.len())?.0))
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
        let by = self.active()?;
        let data = Key::random().map_err(|e: NoEntropy| KeyringError::Unavailable(e.into()))?;
        let wrapped = wrap(&by, data.expose(), context)?;
        Ok(DataKey { key: data.to_secret(), wrapped, wrapped_by: by.id.clone() })
    }

    async fn decrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<SecretSlice<u8>, KeyringError> {
        let (id, header) = parts(wrapped).ok_or(KeyringError::Foreign)?;
        let by = self.key(id)?.ok_or(KeyringError::Foreign)?;
        let opened = by.key.open(header, &canonical(context), wrapped);
        opened.map(|key| SecretSlice::from(key.to_vec())).ok_or(KeyringError::Foreign)
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<String> {
        let (id, _) = parts(wrapped)?;
        String::from_utf8(id.to_vec()).ok()
    }

    async fn current(&self) -> Result<String, KeyringError> {
        Ok(self.active()?.id.clone())
    }

    async fn re_encrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<(Vec<u8>, String), KeyringError> {
        let data = self.decrypt(wrapped, context).await?;
        let by = self.active()?;
        Ok((wrap(&by, data.expose_secret(), context)?, by.id.clone()))
    }

    async fn rotate(&self) -> Result<Rotation, KeyringError> {
        self.add_key().map(Rotation::Made).map_err(|e| KeyringError::Unavailable(e.into()))
    }
}
