//! The MIME message that a mail becomes.
use crate::templates;
use lettre::{
    Address, Message,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use settings_domain::{
    ids::DeliveryId,
    ports::mail::Mail,
    text::{Email, EmailKey},
};
use std::time::SystemTime;
use time::{OffsetDateTime, macros::datetime};

/// Why a message could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    #[error("the address cannot be written into a message")]
    Address(#[from] AddressError),
    #[error("the message cannot be put together")]
    Message(#[from] lettre::error::Error),
}

/// Who all mail is from.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    mailbox: Mailbox,
    /// A-label form, for the Message-ID.
    domain: String,
}

impl Sender {
    /// Reads `no-reply@example.org` or `Example <no-reply@example.org>`.
    pub(crate) fn parse(from: &str) -> Option<Self> {
        let from = from.trim();
        // The library's own parser wants names quoted that people write plainly.
        let (name, address) = match from.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').map(|(name, address)| (name.trim(), address))?,
            None => ("", from),
        };
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
        if name.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | '"' | '\\')) {
            return None;
        }
        let name = (!name.is_empty()).then(|| name.to_owned());
        let email: Email = address.parse().ok()?;
        let (_, domain) = email.key().as_str().rsplit_once('@')?;
        let sender = Self { mailbox: Mailbox::new(name, ascii(&email).ok()?), domain: domain.to_owned() };
        // What the library cannot read back it leaves out when it sends, so a bad name has to show up here, at start.
        Message::builder().from(sender.mailbox.clone()).to(sender.mailbox.clone()).body(String::new()).ok()?;
        Some(sender)
    }

    /// The Message-ID of a delivery: the same in every attempt, so that a receiver can drop a duplicate.
    fn message_id(&self, delivery: DeliveryId) -> String {
        format!("<{delivery}@{}>", self.domain)
    }
}

/// The address in ASCII: the local part as stored, the domain in A-labels. Not every relay knows SMTPUTF8, and none needs
/// it for a domain.
fn ascii(email: &Email) -> Result<Address, AddressError> {
    let domain = |key: &EmailKey| key.as_str().rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let (local, _) = email.as_str().rsplit_once('@').ok_or(AddressError::MissingParts)?;
    Address::new(local, domain(email.key()).ok_or(AddressError::MissingParts)?)
}

/// Puts a mail together. All but the `Date` is the same in every attempt.
pub(crate) fn compose(mail: &Mail, from: &Sender, now: OffsetDateTime) -> Result<Message, ComposeError> {
    let rendered = templates::render(&mail.letter);
    let to = ascii(&mail.to)?;
    // The envelope is set by hand, so that no header, whatever it came to hold, can add a recipient.
    let envelope = Envelope::new(Some(from.mailbox.email.clone()), vec![to.clone()])?;
    // The library panics on years that an HTTP date cannot have.
    let now = now.clamp(datetime!(1970-01-02 00:00 UTC), datetime!(9999-01-01 00:00 UTC));
    // The library's own boundary is random; ours keeps attempts alike, and nobody who could write into the mail knows it.
    let body = MultiPart::alternative()
        .boundary(format!("part-{}", mail.delivery))
        .singlepart(SinglePart::plain(rendered.text))
        .singlepart(SinglePart::html(rendered.html));
    Ok(Message::builder()
        .envelope(envelope)
        .from(from.mailbox.clone())
        .to(Mailbox::new(None, to))
        .subject(rendered.subject)
        .date(SystemTime::from(now))
        .message_id(Some(from.message_id(mail.delivery)))
        // RFC 3834: no vacation notes in return.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(body)?)
}

#[cfg(test)]
mod tests;
