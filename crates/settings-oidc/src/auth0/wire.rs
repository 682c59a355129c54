//! What the Management API says, as much of it as is read here.
use serde::Deserialize;
use std::collections::BTreeMap;

/// An answer of `/oauth/token`.
#[derive(Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: String,
    /// Seconds. Auth0 says a day.
    pub(super) expires_in: i64,
}

#[derive(Deserialize)]
pub(super) struct Problem {
    #[serde(rename = "errorCode")]
    pub(super) code: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Organization {
    pub(super) id: String,
    #[serde(default)]
    pub(super) display_name: String,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Role {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) user_id: String,
    #[serde(default)]
    pub(super) roles: Vec<Role>,
}

#[derive(Deserialize)]
pub(super) struct Invitation {
    pub(super) id: String,
    pub(super) invitee: Invitee,
    #[serde(default)]
    pub(super) client_id: String,
    /// Ids.
    #[serde(default)]
    pub(super) roles: Vec<String>,
    /// RFC 3339.
    pub(super) expires_at: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Invitee {
    pub(super) email: String,
}

/// A page of a list: bare, or with a cursor or totals around it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Listed<T> {
    Bare(Vec<T>),
    Wrapped(Wrapped<T>),
}

#[derive(Deserialize)]
pub(super) struct Wrapped<T> {
    #[serde(alias = "members", alias = "invitations", alias = "roles")]
    items: Vec<T>,
    next: Option<String>,
}

impl<T> Listed<T> {
    /// The items and the cursor of the next page.
    pub(super) fn parts(self) -> (Vec<T>, Option<String>) {
        match self {
            Self::Bare(items) => (items, None),
            Self::Wrapped(Wrapped { items, next }) => (items, next.filter(|n| !n.is_empty())),
        }
    }
}

/// One part of a path: everything but letters, digits and `-._~` is encoded, so an id can't lead elsewhere.
pub(super) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_each_of_their_shapes() {
        let read = |text: &str| {
            let (items, next) = serde_json::from_str::<Listed<Member>>(text).unwrap().parts();
            (items.into_iter().map(|m| m.user_id).collect::<Vec<_>>(), next)
        };
        let ids = vec!["auth0|1".to_owned()];
        assert_eq!(read(r#"[{"user_id":"auth0|1","roles":[]}]"#), (ids.clone(), None));
        let wrapped = r#"{"members":[{"user_id":"auth0|1","name":"A"}],"next":"abc"}"#;
        assert_eq!(read(wrapped), (ids.clone(), Some("abc".to_owned())));
        assert_eq!(read(r#"{"start":0,"total":1,"members":[{"user_id":"auth0|1"}],"next":""}"#), (ids, None));
    }

    #[test]
    fn an_id_stays_one_part_of_a_path() {
        assert_eq!(segment("auth0|5f-_~.A"), "auth0%7C5f-_~.A");
        assert_eq!(segment("../a?b#c d%2F"), "..%2Fa%3Fb%23c%20d%252F");
        assert_eq!(segment("é"), "%C3%A9");
    }
}
