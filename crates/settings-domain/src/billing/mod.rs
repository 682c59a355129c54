//! Billing (seed A, Billing): what a workspace is subscribed to, how many seats that gives, and what it has used.
//!
//! The billing service is the authority on subscriptions. What is kept here is what was last read there, so that a summary can
//! be shown and seats be counted while it is away. Nothing is taken from its events: they are a reason to read again.
mod changes;
pub mod events;
mod names;
pub mod portal;
pub mod seats;
mod subscription;
pub mod summary;
pub mod usage;

pub use changes::{BillingWrite, UsageReceipt, seat_limit_changed};
pub use events::{BillingEvent, EventKind, EventOrigin, Ignored, Reaction};
pub use names::{BillingEventId, Currency, CustomerId, Metric, SeatItemId, SubscriptionId, UsageId};
pub use seats::SeatCheck;
pub use subscription::{Interval, IntervalUnit, Period, Subscription, SubscriptionStatus};
pub use summary::{DailyUsage, DayTotal, MetricUsage, Seats, Summary};
pub use usage::{Counted, Quantity, UsageError, UsageRecord, UsageReport};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long what was read is as good as new. Events tell of changes at once; this is for those that get lost.
pub const FRESH_FOR: Duration = Duration::minutes(5);

/// What was read at the billing service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The customer's subscription. Of several the newest that is in use, else the newest that is not over, else the newest.
    Subscribed(Box<Subscription>),
    /// The customer never subscribed to anything.
    Unsubscribed,
    /// There is no such customer any more.
    CustomerGone,
}

/// What is known of a workspace's billing. The default is a workspace of which nothing is known: version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingAccount {
    /// Its customer at the billing service; `None` until one was made.
    pub customer: Option<CustomerId>,
    /// What it was subscribed to when that was last read.
    pub subscription: Option<Subscription>,
    /// When it was last read, by the database's clock.
    #[serde(with = "crate::micros::option")]
    pub read_at: Option<OffsetDateTime>,
    /// Counts what was written down, from 1: also readings that found nothing new.
    pub version: i64,
}

/// Something else was written down since the reading began, so it may be the newer one. What to do: read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another reading was kept meanwhile")]
pub struct Overtaken;

impl BillingAccount {
    /// Whether what is known is as good as new.
    #[must_use]
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        self.read_at.is_some_and(|read_at| now - read_at <= FRESH_FOR)
    }
    /// Whether an answer made of it now has to say that it may be out of date. Without a customer there is nothing that
    /// could be; without a billing service everything that is known is.
    #[must_use]
    pub fn is_stale(&self, configured: bool, now: OffsetDateTime) -> bool {
        if configured { self.customer.is_some() && !self.is_fresh(now) } else { self.subscription.is_some() }
    }
    /// The account with its customer. One that is there is never replaced: two would be billed.
    #[must_use]
    pub fn with_customer(&self, customer: CustomerId) -> Self {
        if self.customer.is_some() {
            return self.clone();
        }
        Self { customer: Some(customer), version: self.version + 1, ..self.clone() }
    }
    /// The account after a reading that began when it had `version`. Of two readings that overlap nobody can tell which is
    /// the newer, so the one that ends later is not kept.
    pub fn learn(&self, version: i64, reading: Reading, now: OffsetDateTime) -> Result<Self, Overtaken> {
        if version != self.version {
            return Err(Overtaken);
        }
        let (customer, subscription) = match reading {
            Reading::Subscribed(subscription) => (self.customer.clone(), Some(*subscription)),
            Reading::Unsubscribed => (self.customer.clone(), None),
            Reading::CustomerGone => (None, None),
        };
        Ok(Self { customer, subscription, read_at: Some(now), version: self.version + 1 })
    }
    /// Whether `next` says something else than this: a change to be recorded, and not only another reading.
    #[must_use]
    pub fn differs_from(&self, next: &Self) -> bool {
        self.customer != next.customer || self.subscription != next.subscription
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use time::macros::datetime;

    pub(super) const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    pub(super) fn subscription() -> Subscription {
        Subscription {
            id: "sub_1".parse().unwrap(),
            customer: "cus_1".parse().unwrap(),
            plan: "Team".to_owned(),
            status: SubscriptionStatus::Active,
            currency: "eur".parse().ok(),
            amount: Some(1_000),
            interval: Some(Interval { unit: IntervalUnit::Month, count: 1 }),
            period: Period::new(datetime!(2026-11-20 12:00 UTC), datetime!(2026-12-20 12:00 UTC)),
            ends_at: None,
            seat_item: Some("si_1".parse().unwrap()),
            seat_quantity: 5,
            seat_limit: None,
            included: BTreeMap::from([("runs".parse().unwrap(), 1_000)]),
        }
    }

    pub(super) fn account() -> BillingAccount {
        let customer = Some("cus_1".parse().unwrap());
        BillingAccount { customer, subscription: Some(subscription()), read_at: Some(NOW), version: 3 }
    }

    #[test]
    fn a_reading_is_kept_unless_another_one_was_kept_since_it_began() {
        let before = account();
        let first = before.learn(before.version, Reading::Unsubscribed, NOW).unwrap();
        assert_eq!((first.subscription.clone(), first.version), (None, 4));
        assert_eq!(first.learn(before.version, Reading::Subscribed(Box::new(subscription())), NOW), Err(Overtaken));
    }

    #[test]
    fn another_reading_of_the_same_is_no_change() {
        let (before, later) = (account(), NOW + Duration::hours(1));
        let same = before.learn(before.version, Reading::Subscribed(Box::new(subscription())), later).unwrap();
        assert!(!before.differs_from(&same));
        assert_eq!(same.read_at, Some(later));
        let gone = before.learn(before.version, Reading::CustomerGone, later).unwrap();
        assert!(before.differs_from(&gone));
        assert_eq!((gone.customer, gone.subscription), (None, None));
    }

    #[test]
    fn a_workspace_has_one_customer() {
        let none = BillingAccount::default();
        let one = none.with_customer("cus_1".parse().unwrap());
        assert_eq!(one.customer.as_ref().map(CustomerId::as_str), Some("cus_1"));
        assert_eq!(one.with_customer("cus_2".parse().unwrap()), one);
    }

    #[test]
    fn what_is_known_is_stale_when_it_was_not_read_lately() {
        let account = account();
        assert!(account.is_fresh(NOW + FRESH_FOR) && !account.is_fresh(NOW + FRESH_FOR + Duration::MICROSECOND));
        assert!(!account.is_stale(true, NOW));
        assert!(account.is_stale(true, NOW + Duration::DAY));
        assert!(account.is_stale(false, NOW));
        let nothing = BillingAccount::default();
        assert!(!nothing.is_stale(true, NOW) && !nothing.is_stale(false, NOW));
    }
}
