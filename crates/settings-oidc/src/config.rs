//! What is configured, and the rules it has to keep.
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};

/// How long a connection to the issuer may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one exchange with the issuer may take in all.
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an endpoint is left alone that failed several times in a row.
pub(crate) const LEFT_ALONE: Duration = Duration::from_secs(30);
/// Shorter than the time between two refreshes: a connection that a middlebox has silently dropped is never tried.
const POOL_IDLE: Duration = Duration::from_secs(10);

/// Whose tokens are accepted, and for whom they must have been issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// The issuer's URL, with or without a trailing slash. https, or http where the host is loopback.
    pub issuer: String,
    /// What a token's `aud` must name: this service's API identifier, never a client id.
    pub audience: String,
}

/// The configuration cannot be used. `Display` is meant for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer does not parse.
    #[error("the issuer is not a URL")]
    IssuerNotUrl(#[source] url::ParseError),
    /// The issuer would be asked for its keys in the clear.
    #[error("the issuer must be an https URL (http only for localhost, 127.0.0.0/8 and ::1)")]
    IssuerNotHttps,
    /// The issuer has parts that no issuer has.
    #[error("the issuer must be a URL without user name, password, query and fragment")]
    IssuerNotPlain,
    /// An empty audience would accept tokens meant for nobody.
    #[error("the audience must not be empty")]
    AudienceEmpty,
    /// People can't be sent to the issuer without.
    #[error("the client id and the client secret must not be empty")]
    ClientMissing,
    /// Too short to be hard to guess.
    #[error("the secret that seals sign-ins must have at least 32 characters (`openssl rand -hex 32` makes one)")]
    SecretShort,
    /// The issuer sends people back there.
    #[error("the base URL must be an https URL, or http for this machine, without query, fragment and credentials")]
    BaseNotUrl,
    /// Something else in this process has chosen how JWTs are verified.
    #[error("this process already uses jsonwebtoken with another CryptoProvider")]
    ForeignCrypto,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be set up")]
    Http(#[source] reqwest::Error),
}

/// The client to talk to the issuer with: 3 s to connect, 5 s in all, no redirects, no proxy from the environment.
///
/// Installs ring as rustls' process-wide crypto where none is installed yet.
///
/// # Errors
/// [`ConfigError::Http`] where TLS cannot be set up.
pub fn http_client() -> Result<reqwest::Client, ConfigError> {
    http_client_with(TOTAL_TIMEOUT)
}

/// The same, for answers that may take longer.
///
/// # Errors
/// [`ConfigError::Http`] where TLS cannot be set up.
pub fn http_client_with(patience: Duration) -> Result<reqwest::Client, ConfigError> {
    // An error says that one is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(patience)
        .pool_idle_timeout(POOL_IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("settings-oidc/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(ConfigError::Http)
}

/// A configured issuer that keeps the rules.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// As configured, without trailing slashes: what the discovery document's `issuer` is compared with.
    pub(crate) stem: String,
    /// Where its discovery document is.
    pub(crate) discovery: Url,
    /// Whether it lives on this machine, and so may use http.
    pub(crate) loopback: bool,
}

impl Issuer {
    pub(crate) fn parse(configured: &str) -> Result<Self, ConfigError> {
        let stem = configured.trim().trim_end_matches('/').to_owned();
        let url = Url::parse(&stem).map_err(ConfigError::IssuerNotUrl)?;
        let loopback = is_loopback(&url);
        if !is_secure(&url, loopback) {
            return Err(ConfigError::IssuerNotHttps);
        }
        if has_credentials(&url) || url.query().is_some() || url.fragment().is_some() {
            return Err(ConfigError::IssuerNotPlain);
        }
        let discovery =
            Url::parse(&format!("{stem}/.well-known/openid-configuration")).map_err(ConfigError::IssuerNotUrl)?;
        Ok(Self { stem, discovery, loopback })
    }
}

/// Whether the URL names this machine without asking DNS.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// https, or http where `plain_allowed`.
pub(crate) fn is_secure(url: &Url, plain_allowed: bool) -> bool {
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && plain_allowed))
}

pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_issuers_and_loopback_ones_are_accepted_with_or_without_a_slash() {
        for (given, discovery) in [
            ("https://t.eu.auth0.com/", "https://t.eu.auth0.com/.well-known/openid-configuration"),
            ("https://t.eu.auth0.com", "https://t.eu.auth0.com/.well-known/openid-configuration"),
            ("https://sso.example.org/realms/a", "https://sso.example.org/realms/a/.well-known/openid-configuration"),
            ("http://localhost:9000/", "http://localhost:9000/.well-known/openid-configuration"),
            ("http://127.8.9.1:9000", "http://127.8.9.1:9000/.well-known/openid-configuration"),
            ("http://[::1]:9000", "http://[::1]:9000/.well-known/openid-configuration"),
        ] {
            assert_eq!(
                Issuer::parse(given).map(|i| i.discovery.to_string()).ok().as_deref(),
                Some(discovery),
                "{given}"
            );
        }
    }

    #[test]
    fn http_is_refused_for_every_host_that_is_not_loopback() {
        for given in [
            "http://t.auth0.com",
            "http://localhost.example.org",
            "http://127.0.0.1.example.org",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://[::2]",
            "http://[::ffff:10.0.0.1]",
            "ftp://localhost",
            "file:///etc/passwd",
        ] {
            assert!(matches!(Issuer::parse(given), Err(ConfigError::IssuerNotHttps)), "{given}");
        }
    }

    #[test]
    fn issuers_with_other_parts_and_texts_that_are_no_url_are_refused() {
        for given in
            ["https://u@t.auth0.com", "https://u:p@t.auth0.com", "https://t.auth0.com?a=b", "https://t.auth0.com#x"]
        {
            assert!(matches!(Issuer::parse(given), Err(ConfigError::IssuerNotPlain)), "{given}");
        }
        for given in ["", "/", "t.auth0.com", "https://"] {
            assert!(matches!(Issuer::parse(given), Err(ConfigError::IssuerNotUrl(_))), "{given}");
        }
    }
}
