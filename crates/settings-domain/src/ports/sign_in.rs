//! Sign-in of people at an identity provider: a browser leaves with an address and comes back with an answer.
use super::{Cause, identity::Profile};
use crate::ids::SessionId;
use async_trait::async_trait;
use secrecy::SecretString;
use std::{fmt, str::FromStr};
use time::Duration;

/// How long somebody may take between leaving for the provider and coming back.
pub const ATTEMPT_LIFETIME: Duration = Duration::minutes(10);

/// Text for the provider that arrived in an address: visible ASCII, 256 characters at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint(String);

/// The text is no [`Hint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 256 visible ASCII characters")]
pub struct HintError;

impl FromStr for Hint {
    type Err = HintError;
    fn from_str(text: &str) -> Result<Self, HintError> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned())).ok_or(HintError)
    }
}

impl Hint {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the provider is told of the person before it asks them. It decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Ask for the credentials again, whoever is signed in there: to come back as somebody else.
    pub afresh: bool,
    /// The address that the person is expected to have.
    pub login: Option<Hint>,
    /// Auth0: the organization to sign in to.
    pub organization: Option<Hint>,
    /// Auth0: the ticket of an invitation that Auth0 has sent.
    pub invitation: Option<Hint>,
}

/// A sign-in that begins.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Id of the session that it opens where it succeeds. An id is used once, so an answer counts once.
    pub session: SessionId,
    /// The page of ours to come back to.
    pub back: String,
    /// For the provider.
    pub hints: Hints,
}

/// Where the browser goes, and what it keeps meanwhile.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's page.
    pub address: String,
    /// What binds the answer to this browser: sealed, and only for its cookie.
    pub kept: SecretString,
}

/// What a browser comes back with. Everything in it is said by whoever sent it.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What the browser kept.
    pub kept: Option<SecretString>,
    /// `state`.
    pub state: Option<String>,
    /// `code`: worth an account until it is exchanged.
    pub code: Option<SecretString>,
    /// `error`.
    pub error: Option<String>,
    /// `iss` (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Who.
    pub profile: Profile,
    /// As in the [`Attempt`].
    pub session: SessionId,
    /// As in the [`Attempt`].
    pub back: String,
}

/// Why nobody was signed in. The reasons that are texts are for the log, never for the page.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The answer belongs to no sign-in that this browser has begun and not finished.
    #[error("the answer belongs to no sign-in of this browser")]
    NotBegunHere,
    /// It took longer than [`ATTEMPT_LIFETIME`].
    #[error("the sign-in took too long")]
    TooLate,
    /// The person, or the provider for them, said no.
    #[error("the provider did not let the person in")]
    Declined,
    /// The provider's answer can't be believed.
    #[error("the provider's answer is not valid: {0}")]
    Invalid(&'static str),
    /// The provider and this service are not set up for each other: for the operator.
    #[error("the provider and this service are not set up for each other: {0}")]
    Misconfigured(&'static str),
    /// The provider could not be asked. Trying again later may help.
    #[error("the identity provider is unavailable")]
    Unavailable(#[source] Cause),
}

/// An identity provider that people sign in at.
#[async_trait]
pub trait SignInProvider: Send + Sync + fmt::Debug {
    /// What people know it by, such as its host.
    fn name(&self) -> &str;
    /// Where to send a browser.
    async fn depart(&self, attempt: &Attempt) -> Result<Departure, SignInError>;
    /// Who came back.
    async fn arrive(&self, answer: &Answer) -> Result<Arrival, SignInError>;
    /// Whether it answered when it was last asked; `None` where it has not been asked yet. Asks nobody.
    fn answered(&self) -> Option<bool>;
    /// Whether the provider answers and knows this service, for the operator.
    async fn check(&self) -> Result<(), SignInError>;
    /// Where to send a browser that has signed out here, so that it signs out there; `None` where the provider has no such
    /// page or can't be asked.
    async fn farewell(&self) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_short_visible_text() {
        for good in ["a", "ada+x@example.org", &"a".repeat(256)] {
            assert_eq!(good.parse::<Hint>().map(|h| h.as_str().to_owned()).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a b", "a\r\nb", "é", &"a".repeat(257)] {
            assert_eq!(bad.parse::<Hint>(), Err(HintError), "{bad:?}");
        }
    }
}
