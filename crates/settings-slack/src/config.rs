//! Where Slack is, and who we are to it.
use secrecy::{ExposeSecret as _, SecretString};
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};

/// Slack itself.
pub const SLACK: &str = "https://slack.com";

/// For a connection with its TLS.
const CONNECT: Duration = Duration::from_secs(3);
/// For everything, from the lookup to the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(10);

/// The settings do not make a client. No variant shows the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlackConfigError {
    /// Empty, or with characters that no id of Slack's has.
    #[error("Slack's client id must be given as Slack shows it, such as 1234567890.1234567890")]
    ClientId,
    /// Empty, or with characters that no secret of Slack's has.
    #[error("Slack's client secret must be given as Slack shows it")]
    ClientSecret,
    /// No URL, or one that would send tokens in the clear, or one with parts that it must not have.
    #[error("Slack must be given as an https URL such as https://slack.com (http only for this machine)")]
    Base,
    /// TLS cannot be set up, such as for want of root certificates.
    #[error("the HTTP client for Slack could not be set up")]
    Http(#[source] reqwest::Error),
}

/// Where to ask for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) authorize: Url,
    pub(crate) exchange: Url,
    pub(crate) post: Url,
    pub(crate) test: Url,
}

impl Places {
    /// Reads Slack's URL, with or without `/api` at its end.
    pub(crate) fn parse(base: &str) -> Result<Self, SlackConfigError> {
        let base = base.trim().trim_end_matches('/');
        let base = base.strip_suffix("/api").unwrap_or(base);
        let root = Url::parse(base).map_err(|_| SlackConfigError::Base)?;
        let secure = root.scheme() == "https" || (root.scheme() == "http" && is_loopback(&root));
        let plain = root.username().is_empty()
            && root.password().is_none()
            && root.query().is_none()
            && root.fragment().is_none();
        if !secure || !plain || !root.has_host() {
            return Err(SlackConfigError::Base);
        }
        let at = |path: &str| Url::parse(&format!("{base}/{path}")).map_err(|_| SlackConfigError::Base);
        Ok(Self {
            authorize: at("oauth/v2/authorize")?,
            exchange: at("api/oauth.v2.access")?,
            post: at("api/chat.postMessage")?,
            test: at("api/auth.test")?,
        })
    }
}

/// Whether the URL names this machine without asking DNS.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

pub(crate) fn check_id(id: &str) -> Result<(), SlackConfigError> {
    let sound = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if sound { Ok(()) } else { Err(SlackConfigError::ClientId) }
}

pub(crate) fn check_secret(secret: &SecretString) -> Result<(), SlackConfigError> {
    let secret = secret.expose_secret();
    let sound = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic());
    if sound { Ok(()) } else { Err(SlackConfigError::ClientSecret) }
}

/// Certificates are checked against the system's roots, or those in `SSL_CERT_FILE`. Installs ring as rustls' process-wide
/// crypto where none is installed yet.
pub(crate) fn http_client() -> Result<reqwest::Client, SlackConfigError> {
    // An error says that one is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(TOTAL)
        .redirect(reqwest::redirect::Policy::none())
        // What is repeated on its own could be posted twice.
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tls_backend_rustls()
        .user_agent(concat!("settings/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(SlackConfigError::Http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_found_with_or_without_a_slash_or_api() {
        for base in ["https://slack.com", "https://slack.com/", "https://slack.com/api", " https://slack.com/api/ "] {
            let places = Places::parse(base).unwrap();
            assert_eq!(places.authorize.as_str(), "https://slack.com/oauth/v2/authorize", "{base}");
            assert_eq!(places.exchange.as_str(), "https://slack.com/api/oauth.v2.access", "{base}");
            assert_eq!(places.post.as_str(), "https://slack.com/api/chat.postMessage", "{base}");
        }
        for base in
            ["http://127.0.0.1:4000", "http://localhost:4000/api", "http://[::1]:4000", "https://proxy.example/slack"]
        {
            assert!(Places::parse(base).is_ok(), "{base}");
        }
    }

    #[test]
    fn tokens_do_not_cross_a_network_in_the_clear() {
        for base in [
            "",
            "slack.com",
            "http://slack.com",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://",
            "https://u:p@slack.com",
            "https://slack.com?x=y",
            "https://slack.com#x",
        ] {
            assert!(matches!(Places::parse(base), Err(SlackConfigError::Base)), "{base}");
        }
    }

    #[test]
    fn what_is_no_id_or_secret_is_refused_before_it_is_sent() {
        assert!(check_id("1234567890.1234567890").is_ok());
        for bad in ["", "12 34", "12:34", "12\n34", "é"] {
            assert!(check_id(bad).is_err(), "{bad:?}");
        }
        assert!(check_secret(&SecretString::from("0123456789abcdef")).is_ok());
        for bad in ["", "a b", "a\n", "é"] {
            assert!(check_secret(&SecretString::from(bad)).is_err(), "{bad:?}");
        }
    }
}
