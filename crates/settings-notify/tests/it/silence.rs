//! No address, body or link in the logs, neither from this crate nor from the libraries under it.
//!
//! It also guards against somebody turning on lettre's `tracing` feature anywhere in the workspace: with it the library
//! logs every line it sends.

use crate::support::{Sink, TestResult, clock, delivery, invitation};
use secrecy::SecretString;
use settings_domain::ports::mail::Mailer;
use settings_notify::{LocalMailbox, SmtpMailer};
use settings_testkit::log::Log;
use std::time::Duration;

#[tokio::test]
async fn logs_name_the_delivery_and_nothing_else() -> TestResult {
    let log = Log::of_everything()?;

    let mut sink = Sink::start(&["--user", "u", "--password", "hunter2"])?;
    let url = SecretString::from(format!("smtp://u:hunter2@localhost:{}", sink.port));
    let smtp = SmtpMailer::new(&url, "no-reply@example.org", clock())?.with_timeout(Duration::from_secs(5));
    smtp.send(&invitation(1, "grace@example.org", "Acme")?).await?;
    sink.next()?;
    for (n, to) in [(2, "refuse@example.org"), (3, "later@example.org")] {
        assert!(smtp.send(&invitation(n, to, "Acme")?).await.is_err());
    }
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    mailbox.send(&invitation(4, "grace@example.org", "Acme")?).await?;
    std::fs::write(dir.path().join(format!("{}.json", delivery(5))), "grace@example.org")?;
    mailbox.list().await?;

    let log = log.text();
    for n in [1, 4, 5] {
        assert!(log.contains(&delivery(n).to_string()), "{n}: {log}");
    }
    for secret in ["@example.org", "token=", "Acme", "hunter2", "invit"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    Ok(())
}
