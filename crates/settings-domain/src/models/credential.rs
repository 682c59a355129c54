//! A model's credential: a token, or a client key with its secret; exactly one of them, and never readable again.
use crate::sealed::SecretValue;
use secrecy::{ExposeSecret as _, SecretString};
use std::str::FromStr;
use zeroize_text::join;

/// How a model is authenticated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// By a token.
    Token,
    /// By a client key and its secret: AWS signatures, OAuth client credentials, schemes of one's own.
    ClientKey,
}

impl AuthType {
    /// Name in the database and in what a credential is bound to.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ClientKey => "client_key",
        }
    }
}

/// The text names no way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be token or client_key")]
pub struct ParseAuthTypeError;

impl FromStr for AuthType {
    type Err = ParseAuthTypeError;
    fn from_str(s: &str) -> Result<Self, ParseAuthTypeError> {
        [Self::Token, Self::ClientKey].into_iter().find(|a| a.name() == s).ok_or(ParseAuthTypeError)
    }
}

/// A credential in the clear, for as long as somebody holds it.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A token.
    Token(SecretValue),
    /// A pair.
    ClientKey {
        /// The public half, kept as secret as the other.
        client_key: SecretValue,
        /// The secret half.
        secret_key: SecretValue,
    },
}

impl Credential {
    /// Which kind it is.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType {
        match self {
            Self::Token(_) => AuthType::Token,
            Self::ClientKey { .. } => AuthType::ClientKey,
        }
    }
    /// As it is sealed: one text, so that both halves of a pair always come from one version.
    #[must_use]
    pub fn to_stored(&self) -> SecretString {
        match self {
            Self::Token(token) => SecretString::from(token.expose().to_owned()),
            Self::ClientKey { client_key, secret_key } => join(client_key.expose(), secret_key.expose()),
        }
    }
    /// Reads what [`Credential::to_stored`] made; `None` for anything else.
    #[must_use]
    pub fn from_stored(auth: AuthType, text: &SecretString) -> Option<Self> {
        let value = |s: &str| SecretValue::new(SecretString::from(s.to_owned())).ok();
        match auth {
            AuthType::Token => value(text.expose_secret()).map(Self::Token),
            AuthType::ClientKey => {
                // No value holds a NUL.
                let (client_key, secret_key) = text.expose_secret().split_once('\0')?;
                Some(Self::ClientKey { client_key: value(client_key)?, secret_key: value(secret_key)? })
            }
        }
    }
}

mod zeroize_text {
    use secrecy::SecretString;

    /// Both halves around a NUL, in a buffer that never grows: no copy is left behind.
    pub(super) fn join(first: &str, second: &str) -> SecretString {
        let mut text = String::with_capacity(first.len() + second.len() + 1);
        text.push_str(first);
        text.push('\0');
        text.push_str(second);
        SecretString::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(s: &str) -> SecretValue {
        SecretValue::new(s.to_owned().into()).unwrap()
    }

    #[test]
    fn a_stored_credential_is_read_back_as_the_kind_it_was() {
        let token = Credential::Token(value("sk-1"));
        let pair = Credential::ClientKey { client_key: value("AKIA"), secret_key: value("a/b+c") };
        let Some(Credential::Token(back)) = Credential::from_stored(AuthType::Token, &token.to_stored()) else {
            panic!()
        };
        assert_eq!(back.expose(), "sk-1");
        let Some(Credential::ClientKey { client_key, secret_key }) =
            Credential::from_stored(AuthType::ClientKey, &pair.to_stored())
        else {
            panic!()
        };
        assert_eq!((client_key.expose(), secret_key.expose()), ("AKIA", "a/b+c"));
        assert!(Credential::from_stored(AuthType::ClientKey, &token.to_stored()).is_none());
        assert!(Credential::from_stored(AuthType::Token, &pair.to_stored()).is_none());
    }

    #[test]
    fn nothing_of_a_credential_is_shown() {
        assert!(!format!("{:?}", Credential::Token(value("canary"))).contains("canary"));
    }
}
