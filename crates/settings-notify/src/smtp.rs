//! Mail by way of an SMTP relay.
use crate::{
    Clock,
    message::{self, Sender},
    relay::Relay,
    smtp_failure::{SmtpFailure, Stage},
};
use async_trait::async_trait;
use lettre::{
    Message,
    transport::smtp::{
        authentication::DEFAULT_MECHANISMS,
        client::{AsyncSmtpConnection, Tls},
        extension::ClientId,
    },
};
use secrecy::SecretString;
use settings_breaker::Breaker;
use settings_domain::ports::mail::{Mail, MailError, Mailer};
use std::{
    fmt,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// For a whole attempt, from the first packet to the relay's last word.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a relay is left alone that failed several times in a row.
const REST: Duration = Duration::from_secs(10);
/// For the good-bye after the relay has taken the mail.
const GOODBYE: Duration = Duration::from_secs(1);

/// The settings do not make a mailer. No variant shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpConfigError {
    /// Not of the form that [`SmtpMailer::new`] documents.
    #[error("the mail server must be given as smtps://host or smtp://host, with an optional user, password and port")]
    NotAUrl,
    /// No host, or one with characters that no host has.
    #[error("the mail server's URL names no usable host")]
    Host,
    /// A query other than `tls=required` or `tls=none`, or `tls=none` for `smtps`.
    #[error("the mail server's URL has an unknown setting: only tls=required and, for smtp, tls=none are known")]
    UnknownSetting,
    /// A user without a password, a password without a user, or broken percent-encoding.
    #[error("the mail server's URL must have both a user and a password, percent-encoded, or neither")]
    Credentials,
    /// `tls=none` with a password for another machine.
    #[error("the mail server's password would cross the network in the clear: use smtps or tls=required")]
    PasswordInTheClear,
    /// The `From` is no address, or its domain is not fully qualified.
    #[error("mail must be sent from an address such as no-reply@example.org or Example <no-reply@example.org>")]
    From,
    /// TLS cannot be set up, such as for want of root certificates.
    #[error("TLS for the mail server cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends mail through an SMTP relay.
///
/// One connection per mail: mails are few, and a pooled connection whose last mail was cut off by the deadline would
/// answer the next one with the replies to that one.
pub struct SmtpMailer {
    relay: Relay,
    from: Sender,
    clock: Clock,
    attempt: Duration,
    breaker: Breaker,
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("relay", &self.relay).field("from", &self.from).finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// A mailer for a relay and a `From`. Connects to nothing yet.
    ///
    /// The relay is one of:
    ///
    /// | URL | Protection | Port |
    /// | --- | --- | --- |
    /// | `smtps://user:pass@host` | TLS from the start; recommended | 465 |
    /// | `smtp://user:pass@host?tls=required` | STARTTLS, or no mail at all | 587 |
    /// | `smtp://host` | none for `localhost`, `127.0.0.0/8` and `[::1]`, else as `tls=required` | 25, else 587 |
    /// | `smtp://host?tls=none` | none; refused with a password unless the host is this machine | 25 |
    ///
    /// There is no opportunistic TLS: whoever can read the links can also strip the offer. Certificates are checked
    /// against the system's roots, or those in `SSL_CERT_FILE`. User and password are percent-encoded.
    ///
    /// `from` is an address, or a name and an address: `Example <no-reply@example.org>`. Message-IDs end in its domain.
    pub fn new(relay: &SecretString, from: &str, clock: Clock) -> Result<Self, SmtpConfigError> {
        let from = Sender::parse(from).ok_or(SmtpConfigError::From)?;
        let breaker = Breaker::new(REST);
        Ok(Self { relay: Relay::parse(relay)?, from, clock, attempt: ATTEMPT, breaker })
    }

    /// Another limit for a whole attempt, instead of ten seconds.
    #[must_use]
    pub fn with_timeout(mut self, attempt: Duration) -> Self {
        self.attempt = attempt;
        self
    }

    /// Hands the message over; returns the connection, for the good-bye.
    async fn hand_over(&self, message: &Message) -> Result<AsyncSmtpConnection, SmtpFailure> {
        let at = |stage| move |error| SmtpFailure::new(stage, error);
        let hello = ClientId::default();
        let from_the_start = match &self.relay.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let host = (self.relay.host.as_str(), self.relay.port);
        // No timeout for the parts: the one around the whole attempt covers them.
        let mut connection = AsyncSmtpConnection::connect_tokio1(host, None, &hello, from_the_start, None)
            .await
            .map_err(at(Stage::Connect))?;
        if let Tls::Required(parameters) = &self.relay.tls {
            connection.starttls(parameters.clone(), &hello).await.map_err(at(Stage::StartTls))?;
        }
        if let Some(credentials) = &self.relay.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await.map_err(at(Stage::Login))?;
        }
        connection.send(message.envelope(), &message.formatted()).await.map_err(at(Stage::Message))?;
        Ok(connection)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message =
            message::compose(mail, &self.from, (self.clock)()).map_err(|error| MailError::Refused(Box::new(error)))?;
        let resting = MailError::Resting(time::Duration::seconds(REST.as_secs().cast_signed()));
        let pass = self.breaker.enter(Instant::now()).ok_or(resting)?;
        // When the time is over the connection is dropped, and with it whatever half of a message the relay has.
        let handed_over = timeout(self.attempt, self.hand_over(&message)).await.unwrap_or(Err(SmtpFailure::TimedOut));
        match &handed_over {
            Err(failure) if !failure.is_about_the_message() => {
                if pass.failed(Instant::now()) {
                    tracing::warn!(cause = %failure, "the mail server is left alone for {} s", REST.as_secs());
                }
            }
            _ => pass.answered(),
        }
        let mut connection = handed_over?;
        tracing::debug!(delivery = %mail.delivery, "the relay took the mail");
        // The mail is the relay's by now: what comes of the good-bye cannot change that.
        let _goodbye = timeout(GOODBYE, connection.quit()).await;
        Ok(())
    }

    fn answered(&self) -> Option<bool> {
        self.breaker.last_answered()
    }
}
