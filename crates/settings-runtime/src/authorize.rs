//! The headers that authorize a model call: pure functions from request and instant to headers.
//!
//! [`authorize`] does what seed B's `executePromptWithModel` needs: a token becomes a Bearer header, a pair becomes a
//! signature where the model's host is Amazon Bedrock's. A pair for any other host is ambiguous, so nothing is guessed:
//! whoever embeds this names the [`Scheme`], and for OAuth first gets an access token ([`oauth`], [`token_cache`]).
//!
//! A credential goes to the origin of its model's URL, over TLS, and to nothing else: a request elsewhere, after a
//! redirect for instance, is refused and not sent unsigned.
mod guard;
pub mod oauth;
pub mod sigv4;
pub mod token_cache;

use crate::{Credential, Model};
use secrecy::SecretString;
use sigv4::Scope;
use time::OffsetDateTime;
use url::Url;
use zeroize::Zeroizing;

/// A request as it will be sent.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "body and headers are the tenant's")]
pub struct Request<'a> {
    /// The method, in the case it is sent in.
    pub method: &'a str,
    /// The URL. Its path and query are signed as they stand in it, so they have to be sent as they stand in it.
    pub url: &'a Url,
    /// The headers that are set already: those that a signature covers, `content-type` for instance.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: &'a [u8],
}

/// Headers to add to the request. Their names are lower case and none of them was there before.
#[derive(Debug)]
pub struct Authorization(Vec<(&'static str, SecretString)>);

impl Authorization {
    /// Name and value of each. The values are printable ASCII; mark them as sensitive where the HTTP library can.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &SecretString)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

/// A request cannot be authorized. No message has anything of the credential or the request in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The request goes to another origin than the model's.
    #[error("the request does not go to the model's origin")]
    OtherOrigin,
    /// The credential, or what it protects, would travel in the clear.
    #[error("the URL must be https (http only for localhost, 127.0.0.0/8 and ::1)")]
    NotHttps,
    /// HTTP libraries make a header of a user name in the URL, which would compete with ours.
    #[error("the URL must not have a user name or password")]
    UserInfo,
    /// The model has a pair and its host does not tell what it is for.
    #[error("the host does not tell how a client key is used: name the scheme")]
    SchemeUnknown,
    /// The scheme needs the other kind of credential.
    #[error("the model's credential is not of the kind that the scheme needs")]
    CredentialMismatch,
    /// The credential has characters that a header cannot carry, or none at all.
    #[error("the credential is not made of printable ASCII without spaces")]
    CredentialNotPrintable,
    /// Not a method.
    #[error("the method is not an HTTP token")]
    Method,
    /// A header cannot be sent like this.
    #[error("a header has a bad name or a control character in its value")]
    Header,
    /// The request already has a header that is ours to set.
    #[error("the request already has a header that authorization sets")]
    HeaderTaken,
    /// A `+` or a broken escape in the query: signers and services read these differently, so a signature is luck.
    #[error("the query has a `+` or a broken escape: write %2B, %20 or %25")]
    AmbiguousQuery,
    /// Not a region.
    #[error("the region must be lower-case letters, digits and hyphens")]
    Region,
    /// Not the name of a service.
    #[error("the service must be lower-case letters, digits and hyphens")]
    Service,
    /// An instant that no signature can be dated with.
    #[error("the time is not within the years 0 to 9999")]
    Time,
}

/// How a model call is authorized.
#[derive(Debug, Clone)]
pub enum Scheme<'a> {
    /// The model's own token, as a Bearer token.
    Token,
    /// The model's own token as the value of a header of this name, in lower case: `x-api-key`, `x-goog-api-key`,
    /// `api-key`.
    Header(&'static str),
    /// The model's pair as an AWS access key.
    SigV4(Scope),
    /// An access token got with the model's pair, as a Bearer token.
    AccessToken(&'a SecretString),
}

impl Scheme<'_> {
    /// The scheme that follows from the model alone.
    ///
    /// # Errors
    /// [`AuthorizeError::SchemeUnknown`] for a pair where the host is not Amazon Bedrock's.
    pub fn of(model: &Model) -> Result<Self, AuthorizeError> {
        match &model.credential {
            Credential::Token(_) => Ok(Self::Token),
            Credential::ClientKey { .. } => {
                Scope::of_bedrock_url(&model.url).map(Self::SigV4).ok_or(AuthorizeError::SchemeUnknown)
            }
        }
    }
}

/// Authorizes a call of the model in the way that follows from the model.
///
/// # Errors
/// Any [`AuthorizeError`].
pub fn authorize(model: &Model, request: &Request<'_>, at: OffsetDateTime) -> Result<Authorization, AuthorizeError> {
    authorize_as(model, &Scheme::of(model)?, request, at)
}

/// Authorizes a call of the model in the way given.
///
/// # Errors
/// Any [`AuthorizeError`].
pub fn authorize_as(
    model: &Model,
    scheme: &Scheme<'_>,
    request: &Request<'_>,
    at: OffsetDateTime,
) -> Result<Authorization, AuthorizeError> {
    // An opaque origin (data:, file:) equals nothing, not even itself; and guard refuses it.
    if request.url.origin() != model.url.origin() {
        return Err(AuthorizeError::OtherOrigin);
    }
    match (scheme, &model.credential) {
        (Scheme::Token, Credential::Token(token)) => bearer(token, request),
        (Scheme::Header(name), Credential::Token(token)) => header(name, token, request),
        (Scheme::AccessToken(token), Credential::ClientKey { .. }) => bearer(token, request),
        (Scheme::SigV4(scope), Credential::ClientKey { client_key, secret_key }) => {
            let credentials =
                sigv4::Credentials { access_key_id: client_key, secret_access_key: secret_key, session_token: None };
            sigv4::sign(&credentials, scope, request, at)
        }
        (Scheme::Token | Scheme::Header(_), Credential::ClientKey { .. })
        | (Scheme::AccessToken(_) | Scheme::SigV4(_), Credential::Token(_)) => Err(AuthorizeError::CredentialMismatch),
    }
}

/// `Authorization: Bearer …` (RFC 6750). Any printable token: issuers are more generous than the RFC's `b64token`.
fn bearer(token: &SecretString, request: &Request<'_>) -> Result<Authorization, AuthorizeError> {
    guard::request(request)?;
    let token = guard::printable(token)?;
    let mut value = Zeroizing::new(String::with_capacity("Bearer ".len() + token.len()));
    value.push_str("Bearer ");
    value.push_str(token);
    Ok(Authorization(vec![("authorization", secret(value))]))
}

/// The token alone, in a header that some providers have for it.
fn header(name: &'static str, token: &SecretString, request: &Request<'_>) -> Result<Authorization, AuthorizeError> {
    guard::request(request)?;
    guard::name(name)?;
    if request.headers.iter().any(|(taken, _)| taken.eq_ignore_ascii_case(name)) {
        return Err(AuthorizeError::HeaderTaken);
    }
    guard::printable(token)?;
    Ok(Authorization(vec![(name, token.clone())]))
}

/// Moves a text out of its buffer. No copy is left behind where the buffer was made to measure.
fn secret(mut text: Zeroizing<String>) -> SecretString {
    SecretString::from(std::mem::take(&mut *text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;
    use secrecy::ExposeSecret as _;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const BEDROCK: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke";

    fn token() -> Credential {
        Credential::Token("sk-proj-1".into())
    }
    fn pair() -> Credential {
        Credential::ClientKey { client_key: "AKIDEXAMPLE".into(), secret_key: "secret".into() }
    }
    fn model(url: &str, credential: Credential) -> Model {
        let (id, name) = ("1".to_owned(), "GPT".to_owned());
        Model { id, name, url: url.parse().unwrap(), owner: Owner::Workspace, credential }
    }
    fn at<'a>(url: &'a Url, headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
        Request { method: "POST", url, headers, body: b"{}" }
    }
    fn shown(authorization: &Authorization) -> Vec<(&'static str, String)> {
        authorization.headers().map(|(name, value)| (name, value.expose_secret().to_owned())).collect()
    }
    fn refusal(model: &Model, url: &str, headers: &[(&str, &str)]) -> Option<AuthorizeError> {
        authorize(model, &at(&url.parse().unwrap(), headers), NOW).err()
    }

    #[test]
    fn a_token_becomes_a_bearer_header() {
        let model = model("https://api.example.com/v1", token());
        let answer = authorize(&model, &at(&model.url, &[("content-type", "application/json")]), NOW).unwrap();
        assert_eq!(shown(&answer), [("authorization", "Bearer sk-proj-1".to_owned())]);
        assert!(!format!("{answer:?}").contains("sk-proj-1"));
    }

    #[test]
    fn a_token_may_have_a_header_of_its_own() {
        let model = model("https://api.example.com/v1", token());
        let named = |name, headers: &[(&str, &str)]| {
            authorize_as(&model, &Scheme::Header(name), &at(&model.url, headers), NOW).map(|answer| shown(&answer))
        };
        assert_eq!(named("x-api-key", &[]), Ok(vec![("x-api-key", "sk-proj-1".to_owned())]));
        assert_eq!(named("x-api-key", &[("X-Api-Key", "other")]), Err(AuthorizeError::HeaderTaken));
        for bad in ["", "x api", "x-api-key:", "X-Api-Key"] {
            assert_eq!(named(bad, &[]), Err(AuthorizeError::Header), "{bad:?}");
        }
    }

    #[test]
    fn a_pair_signs_for_bedrock_and_is_not_guessed_at_elsewhere() {
        let bedrock = model(BEDROCK, pair());
        let names: Vec<_> = shown(&authorize(&bedrock, &at(&bedrock.url, &[]), NOW).unwrap());
        assert_eq!(names.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["authorization", "x-amz-date"]);
        assert!(names[0].1.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/19700101/us-east-1/bedrock/"));
        let other = model("https://llm.example.com/", pair());
        assert_eq!(refusal(&other, "https://llm.example.com/", &[]), Some(AuthorizeError::SchemeUnknown));
        let access = "access".into();
        let answer = authorize_as(&other, &Scheme::AccessToken(&access), &at(&other.url, &[]), NOW).unwrap();
        assert_eq!(shown(&answer), [("authorization", "Bearer access".to_owned())]);
    }

    #[test]
    fn a_scheme_takes_its_own_kind_of_credential_only() {
        let access = "access".into();
        let scope = Scope::bedrock("us-east-1").unwrap();
        for (scheme, credential) in [
            (Scheme::Token, pair()),
            (Scheme::Header("x-api-key"), pair()),
            (Scheme::SigV4(scope), token()),
            (Scheme::AccessToken(&access), token()),
        ] {
            let model = model(BEDROCK, credential);
            let answer = authorize_as(&model, &scheme, &at(&model.url, &[]), NOW);
            assert_eq!(answer.err(), Some(AuthorizeError::CredentialMismatch), "{scheme:?}");
        }
    }

    #[test]
    fn a_credential_goes_to_its_own_origin_only() {
        for credential in [token(), pair()] {
            let model = model(BEDROCK, credential);
            for elsewhere in [
                "https://bedrock-runtime.us-east-1.amazonaws.com.evil.example/model/m/invoke",
                "https://bedrock-runtime.us-east-1.amazonaws.com:8443/model/m/invoke",
                "http://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke",
                "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/invoke",
                "data:text/plain,x",
            ] {
                assert_eq!(refusal(&model, elsewhere, &[]), Some(AuthorizeError::OtherOrigin), "{elsewhere}");
            }
            assert_eq!(refusal(&model, "https://bedrock-runtime.us-east-1.amazonaws.com:443/other?a=1", &[]), None);
        }
        let opaque = model("data:text/plain,x", token());
        assert_eq!(refusal(&opaque, "data:text/plain,x", &[]), Some(AuthorizeError::OtherOrigin));
    }

    #[test]
    fn nothing_travels_in_the_clear_except_on_this_machine() {
        for (url, expected) in [
            ("http://api.example.com/", Some(AuthorizeError::NotHttps)),
            ("http://127.0.0.1.example.com/", Some(AuthorizeError::NotHttps)),
            ("http://localhost.example.com/", Some(AuthorizeError::NotHttps)),
            ("http://10.0.0.1/", Some(AuthorizeError::NotHttps)),
            ("ftp://127.0.0.1/", Some(AuthorizeError::NotHttps)),
            ("https://user@api.example.com/", Some(AuthorizeError::UserInfo)),
            ("https://:password@api.example.com/", Some(AuthorizeError::UserInfo)),
            ("http://127.8.9.1:25000/", None),
            ("http://[::1]:25000/", None),
            ("http://localhost:25000/", None),
            ("https://api.example.com/", None),
        ] {
            assert_eq!(refusal(&model(url, token()), url, &[]), expected, "{url}");
        }
    }

    #[test]
    fn a_token_that_would_break_the_header_is_refused() {
        for bad in ["", " ", "a b", "a\r\nx-evil: 1", "a\n", "\0", "tökén", "a\u{7f}"] {
            let model = model("https://api.example.com/", Credential::Token(bad.into()));
            let refused = refusal(&model, "https://api.example.com/", &[]);
            assert_eq!(refused, Some(AuthorizeError::CredentialNotPrintable), "{bad:?}");
        }
    }

    #[test]
    fn headers_that_are_ours_or_broken_are_refused() {
        let (bearer, signed) = (model("https://api.example.com/", token()), model(BEDROCK, pair()));
        for taken in ["authorization", "Authorization", "AUTHORIZATION"] {
            assert_eq!(refusal(&bearer, bearer.url.as_str(), &[(taken, "x")]), Some(AuthorizeError::HeaderTaken));
        }
        for taken in ["authorization", "Host", "x-amz-date", "X-Amz-Security-Token", "Date"] {
            assert_eq!(refusal(&signed, BEDROCK, &[(taken, "x")]), Some(AuthorizeError::HeaderTaken), "{taken}");
        }
        for model in [&bearer, &signed] {
            for bad in
                [("", "x"), ("a b", "x"), ("a:", "x"), ("é", "x"), ("a", "x\r\ny: z"), ("a", "\0"), ("a", "\u{7f}")]
            {
                assert_eq!(refusal(model, model.url.as_str(), &[bad]), Some(AuthorizeError::Header), "{bad:?}");
            }
        }
        let request = Request { method: "PO ST", url: &bearer.url, headers: &[], body: b"" };
        assert_eq!(authorize(&bearer, &request, NOW).err(), Some(AuthorizeError::Method));
    }

    #[test]
    fn debug_output_of_a_model_has_no_credential_and_no_query() {
        let shown = format!("{:?}", model("https://h.example/p?key=canary", Credential::Token("canary".into())));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
