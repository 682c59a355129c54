//! Letters to people. The domain says what is to be said; the adapter writes and sends it.
use crate::{audit::Risk, policy::Role, text::Email};
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

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
    /// Somebody opened the link of an invitation that has expired, and asks for a new one.
    InvitationAsked {
        /// The workspace's display name.
        workspace: String,
        /// Who was invited.
        invited: Email,
        /// The page on which an invitation is sent again.
        link: String,
    },
    /// Somebody's personal data were erased: every admin hears of it, because evidence may have gone with it. It names nobody.
    MemberErased {
        /// The workspace's display name.
        workspace: String,
        /// The place of the event in the audit log.
        seq: i64,
        /// The audit log's page.
        link: String,
    },
    /// A one-time sign-in link.
    SignIn {
        /// The sign-in page.
        link: SecretString,
        /// Last instant at which the link works.
        expires_at: OffsetDateTime,
    },
    /// Something happened that the recipient wants to hear of (seed A, Notifications).
    Notification {
        /// The workspace's display name.
        workspace: String,
        /// What happened, such as "A workflow run failed".
        headline: String,
        /// Names and values, such as `Workflow` and `nightly`. The values are free text of strangers.
        facts: Vec<(String, String)>,
        /// The page about it, if there is one. No secret: whoever opens it signs in.
        link: Option<String>,
        /// The page on which these mails are turned off.
        settings_link: String,
    },
    /// A channel no longer works, and nothing is sent there until somebody puts it right (SL02).
    ChannelFailing {
        /// The workspace's display name.
        workspace: String,
        /// Which one, such as "Slack" or "the webhook at hooks.example.com".
        channel: String,
        /// Why, in our own words, such as "Slack says that the app was removed". Without a full stop.
        reason: String,
        /// The page on which it is put right.
        link: String,
    },
    /// What stands in the audit log since the last digest (seed A, Audit digest). Boxed: it is by far the largest.
    AuditDigest(Box<AuditDigestLetter>),
}

/// A digest of the audit log. Without any events it says so.
#[derive(Debug)]
pub struct AuditDigestLetter {
    /// The workspace's display name.
    pub workspace: String,
    /// Where the last digest ended; `None` for the first one.
    pub from: Option<OffsetDateTime>,
    /// Where this one ends.
    pub to: OffsetDateTime,
    /// How many events of each risk.
    pub totals: Vec<(Risk, i64)>,
    /// Who did the most, by name, with how many events.
    pub actors: Vec<(String, i64)>,
    /// The events that are shown, in the order in which they are to be shown.
    pub events: Vec<DigestLine>,
    /// How many more there are.
    pub more: i64,
    /// A signed note about the state of the log, to be kept by the recipient: shown to the byte (AU08).
    pub checkpoint: Option<String>,
    /// The audit log's page.
    pub link: String,
    /// The page on which digests are turned off.
    pub settings_link: String,
}

/// An event in a digest.
#[derive(Debug)]
pub struct DigestLine {
    /// When.
    pub at: OffsetDateTime,
    /// How bad it may be.
    pub risk: Risk,
    /// What was done, such as `secret.accessed`.
    pub action: String,
    /// Who did it, by name; `None` for nobody who could be named, such as an erased person.
    pub actor: Option<String>,
    /// To what: may be free text of a stranger.
    pub target: String,
    /// The event's page.
    pub link: String,
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
    /// Nothing was sent: the server failed several times in a row and is left alone, for this long at most.
    #[error("the mail server has failed several times in a row and is left alone for some seconds")]
    Resting(Duration),
}

/// Sends letters.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Returns once the next hop has accepted responsibility for the mail.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
    /// Whether the next hop answered when it was last asked; `None` where it has not been asked yet. Asks nobody.
    fn answered(&self) -> Option<bool> {
        None
    }
}

/// Mail that was not sent but kept on this machine, for development.
#[async_trait]
pub trait KeptMail: Send + Sync {
    /// Forgets every mail that holds one of these texts, whatever the case of its letters, and says how many there were.
    async fn forget(&self, texts: &BTreeSet<String>) -> Result<usize, MailError>;
}
