//! OAuth 2.0 client credentials (RFC 6749, 4.4): the request for an access token, and what is made of the answer.
//!
//! Neither sends anything. How long a token is used, and when the next one is asked for: [`token_cache`](super::token_cache).
use super::{AuthorizeError, guard, secret};
use crate::{
    Credential, Model,
    encode::{Case, form},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// How the client shows who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthentication {
    /// In a `Basic` header: what every server has to understand.
    #[default]
    Basic,
    /// In the body, for servers that want it there.
    Body,
}

/// Where and how a model's pair is exchanged for access tokens. Configured with the model, never by a script.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    /// Its URL. The pair is sent there.
    pub url: Url,
    /// How the client shows who it is.
    pub authentication: ClientAuthentication,
    /// What to ask for, separated by spaces; `None` for what the server gives by itself.
    pub scope: Option<String>,
    /// For whom (Auth0 and others want it); `None` to leave it out.
    pub audience: Option<String>,
}

/// A request for an access token, to be sent as `POST`.
#[derive(Debug)]
pub struct TokenRequest {
    /// Where to.
    pub url: Url,
    /// All headers it needs.
    pub headers: Vec<(&'static str, SecretString)>,
    /// The body.
    pub body: SecretString,
}

impl TokenEndpoint {
    /// The request for a token for this model.
    ///
    /// # Errors
    /// [`AuthorizeError::CredentialMismatch`] for a model without a pair, and what stands against the URL.
    pub fn request(&self, model: &Model) -> Result<TokenRequest, AuthorizeError> {
        let Credential::ClientKey { client_key, secret_key } = &model.credential else {
            return Err(AuthorizeError::CredentialMismatch);
        };
        guard::url(&self.url)?;
        let pair = [client_key.expose_secret(), secret_key.expose_secret()];
        let mut headers = vec![
            ("accept", SecretString::from("application/json")),
            ("content-type", SecretString::from("application/x-www-form-urlencoded")),
        ];
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        match self.authentication {
            ClientAuthentication::Basic => headers.push(("authorization", basic(pair))),
            ClientAuthentication::Body => fields.extend(["client_id", "client_secret"].into_iter().zip(pair)),
        }
        Ok(TokenRequest { url: self.url.clone(), headers, body: secret(joined(fields, "=", "&")) })
    }
}

/// `Basic` credentials (RFC 7617), each half encoded before they are joined, so that a colon in the id does not move the
/// border.
fn basic(pair: [&str; 2]) -> SecretString {
    let pair = joined(pair.map(|half| ("", half)), "", ":");
    let mut value = Zeroizing::new(String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4));
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    secret(value)
}

/// Form-encoded names and values in a buffer that does not grow.
fn joined<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, equals: &str, between: &str) -> Zeroizing<String> {
    let fields: Vec<_> = fields.into_iter().collect();
    let most = fields.iter().map(|(name, value)| (name.len() + value.len()) * crate::encode::ESCAPED + 2).sum();
    let mut out = Zeroizing::new(String::with_capacity(most));
    for (i, (name, value)) in fields.into_iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        form(&mut out, name, Case::Upper);
        out.push_str(equals);
        form(&mut out, value, Case::Upper);
    }
    out
}

/// An access token just got.
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub access_token: SecretString,
    /// How long it lives, where the server has said so.
    pub lifetime: Option<Duration>,
}

/// A token endpoint's answer is no token. No message has anything of the answer in it: servers like to repeat what they
/// were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The server does not take this client: wrong or revoked credentials. Asking again does not help.
    #[error("the token endpoint does not accept the client key")]
    ClientRefused,
    /// The server takes the client, but not this request: scope, audience or grant. Asking again does not help.
    #[error("the token endpoint refuses the request")]
    RequestRefused,
    /// The server cannot answer now.
    #[error("the token endpoint answered with status {0}")]
    Status(u16),
    /// It answered with something else than RFC 6749, 5.1 says.
    #[error("the token endpoint's answer is not a token")]
    NotAToken,
    /// It gave a token of a type that is not sent as a Bearer token.
    #[error("the token endpoint's token is not a Bearer token")]
    NotBearer,
    /// It gave a token that has expired.
    #[error("the token endpoint's token has expired already")]
    Expired,
}

impl TokenError {
    /// Whether the same request can succeed later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Status(_) | Self::NotAToken | Self::Expired)
    }
}

/// Longest answer that is looked at.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Deserialize)]
struct Success<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    #[serde(borrow)]
    token_type: Cow<'a, str>,
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow)]
    error: Cow<'a, str>,
}

/// Reads a token endpoint's answer.
///
/// # Errors
/// A [`TokenError`].
pub fn read_answer(status: u16, body: &[u8]) -> Result<Granted, TokenError> {
    let body = if body.len() > MAX_ANSWER { &[] } else { body };
    match status {
        200 => read_success(body),
        // 5.2: 400, or 401 where the header was used. The body says more where it can be read.
        400..=499 => Err(match serde_json::from_slice::<Failure<'_>>(body).ok().as_ref().map(|f| f.error.as_ref()) {
            Some("invalid_client" | "unauthorized_client") => TokenError::ClientRefused,
            Some(
                "invalid_request" | "invalid_grant" | "invalid_scope" | "unsupported_grant_type" | "access_denied",
            ) => TokenError::RequestRefused,
            _ if status == 401 => TokenError::ClientRefused,
            _ => TokenError::Status(status),
        }),
        _ => Err(TokenError::Status(status)),
    }
}

fn read_success(body: &[u8]) -> Result<Granted, TokenError> {
    // A derive reads an array as well.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::NotAToken);
    }
    let answer: Success<'_> = serde_json::from_slice(body).map_err(|_| TokenError::NotAToken)?;
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::NotBearer);
    }
    let access_token = SecretString::from(answer.access_token.into_owned());
    guard::printable(&access_token).map_err(|_| TokenError::NotAToken)?;
    match lifetime(answer.expires_in)? {
        Some(lifetime) if !lifetime.is_positive() => Err(TokenError::Expired),
        lifetime => Ok(Granted { access_token, lifetime }),
    }
}

/// A number of seconds, says the RFC; some servers write it as a string.
fn lifetime(value: Option<Value>) -> Result<Option<Duration>, TokenError> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite()).ok_or(TokenError::NotAToken)?;
    Ok(Some(Duration::saturating_seconds_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;
    use proptest::prelude::*;

    fn model(id: &str, key: &str) -> Model {
        let credential = Credential::ClientKey { client_key: id.into(), secret_key: key.into() };
        let (url, owner) = ("https://llm.example.com/".parse().unwrap(), Owner::Workspace);
        Model { id: "1".into(), name: "m".into(), url, owner, credential }
    }
    fn endpoint(authentication: ClientAuthentication) -> TokenEndpoint {
        let url = "https://id.example.com/oauth/token".parse().unwrap();
        TokenEndpoint { url, authentication, scope: Some("a b".into()), audience: Some("https://llm/".into()) }
    }
    fn header<'a>(request: &'a TokenRequest, name: &str) -> Option<&'a str> {
        request.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.expose_secret())
    }
    fn fields(text: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    proptest! {
        #[test]
        fn the_pair_arrives_whole_in_either_place(id in any::<String>(), key in any::<String>()) {
            let basic = endpoint(ClientAuthentication::Basic).request(&model(&id, &key)).unwrap();
            let pair = header(&basic, "authorization").unwrap().strip_prefix("Basic ").unwrap();
            let pair = String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap();
            let halves: Vec<_> = pair.split(':').collect();
            prop_assert_eq!(halves.len(), 2);
            for (half, expected) in halves.into_iter().zip([&id, &key]) {
                prop_assert_eq!(&fields(&format!("x={half}"))[0].1, expected);
            }
            let common = [("grant_type", "client_credentials"), ("scope", "a b"), ("audience", "https://llm/")];
            let common = common.map(|(name, value)| (name.to_owned(), value.to_owned()));
            prop_assert_eq!(fields(basic.body.expose_secret()), &common);
            let body = endpoint(ClientAuthentication::Body).request(&model(&id, &key)).unwrap();
            prop_assert_eq!(header(&body, "authorization"), None);
            let all = fields(body.body.expose_secret());
            prop_assert_eq!(&all[..3], &common);
            prop_assert_eq!(&all[3..], &[("client_id".to_owned(), id), ("client_secret".to_owned(), key)]);
        }
        #[test]
        fn no_answer_makes_it_panic(status in 100_u16..600, body in any::<Vec<u8>>()) {
            let _ = read_answer(status, &body);
        }
    }

    #[test]
    fn the_pair_is_sent_over_tls_and_only_a_pair() {
        let mut clear = endpoint(ClientAuthentication::Basic);
        clear.url = "http://id.example.com/".parse().unwrap();
        assert_eq!(clear.request(&model("a", "b")).err(), Some(AuthorizeError::NotHttps));
        let token = Model { credential: Credential::Token("t".into()), ..model("a", "b") };
        let answer = endpoint(ClientAuthentication::Basic).request(&token);
        assert_eq!(answer.err(), Some(AuthorizeError::CredentialMismatch));
    }

    #[test]
    fn debug_output_has_no_secret() {
        for authentication in [ClientAuthentication::Basic, ClientAuthentication::Body] {
            let shown = format!("{:?}", endpoint(authentication).request(&model("canary", "canary")).unwrap());
            assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
        }
        let granted = read_answer(200, br#"{"access_token":"canary","token_type":"Bearer"}"#).unwrap();
        assert!(!format!("{granted:?}").contains("canary"));
    }

    #[test]
    fn a_token_is_read_with_its_lifetime() {
        for (rest, seconds) in [
            (r#""token_type":"Bearer","expires_in":3600"#, Some(3600.0)),
            (r#""token_type":"bearer","expires_in":"3599""#, Some(3599.0)),
            (r#""token_type":"BEARER","expires_in":0.5,"scope":"a","refresh_token":"r""#, Some(0.5)),
            (r#""token_type":"Bearer","expires_in":null"#, None),
            (r#""token_type":"Bearer""#, None),
        ] {
            let granted = read_answer(200, format!(r#"{{"access_token":"a\u002fb",{rest}}}"#).as_bytes()).unwrap();
            assert_eq!(granted.access_token.expose_secret(), "a/b");
            assert_eq!(granted.lifetime, seconds.map(Duration::seconds_f64), "{rest}");
        }
        let huge = read_answer(200, br#"{"access_token":"a","token_type":"Bearer","expires_in":1e300}"#).unwrap();
        assert_eq!(huge.lifetime, Some(Duration::MAX));
    }

    #[test]
    fn everything_else_is_no_token() {
        let long = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "a".repeat(MAX_ANSWER));
        for (body, error) in [
            ("", TokenError::NotAToken),
            ("<html>", TokenError::NotAToken),
            ("{}", TokenError::NotAToken),
            (r#"["a","Bearer",null]"#, TokenError::NotAToken),
            (r#"{"access_token":"","token_type":"Bearer"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a\r\nx: y","token_type":"Bearer"}"#, TokenError::NotAToken),
            (r#"{"access_token":7,"token_type":"Bearer"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a","token_type":"mac"}"#, TokenError::NotBearer),
            (r#"{"access_token":"a","token_type":"Bearer","expires_in":"soon"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a","token_type":"Bearer","expires_in":"inf"}"#, TokenError::NotAToken),
            (r#"{"access_token":"a","token_type":"Bearer","expires_in":[]}"#, TokenError::NotAToken),
            (r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#, TokenError::Expired),
            (r#"{"access_token":"a","token_type":"Bearer","expires_in":-1}"#, TokenError::Expired),
            (&long, TokenError::NotAToken),
        ] {
            assert_eq!(read_answer(200, body.as_bytes()).err(), Some(error), "{body:.80}");
        }
    }

    #[test]
    fn a_refusal_says_whether_asking_again_helps() {
        for (status, body, error, transient) in [
            (401, r#"{"error":"invalid_client","error_description":"canary"}"#, TokenError::ClientRefused, false),
            (400, r#"{"error":"invalid_client"}"#, TokenError::ClientRefused, false),
            (401, "no", TokenError::ClientRefused, false),
            (400, r#"{"error":"invalid_scope"}"#, TokenError::RequestRefused, false),
            (403, r#"{"error":"access_denied"}"#, TokenError::RequestRefused, false),
            (400, r#"{"error":"canary"}"#, TokenError::Status(400), true),
            (429, "", TokenError::Status(429), true),
            (503, r#"{"error":"invalid_client"}"#, TokenError::Status(503), true),
            (302, "", TokenError::Status(302), true),
            (204, "", TokenError::Status(204), true),
        ] {
            let refused = read_answer(status, body.as_bytes()).err().unwrap();
            assert_eq!((refused, refused.is_transient()), (error, transient), "{status} {body}");
            assert!(!refused.to_string().contains("canary"));
        }
    }
}
