//! The keyring's file: JSON, mode 0600, made all at once or not at all.
use super::WrappingKey;
use crate::{
    clock::SystemClock,
    key::{KEY_LEN, Key},
    random,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use settings_domain::ports::{Clock as _, tokens::NoEntropy};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use zeroize::Zeroizing;

/// Version of the file's format.
const VERSION: u32 = 1;
/// Larger than any keyring; smaller than what a wrong path may lead to.
const MAX_FILE: u64 = 64 * 1024;
/// Base64 of a key.
const MATERIAL_LEN: usize = KEY_LEN.div_ceil(3) * 4;
/// Everything that group and others might be allowed to do.
const NOT_THE_OWNER: u32 = 0o077;

/// Why the keyring can't be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyringFileError {
    /// There is none.
    #[error("there is no keyring at {path}: set SETTINGS_KEYRING to the file that this database was created with")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A directory, device or pipe.
    #[error("the keyring {path} is not a regular file: set SETTINGS_KEYRING to a file")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Group or others may read or change it.
    #[error("the keyring {path} is open to other users (mode {mode:04o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Nothing is in it.
    #[error("the keyring {path} is empty: restore it from a backup, or delete it if no database was created with it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is no keyring.
    #[error(
        "{path} is not a keyring (line {line}, column {column}): restore it from a backup, or correct SETTINGS_KEYRING"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line of the fault; 0 for the whole file. The parser's own words are left out: they may quote a key.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// Written by another version of this program.
    #[error("the keyring {path} has the format version {version}, and this program knows only 1: use a newer program")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// An id that is empty, long, or not of letters, digits, `-` and `_`.
    #[error("a key of the keyring {path} has an id that is not 1 to 64 letters, digits, `-` and `_`: correct it")]
    KeyId {
        /// The file.
        path: PathBuf,
    },
    /// Two keys of one name.
    #[error("the keyring {path} has two keys with the id `{id}`: remove the one that was added by mistake")]
    DuplicateKey {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// A key that is not 32 bytes in base64.
    #[error("the key `{id}` of the keyring {path} is not 32 bytes in base64: restore the file from a backup")]
    KeyMaterial {
        /// The file.
        path: PathBuf,
        /// The key.
        id: String,
    },
    /// A time that is none.
    #[error(
        "the key `{id}` of the keyring {path} was created at no RFC 3339 time: write one, such as 2026-01-31T00:00:00Z"
    )]
    Created {
        /// The file.
        path: PathBuf,
        /// The key.
        id: String,
    },
    /// The active key is not among the keys.
    #[error("the keyring {path} names `{id}` as its active key and has no such key: set `active` to one of its ids")]
    NoActiveKey {
        /// The file.
        path: PathBuf,
        /// What it names.
        id: String,
    },
    /// The system refused.
    #[error(
        "the keyring {path} could not be {action}: check that its directory exists, is writable and has space left"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// No randomness for a new key.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// The file's content. Borrowed from a buffer that is zeroized, so that no key is copied on the way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    version: u32,
    active: &'a str,
    #[serde(borrow)]
    keys: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    id: &'a str,
    created: &'a str,
    material: &'a str,
}

/// What tells one content of the file from another: a new one is always a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl From<&fs::Metadata> for Stamp {
    fn from(m: &fs::Metadata) -> Self {
        Self { inode: m.ino(), modified: (m.mtime(), m.mtime_nsec()), length: m.len() }
    }
}

/// The stamp of the file as it is now.
pub(super) fn stamp(path: &Path) -> Result<Stamp, KeyringFileError> {
    fs::metadata(path).map(|m| Stamp::from(&m)).map_err(|e| unread(path, e))
}

fn unread(path: &Path, source: io::Error) -> KeyringFileError {
    match source.kind() {
        io::ErrorKind::NotFound => KeyringFileError::Missing { path: path.to_owned() },
        _ => KeyringFileError::Io { path: path.to_owned(), action: "read", source },
    }
}

/// Reads and checks the whole file.
pub(super) fn read(path: &Path) -> Result<super::Content, KeyringFileError> {
    let (bytes, stamp) = load(path)?;
    let path = || path.to_owned();
    if bytes.trim_ascii().is_empty() {
        return Err(KeyringFileError::Empty { path: path() });
    }
    let content: Content<'_> = serde_json::from_slice(&bytes).map_err(|e| KeyringFileError::Malformed {
        path: path(),
        line: e.line(),
        column: e.column(),
    })?;
    if content.version != VERSION {
        return Err(KeyringFileError::Version { path: path(), version: content.version });
    }
    let mut ids = BTreeSet::new();
    let (mut active, mut older) = (None, vec![]);
    for Entry { id, created, material } in content.keys {
        let owned = || id.to_owned();
        if !is_id(id) {
            return Err(KeyringFileError::KeyId { path: path() });
        }
        if !ids.insert(id) {
            return Err(KeyringFileError::DuplicateKey { path: path(), id: owned() });
        }
        if OffsetDateTime::parse(created, &Rfc3339).is_err() {
            return Err(KeyringFileError::Created { path: path(), id: owned() });
        }
        let key = key(material).ok_or_else(|| KeyringFileError::KeyMaterial { path: path(), id: owned() })?;
        let key = Arc::new(WrappingKey { id: owned(), key });
        if id == content.active { active = Some(key) } else { older.push(key) }
    }
    let active = active.ok_or_else(|| KeyringFileError::NoActiveKey { path: path(), id: content.active.to_owned() })?;
    Ok(super::Content { active, older, stamp })
}

/// The bytes, once it is clear that nobody else could have read or written them.
fn load(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Stamp), KeyringFileError> {
    let failed = |source: io::Error| unread(path, source);
    // Before it is opened: to open a pipe waits for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(KeyringFileError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, not of the path, which may lead elsewhere by now.
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & NOT_THE_OWNER != 0 {
        return Err(KeyringFileError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_FILE {
        return Err(KeyringFileError::Malformed { path: path.to_owned(), line: 0, column: 0 });
    }
    // One byte of room more than the file has, so that reading to its end does not make the buffer move.
    let room = usize::try_from(metadata.len()).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
    Ok((bytes, Stamp::from(&metadata)))
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn key(material: &str) -> Option<Key> {
    if material.len() != MATERIAL_LEN {
        return None;
    }
    let mut bytes = Zeroizing::new([0; MATERIAL_LEN]);
    let length = STANDARD.decode_slice(material, bytes.as_mut()).ok()?;
    Key::from_slice(bytes.get(..length)?)
}

/// Makes a keyring with one fresh key. Whoever is first wins; being second is no error.
pub(super) fn create(path: &Path) -> Result<(), KeyringFileError> {
    let failed = |source| KeyringFileError::Io { path: path.to_owned(), action: "created", source };
    let fresh = Fresh::new(path)?;
    let entry = fresh.entry();
    let content = encoded(path, &Content { version: VERSION, active: entry.id, keys: vec![entry] })?;
    let directory = directory(path);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let unfinished = unfinished(directory)?;
    let made = write(&unfinished, &content).and_then(|()| {
        // A hard link comes into being with its whole content, and never over a file that is there already.
        match fs::hard_link(&unfinished, path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    });
    // Also for who came second: the database must not outlive the name of the file that its key is wrapped with.
    made.and(removed(&unfinished)).and_then(|()| File::open(directory)?.sync_all()).map_err(failed)
}

/// Adds a fresh key and makes it the active one; returns its id. The file is replaced as a whole: a reader sees the old
/// content or the new one. A lock beside it keeps two that add from losing each other's key.
pub(super) fn add(path: &Path) -> Result<String, KeyringFileError> {
    // Where a link leads: a file put in the link's place would leave those behind who use the file.
    let path = &fs::canonicalize(path).map_err(|e| unread(path, e))?;
    let failed = |source| KeyringFileError::Io { path: path.clone(), action: "changed", source };
    let directory = directory(path);
    let lock = path.with_extension("lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let (bytes, _) = load(path)?;
    // Checked as a whole before anything is built on it.
    read(path)?;
    let malformed = |e: serde_json::Error| KeyringFileError::Malformed {
        path: path.to_owned(),
        line: e.line(),
        column: e.column(),
    };
    let mut content: Content<'_> = serde_json::from_slice(&bytes).map_err(malformed)?;
    let fresh = Fresh::new(path)?;
    content.keys.push(fresh.entry());
    content.active = &fresh.id;
    let unfinished = unfinished(directory)?;
    let replaced = write(&unfinished, &encoded(path, &content)?).and_then(|()| fs::rename(&unfinished, path));
    if let Err(source) = replaced.and_then(|()| File::open(directory)?.sync_all()) {
        // The first fault is the one to tell.
        let _ = removed(&unfinished);
        return Err(failed(source));
    }
    Ok(fresh.id.clone())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn unfinished(directory: &Path) -> Result<PathBuf, KeyringFileError> {
    let mut suffix = [0; 8];
    random::fill(&mut suffix)?;
    Ok(directory.join(format!(".keyring-{}.tmp", hex::encode(suffix))))
}

fn removed(unfinished: &Path) -> io::Result<()> {
    match fs::remove_file(unfinished) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A key that is in no file yet.
struct Fresh {
    id: String,
    created: String,
    material: Zeroizing<String>,
}

impl Fresh {
    fn new(path: &Path) -> Result<Self, KeyringFileError> {
        let failed = |source| KeyringFileError::Io { path: path.to_owned(), action: "created", source };
        let mut id = [0; 8];
        random::fill(&mut id)?;
        Ok(Self {
            id: format!("local-{}", hex::encode(id)),
            created: SystemClock.now().format(&Rfc3339).map_err(io::Error::other).map_err(failed)?,
            material: Zeroizing::new(STANDARD.encode(Key::random()?.expose())),
        })
    }
    fn entry(&self) -> Entry<'_> {
        Entry { id: &self.id, created: &self.created, material: &self.material }
    }
}

fn encoded(path: &Path, content: &Content<'_>) -> Result<Zeroizing<Vec<u8>>, KeyringFileError> {
    let failed = |source| KeyringFileError::Io { path: path.to_owned(), action: "written", source };
    // Room for all of it, so that no copy of a key is left where a smaller buffer was.
    let room = usize::try_from(MAX_FILE).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer_pretty(&mut *bytes, content).map_err(io::Error::other).map_err(failed)?;
    bytes.push(b'\n');
    if bytes.len() > room {
        return Err(KeyringFileError::Io {
            path: path.to_owned(),
            action: "written",
            source: io::Error::other("it would hold more keys than it has room for: remove some that wrap nothing"),
        });
    }
    Ok(bytes)
}
