//! Asks the issuer for its signing keys: discovery document, then key set.
use crate::{
    config::{self, Issuer, TOTAL_TIMEOUT},
    key_set::KeySet,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::error::Error;
use url::Url;

/// Both documents are a few KiB at most.
const MAX_BODY: usize = 256 * 1024;
const DISCOVERY: &str = "discovery document";
const KEYS: &str = "key set";

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the {0} could not be fetched")]
    Http(&'static str, #[source] reqwest::Error),
    #[error("the {0} was answered with status {1}")]
    Status(&'static str, u16),
    #[error("the {0} was fetched from another place than asked")]
    Redirected(&'static str),
    #[error("the {0} is larger than 256 KiB")]
    TooLarge(&'static str),
    #[error("the {0} is malformed")]
    Malformed(&'static str, #[source] serde_json::Error),
    #[error("the discovery document is that of another issuer")]
    OtherIssuer,
    #[error("the discovery document's jwks_uri is not an https URL")]
    InsecureKeys,
    #[error("the key set has no key that could be used")]
    NoKeys,
    #[error("fetching the keys was cut short")]
    Interrupted,
}

impl FetchError {
    /// With what lies beneath: "error sending request" alone helps no operator.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// A body, or `None` where it is larger than 256 KiB.
pub(crate) async fn read(response: &mut reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What the issuer says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// What tokens carry as `iss`, to the letter.
    pub(crate) issuer: String,
    pub(crate) keys: KeySet,
    pub(crate) endpoints: Endpoints,
}

/// Where people sign in, as far as the issuer says and the address is one to trust.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Option<Url>,
    pub(crate) token: Option<Url>,
    pub(crate) userinfo: Option<Url>,
    pub(crate) end_session: Option<Url>,
    /// Whether a client may say who it is in the form (`client_secret_post`). In the header it always may, unless the issuer
    /// names the ways and that one is not among them.
    pub(crate) secret_in_form: bool,
    pub(crate) secret_in_header: bool,
    /// Whether every answer names the issuer (RFC 9207).
    pub(crate) answers_name_issuer: bool,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Where the keys come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) issuer: Issuer,
    pub(crate) http: reqwest::Client,
}

impl Source {
    /// Both documents every time: an issuer that moves its keys is followed as fast as one that changes them.
    pub(crate) async fn fetch(&self) -> Result<Published, FetchError> {
        let said: Discovery = self.get(DISCOVERY, self.issuer.discovery.clone()).await?;
        if said.issuer.strip_suffix('/').unwrap_or(&said.issuer) != self.issuer.stem {
            return Err(FetchError::OtherIssuer);
        }
        let keys_at = self.trusted(&said.jwks_uri).ok_or(FetchError::InsecureKeys)?;
        let place = |url: &Option<String>| url.as_deref().and_then(|url| self.trusted(url));
        let ways = said.token_endpoint_auth_methods_supported.as_ref();
        let names = |way: &str| ways.is_some_and(|ways| ways.iter().any(|w| w == way));
        let endpoints = Endpoints {
            authorization: place(&said.authorization_endpoint),
            token: place(&said.token_endpoint),
            userinfo: place(&said.userinfo_endpoint),
            end_session: place(&said.end_session_endpoint),
            secret_in_form: names("client_secret_post"),
            secret_in_header: ways.is_none() || names("client_secret_basic"),
            answers_name_issuer: said.authorization_response_iss_parameter_supported,
        };
        Ok(Published { issuer: said.issuer, keys: self.get(KEYS, keys_at).await?, endpoints })
    }

    /// An address that the issuer names: https, and http only from an issuer that is itself on this machine, for a remote
    /// one must not point at local services.
    fn trusted(&self, url: &str) -> Option<Url> {
        Url::parse(url)
            .ok()
            .filter(|url| config::is_secure(url, self.issuer.loopback && config::is_loopback(url)))
            .filter(|url| !config::has_credentials(url) && url.fragment().is_none())
    }

    async fn get<T: DeserializeOwned>(&self, what: &'static str, url: Url) -> Result<T, FetchError> {
        let failed = |error| FetchError::Http(what, error);
        let request = self.http.get(url.clone()).timeout(TOTAL_TIMEOUT);
        let mut response = request.header("accept", "application/json").send().await.map_err(failed)?;
        // Both hold with `http_client()`; a client from elsewhere might follow redirects.
        if response.url() != &url {
            return Err(FetchError::Redirected(what));
        }
        if response.status() != 200 {
            return Err(FetchError::Status(what, response.status().as_u16()));
        }
        let body = read(&mut response).await.map_err(failed)?.ok_or(FetchError::TooLarge(what))?;
        serde_json::from_slice(&body).map_err(|error| FetchError::Malformed(what, error))
    }
}
