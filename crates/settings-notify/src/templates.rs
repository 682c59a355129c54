//! What the mails say: one text and one HTML form of each letter.
mod access;
mod blocks;
mod digest;
mod events;
mod page;
#[cfg(test)]
mod tests;
mod text;

use secrecy::ExposeSecret as _;
use settings_domain::ports::mail::Letter;
use std::fmt;

/// A letter in words. Holds the one-time link, so its `Debug` shows the subject alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line of plain text.
    pub subject: String,
    /// The text form, lines ended by `\n`.
    pub text: String,
    /// The HTML form: a whole document.
    pub html: String,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Writes a letter.
#[must_use]
pub fn render(letter: &Letter) -> Rendered {
    let words = match letter {
        Letter::Invitation { workspace, inviter, role, link, expires_at } => {
            access::invitation(workspace, inviter.as_deref(), *role, link.expose_secret(), *expires_at)
        }
        Letter::InvitationAsked { workspace, invited, link } => {
            access::invitation_asked(workspace, invited.as_str(), link)
        }
        Letter::MemberErased { workspace, seq, link } => events::member_erased(workspace, *seq, link),
        Letter::SignIn { link, expires_at } => access::sign_in(link.expose_secret(), *expires_at),
        Letter::Notification { workspace, headline, facts, link, settings_link } => {
            events::notification(workspace, headline, facts, link.as_deref(), settings_link)
        }
        Letter::ChannelFailing { workspace, channel, reason, link } => {
            events::channel_failing(workspace, channel, reason, link)
        }
        Letter::AuditDigest(letter) => digest::audit_digest(letter),
    };
    Rendered { text: text::text(&words), html: page::document(&words).into_string(), subject: words.subject }
}

/// The link that the letter is about, for the local mailbox, which shows it apart.
pub(crate) fn link(letter: &Letter) -> Option<&str> {
    match letter {
        Letter::Invitation { link, .. } | Letter::SignIn { link, .. } => Some(link.expose_secret()),
        Letter::Notification { link, .. } => link.as_deref(),
        Letter::ChannelFailing { link, .. }
        | Letter::InvitationAsked { link, .. }
        | Letter::MemberErased { link, .. } => Some(link),
        Letter::AuditDigest(letter) => Some(&letter.link),
    }
}
