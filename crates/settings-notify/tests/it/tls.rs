//! TLS to the relay, with certificates made for the test.
//!
//! Which roots are trusted is the process's environment, and a test cannot change its own: so the test that trusts the
//! certificate starts itself again with `SSL_CERT_FILE` set.

use crate::support::{AnyError, Sink, TestResult, clock, invitation};
use secrecy::SecretString;
use settings_domain::ports::mail::{MailError, Mailer};
use settings_notify::SmtpMailer;
use std::{env, fs, path::Path, process::Command};

const CHILD: &str = "SETTINGS_NOTIFY_TLS_CHILD";

/// A certificate for `localhost` alone: the tests that reach the sink as 127.0.0.1 do so under a wrong name.
fn certificate(dir: &Path) -> Result<(String, String), AnyError> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let path = |p: &Path| p.to_str().map(str::to_owned).ok_or("not UTF-8");
    Ok((path(&cert)?, path(&key)?))
}

async fn send(url: &str) -> Result<(), MailError> {
    let mail = invitation(1, "grace@example.org", "Acme").map_err(|e| MailError::Refused(e.to_string().into()))?;
    let mailer = SmtpMailer::new(&SecretString::from(url), "no-reply@example.org", clock());
    mailer.map_err(|e| MailError::Refused(Box::new(e)))?.send(&mail).await
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the test tells its child what it is")]
async fn mail_goes_over_tls_to_a_trusted_relay() -> TestResult {
    if env::var_os(CHILD).is_none() {
        let dir = tempfile::tempdir()?;
        let (cert, key) = certificate(dir.path())?;
        let child = Command::new(env::current_exe()?)
            .args(["--exact", "tls::mail_goes_over_tls_to_a_trusted_relay", "--nocapture"])
            .env("SSL_CERT_FILE", &cert)
            .env_remove("SSL_CERT_DIR")
            .env(CHILD, key)
            .output()?;
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&child.stderr)
        );
        return Ok(());
    }
    let (cert, key) = (env::var("SSL_CERT_FILE")?, env::var(CHILD)?);
    for (scheme, query, mode) in [("smtps", "", "implicit"), ("smtp", "?tls=required", "starttls")] {
        let mut sink = Sink::start(&["--tls", mode, "--cert", &cert, "--key", &key, "--user", "u", "--password", "p"])?;
        send(&format!("{scheme}://u:p@localhost:{}{query}", sink.port)).await?;
        let mail = sink.next()?;
        assert!(mail.tls && mail.login.as_deref() == Some("u"), "{mail:?}");
        // Trusted, but not under this name.
        let other = send(&format!("{scheme}://u:p@127.0.0.1:{}{query}", sink.port)).await;
        assert!(matches!(other, Err(MailError::Unavailable(_))), "{other:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_untrusted_relay_gets_no_mail() -> TestResult {
    let dir = tempfile::tempdir()?;
    let (cert, key) = certificate(dir.path())?;
    for (scheme, query, mode) in [("smtps", "", "implicit"), ("smtp", "?tls=required", "starttls")] {
        let sink = Sink::start(&["--tls", mode, "--cert", &cert, "--key", &key])?;
        let Err(MailError::Unavailable(error)) = send(&format!("{scheme}://localhost:{}{query}", sink.port)).await
        else {
            return Err(mode.into());
        };
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_the_clear() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let Err(MailError::Unavailable(error)) = send(&format!("smtp://localhost:{}?tls=required", sink.port)).await else {
        return Err("sent or refused".into());
    };
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    // The sink was there and would have taken it: the next mail is the first it reports.
    send(&format!("smtp://localhost:{}?tls=none", sink.port)).await?;
    assert_eq!(sink.next()?.rcpt_tos, ["grace@example.org"]);
    Ok(())
}
