//! A model as an executor gets it: resolved, its credential decrypted.
use secrecy::SecretString;
use settings_domain::{models, sealed::SecretValue};
use std::fmt;
use url::Url;

/// Whose model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The workspace's own. Its scripts may see its credential.
    Workspace,
    /// The platform's. No workspace ever sees its credential, whatever a script asks for.
    System,
}

/// How a model is authenticated to: one or the other, never both and never neither.
///
/// The domain's [`Credential`](models::Credential) is what may be stored; it has rules about length and form. This one is
/// what is used: an executor may have it from elsewhere, such as an access token. Each of the domain's becomes one of
/// these.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A token.
    Token(SecretString),
    /// A pair: an AWS access key, an OAuth client, or what a scheme of the model's own needs.
    ClientKey {
        /// The public half. Treated like the secret one, because seed B says so.
        client_key: SecretString,
        /// The secret half.
        secret_key: SecretString,
    },
}

impl Credential {
    /// What must not show in any output: for a [`Redactor`](crate::redact::Redactor).
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let (first, second) = match self {
            Self::Token(token) => (token, None),
            Self::ClientKey { client_key, secret_key } => (client_key, Some(secret_key)),
        };
        std::iter::once(first).chain(second)
    }
}

impl From<models::Credential> for Credential {
    fn from(stored: models::Credential) -> Self {
        // Made to measure, so that turning it into a secret leaves no copy behind.
        let text = |value: &SecretValue| SecretString::from(value.expose().to_owned());
        match &stored {
            models::Credential::Token(token) => Self::Token(text(token)),
            models::Credential::ClientKey { client_key, secret_key } => {
                Self::ClientKey { client_key: text(client_key), secret_key: text(secret_key) }
            }
        }
    }
}

/// A model, with the credential that belongs to its URL.
///
/// Both halves of a pair come from one row version; the URL does, too. Whoever changes one of them makes a new `Model`.
#[derive(Clone)]
pub struct Model {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// Where it is called. The credential goes to this origin and to no other.
    pub url: Url,
    /// Whose it is.
    pub owner: Owner,
    /// How it is authenticated to.
    pub credential: Credential,
}

impl fmt::Debug for Model {
    /// Without the URL's path and query: some services take keys there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("id", &self.id)
            .field("origin", &self.url.origin().ascii_serialization())
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
