//! A decided mutation: its writes, its audit events and its notices, born together, committed together.
use crate::{
    api_keys::ApiKeyWrite,
    audit::{AuditEvent, Details, Fact, Risk, Target},
    audit_digest::AuditDigestWrite,
    billing::BillingWrite,
    connections::ConnectionWrite,
    deliveries::DeliveryWrite,
    environments::EnvironmentWrite,
    erasure::ErasureWrite,
    events::EventWrite,
    ids::PersonId,
    invitations::InvitationWrite,
    members::MemberWrite,
    models::ModelWrite,
    notices::Notice,
    notifications::NotificationWrite,
    policy::{Mutation, Permit, Requirement, TenantScope},
    references::ReferrerWrite,
    secrets::SecretWrite,
    variables::VariableWrite,
    webhook_subscriptions::WebhookSubscriptionWrite,
    workspaces::WorkspaceWrite,
};
use std::collections::BTreeSet;

/// What an adapter must write. A new aggregate breaks every adapter's `match`, which is the point.
#[derive(Debug, Clone)]
pub enum Write {
    /// The workspace row.
    Workspace(WorkspaceWrite),
    /// An environment row.
    Environment(EnvironmentWrite),
    /// A person or membership row.
    Member(MemberWrite),
    /// Everything that speaks of a person.
    Erasure(Box<ErasureWrite>),
    /// An invitation row.
    Invitation(InvitationWrite),
    /// An API key row.
    ApiKey(ApiKeyWrite),
    /// A variable row.
    Variable(VariableWrite),
    /// A secret row.
    Secret(SecretWrite),
    /// A model row.
    Model(ModelWrite),
    /// A referrer with what it uses.
    Referrer(ReferrerWrite),
    /// The audit digest and its runs.
    AuditDigest(AuditDigestWrite),
    /// The notification preferences.
    Notifications(NotificationWrite),
    /// A published event.
    Event(EventWrite),
    /// A row of the ledger of deliveries.
    Delivery(DeliveryWrite),
    /// A connection row.
    Connection(ConnectionWrite),
    /// A webhook subscription row.
    WebhookSubscription(WebhookSubscriptionWrite),
    /// The billing account, an event that was handled, or a report of usage.
    Billing(BillingWrite),
}

/// The part of a change that an adapter sees: everything in it is written in one transaction, or nothing.
#[derive(Debug)]
pub struct ChangeSet {
    scope: TenantScope,
    writes: Vec<Write>,
    events: Vec<AuditEvent>,
    notices: Vec<Notice>,
    outcome: Option<StoredOutcome>,
}

/// The result of an idempotent call, kept with its effect so that a retry is answered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOutcome {
    /// The call.
    pub call: crate::idempotency::IdempotentCall,
    /// The domain value, as JSON. Never holds a secret: secrets have no `Serialize`.
    pub value: String,
}

impl ChangeSet {
    /// The tenant it belongs to.
    #[must_use]
    pub const fn scope(&self) -> TenantScope {
        self.scope
    }
    /// Rows to write, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }
    /// Events to append, in order.
    #[must_use]
    pub fn events(&self) -> &[AuditEvent] {
        &self.events
    }
    /// Messages to queue.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
    /// The outcome to keep for retries.
    #[must_use]
    pub const fn outcome(&self) -> Option<&StoredOutcome> {
        self.outcome.as_ref()
    }
    pub(crate) fn stamp(&mut self, request: &str, outcome: Option<StoredOutcome>) {
        for event in &mut self.events {
            event.with_request(request);
        }
        self.outcome = outcome.filter(|o| self.may_keep(o));
    }
    /// An erasure keeps no outcome under a caller or a key that names who was erased.
    fn may_keep(&self, outcome: &StoredOutcome) -> bool {
        let names = |w: &Write| matches!(w, Write::Erasure(e) if e.is_named_by(&outcome.call));
        !self.writes.iter().any(names)
    }
}

/// A decided, not yet committed, mutation and the value to hand back after the commit.
///
/// No code outside this crate can make one, so no write goes without its audit event:
/// ```compile_fail,E0624
/// use settings_domain::{audit::{Details, Target}, change::{Change, Write}, policy::{actions, Permit}};
/// fn forge(p: &Permit<actions::RevokeApiKey>, w: Write) -> Change<()> {
///     Change::decided(p, w, Target::Workspace, Details::new(), ())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a change does nothing until `Transaction::commit`"]
pub struct Change<T> {
    set: ChangeSet,
    value: T,
}

impl<T> Change<T> {
    /// The one way to a change: a permit for a mutation, whose fact is recorded.
    pub(crate) fn decided<A: Mutation>(
        permit: &Permit<A>,
        write: Write,
        target: Target,
        details: Details,
        value: T,
    ) -> Self {
        Self::rated(permit, A::FACT.risk(), write, target, details, value)
    }
    /// As [`Change::decided`], for an instance of the fact that matters more than usual.
    pub(crate) fn rated<A: Mutation>(
        permit: &Permit<A>,
        risk: Risk,
        write: Write,
        target: Target,
        details: Details,
        value: T,
    ) -> Self {
        let event = AuditEvent::new(permit, A::FACT, risk, target, details);
        let set = ChangeSet {
            scope: permit.scope(),
            writes: vec![write],
            events: vec![event],
            notices: vec![],
            outcome: None,
        };
        Self { set, value }
    }
    /// A fact that changes no row: only its event is written.
    pub(crate) fn recorded<A: Mutation>(permit: &Permit<A>, target: Target, details: Details, value: T) -> Self {
        let event = AuditEvent::new(permit, A::FACT, A::FACT.risk(), target, details);
        let set =
            ChangeSet { scope: permit.scope(), writes: vec![], events: vec![event], notices: vec![], outcome: None };
        Self { set, value }
    }
    /// What a task of the service lays out for itself before it can act. The fact is recorded once the task has acted, so
    /// this leaves no event; what people and keys do always leaves one, and the compiler refuses this for their actions.
    pub(crate) fn prepared<A: Mutation>(permit: &Permit<A>, write: Write, value: T) -> Self {
        const { assert!(matches!(A::REQUIRES, Requirement::Task(_)), "only a task of the service prepares") };
        let set =
            ChangeSet { scope: permit.scope(), writes: vec![write], events: vec![], notices: vec![], outcome: None };
        Self { set, value }
    }
    /// Nothing has to change: the wanted state is already there, so there is nothing to record.
    pub(crate) fn nothing<A: Mutation>(permit: &Permit<A>, value: T) -> Self {
        let set = ChangeSet { scope: permit.scope(), writes: vec![], events: vec![], notices: vec![], outcome: None };
        Self { set, value }
    }
    /// A write that belongs to the same fact.
    pub(crate) fn write(mut self, write: Write) -> Self {
        self.set.writes.push(write);
        self
    }
    /// A consequence: another fact with its write.
    pub(crate) fn consequence<A: Mutation>(
        mut self,
        permit: &Permit<A>,
        fact: Fact,
        write: Write,
        target: Target,
        details: Details,
    ) -> Self {
        self.set.writes.push(write);
        self.set.events.push(AuditEvent::new(permit, fact, fact.risk(), target, details));
        self
    }
    /// The first fact comes last, after its consequences, and nothing of it speaks of these people any more.
    pub(crate) fn forgetting(mut self, persons: &BTreeSet<PersonId>) -> Self {
        if !self.set.events.is_empty() {
            self.set.events.rotate_left(1);
        }
        for event in &mut self.set.events {
            event.forget(persons);
        }
        self
    }
    /// A message to send once this is durable.
    pub(crate) fn notice(mut self, notice: Notice) -> Self {
        self.set.notices.push(notice);
        self
    }
    /// Everything of `other` too; `join` makes one value of both.
    pub(crate) fn and<U, V>(mut self, other: Change<U>, join: impl FnOnce(T, U) -> V) -> Change<V> {
        self.set.writes.extend(other.set.writes);
        self.set.events.extend(other.set.events);
        self.set.notices.extend(other.set.notices);
        Change { set: self.set, value: join(self.value, other.value) }
    }
    /// The same change with another value to hand back.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Change<U> {
        Change { set: self.set, value: f(self.value) }
    }
    /// What is handed back once this is durable, for what depends on it.
    pub(crate) const fn value(&self) -> &T {
        &self.value
    }
    /// What the change would do, for tests and previews.
    #[must_use]
    pub const fn set(&self) -> &ChangeSet {
        &self.set
    }
    pub(crate) fn into_parts(self) -> (ChangeSet, T) {
        (self.set, self.value)
    }
}

/// The receipt: the change and its events are durable. Answers to mutations are built from it.
#[derive(Debug)]
pub struct Committed<T> {
    value: T,
    replayed: bool,
}

impl<T> Committed<T> {
    pub(crate) const fn new(value: T, replayed: bool) -> Self {
        Self { value, replayed }
    }
    /// The value that was decided.
    #[must_use]
    pub const fn value(&self) -> &T {
        &self.value
    }
    /// The value that was decided.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
    /// Whether this is the kept answer of an earlier, equal call.
    #[must_use]
    pub const fn is_replay(&self) -> bool {
        self.replayed
    }
}
