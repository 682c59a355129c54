//! What the builder refuses, and that a keyring belongs to its database.
use settings::{OpenError, Settings};

#[tokio::test]
async fn what_is_needed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("settings.db").display().to_string();
    let refused = Settings::builder().open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Missing("a database")), "{refused}");
    let refused = Settings::builder().sqlite(&database).open().await.unwrap_err();
    assert_eq!(refused.to_string(), "a keyring was not chosen");
    let refused =
        Settings::builder().sqlite(":memory:").keyring_file(folder.path().join("k")).open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Database(_)), "{refused}");
}

#[tokio::test]
async fn a_database_opens_with_its_own_keyring_and_with_no_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let open = |keyring: &str| {
        let database = folder.path().join("settings.db").display().to_string();
        Settings::builder().sqlite(database).keyring_file(folder.path().join(keyring)).open()
    };
    open("keyring.json").await.unwrap();
    open("keyring.json").await.unwrap();
    let refused = open("another.json").await.unwrap_err();
    assert!(matches!(refused, OpenError::Keyring(_)), "{refused}");
    assert!(!folder.path().join("another.json").exists(), "nothing is made for a database that has its key elsewhere");
}

#[tokio::test]
async fn the_background_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = Settings::builder().sqlite(path("a.db")).keyring_file(path("k.json")).mailbox(path("mail"));
    let settings = settings.public_url("https://settings.example.com").open().await.unwrap();
    settings.work(std::future::ready(())).await;
    // A sign-in link that somebody asked for is delivered by it.
    settings.app().send_sign_in_link("ada@example.org".parse().unwrap()).await.unwrap();
    let mails = || std::fs::read_dir(folder.path().join("mail")).unwrap().count();
    let delivered = async {
        while mails() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), settings.work(delivered))
        .await
        .expect("mail within a minute");
    assert!(mails() > 0);
}

#[tokio::test]
async fn what_runs_beside_the_requests_signs_checkpoints_and_shows_them_to_a_witness() {
    use std::sync::{Arc, Mutex};
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let settings = Settings::builder()
        .sqlite(path("settings.db"))
        .keyring_file(path("keyring.json"))
        .mailbox(path("mail"))
        .witness(move |workspace, note| notes.lock().unwrap().push((workspace, note.to_owned())))
        .open()
        .await
        .unwrap();
    let founded = settings.found("acme".parse().unwrap(), "Acme".parse().unwrap(), "ada@example.org".parse().unwrap());
    founded.await.unwrap();
    let signed = async {
        while seen.lock().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), settings.work(signed)).await.expect("a checkpoint");
    let (workspace, note) = seen.lock().unwrap().pop().unwrap();
    let newest = settings.app().ports().store.newest(workspace).await.unwrap().expect("a checkpoint");
    assert_eq!(newest.note, note);
}
