//! What every request has to keep before a credential is put near it.
use super::{AuthorizeError, Request};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

/// Checks URL, method and headers.
pub(super) fn request(request: &Request<'_>) -> Result<(), AuthorizeError> {
    url(request.url)?;
    if !token(request.method) {
        return Err(AuthorizeError::Method);
    }
    for (name, value) in request.headers {
        if name.eq_ignore_ascii_case("authorization") {
            return Err(AuthorizeError::HeaderTaken);
        }
        if !token(name) || value.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
            return Err(AuthorizeError::Header);
        }
    }
    Ok(())
}

/// https, or this machine; no user name.
pub(super) fn url(url: &Url) -> Result<(), AuthorizeError> {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(AuthorizeError::NotHttps),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AuthorizeError::UserInfo);
    }
    Ok(())
}

/// A credential as it can stand in a header.
pub(super) fn printable(secret: &SecretString) -> Result<&str, AuthorizeError> {
    let text = secret.expose_secret();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(AuthorizeError::CredentialNotPrintable)
    }
}

/// A name for a header of ours, as HTTP libraries keep it.
pub(super) fn name(name: &str) -> Result<(), AuthorizeError> {
    if token(name) && !name.bytes().any(|b| b.is_ascii_uppercase()) { Ok(()) } else { Err(AuthorizeError::Header) }
}

/// RFC 9110, 5.6.2.
fn token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
