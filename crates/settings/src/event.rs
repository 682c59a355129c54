//! An event to hand to notifications.
use settings_domain::{
    events::{Content, EventData, Extensions},
    policy::EventType,
    text::TextError,
};
use time::OffsetDateTime;

/// Something that happened, for the people of a workspace to hear of. Taken once for each source and id, however often it is
/// published.
#[derive(Debug, Clone)]
#[must_use = "an event is told to nobody before it is published"]
pub struct Event(pub(crate) Content);

impl Event {
    /// `source` says who tells it, as a URI reference such as `/runs`; `id` which of that source's events it is. Each of 1 to 512
    /// characters, none of them a control character.
    pub fn new(kind: EventType, source: &str, id: &str) -> Result<Self, TextError> {
        Ok(Self(Content {
            source: source.parse()?,
            id: id.parse()?,
            kind,
            subject: None,
            time: None,
            extensions: Extensions::default(),
            data: EventData::default(),
        }))
    }
    /// What it is about, as long as a source.
    pub fn subject(mut self, subject: &str) -> Result<Self, TextError> {
        self.0.subject = Some(subject.parse()?);
        Ok(self)
    }
    /// When it happened; otherwise when it is published.
    pub const fn at(mut self, time: OffsetDateTime) -> Self {
        self.0.time = Some(time);
        self
    }
    /// What messages show: names and values.
    pub fn data(mut self, data: serde_json::Map<String, serde_json::Value>) -> Self {
        self.0.data = EventData::new(data);
        self
    }
}
