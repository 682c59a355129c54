//! Keeping up with the billing service: customers, subscriptions, seats and usage. It is never called with a transaction
//! open: a slow answer holds no connection and no lock.
use crate::App;
use settings_domain::{
    billing::{BillingAccount, BillingEventId, CustomerId, Reading, SeatCheck, seats::wanted_quantity},
    ids::WorkspaceId,
    policy::{Actor, SystemTask, actions, permit},
    ports::{
        StoreError,
        billing::{BillingError, BillingGateway, Patience, Reported},
        outbox::Claimed,
        sending::Retry,
        store::{CallerId, Entry, Selector},
    },
    transaction::{EntryError, Transaction},
    workspaces::Workspace,
};
use std::{fmt, sync::Arc};
use time::Duration;

/// How many workspaces one look at the clock checks.
const CHECKS: i64 = 20;
/// How long a check may take. A workspace whose check failed is checked again after it.
const CHECK_LEASE: Duration = Duration::minutes(10);
/// How often a workspace is checked.
const CHECK_EVERY: Duration = Duration::hours(24);
/// How many reports of usage are made one after the other.
const REPORTS: i64 = 50;
/// After so many that failed the rest waits: it is not their fault.
const FAILED_REPORTS: usize = 3;
/// How often a reading that was overtaken is made again.
const READINGS: usize = 3;

/// What became of the reports of usage that were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reports {
    /// So many were taken.
    pub taken: usize,
    /// So many failed, and will be made again. Whoever makes them rests a while first.
    pub failed: usize,
}

/// Something could not be kept up.
#[derive(Debug)]
pub(crate) enum SyncError {
    /// The billing service did not do it.
    Billing(BillingError),
    /// The workspace is gone, or the store failed.
    Entry(EntryError),
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Billing(e) => e.fmt(f),
            Self::Entry(e) => e.fmt(f),
        }
    }
}
impl From<BillingError> for SyncError {
    fn from(e: BillingError) -> Self {
        Self::Billing(e)
    }
}
impl From<EntryError> for SyncError {
    fn from(e: EntryError) -> Self {
        Self::Entry(e)
    }
}

impl App {
    /// The workspace and what is known of its billing.
    pub(super) async fn known(&self, workspace: WorkspaceId) -> Result<(Workspace, BillingAccount), EntryError> {
        let (mut reads, entry) = self.ports.store.snapshot(CallerId::Service, &Selector::Id(workspace)).await?;
        match entry {
            Entry::Found(standing) if standing.exists => {}
            _ => return Err(EntryError::NotFound),
        }
        let row = reads.workspace().await?.ok_or(EntryError::NotFound)?;
        Ok((row, reads.billing_account().await?))
    }

    /// Keeps a reading that began when the account had `version`; `None` where another one was kept meanwhile.
    pub(super) async fn keep_reading(
        &self,
        workspace: WorkspaceId,
        version: i64,
        reading: Reading,
        event: Option<&BillingEventId>,
    ) -> Result<Option<BillingAccount>, EntryError> {
        let mut tx = self.syncing(workspace).await?;
        let account = tx.load().billing_account().await?;
        if let Some(id) = event
            && tx.load().billing_event_handled(id).await?
        {
            return Ok(Some(account));
        }
        match account.keep(tx.permit(), version, reading, event.cloned()) {
            Ok(change) => Ok(Some(tx.commit(change).await?.into_value())),
            Err(_) => Ok(None),
        }
    }

    /// The workspace's customer: made where there is none.
    pub(super) async fn customer(
        &self,
        gateway: &Arc<dyn BillingGateway>,
        workspace: WorkspaceId,
    ) -> Result<CustomerId, SyncError> {
        let (row, account) = self.known(workspace).await?;
        if let Some(customer) = account.customer {
            return Ok(customer);
        }
        let made = gateway.ensure_customer(workspace, &row.slug).await?;
        let mut tx = self.syncing(workspace).await?;
        let change = tx.load().billing_account().await?.adopt(tx.permit(), made.clone());
        let account = tx.commit(change).await?.into_value();
        Ok(account.customer.unwrap_or(made))
    }

    /// What the workspace is subscribed to now, read and kept.
    pub(super) async fn read_subscription(
        &self,
        gateway: &Arc<dyn BillingGateway>,
        workspace: WorkspaceId,
    ) -> Result<BillingAccount, SyncError> {
        for _ in 0..READINGS {
            let (_, account) = self.known(workspace).await?;
            let Some(customer) = &account.customer else { return Ok(account) };
            let reading = gateway.subscription(customer, Patience::Task).await?;
            if let Some(kept) = self.keep_reading(workspace, account.version, reading, None).await? {
                return Ok(kept);
            }
        }
        Err(BillingError::Unavailable("what is known of the subscription changes all the time").into())
    }

    /// Sets the seats that are paid for to what they have to be. Looks again afterwards: who changed the limit meanwhile may
    /// have been overtaken.
    async fn reconcile_seats(
        &self,
        gateway: &Arc<dyn BillingGateway>,
        workspace: WorkspaceId,
        why: SeatCheck,
    ) -> Result<(), SyncError> {
        for _ in 0..READINGS {
            let account = self.read_subscription(gateway, workspace).await?;
            let Some(subscription) = account.subscription else { return Ok(()) };
            let (row, _) = self.known(workspace).await?;
            let Some(seats) = wanted_quantity(why, row.seat_limit, &subscription) else { return Ok(()) };
            let changed = gateway.set_seats(&subscription, seats).await?;
            tracing::info!(%workspace, from = subscription.seat_quantity, to = seats, "the seats that are paid for were changed");
            self.keep_reading(workspace, account.version, Reading::Subscribed(Box::new(changed)), None).await?;
        }
        Err(BillingError::Unavailable("the number of seats changes all the time").into())
    }

    /// Brings the seats that are paid for in line with what an admin has chosen: a message of the queue.
    pub(crate) async fn deliver_seats(&self, message: &Claimed, workspace: WorkspaceId) -> Result<(), StoreError> {
        let store = self.ports.store.as_ref();
        let Some(gateway) = &self.ports.billing else { return store.done(message, false).await };
        let error = match self.reconcile_seats(gateway, workspace, SeatCheck::Asked).await {
            Ok(()) => return store.done(message, true).await,
            Err(SyncError::Entry(EntryError::NotFound)) => return store.done(message, false).await,
            Err(SyncError::Entry(EntryError::Store(e))) => return Err(e),
            Err(SyncError::Entry(e)) => return Err(StoreError::unavailable(e)),
            Err(SyncError::Billing(error)) => error,
        };
        let cause = error.cause();
        tracing::warn!(%workspace, attempt = message.attempt, cause, "the seats that are paid for could not be changed");
        let wait = match error {
            // Somebody else changed the subscription between reading and writing it.
            BillingError::Gone(_) => self.scheduled(message),
            error => match error.retry() {
                Retry::Later => self.scheduled(message),
                Retry::After(wait) => self.scheduled(message).map(|scheduled| scheduled.max(wait)),
                Retry::Never => None,
            },
        };
        match wait {
            Some(wait) => store.retry(message, wait, cause).await,
            None => store.dead(message, cause).await,
        }
    }

    /// Checks workspaces that were not checked for a day: that each has a customer, that its subscription is known, and that
    /// it pays for no more seats than its limit. Returns how many were checked. Ends with the first call that the billing
    /// service does not answer: the others come again.
    pub async fn check_billing(&self) -> Result<usize, StoreError> {
        let Some(gateway) = &self.ports.billing else { return Ok(0) };
        let store = self.ports.store.as_ref();
        let mut checked = 0;
        for workspace in store.claim_checks(CHECKS, CHECK_LEASE).await? {
            match self.check_one(gateway, workspace).await {
                Ok(()) => {
                    store.checked(workspace, CHECK_EVERY).await?;
                    checked += 1;
                }
                Err(error) => {
                    tracing::warn!(%workspace, %error, "a workspace's billing could not be checked; it will be tried again");
                    if let SyncError::Billing(
                        BillingError::Unavailable(_) | BillingError::RateLimited(_) | BillingError::Misconfigured(_),
                    ) = error
                    {
                        break;
                    }
                }
            }
        }
        Ok(checked)
    }

    /// Looks again afterwards: a customer that turns out to be gone is replaced at once.
    async fn check_one(&self, gateway: &Arc<dyn BillingGateway>, workspace: WorkspaceId) -> Result<(), SyncError> {
        for _ in 0..READINGS {
            self.customer(gateway, workspace).await?;
            self.reconcile_seats(gateway, workspace, SeatCheck::Daily).await?;
            if self.known(workspace).await?.1.customer.is_some() {
                return Ok(());
            }
        }
        Err(BillingError::Gone("the workspace's customers get deleted as fast as they are made").into())
    }

    /// Reports usage that the billing service does not know of yet.
    pub async fn report_usage(&self) -> Result<Reports, StoreError> {
        let mut reports = Reports::default();
        let Some(gateway) = &self.ports.billing else { return Ok(reports) };
        let store = self.ports.store.as_ref();
        for (workspace, customer, record) in store.unreported_usage(REPORTS).await? {
            let what = match gateway.report_usage(workspace, &customer, &record).await {
                Ok(()) => Reported::Taken,
                Err(BillingError::Refused(cause)) => {
                    tracing::warn!(%workspace, metric = record.metric.as_str(), cause, "a report of usage is refused for good");
                    Reported::Refused
                }
                Err(error) => {
                    tracing::info!(%workspace, %error, "usage could not be reported; it will be tried again");
                    // A customer that is gone is forgotten by reading it again, which asks for the check that replaces it.
                    if let BillingError::Gone(_) = error
                        && let Err(error) = self.read_subscription(gateway, workspace).await
                    {
                        tracing::info!(%workspace, %error, "the customer could not be read");
                    }
                    Reported::Failed
                }
            };
            store.usage_reported(workspace, &record.id, what).await?;
            reports.taken += usize::from(what == Reported::Taken);
            reports.failed += usize::from(what == Reported::Failed);
            if reports.failed == FAILED_REPORTS {
                break;
            }
        }
        Ok(reports)
    }

    async fn syncing(&self, workspace: WorkspaceId) -> Result<Transaction<actions::SyncBilling>, EntryError> {
        let task = Actor::task(SystemTask::SyncBilling, workspace);
        let permit = permit::<actions::SyncBilling>(&task, self.ports.clock.now())?;
        let request = self.ports.entropy.uuid().to_string();
        Transaction::open_for_task(self.ports.store.as_ref(), &permit, request).await
    }
}
