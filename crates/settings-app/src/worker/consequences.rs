//! What follows when a receiver does not take its messages: decided under the tenant's lock, on record, told to the admins.
use crate::App;
use settings_domain::{
    connections::SlackFault,
    deliveries::{Destination, Message},
    ids::{DeliveryId, WebhookSubscriptionId, WorkspaceId},
    notifications::Channel,
    policy::{Actor, Mutation, SystemTask, permit},
    ports::{
        StoreError,
        outbox::Claimed,
        store::{DeliveryFilter, Page},
    },
    transaction::{EntryError, Transaction, audience},
    webhook_subscriptions::Health,
};

impl App {
    /// Puts the workspace's connection into error, unless it changed since it was seen.
    pub(super) async fn fail_connection(
        &self,
        workspace: WorkspaceId,
        seen_version: i64,
        fault: SlackFault,
        reason: &'static str,
    ) -> Result<(), StoreError> {
        settled(async {
            let mut tx = self.delivering(workspace).await?;
            let Some(there) = tx.load().connection().await? else { return Ok(()) };
            let audience = audience(tx.load()).await?;
            let change = there.connection.fail(tx.permit(), seen_version, fault, reason, &audience, || self.delivery());
            tx.commit(change).await.map(drop).map_err(EntryError::from)
        })
        .await
    }

    /// Gives a delivery up.
    pub(super) async fn give_up(&self, message: &Claimed, workspace: WorkspaceId) -> Result<(), StoreError> {
        settled(async {
            let mut tx = self.delivering(workspace).await?;
            let Some(there) = tx.load().delivery(message.delivery).await? else { return Ok(()) };
            let health = match there.delivery.destination {
                Destination::Webhook(id) => tx.load().webhook_subscription(id).await?.map(|(_, health)| health),
                _ => None,
            };
            let audience = audience(tx.load()).await?;
            let mailed = match there.delivery.message {
                Message::Event(event) => {
                    let mails = DeliveryFilter { event: Some(event), channel: Some(Channel::Email), status: None };
                    !tx.load().deliveries(mails, Page { after: None, limit: 1 }).await?.is_empty()
                }
                _ => true,
            };
            let change = there.give_up(tx.permit(), &audience, health.unwrap_or_default(), mailed, || self.delivery());
            tx.commit(change).await.map(drop).map_err(EntryError::from)
        })
        .await
    }

    /// Disables a webhook that has failed for too long.
    pub(super) async fn disable_webhook(
        &self,
        workspace: WorkspaceId,
        id: WebhookSubscriptionId,
    ) -> Result<(), StoreError> {
        settled(async {
            let mut tx = self.delivering(workspace).await?;
            let Some((there, health)) = tx.load().webhook_subscription(id).await? else { return Ok(()) };
            let audience = audience(tx.load()).await?;
            let health: Health = health;
            let change = there.subscription.disable(tx.permit(), health, &audience, || self.delivery());
            tx.commit(change).await.map(drop).map_err(EntryError::from)
        })
        .await
    }

    pub(crate) fn delivery(&self) -> DeliveryId {
        DeliveryId::from_uuid(self.ports.entropy.uuid())
    }

    async fn delivering<A: Mutation>(&self, workspace: WorkspaceId) -> Result<Transaction<A>, EntryError> {
        let task = Actor::task(SystemTask::Deliver, workspace);
        let permit = permit::<A>(&task, self.ports.clock.now())?;
        let request = self.ports.entropy.uuid().to_string();
        Transaction::open_for_task(self.ports.store.as_ref(), &permit, request).await
    }
}

/// A workspace that was deleted meanwhile has no log to write to, and nobody to tell.
async fn settled(written: impl Future<Output = Result<(), EntryError>>) -> Result<(), StoreError> {
    match written.await {
        Ok(()) | Err(EntryError::NotFound) => Ok(()),
        Err(EntryError::Store(e)) => Err(e),
        Err(e) => Err(StoreError::unavailable(e)),
    }
}
