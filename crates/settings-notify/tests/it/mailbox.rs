//! The local mailbox on a real disk.

use crate::support::{AnyError, LINK, NOW, TestResult, clock, delivery, invitation};
use serde_json::Value;
use settings_domain::{
    ports::mail::{Letter, Mail, MailError, Mailer},
    text::Email,
};
use settings_notify::{Clock, LocalMailbox, MailboxError, StoredMail};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use time::{Duration, format_description::well_known::Rfc3339};

/// A clock that goes on by a second each time it is read.
fn ticking() -> Clock {
    let seconds = AtomicI64::new(0);
    Arc::new(move || NOW + Duration::seconds(seconds.fetch_add(1, Ordering::Relaxed)))
}

fn mode(path: &Path) -> Result<u32, AnyError> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

fn names(dir: &Path) -> Result<Vec<String>, AnyError> {
    let mut names = fs::read_dir(dir)?
        .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, AnyError>>()?;
    names.sort();
    Ok(names)
}

/// Ids of a listing, as the numbers that the tests gave them.
fn numbers(mails: &[StoredMail]) -> Vec<u128> {
    mails.iter().map(|m| m.id.as_uuid().as_u128() - delivery(0).as_uuid().as_u128()).collect()
}

/// Puts `n` mails into a folder, a second apart, without going through the mailbox: quicker, since nothing is synced.
async fn fill(dir: &Path, n: u128) -> TestResult {
    let mailbox = LocalMailbox::open(dir, clock()).await?;
    mailbox.send(&invitation(1, "ada@example.org", "Acme")?).await?;
    let mut mail: Value = serde_json::from_slice(&fs::read(dir.join(format!("{}.json", delivery(1))))?)?;
    let fields = mail.as_object_mut().ok_or("no object")?;
    for i in 2..=n {
        let sent_at = NOW + Duration::seconds(i64::try_from(i)?);
        fields.insert("id".to_owned(), delivery(i).to_string().into());
        fields.insert("sent_at".to_owned(), sent_at.format(&Rfc3339)?.into());
        fs::write(dir.join(format!("{}.json", delivery(i))), serde_json::to_vec(fields)?)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_is_one_private_file() -> TestResult {
    let parent = tempfile::tempdir()?;
    let dir = parent.path().join("a/mail");
    let mailbox = LocalMailbox::open(&dir, clock()).await?;
    mailbox.send(&invitation(1, "Grace@Exämple.org", "Acme")?).await?;

    let file = format!("{}.json", delivery(1));
    assert_eq!(names(&dir)?, [file.as_str()]);
    assert_eq!((mode(&dir)?, mode(&dir.join(&file))?), (0o700, 0o600));
    assert_eq!(mode(&parent.path().join("a"))?, 0o700);
    let json: Value = serde_json::from_slice(&fs::read(dir.join(&file))?)?;
    let field = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(field("id"), Some(delivery(1).to_string()));
    assert_eq!(field("to").as_deref(), Some("Grace@Exämple.org"));
    assert_eq!(field("subject").as_deref(), Some("Invitation to join \"Acme\""));
    assert_eq!(field("link").as_deref(), Some(LINK));
    assert_eq!(field("sent_at").as_deref(), Some("2026-08-06T10:20:30Z"));
    assert!(field("text").is_some_and(|t| t.contains(LINK)) && field("html").is_some_and(|h| h.contains("</html>")));
    Ok(())
}

#[tokio::test]
async fn a_sign_in_mail_keeps_its_link() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    let letter = Letter::SignIn { link: LINK.into(), expires_at: NOW };
    mailbox.send(&Mail { delivery: delivery(1), to: "ada@example.org".parse()?, letter }).await?;
    let links: Vec<_> = mailbox.list().await?.into_iter().map(|m| m.link).collect();
    assert_eq!(links, [Some(LINK.to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_retry_adds_nothing() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), ticking()).await?;
    let mail = invitation(1, "grace@example.org", "Acme")?;
    for _ in 0..3 {
        mailbox.send(&mail).await?;
    }
    let mails = mailbox.list().await?;
    assert_eq!(mails.iter().map(|m| m.sent_at).collect::<Vec<_>>(), [NOW]);
    Ok(())
}

#[tokio::test]
async fn the_newest_come_first_also_after_a_restart() -> TestResult {
    let dir = tempfile::tempdir()?;
    // The ids run against the time, so that they cannot be what sorts.
    let mailbox = LocalMailbox::open(dir.path(), ticking()).await?;
    for n in [3, 2, 1] {
        mailbox.send(&invitation(n, "grace@example.org", "Acme")?).await?;
    }
    assert_eq!(numbers(&mailbox.list().await?), [1, 2, 3]);
    assert_eq!(numbers(&LocalMailbox::open(dir.path(), clock()).await?.list().await?), [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn concurrent_mails_all_arrive() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    let mut tasks = Vec::new();
    for n in 1..=20 {
        let (mailbox, mail) = (mailbox.clone(), invitation(n / 2, "grace@example.org", "Acme")?);
        tasks.push(tokio::spawn(async move { mailbox.send(&mail).await }));
    }
    for task in tasks {
        task.await??;
    }
    assert_eq!(numbers(&mailbox.list().await?), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(names(dir.path())?.len(), 11);
    Ok(())
}

#[tokio::test]
async fn a_purge_removes_all_mail_to_one_address_and_no_other() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    for (n, to) in [(1, "Grace@exämple.org"), (2, "grace@xn--exmple-cua.org"), (3, "grace@example.org")] {
        mailbox.send(&invitation(n, to, "Acme")?).await?;
    }
    // What a crash left, and a file that is no mail any more: both may be to that address.
    fs::write(dir.path().join(".x.1.mail-tmp"), "half")?;
    fs::write(dir.path().join(format!("{}.json", delivery(4))), "{\"to\":\"grace@exämple")?;
    let grace: Email = "GRACE@EXÄMPLE.org".parse()?;
    assert_eq!(mailbox.purge(grace.key()).await?, 3);
    assert_eq!(names(dir.path())?, [format!("{}.json", delivery(3))]);
    assert_eq!(mailbox.purge(grace.key()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_thousand_mails_are_kept_and_two_hundred_listed() -> TestResult {
    let dir = tempfile::tempdir()?;
    fill(dir.path(), 1001).await?;
    fs::write(dir.path().join(format!("{}.json", delivery(1002))), "no mail")?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    // By the clock this one is older than all but the first, yet it is the one that has to stay.
    mailbox.send(&invitation(2000, "grace@example.org", "Acme")?).await?;
    assert_eq!(names(dir.path())?.len(), 1000);
    for (n, kept) in [(1, false), (2, false), (3, true), (1001, true), (1002, false), (2000, true)] {
        assert_eq!(dir.path().join(format!("{}.json", delivery(n))).exists(), kept, "{n}");
    }
    assert_eq!(numbers(&mailbox.list().await?), (802..=1001).rev().collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn files_that_are_no_mail_are_left_out_and_left_alone() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    mailbox.send(&invitation(1, "grace@example.org", "Acme")?).await?;
    for name in ["notes.json", "lost+found", "README"] {
        fs::write(dir.path().join(name), "{}")?;
    }
    assert_eq!(numbers(&mailbox.list().await?), [1]);
    let grace: Email = "grace@example.org".parse()?;
    assert_eq!(mailbox.purge(grace.key()).await?, 1);
    assert_eq!(names(dir.path())?, ["README", "lost+found", "notes.json"]);
    Ok(())
}

#[tokio::test]
async fn a_folder_of_others_is_neither_closed_nor_used() -> TestResult {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    fs::write(dir.path().join("somebody-elses"), "")?;
    assert!(matches!(LocalMailbox::open(dir.path(), clock()).await, Err(MailboxError::NotAMailbox)));
    assert_eq!(mode(dir.path())?, 0o755);

    // An open but empty one, such as a fresh volume, is closed; what a crash left in it goes.
    fs::remove_file(dir.path().join("somebody-elses"))?;
    fs::write(dir.path().join(".x.1.mail-tmp"), "half")?;
    LocalMailbox::open(dir.path(), clock()).await?;
    assert_eq!((mode(dir.path())?, names(dir.path())?.len()), (0o700, 0));
    Ok(())
}

#[tokio::test]
async fn a_disk_that_fails_is_not_final_and_leaves_nothing_half_written() -> TestResult {
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("mail");
    let mailbox = LocalMailbox::open(&place, clock()).await?;
    // A folder in the place of the draft: root, as which tests may run, is stopped by no mode bits.
    let draft = place.join(format!(".{}.{}.mail-tmp", delivery(1), std::process::id()));
    fs::create_dir(&draft)?;
    let mail = invitation(1, "grace@example.org", "Acme")?;
    let sent = mailbox.send(&mail).await;
    assert!(matches!(sent, Err(MailError::Unavailable(_))), "{sent:?}");
    assert!(mailbox.list().await?.is_empty());
    fs::remove_dir(&draft)?;
    mailbox.send(&mail).await?;
    assert_eq!(numbers(&mailbox.list().await?), [1]);
    // The folder is gone altogether.
    fs::remove_dir_all(&place)?;
    assert!(matches!(mailbox.send(&mail).await, Err(MailError::Unavailable(_))));
    assert!(mailbox.list().await.is_err());
    Ok(())
}
