//! Seats: how many there are, and how many are to be paid for.
//!
//! The workspace's own limit is what its admins ask for. The subscription is what is paid. The lower of the two counts, so
//! that a change on either side never lets in more than both allow, and nobody loses a seat that is taken.
use super::subscription::Subscription;

/// How many seats there are: the lower one of the workspace's limit and of what the subscription gives. Without a
/// subscription, or where it says nothing of seats, the workspace's limit alone counts. One that is over gives none: whoever is
/// a member stays one, and nobody new comes in.
#[must_use]
pub fn effective_seats(seat_limit: i64, subscription: Option<&Subscription>) -> i64 {
    given(subscription).map_or(seat_limit, |seats| seats.min(seat_limit))
}

/// How many seats a subscription gives, at least none; `None` where there is no subscription or where it says nothing of
/// seats. One that is over gives none. What a store repeats as its own rule.
#[must_use]
pub fn given(subscription: Option<&Subscription>) -> Option<i64> {
    match subscription {
        None => None,
        Some(ended) if ended.status.has_ended() => Some(0),
        Some(subscription) => subscription.seats().map(|seats| seats.max(0)),
    }
}

/// Whether more seats are taken than there are: nobody is put out for it, and nobody new is let in (SE08).
#[must_use]
pub const fn is_over_limit(seats_used: i64, effective_seats: i64) -> bool {
    seats_used > effective_seats
}

/// Why the seats that are paid for are compared with the workspace's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatCheck {
    /// An admin of the workspace has changed its limit.
    Asked,
    /// The daily check.
    Daily,
}

/// How many seats the subscription has to be set to; `None` where it stays as it is.
///
/// What an admin asks for is bought or given back. The daily check only gives back what is above the limit: more money is
/// never spent without somebody who asked for it, as when seats were given up at the billing service itself. A plan that
/// is sold as a whole, one that is over and one that is unpaid are left alone. No subscription goes below one seat.
#[must_use]
pub fn wanted_quantity(why: SeatCheck, seat_limit: i64, subscription: &Subscription) -> Option<i64> {
    if !subscription.is_sold_by_the_seat() || !subscription.status.takes_changes() {
        return None;
    }
    let (paid, wanted) = (subscription.seat_quantity, seat_limit.max(1));
    match why {
        SeatCheck::Asked => (paid != wanted).then_some(wanted),
        SeatCheck::Daily => (paid > wanted).then_some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{subscription::SubscriptionStatus, tests::subscription};
    use super::*;

    #[test]
    fn the_lower_of_limit_and_subscription_counts() {
        let by_the_seat = |quantity| Subscription { seat_quantity: quantity, ..subscription() };
        let whole = Subscription { seat_limit: Some(50), seat_quantity: 1, ..subscription() };
        let no_seats = Subscription { seat_item: None, ..subscription() };
        for (limit, subscription, seats) in [
            (25, None, 25),
            (25, Some(by_the_seat(5)), 5),
            (5, Some(by_the_seat(25)), 5),
            (25, Some(whole.clone()), 25),
            (100, Some(whole), 50),
            (25, Some(no_seats), 25),
            (25, Some(by_the_seat(-3)), 0),
        ] {
            assert_eq!(effective_seats(limit, subscription.as_ref()), seats, "{limit} {subscription:?}");
        }
    }

    #[test]
    fn a_subscription_that_is_over_lets_nobody_new_in_and_one_that_is_unpaid_still_does() {
        for status in SubscriptionStatus::ALL {
            let subscription = Subscription { status: *status, ..subscription() };
            let expected = if status.has_ended() { 0 } else { 5 };
            assert_eq!(effective_seats(25, Some(&subscription)), expected, "{status:?}");
        }
    }

    #[test]
    fn se08_seats_that_are_taken_stay_taken() {
        assert!(is_over_limit(3, 2));
        assert!(!is_over_limit(2, 2) && !is_over_limit(0, 0));
    }

    #[test]
    fn more_is_only_paid_where_somebody_asked() {
        let paid = Subscription { seat_quantity: 10, ..subscription() };
        for (why, limit, wanted) in [
            (SeatCheck::Asked, 12, Some(12)),
            (SeatCheck::Asked, 10, None),
            (SeatCheck::Asked, 7, Some(7)),
            (SeatCheck::Asked, 0, Some(1)),
            (SeatCheck::Daily, 12, None),
            (SeatCheck::Daily, 10, None),
            (SeatCheck::Daily, 7, Some(7)),
        ] {
            assert_eq!(wanted_quantity(why, limit, &paid), wanted, "{why:?} {limit}");
        }
    }

    #[test]
    fn what_is_sold_as_a_whole_or_unpaid_is_left_alone() {
        let whole = Subscription { seat_limit: Some(50), ..subscription() };
        let unpaid = Subscription { status: SubscriptionStatus::Unpaid, ..subscription() };
        let over = Subscription { status: SubscriptionStatus::Canceled, ..subscription() };
        for subscription in [whole, unpaid, over] {
            for why in [SeatCheck::Asked, SeatCheck::Daily] {
                assert_eq!(wanted_quantity(why, 1, &subscription), None, "{subscription:?}");
            }
        }
    }
}
