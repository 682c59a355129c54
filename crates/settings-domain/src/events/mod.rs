//! Published events (seed A, Notifications): facts of other services that somebody must hear about, as CloudEvents 1.0.
//!
//! An event is kept once for each source and id, whoever sends it again. Its text is sealed like any other value: it is
//! somebody else's, and may say more than it should.
mod content;

pub use content::{Content, EventData, EventText, Extensions, Fact as EventFact};

use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    deliveries::{Audience, Delivery, DeliveryWrite, Message},
    error::{Refused, refusals},
    ids::{DeliveryId, PublishedEventId, WorkspaceId},
    notices::Notice,
    policy::{Actor, EventType, Permission, Permit, Principal, Scope, actions},
    sealed::{Binding, Opening, StoredValue, ValueKind},
    tokens::Digest,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use time::OffsetDateTime;

/// Most deliveries of a workspace that may wait at once (NO15): a flood is refused, not queued without end.
pub const MAX_WAITING: i64 = 100_000;

impl EventType {
    /// All five, in the order of the documents.
    pub const ALL: [Self; 5] = [
        Self::RunFailed,
        Self::ApprovalRequested,
        Self::WorkflowDeployed,
        Self::McpServerDegraded,
        Self::SecretRotated,
    ];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunFailed => "run_failed",
            Self::ApprovalRequested => "approval_requested",
            Self::WorkflowDeployed => "workflow_deployed",
            Self::McpServerDegraded => "mcp_server_degraded",
            Self::SecretRotated => "secret_rotated",
        }
    }
    /// What it says, in seed A's words and without a full stop.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::RunFailed => "A workflow run has failed",
            Self::ApprovalRequested => "An approval step is waiting for human action",
            Self::WorkflowDeployed => "A workflow has been published",
            Self::McpServerDegraded => "An MCP server health check has failed",
            Self::SecretRotated => "A secret has been rotated",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names none of the event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of run_failed, approval_requested, workflow_deployed, mcp_server_degraded, secret_rotated")]
pub struct ParseEventTypeError;

impl FromStr for EventType {
    type Err = ParseEventTypeError;
    fn from_str(s: &str) -> Result<Self, ParseEventTypeError> {
        Self::ALL.into_iter().find(|e| e.name() == s).ok_or(ParseEventTypeError)
    }
}

impl Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}
impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An event that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Our id of it.
    pub id: PublishedEventId,
    /// What it tells.
    pub kind: EventType,
    /// How many deliveries it led to.
    pub deliveries: i64,
    /// When it was taken.
    #[serde(with = "crate::micros")]
    pub received_at: OffsetDateTime,
}

/// An event with what is stored of its text.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// The event.
    pub event: Event,
    /// Keyed digest of its source and id: what makes it the same event again. Neither is kept in the clear.
    pub key: Digest,
    /// Its text, sealed.
    pub text: StoredValue,
}

impl EventRecord {
    /// The right to open its text: for the task that delivers it.
    #[must_use]
    pub fn opening(&self, permit: &Permit<actions::DeliverMessages>) -> Option<Opening<'_>> {
        (permit.scope().workspace() == self.event.workspace).then(|| self.text.opening())
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum EventWrite {
    /// A new row.
    Insert(Box<EventRecord>),
}

/// What became of a published event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The event, as it was when it was taken first.
    pub event: Event,
    /// Whether it was known before: then nothing new is delivered.
    pub known: bool,
}

refusals! {
    /// Why an event was not taken.
    PublishEventError {
        NotThisType: Forbidden "forbidden", "A key publishes only what its scopes are about: runs:write a failed run, approvals:write a requested approval, workflows:write a published workflow, connections:write a degraded MCP server. The rotation of a secret is published by admins alone.";
        TooMany: Conflict "quota-reached", "100,000 deliveries of this workspace are waiting already. Publish again once they have been sent.";
    }
}

/// An event to be taken, with the ids and the sealed text that it needs.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Fresh id.
    pub id: PublishedEventId,
    /// What it tells.
    pub kind: EventType,
    /// Keyed digest of its source and id.
    pub key: Digest,
    /// Its text, sealed under [`Event::binding`].
    pub text: StoredValue,
}

/// An event that a decision of ours raises beside what it changes, such as a secret's rotation.
#[derive(Debug, Clone)]
pub struct Raised {
    record: EventRecord,
    deliveries: Vec<Delivery>,
}

impl Raised {
    /// The event with everybody who is to hear of it. `id` makes an id for each delivery.
    #[must_use]
    pub fn new(at: OffsetDateTime, new: NewEvent, audience: &Audience, id: impl FnMut() -> DeliveryId) -> Self {
        let workspace = new.text.binding().workspace();
        let deliveries = audience.hear(workspace, Message::Event(new.id), new.kind, at, id);
        let count = i64::try_from(deliveries.len()).unwrap_or(i64::MAX);
        let event = Event { workspace, id: new.id, kind: new.kind, deliveries: count, received_at: at };
        Self { record: EventRecord { event, key: new.key, text: new.text }, deliveries }
    }
    /// The event.
    #[must_use]
    pub const fn event(&self) -> Event {
        self.record.event
    }
    /// Whether it is of this workspace and type, and its text is bound to it.
    pub(crate) fn fits(&self, workspace: WorkspaceId, kind: EventType) -> bool {
        let EventRecord { event, text, .. } = &self.record;
        event.kind == kind && *text.binding() == Event::binding(workspace, event.id, kind)
    }
    /// Adds it to a change: it is durable with the change, or there is neither.
    pub(crate) fn join<T>(self, change: Change<T>) -> Change<T> {
        let change = change.write(Write::Event(EventWrite::Insert(Box::new(self.record))));
        queue(change, self.deliveries)
    }
}

/// Queues deliveries with a change.
pub(crate) fn queue<T>(change: Change<T>, deliveries: Vec<Delivery>) -> Change<T> {
    deliveries.into_iter().fold(change, |change, delivery| {
        let id = delivery.id;
        change.write(Write::Delivery(DeliveryWrite::Insert(delivery))).notice(Notice::Delivery(id))
    })
}

impl Event {
    /// What the text of an event is bound to.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, id: PublishedEventId, kind: EventType) -> Binding {
        Binding::new(workspace, ValueKind::Event, id.as_uuid(), 1, kind.name().to_owned())
    }

    /// Whether this actor may publish this type: a key by the scope that names it, a person by the permission alone.
    #[must_use]
    pub fn may_be_published_by(actor: &Actor, kind: EventType) -> bool {
        match actor.principal() {
            Principal::Key { scopes, .. } => scopes.iter().any(|s: Scope| s.publishes() == Some(kind)),
            _ => actor.grants().contains(Permission::EventsPublish),
        }
    }

    /// Takes an event. One that is known by its source and id changes nothing. `waiting` is how many deliveries wait.
    pub fn publish(
        permit: &Permit<actions::PublishEvent>,
        known: Option<Self>,
        waiting: i64,
        new: NewEvent,
        audience: &Audience,
        id: impl FnMut() -> DeliveryId,
    ) -> Result<Change<Publication>, Refused<PublishEventError>> {
        if !Self::may_be_published_by(permit.actor(), new.kind) {
            return Err(PublishEventError::NotThisType.into());
        }
        if let Some(event) = known {
            return Ok(Change::nothing(permit, Publication { event, known: true }));
        }
        if waiting >= MAX_WAITING {
            return Err(PublishEventError::TooMany.into());
        }
        if *new.text.binding() != Self::binding(permit.scope().workspace(), new.id, new.kind) {
            return Err(Refused::Stale);
        }
        let Raised { record, deliveries } = Raised::new(permit.at(), new, audience, id);
        let event = record.event;
        let details = Details::new().change("type", None, Some(PublicValue::word(event.kind.name()))).change(
            "deliveries",
            None,
            Some(event.deliveries.into()),
        );
        let write = Write::Event(EventWrite::Insert(Box::new(record)));
        let change =
            Change::decided(permit, write, Target::Event(event.id), details, Publication { event, known: false });
        Ok(queue(change, deliveries))
    }
}
