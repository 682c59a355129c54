//! Notifications: preferences, tests, retries. Reads go through `Snapshot<ReadNotifications>`.
use crate::{
    App,
    failure::{Failure, replayed},
};
use settings_domain::{
    change::Committed,
    deliveries::{Delivery, DeliveryView, RetryDeliveryError, TestChannelError},
    ids::{DeliveryId, RecipientId},
    notifications::{Channel, Channels, NotificationSettings, NotificationsError, PreferenceChange},
    policy::{EventType, Permit, actions},
    transaction::{Call, Transaction, audience, channels},
};
use std::collections::BTreeMap;

impl App {
    /// Whether the operator has set up Slack.
    #[must_use]
    pub fn slack_configured(&self) -> bool {
        self.ports.slack.is_some()
    }

    /// Chooses which events are told where. With what the channels stood on then, for the answer.
    pub async fn update_notifications(
        &self,
        permit: &Permit<actions::UpdateNotifications>,
        call: &Call,
        wanted: &BTreeMap<EventType, PreferenceChange>,
    ) -> Result<(Committed<NotificationSettings>, Channels), Failure<NotificationsError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        let present = tx.load().notification_settings().await?.unwrap_or_default();
        let channels = channels(tx.load(), self.slack_configured()).await?;
        let id = || RecipientId::from_uuid(self.ports.entropy.uuid());
        let change = present.update(tx.permit(), wanted, &channels, &call.guard, id)?;
        Ok((tx.commit(change).await?, channels))
    }

    /// Sends a test message over a channel.
    pub async fn test_channel(
        &self,
        permit: &Permit<actions::TestChannel>,
        call: &Call,
        channel: Channel,
    ) -> Result<Committed<Delivery>, Failure<TestChannelError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let audience = audience(tx.load()).await?;
        let change = Delivery::test(tx.permit(), self.delivery(), channel, &audience)?;
        Ok(tx.commit(change).await?)
    }

    /// Tries a delivery again that was given up.
    pub async fn retry_delivery(
        &self,
        permit: &Permit<actions::RetryDelivery>,
        call: &Call,
        id: DeliveryId,
    ) -> Result<Committed<DeliveryView>, Failure<RetryDeliveryError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().delivery(id).await?.ok_or_else(|| Failure::rule(RetryDeliveryError::NotFound))?;
        let change = there.retry(tx.permit())?;
        Ok(tx.commit(change).await?)
    }
}
