//! The billing service: customers, subscriptions, its portal, meters, and the events that it sends.
use super::{StoreError, sending::Retry};
use crate::{
    billing::{BillingEvent, CustomerId, Reading, Subscription, UsageId, UsageRecord},
    ids::WorkspaceId,
    text::Slug,
};
use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// Why the billing service did not do it. Each cause is one of our own words, never the service's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BillingError {
    /// No answer, or none that can be read: to be tried again. It may have been done all the same.
    #[error("{0}")]
    Unavailable(&'static str),
    /// To be tried again, not before this long from now.
    #[error("the billing service asks to wait")]
    RateLimited(Duration),
    /// It will not do this, however often it is asked.
    #[error("{0}")]
    Refused(&'static str),
    /// What it was asked about is not there any more: read the customer again.
    #[error("{0}")]
    Gone(&'static str),
    /// It does not accept this service's key, or the key may not do this: for the operator to put right.
    #[error("{0}")]
    Misconfigured(&'static str),
}

impl BillingError {
    /// What happened, in one of our own words.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Unavailable(cause) | Self::Refused(cause) | Self::Gone(cause) | Self::Misconfigured(cause) => cause,
            Self::RateLimited(_) => "the billing service asks to wait",
        }
    }
    /// Whether and when the same is worth another attempt of a queue.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            // A key is put right sooner or later.
            Self::Unavailable(_) | Self::Misconfigured(_) => Retry::Later,
            Self::RateLimited(wait) => Retry::After(*wait),
            Self::Refused(_) | Self::Gone(_) => Retry::Never,
        }
    }
}

/// Why something is no event of the billing service. The answer to all of them is 400, and nothing of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventRefusal {
    /// No signature, or none that was made with a secret of ours over exactly these bytes (ST01, ST06).
    #[error("the signature is missing or wrong")]
    Signature,
    /// Signed too long ago, or in the future: recorded by somebody and sent again (ST02).
    #[error("the signature is too old or of the future")]
    Time,
    /// Signed as it should be, but no event.
    #[error("the content is not an event")]
    Malformed,
}

/// How the last calls went: for health and `doctor`, without making one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    /// Nobody has asked yet.
    Untried,
    /// It answered.
    Reachable,
    /// It failed so often that it is left alone for a while; calls fail at once.
    Away,
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A person, to whom what is known already can be shown instead: 2 seconds.
    Person,
    /// A task of the service, which tries again later: 9 seconds.
    Task,
}

/// The billing service. Every call ends within 10 seconds, with all its repetitions.
#[async_trait]
pub trait BillingGateway: Send + Sync {
    /// The workspace's customer: the one that was made for it before, also by a call whose answer got lost, else a new one.
    async fn ensure_customer(&self, workspace: WorkspaceId, slug: &Slug) -> Result<CustomerId, BillingError>;

    /// What a customer is subscribed to, as it is now.
    async fn subscription(&self, customer: &CustomerId, patience: Patience) -> Result<Reading, BillingError>;

    /// Reads again what an event is about; `None` where it names no customer.
    async fn read_again(&self, event: &BillingEvent) -> Result<Option<Reading>, BillingError> {
        match &event.customer {
            Some(customer) => self.subscription(customer, Patience::Task).await.map(Some),
            None => Ok(None),
        }
    }

    /// Sets how many seats are paid for, and returns the subscription as it is then. The number is absolute, so the same call
    /// again changes nothing. `Gone` where the subscription is over or counts its seats by another item by now.
    async fn set_seats(&self, subscription: &Subscription, seats: i64) -> Result<Subscription, BillingError>;

    /// The address of a page on which a person manages the subscription, for once. It leads back to `return_url`, which is
    /// one of ours. Who has it needs no other password: it is shown to nobody else, and not logged.
    async fn portal(&self, customer: &CustomerId, return_url: &str) -> Result<String, BillingError>;

    /// Reports usage to the meter of its metric. The same record again counts nothing.
    async fn report_usage(
        &self,
        workspace: WorkspaceId,
        customer: &CustomerId,
        usage: &UsageRecord,
    ) -> Result<(), BillingError>;

    /// Checks who sent something that looks like an event, and reads it. `payload` are the bytes as they came, `signature` the
    /// header, `now` the clock that the signature's age is counted by: 5 minutes at most, either way.
    fn event(&self, payload: &[u8], signature: &str, now: OffsetDateTime) -> Result<BillingEvent, EventRefusal>;

    /// Asks for something small, to learn whether the key is good.
    async fn check(&self) -> Result<(), BillingError>;

    /// How the last calls went.
    fn reachability(&self) -> Reachability;
}

/// What became of a report of usage at the billing service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It took it, now or before.
    Taken,
    /// It will never take it, such as for want of a meter of that name.
    Refused,
    /// It could not be asked: to be tried again, after those that were tried less often.
    Failed,
}

/// What billing needs of the store across tenants, and beside the changes of a tenant.
#[async_trait]
pub trait BillingQueue: Send + Sync {
    /// Whose customer this is.
    async fn workspace_of_customer(&self, customer: &CustomerId) -> Result<Option<WorkspaceId>, StoreError>;
    /// Takes workspaces whose check is due by the database's clock, those that were never checked first. They come back after
    /// `lease` unless [`checked`](Self::checked) says later; no two workers take the same one within it.
    async fn claim_checks(&self, limit: i64, lease: Duration) -> Result<Vec<WorkspaceId>, StoreError>;
    /// The next check of a workspace that was taken is due after this long, unless one is asked for by now
    /// ([`CheckNow`](crate::billing::BillingWrite::CheckNow)).
    async fn checked(&self, workspace: WorkspaceId, next_in: Duration) -> Result<(), StoreError>;
    /// Usage of workspaces with a customer that was not reported yet and is not older than
    /// [`LATEST`](crate::billing::usage::LATEST), those that were tried least first.
    async fn unreported_usage(&self, limit: i64) -> Result<Vec<(WorkspaceId, CustomerId, UsageRecord)>, StoreError>;
    /// What became of a report.
    async fn usage_reported(&self, workspace: WorkspaceId, id: &UsageId, what: Reported) -> Result<(), StoreError>;
}
