use secrecy::ExposeSecret as _;
use settings_crypto::{KeyringFileError as E, LocalKeyring};
use settings_domain::ports::keyring::Keyring as _;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
    thread,
};
use tempfile::{TempDir, tempdir};

const MATERIAL: &str = "yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc=";

fn place() -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    (directory, path)
}
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
fn entry(id: &str, material: &str) -> String {
    format!(r#"{{"id":"{id}","created":"2026-01-31T00:00:00Z","material":"{material}"}}"#)
}
/// What is said to a file of this content; opening never repairs it.
fn error(content: &[u8]) -> E {
    let (_directory, path) = place();
    fs::write(&path, content).unwrap();
    chmod(&path, 0o600);
    let error = LocalKeyring::open_or_create(&path).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), content);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(!error.to_string().contains(MATERIAL) && !format!("{error:?}").contains(MATERIAL), "{error:?}");
    error
}
fn keys(active: &str, keys: &[String]) -> Vec<u8> {
    format!(r#"{{"version":1,"active":"{active}","keys":[{}]}}"#, keys.join(",")).into_bytes()
}

#[test]
fn a_new_keyring_and_its_directory_are_their_owners_alone() {
    let (_directory, path) = place();
    let path = path.with_file_name("a").join("b").join("keyring.json");
    LocalKeyring::open_or_create(&path).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, ["keyring.json"]);
    let content = fs::read(&path).unwrap();
    LocalKeyring::open_or_create(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn open_makes_nothing() {
    let (_directory, path) = place();
    let error = LocalKeyring::open(&path).unwrap_err();
    assert!(matches!(error, E::Missing { .. }) && error.to_string().contains("SETTINGS_KEYRING"), "{error}");
    assert!(!path.exists());
}

#[tokio::test]
async fn eight_that_start_at_once_agree() {
    for _ in 0..20 {
        let (directory, path) = place();
        let path = directory.path().join("data").join(path.file_name().unwrap());
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (start, path) = (Arc::clone(&start), path.clone());
                thread::spawn(move || {
                    start.wait();
                    LocalKeyring::open_or_create(&path).unwrap()
                })
            })
            .collect();
        let rings: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        for ring in &rings {
            let data = ring.generate_data_key(&[]).await.unwrap();
            for other in &rings {
                let opened = other.decrypt(&data.wrapped, &[]).await.unwrap();
                assert_eq!(opened.expose_secret(), data.key.expose_secret());
            }
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn a_file_that_others_can_read_or_write_is_refused_with_the_command_that_helps() {
    let (_directory, path) = place();
    LocalKeyring::open_or_create(&path).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777] {
        chmod(&path, open);
        let error = LocalKeyring::open(&path).unwrap_err();
        assert!(matches!(error, E::Exposed { mode, .. } if mode == open), "{error}");
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    for private in [0o600, 0o400] {
        chmod(&path, private);
        assert!(LocalKeyring::open(&path).is_ok());
    }
}

#[test]
fn a_link_to_the_file_is_fine_and_a_dangling_one_is_not_followed_into_a_new_keyring() {
    let (directory, path) = place();
    LocalKeyring::open_or_create(&path).unwrap();
    let link = directory.path().join("link.json");
    symlink(&path, &link).unwrap();
    assert!(LocalKeyring::open(&link).is_ok());
    chmod(&path, 0o644);
    assert!(matches!(LocalKeyring::open(&link), Err(E::Exposed { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(LocalKeyring::open_or_create(&link), Err(E::Missing { .. })));
    assert!(!path.exists());
}

#[test]
fn what_is_no_file_is_refused() {
    let (directory, path) = place();
    assert!(matches!(LocalKeyring::open_or_create(directory.path()), Err(E::NotAFile { .. })));
    assert!(matches!(LocalKeyring::open_or_create(Path::new("/dev/zero")), Err(E::NotAFile { .. })));
    fs::write(&path, "").unwrap();
    let below = LocalKeyring::open_or_create(&path.join("keyring.json"));
    assert!(matches!(below, Err(E::Io { .. })), "{below:?}");
}

#[test]
fn an_empty_file_is_refused() {
    for empty in ["", "\n", "  \t\n"] {
        assert!(matches!(error(empty.as_bytes()), E::Empty { .. }));
    }
}

#[test]
fn what_is_no_keyring_is_refused_without_quoting_it() {
    let good = String::from_utf8(keys("k1", &[entry("k1", MATERIAL)])).unwrap();
    let bad = [
        "null".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        MATERIAL.to_owned(),
        good.replace("\"version\":1,", ""),
        good.replace("\"version\":1", &format!("\"version\":\"{MATERIAL}\"")),
        good.replace("\"version\":1", "\"version\":-1"),
        good.replace("\"version\":1", "\"version\":1,\"version\":1"),
        good.replace("\"version\":1", &format!("\"version\":1,\"{MATERIAL}\":1")),
        good.replace("\"id\":\"k1\",", ""),
        good.replace("\"created\":\"2026-01-31T00:00:00Z\",", ""),
        format!("{good}{good}"),
        good[..good.len() - 1].to_owned(),
        format!("\u{feff}{good}"),
        format!("{good}{}", " ".repeat(64 * 1024)),
    ];
    for content in bad {
        assert!(matches!(error(content.as_bytes()), E::Malformed { .. }), "{content}");
    }
    assert!(matches!(error(&[0xff, 0xfe]), E::Malformed { .. }));
}

#[test]
fn another_version_is_refused() {
    let good = String::from_utf8(keys("k1", &[entry("k1", MATERIAL)])).unwrap();
    for version in [0, 2] {
        let content = good.replace("\"version\":1", &format!("\"version\":{version}"));
        assert!(matches!(error(content.as_bytes()), E::Version { version: v, .. } if v == version));
    }
}

#[test]
fn keys_that_are_not_32_bytes_are_refused() {
    let short = "AAAA".repeat(10);
    let long = "AAAA".repeat(11);
    let odd = MATERIAL.replace("5uc=", "5ue=");
    let url = MATERIAL.replace(['+', '/'], "-");
    for material in
        ["", "AAAA", &short, &long, &odd, &url, &MATERIAL.replace('=', ""), &MATERIAL.replace("5uc=", "5u==")]
    {
        let content = keys("k1", &[entry("k1", material)]);
        assert!(matches!(error(&content), E::KeyMaterial { id, .. } if id == "k1"), "{material}");
    }
}

#[test]
fn ids_must_be_proper_unique_and_one_of_them_active() {
    let one = entry("k1", MATERIAL);
    assert!(matches!(error(&keys("k1", &[one.clone(), one.clone()])), E::DuplicateKey { id, .. } if id == "k1"));
    assert!(matches!(error(&keys("k2", std::slice::from_ref(&one))), E::NoActiveKey { id, .. } if id == "k2"));
    assert!(matches!(error(&keys("k1", &[])), E::NoActiveKey { .. }));
    for id in ["", "a b", "ä", "a/b", &"k".repeat(65)] {
        assert!(matches!(error(&keys(id, &[entry(id, MATERIAL)])), E::KeyId { .. }), "{id}");
    }
    let undated = one.replace("2026-01-31T00:00:00Z", "yesterday");
    assert!(matches!(error(&keys("k1", &[undated])), E::Created { id, .. } if id == "k1"));
}
