//! AWS Signature Version 4, in the headers, over the whole body.
//!
//! Path: signed as it stands in the URL, *encoded once more*. `/model/a:0/invoke` is signed as `/model/a%3A0/invoke`,
//! and `/model/a%3A0/invoke` as `/model/a%253A0/invoke`; Amazon Bedrock and its emulators refuse a signature over the
//! path as it stands. Only S3 does not encode twice, and S3 is not a model.
//!
//! Query: decoded, encoded, sorted. Headers: all that the request has, except those that proxies change.
mod canonical;
#[cfg(test)]
mod vectors;

use super::{Authorization, AuthorizeError, Request, guard, secret};
use canonical::Canonical;
use ring::{digest, hmac};
use secrecy::{ExposeSecret as _, SecretString};
use time::{OffsetDateTime, UtcOffset};
use url::{Host, Url};
use zeroize::Zeroizing;

/// An AWS access key.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// `AKIA…`, or `ASIA…` for one that comes with a session token.
    pub access_key_id: &'a SecretString,
    /// Its secret half.
    pub secret_access_key: &'a SecretString,
    /// What belongs to a temporary key. It is sent and signed.
    pub session_token: Option<&'a SecretString>,
}

/// What a signature is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    region: String,
    service: String,
}

impl Scope {
    /// A service in a region.
    ///
    /// # Errors
    /// [`AuthorizeError::Region`], [`AuthorizeError::Service`].
    pub fn new(region: &str, service: &str) -> Result<Self, AuthorizeError> {
        let word = |text: &str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if !word(region) {
            Err(AuthorizeError::Region)
        } else if !word(service) {
            Err(AuthorizeError::Service)
        } else {
            Ok(Self { region: region.to_owned(), service: service.to_owned() })
        }
    }

    /// Amazon Bedrock in a region: for hosts that do not tell, such as a private endpoint.
    ///
    /// # Errors
    /// [`AuthorizeError::Region`].
    pub fn bedrock(region: &str) -> Result<Self, AuthorizeError> {
        Self::new(region, "bedrock")
    }

    /// The scope that the host tells: `bedrock-runtime.REGION.amazonaws.com`, also as `-fips` and under `.com.cn`.
    #[must_use]
    pub fn of_bedrock_url(url: &Url) -> Option<Self> {
        let Some(Host::Domain(host)) = url.host() else { return None };
        let (endpoint, rest) = host.split_once('.')?;
        let (region, domain) = rest.split_once('.')?;
        let known = matches!(endpoint, "bedrock-runtime" | "bedrock-runtime-fips")
            && matches!(domain, "amazonaws.com" | "amazonaws.com.cn");
        known.then(|| Self::bedrock(region).ok()).flatten()
    }
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Headers a proxy may change or drop on the way: a signature over them would break there.
const UNSIGNED: [&str; 6] = ["connection", "expect", "te", "transfer-encoding", "user-agent", "x-amzn-trace-id"];

/// Headers that are set here, or that services take for one that is.
const OURS: [&str; 4] = ["date", "host", "x-amz-date", "x-amz-security-token"];

/// Signs the request. The answer's headers are `authorization`, `x-amz-date` and, where there is a session token,
/// `x-amz-security-token`. A `host` header is signed as every client sends it: without the scheme's own port.
///
/// # Errors
/// Any [`AuthorizeError`] except those about models.
pub fn sign(
    credentials: &Credentials<'_>,
    scope: &Scope,
    request: &Request<'_>,
    at: OffsetDateTime,
) -> Result<Authorization, AuthorizeError> {
    guard::request(request)?;
    if request.headers.iter().any(|(name, _)| OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))) {
        return Err(AuthorizeError::HeaderTaken);
    }
    let signed = |name: &str| !UNSIGNED.iter().any(|unsigned| name.eq_ignore_ascii_case(unsigned));
    let key = Key::new(credentials)?;
    let date = Date::new(at)?;
    let host = host(request.url);
    let token = credentials.session_token.map(guard::printable).transpose()?;
    let ours = [
        Some(("host", host.as_str())),
        Some(("x-amz-date", &date.instant)),
        token.map(|t| ("x-amz-security-token", t)),
    ];
    let theirs = request.headers.iter().copied().filter(|(name, _)| signed(name));
    let canonical = Canonical::new(
        request.method,
        &canonical::encoded(&canonical::normalized(request.url.path())),
        &canonical::query(request.url.query().unwrap_or_default())?,
        theirs.chain(ours.into_iter().flatten()),
        request.body,
    );
    let mut headers = vec![
        ("authorization", key.authorization(&canonical, scope, &date)),
        ("x-amz-date", SecretString::from(date.instant)),
    ];
    headers.extend(credentials.session_token.map(|token| ("x-amz-security-token", token.clone())));
    Ok(Authorization(headers))
}

/// As HTTP libraries write it. The URL leaves the scheme's own port out already.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An instant in the two forms signatures have.
struct Date {
    /// `20260102T030405Z`
    instant: String,
    /// `20260102`
    day: String,
}

impl Date {
    fn new(at: OffsetDateTime) -> Result<Self, AuthorizeError> {
        let at = at.checked_to_offset(UtcOffset::UTC).filter(|at| (0..=9999).contains(&at.year()));
        let at = at.ok_or(AuthorizeError::Time)?;
        let day = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
        Ok(Self { instant: format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second()), day })
    }
}

/// A key that can stand in a signature.
struct Key<'a> {
    id: &'a str,
    secret: &'a str,
}

impl<'a> Key<'a> {
    fn new(credentials: &Credentials<'a>) -> Result<Self, AuthorizeError> {
        let id = credentials.access_key_id.expose_secret();
        // What separates the parts of the header cannot be in one of them.
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if id.is_empty() || !id.bytes().all(word) {
            return Err(AuthorizeError::CredentialNotPrintable);
        }
        // Never sent: any text is a key. An empty one is a mistake.
        let secret = credentials.secret_access_key.expose_secret();
        if secret.is_empty() { Err(AuthorizeError::CredentialNotPrintable) } else { Ok(Self { id, secret }) }
    }

    fn authorization(&self, canonical: &Canonical, scope: &Scope, date: &Date) -> SecretString {
        let signature = self.signature(&string_to_sign(canonical, scope, date), scope, date);
        let parts = [
            ALGORITHM,
            " Credential=",
            self.id,
            "/",
            &date.day,
            "/",
            &scope.region,
            "/",
            &scope.service,
            "/aws4_request, SignedHeaders=",
            &canonical.signed_headers,
            ", Signature=",
            &signature,
        ];
        let mut value = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            value.push_str(part);
        }
        secret(value)
    }

    fn signature(&self, text: &str, scope: &Scope, date: &Date) -> String {
        let mut start = Zeroizing::new(Vec::with_capacity("AWS4".len() + self.secret.len()));
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(self.secret.as_bytes());
        let steps = [date.day.as_str(), &scope.region, &scope.service, "aws4_request", text];
        let last = steps.iter().fold(start, |key, step| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            Zeroizing::new(hmac::sign(&key, step.as_bytes()).as_ref().to_vec())
        });
        hex::encode(last.as_slice())
    }
}

fn string_to_sign(canonical: &Canonical, scope: &Scope, date: &Date) -> String {
    let Scope { region, service } = scope;
    let hash = sha256_hex(canonical.text.as_bytes());
    format!("{ALGORITHM}\n{}\n{}/{region}/{service}/aws4_request\n{hash}", date.instant, date.day)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(url: &str) -> Option<String> {
        Scope::of_bedrock_url(&url.parse().unwrap()).map(|scope| format!("{}/{}", scope.region, scope.service))
    }

    #[test]
    fn the_region_is_read_off_bedrocks_own_hosts_only() {
        for (url, region) in [
            ("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/invoke", "us-east-1"),
            ("https://BEDROCK-RUNTIME.EU-CENTRAL-1.AMAZONAWS.COM/", "eu-central-1"),
            ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", "us-gov-west-1"),
            ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
            ("http://bedrock-runtime.us-east-1.amazonaws.com:8080/", "us-east-1"),
        ] {
            assert_eq!(scope_of(url), Some(format!("{region}/bedrock")), "{url}");
        }
        for url in [
            "https://bedrock-runtime.us-east-1.amazonaws.com.evil.example/",
            "https://bedrock-runtime.us-east-1.evil.amazonaws.com/",
            "https://bedrock-runtime.us-east-1.amazonaws.com./",
            "https://bedrock-runtime.amazonaws.com/",
            "https://bedrock.us-east-1.amazonaws.com/",
            "https://x.bedrock-runtime.us-east-1.amazonaws.com/",
            "https://bedrock-runtime.us_east.amazonaws.com/",
            "https://evil.example/bedrock-runtime.us-east-1.amazonaws.com/",
            "https://127.0.0.1/",
        ] {
            assert_eq!(scope_of(url), None, "{url}");
        }
    }

    #[test]
    fn a_scope_has_nothing_that_separates_its_parts() {
        for bad in ["", "us/east", "us east", "US-EAST-1", "us-east-1\n", &"a".repeat(65)] {
            assert_eq!(Scope::bedrock(bad), Err(AuthorizeError::Region), "{bad:?}");
            assert_eq!(Scope::new("us-east-1", bad), Err(AuthorizeError::Service), "{bad:?}");
        }
    }

    #[test]
    fn keys_and_tokens_that_would_break_the_header_are_refused() {
        let url = "https://bedrock-runtime.us-east-1.amazonaws.com/".parse().unwrap();
        let request = Request { method: "POST", url: &url, headers: &[], body: b"" };
        let scope = Scope::bedrock("us-east-1").unwrap();
        for (id, key, token) in [
            ("", "s", None),
            ("AK/ID", "s", None),
            ("AK,ID", "s", None),
            ("AK ID", "s", None),
            ("AK\r\nID", "s", None),
            ("AKID", "", None),
            ("AKID", "s", Some("")),
            ("AKID", "s", Some("a\nb")),
        ] {
            let (id, key, token): (SecretString, SecretString, Option<SecretString>) =
                (id.into(), key.into(), token.map(Into::into));
            let credentials =
                Credentials { access_key_id: &id, secret_access_key: &key, session_token: token.as_ref() };
            let answer = sign(&credentials, &scope, &request, OffsetDateTime::UNIX_EPOCH);
            assert_eq!(answer.err(), Some(AuthorizeError::CredentialNotPrintable));
        }
    }

    #[test]
    fn instants_are_dated_in_utc_and_outside_the_calendar_refused() {
        let at = time::macros::datetime!(2026-01-02 01:04:05.999 +02:00);
        assert_eq!(Date::new(at).unwrap().instant, "20260101T230405Z");
        let before = time::macros::datetime!(0000-01-01 00:00 +02:00);
        assert_eq!(Date::new(before).err(), Some(AuthorizeError::Time));
    }
}
