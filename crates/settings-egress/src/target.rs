//! A place that may be sent to, and how a text becomes one.
use crate::error::Refused;
use http::Uri;
use std::{fmt, net::IpAddr};
use url::{Host, Url};

/// What browsers and proxies take as well.
const MAX_CHARS: usize = 2048;

/// A place that [`Policy::check`](crate::Policy::check) has passed: the only thing that can be sent to.
///
/// It was parsed once, and what was checked is what is contacted. `Debug` shows no more than [`Target::origin`], since
/// the path of a webhook is often its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Name,
    port: u16,
}

/// The host, as it was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// To be looked up. Lower case, ASCII, not an address in any spelling.
    Dns(String),
    /// To be connected to as it is.
    Ip(IpAddr),
}

impl Name {
    /// The parsed host, if it is a name that DNS knows or an address.
    pub(crate) fn new(host: &Host<&str>) -> Result<Self, Refused> {
        match host {
            Host::Ipv4(a) => Ok(Self::Ip(IpAddr::V4(*a))),
            Host::Ipv6(a) => Ok(Self::Ip(IpAddr::V6(*a))),
            Host::Domain(name) if is_host_name(name) => Ok(Self::Dns((*name).to_owned())),
            Host::Domain(_) => Err(Refused::Host),
        }
    }
}

/// Letters, digits, hyphens and underscores between single dots, and none at the end: `example.com.` is the same host
/// as `example.com` to DNS, but not to a list of names or to a certificate.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

impl Target {
    /// Everything that can be said without knowing what is allowed.
    ///
    /// `url` follows the browsers' standard, which forgives a lot: it drops tabs, takes `\` for `/` and finds the host
    /// of `https:example.com`. People who write that are mistaken or up to something, so such texts are refused before.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        if text.chars().count() > MAX_CHARS {
            return Err(Refused::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(Refused::NotAUrl);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Refused::NotAUrl)?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(Refused::Scheme);
        }
        // `url` cannot tell an empty user name from none.
        if rest.split(['/', '?', '#']).next().is_none_or(|authority| authority.contains('@')) {
            return Err(Refused::Userinfo);
        }
        if rest.starts_with('/') {
            return Err(Refused::NotAUrl);
        }
        Self::from_url(Url::parse(text).map_err(|_| Refused::NotAUrl)?)
    }

    fn from_url(url: Url) -> Result<Self, Refused> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        // All ASCII by now, and longer where it was not.
        if url.as_str().len() > MAX_CHARS {
            return Err(Refused::TooLong);
        }
        let host = Name::new(&url.host().ok_or(Refused::NotAUrl)?)?;
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(Refused::Port)?;
        let target = Self { url, host, port };
        if target.is_read_alike() { Ok(target) } else { Err(Refused::NotAUrl) }
    }

    /// Whether the parser inside the HTTP client finds the same place in the normalised text.
    fn is_read_alike(&self) -> bool {
        self.url.as_str().parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str() == Some(self.url.scheme())
                && uri.host() == self.url.host_str()
                && uri.port_u16() == self.url.port()
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        })
    }

    /// The whole URL, normalised. Checking it again gives the same target.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host, normalised: what is looked up, named in the request and expected in the certificate.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port, also where the URL leaves it out.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Scheme, host and port, such as `https://example.com`. A credential given for one origin is not for another.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) const fn name(&self) -> &Name {
        &self.host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.origin()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_shows_its_origin_and_keeps_its_path_to_itself() {
        let target = Target::parse("https://Hooks.Example.com/T0/s3cret?key=s3cret").unwrap();
        assert_eq!(format!("{target:?}"), r#"Target("https://hooks.example.com")"#);
        assert_eq!(target.as_str(), "https://hooks.example.com/T0/s3cret?key=s3cret");
        assert_eq!((target.host(), target.port()), ("hooks.example.com", 443));
        let local = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((local.origin().as_str(), local.host(), local.port()), ("http://[::1]:8080", "[::1]", 8080));
    }

    #[test]
    fn host_names_have_labels_of_a_sane_length_and_no_dot_at_the_end() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        for name in ["example.com", "xn--bcher-kva.example", "_dmarc.example.com", "ollama", &label, &longest] {
            assert!(is_host_name(name), "{name}");
        }
        let longer = format!("{longest}a");
        for name in
            ["", ".", "example.com.", "a..b", ".a", &"a".repeat(64), &longer, "a b", "a!b", "A", "é", "a:b", "a@b"]
        {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
