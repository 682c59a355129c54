//! Who a bearer token speaks for.
use crate::text::Email;
use async_trait::async_trait;
use secrecy::SecretString;

/// What a verified token says of its bearer. Identity is `issuer` + `subject`; the e-mail only routes invitations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The token's `iss`, exactly as issued.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// The e-mail, where the token has a well-formed one.
    pub email: Option<Email>,
    /// Whether the issuer vouches for the e-mail. An unverified one counts for nothing.
    pub email_verified: bool,
    /// Display name.
    pub name: Option<String>,
    /// Avatar address.
    pub picture: Option<String>,
}

/// Why a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token is not one of ours, has expired or was tampered with. The reason is for the log, never for the caller.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// The issuer's keys could not be had, so nothing can be said of the token.
    #[error("the issuer's keys are unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Verifies bearer tokens of one issuer.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Checks signature, algorithm, issuer, audience and times.
    async fn verify(&self, token: &SecretString) -> Result<Profile, TokenError>;
}
