//! A token's inside, read only after its signature has been found good.
use serde::Deserialize;
use serde_json::Value;
use settings_domain::ports::identity::Profile;
use time::{Duration, OffsetDateTime};
use url::Url;

/// How far the issuer's clock may be ahead of ours. Expiry has no leeway: an expired token is expired.
const LEEWAY: Duration = Duration::seconds(30);
/// OIDC Core, 2: `sub` is at most 255 characters.
const MAX_SUBJECT: usize = 255;
/// As for display names in the domain.
const MAX_NAME: usize = 200;
const MAX_PICTURE: usize = 2048;

/// What decides is typed, so that a token with a strange `exp` is refused; what only describes is read leniently.
#[derive(Deserialize)]
pub(crate) struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    sub: Option<String>,
    email: Option<Value>,
    email_verified: Option<Value>,
    name: Option<Value>,
    picture: Option<Value>,
    // Of ID tokens; in an access token they mean nothing.
    nonce: Option<Value>,
    azp: Option<Value>,
    at_hash: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn is_alone(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Many(many) => many.len() == 1,
        }
    }
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

/// Who the token speaks for, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) profile: Profile,
    pub(crate) expires_at: OffsetDateTime,
    /// Whether the issuer said something of the e-mail, be it that it is not verified.
    pub(crate) tells_email: bool,
}

/// What an ID token must agree with: the sign-in that it belongs to.
pub(crate) struct Expected<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// The left half of the access token's hash, where there is an access token.
    pub(crate) access_token_hash: Option<&'a str>,
}

impl Claims {
    /// Applies the rules for an ID token (OIDC Core, 3.1.3.7 and 3.1.3.8). The error is the reason for the log.
    pub(crate) fn accept_id(
        self,
        issuer: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Accepted, &'static str> {
        fn text(claim: Option<&Value>) -> Option<&str> {
            claim.and_then(Value::as_str)
        }
        if text(self.nonce.as_ref()) != Some(expected.nonce) {
            return Err("wrong nonce");
        }
        // Who the token was issued to. With several audiences it has to say so.
        let alone = self.aud.as_ref().is_some_and(Audience::is_alone);
        if (self.azp.is_some() || !alone) && text(self.azp.as_ref()) != Some(expected.client_id) {
            return Err("issued to another client");
        }
        if let (Some(said), Some(hash)) = (self.at_hash.as_ref(), expected.access_token_hash)
            && said.as_str() != Some(hash)
        {
            return Err("it belongs to another access token");
        }
        if self.iat.is_none() {
            return Err("no time of issue");
        }
        self.accept(issuer, expected.client_id, now)
    }

    /// Applies the rules. The error is the reason for the log.
    pub(crate) fn accept(self, issuer: &str, audience: &str, now: OffsetDateTime) -> Result<Accepted, &'static str> {
        if self.iss.as_deref() != Some(issuer) {
            return Err("wrong issuer");
        }
        if !self.aud.is_some_and(|aud| aud.names(audience)) {
            return Err("wrong audience");
        }
        let expires_at = instant(self.exp.ok_or("no expiry")?)?;
        if expires_at <= now {
            return Err("expired");
        }
        if let Some(nbf) = self.nbf
            && instant(nbf)? - now > LEEWAY
        {
            return Err("not valid yet");
        }
        if let Some(iat) = self.iat
            && instant(iat)? - now > LEEWAY
        {
            return Err("issued in the future");
        }
        let subject = self.sub.filter(|sub| !sub.is_empty()).ok_or("no subject")?;
        if subject.chars().count() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err("the subject is malformed");
        }
        let email = self.email.as_ref().and_then(Value::as_str).and_then(|email| email.parse().ok());
        // Nothing is vouched for where there is no address.
        let email_verified = email.is_some() && self.email_verified.as_ref().is_some_and(is_true);
        let profile = Profile {
            issuer: issuer.to_owned(),
            subject,
            email,
            email_verified,
            name: self.name.as_ref().and_then(Value::as_str).and_then(display_name),
            picture: self.picture.as_ref().and_then(Value::as_str).and_then(picture),
        };
        let tells_email = self.email.is_some() && self.email_verified.is_some();
        Ok(Accepted { profile, expires_at, tells_email })
    }
}

/// A JSON `NumericDate`: seconds since the epoch, fractions allowed.
fn instant(seconds: f64) -> Result<OffsetDateTime, &'static str> {
    Duration::checked_seconds_f64(seconds)
        .and_then(|since| OffsetDateTime::UNIX_EPOCH.checked_add(since))
        .ok_or("a time is out of range")
}

/// Some issuers (Cognito among them) send the text.
pub(crate) fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_str() == Some("true")
}

pub(crate) fn display_name(name: &str) -> Option<String> {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// The address in its normal form: what a page puts into `src` then has no quotes, spaces or line breaks.
pub(crate) fn picture(address: &str) -> Option<String> {
    if address.len() > MAX_PICTURE {
        return None;
    }
    let url = Url::parse(address).ok()?;
    let fits = url.scheme() == "https" && !crate::config::has_credentials(&url) && url.as_str().len() <= MAX_PICTURE;
    fits.then(|| url.into())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn accept(changes: &Value) -> Result<Accepted, &'static str> {
        let mut claims = json!({"iss": "https://i/", "aud": "settings", "exp": NOW + 60, "sub": "auth0|1"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims: Claims = serde_json::from_value(claims).map_err(|_| "malformed")?;
        claims.accept("https://i/", "settings", OffsetDateTime::from_unix_timestamp(NOW).unwrap())
    }
    fn refused(changes: Value) -> &'static str {
        accept(&changes).map_or_else(|reason| reason, |_| "accepted")
    }
    fn profile(changes: Value) -> Profile {
        accept(&changes).unwrap().profile
    }

    #[test]
    fn the_issuer_must_be_the_very_same_text() {
        for iss in [json!("https://i"), json!("https://I/"), json!("https://j/"), json!(""), json!(null)] {
            assert_eq!(refused(json!({"iss": iss})), "wrong issuer", "{iss}");
        }
        assert_eq!(refused(json!({"iss": ["https://i/"]})), "malformed");
    }

    #[test]
    fn the_audience_may_be_one_of_several() {
        for aud in [json!("settings"), json!(["settings"]), json!(["https://i/userinfo", "settings"])] {
            assert_eq!(refused(json!({"aud": aud})), "accepted", "{aud}");
        }
        for aud in
            [json!("other"), json!(["other"]), json!([]), json!(""), json!("settings2"), json!("SETTINGS"), json!(null)]
        {
            assert_eq!(refused(json!({"aud": aud})), "wrong audience", "{aud}");
        }
        for aud in [json!(["settings", 1]), json!({"settings": true}), json!(1)] {
            assert_eq!(refused(json!({"aud": aud})), "malformed", "{aud}");
        }
    }

    #[test]
    fn expiry_is_required_and_has_no_leeway() {
        assert_eq!(refused(json!({"exp": null})), "no expiry");
        assert_eq!(refused(json!({"exp": NOW})), "expired");
        assert_eq!(refused(json!({"exp": 1_800_000_000.5})), "accepted");
        assert_eq!(refused(json!({"exp": NOW + 1})), "accepted");
        assert_eq!(refused(json!({"exp": -1})), "expired");
        assert_eq!(refused(json!({"exp": 0})), "expired");
        assert_eq!(refused(json!({"exp": 1e300})), "a time is out of range");
        assert_eq!(refused(json!({"exp": u64::MAX})), "a time is out of range");
        assert_eq!(refused(json!({"exp": "1900000000"})), "malformed");
    }

    #[test]
    fn tokens_from_the_future_wait_but_for_thirty_seconds_of_skew() {
        assert_eq!(refused(json!({"nbf": NOW + 30, "iat": NOW + 30})), "accepted");
        assert_eq!(refused(json!({"nbf": NOW + 31})), "not valid yet");
        assert_eq!(refused(json!({"iat": NOW + 31})), "issued in the future");
        assert_eq!(refused(json!({"nbf": 1e300})), "a time is out of range");
        assert_eq!(refused(json!({"nbf": -1e300})), "a time is out of range");
        assert_eq!(refused(json!({"iat": true})), "malformed");
    }

    #[test]
    fn the_subject_is_bounded_and_plain() {
        assert_eq!(refused(json!({"sub": "é".repeat(255)})), "accepted");
        for sub in ["a".repeat(256), "a\nb".to_owned(), "a\u{0}".to_owned(), "\u{85}".to_owned()] {
            assert_eq!(refused(json!({"sub": sub})), "the subject is malformed");
        }
        assert_eq!(refused(json!({"sub": ""})), "no subject");
        assert_eq!(refused(json!({"sub": null})), "no subject");
        assert_eq!(refused(json!({"sub": 7})), "malformed");
    }

    #[test]
    fn an_email_counts_where_it_is_well_formed_and_as_verified_where_the_issuer_says_so() {
        let of = |email: Value, verified: Value| {
            let p = profile(json!({"email": email, "email_verified": verified}));
            (p.email.map(|e| e.as_str().to_owned()), p.email_verified)
        };
        let ada = || Some("Ada@example.org".to_owned());
        assert_eq!(of(json!("Ada@example.org"), json!(true)), (ada(), true));
        assert_eq!(of(json!("Ada@example.org"), json!("true")), (ada(), true));
        for not in [json!(false), json!("false"), json!("True"), json!(1), json!(null), json!(["true"])] {
            assert_eq!(of(json!("Ada@example.org"), not), (ada(), false));
        }
        for bad in [
            json!("ada"),
            json!("a@x.org\r\nBcc: b@x.org"),
            json!(""),
            json!(7),
            json!(["ada@example.org"]),
            json!(null),
        ] {
            assert_eq!(of(bad, json!(true)), (None, false));
        }
    }

    #[test]
    fn names_are_cleaned_and_bounded() {
        let name = |name: Value| profile(json!({"name": name})).name;
        assert_eq!(name(json!(" Ada\u{0} Love\r\nlace ")).as_deref(), Some("Ada Lovelace"));
        assert_eq!(name(json!("é".repeat(201))), Some("é".repeat(200)));
        for nothing in [json!(""), json!(" \n "), json!(7), json!(null), json!({"given": "Ada"})] {
            assert_eq!(name(nothing), None);
        }
    }

    #[test]
    fn pictures_are_https_addresses_or_nothing() {
        let picture = |picture: Value| profile(json!({"picture": picture})).picture;
        assert_eq!(picture(json!("https://cdn.example.org/a.png")).as_deref(), Some("https://cdn.example.org/a.png"));
        assert_eq!(picture(json!("https://x.org/\"><b>")).as_deref(), Some("https://x.org/%22%3E%3Cb%3E"));
        for nothing in [
            json!("http://x.org/a.png"),
            json!("javascript:alert(1)"),
            json!("data:image/png;base64,AA"),
            json!("https://u:p@x.org/"),
            json!("//x.org/a.png"),
            json!(format!("https://x.org/{}", "a".repeat(2048))),
            json!(format!("https://x.org/{}", "é".repeat(900))),
            json!(7),
        ] {
            assert_eq!(picture(nothing), None);
        }
    }

    fn id_token(changes: Value) -> &'static str {
        let mut claims = json!({
            "iss": "https://i/", "aud": "client", "iat": NOW, "exp": NOW + 60, "sub": "auth0|1", "nonce": "n", "at_hash": "h"
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected = Expected { client_id: "client", nonce: "n", access_token_hash: Some("h") };
        let claims: Claims = serde_json::from_value(claims).unwrap();
        let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
        claims.accept_id("https://i/", &expected, now).map_or_else(|reason| reason, |_| "accepted")
    }

    #[test]
    fn an_id_token_belongs_to_the_sign_in_that_asked_for_it() {
        assert_eq!(id_token(json!({})), "accepted");
        for nonce in [json!("m"), json!(""), json!(null), json!(["n"]), json!(1)] {
            assert_eq!(id_token(json!({"nonce": nonce})), "wrong nonce", "{nonce}");
        }
        assert_eq!(id_token(json!({"at_hash": null})), "accepted");
        for hash in [json!("i"), json!(""), json!(["h"])] {
            assert_eq!(id_token(json!({"at_hash": hash})), "it belongs to another access token", "{hash}");
        }
        assert_eq!(id_token(json!({"iat": null})), "no time of issue");
        assert_eq!(id_token(json!({"iss": "https://j/"})), "wrong issuer");
        assert_eq!(id_token(json!({"exp": NOW})), "expired");
    }

    #[test]
    fn an_id_token_is_for_this_client() {
        for aud in [json!("client"), json!(["client"])] {
            assert_eq!(id_token(json!({"aud": aud})), "accepted", "{aud}");
            assert_eq!(id_token(json!({"aud": aud, "azp": "client"})), "accepted", "{aud}");
            for azp in [json!("other"), json!(["client"]), json!("")] {
                assert_eq!(id_token(json!({"aud": aud, "azp": azp})), "issued to another client", "{aud} {azp}");
            }
        }
        assert_eq!(id_token(json!({"aud": ["client", "other"], "azp": "client"})), "accepted");
        assert_eq!(id_token(json!({"aud": ["client", "other"]})), "issued to another client");
        assert_eq!(id_token(json!({"aud": "other"})), "wrong audience");
        assert_eq!(id_token(json!({"aud": "other", "azp": "client"})), "wrong audience");
        assert_eq!(id_token(json!({"aud": [], "azp": "client"})), "wrong audience");
    }

    #[test]
    fn a_claim_said_twice_is_malformed() {
        let twice = r#"{"iss":"https://i/","aud":"other","aud":"settings","exp":1900000000,"sub":"a"}"#;
        assert!(serde_json::from_str::<Claims>(twice).is_err());
    }
}
