//! `POST /events`: CloudEvents 1.0, in structured or binary mode of its HTTP binding.
use crate::{
    Api,
    answer::Answer,
    input::{ATTRIBUTE, Input, is_attribute},
    json::{self, Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::{Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value};
use settings_app::events::PublishEvent;
use settings_domain::{
    events::{Content, EventData, EventText, Extensions},
    policy::{EventType, Permit, actions},
    transaction::Call,
};
use std::{fmt, str::FromStr, sync::Arc};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// The media type of structured mode.
const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of an event's data, and of an event whose sender does not know the other.
const JSON: &str = "application/json";

/// Version 1.0 of the specification.
struct SpecVersion;

impl FromStr for SpecVersion {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        if s == "1.0" { Ok(Self) } else { Err("must be 1.0") }
    }
}

/// An instant in RFC 3339, with any offset.
struct Instant(OffsetDateTime);

impl FromStr for Instant {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        OffsetDateTime::parse(s, &Rfc3339).map(Self).map_err(|_| "must be an instant such as 2026-11-26T10:00:00Z")
    }
}

/// The one media type that data can have.
struct DataType;

impl FromStr for DataType {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        let base = s.split(';').next().unwrap_or_default().trim();
        if base.eq_ignore_ascii_case(JSON) { Ok(Self) } else { Err("must be application/json") }
    }
}

/// A `CloudEvent`. Further attributes (1 to 20 lower-case letters and digits) go along unread.
#[derive(ToSchema)]
pub(crate) struct CloudEvent {
    /// `1.0`.
    #[schema(value_type = String, rename = "specversion")]
    _specversion: SpecVersion,
    /// Which of the source's events it is. The same source and id again is the same event.
    #[schema(value_type = String, min_length = 1, max_length = 512, rename = "id")]
    _id: EventText,
    /// Who says so, as a URI reference.
    #[schema(value_type = String, min_length = 1, max_length = 512, rename = "source")]
    _source: EventText,
    /// `run_failed`, `approval_requested`, `workflow_deployed`, `mcp_server_degraded` or `secret_rotated`.
    #[schema(value_type = String, rename = "type")]
    _type: EventType,
    /// What it is about.
    #[schema(value_type = Option<String>, max_length = 512, rename = "subject")]
    _subject: Option<EventText>,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime, rename = "time")]
    _time: Option<Instant>,
    /// `application/json`.
    #[schema(value_type = Option<String>, rename = "datacontenttype")]
    _datacontenttype: Option<DataType>,
    /// More about it. Messages show its plain members; `url` or `link` becomes the message's link where it leads to this
    /// service. The whole event has at most 64 KiB.
    #[schema(value_type = Option<Object>, rename = "data")]
    _data: Option<EventData>,
}

/// An event, read.
struct Given(Content);

impl Body for Given {
    fn read(f: &mut Fields) -> Option<Self> {
        let version = f.required::<SpecVersion>("specversion");
        let (source, id, kind) = (f.required("source"), f.required("id"), f.required("type"));
        let (subject, time) = (f.optional("subject"), f.optional::<Instant>("time").map(|t| t.0));
        let (_, _) = (f.optional::<DataType>("datacontenttype"), f.optional::<String>("dataschema"));
        let data = match f.raw("data") {
            None => Some(Map::new()),
            Some(value) if holds_nul(&value) => {
                f.fault_at("data", "must not contain the NUL character");
                None
            }
            Some(Value::Object(members)) => Some(members),
            Some(_) => {
                f.fault_at("data", "must be an object");
                None
            }
        };
        let mut extensions = Extensions::default();
        for (name, value) in f.others(Extensions::is_name) {
            if let Err(e) = extensions.insert(name.clone(), value) {
                f.fault_at(&name, &e.to_string());
            }
        }
        version?;
        let data = EventData::new(data?);
        Some(Self(Content { source: source?, id: id?, kind: kind?, subject, time, extensions, data }))
    }
}

/// NUL is refused in every body, at any depth.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Published {
    /// Its id here: `eventId` of its deliveries.
    #[schema(format = Uuid)]
    id: String,
    /// How many deliveries it led to.
    deliveries: i64,
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "events";
    vec![
        op(
            Method::POST,
            "/events",
            "publishEvent",
            T,
            "Hand an event to notifications; 200 where its source and id are known already",
        )
        .takes::<CloudEvent>()
        .media_types(&[STRUCTURED, JSON])
        .gives::<Published>(202)
        .or(200)
        .problems(&["quota-reached", "idempotency-key-reused"])
        .write(publish),
    ]
}

async fn publish(
    api: Arc<Api>,
    permit: Permit<actions::PublishEvent>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let Given(content) = json::read(event(&input)?)?;
    let event = PublishEvent::new(content, permit.at()).map_err(|e| Problem::field("", e.to_string()))?;
    let done = api.app().publish_event(&permit, &call, &event).await?;
    let publication = done.value();
    let body = Published { id: publication.event.id.to_string(), deliveries: publication.event.deliveries };
    let status = if publication.known { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(Answer::json(status, &body).replayed(done.is_replay()))
}

/// The event as one JSON object, whichever mode it came in.
fn event(input: &Input) -> Result<Map<String, Value>, Problem> {
    let attributes = attributes(input)?;
    if attributes.is_empty() {
        return input.object(&[STRUCTURED, JSON]);
    }
    // Binary mode: the attributes are headers, and the body is the data alone.
    let mut event = attributes;
    if !input.body.is_empty() {
        event.insert("data".to_owned(), Value::Object(input.object(&[JSON])?));
    }
    Ok(event)
}

/// The attributes of binary mode; none in structured mode.
fn attributes(input: &Input) -> Result<Map<String, Value>, Problem> {
    let malformed =
        |name: &str, why: &dyn fmt::Display| Problem::new("malformed-request", format!("The header {name} {why}."));
    let content_type = input.header(&header::CONTENT_TYPE)?.unwrap_or_default();
    let structured = content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(STRUCTURED);
    let mut attributes = Map::new();
    for name in input.headers.keys().filter(|n| !structured && is_attribute(n)) {
        let text = input.header(name)?.unwrap_or_default();
        let value = percent_decode_str(text).decode_utf8();
        let value = value.map_err(|_| malformed(name.as_str(), &"is not percent-encoded UTF-8"))?;
        let attribute = name.as_str().strip_prefix(ATTRIBUTE).unwrap_or_default();
        if matches!(attribute, "data" | "datacontenttype") {
            return Err(malformed(name.as_str(), &"is no attribute: data is the body, its type the Content-Type"));
        }
        attributes.insert(attribute.to_owned(), Value::String(value.into_owned()));
    }
    Ok(attributes)
}
