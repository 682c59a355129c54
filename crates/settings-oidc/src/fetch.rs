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

/// What the issuer says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// What tokens carry as `iss`, to the letter.
    pub(crate) issuer: String,
    pub(crate) keys: KeySet,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
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
        let Discovery { issuer, jwks_uri } = self.get(DISCOVERY, self.issuer.discovery.clone()).await?;
        if issuer.strip_suffix('/').unwrap_or(&issuer) != self.issuer.stem {
            return Err(FetchError::OtherIssuer);
        }
        // http only from an issuer that is itself on this machine: a remote one must not point at local services.
        let keys_at = Url::parse(&jwks_uri)
            .ok()
            .filter(|url| config::is_secure(url, self.issuer.loopback && config::is_loopback(url)))
            .filter(|url| !config::has_credentials(url))
            .ok_or(FetchError::InsecureKeys)?;
        Ok(Published { issuer, keys: self.get(KEYS, keys_at).await? })
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
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(FetchError::TooLarge(what));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| FetchError::Malformed(what, error))
    }
}
