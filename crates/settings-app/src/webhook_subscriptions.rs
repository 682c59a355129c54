//! Webhook subscriptions: make, change, rotate, delete. Reads go through `Snapshot<ReadNotifications>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::Sealing,
};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    change::Committed,
    ids::WebhookSubscriptionId,
    policy::{EventType, Permit, actions},
    ports::outbound::OutboundUrl,
    tokens::Digest,
    transaction::{Call, Transaction},
    webhook_subscriptions::{NewSubscription, SubscriptionPatch, WebhookSubscription, WebhookSubscriptionError},
};
use std::collections::BTreeSet;

/// A subscription with the secret that was made for it. `None` when this is the replay of an earlier call: it is never kept.
#[derive(Debug)]
pub struct WithSecret {
    /// The subscription.
    pub subscription: Committed<WebhookSubscription>,
    /// Its secret, shown this once.
    pub secret: Option<SecretString>,
}

impl App {
    /// Sends events to a webhook.
    pub async fn create_webhook_subscription(
        &self,
        permit: &Permit<actions::CreateWebhookSubscription>,
        call: &Call,
        url: OutboundUrl,
        events: BTreeSet<EventType>,
    ) -> Result<WithSecret, Failure<WebhookSubscriptionError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        if let Some(earlier) = tx.replay().await? {
            return Ok(WithSecret { subscription: earlier?, secret: None });
        }
        let count = tx.load().webhook_subscriptions().await?.len();
        let id = WebhookSubscriptionId::from_uuid(self.ports.entropy.uuid());
        let text = self.ports.mint.webhook_secret()?;
        let binding = WebhookSubscription::binding(permit.scope().workspace(), id, 1);
        let secret = sealing.seal_text(binding, text.expose_secret(), Digest::none())?;
        let change = WebhookSubscription::create(tx.permit(), count, NewSubscription { id, url, events, secret })?;
        Ok(WithSecret { subscription: tx.commit(change).await?, secret: Some(text) })
    }

    /// Changes where a webhook is, what it is sent, or whether it is sent anything.
    pub async fn update_webhook_subscription(
        &self,
        permit: &Permit<actions::UpdateWebhookSubscription>,
        call: &Call,
        id: WebhookSubscriptionId,
        patch: SubscriptionPatch,
    ) -> Result<Committed<WebhookSubscription>, Failure<WebhookSubscriptionError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let there = tx.load().webhook_subscription(id).await?;
        let (there, _) = there.ok_or_else(|| Failure::rule(WebhookSubscriptionError::NotFound))?;
        let change = there.subscription.update(tx.permit(), patch, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Gives a webhook another secret; the one of before stays valid beside it for 24 hours.
    pub async fn rotate_webhook_secret(
        &self,
        permit: &Permit<actions::RotateWebhookSecret>,
        call: &Call,
        id: WebhookSubscriptionId,
    ) -> Result<WithSecret, Failure<WebhookSubscriptionError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        if let Some(earlier) = tx.replay().await? {
            return Ok(WithSecret { subscription: earlier?, secret: None });
        }
        let there = tx.load().webhook_subscription(id).await?;
        let (there, _) = there.ok_or_else(|| Failure::rule(WebhookSubscriptionError::NotFound))?;
        let text = self.ports.mint.webhook_secret()?;
        let secret = sealing.seal_text(there.subscription.next_binding(), text.expose_secret(), Digest::none())?;
        let change = there.subscription.rotate_secret(tx.permit(), secret, &call.guard)?;
        Ok(WithSecret { subscription: tx.commit(change).await?, secret: Some(text) })
    }

    /// Deletes a webhook subscription.
    pub async fn delete_webhook_subscription(
        &self,
        permit: &Permit<actions::DeleteWebhookSubscription>,
        call: &Call,
        id: WebhookSubscriptionId,
    ) -> Result<Committed<()>, Failure<WebhookSubscriptionError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().webhook_subscription(id).await?;
        let (there, _) = there.ok_or_else(|| Failure::rule(WebhookSubscriptionError::NotFound))?;
        let change = there.subscription.delete(tx.permit(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}
