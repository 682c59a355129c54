//! Parsed texts: whoever holds one of these knows that it is well-formed.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A text broke a rule. `Display` says which one, in words for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(pub &'static str);

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        impl $name {
            /// The text.
            #[must_use] pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = TextError;
            fn from_str(s: &str) -> Result<Self, TextError> { $check(s)?; Ok(Self(s.to_owned())) }
        }
        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(s: String) -> Result<Self, TextError> { $check(&s)?; Ok(Self(s)) }
        }
        impl From<$name> for String { fn from(t: $name) -> Self { t.0 } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
    };
}

text_type!(
    /// The immutable, URL-safe name of a workspace (seed A, Key concepts): 3 to 48 of `a-z 0-9 -`, no hyphen at either
    /// end and no two in a row. ASCII only, so no two slugs look alike by script.
    Slug, slug
);
text_type!(
    /// A name people give to a thing: 1 to 200 characters, at least one that is not white space, no control characters.
    DisplayName, display_name
);
text_type!(
    /// What a thing is for, in a person's words: 1 to 2,000 characters, line breaks and tabs the only control characters.
    Description, description
);
text_type!(
    /// The name of an environment: 1 to 64 of `a-z 0-9 - _`, starting with a letter or digit.
    EnvironmentName, environment_name
);
text_type!(
    /// A data region, such as `eu-central-1`. Which ones exist is configuration.
    Region, region
);

/// Path segments that the service itself uses or may come to use: no workspace can be called so (contract, Who calls).
pub const RESERVED_SLUGS: &[&str] = &[
    "about",
    "account",
    "admin",
    "api",
    "api-keys",
    "app",
    "assets",
    "audit",
    "auth",
    "authz",
    "billing",
    "callback",
    "connections",
    "console",
    "contact",
    "dashboard",
    "dev",
    "docs",
    "environments",
    "erase",
    "events",
    "favicon",
    "health",
    "healthz",
    "help",
    "invitations",
    "invite",
    "jobs",
    "legal",
    "login",
    "logout",
    "mail",
    "mcp",
    "members",
    "metrics",
    "models",
    "new",
    "notifications",
    "null",
    "oauth",
    "openapi",
    "organizations",
    "privacy",
    "problems",
    "public",
    "readyz",
    "references",
    "robots",
    "roles",
    "root",
    "search",
    "secrets",
    "security",
    "session",
    "sessions",
    "settings",
    "sign-in",
    "sign-out",
    "sign-up",
    "signin",
    "signup",
    "slack",
    "static",
    "status",
    "stripe",
    "support",
    "system",
    "system-models",
    "terms",
    "undefined",
    "usage",
    "user",
    "users",
    "variables",
    "webhooks",
    "well-known",
    "workspace",
    "workspaces",
    "www",
];

impl Slug {
    /// Whether the service keeps this slug for itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED_SLUGS.binary_search(&self.as_str()).is_ok()
    }
}

fn slug(s: &str) -> Result<(), TextError> {
    let ok = (3..=48).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
        && !s.contains("--");
    if ok {
        Ok(())
    } else {
        Err(TextError(
            "must be 3 to 48 lower-case letters, digits and single hyphens, not starting or ending with a hyphen",
        ))
    }
}

fn display_name(s: &str) -> Result<(), TextError> {
    if s.trim().is_empty() {
        Err(TextError("must not be empty"))
    } else if s.chars().count() > 200 {
        Err(TextError("must have at most 200 characters"))
    } else if s.chars().any(char::is_control) {
        Err(TextError("must not contain control characters"))
    } else {
        Ok(())
    }
}

fn description(s: &str) -> Result<(), TextError> {
    if s.trim().is_empty() {
        Err(TextError("must not be empty; send null for none"))
    } else if s.chars().count() > 2_000 {
        Err(TextError("must have at most 2000 characters"))
    } else if s.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Err(TextError("must not contain control characters"))
    } else {
        Ok(())
    }
}

fn environment_name(s: &str) -> Result<(), TextError> {
    let ok = (1..=64).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && s.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if ok {
        Ok(())
    } else {
        Err(TextError(
            "must be 1 to 64 lower-case letters, digits, hyphens and underscores, starting with a letter or digit",
        ))
    }
}

fn region(s: &str) -> Result<(), TextError> {
    let ok =
        (2..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if ok { Ok(()) } else { Err(TextError("must be the name of a region")) }
}

/// An e-mail address, kept as typed. ASCII local part, IDNA domain.
///
/// Two addresses are the same when their [`EmailKey`]s are. Nothing provider-specific is folded: dots and `+tags` count.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email {
    typed: String,
    key: EmailKey,
}

/// What addresses are compared by: ASCII-lower-cased local part, `@`, lower-case A-label domain. `key(key(x)) = key(x)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailKey(String);

impl EmailKey {
    /// The normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// As typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.typed
    }
    /// What to compare by.
    #[must_use]
    pub const fn key(&self) -> &EmailKey {
        &self.key
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Email {}
impl From<Email> for String {
    fn from(e: Email) -> Self {
        e.typed
    }
}
impl TryFrom<String> for Email {
    type Error = TextError;
    fn try_from(s: String) -> Result<Self, TextError> {
        s.parse()
    }
}

impl FromStr for Email {
    type Err = TextError;
    fn from_str(s: &str) -> Result<Self, TextError> {
        const BAD: TextError = TextError("must be an e-mail address such as ada@example.org");
        if s.len() > 254 {
            return Err(TextError("must have at most 254 characters"));
        }
        let (local, domain) = s.rsplit_once('@').ok_or(BAD)?;
        let atom = |p: &str| {
            !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        };
        if local.len() > 64 {
            return Err(TextError("must have at most 64 characters before the @"));
        }
        // Non-ASCII local parts are refused: SES does not deliver them, and folding them has let strangers in elsewhere.
        if !local.split('.').all(atom) {
            return Err(BAD);
        }
        let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| BAD)?;
        // What IDNA would silently map (full-width letters, soft hyphens, other dots) was not typed by someone who means it.
        let lower = domain.to_lowercase();
        let (unicode, result) = idna::domain_to_unicode(&ascii);
        let same = result.is_ok() && (lower == ascii || lower == unicode);
        let labels: Vec<&str> = ascii.split('.').collect();
        let shaped = labels.len() >= 2
            && labels.iter().all(|l| !l.is_empty())
            && labels.last().is_some_and(|tld| tld.len() >= 2 && !tld.bytes().all(|b| b.is_ascii_digit()));
        if !same || !shaped {
            return Err(BAD);
        }
        let key = format!("{}@{ascii}", local.to_ascii_lowercase());
        if key.len() > 254 {
            return Err(TextError("must have at most 254 characters"));
        }
        Ok(Self { typed: s.to_owned(), key: EmailKey(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(s: &str) -> Option<String> {
        s.parse::<Email>().ok().map(|e| e.key().as_str().to_owned())
    }

    #[test]
    fn reserved_slugs_are_sorted_so_that_they_can_be_searched() {
        assert!(RESERVED_SLUGS.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn slugs_follow_the_contract() {
        for ok in ["acme", "a-b", "abc", "a1-2b", &"a".repeat(48)] {
            assert!(ok.parse::<Slug>().is_ok(), "{ok}");
        }
        for bad in [
            "",
            "a",
            "ab",
            "Acme",
            "ac me",
            "acme-",
            "-acme",
            "ac--me",
            "xn--acme",
            "acme.",
            "a_c",
            "аcme",
            "ａcme",
            "acme\u{200b}",
            &"a".repeat(49),
        ] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_compare_by_their_normal_form() {
        assert_eq!(key("Ada@Example.ORG"), Some("ada@example.org".into()));
        assert_eq!(key("a@exämple.org"), key("a@xn--exmple-cua.org"));
        assert_ne!(key("a.b+x@example.org"), key("ab@example.org"));
        assert_eq!("Ada@Example.ORG".parse::<Email>().unwrap().as_str(), "Ada@Example.ORG");
    }

    #[test]
    fn odd_addresses_are_refused_not_folded() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("a@{}.org", "b".repeat(255));
        for bad in [
            "",
            "a",
            "@example.org",
            "a@",
            "mıke@example.org",
            "mi\u{212a}e@example.org",
            "a＠example.org",
            "a@example。org",
            "a@exam\u{200b}ple.org",
            "a@exam\u{ad}ple.org",
            "a\u{a0}@example.org",
            "a@example.org.",
            "a@ｅxample.org",
            "a@x.org\r\nBcc: v@y.org",
            "a@x.org,b@y.org",
            "A <a@x.org>",
            "a..b@x.org",
            ".a@x.org",
            "a@localhost",
            "a@[127.0.0.1]",
            "a@1.2.3.4",
            "a b@x.org",
            "a@@x.org",
            " a@x.org",
            "a@x.org ",
            &long_local,
            &long,
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert!(format!("{}@example.org", "a".repeat(64)).parse::<Email>().is_ok());
    }

    proptest! {
        #[test]
        fn the_normal_form_is_a_fixed_point(s in "[a-zA-Z0-9.+]{1,10}@[a-zäöA-Z0-9-]{1,8}\\.(org|COM|de)") {
            if let Some(k) = key(&s) { prop_assert_eq!(key(&k), Some(k.clone())); }
        }
        #[test]
        fn parsing_never_panics(s in "\\PC{0,80}") {
            let _ = (s.parse::<Email>(), s.parse::<Slug>(), s.parse::<DisplayName>(), s.parse::<EnvironmentName>());
        }
    }
}
