//! Further keys in a keyring's file, while others use it.
use secrecy::ExposeSecret as _;
use settings_crypto::{KeyringFileError as E, LocalKeyring};
use settings_domain::ports::keyring::{Context, Keyring as _, KeyringError, Rotation};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use tempfile::{TempDir, tempdir};

const CONTEXT: Context<'static> = &[("purpose", "data-key")];

fn place() -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    (directory, path)
}
/// The active key and all keys of a file.
fn content(path: &Path) -> (String, BTreeSet<String>) {
    let file: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let ids = file["keys"].as_array().unwrap().iter().map(|k| k["id"].as_str().unwrap().to_owned());
    (file["active"].as_str().unwrap().to_owned(), ids.collect())
}

#[tokio::test]
async fn a_further_key_wraps_from_now_on_and_the_older_ones_unwrap() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let first = ring.current().await.unwrap();
    let before = ring.generate_data_key(CONTEXT).await.unwrap();
    let Rotation::Made(second) = ring.rotate().await.unwrap() else { panic!("a file's keyring makes keys") };
    assert_ne!(first, second);
    assert_eq!(ring.current().await.unwrap(), second);
    assert_eq!(content(&path), (second.clone(), BTreeSet::from([first.clone(), second.clone()])));
    let after = ring.generate_data_key(CONTEXT).await.unwrap();
    assert_eq!((&before.wrapped_by, &after.wrapped_by), (&first, &second));
    for data in [&before, &after] {
        let opened = ring.decrypt(&data.wrapped, CONTEXT).await.unwrap();
        assert_eq!(opened.expose_secret(), data.key.expose_secret());
        assert_eq!(ring.wrapped_by(&data.wrapped).as_ref(), Some(&data.wrapped_by));
    }
    assert_eq!(ring.wrapped_by(b"\x03wrapped elsewhere"), None);
}

#[tokio::test]
async fn wrapping_anew_keeps_the_data_key_and_its_context() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let data = ring.generate_data_key(CONTEXT).await.unwrap();
    let second = ring.add_key().unwrap();
    let (wrapped, by) = ring.re_encrypt(&data.wrapped, CONTEXT).await.unwrap();
    assert_eq!((&by, ring.wrapped_by(&wrapped).as_ref()), (&second, Some(&second)));
    assert_eq!(ring.decrypt(&wrapped, CONTEXT).await.unwrap().expose_secret(), data.key.expose_secret());
    let other = &[("purpose", "service-root")];
    assert!(matches!(ring.decrypt(&wrapped, other).await, Err(KeyringError::Foreign)));
    assert!(matches!(ring.re_encrypt(&wrapped, other).await, Err(KeyringError::Foreign)));
}

#[tokio::test]
async fn a_running_keyring_learns_the_key_that_another_process_added() {
    let (_directory, path) = place();
    let running = LocalKeyring::open_or_create(&path).unwrap();
    let command = LocalKeyring::open(&path).unwrap();
    let second = command.add_key().unwrap();
    // It unwraps what it never saw the key of, and wraps by the new key.
    let theirs = command.generate_data_key(CONTEXT).await.unwrap();
    assert!(running.decrypt(&theirs.wrapped, CONTEXT).await.is_ok());
    assert_eq!(running.current().await.unwrap(), second);
    let third = command.add_key().unwrap();
    assert_eq!(running.generate_data_key(CONTEXT).await.unwrap().wrapped_by, third);
    // A key that is in no file stays foreign.
    let mut unknown = theirs.wrapped.clone();
    unknown[2..].rotate_left(1);
    assert!(matches!(running.decrypt(&unknown, CONTEXT).await, Err(KeyringError::Foreign)));
}

#[tokio::test]
async fn without_its_file_a_running_keyring_unwraps_what_it_knows_and_wraps_nothing() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let data = ring.generate_data_key(CONTEXT).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert!(ring.decrypt(&data.wrapped, CONTEXT).await.is_ok());
    assert!(matches!(ring.generate_data_key(CONTEXT).await, Err(KeyringError::Unavailable(_))));
    assert!(matches!(ring.add_key(), Err(E::Missing { .. })));
    assert!(!path.exists(), "nothing is made in its place");
}

#[test]
fn eight_that_add_at_once_lose_no_key() {
    for _ in 0..10 {
        let (_directory, path) = place();
        LocalKeyring::open_or_create(&path).unwrap();
        let (first, _) = content(&path);
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (start, path) = (Arc::clone(&start), path.clone());
                thread::spawn(move || {
                    let ring = LocalKeyring::open(&path).unwrap();
                    start.wait();
                    ring.add_key().unwrap()
                })
            })
            .collect();
        let mut added: BTreeSet<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let (active, keys) = content(&path);
        assert!(added.contains(&active));
        added.insert(first);
        assert_eq!(keys, added);
    }
}

#[test]
fn a_reader_sees_the_old_file_or_the_new_one_and_nothing_between() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (path, done) = (path.clone(), Arc::clone(&done));
        thread::spawn(move || {
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) {
                LocalKeyring::open(&path).unwrap();
                reads += 1;
            }
            reads
        })
    };
    for _ in 0..100 {
        ring.add_key().unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.join().unwrap() > 0);
    assert_eq!(content(&path).1.len(), 101);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o600);
    let mut left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["keyring.json", "keyring.lock"]);
    assert_eq!(mode(&path.with_extension("lock")), 0o600);
}

#[test]
fn a_file_that_others_can_read_gets_no_key() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let before = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(ring.add_key(), Err(E::Exposed { mode: 0o644, .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_gets_no_key() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (active, _) = content(&path);
    fs::write(&path, text.replacen(&active, "gone", 1)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(ring.add_key(), Err(E::NoActiveKey { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_link_keeps_leading_to_the_file_that_got_the_key() {
    let (directory, path) = place();
    LocalKeyring::open_or_create(&path).unwrap();
    let link = directory.path().join("link.json");
    symlink(&path, &link).unwrap();
    let added = LocalKeyring::open(&link).unwrap().add_key().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(content(&path).0, added);
}

#[test]
fn a_file_without_room_for_a_further_key_stays_as_it_is() {
    let (_directory, path) = place();
    let ring = LocalKeyring::open_or_create(&path).unwrap();
    let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut spare = file["keys"][0].clone();
    for n in 0..390 {
        spare["id"] = format!("spare-{n:0>50}").into();
        file["keys"].as_array_mut().unwrap().push(spare.clone());
    }
    let full = file.to_string();
    assert!(full.len() < 64 * 1024, "{}", full.len());
    fs::write(&path, &full).unwrap();
    assert!(matches!(ring.add_key(), Err(E::Io { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), full);
    assert!(LocalKeyring::open(&path).is_ok());
}
