//! A subscription, as the domain sees it. What the billing service says beyond that is not kept.
use super::names::{Currency, CustomerId, Metric, SeatItemId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $wire:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $wire)] $variant),* }
        impl $name {
            /// All.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// Name on the wire and in the database.
            #[must_use] pub const fn name(self) -> &'static str { match self { $(Self::$variant => $wire),* } }
            /// Reads such a name.
            #[must_use] pub fn parse(s: &str) -> Option<Self> { Self::ALL.iter().copied().find(|v| v.name() == s) }
        }
    };
}

words! {
    /// How a subscription stands, in the words that people know from Stripe.
    SubscriptionStatus {
        /// The first payment is outstanding.
        Incomplete = "incomplete";
        /// The first payment never came.
        IncompleteExpired = "incomplete_expired";
        /// In its trial.
        Trialing = "trialing";
        /// Paid.
        Active = "active";
        /// A payment failed and is tried again.
        PastDue = "past_due";
        /// Payments failed for good, and it goes on unpaid.
        Unpaid = "unpaid";
        /// A trial ended without a way to pay.
        Paused = "paused";
        /// Over.
        Canceled = "canceled";
        /// A state that this version does not know. Nothing is guessed from it.
        Unknown = "unknown";
    }
}

impl SubscriptionStatus {
    /// Whether it is over: it gives no seats and takes no changes.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::IncompleteExpired | Self::Canceled)
    }
    /// Whether a payment is missing that somebody should be told of.
    #[must_use]
    pub const fn lacks_payment(self) -> bool {
        matches!(self, Self::Incomplete | Self::PastDue | Self::Unpaid | Self::Paused)
    }
    /// Whether the number of its seats may be changed. Where payments fail, nothing is bought on top.
    #[must_use]
    pub const fn takes_changes(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue)
    }
}

words! {
    /// How often it is paid.
    IntervalUnit {
        /// Daily.
        Day = "day";
        /// Weekly.
        Week = "week";
        /// Monthly.
        Month = "month";
        /// Yearly.
        Year = "year";
    }
}

/// How often it is paid: each `count` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The unit.
    pub unit: IntervalUnit,
    /// How many of them, at least one.
    pub count: i64,
}

/// A stretch of time: its start is in it, its end is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first instant.
    #[serde(with = "crate::micros")]
    start: OffsetDateTime,
    /// The first instant after it.
    #[serde(with = "crate::micros")]
    end: OffsetDateTime,
}

impl Period {
    /// A period; `None` where it would end before it begins.
    #[must_use]
    pub fn new(start: OffsetDateTime, end: OffsetDateTime) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }
    /// The calendar month of an instant, in UTC: what counts where there is no subscription.
    #[must_use]
    pub fn month_of(at: OffsetDateTime) -> Self {
        let first = at.date().replace_day(1).unwrap_or(at.date());
        let length = i64::from(first.month().length(first.year()));
        let start = first.midnight().assume_utc();
        Self { start, end: start + time::Duration::days(length) }
    }
    /// Its first instant.
    #[must_use]
    pub const fn start(self) -> OffsetDateTime {
        self.start
    }
    /// The first instant after it.
    #[must_use]
    pub const fn end(self) -> OffsetDateTime {
        self.end
    }
}

/// What is subscribed to, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub customer: CustomerId,
    /// What the plan is called, for people.
    pub plan: String,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// What it is paid in; `None` where that is no currency.
    pub currency: Option<Currency>,
    /// The price of one unit (of a seat, where it is sold by the seat) in minor units, such as cents. `None` where the price
    /// has tiers and so is no single number.
    pub amount: Option<i64>,
    /// How often it is paid.
    pub interval: Option<Interval>,
    /// The present period; `None` where the billing service names none that makes sense.
    pub period: Option<Period>,
    /// When it ends, if somebody has cancelled it.
    #[serde(with = "crate::micros::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// What its seats are counted by; `None` where it counts none.
    pub seat_item: Option<SeatItemId>,
    /// How many units are paid for.
    pub seat_quantity: i64,
    /// The most seats that the plan holds, where it is sold as a whole: then the quantity says nothing about seats.
    pub seat_limit: Option<i64>,
    /// How much of each metric the plan includes in a period.
    pub included: BTreeMap<Metric, i64>,
}

impl Subscription {
    /// Whether seats are bought one by one, so that the quantity is how many there are.
    #[must_use]
    pub const fn is_sold_by_the_seat(&self) -> bool {
        self.seat_limit.is_none() && self.seat_item.is_some()
    }
    /// How many seats it gives; `None` where it says nothing about seats.
    #[must_use]
    pub const fn seats(&self) -> Option<i64> {
        match (self.seat_limit, &self.seat_item) {
            (Some(limit), _) => Some(limit),
            (None, Some(_)) => Some(self.seat_quantity),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn words_read_back_and_no_others_are_words() {
        for status in SubscriptionStatus::ALL {
            assert_eq!(SubscriptionStatus::parse(status.name()), Some(*status));
        }
        assert_eq!(SubscriptionStatus::parse("ACTIVE"), None);
        assert_eq!(IntervalUnit::parse("month"), Some(IntervalUnit::Month));
    }

    #[test]
    fn an_ended_subscription_takes_no_changes_and_an_unknown_one_neither() {
        for status in SubscriptionStatus::ALL {
            assert!(!(status.has_ended() && status.takes_changes()), "{status:?}");
        }
        assert!(!SubscriptionStatus::Unknown.takes_changes() && !SubscriptionStatus::Unknown.has_ended());
    }

    #[test]
    fn a_period_begins_before_it_ends() {
        let (a, b) = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-02-01 0:00 UTC));
        assert!(Period::new(a, b).is_some());
        assert_eq!((Period::new(b, a), Period::new(a, a)), (None, None));
    }

    #[test]
    fn without_a_subscription_the_calendar_month_counts() {
        for (at, start, end) in [
            (datetime!(2026-02-14 13:00 UTC), datetime!(2026-02-01 0:00 UTC), datetime!(2026-03-01 0:00 UTC)),
            (datetime!(2028-02-29 23:59 UTC), datetime!(2028-02-01 0:00 UTC), datetime!(2028-03-01 0:00 UTC)),
            (datetime!(2026-12-31 23:59 UTC), datetime!(2026-12-01 0:00 UTC), datetime!(2027-01-01 0:00 UTC)),
        ] {
            assert_eq!(Some(Period::month_of(at)), Period::new(start, end), "{at}");
        }
    }
}
