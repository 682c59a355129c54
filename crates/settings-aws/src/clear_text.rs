//! No plaintext key and no one-time link crosses a network in the clear.
use aws_sdk_kms::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use http::{Uri, uri::Scheme};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The endpoint is neither https nor on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint is plain http on another machine")]
pub(crate) struct ClearText;

/// Whether what is said to this URL stays on this machine or is encrypted.
pub(crate) fn is_private(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    match (url.scheme(), url.host()) {
        (Some(scheme), Some(host)) => *scheme == Scheme::HTTPS || (*scheme == Scheme::HTTP && is_loopback(host)),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || inner.and_then(|h| h.parse().ok()).is_some_and(|ip: Ipv6Addr| ip.is_loopback())
}

/// Looks at each request where the SDK has resolved the endpoint: it may come from a variable, a profile or the region, and
/// only here is known which of them won.
#[derive(Debug)]
pub(crate) struct Guard;

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "NoClearText"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if is_private(context.request().uri()) { Ok(()) } else { Err(ClearText.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for url in [
            "https://kms.eu-central-1.amazonaws.com/",
            "HTTPS://kms.example",
            "http://localhost:4566",
            "http://LOCALHOST",
            "http://127.0.0.1:1/",
            "http://127.9.9.9",
            "http://[::1]:80/",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "",
            "kms.example",
            "/path",
            "ftp://localhost",
            "http://",
            "http://kms.example",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "http://[::ffff:127.0.0.1]",
            "http://[fe80::1]",
            "http://localhost@evil.example/",
            "http://evil.example#@localhost",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
