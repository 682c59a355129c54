//! No address, body or link in the logs, neither from this crate nor from the libraries under it.
//!
//! It also guards against somebody turning on lettre's `tracing` feature anywhere in the workspace: with it the library
//! logs every line it sends.

use crate::support::{Sink, TestResult, clock, delivery, invitation};
use secrecy::SecretString;
use settings_domain::ports::mail::Mailer;
use settings_notify::{LocalMailbox, SmtpMailer};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn logs_name_the_delivery_and_nothing_else() -> TestResult {
    let log = Log::default();
    // Global: the mailbox's disk work runs on other threads.
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .try_init()
        .map_err(|e| e.to_string())?;

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

    let log = String::from_utf8_lossy(&log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    for n in [1, 4, 5] {
        assert!(log.contains(&delivery(n).to_string()), "{n}: {log}");
    }
    for secret in ["@example.org", "token=", "Acme", "hunter2", "invit"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    Ok(())
}
