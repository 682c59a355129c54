//! No plaintext key, no credentials and no mail in the logs, neither from this crate nor from the libraries under it.
use crate::{
    CONTEXT, SECRET, TestResult, keyring,
    moto::Moto,
    ses::{FROM, LINK, mail, mailer},
};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::ExposeSecret as _;
use settings_domain::ports::keyring::Keyring as _;
use settings_domain::ports::mail::Mailer as _;
use std::{
    fmt::Write as _,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
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
async fn logs_at_level_trace_hold_no_key_no_credentials_and_no_mail() -> TestResult {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .try_init()
        .map_err(|e| e.to_string())?;

    let moto = Moto::start()?;
    let (id, _) = moto.key().await?;
    let keyring = keyring(&moto.url(), &id).await?;
    let made = keyring.generate_data_key(CONTEXT).await?;
    keyring.decrypt(&made.wrapped, CONTEXT).await?;
    assert!(keyring.decrypt(&made.wrapped, &[]).await.is_err());

    let mailer = mailer(&moto.url()).await?;
    assert!(mailer.send(&mail("grace@example.org")?).await.is_err());
    moto.sender(FROM).await?;
    mailer.send(&mail("grace@example.org")?).await?;

    let log = String::from_utf8_lossy(&log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    // It did listen, to the libraries too.
    assert!(log.contains("aws_smithy_runtime") && log.contains(&id) && log.contains("SES took the mail"));
    let key = made.key.expose_secret();
    let mut hex = String::new();
    for byte in key {
        write!(hex, "{byte:02x}")?;
    }
    for secret in [&BASE64.encode(key), &hex, &format!("{key:?}"), SECRET, LINK, "grace@example.org", "Open https"] {
        assert!(!log.contains(secret), "{secret}");
    }
    Ok(())
}
