//! What an event is about.
use crate::ids::{
    ApiKeyId, ConnectionId, DeliveryId, EnvironmentId, InvitationId, ModelId, PersonId, PublishedEventId, SecretId,
    UserId, VariableId, WebhookSubscriptionId,
};
use uuid::Uuid;

/// What the fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The workspace itself.
    Workspace,
    /// An environment.
    Environment(EnvironmentId),
    /// A member. Their account id is personal, so it stands aside.
    Member(PersonId, UserId),
    /// An invitation.
    Invitation(InvitationId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A variable.
    Variable(VariableId),
    /// A secret.
    Secret(SecretId),
    /// A model.
    Model(ModelId),
    /// Something outside that uses things of the workspace. Its id is somebody else's text, so it stands aside.
    Referrer,
    /// The service's own keys.
    Keys,
    /// The audit digest.
    AuditDigest,
    /// The notification preferences.
    Notifications,
    /// A published event.
    Event(PublishedEventId),
    /// A delivery.
    Delivery(DeliveryId),
    /// A connection.
    Connection(ConnectionId),
    /// A webhook subscription.
    WebhookSubscription(WebhookSubscriptionId),
    /// Billing: the customer, the subscription, usage. The ids are somebody else's, so none stands here.
    Billing,
}

impl Target {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Environment(_) => "environment",
            Self::Member(..) => "member",
            Self::Invitation(_) => "invitation",
            Self::ApiKey(_) => "api_key",
            Self::Variable(_) => "variable",
            Self::Secret(_) => "secret",
            Self::Model(_) => "model",
            Self::Referrer => "referrer",
            Self::Keys => "keys",
            Self::AuditDigest => "audit_digest",
            Self::Notifications => "notifications",
            Self::Event(_) => "event",
            Self::Delivery(_) => "delivery",
            Self::Connection(_) => "connection",
            Self::WebhookSubscription(_) => "webhook_subscription",
            Self::Billing => "billing",
        }
    }
    pub(super) const fn public_id(self) -> Option<Uuid> {
        match self {
            Self::Workspace
            | Self::Member(..)
            | Self::Referrer
            | Self::Keys
            | Self::AuditDigest
            | Self::Notifications
            | Self::Billing => None,
            Self::Event(id) => Some(id.as_uuid()),
            Self::Delivery(id) => Some(id.as_uuid()),
            Self::Connection(id) => Some(id.as_uuid()),
            Self::WebhookSubscription(id) => Some(id.as_uuid()),
            Self::Environment(id) => Some(id.as_uuid()),
            Self::Invitation(id) => Some(id.as_uuid()),
            Self::ApiKey(id) => Some(id.as_uuid()),
            Self::Variable(id) => Some(id.as_uuid()),
            Self::Secret(id) => Some(id.as_uuid()),
            Self::Model(id) => Some(id.as_uuid()),
        }
    }
}
