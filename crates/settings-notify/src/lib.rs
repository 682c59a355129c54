//! Mail senders: SMTP and the local mailbox, and a [`Composer`] for senders elsewhere.
//!
//! Both implement the domain's [`Mailer`](settings_domain::ports::mail::Mailer) and say the same words, those of
//! [`templates`]. Neither logs an address, a body or a link: log lines carry the delivery id alone, and the errors that
//! travel upwards are made of reply codes, never of what a server said (servers like to repeat the address).
use std::sync::Arc;
use time::OffsetDateTime;

mod composer;
pub mod mailbox;
mod message;
mod relay;
pub mod smtp;
mod smtp_failure;
pub mod templates;
mod untrusted;

pub use composer::{Composed, Composer, FromError};
pub use mailbox::{LocalMailbox, MailboxError, StoredMail};
pub use smtp::{SmtpConfigError, SmtpMailer};

/// Where the senders take the time from, so that tests can set it.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;
