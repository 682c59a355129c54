//! Billing: the summary, the portal, usage. What is kept of the billing service is in [`sync`], its events in [`events`].
mod events;
mod sync;

pub use events::EventFailure;

use crate::{
    App,
    failure::{Failure, replayed},
};
use settings_domain::{
    billing::{
        BillingAccount, CustomerId, Summary, UsageError, UsageReceipt, UsageReport,
        portal::{PortalError, return_url},
    },
    change::Committed,
    ids::WorkspaceId,
    policy::{Permit, actions},
    ports::{
        StoreError,
        billing::{BillingError, BillingGateway, Patience},
        store::Selector,
    },
    transaction::{Call, Caller, EntryError, Snapshot, Transaction},
};
use std::sync::Arc;
pub use sync::Reports;
use sync::SyncError;

/// Why nobody was sent to the portal.
#[derive(Debug)]
pub enum PortalFailure {
    /// The operator has not set a billing service up.
    NotConfigured,
    /// The billing service did not do it.
    Billing(BillingError),
    /// A rule, a right or the store.
    Use(Failure<PortalError>),
}

impl<E: Into<Failure<PortalError>>> From<E> for PortalFailure {
    fn from(e: E) -> Self {
        Self::Use(e.into())
    }
}
impl From<SyncError> for PortalFailure {
    fn from(e: SyncError) -> Self {
        match e {
            SyncError::Billing(e) => Self::Billing(e),
            SyncError::Entry(e) => Self::Use(e.into()),
        }
    }
}

impl App {
    /// Plan, seats and usage. What is known of the subscription is read anew where it is older than a few minutes and the
    /// billing service answers within two seconds; else it is shown as it was, and the summary says that it is stale.
    pub async fn billing_summary(
        &self,
        mut snapshot: Snapshot<actions::ReadBilling>,
        caller: &Caller,
        selector: &Selector,
    ) -> Result<Summary, EntryError> {
        let configured = self.ports.billing.is_some();
        let (account, at) = (snapshot.billing_account().await?, snapshot.at());
        let workspace = snapshot.permit().scope().workspace();
        if let (Some(gateway), Some(customer), false) = (&self.ports.billing, &account.customer, account.is_fresh(at)) {
            // No connection of the store is held while somebody else is waited for.
            drop(snapshot);
            self.refresh(gateway, workspace, &account, customer).await;
            snapshot = Snapshot::open(self.ports.store.as_ref(), caller, selector).await?;
        }
        Ok(snapshot.billing_summary(configured).await?)
    }

    /// Reads anew, or leaves it.
    async fn refresh(
        &self,
        gateway: &Arc<dyn BillingGateway>,
        workspace: WorkspaceId,
        account: &BillingAccount,
        customer: &CustomerId,
    ) {
        let kept = match gateway.subscription(customer, Patience::Person).await {
            Ok(reading) => self.keep_reading(workspace, account.version, reading, None).await.map(drop),
            Err(error) => {
                tracing::info!(%workspace, %error, "the subscription could not be read; the last known one is shown");
                return;
            }
        };
        if let Err(error) = kept {
            tracing::warn!(%workspace, %error, "what was read of the subscription could not be kept");
        }
    }

    /// Opens the portal: an address for whoever asked, and for nobody else. It leads back to `wanted` where that is a page of
    /// this service.
    pub async fn open_billing_portal(
        &self,
        permit: &Permit<actions::OpenBillingPortal>,
        call: &Call,
        wanted: Option<&str>,
    ) -> Result<String, PortalFailure> {
        let workspace = permit.scope().workspace();
        let (row, _) = self.known(workspace).await?;
        let back = return_url(wanted, &self.rules.public_url, &row.slug).map_err(Failure::rule)?;
        let gateway = self.ports.billing.as_ref().ok_or(PortalFailure::NotConfigured)?;
        let customer = self.customer(gateway, workspace).await?;
        let url = match gateway.portal(&customer, &back).await {
            // Somebody deleted the customer at the billing service.
            Err(BillingError::Gone(_)) => {
                self.read_subscription(gateway, workspace).await?;
                let customer = self.customer(gateway, workspace).await?;
                gateway.portal(&customer, &back).await
            }
            other => other,
        };
        let url = url.map_err(PortalFailure::Billing)?;
        // The right is decided again, and the event written, before anybody gets the address.
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        if let Some(earlier) = tx.replay::<()>().await.map_err(Failure::from)? {
            // The address of then is not kept: a repeated call gets the one of now, under the event of then.
            earlier.map_err(Failure::from)?;
            return Ok(url);
        }
        let change = BillingAccount::open_portal(tx.permit());
        tx.commit(change).await.map_err(Failure::from)?;
        Ok(url)
    }

    /// Counts a report of usage, once for each id.
    pub async fn record_usage(
        &self,
        permit: &Permit<actions::RecordUsage>,
        call: &Call,
        report: UsageReport,
    ) -> Result<Committed<UsageReceipt>, Failure<UsageError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let kept = tx.load().usage_record(&report.id).await?;
        let change = report.record(tx.permit(), kept).map_err(Failure::rule)?;
        Ok(tx.commit(change).await?)
    }
}

/// The store failed.
impl From<StoreError> for SyncError {
    fn from(e: StoreError) -> Self {
        Self::Entry(EntryError::Store(e))
    }
}
