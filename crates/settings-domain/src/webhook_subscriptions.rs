//! Webhook subscriptions (contract, webhooks): where events are sent, signed, to places of the tenant's choice.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    deliveries::{Audience, Message},
    error::{Refused, refusals},
    events::queue,
    ids::{DeliveryId, PersonId, WebhookSubscriptionId, WorkspaceId},
    impact::Guard,
    policy::{EventType, Mutation, Permit, actions},
    ports::outbound::OutboundUrl,
    sealed::{Binding, Opening, StoredValue, ValueKind},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

/// Most subscriptions of a workspace.
pub const MAX_SUBSCRIPTIONS: usize = 50;
/// How long the secret of before stays valid beside a new one.
pub const OVERLAP: Duration = Duration::hours(24);
/// How long a webhook may fail before it is disabled.
pub const PATIENCE: Duration = Duration::days(5);

/// Whether deliveries go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionStatus {
    /// They do.
    Active,
    /// They do not: somebody switched it off, or it failed for too long.
    Disabled,
}

impl SubscriptionStatus {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Active, Self::Disabled];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
    /// Reads the name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|x| x.name() == s)
    }
}

/// A subscription, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSubscription {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: WebhookSubscriptionId,
    /// Where it sends, normalised.
    pub url: String,
    /// The host of that: what may be shown where the whole URL may not.
    pub host: String,
    /// What it is sent.
    pub events: BTreeSet<EventType>,
    /// Whether deliveries go out.
    pub status: SubscriptionStatus,
    /// Why not, where the service itself disabled it.
    pub status_reason: Option<String>,
    /// Until when the secret of before is valid too.
    #[serde(with = "crate::micros::option")]
    pub previous_secret_until: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// Since when a webhook fails. Kept apart from its row, which deliveries never change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Since when no delivery was taken; `None` while they are.
    pub failing_since: Option<OffsetDateTime>,
    /// When the admins were told of this failing.
    pub told_at: Option<OffsetDateTime>,
}

impl Health {
    /// Whether it has failed for too long.
    #[must_use]
    pub fn is_hopeless(&self, at: OffsetDateTime) -> bool {
        self.failing_since.is_some_and(|since| at - since >= PATIENCE)
    }
    /// Whether it fails and the admins were not told of it yet.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        self.failing_since.is_some() && self.told_at.is_none()
    }
}

/// A subscription with what is stored of its secrets.
#[derive(Debug, Clone)]
pub struct SubscriptionRecord {
    /// The subscription.
    pub subscription: WebhookSubscription,
    /// The secret, sealed.
    pub secret: StoredValue,
    /// The one of before, sealed.
    pub previous: Option<StoredValue>,
}

impl SubscriptionRecord {
    /// The rights to open what a delivery is signed with, newest first: for the task that delivers. The secret of before is
    /// among them for 24 hours.
    #[must_use]
    pub fn openings(&self, permit: &Permit<actions::DeliverMessages>) -> Vec<Opening<'_>> {
        let subscription = &self.subscription;
        if permit.scope().workspace() != subscription.workspace || subscription.status != SubscriptionStatus::Active {
            return Vec::new();
        }
        let valid = subscription.previous_secret_until.is_some_and(|until| permit.at() < until);
        let previous = self.previous.as_ref().filter(|_| valid);
        std::iter::once(&self.secret).chain(previous).map(StoredValue::opening).collect()
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum WebhookSubscriptionWrite {
    /// A new row.
    Insert(Box<SubscriptionRecord>),
    /// The row as it shall be. With another secret, the present one becomes the one of before. A row that becomes active
    /// is taken for healthy.
    Update(WebhookSubscription, Option<Box<StoredValue>>),
    /// Drops the row.
    Delete(WebhookSubscriptionId),
    /// The admins were told that it fails.
    Told(WebhookSubscriptionId, OffsetDateTime),
}

refusals! {
    /// Why a subscription was not made or changed.
    WebhookSubscriptionError {
        NotFound: NotFound "not-found", "There is no such subscription.";
        NoEvents: Invalid "validation-failed" at "/events", "A subscription needs at least one type of event.";
        TooMany: Conflict "quota-reached", "A workspace has at most 50 webhook subscriptions.";
    }
}

/// A subscription to be made.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Fresh id.
    pub id: WebhookSubscriptionId,
    /// Where it sends.
    pub url: OutboundUrl,
    /// What it is sent.
    pub events: BTreeSet<EventType>,
    /// Its secret, sealed under [`WebhookSubscription::binding`] of version 1.
    pub secret: StoredValue,
}

/// The wanted changes; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionPatch {
    /// Where it sends.
    pub url: Option<OutboundUrl>,
    /// What it is sent.
    pub events: Option<BTreeSet<EventType>>,
    /// Whether deliveries go out.
    pub status: Option<SubscriptionStatus>,
}

impl WebhookSubscription {
    /// What a secret is bound to.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, id: WebhookSubscriptionId, version: i64) -> Binding {
        Binding::new(workspace, ValueKind::WebhookSecret, id.as_uuid(), version, "webhook".to_owned())
    }
    /// What the next secret of this one is bound to.
    #[must_use]
    pub fn next_binding(&self) -> Binding {
        Self::binding(self.workspace, self.id, self.version + 1)
    }

    /// Makes one. `count` is how many there are.
    pub fn create(
        permit: &Permit<actions::CreateWebhookSubscription>,
        count: usize,
        new: NewSubscription,
    ) -> Result<Change<Self>, Refused<WebhookSubscriptionError>> {
        if new.events.is_empty() {
            return Err(WebhookSubscriptionError::NoEvents.into());
        }
        if count >= MAX_SUBSCRIPTIONS {
            return Err(WebhookSubscriptionError::TooMany.into());
        }
        let (workspace, at) = (permit.scope().workspace(), permit.at());
        if *new.secret.binding() != Self::binding(workspace, new.id, 1) {
            return Err(Refused::Stale);
        }
        let subscription = Self {
            workspace,
            id: new.id,
            url: new.url.url().to_owned(),
            host: new.url.host().to_owned(),
            events: new.events,
            status: SubscriptionStatus::Active,
            status_reason: None,
            previous_secret_until: None,
            created_at: at,
            updated_at: at,
            version: 1,
        };
        let details =
            details(permit, &subscription).change("events", None, Some(PublicValue::events(&subscription.events)));
        let record = SubscriptionRecord { subscription: subscription.clone(), secret: new.secret, previous: None };
        let write = Write::WebhookSubscription(WebhookSubscriptionWrite::Insert(Box::new(record)));
        let target = Target::WebhookSubscription(subscription.id);
        Ok(Change::decided(permit, write, target, details, subscription))
    }

    /// Changes where it sends, what, or whether at all.
    pub fn update(
        &self,
        permit: &Permit<actions::UpdateWebhookSubscription>,
        patch: SubscriptionPatch,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<WebhookSubscriptionError>> {
        guard.check_version(self.version)?;
        if patch.events.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(WebhookSubscriptionError::NoEvents.into());
        }
        let mut next = self.clone();
        if let Some(url) = &patch.url {
            url.url().clone_into(&mut next.url);
            url.host().clone_into(&mut next.host);
        }
        if let Some(events) = patch.events {
            next.events = events;
        }
        if let Some(status) = patch.status.filter(|s| *s != self.status) {
            next.status = status;
            next.status_reason = None;
        }
        if next == *self {
            return Ok(Change::nothing(permit, next));
        }
        next.updated_at = permit.at();
        next.version = self.version + 1;
        let word = |s: SubscriptionStatus| Some(PublicValue::word(s.name()));
        let mut details = details(permit, &next);
        if next.url != self.url {
            details = details.change("url", None, Some(PublicValue::word("changed")));
        }
        if next.events != self.events {
            let (from, to) = (PublicValue::events(&self.events), PublicValue::events(&next.events));
            details = details.change("events", Some(from), Some(to));
        }
        if next.status != self.status {
            details = details.change("status", word(self.status), word(next.status));
        }
        let write = Write::WebhookSubscription(WebhookSubscriptionWrite::Update(next.clone(), None));
        Ok(Change::decided(permit, write, Target::WebhookSubscription(self.id), details, next))
    }

    /// Gives it another secret. The present one stays valid for 24 hours beside it.
    pub fn rotate_secret(
        &self,
        permit: &Permit<actions::RotateWebhookSecret>,
        secret: StoredValue,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<WebhookSubscriptionError>> {
        guard.check_version(self.version)?;
        if *secret.binding() != self.next_binding() {
            return Err(Refused::Stale);
        }
        let at = permit.at();
        let next = Self {
            previous_secret_until: Some(at + OVERLAP),
            updated_at: at,
            version: self.version + 1,
            ..self.clone()
        };
        let write = Write::WebhookSubscription(WebhookSubscriptionWrite::Update(next.clone(), Some(Box::new(secret))));
        Ok(Change::decided(permit, write, Target::WebhookSubscription(self.id), details(permit, self), next))
    }

    /// Drops it, with its secrets. What waits for it is dropped when its turn comes.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteWebhookSubscription>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<WebhookSubscriptionError>> {
        guard.check_version(self.version)?;
        let write = Write::WebhookSubscription(WebhookSubscriptionWrite::Delete(self.id));
        Ok(Change::decided(permit, write, Target::WebhookSubscription(self.id), details(permit, self), ()))
    }

    /// It has failed for too long: no more deliveries, and the admins are told. Nothing where it is disabled already or works
    /// again.
    pub fn disable(
        &self,
        permit: &Permit<actions::DisableWebhookSubscription>,
        health: Health,
        audience: &Audience,
        mut id: impl FnMut() -> DeliveryId,
    ) -> Change<()> {
        const REASON: &str = "no delivery was taken for 5 days";
        let at = permit.at();
        if self.status != SubscriptionStatus::Active || !health.is_hopeless(at) {
            return Change::nothing(permit, ());
        }
        let next = Self {
            status: SubscriptionStatus::Disabled,
            status_reason: Some(REASON.to_owned()),
            updated_at: at,
            version: self.version + 1,
            ..self.clone()
        };
        let details = Details::new()
            .change("status", Some(PublicValue::word(self.status.name())), Some(PublicValue::word(next.status.name())))
            .change("reason", None, Some(PublicValue::word(REASON)));
        let write = Write::WebhookSubscription(WebhookSubscriptionWrite::Update(next, None));
        let change = Change::decided(permit, write, Target::WebhookSubscription(self.id), details, ());
        queue(change, audience.tell_admins(self.workspace, Message::WebhookFailing(self.id), at, &mut id))
    }
}

fn details<A: Mutation>(permit: &Permit<A>, subscription: &WebhookSubscription) -> Details {
    let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
    Details::new().personal("name", person, subscription.host.as_str())
}
