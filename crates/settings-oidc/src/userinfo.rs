//! What the userinfo endpoint tells of a person, to complete what their ID token left out.
use crate::claims::{display_name, is_true, picture};
use serde::Deserialize;
use serde_json::Value;
use settings_domain::ports::identity::Profile;

/// An answer of the userinfo endpoint (OIDC Core, 5.3.2).
#[derive(Deserialize)]
pub(crate) struct UserInfo {
    sub: Option<String>,
    email: Option<Value>,
    email_verified: Option<Value>,
    name: Option<Value>,
    picture: Option<Value>,
}

impl UserInfo {
    /// Puts into a profile what it lacks. The error is the reason for the log.
    pub(crate) fn complete(self, profile: &mut Profile) -> Result<(), &'static str> {
        if self.sub.as_deref() != Some(&profile.subject) {
            return Err("the userinfo is somebody else's");
        }
        let email = self.email.as_ref().and_then(Value::as_str).and_then(|email| email.parse().ok());
        if email.is_some() {
            profile.email_verified = self.email_verified.as_ref().is_some_and(is_true);
            profile.email = email;
        }
        let name = self.name.as_ref().and_then(Value::as_str).and_then(display_name);
        profile.name = profile.name.take().or(name);
        let picture = self.picture.as_ref().and_then(Value::as_str).and_then(picture);
        profile.picture = profile.picture.take().or(picture);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn profile() -> Profile {
        Profile {
            issuer: "https://i/".to_owned(),
            subject: "auth0|1".to_owned(),
            email: None,
            email_verified: false,
            name: Some("Ada".to_owned()),
            picture: None,
        }
    }

    #[test]
    fn the_userinfo_completes_its_own_subject_and_nobody_elses() {
        let of = |info: Value| {
            let mut profile = profile();
            serde_json::from_value::<UserInfo>(info).unwrap().complete(&mut profile).map(|()| profile)
        };
        let full = of(json!({
            "sub": "auth0|1", "email": "ada@example.org", "email_verified": true, "name": "Other", "picture": "https://x.org/a"
        }))
        .unwrap();
        assert!(full.email_verified && full.email.is_some());
        assert_eq!((full.name.as_deref(), full.picture.as_deref()), (Some("Ada"), Some("https://x.org/a")));
        assert!(!of(json!({"sub": "auth0|1", "email": "ada@example.org"})).unwrap().email_verified);
        assert_eq!(of(json!({"sub": "auth0|1", "email": "ada", "email_verified": true})).unwrap().email, None);
        for sub in [json!("auth0|2"), json!(""), json!(null)] {
            let said = of(json!({"sub": sub, "email": "ada@example.org", "email_verified": true}));
            assert_eq!(said, Err("the userinfo is somebody else's"));
        }
    }
}
