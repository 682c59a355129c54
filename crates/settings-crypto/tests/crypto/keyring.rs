use crate::support::damaged;
use secrecy::ExposeSecret as _;
use settings_crypto::LocalKeyring;
use settings_domain::ports::keyring::{Context, Keyring as _, KeyringError};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const CONTEXT: Context<'static> = &[("purpose", "service-root"), ("workspace", "acme")];
const OLD: &str =
    r#"{"id":"k1","created":"2026-01-31T00:00:00Z","material":"yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="}"#;
const NEW: &str =
    r#"{"id":"k2","created":"2026-02-28T00:00:00Z","material":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}"#;

fn keyring(path: &Path, active: &str, keys: &[&str]) -> LocalKeyring {
    fs::write(path, format!(r#"{{"version":1,"active":"{active}","keys":[{}]}}"#, keys.join(","))).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    LocalKeyring::open(path).unwrap()
}
async fn is_foreign(keyring: &LocalKeyring, wrapped: &[u8], context: Context<'_>) -> bool {
    matches!(keyring.decrypt(wrapped, context).await, Err(KeyringError::Foreign))
}

#[tokio::test]
async fn a_data_key_comes_back_and_is_bound_to_its_context() {
    let directory = tempfile::tempdir().unwrap();
    let ring = LocalKeyring::open_or_create(&directory.path().join("keyring.json")).unwrap();
    let data = ring.generate_data_key(CONTEXT).await.unwrap();
    assert_eq!(data.key.expose_secret().len(), 32);
    let opened = ring.decrypt(&data.wrapped, CONTEXT).await.unwrap();
    assert_eq!(opened.expose_secret(), data.key.expose_secret());
    // A context is a map: its order says nothing.
    assert!(ring.decrypt(&data.wrapped, &[CONTEXT[1], CONTEXT[0]]).await.is_ok());
    let others: [Context<'_>; 6] = [
        &[],
        &CONTEXT[..1],
        &[("purpose", "service-root"), ("workspace", "other")],
        &[("purpose", "service-rootworkspace"), ("", "acme")],
        &[("purpose", "workspace"), ("service-root", "acme")],
        &[("purpose", "service-root"), ("workspace", "acme"), ("more", "")],
    ];
    for context in others {
        assert!(is_foreign(&ring, &data.wrapped, context).await, "{context:?}");
    }
}

#[tokio::test]
async fn every_flipped_bit_and_every_cut_of_a_wrapped_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ring = keyring(&directory.path().join("keyring.json"), "k1", &[OLD, NEW]);
    let data = ring.generate_data_key(CONTEXT).await.unwrap();
    for bad in damaged(&data.wrapped) {
        assert!(is_foreign(&ring, &bad, CONTEXT).await, "{}", hex::encode(&bad));
    }
    let longer = [data.wrapped, vec![0]].concat();
    assert!(is_foreign(&ring, &longer, CONTEXT).await);
}

#[tokio::test]
async fn the_active_key_wraps_and_every_key_unwraps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring.json");
    let before = keyring(&path, "k1", &[OLD]).generate_data_key(CONTEXT).await.unwrap();
    let rotated = keyring(&path, "k2", &[OLD, NEW]);
    let after = rotated.generate_data_key(CONTEXT).await.unwrap();
    assert!(rotated.decrypt(&before.wrapped, CONTEXT).await.is_ok());
    assert!(rotated.decrypt(&after.wrapped, CONTEXT).await.is_ok());
    let retired = keyring(&path, "k2", &[NEW]);
    assert!(retired.decrypt(&after.wrapped, CONTEXT).await.is_ok());
    assert!(is_foreign(&retired, &before.wrapped, CONTEXT).await);
}

#[tokio::test]
async fn a_key_wrapped_by_one_key_does_not_open_under_the_name_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let ring = keyring(&directory.path().join("keyring.json"), "k1", &[OLD, NEW]);
    let mut wrapped = ring.generate_data_key(CONTEXT).await.unwrap().wrapped;
    assert_eq!(&wrapped[..4], b"\x01\x02k1");
    wrapped[3] = b'2';
    assert!(is_foreign(&ring, &wrapped, CONTEXT).await);
    // Nor does the same material under another name: the name is authenticated.
    let renamed = keyring(&directory.path().join("other.json"), "k2", &[&OLD.replace("k1", "k2")]);
    assert!(is_foreign(&renamed, &wrapped, CONTEXT).await);
}

#[test]
fn debug_output_names_the_active_key_and_shows_none() {
    let directory = tempfile::tempdir().unwrap();
    let ring = keyring(&directory.path().join("keyring.json"), "k1", &[OLD, NEW]);
    assert_eq!(format!("{ring:?}"), r#"LocalKeyring { active: "k1", .. }"#);
}
