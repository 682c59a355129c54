//! A token's outside: size, form and header. Everything here is said by whoever sent the token, so it can only refuse.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// No token of ours comes near; a larger one is not even looked at.
const MAX_TOKEN: usize = 8 * 1024;

/// What the header asks for, after the rules have been applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) alg: Algorithm,
    pub(crate) kid: Option<String>,
}

/// The fields that matter. Keys offered by the token itself (`jwk`, `jku`, `x5u`, `x5c`) are not among them.
#[derive(Deserialize)]
struct Raw {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default)]
    crit: Present,
}

/// Whether a field is there at all, `null` included.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl Header {
    /// Reads the header of an access token. The error is the reason for the log.
    pub(crate) fn parse(token: &str) -> Result<Self, &'static str> {
        Self::read(token, is_access_token, "the type is not that of an access token")
    }

    /// Reads the header of an ID token, which has no type of its own: `JWT` or none. The error is the reason for the log.
    pub(crate) fn of_id_token(token: &str) -> Result<Self, &'static str> {
        Self::read(token, |typ| typ.eq_ignore_ascii_case("JWT"), "the type is not that of an ID token")
    }

    fn read(token: &str, fits: fn(&str) -> bool, unfit: &'static str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "the token is not a JWT";
        if token.len() > MAX_TOKEN {
            return Err("the token is too long");
        }
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(MALFORMED);
        };
        let json = URL_SAFE_NO_PAD.decode(header).map_err(|_| MALFORMED)?;
        let raw: Raw = serde_json::from_slice(&json).map_err(|_| "the header is malformed")?;
        let alg = allowed(&raw.alg).ok_or("the algorithm is not allowed")?;
        if raw.crit.0 {
            return Err("the header has a critical extension");
        }
        if !raw.typ.as_deref().is_none_or(fits) {
            return Err(unfit);
        }
        Ok(Self { alg, kid: raw.kid })
    }
}

/// The allow-list. No `none`, no HMAC, nothing that is invented tomorrow.
fn allowed(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// `JWT` or `at+jwt`. Media types ignore case, and `application/` may be left out (RFC 7515, 4.1.9; RFC 9068, 4).
fn is_access_token(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|ok| typ.eq_ignore_ascii_case(ok))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(header: &Value) -> Result<Header, &'static str> {
        Header::parse(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header.to_string())))
    }

    #[test]
    fn the_allow_list_is_the_nine_asymmetric_algorithms() {
        for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
            assert_eq!(format!("{:?}", parse(&json!({"alg": alg})).unwrap().alg), alg);
        }
        for alg in
            ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "ES512", "RSA-OAEP", "dir"]
        {
            assert_eq!(parse(&json!({"alg": alg})), Err("the algorithm is not allowed"), "{alg}");
        }
    }

    #[test]
    fn a_critical_extension_is_refused_in_whatever_shape() {
        for crit in [json!(["exp"]), json!([]), json!(null), json!("b64"), json!({"a": 1})] {
            assert_eq!(
                parse(&json!({"alg": "RS256", "crit": crit})),
                Err("the header has a critical extension"),
                "{crit}"
            );
        }
    }

    #[test]
    fn only_access_token_types_are_accepted() {
        for typ in
            [json!("JWT"), json!("jwt"), json!("at+jwt"), json!("AT+JWT"), json!("application/at+jwt"), json!(null)]
        {
            assert!(parse(&json!({"alg": "RS256", "typ": typ})).is_ok(), "{typ}");
        }
        for typ in ["", "JOSE", "dpop+jwt", "logout+jwt", "secevent+jwt", "id+jwt", "JWT ", "at+jwt; x=y"] {
            let refused = Err("the type is not that of an access token");
            assert_eq!(parse(&json!({"alg": "RS256", "typ": typ})), refused, "{typ}");
        }
    }

    #[test]
    fn an_access_token_is_no_id_token() {
        let of = |typ: Value| {
            let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": typ}).to_string());
            Header::of_id_token(&format!("{head}.e30.AA"))
        };
        assert!(of(json!("JWT")).is_ok() && of(json!("jwt")).is_ok() && of(json!(null)).is_ok());
        for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "secevent+jwt", ""] {
            assert_eq!(of(json!(typ)), Err("the type is not that of an ID token"), "{typ}");
        }
    }

    #[test]
    fn headers_that_say_something_twice_or_in_another_type_are_malformed() {
        for text in
            [r#"{"alg":"RS256","alg":"none"}"#, r#"{"alg":"RS256","kid":1}"#, r#"{"kid":"a"}"#, "[]", "7", "{", ""]
        {
            let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(text));
            assert_eq!(Header::parse(&token), Err("the header is malformed"), "{text}");
        }
    }

    #[test]
    fn garbage_is_not_a_jwt() {
        for text in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "é.b.c", "e30=.e30.AA", "\u{0}.\u{0}.\u{0}"] {
            let reason = Header::parse(text).unwrap_err();
            assert!(["the token is not a JWT", "the header is malformed"].contains(&reason), "{text}: {reason}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        let token = |len: usize| format!("{head}.{}.AA", "e".repeat(len - head.len() - 4));
        assert_eq!(token(MAX_TOKEN).len(), MAX_TOKEN);
        assert!(Header::parse(&token(MAX_TOKEN)).is_ok());
        assert_eq!(Header::parse(&token(MAX_TOKEN + 1)), Err("the token is too long"));
    }
}
