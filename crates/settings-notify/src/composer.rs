//! The finished message, for senders that are not in this crate.
use crate::{
    Clock,
    message::{self, Sender},
};
use settings_domain::ports::mail::{Mail, MailError};
use std::fmt;

/// The `From` is no address, or its domain is not fully qualified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("mail must be sent from an address such as no-reply@example.org or Example <no-reply@example.org>")]
pub struct FromError;

/// A mail as it travels. Holds one-time links, so its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Composed {
    /// The sender's address alone, in ASCII.
    pub from: String,
    /// The recipient's, likewise.
    pub to: String,
    /// The whole message, with lines ended by CRLF.
    pub mime: Vec<u8>,
}

impl fmt::Debug for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed").finish_non_exhaustive()
    }
}

/// Writes letters in MIME: the same messages as [`SmtpMailer`](crate::SmtpMailer) sends.
pub struct Composer {
    from: Sender,
    clock: Clock,
}

impl fmt::Debug for Composer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Composer {
    /// `from` is an address, or a name and an address: `Example <no-reply@example.org>`. Message-IDs end in its domain.
    pub fn new(from: &str, clock: Clock) -> Result<Self, FromError> {
        Ok(Self { from: Sender::parse(from).ok_or(FromError)?, clock })
    }

    /// Puts a mail together. All but the `Date` is the same in every attempt. What cannot be put together never can:
    /// [`MailError::Refused`].
    pub fn compose(&self, mail: &Mail) -> Result<Composed, MailError> {
        let refused = |error| MailError::Refused(Box::new(error));
        let message = message::compose(mail, &self.from, (self.clock)()).map_err(refused)?;
        let envelope = message.envelope();
        let address = |address: Option<&lettre::Address>| address.map(ToString::to_string).unwrap_or_default();
        Ok(Composed { from: address(envelope.from()), to: address(envelope.to().first()), mime: message.formatted() })
    }
}
