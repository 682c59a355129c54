//! What happened, and how it is written down so that it can be proven later and forgotten where the law asks.
//!
//! An event has a *public part* ([`AuditRecord`]: ids, enumerated values, numbers; nothing personal, no free text) that
//! is hashed into the workspace's chain, and *personal fields* that enter the chain only as commitments under a salt
//! of the person they speak of. Destroying the salt erases the field; the chain still verifies. Why: `docs/adr/0004`.
pub mod checkpoints;
pub mod export;
mod receipts;
mod record;
mod target;
mod unopened;

pub use receipts::Receipts;
pub use record::{AuditRecord, Broken, Commitment, Opening, SealedEvent, Verification};
pub use target::Target;
pub use unopened::{UNOPENED, Unopened, UnopenedCheck};

use crate::{
    ids::{ApiKeyId, PersonId, WorkspaceId},
    notifications::Channel,
    policy::{Actor, EventType, Mutation, Permit, Principal, Requirement, Role, ScopeSet},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};
use time::OffsetDateTime;
use uuid::Uuid;

/// How much an event matters: low routine, medium configuration or data access, high secret access and denials,
/// critical erasure and key rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Routine.
    Low,
    /// Configuration and data access.
    Medium,
    /// Secrets and denials.
    High,
    /// What can't be undone.
    Critical,
}

impl Risk {
    /// All, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
    /// Reads the stored or requested name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == s)
    }
}

macro_rules! facts {
    ($($name:ident = $wire:literal, $risk:ident, $doc:literal;)*) => {
        /// What happened, in the past tense. One table: name, risk, meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fact { $(#[doc = $doc] $name),* }
        impl Fact {
            /// Every fact.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// Name on the wire and in the chain.
            #[must_use] pub const fn name(self) -> &'static str { match self { $(Self::$name => $wire),* } }
            /// How much it matters.
            #[must_use] pub const fn risk(self) -> Risk { match self { $(Self::$name => Risk::$risk),* } }
            /// One sentence.
            #[must_use] pub const fn meaning(self) -> &'static str { match self { $(Self::$name => $doc),* } }
        }
    };
}

facts! {
    WorkspaceCreated = "workspace.created", Medium, "A workspace was made.";
    WorkspaceUpdated = "workspace.updated", Medium, "Name, region, retention or seat limit changed.";
    WorkspaceDeleted = "workspace.deleted", Critical, "A workspace was deleted.";
    EnvironmentUpdated = "workspace.environment_updated", Medium, "An environment was added, changed or dropped.";
    MemberInvited = "member.invited", Low, "Somebody was invited.";
    MemberJoined = "member.joined", Low, "Somebody joined the workspace.";
    MemberUpdated = "member.updated", Medium, "A member's role changed.";
    MemberRemoved = "member.removed", Medium, "A member was removed.";
    MemberErased = "member.erased", Critical, "A person was erased: what the log says of them can't be read any more.";
    InvitationResent = "invitation.resent", Low, "An invitation was sent again, with a new link.";
    InvitationRevoked = "invitation.revoked", Low, "An invitation was taken back.";
    ApiKeyCreated = "api_key.created", Medium, "An API key was made.";
    ApiKeyRevoked = "api_key.revoked", Medium, "An API key was revoked.";
    VariableCreated = "variable.created", Medium, "A variable was added.";
    VariableUpdated = "variable.updated", Medium, "A variable was renamed or got another value.";
    VariableDeleted = "variable.deleted", Medium, "A variable was deleted.";
    SecretCreated = "secret.created", Medium, "A secret was kept.";
    SecretRotated = "secret.rotated", Medium, "A secret got another value.";
    SecretSealed = "secret.sealed", Medium, "A secret was made unreadable through the API.";
    SecretAccessed = "secret.accessed", High, "A secret's value was read.";
    SecretDeleted = "secret.deleted", Medium, "A secret was deleted.";
    ModelCreated = "model.created", Medium, "A model was registered.";
    ModelUpdated = "model.updated", Medium, "A model, its credential or its visibility changed.";
    ModelTested = "model.tested", Low, "A model's provider was called with its credential.";
    ModelDeleted = "model.deleted", Medium, "A model was deleted.";
    ReferencesDeclared = "references.declared", Low, "Something outside said what it uses.";
    KeysRotated = "keys.rotated", Critical, "Data keys were wrapped by a new key-encryption key.";
    AuditDigestUpdated = "audit_digest.updated", Medium, "The audit digest's schedule, content or recipients changed.";
    AuditDigestSent = "audit_digest.sent", Low, "A mail server accepted an audit digest.";
    NotificationsUpdated = "notifications.updated", Medium, "Notification preferences changed.";
    NotificationTested = "notification.tested", Low, "A test message was sent over a channel.";
    EventPublished = "event.published", Low, "An event was handed to notifications.";
    DeliveryRetried = "delivery.retried", Low, "A delivery that was given up is tried again.";
    DeliveryGivenUp = "delivery.given_up", Medium, "A delivery failed for good.";
    ConnectionStarted = "connection.started", Low, "Somebody began to connect Slack.";
    ConnectionAuthorized = "connection.authorized", Medium, "Slack was connected, or connected again.";
    ConnectionUpdated = "connection.updated", Medium, "A connection's channel changed, or it was switched off.";
    ConnectionFailed = "connection.failed", Medium, "Slack refused a connection's token or channel.";
    ConnectionDeleted = "connection.deleted", Medium, "A connection was deleted.";
    WebhookSubscriptionCreated = "webhook_subscription.created", Medium, "A webhook subscription was made.";
    WebhookSubscriptionUpdated = "webhook_subscription.updated", Medium, "A webhook subscription's address, events or state changed.";
    WebhookSecretRotated = "webhook_subscription.secret_rotated", Medium, "A webhook subscription got another secret.";
    WebhookSubscriptionDisabled = "webhook_subscription.disabled", Medium, "A webhook subscription failed for too long and was disabled.";
    WebhookSubscriptionDeleted = "webhook_subscription.deleted", Medium, "A webhook subscription was deleted.";
    BillingPortalOpened = "billing.portal_opened", Low, "Somebody opened the page on which the subscription is managed.";
    BillingUpdated = "billing.updated", Medium, "The customer or the subscription changed at the billing service.";
    UsageRecorded = "usage.recorded", Low, "Usage was reported.";
    AuthzDenied = "authz.denied", High, "Calls were refused for lack of a permission.";
}

/// A value that may stand in the public part: by construction never free text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicValue(String);

impl PublicValue {
    /// A word from the source code.
    #[must_use]
    pub fn word(w: &'static str) -> Self {
        Self(w.to_owned())
    }
    /// Levels of risk, lowest first.
    pub(crate) fn risks(risks: &BTreeSet<Risk>) -> Self {
        Self(risks.iter().map(|r| r.name()).collect::<Vec<_>>().join(" "))
    }
    /// Channels, in the order of seed A.
    pub(crate) fn channels(channels: &BTreeSet<Channel>) -> Self {
        Self(channels.iter().map(|c| c.name()).collect::<Vec<_>>().join(" "))
    }
    /// Event types, in the order of seed A.
    pub(crate) fn events(events: &BTreeSet<EventType>) -> Self {
        Self(events.iter().map(|e| e.name()).collect::<Vec<_>>().join(" "))
    }
    /// A word from the operator's configuration.
    pub(crate) fn configured(w: &str) -> Self {
        Self(w.to_owned())
    }
}
impl From<Role> for PublicValue {
    fn from(r: Role) -> Self {
        Self(r.name().to_owned())
    }
}
impl From<ScopeSet> for PublicValue {
    fn from(s: ScopeSet) -> Self {
        Self(s.names())
    }
}
impl From<i64> for PublicValue {
    fn from(n: i64) -> Self {
        Self(n.to_string())
    }
}
impl From<Uuid> for PublicValue {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

/// One field's change. Absent sides mean "was not there" and "is gone".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field, as the API names it.
    pub field: String,
    /// Before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A field that speaks of a person: committed to in the chain, kept aside, erasable.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalField {
    /// Which field.
    pub field: &'static str,
    /// Whose salt covers it.
    pub person: PersonId,
    /// The value; never logged.
    pub value: String,
}

impl fmt::Debug for PersonalField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalField")
            .field("field", &self.field)
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// What a decision adds to its fact.
#[derive(Debug, Clone, Default)]
pub struct Details {
    author: Option<PersonId>,
    changes: Vec<FieldChange>,
    personal: Vec<PersonalField>,
}

impl Details {
    /// Nothing to add.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// The person behind the actor, where the actor itself does not say: a founder who joins with the founding.
    #[must_use]
    pub const fn by(mut self, person: PersonId) -> Self {
        self.author = Some(person);
        self
    }
    /// An enumerated or numeric change.
    #[must_use]
    pub fn change(mut self, field: &'static str, from: Option<PublicValue>, to: Option<PublicValue>) -> Self {
        self.changes.push(FieldChange { field: field.to_owned(), from: from.map(|v| v.0), to: to.map(|v| v.0) });
        self
    }
    /// A field about a person, or free text somebody wrote.
    #[must_use]
    pub fn personal(mut self, field: &'static str, person: PersonId, value: impl Into<String>) -> Self {
        self.personal.push(PersonalField { field, person, value: value.into() });
        self
    }
}

/// A fact with who, where and when. Only a decision makes one, and who/where/when always come from its permit.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    workspace: WorkspaceId,
    at: OffsetDateTime,
    fact: Fact,
    risk: Risk,
    actor_kind: &'static str,
    actor_key: Option<ApiKeyId>,
    /// Whose salt covers free text of the actor.
    author: PersonId,
    target: Target,
    changes: Vec<FieldChange>,
    personal: Vec<PersonalField>,
}

impl AuditEvent {
    pub(crate) fn new<A: Mutation>(
        permit: &Permit<A>,
        fact: Fact,
        risk: Risk,
        target: Target,
        details: Details,
    ) -> Self {
        let actor = permit.actor();
        let Details { author, changes, mut personal } = details;
        let author = author.or_else(|| actor.person());
        // The platform's people are no persons of this workspace: what they do here is done by the platform.
        if let (Some(user), Some(person)) = (actor.user(), author) {
            personal.push(PersonalField { field: "actor", person, value: user.to_string() });
        }
        let author = author.unwrap_or(PersonId::NOBODY);
        if let Target::Member(person, user) = target {
            personal.push(PersonalField { field: "target", person, value: user.to_string() });
        }
        let actor_key = if let Principal::Key { key, .. } = actor.principal() { Some(key) } else { None };
        Self {
            workspace: actor.workspace(),
            at: permit.at(),
            fact,
            risk,
            actor_kind: actor_kind(actor, A::REQUIRES),
            actor_key,
            author,
            target,
            changes,
            personal,
        }
    }
    /// Adds the id of the request: a text of the caller's, so it is treated as personal.
    pub(crate) fn with_request(&mut self, request: &str) {
        self.personal.push(PersonalField { field: "requestId", person: self.author, value: request.to_owned() });
    }
    /// What speaks of these people is committed to and never opened. Their erasure is no place to write them down again,
    /// and the id of its request is a text that may name them.
    pub(crate) fn forget(&mut self, persons: &BTreeSet<PersonId>) {
        if persons.contains(&self.author) || self.fact == Fact::MemberErased {
            self.author = PersonId::ERASED;
        }
        for field in self.personal.iter_mut().filter(|f| persons.contains(&f.person)) {
            field.person = PersonId::ERASED;
        }
    }
    /// Whether it has to say, at its place, which fields of the chain can't be read.
    #[must_use]
    pub fn closes_openings(&self) -> bool {
        self.fact == Fact::MemberErased
    }
    /// The same event, with the digest of all unopened fields of the chain, its own included.
    #[must_use]
    pub fn vouching(&self, unopened: &Unopened) -> Self {
        let mut event = self.clone();
        event.changes.push(FieldChange { field: UNOPENED.to_owned(), from: None, to: Some(unopened.digest()) });
        event
    }
    /// The public part, at its place in the chain.
    #[must_use]
    pub fn record(&self, seq: i64) -> AuditRecord {
        AuditRecord {
            version: 1,
            workspace: self.workspace,
            seq,
            at: self.at,
            action: self.fact.name().to_owned(),
            risk: self.risk,
            actor_kind: self.actor_kind.to_owned(),
            actor_key: self.actor_key,
            target_kind: self.target.kind().to_owned(),
            target_id: self.target.public_id(),
            changes: self.changes.clone(),
        }
    }
    /// The personal fields, sorted by name: the order of their commitments.
    #[must_use]
    pub fn personal(&self) -> Vec<&PersonalField> {
        let mut fields: Vec<_> = self.personal.iter().collect();
        fields.sort_by_key(|p| p.field);
        fields
    }
    /// The fact.
    #[must_use]
    pub const fn fact(&self) -> Fact {
        self.fact
    }
    /// When.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        self.at
    }
}

/// `member`, `api_key`, `system` for the platform, `service` for its own tasks. A platform owner who acts within the
/// rights of an own membership acts as that member.
fn actor_kind(actor: &Actor, requires: Requirement) -> &'static str {
    match (actor.principal(), requires) {
        (Principal::Member { .. } | Principal::Invitee { .. }, _) => "member",
        (Principal::Platform { member: Some((_, role)), .. }, Requirement::Permission(p))
            if role.permissions().contains(p) =>
        {
            "member"
        }
        (Principal::Platform { .. }, _) => "system",
        (Principal::Key { .. }, _) => "api_key",
        (Principal::Task(_), _) => "service",
    }
}
