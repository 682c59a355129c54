//! No plaintext key, no credentials and no mail in the logs, neither from this crate nor from the libraries under it.
use crate::{
    CONTEXT, SECRET, TestResult, keyring, moto,
    ses::{FROM, LINK, mail, mailer},
};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::ExposeSecret as _;
use settings_domain::ports::keyring::Keyring as _;
use settings_domain::ports::mail::Mailer as _;
use settings_testkit::log::Log;
use std::fmt::Write as _;

#[tokio::test]
async fn logs_at_level_trace_hold_no_key_no_credentials_and_no_mail() -> TestResult {
    let log = Log::of_everything()?;
    let moto = moto()?;
    let (id, _) = moto.kms_key()?;
    let keyring = keyring(&moto.url(), &id).await?;
    let made = keyring.generate_data_key(CONTEXT).await?;
    keyring.decrypt(&made.wrapped, CONTEXT).await?;
    assert!(keyring.decrypt(&made.wrapped, &[]).await.is_err());

    let mailer = mailer(&moto.url()).await?;
    assert!(mailer.send(&mail("grace@example.org")?).await.is_err());
    moto.ses_sender(FROM)?;
    mailer.send(&mail("grace@example.org")?).await?;

    let log = log.text();
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
