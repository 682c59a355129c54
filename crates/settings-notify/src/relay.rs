//! Where mail is handed over, read from a URL.
use crate::smtp::SmtpConfigError;
use lettre::transport::smtp::{
    authentication::Credentials,
    client::{Tls, TlsParameters},
};
use secrecy::{ExposeSecret, SecretString};
use std::net::{Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The next hop. `Debug` is safe: the library prints neither credentials nor TLS state.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Tls,
    pub(crate) credentials: Option<Credentials>,
}

/// How the connection is protected, before the certificate store has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    FromTheStart,
    StartTls,
    Nothing,
}

impl Relay {
    /// Reads the URL that [`SmtpMailer::new`](crate::SmtpMailer::new) documents.
    pub(crate) fn parse(url: &SecretString) -> Result<Self, SmtpConfigError> {
        // The parser's error is dropped on purpose: what it would point at is a URL with a password.
        let url = Url::parse(url.expose_secret()).map_err(|_| SmtpConfigError::NotAUrl)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(SmtpConfigError::NotAUrl);
        }
        let (host, loopback) = host(&url)?;
        let protection = protection(&url, loopback)?;
        let credentials = credentials(&url)?;
        if credentials.is_some() && protection == Protection::Nothing && !loopback {
            return Err(SmtpConfigError::PasswordInTheClear);
        }
        let port = url.port().unwrap_or(match protection {
            Protection::FromTheStart => 465,
            Protection::StartTls => 587,
            Protection::Nothing => 25,
        });
        let parameters = || TlsParameters::new(host.clone()).map_err(|e| SmtpConfigError::Tls(Box::new(e)));
        let tls = match protection {
            Protection::FromTheStart => Tls::Wrapper(parameters()?),
            Protection::StartTls => Tls::Required(parameters()?),
            Protection::Nothing => Tls::None,
        };
        Ok(Self { host, port, tls, credentials })
    }
}

/// The host as the resolver takes it, and whether it is this machine.
fn host(url: &Url) -> Result<(String, bool), SmtpConfigError> {
    match url.host() {
        // `smtp` is no scheme that the parser knows, so it leaves IPv4 addresses as names.
        Some(Host::Domain(name)) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(SmtpConfigError::Host);
            }
            let loopback =
                name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
            Ok((name.to_owned(), loopback))
        }
        Some(Host::Ipv4(ip)) => Ok((ip.to_string(), ip.is_loopback())),
        Some(Host::Ipv6(ip)) => Ok((ip.to_string(), ip == Ipv6Addr::LOCALHOST)),
        None => Err(SmtpConfigError::Host),
    }
}

fn protection(url: &Url, loopback: bool) -> Result<Protection, SmtpConfigError> {
    let mut asked = None;
    for (key, value) in url.query_pairs() {
        // A misspelt or repeated setting must not quietly mean less protection.
        if key != "tls" || asked.replace(value).is_some() {
            return Err(SmtpConfigError::UnknownSetting);
        }
    }
    match (url.scheme(), asked.as_deref()) {
        ("smtps", None | Some("required")) => Ok(Protection::FromTheStart),
        ("smtp", Some("required")) => Ok(Protection::StartTls),
        ("smtp", Some("none")) => Ok(Protection::Nothing),
        ("smtp", None) => Ok(if loopback { Protection::Nothing } else { Protection::StartTls }),
        ("smtp" | "smtps", Some(_)) => Err(SmtpConfigError::UnknownSetting),
        _ => Err(SmtpConfigError::NotAUrl),
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, SmtpConfigError> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None | Some("")) => Err(SmtpConfigError::Credentials),
        (user, Some(password)) => {
            let (Some(user), Some(password)) = (percent_decode(user), percent_decode(password)) else {
                return Err(SmtpConfigError::Credentials);
            };
            Ok(Some(Credentials::new(user, password)))
        }
    }
}

/// Undoes percent-encoding. (Form decoding, which `url` offers, would turn `+` into a space.)
fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(b);
        }
    }
    // Line ends and NUL would end the command or the field that carries the password.
    String::from_utf8(out).ok().filter(|s| !s.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::Relay;
    use crate::smtp::SmtpConfigError;
    use lettre::transport::smtp::{authentication::Credentials, client::Tls};
    use secrecy::SecretString;

    fn parse(url: &str) -> Result<Relay, SmtpConfigError> {
        Relay::parse(&SecretString::from(url))
    }

    fn shape(url: &str) -> Option<(String, u16, &'static str)> {
        let relay = parse(url).ok()?;
        let tls = match relay.tls {
            Tls::None => "none",
            Tls::Opportunistic(_) => "opportunistic",
            Tls::Required(_) => "starttls",
            Tls::Wrapper(_) => "wrapper",
        };
        Some((relay.host, relay.port, tls))
    }

    #[test]
    fn only_this_machine_is_talked_to_in_the_clear_by_default() {
        for (url, host, port, tls) in [
            ("smtps://mail.example", "mail.example", 465, "wrapper"),
            ("smtps://mail.example:4465/?tls=required", "mail.example", 4465, "wrapper"),
            ("smtp://mail.example", "mail.example", 587, "starttls"),
            ("smtp://10.0.0.1:25", "10.0.0.1", 25, "starttls"),
            ("smtp://127.0.0.1.example", "127.0.0.1.example", 587, "starttls"),
            ("smtp://localhost?tls=required", "localhost", 587, "starttls"),
            ("smtp://mailpit:1025?tls=none", "mailpit", 1025, "none"),
            ("smtp://localhost", "localhost", 25, "none"),
            ("smtp://LocalHost:2525", "LocalHost", 2525, "none"),
            ("smtp://127.0.0.2", "127.0.0.2", 25, "none"),
            ("smtp://[::1]:26", "::1", 26, "none"),
            ("smtp://[2001:db8::1]", "2001:db8::1", 587, "starttls"),
        ] {
            assert_eq!(shape(url), Some((host.to_owned(), port, tls)), "{url}");
        }
    }

    #[test]
    fn odd_settings_are_refused() {
        for url in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp:///x",
            "smtp://mail.example/ehlo",
            "smtp://mail.example#x",
            "smtp://ma%0Dil.example",
            "smtp://mail.example?tls=opportunistic",
            "smtp://mail.example?tls=",
            "smtp://mail.example?TLS=none",
            "smtp://mail.example?tls=required&tls=none",
            "smtp://mail.example?starttls=1",
            "smtps://mail.example?tls=none",
            "smtp://user@mail.example",
            "smtp://:pass@mail.example",
            "smtp://user:@mail.example",
            "smtp://u:p%0D%0A@mail.example",
            "smtp://u:p%ff@mail.example",
            "smtp://u:p%zz@mail.example",
            "smtp://u:p%1@mail.example",
        ] {
            assert_eq!(shape(url), None, "{url}");
        }
    }

    #[test]
    fn a_password_never_leaves_this_machine_in_the_clear() {
        assert!(matches!(parse("smtp://u:p@mail.example?tls=none"), Err(SmtpConfigError::PasswordInTheClear)));
        assert!(parse("smtp://u:p@localhost").is_ok());
    }

    #[test]
    fn credentials_are_decoded_once_and_not_as_a_form() {
        let found = parse("smtps://AKIA%40x:a+b%2Fc%2525%C3%A9@mail.example").ok().and_then(|r| r.credentials);
        assert!(found == Some(Credentials::new("AKIA@x".to_owned(), "a+b/c%25é".to_owned())));
    }

    #[test]
    fn neither_debug_nor_errors_show_the_password() {
        let shown = format!("{:?}", parse("smtps://user:hunter2@mail.example"));
        assert!(shown.contains("mail.example") && !shown.contains("hunter2"), "{shown}");
        for bad in [
            "smtps://user:hunter2@mail.example:99999",
            "smtp://user:hunter2@mail.example?tls=none",
            "smtp://user:hunter2%ff@x",
        ] {
            let error = parse(bad).map(|_| ()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
