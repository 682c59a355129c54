//! Events of the billing service: each is a reason to read again, and says nothing by itself.
use super::sync::SyncError;
use crate::App;
use settings_domain::{
    billing::{BillingEvent, Ignored, Reaction, events::react},
    ports::{
        StoreError,
        billing::{BillingError, BillingGateway, EventRefusal},
        store::{CallerId, Selector},
    },
    transaction::EntryError,
};
use std::sync::Arc;

/// How often what an event is about is read again, where another reading overtakes it.
const READINGS: usize = 3;

/// Why an event was not taken.
#[derive(Debug)]
pub enum EventFailure {
    /// The operator has not set a billing service up.
    NotConfigured,
    /// It is none.
    Refused(EventRefusal),
    /// It could not be handled now: it has to come again.
    Away(BillingError),
    /// The store failed: it has to come again.
    Store(StoreError),
}

impl From<SyncError> for EventFailure {
    fn from(e: SyncError) -> Self {
        match e {
            SyncError::Billing(e) => Self::Away(e),
            SyncError::Entry(EntryError::Store(e)) => Self::Store(e),
            SyncError::Entry(e) => Self::Store(StoreError::unavailable(e)),
        }
    }
}

impl App {
    /// Takes what looks like an event of the billing service: the bytes as they came, and the signature. Returns why nothing
    /// was done about it, where nothing was.
    pub async fn take_billing_event(&self, payload: &[u8], signature: &str) -> Result<Option<Ignored>, EventFailure> {
        let gateway = self.ports.billing.as_ref().ok_or(EventFailure::NotConfigured)?;
        let event = gateway.event(payload, signature, self.ports.clock.now()).map_err(EventFailure::Refused)?;
        let ignored = self.handle(gateway, &event).await?;
        let outcome = ignored.map_or("handled", Ignored::name);
        tracing::info!(event = event.id.as_str(), outcome, "an event of the billing service was taken");
        Ok(ignored)
    }

    async fn handle(
        &self,
        gateway: &Arc<dyn BillingGateway>,
        event: &BillingEvent,
    ) -> Result<Option<Ignored>, SyncError> {
        // Where it is of no interest, nobody has to be asked whose it is.
        let unasked = react(event, false, None);
        let (Reaction::Ignore(Ignored::UnknownCustomer), Some(customer)) = (&unasked, &event.customer) else {
            return Ok(Some(match unasked {
                Reaction::Ignore(why) => why,
                Reaction::ReadAgain(_) => Ignored::UnknownCustomer,
            }));
        };
        let Some(workspace) = self.ports.store.workspace_of_customer(customer).await? else {
            return Ok(Some(Ignored::UnknownCustomer));
        };
        for _ in 0..READINGS {
            let (mut reads, _) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
            let (account, seen) = (reads.billing_account().await?, reads.billing_event_handled(&event.id).await?);
            drop(reads);
            if let Reaction::Ignore(why) = react(event, seen, Some(&account)) {
                return Ok(Some(why));
            }
            let Some(reading) = gateway.read_again(event).await? else { return Ok(Some(Ignored::UnknownCustomer)) };
            match self.keep_reading(workspace, account.version, reading, Some(&event.id)).await {
                Ok(Some(_)) => return Ok(None),
                Ok(None) => {}
                // The workspace was deleted meanwhile.
                Err(EntryError::NotFound) => return Ok(Some(Ignored::UnknownCustomer)),
                Err(e) => return Err(e.into()),
            }
        }
        Err(BillingError::Unavailable("what is known of the subscription changes all the time").into())
    }
}
