//! Makes and recognises bearer material. Malformed text is recognised without any query.
use crate::{
    api_keys::ApiKey,
    ids::{ApiKeyId, InvitationId, SessionId, SignInId},
    tokens::{Digest, Minted, MintedKey, Seal},
};
use secrecy::SecretString;

/// No randomness was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct NoEntropy;

/// Makes and recognises tokens.
pub trait TokenMint: Send + Sync {
    /// A new API key value.
    fn api_key(&self, id: ApiKeyId) -> Result<MintedKey, NoEntropy>;
    /// Reads a key's text: shape, prefix and checksum are right, or `None`.
    fn parse_api_key(&self, text: &str) -> Option<(ApiKeyId, Digest)>;
    /// Whether a text is meant as one of our API keys, valid or not; by its prefix alone.
    fn looks_like_api_key(&self, text: &str) -> bool;
    /// MAC over what a key may do.
    fn seal_api_key(&self, key: &ApiKey, digest: &Digest) -> Seal;
    /// The token of an invitation's link. Derived, so that no queue has to hold it.
    fn invitation(&self, id: InvitationId, generation: i64) -> Minted;
    /// Reads an invitation token.
    fn parse_invitation(&self, text: &str) -> Option<(InvitationId, Digest)>;
    /// The token of a sign-in link. Derived likewise.
    fn sign_in(&self, id: SignInId) -> Minted;
    /// Reads a sign-in token.
    fn parse_sign_in(&self, text: &str) -> Option<(SignInId, Digest)>;
    /// A new session's bearer token.
    fn session(&self, id: SessionId) -> Result<Minted, NoEntropy>;
    /// Reads a session token.
    fn parse_session(&self, text: &str) -> Option<(SessionId, Digest)>;
    /// A new secret to sign a webhook's deliveries with: `whsec_` and the base64 of 32 bytes (Standard Webhooks).
    fn webhook_secret(&self) -> Result<SecretString, NoEntropy>;
    /// What tells a repeated call from another one: a MAC over its parts, since it is stored.
    fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32];
    /// Seals a list position: only this service can make one, and only for this context (tenant, list, filter).
    fn seal_cursor(&self, context: &[u8], position: &[u8]) -> Result<String, NoEntropy>;
    /// Opens a position; `None` when it is forged or of another context.
    fn open_cursor(&self, context: &[u8], cursor: &str) -> Option<Vec<u8>>;
    /// Seals a value that somebody typed, so that a form can carry it unreadably while it asks for a confirmation. Nothing
    /// but this service opens it, and only for this context (session, form, field).
    fn seal_draft(&self, context: &[u8], value: &SecretString) -> Result<String, NoEntropy>;
    /// Opens a draft; `None` when it is forged or of another context.
    fn open_draft(&self, context: &[u8], draft: &str) -> Option<SecretString>;
}
