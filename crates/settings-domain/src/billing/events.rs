//! What the billing service tells us by itself. Its events come late, twice, in any order, and anybody may send what looks
//! like one. So an event is only ever a reason to read what it is about again: what it says is not believed.
use super::{
    BillingAccount,
    names::{BillingEventId, CustomerId},
};
use time::{Duration, OffsetDateTime};

/// How far the billing service's clock and ours may differ. An event this much older than what was last read cannot tell
/// anything that was not in it.
pub const SKEW: Duration = Duration::minutes(5);

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A subscription began, changed or ended.
    Subscription,
    /// A payment came or failed, which may change how a subscription stands.
    Payment,
    /// A customer was deleted.
    CustomerDeleted,
    /// Nothing that is kept here.
    Other,
}

impl EventKind {
    /// Reads an event's type, such as `customer.subscription.updated`. Types of tomorrow are of no interest, except those of
    /// subscriptions.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "customer.deleted" => Self::CustomerDeleted,
            "checkout.session.completed"
            | "invoice.paid"
            | "invoice.payment_action_required"
            | "invoice.payment_failed"
            | "invoice.payment_succeeded" => Self::Payment,
            name if name.starts_with("customer.subscription.") => Self::Subscription,
            _ => Self::Other,
        }
    }
}

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOrigin {
    /// Our own account, in the mode that this service is in.
    Ours,
    /// A test event at a live service, or the other way round.
    OtherMode,
    /// An account that is connected to ours.
    OtherAccount,
}

/// An event whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingEvent {
    /// The same each time it comes.
    pub id: BillingEventId,
    /// What it is about.
    pub kind: EventKind,
    /// Where it comes from.
    pub origin: EventOrigin,
    /// Whom it is about, where it says so.
    pub customer: Option<CustomerId>,
    /// When it happened, by the billing service's clock.
    pub at: OffsetDateTime,
}

/// Why nothing is done about an event. It is answered as taken all the same, so that it does not come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It is of the other mode.
    OtherMode,
    /// It is of another account.
    OtherAccount,
    /// It is about nothing that is kept here.
    OtherKind,
    /// It came before.
    Repeated,
    /// No workspace has this customer.
    UnknownCustomer,
    /// What it tells was read already.
    Known,
}

impl Ignored {
    /// A word for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherMode => "other_mode",
            Self::OtherAccount => "other_account",
            Self::OtherKind => "other_kind",
            Self::Repeated => "repeated",
            Self::UnknownCustomer => "unknown_customer",
            Self::Known => "known",
        }
    }
}

/// What is to be done about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    Ignore(Ignored),
    /// Read what this customer is subscribed to.
    ReadAgain(CustomerId),
}

/// Decides about an event. `seen` says whether one with this id was handled before, `account` is that of the workspace
/// whose customer it is about. An event counts as handled once what it made us read is kept: if the billing service or the
/// store is away, it has to come again.
#[must_use]
pub fn react(event: &BillingEvent, seen: bool, account: Option<&BillingAccount>) -> Reaction {
    let ignored = match (event.origin, event.kind) {
        (EventOrigin::OtherMode, _) => Some(Ignored::OtherMode),
        (EventOrigin::OtherAccount, _) => Some(Ignored::OtherAccount),
        (EventOrigin::Ours, EventKind::Other) => Some(Ignored::OtherKind),
        (EventOrigin::Ours, _) if seen => Some(Ignored::Repeated),
        (EventOrigin::Ours, _) => None,
    };
    if let Some(why) = ignored {
        return Reaction::Ignore(why);
    }
    match (&event.customer, account) {
        (Some(customer), Some(account)) if account.customer.as_ref() == Some(customer) => {
            if account.read_at.is_some_and(|read_at| event.at + SKEW < read_at) {
                Reaction::Ignore(Ignored::Known)
            } else {
                Reaction::ReadAgain(customer.clone())
            }
        }
        _ => Reaction::Ignore(Ignored::UnknownCustomer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Reading, Subscription,
        subscription::SubscriptionStatus,
        tests::{NOW, account, subscription},
    };
    use super::*;

    fn event(kind: EventKind, at: OffsetDateTime) -> BillingEvent {
        let customer = account().customer;
        BillingEvent { id: "evt_1".parse().unwrap(), kind, origin: EventOrigin::Ours, customer, at }
    }

    fn ignored(event: &BillingEvent, seen: bool, account: Option<&BillingAccount>) -> Option<Ignored> {
        match react(event, seen, account) {
            Reaction::Ignore(why) => Some(why),
            Reaction::ReadAgain(_) => None,
        }
    }

    #[test]
    fn only_what_can_change_a_subscription_is_of_interest() {
        for (name, kind) in [
            ("customer.subscription.created", EventKind::Subscription),
            ("customer.subscription.updated", EventKind::Subscription),
            ("customer.subscription.deleted", EventKind::Subscription),
            ("customer.subscription.paused", EventKind::Subscription),
            ("customer.subscription.of_tomorrow", EventKind::Subscription),
            ("customer.deleted", EventKind::CustomerDeleted),
            ("invoice.paid", EventKind::Payment),
            ("invoice.payment_failed", EventKind::Payment),
            ("checkout.session.completed", EventKind::Payment),
            ("customer.created", EventKind::Other),
            ("invoice.created", EventKind::Other),
            ("", EventKind::Other),
        ] {
            assert_eq!(EventKind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn st05_what_is_not_ours_or_of_no_interest_changes_nothing() {
        let account = account();
        let good = event(EventKind::Subscription, NOW);
        let stranger = BillingEvent { customer: Some("cus_stranger".parse().unwrap()), ..good.clone() };
        let nobody = BillingEvent { customer: None, ..good.clone() };
        let other_mode = BillingEvent { origin: EventOrigin::OtherMode, ..good.clone() };
        let other_account = BillingEvent { origin: EventOrigin::OtherAccount, ..good.clone() };
        assert_eq!(ignored(&other_mode, false, Some(&account)), Some(Ignored::OtherMode));
        assert_eq!(ignored(&other_account, false, Some(&account)), Some(Ignored::OtherAccount));
        assert_eq!(ignored(&event(EventKind::Other, NOW), false, Some(&account)), Some(Ignored::OtherKind));
        assert_eq!(ignored(&stranger, false, Some(&account)), Some(Ignored::UnknownCustomer));
        assert_eq!(ignored(&nobody, false, Some(&account)), Some(Ignored::UnknownCustomer));
        assert_eq!(ignored(&good, false, None), Some(Ignored::UnknownCustomer));
        assert_eq!(ignored(&good, false, Some(&account)), None);
    }

    #[test]
    fn an_event_that_came_before_changes_nothing() {
        for kind in [EventKind::Subscription, EventKind::Payment, EventKind::CustomerDeleted] {
            assert_eq!(ignored(&event(kind, NOW), true, Some(&account())), Some(Ignored::Repeated));
        }
    }

    #[test]
    fn an_event_much_older_than_what_was_read_changes_nothing_and_one_in_doubt_is_read_again() {
        let account = account();
        let before = |by: Duration| event(EventKind::Subscription, NOW - by);
        assert_eq!(ignored(&before(SKEW + Duration::SECOND), false, Some(&account)), Some(Ignored::Known));
        for by in [SKEW, Duration::ZERO, -SKEW, -Duration::DAY] {
            assert_eq!(ignored(&before(by), false, Some(&account)), None, "{by}");
        }
        let never = BillingAccount { read_at: None, ..account };
        assert_eq!(ignored(&before(Duration::DAY * 400), false, Some(&never)), None);
    }

    #[test]
    fn st04_events_in_any_order_leave_the_state_that_the_billing_service_has() {
        // What is true at the billing service after each of four events. An event comes once it has happened, and makes us
        // read what is true by then.
        let truth = [
            SubscriptionStatus::Incomplete,
            SubscriptionStatus::Active,
            SubscriptionStatus::PastDue,
            SubscriptionStatus::Canceled,
        ];
        let mut orders = 0;
        for code in 0..256_usize {
            let order = [code & 3, (code >> 2) & 3, (code >> 4) & 3, (code >> 6) & 3];
            if (0..4).any(|n| !order.contains(&n)) {
                continue;
            }
            orders += 1;
            let mut account = BillingAccount { read_at: None, subscription: None, ..account() };
            let mut happened = 0;
            for n in order {
                happened = happened.max(n);
                let time = |n| NOW + Duration::hours(i64::try_from(n).unwrap());
                let event = event(EventKind::Subscription, time(n));
                if let Reaction::ReadAgain(_) = react(&event, false, Some(&account)) {
                    let read =
                        Reading::Subscribed(Box::new(Subscription { status: truth[happened], ..subscription() }));
                    account = account.learn(account.version, read, time(happened)).unwrap();
                }
            }
            assert_eq!(account.subscription.map(|s| s.status), Some(SubscriptionStatus::Canceled), "{order:?}");
        }
        assert_eq!(orders, 24);
    }
}
