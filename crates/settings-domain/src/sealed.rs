//! Values at rest: what somebody gave once, what is stored of it, and what it is bound to.
//!
//! A value comes in as a [`SecretValue`], is sealed by a [cipher](crate::ports::vault::ValueCipher) under a [`Binding`],
//! and lies in the store as a [`StoredValue`]. Opening it wants an [`Opening`], and only the entity that owns the value
//! makes one, from a proof: a committed access, or a permit to resolve. So no code path reads a value by accident.
use crate::{
    ids::{EnvironmentId, WorkspaceId},
    text::TextError,
    tokens::Digest,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;
use uuid::Uuid;

/// The longest value, in bytes (contract: 64 KiB, kept byte for byte).
pub const MAX_VALUE: usize = 64 * 1024;

/// A value that somebody wants kept: 1 to 65,536 bytes of text. Never shown, never serialised.
#[derive(Clone)]
pub struct SecretValue(SecretString);

impl SecretValue {
    /// Takes a text over. Nothing of it is trimmed or normalised.
    pub fn new(text: SecretString) -> Result<Self, TextError> {
        match text.expose_secret().len() {
            0 => Err(TextError("must not be empty")),
            n if n > MAX_VALUE => Err(TextError("must have at most 65536 bytes")),
            _ if text.expose_secret().contains('\0') => Err(TextError("must not contain the NUL character")),
            _ => Ok(Self(text)),
        }
    }
    /// The text, for a cipher, a digest or the one place where it is used.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// What kind of value it is. The names are part of stored ciphertexts and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A variable's value (seed B, Variables).
    Variable,
    /// A secret's value (seed A, scope `secrets:read`).
    Secret,
    /// A model's credential.
    ModelCredential,
    /// A published event's text.
    Event,
    /// A connection's token.
    ConnectionToken,
    /// What a webhook's deliveries are signed with.
    WebhookSecret,
}

impl ValueKind {
    /// Name inside the associated data.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Secret => "secret",
            Self::ModelCredential => "model-credential",
            Self::Event => "event",
            Self::ConnectionToken => "connection-token",
            Self::WebhookSecret => "webhook-secret",
        }
    }
}

/// What a sealed value is bound to: moved to another row, tenant, environment, origin or version, it does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    workspace: WorkspaceId,
    kind: ValueKind,
    record: Uuid,
    version: i64,
    place: String,
}

impl Binding {
    pub(crate) fn new(workspace: WorkspaceId, kind: ValueKind, record: Uuid, version: i64, place: String) -> Self {
        Self { workspace, kind, record, version, place }
    }
    pub(crate) fn in_environment(
        workspace: WorkspaceId,
        kind: ValueKind,
        record: Uuid,
        version: i64,
        environment: EnvironmentId,
    ) -> Self {
        Self::new(workspace, kind, record, version, environment.to_string())
    }
    /// The tenant.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
    /// The kind of value.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        self.kind
    }
    /// The row.
    #[must_use]
    pub const fn record(&self) -> Uuid {
        self.record
    }
    /// The version of the row that the value came with.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }
    /// Where it may be used: the environment's id, or the kind of credential and the origin it is for.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// A ciphertext and the generation of the data key that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    generation: i64,
    bytes: Vec<u8>,
}

impl Sealed {
    /// From a cipher or a row.
    #[must_use]
    pub const fn new(generation: i64, bytes: Vec<u8>) -> Self {
        Self { generation, bytes }
    }
    /// Which of the workspace's data keys.
    #[must_use]
    pub const fn generation(&self) -> i64 {
        self.generation
    }
    /// The ciphertext with its header.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// What is stored of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    binding: Binding,
    sealed: Sealed,
    digest: Digest,
}

impl StoredValue {
    /// A value sealed under this binding, or read from the row that the binding describes. The keyed digest tells equal
    /// values apart from different ones without opening them; [`Digest::none`] where nobody compares.
    #[must_use]
    pub const fn new(binding: Binding, sealed: Sealed, digest: Digest) -> Self {
        Self { binding, sealed, digest }
    }
    /// What it is bound to.
    #[must_use]
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }
    /// The ciphertext.
    #[must_use]
    pub const fn sealed(&self) -> &Sealed {
        &self.sealed
    }
    /// The keyed digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
    pub(crate) const fn opening(&self) -> Opening<'_> {
        Opening { binding: &self.binding, sealed: &self.sealed }
    }
}

/// The right to open one value: made by the entity that owns it, from a proof, and by nobody else.
///
/// ```compile_fail,E0451
/// use settings_domain::sealed::{Binding, Opening, Sealed};
/// fn forge<'a>(binding: &'a Binding, sealed: &'a Sealed) -> Opening<'a> { Opening { binding, sealed } }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    binding: &'a Binding,
    sealed: &'a Sealed,
}

impl<'a> Opening<'a> {
    /// What it is bound to.
    #[must_use]
    pub const fn binding(&self) -> &'a Binding {
        self.binding
    }
    /// The ciphertext.
    #[must_use]
    pub const fn sealed(&self) -> &'a Sealed {
        self.sealed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<SecretValue, TextError> {
        SecretValue::new(text.to_owned().into())
    }

    #[test]
    fn values_have_1_to_65536_bytes_and_no_nul() {
        assert!(value("x").is_ok());
        assert!(value(&"x".repeat(MAX_VALUE)).is_ok());
        assert!(value(&"x".repeat(MAX_VALUE + 1)).is_err());
        assert!(value(&"ä".repeat(MAX_VALUE / 2)).is_ok(), "bytes are counted, not characters");
        assert!(value(&"ä".repeat(MAX_VALUE / 2 + 1)).is_err());
        assert!(value("").is_err());
        assert!(value("a\0b").is_err());
    }

    #[test]
    fn nothing_of_a_value_is_shown() {
        assert!(!format!("{:?}", value("canary")).contains("canary"));
        assert!(!format!("{:?}", Sealed::new(1, b"canary".to_vec())).contains("99, 97"));
    }

    #[test]
    fn a_value_is_kept_byte_for_byte() {
        for text in [" padded ", "\r\n\t", "</script>`${}\u{2028}\u{2029}", "\u{feff}bom", "e\u{301}"] {
            assert_eq!(value(text).unwrap().expose(), text);
        }
    }
}
