//! Where Stripe is, and who we are to it.
use secrecy::{ExposeSecret as _, SecretString};
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};

/// Stripe itself.
pub const STRIPE: &str = "https://api.stripe.com";

/// For a connection with its TLS.
const CONNECT: Duration = Duration::from_secs(3);
/// Most webhook secrets: two while one is being exchanged, and one to spare.
const MAX_SECRETS: usize = 3;

/// The settings do not make a client. No variant shows a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StripeConfigError {
    /// Empty, or with characters that no key of Stripe's has, or one that is for browsers.
    #[error("Stripe's secret key must be given as Stripe shows it, such as sk_live_… or rk_live_…")]
    SecretKey,
    /// Empty, or with characters that no secret of Stripe's has, or too many.
    #[error(
        "the webhook secret must be given as Stripe shows it, such as whsec_…; two, with a comma between, while it is exchanged"
    )]
    WebhookSecret,
    /// No URL, or one that would send the key in the clear, or one with parts that it must not have.
    #[error("Stripe must be given as an https URL such as https://api.stripe.com (http only for this machine)")]
    Base,
    /// TLS cannot be set up, such as for want of root certificates.
    #[error("the HTTP client for Stripe could not be set up")]
    Http(#[source] reqwest::Error),
}

/// Whether money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    Test,
    /// The key does not say.
    Unclear,
}

/// Reads a secret key, and the mode from how it begins.
pub(crate) fn check_key(key: &SecretString) -> Result<Mode, StripeConfigError> {
    let key = key.expose_secret();
    // A key for browsers can do next to nothing: whoever gave it meant the other one.
    if !is_plain(key) || key.starts_with("pk_") || key.starts_with("whsec_") {
        return Err(StripeConfigError::SecretKey);
    }
    let begins =
        |kind: &str| ["sk_", "rk_"].iter().any(|prefix| key.strip_prefix(prefix).is_some_and(|k| k.starts_with(kind)));
    Ok(if begins("live_") {
        Mode::Live
    } else if begins("test_") {
        Mode::Test
    } else {
        Mode::Unclear
    })
}

/// Reads webhook secrets: one, or two with a comma between. None where the text is empty.
pub(crate) fn read_secrets(text: &SecretString) -> Result<Vec<SecretString>, StripeConfigError> {
    let text = text.expose_secret().trim();
    if text.is_empty() {
        return Ok(vec![]);
    }
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    if parts.len() > MAX_SECRETS || parts.iter().any(|part| !is_plain(part)) {
        return Err(StripeConfigError::WebhookSecret);
    }
    Ok(parts.into_iter().map(SecretString::from).collect())
}

fn is_plain(secret: &str) -> bool {
    !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic())
}

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Without a slash at its end, and without `/v1`.
    base: String,
    /// Whether it is a stand-in on this machine.
    pub(crate) is_local: bool,
}

impl Place {
    /// Reads Stripe's URL, with or without `/v1` at its end.
    pub(crate) fn parse(base: &str) -> Result<Self, StripeConfigError> {
        let base = base.trim().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/');
        let root = Url::parse(base).map_err(|_| StripeConfigError::Base)?;
        let is_local = is_loopback(&root);
        let secure = root.scheme() == "https" || (root.scheme() == "http" && is_local);
        let plain = root.username().is_empty()
            && root.password().is_none()
            && root.query().is_none()
            && root.fragment().is_none();
        if !secure || !plain || !root.has_host() {
            return Err(StripeConfigError::Base);
        }
        Ok(Self { base: base.to_owned(), is_local })
    }

    /// The address of a path such as `/v1/customers`.
    pub(crate) fn at(&self, path: &str) -> Option<Url> {
        Url::parse(&format!("{}{path}", self.base)).ok()
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

/// Certificates are checked against the system's roots, or those in `SSL_CERT_FILE`. Installs ring as rustls'
/// process-wide crypto where none is installed yet.
pub(crate) fn http_client() -> Result<reqwest::Client, StripeConfigError> {
    // An error says that one is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        // What is repeated is repeated by us, under the same name and within the time.
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tls_backend_rustls()
        .user_agent(concat!("settings/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(StripeConfigError::Http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripe_is_found_with_or_without_its_version_in_the_path() {
        for base in [STRIPE, "https://api.stripe.com/", "https://api.stripe.com/v1", " https://api.stripe.com/v1/ "] {
            let place = Place::parse(base).unwrap();
            assert_eq!(place.at("/v1/customers").unwrap().as_str(), "https://api.stripe.com/v1/customers", "{base}");
            assert!(!place.is_local);
        }
        for base in ["http://127.0.0.1:25420", "http://localhost:1/v1", "http://[::1]:1", "https://127.0.0.1"] {
            assert!(Place::parse(base).unwrap().is_local, "{base}");
        }
    }

    #[test]
    fn the_key_does_not_cross_a_network_in_the_clear() {
        for base in [
            "",
            "api.stripe.com",
            "http://api.stripe.com",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://",
            "https://sk_test_1@api.stripe.com",
            "https://api.stripe.com?x=y",
            "https://api.stripe.com#x",
        ] {
            assert!(matches!(Place::parse(base), Err(StripeConfigError::Base)), "{base}");
        }
    }

    #[test]
    fn a_key_says_whether_money_moves() {
        let mode = |key: &str| check_key(&SecretString::from(key)).ok();
        for (key, expected) in [
            ("sk_live_123", Some(Mode::Live)),
            ("rk_live_123", Some(Mode::Live)),
            ("sk_test_123", Some(Mode::Test)),
            ("rk_test_123", Some(Mode::Test)),
            ("sk_123", Some(Mode::Unclear)),
            ("", None),
            ("pk_live_123", None),
            ("whsec_123", None),
            ("sk live", None),
            ("sk_live_1\n", None),
            ("sk_lïve", None),
        ] {
            assert_eq!(mode(key), expected, "{key}");
        }
    }

    #[test]
    fn st12_two_webhook_secrets_may_be_given_and_no_empty_one() {
        let read = |text: &str| read_secrets(&SecretString::from(text)).map(|all| all.len()).ok();
        for (text, expected) in [
            ("", Some(0)),
            ("whsec_1", Some(1)),
            ("whsec_1,whsec_2", Some(2)),
            (" whsec_1 , whsec_2 ", Some(2)),
            ("whsec_1,", None),
            (",whsec_1", None),
            ("whsec 1", None),
            ("a,b,c,d", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
