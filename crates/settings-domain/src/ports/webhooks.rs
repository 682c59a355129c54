//! Deliveries to webhooks (contract, webhooks): signed and sent to a place of the tenant's choice.
use super::sending::{Accepted, SendFailure};
use crate::ids::{DeliveryId, WorkspaceId};
use async_trait::async_trait;
use secrecy::SecretString;
use std::fmt;
use time::OffsetDateTime;

/// One attempt at a delivery. `Debug` shows the id alone: the path of a webhook is often its password.
pub struct WebhookDelivery {
    /// Stable over retries: becomes `webhook-id`, by which a receiver drops a duplicate (NO05).
    pub delivery: DeliveryId,
    /// Whose it is. A tenant has a share of the attempts under way, so that its dead receivers delay nobody else.
    pub tenant: WorkspaceId,
    /// Where to, as [`OutboundUrl::url`](super::outbound::OutboundUrl::url) gave it. Checked again at each attempt.
    pub url: String,
    /// JSON, sent to the byte as it is signed.
    pub body: Vec<u8>,
    /// What to sign with, newest first and as their owner got them (`whsec_…`); two while a secret is being rotated.
    pub secrets: Vec<SecretString>,
    /// When this attempt is made: signed with the rest, so that a receiver can refuse a replay.
    pub at: OffsetDateTime,
}

impl fmt::Debug for WebhookDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookDelivery").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

/// Sends deliveries.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Makes one attempt, within 15 seconds. Nothing is tried twice in here, and no redirect is followed.
    async fn send(&self, delivery: &WebhookDelivery) -> Result<Accepted, SendFailure>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn debug_shows_the_delivery_and_nothing_else() {
        let delivery = WebhookDelivery {
            delivery: DeliveryId::from_uuid(Uuid::from_u128(7)),
            tenant: WorkspaceId::from_uuid(Uuid::from_u128(8)),
            url: "https://hooks.example.com/s3cret".to_owned(),
            body: b"{\"name\":\"s3cret\"}".to_vec(),
            secrets: vec![SecretString::from("s3cret")],
            at: OffsetDateTime::UNIX_EPOCH,
        };
        assert_eq!(
            format!("{delivery:?}"),
            "WebhookDelivery { delivery: DeliveryId(00000000-0000-0000-0000-000000000007), .. }"
        );
    }
}
