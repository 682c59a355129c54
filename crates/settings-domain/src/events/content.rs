//! What an event says: a CloudEvent in its JSON form, which is also what a webhook gets, and what is read out of it for people.
use crate::{
    policy::EventType,
    sealed::{MAX_VALUE, SecretValue},
    text::TextError,
};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt, str::FromStr};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Most facts that a message shows.
const MAX_FACTS: usize = 12;
/// How long a shown value may be; what is longer is cut.
const MAX_SHOWN: usize = 500;

/// An attribute of a CloudEvent: `source` (a URI reference), `id` or `subject`: 1 to 512 characters, none a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventText(String);

impl EventText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventText {
    type Err = TextError;
    fn from_str(s: &str) -> Result<Self, TextError> {
        let fits = (1..=512).contains(&s.chars().count()) && !s.chars().any(char::is_control);
        if fits && !s.trim().is_empty() {
            Ok(Self(s.to_owned()))
        } else {
            Err(TextError("must be 1 to 512 characters, none of them a control character"))
        }
    }
}

/// The data of an event: a JSON object, or none.
#[derive(Clone, Default)]
pub struct EventData(Map<String, Value>);

impl EventData {
    /// Wraps an object.
    #[must_use]
    pub const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl fmt::Debug for EventData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventData(..)")
    }
}

/// Extension attributes: names of 1 to 20 lower-case letters and digits, with texts, whole numbers or truth values.
#[derive(Clone, Default)]
pub struct Extensions(BTreeMap<String, Value>);

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extensions(..)")
    }
}

impl Extensions {
    /// Whether a name may be one of an extension: it is none that the specification gives a meaning.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        const TAKEN: [&str; 9] =
            ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"];
        let shaped =
            (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        shaped && !TAKEN.contains(&name)
    }
    /// Takes an attribute over.
    pub fn insert(&mut self, name: String, value: Value) -> Result<(), TextError> {
        if !Self::is_name(&name) {
            return Err(TextError("must be 1 to 20 lower-case letters and digits, and no attribute of CloudEvents"));
        }
        match &value {
            Value::String(s) if s.len() <= 512 && !s.chars().any(char::is_control) => {}
            Value::Bool(_) => {}
            Value::Number(n) if n.is_i64() => {}
            _ => return Err(TextError("must be a text of at most 512 bytes, a whole number, true or false")),
        }
        self.0.insert(name, value);
        Ok(())
    }
}

/// A CloudEvent as it was given, parsed.
#[derive(Debug, Clone)]
pub struct Content {
    /// Who says so, as a URI reference.
    pub source: EventText,
    /// Which of its events it is.
    pub id: EventText,
    /// What it tells.
    pub kind: EventType,
    /// What it is about.
    pub subject: Option<EventText>,
    /// When it happened.
    pub time: Option<OffsetDateTime>,
    /// Further attributes, which go along unread.
    pub extensions: Extensions,
    /// More about it.
    pub data: EventData,
}

/// The JSON form, in the order of the specification.
#[derive(Serialize)]
struct Wire<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: EventType,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    #[serde(flatten)]
    extensions: &'a BTreeMap<String, Value>,
    datacontenttype: &'static str,
    data: &'a Map<String, Value>,
}

/// Something that a message shows: a name and its value, both free text of a stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is, in words.
    pub name: String,
    /// The value, cut where it is long.
    pub value: String,
}

impl Content {
    /// The JSON form: what is sealed, and sent to webhooks as it is. An event without a time gets the instant it was taken.
    /// Refused where it has more than 64 KiB.
    pub fn to_text(&self, received_at: OffsetDateTime) -> Result<SecretValue, TextError> {
        const TOO_LONG: TextError = TextError("must have at most 65536 bytes as JSON, with everything in it");
        let time = self.time.unwrap_or(received_at).format(&Rfc3339).map_err(|_| TextError("must be an instant"))?;
        let wire = Wire {
            specversion: "1.0",
            id: self.id.as_str(),
            source: self.source.as_str(),
            kind: self.kind,
            subject: self.subject.as_ref().map(EventText::as_str),
            time,
            extensions: &self.extensions.0,
            datacontenttype: "application/json",
            data: &self.data.0,
        };
        let text = serde_json::to_string(&wire).map_err(|_| TextError("must be JSON"))?;
        if text.len() > MAX_VALUE {
            return Err(TOO_LONG);
        }
        SecretValue::new(SecretString::from(text))
    }

    /// What a message shows of an event's JSON form: its subject and the plain members of its data. Nested members stay out:
    /// a receiver who wants them has the webhook.
    #[must_use]
    pub fn facts(text: &str) -> Vec<Fact> {
        let Ok(Value::Object(event)) = serde_json::from_str::<Value>(text) else { return Vec::new() };
        let subject = event.get("subject").and_then(plain).map(|value| Fact { name: "Subject".to_owned(), value });
        let data = event.get("data").and_then(Value::as_object);
        let members = data
            .into_iter()
            .flatten()
            .filter(|(name, _)| !is_link(name))
            .filter_map(|(name, value)| plain(value).map(|value| Fact { name: in_words(name), value }))
            .filter(|fact| !fact.name.is_empty());
        subject.into_iter().chain(members).take(MAX_FACTS).collect()
    }

    /// The page about an event, where its data names one (`url` or `link`) at `base`, the service's own address: a stranger's
    /// link never becomes ours.
    #[must_use]
    pub fn link(text: &str, base: &str) -> Option<String> {
        let event: Value = serde_json::from_str(text).ok()?;
        let data = event.get("data")?.as_object()?;
        let named = data.iter().filter(|(name, _)| is_link(name)).filter_map(|(_, url)| url.as_str());
        named.into_iter().find(|url| is_under(url, base)).map(str::to_owned)
    }
}

/// Whether a URL is a page of the service at `base`.
fn is_under(url: &str, base: &str) -> bool {
    let plain = !url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
    plain && url.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

fn is_link(name: &str) -> bool {
    matches!(name, "url" | "link")
}

/// A text, number or truth value; `None` for nothing and for what has parts.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    if text.is_empty() {
        return None;
    }
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(MAX_SHOWN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    Some(shown)
}

/// `workflowName` and `workflow_name` as "Workflow name". A name is a stranger's text too, and stays in its line.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in name.chars().take(60) {
        match c {
            c if matches!(c, '_' | '-' | '.') || c.is_control() => words.push(' '),
            c if c.is_uppercase() && before.is_lowercase() => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            c => words.push(c),
        }
        before = c;
    }
    let mut chars = words.trim().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-26 10:00:00 UTC);

    fn content(data: Value) -> Content {
        let Value::Object(members) = data else { panic!("an object") };
        Content {
            source: "https://runner.example.com".parse().unwrap(),
            id: "r-1".parse().unwrap(),
            kind: EventType::RunFailed,
            subject: Some("nightly".parse().unwrap()),
            time: None,
            extensions: Extensions::default(),
            data: EventData::new(members),
        }
    }
    fn text(data: Value) -> String {
        content(data).to_text(NOW).unwrap().expose().to_owned()
    }

    #[test]
    fn the_json_form_is_a_cloud_event_and_keeps_its_data() {
        let value: Value = serde_json::from_str(&text(serde_json::json!({"runId": "7", "deep": {"a": [1]}}))).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"specversion": "1.0", "id": "r-1", "source": "https://runner.example.com",
                "type": "run_failed", "subject": "nightly", "time": "2026-11-26T10:00:00Z",
                "datacontenttype": "application/json", "data": {"runId": "7", "deep": {"a": [1]}}})
        );
    }

    #[test]
    fn an_event_of_more_than_64_kib_is_refused() {
        assert!(content(serde_json::json!({"x": "y".repeat(65_000)})).to_text(NOW).is_ok());
        assert!(content(serde_json::json!({"x": "y".repeat(65_536)})).to_text(NOW).is_err());
    }

    #[test]
    fn plain_members_are_shown_in_words_and_parts_are_not() {
        let facts = Content::facts(&text(serde_json::json!({
            "workflowName": "nightly", "exit_code": 3, "retried": true, "nothing": null, "deep": {"a": 1}, "blank": "  ",
            "url": "https://elsewhere.example/", "long": "x".repeat(600)
        })));
        let shown: Vec<_> = facts.iter().map(|f| (f.name.as_str(), f.value.chars().count())).collect();
        assert_eq!(shown, [("Subject", 7), ("Exit code", 1), ("Long", 501), ("Retried", 4), ("Workflow name", 7)]);
        assert!(Content::facts("no json").is_empty());
        assert!(Content::facts("[]").is_empty());
    }

    #[test]
    fn only_pages_of_our_own_are_linked() {
        let link = |url: &str| Content::link(&text(serde_json::json!({ "url": url })), "https://settings.example.com");
        for good in [
            "https://settings.example.com/acme/runs/1",
            "https://settings.example.com",
            "https://settings.example.com?a",
        ] {
            assert_eq!(link(good).as_deref(), Some(good));
        }
        for bad in [
            "https://settings.example.com.evil.example/",
            "https://settings.example.com@evil.example/",
            "https://settings.example.com/a b",
            "https://settings.example.com/\\evil",
            "javascript:alert(1)",
            "/acme",
            "",
        ] {
            assert_eq!(link(bad), None, "{bad}");
        }
    }
}
