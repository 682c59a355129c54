//! Letters to people. The domain says what is to be said; the adapter writes and sends it.
use crate::{policy::Role, text::Email};
use async_trait::async_trait;
use secrecy::SecretString;
use time::OffsetDateTime;

/// A letter with everything its text needs. Links hold one-time tokens, so they are secrets.
#[derive(Debug)]
pub enum Letter {
    /// "You are invited" (seed A, Members; seed B, Inviting new users).
    Invitation {
        /// The workspace's display name: free text of a stranger, to be escaped and never linked.
        workspace: String,
        /// Who invites, where a name is known.
        inviter: Option<String>,
        /// The role offered.
        role: Role,
        /// The acceptance page.
        link: SecretString,
        /// Last instant at which the link works.
        expires_at: OffsetDateTime,
    },
    /// A one-time sign-in link.
    SignIn {
        /// The sign-in page.
        link: SecretString,
        /// Last instant at which the link works.
        expires_at: OffsetDateTime,
    },
}

/// A letter and where it goes.
#[derive(Debug)]
pub struct Mail {
    /// Stable over retries: becomes the Message-ID, so that a receiver can drop a duplicate.
    pub delivery: crate::ids::DeliveryId,
    /// The one recipient, as stored (never as given in the request that triggered the mail).
    pub to: Email,
    /// What to say.
    pub letter: Letter,
}

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server refused for good (5xx): trying again will not help.
    #[error("the mail server refused the message")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server could not be reached or asked for patience (4xx): try later.
    #[error("the mail server is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends letters.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Returns once the next hop has accepted responsibility for the mail.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}
