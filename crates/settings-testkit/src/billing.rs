//! A billing service in memory, for use cases: the adapter itself is tried against Stripe's own words in its crate.
use async_trait::async_trait;
use settings_domain::{
    billing::{
        BillingEvent, CustomerId, EventKind, EventOrigin, Interval, IntervalUnit, Period, Reading, Subscription,
        SubscriptionStatus, UsageRecord,
    },
    ids::WorkspaceId,
    ports::billing::{BillingError, BillingGateway, EventRefusal, Patience, Reachability},
    text::Slug,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use time::{Duration, OffsetDateTime};

#[derive(Default)]
struct Inner {
    away: bool,
    subscriptions: BTreeMap<CustomerId, Subscription>,
    usage: Vec<(CustomerId, UsageRecord)>,
    readings: usize,
    set: Vec<i64>,
    deleted: BTreeSet<CustomerId>,
}

/// A billing service whose customers are named after the slugs of their workspaces. Clones share their content.
#[derive(Clone, Default)]
pub struct FixedBilling(Arc<Mutex<Inner>>);

impl std::fmt::Debug for FixedBilling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixedBilling").finish_non_exhaustive()
    }
}

/// A subscription to `seats` seats that are sold one by one.
///
/// # Panics
/// Never: what is written here are ids.
#[must_use]
pub fn subscription(customer: &CustomerId, seats: i64, now: OffsetDateTime) -> Subscription {
    Subscription {
        id: format!("sub_{customer}").parse().expect("an id"),
        customer: customer.clone(),
        plan: "Team".to_owned(),
        status: SubscriptionStatus::Active,
        currency: "eur".parse().ok(),
        amount: Some(1_000),
        interval: Some(Interval { unit: IntervalUnit::Month, count: 1 }),
        period: Period::new(now - Duration::days(3), now + Duration::days(27)),
        ends_at: None,
        seat_item: "si_1".parse().ok(),
        seat_quantity: seats,
        seat_limit: None,
        included: BTreeMap::from([("runs".parse().expect("a metric"), 1_000)]),
    }
}

impl FixedBilling {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Whether it answers nobody.
    pub fn away(&self, away: bool) {
        self.lock().away = away;
    }
    /// A customer subscribes, or the subscription changes.
    pub fn subscribe(&self, subscription: Subscription) {
        self.lock().subscriptions.insert(subscription.customer.clone(), subscription);
    }
    /// Somebody deletes a customer. The next one of its workspace is called the same with a `2` at its end, and so on.
    pub fn delete(&self, customer: &CustomerId) {
        let mut inner = self.lock();
        inner.subscriptions.remove(customer);
        inner.deleted.insert(customer.clone());
    }
    /// How often a subscription was read.
    #[must_use]
    pub fn readings(&self) -> usize {
        self.lock().readings
    }
    /// The numbers of seats that it was told, in order.
    #[must_use]
    pub fn seats(&self) -> Vec<i64> {
        self.lock().set.clone()
    }
    /// The reports of usage that it took, in order.
    #[must_use]
    pub fn usage(&self) -> Vec<(CustomerId, UsageRecord)> {
        self.lock().usage.clone()
    }
    fn answering(&self) -> Result<MutexGuard<'_, Inner>, BillingError> {
        let inner = self.lock();
        if inner.away { Err(BillingError::Unavailable("it is away")) } else { Ok(inner) }
    }
}

#[async_trait]
impl BillingGateway for FixedBilling {
    async fn ensure_customer(&self, _: WorkspaceId, slug: &Slug) -> Result<CustomerId, BillingError> {
        let there = self.answering()?;
        let names = (1..).map(|n| if n == 1 { format!("cus_{slug}") } else { format!("cus_{slug}{n}") });
        let mut customers = names.map(|name| name.parse().expect("an id"));
        Ok(customers.find(|customer| !there.deleted.contains(customer)).expect("there is always a next one"))
    }
    async fn subscription(&self, customer: &CustomerId, _: Patience) -> Result<Reading, BillingError> {
        let mut inner = self.answering()?;
        inner.readings += 1;
        if inner.deleted.contains(customer) {
            return Ok(Reading::CustomerGone);
        }
        let found = inner.subscriptions.get(customer);
        Ok(found.map_or(Reading::Unsubscribed, |s| Reading::Subscribed(Box::new(s.clone()))))
    }
    async fn set_seats(&self, subscription: &Subscription, seats: i64) -> Result<Subscription, BillingError> {
        let mut inner = self.answering()?;
        inner.set.push(seats);
        let there = inner.subscriptions.get_mut(&subscription.customer).ok_or(BillingError::Gone("it is over"))?;
        there.seat_quantity = seats;
        Ok(there.clone())
    }
    async fn portal(&self, customer: &CustomerId, return_url: &str) -> Result<String, BillingError> {
        if self.answering()?.deleted.contains(customer) {
            return Err(BillingError::Gone("there is no such customer any more"));
        }
        Ok(format!("https://billing.stripe.com/p/session/{customer}?back={return_url}"))
    }
    /// Refuses what is called `refused`.
    async fn report_usage(
        &self,
        _: WorkspaceId,
        customer: &CustomerId,
        usage: &UsageRecord,
    ) -> Result<(), BillingError> {
        let mut inner = self.answering()?;
        if inner.deleted.contains(customer) {
            return Err(BillingError::Gone("there is no such customer any more"));
        }
        if usage.metric.as_str() == "refused" {
            return Err(BillingError::Refused("there is no such meter"));
        }
        inner.usage.push((customer.clone(), usage.clone()));
        Ok(())
    }
    /// Reads `id customer`, signed with the word `good`. It happens long after whatever was read.
    fn event(&self, payload: &[u8], signature: &str, _: OffsetDateTime) -> Result<BillingEvent, EventRefusal> {
        if signature != "good" {
            return Err(EventRefusal::Signature);
        }
        let text = std::str::from_utf8(payload).map_err(|_| EventRefusal::Malformed)?;
        let (id, customer) = text.split_once(' ').ok_or(EventRefusal::Malformed)?;
        Ok(BillingEvent {
            id: id.parse().map_err(|_| EventRefusal::Malformed)?,
            kind: EventKind::Subscription,
            origin: EventOrigin::Ours,
            customer: customer.parse().ok(),
            at: time::macros::datetime!(2100-01-01 0:00 UTC),
        })
    }
    async fn check(&self) -> Result<(), BillingError> {
        self.answering().map(drop)
    }
    fn reachability(&self) -> Reachability {
        if self.lock().away { Reachability::Away } else { Reachability::Reachable }
    }
}
