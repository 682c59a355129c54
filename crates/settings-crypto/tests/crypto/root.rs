use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretSlice};
use settings_crypto::{LocalKeyring, RootKey, RootKeyError, Tokens, load_root, rewrap_root, root_is_current};
use settings_domain::{
    ids::SignInId,
    ports::{
        StoreError,
        keyring::{Context, DataKey, Keyring, KeyringError, RootKeyStore, Rotation},
        tokens::TokenMint as _,
    },
};
use std::sync::Mutex;
use tempfile::{TempDir, tempdir};

/// A database. `late` is a root key that another process keeps between our look and our attempt.
#[derive(Default)]
struct Database {
    kept: Mutex<Option<Vec<u8>>>,
    late: Mutex<Option<Vec<u8>>>,
}

#[async_trait]
impl RootKeyStore for Database {
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.kept.lock().unwrap().clone())
    }
    async fn keep_root_key(&self, wrapped: &[u8]) -> Result<Vec<u8>, StoreError> {
        let first = self.late.lock().unwrap().take().unwrap_or_else(|| wrapped.to_vec());
        Ok(self.kept.lock().unwrap().get_or_insert(first).clone())
    }
    async fn rewrap_root_key(&self, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let late = self.late.lock().unwrap().take();
        let mut kept = self.kept.lock().unwrap();
        *kept = late.or_else(|| kept.take());
        let is_old = kept.as_deref() == Some(old);
        if is_old {
            *kept = Some(new.to_vec());
        }
        Ok(is_old)
    }
}

struct Broken;
#[async_trait]
impl RootKeyStore for Broken {
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::unavailable("down"))
    }
    async fn keep_root_key(&self, _: &[u8]) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::unavailable("down"))
    }
    async fn rewrap_root_key(&self, _: &[u8], _: &[u8]) -> Result<bool, StoreError> {
        Err(StoreError::unavailable("down"))
    }
}

/// A key service that is away, or gives keys of the wrong length.
struct Service(Option<usize>);
impl Service {
    fn key(&self) -> Result<SecretSlice<u8>, KeyringError> {
        self.0.map(|length| vec![1; length].into()).ok_or_else(|| KeyringError::Unavailable("down".into()))
    }
}
#[async_trait]
impl Keyring for Service {
    async fn generate_data_key(&self, _: Context<'_>) -> Result<DataKey, KeyringError> {
        Ok(DataKey { key: self.key()?, wrapped: vec![1], wrapped_by: "service".to_owned() })
    }
    async fn decrypt(&self, _: &[u8], _: Context<'_>) -> Result<SecretSlice<u8>, KeyringError> {
        self.key()
    }
    fn wrapped_by(&self, _: &[u8]) -> Option<String> {
        None
    }
    async fn current(&self) -> Result<String, KeyringError> {
        self.key().map(|_| "service".to_owned())
    }
    async fn re_encrypt(&self, wrapped: &[u8], _: Context<'_>) -> Result<(Vec<u8>, String), KeyringError> {
        self.key().map(|_| (wrapped.to_vec(), "service".to_owned()))
    }
    async fn rotate(&self) -> Result<Rotation, KeyringError> {
        Ok(Rotation::Elsewhere("the service does"))
    }
}

/// A keyring and where it is: it looks at its file again before it wraps.
fn keyring() -> (TempDir, LocalKeyring) {
    let directory = tempdir().unwrap();
    let ring = LocalKeyring::open_or_create(&directory.path().join("keyring.json")).unwrap();
    (directory, ring)
}
/// Tells roots apart by what they make.
fn mark(root: &RootKey) -> String {
    Tokens::new(root).sign_in(SignInId::from_uuid(crate::support::id(1))).text.expose_secret().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_the_root_and_every_later_one_finds_it() {
    let ((_directory, ring), database) = (keyring(), Database::default());
    let first = load_root(&ring, &database).await.unwrap();
    let second = load_root(&ring, &database).await.unwrap();
    assert_eq!(mark(&first), mark(&second));
    let elsewhere = load_root(&ring, &Database::default()).await.unwrap();
    assert_ne!(mark(&first), mark(&elsewhere));
}

#[tokio::test]
async fn who_comes_second_uses_the_root_of_who_was_first() {
    let ((_directory, ring), winner, loser) = (keyring(), Database::default(), Database::default());
    let theirs = load_root(&ring, &winner).await.unwrap();
    *loser.late.lock().unwrap() = winner.kept.lock().unwrap().clone();
    assert_eq!(mark(&load_root(&ring, &loser).await.unwrap()), mark(&theirs));
}

#[tokio::test]
async fn a_foreign_keyring_is_told_what_to_do() {
    let database = Database::default();
    load_root(&keyring().1, &database).await.unwrap();
    let kept = database.kept.lock().unwrap().clone();
    let error = load_root(&keyring().1, &database).await.unwrap_err();
    assert!(matches!(error, RootKeyError::Foreign(_)));
    let text = error.to_string();
    assert!(
        ["created with another keyring", "SETTINGS_KEYRING", "SETTINGS_KMS"].iter().all(|t| text.contains(t)),
        "{text}"
    );
    // The stored root is never replaced: with the right keyring everything works again.
    assert_eq!(*database.kept.lock().unwrap(), kept);
    // Nor when the foreign one was first by a moment.
    let late = Database { late: Mutex::new(kept), ..Database::default() };
    assert!(matches!(load_root(&keyring().1, &late).await, Err(RootKeyError::Foreign(_))));
}

#[tokio::test]
async fn a_key_wrapped_for_another_purpose_is_no_root() {
    let (_directory, ring) = keyring();
    let other = ring.generate_data_key(&[("purpose", "workspace")]).await.unwrap();
    let database = Database { kept: Mutex::new(Some(other.wrapped)), ..Database::default() };
    assert!(matches!(load_root(&ring, &database).await, Err(RootKeyError::Foreign(_))));
}

#[tokio::test]
async fn outages_are_told_apart_from_foreign_keys_and_nothing_is_kept() {
    let database = Database::default();
    assert!(matches!(load_root(&Service(None), &database).await, Err(RootKeyError::Keyring(_))));
    assert!(matches!(load_root(&Service(Some(16)), &database).await, Err(RootKeyError::Length)));
    assert_eq!(*database.kept.lock().unwrap(), None);
    assert!(matches!(load_root(&keyring().1, &Broken).await, Err(RootKeyError::Store(_))));
    *database.kept.lock().unwrap() = Some(vec![1]);
    assert!(matches!(load_root(&Service(None), &database).await, Err(RootKeyError::Keyring(_))));
    assert!(matches!(load_root(&Service(Some(33)), &database).await, Err(RootKeyError::Length)));
}

#[tokio::test]
async fn a_root_that_is_wrapped_anew_is_the_same_root_and_needs_the_old_key_no_more() {
    let ((directory, ring), database) = (keyring(), Database::default());
    let before = mark(&load_root(&ring, &database).await.unwrap());
    let old_file = std::fs::read_to_string(directory.path().join("keyring.json")).unwrap();
    assert!(root_is_current(&ring, &database).await.unwrap());
    let new = ring.add_key().unwrap();
    assert!(!root_is_current(&ring, &database).await.unwrap());
    assert!(rewrap_root(&ring, &database).await.unwrap());
    assert!(root_is_current(&ring, &database).await.unwrap());
    assert_eq!(mark(&load_root(&ring, &database).await.unwrap()), before);
    // The old key alone opens it no more, the new one alone does.
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        LocalKeyring::open(&path).unwrap()
    };
    assert!(matches!(load_root(&write("old.json", &old_file), &database).await, Err(RootKeyError::Foreign(_))));
    let mut content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("keyring.json")).unwrap()).unwrap();
    content["keys"].as_array_mut().unwrap().retain(|k| k["id"] == new.as_str());
    let alone = write("new.json", &content.to_string());
    assert_eq!(mark(&load_root(&alone, &database).await.unwrap()), before);
}

#[tokio::test]
async fn a_root_that_another_process_wrapped_meanwhile_stays_as_that_wrapped_it() {
    let ((_directory, ring), database) = (keyring(), Database::default());
    let before = mark(&load_root(&ring, &database).await.unwrap());
    let kept = database.kept.lock().unwrap().clone().unwrap();
    ring.add_key().unwrap();
    let (theirs, _) = ring.re_encrypt(&kept, &[("purpose", "service-root")]).await.unwrap();
    *database.late.lock().unwrap() = Some(theirs.clone());
    assert!(rewrap_root(&ring, &database).await.unwrap());
    assert_eq!(*database.kept.lock().unwrap(), Some(theirs));
    assert_eq!(mark(&load_root(&ring, &database).await.unwrap()), before);
}

#[tokio::test]
async fn without_a_root_there_is_nothing_to_wrap() {
    let ((_directory, ring), database) = (keyring(), Database::default());
    assert!(root_is_current(&ring, &database).await.unwrap());
    assert!(!rewrap_root(&ring, &database).await.unwrap());
    assert_eq!(*database.kept.lock().unwrap(), None);
}
