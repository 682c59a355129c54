//! What an admin sees of it (contract, `GET /billing/summary`).
use super::{
    BillingAccount,
    names::{CustomerId, Metric},
    seats,
    subscription::{Period, Subscription},
};
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime};

/// The longest history, in days: a leap year.
pub const MAX_DAYS: usize = 366;

/// How much of a metric was used on a day: what the store adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTotal {
    /// The metric.
    pub metric: Metric,
    /// The day, in UTC.
    pub date: Date,
    /// How much.
    pub quantity: i64,
}

/// A point of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyUsage {
    /// The day, in UTC.
    pub date: Date,
    /// How much; 0 where nothing was reported.
    pub quantity: i64,
}

/// A metric in the present period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricUsage {
    /// The metric.
    pub metric: Metric,
    /// How much, over all days of the history.
    pub quantity: i64,
    /// How much the plan includes, where it says so.
    pub included: Option<i64>,
    /// Every day from the first of the period to today, oldest first.
    pub history: Vec<DailyUsage>,
}

/// How full a workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Members and pending invitations.
    pub used: i64,
    /// How many there are.
    pub limit: i64,
}

impl Seats {
    /// Whether more are taken than there are.
    #[must_use]
    pub const fn is_over_limit(self) -> bool {
        seats::is_over_limit(self.used, self.limit)
    }
}

/// The summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whether this service has a billing service at all.
    pub configured: bool,
    /// The subscription, as it was last read; `None` where there is none.
    pub subscription: Option<Subscription>,
    /// What the usage is counted over: the subscription's period, else the calendar month.
    pub period: Period,
    /// How full the workspace is.
    pub seats: Seats,
    /// Usage by metric, in the order of their names.
    pub usage: Vec<MetricUsage>,
    /// The customer at the billing service.
    pub customer: Option<CustomerId>,
    /// Whether what is said of the subscription may be out of date, because the billing service was not to be asked.
    pub stale: bool,
    /// When the subscription was last read.
    pub as_of: Option<OffsetDateTime>,
}

/// What the summary counts usage over: the subscription's period while it runs, also where the next one could not be read
/// yet, else the calendar month in UTC.
#[must_use]
pub fn period(account: &BillingAccount, now: OffsetDateTime) -> Period {
    account
        .subscription
        .as_ref()
        .filter(|subscription| !subscription.status.has_ended())
        .and_then(|subscription| subscription.period)
        .filter(|period| period.start() <= now)
        .unwrap_or_else(|| Period::month_of(now))
}

/// The days of a history, oldest first: those of the period up to today, at most the last [`MAX_DAYS`]. The first and the last
/// count whole, since usage is added up by the day.
#[must_use]
pub fn days(period: Period, now: OffsetDateTime) -> Vec<Date> {
    let utc = |at: OffsetDateTime| at.to_offset(time::UtcOffset::UTC).date();
    let last = utc(now.min(period.end() - time::Duration::MICROSECOND));
    let first = utc(period.start());
    let mut days: Vec<_> = std::iter::successors(Some(last), |day| day.previous_day())
        .take_while(|day| *day >= first)
        .take(MAX_DAYS)
        .collect();
    days.reverse();
    days
}

/// Puts a summary together. `totals` are those of [`days`]; others are left out.
#[must_use]
pub fn compose(
    configured: bool,
    account: &BillingAccount,
    seat_limit: i64,
    seats_used: i64,
    totals: &[DayTotal],
    now: OffsetDateTime,
) -> Summary {
    let period = period(account, now);
    let days = days(period, now);
    let subscription = account.subscription.as_ref();
    let included = subscription.map(|subscription| subscription.included.clone()).unwrap_or_default();
    let mut metrics: BTreeMap<&Metric, BTreeMap<Date, i64>> =
        included.keys().map(|metric| (metric, BTreeMap::new())).collect();
    for total in totals {
        let sum = metrics.entry(&total.metric).or_default().entry(total.date).or_default();
        *sum = sum.saturating_add(total.quantity);
    }
    let usage = metrics
        .into_iter()
        .map(|(metric, by_day)| {
            let history: Vec<_> = days
                .iter()
                .map(|date| DailyUsage { date: *date, quantity: by_day.get(date).copied().unwrap_or(0) })
                .collect();
            let quantity = history.iter().fold(0_i64, |sum, day| sum.saturating_add(day.quantity));
            MetricUsage { metric: metric.clone(), quantity, included: included.get(metric).copied(), history }
        })
        .collect();
    Summary {
        configured,
        period,
        seats: Seats { used: seats_used, limit: seats::effective_seats(seat_limit, subscription) },
        usage,
        customer: account.customer.clone(),
        stale: account.is_stale(configured, now),
        as_of: account.read_at,
        subscription: account.subscription.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        FRESH_FOR,
        subscription::SubscriptionStatus,
        tests::{NOW, account, subscription},
    };
    use super::*;
    use time::{Duration, macros::date, macros::datetime};

    fn total(metric: &str, date: Date, quantity: i64) -> DayTotal {
        DayTotal { metric: metric.parse().unwrap(), date, quantity }
    }

    #[test]
    fn every_day_up_to_today_is_in_the_history_and_the_sum_is_theirs() {
        // The subscription's period began on 2026-11-20 at noon; it is the 26th.
        let totals = [
            total("runs", date!(2026 - 11 - 20), 5),
            total("runs", date!(2026 - 11 - 26), 2),
            total("runs", date!(2026 - 11 - 19), 100),
            total("model_tokens", date!(2026 - 11 - 22), 70),
        ];
        let summary = compose(true, &account(), 25, 3, &totals, NOW);
        let runs = summary.usage.iter().find(|usage| usage.metric.as_str() == "runs").unwrap();
        let numbers: Vec<_> = runs.history.iter().map(|day| (day.date.day(), day.quantity)).collect();
        assert_eq!(numbers, [(20, 5), (21, 0), (22, 0), (23, 0), (24, 0), (25, 0), (26, 2)]);
        assert_eq!((runs.quantity, runs.included), (7, Some(1_000)));
        let tokens = summary.usage.first().unwrap();
        assert_eq!((tokens.metric.as_str(), tokens.quantity, tokens.included), ("model_tokens", 70, None));
    }

    #[test]
    fn what_the_plan_includes_is_shown_before_any_of_it_is_used() {
        let summary = compose(true, &account(), 25, 3, &[], NOW);
        let names: Vec<_> = summary.usage.iter().map(|usage| (usage.metric.as_str(), usage.quantity)).collect();
        assert_eq!(names, [("runs", 0)]);
    }

    #[test]
    fn a_year_is_shown_whole_and_nothing_longer() {
        let long = |days: i64| Period::new(NOW - Duration::days(days), NOW + Duration::DAY).unwrap();
        assert_eq!(days(long(365), NOW).len(), 366);
        let most = days(long(10_000), NOW);
        assert_eq!((most.len(), most.last()), (MAX_DAYS, Some(&NOW.date())));
    }

    #[test]
    fn a_period_that_ends_at_midnight_does_not_reach_into_the_next_day() {
        let month = Period::month_of(datetime!(2026-10-15 0:00 UTC));
        let all = days(month, NOW);
        assert_eq!((all.len(), all.last()), (31, Some(&date!(2026 - 10 - 31))));
    }

    #[test]
    fn the_calendar_month_counts_where_no_subscription_runs() {
        let month = Period::month_of(NOW);
        let over = Subscription { status: SubscriptionStatus::Canceled, ..subscription() };
        let nonsense = Subscription { period: None, ..subscription() };
        let future = Subscription { period: Period::new(NOW + Duration::DAY, NOW + Duration::WEEK), ..subscription() };
        for subscription in [None, Some(over), Some(nonsense), Some(future)] {
            assert_eq!(period(&BillingAccount { subscription, ..account() }, NOW), month);
        }
        // Not so where only the next period could not be read yet.
        let rolled = Subscription { period: Period::new(NOW - Duration::WEEK, NOW - Duration::DAY), ..subscription() };
        let known = rolled.period.unwrap();
        assert_eq!(period(&BillingAccount { subscription: Some(rolled), ..account() }, NOW), known);
    }

    #[test]
    fn st11_an_answer_that_is_out_of_date_says_so_and_keeps_what_was_known() {
        let later = NOW + FRESH_FOR + Duration::SECOND;
        let fresh = compose(true, &account(), 25, 3, &[], NOW);
        let stale = compose(true, &account(), 25, 3, &[], later);
        assert!(!fresh.stale && stale.stale);
        assert_eq!((stale.subscription, stale.as_of), (fresh.subscription, Some(NOW)));
    }

    #[test]
    fn seats_are_the_lower_of_both_and_may_be_overdrawn() {
        let summary = compose(true, &account(), 25, 7, &[], NOW);
        assert_eq!(summary.seats, Seats { used: 7, limit: 5 });
        assert!(summary.seats.is_over_limit());
    }
}
