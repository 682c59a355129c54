//! When digests are due (seed A, Audit digest): a whole hour in UTC, every day, on a day of the week or of the month.
//! UTC has no summer time, so every period has exactly one such hour.
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $range:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(u8);
        impl $name {
            /// The smallest and the largest.
            pub const RANGE: std::ops::RangeInclusive<i64> = $range;
            /// The number.
            #[must_use]
            pub const fn get(self) -> u8 {
                self.0
            }
        }
        impl TryFrom<i64> for $name {
            type Error = OutOfRange;
            fn try_from(n: i64) -> Result<Self, OutOfRange> {
                if Self::RANGE.contains(&n) { u8::try_from(n).map(Self).map_err(|_| OutOfRange) } else { Err(OutOfRange) }
            }
        }
        impl From<$name> for i64 {
            fn from(n: $name) -> Self {
                Self::from(n.0)
            }
        }
    };
}

/// The number is none of those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is out of range")]
pub struct OutOfRange;

bounded!(
    /// 0 (Sunday) to 6 (Saturday).
    DayOfWeek, 0..=6
);
bounded!(
    /// 1 to 28: a day that every month has.
    DayOfMonth, 1..=28
);
bounded!(
    /// 0 to 23, in UTC.
    Hour, 0..=23
);

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Frequency {
    /// Every day.
    Daily,
    /// Once a week.
    Weekly(DayOfWeek),
    /// Once a month.
    Monthly(DayOfMonth),
}

impl Frequency {
    /// Its names on the wire and in the database.
    pub const NAMES: [&'static str; 3] = ["daily", "weekly", "monthly"];
    /// Its name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly(_) => "weekly",
            Self::Monthly(_) => "monthly",
        }
    }
    /// Of a weekly one.
    #[must_use]
    pub const fn day_of_week(self) -> Option<DayOfWeek> {
        match self {
            Self::Weekly(day) => Some(day),
            Self::Daily | Self::Monthly(_) => None,
        }
    }
    /// Of a monthly one.
    #[must_use]
    pub const fn day_of_month(self) -> Option<DayOfMonth> {
        match self {
            Self::Monthly(day) => Some(day),
            Self::Daily | Self::Weekly(_) => None,
        }
    }
    fn falls_on(self, date: Date) -> bool {
        match self {
            Self::Daily => true,
            Self::Weekly(day) => date.weekday().number_days_from_sunday() == day.get(),
            Self::Monthly(day) => date.day() == day.get(),
        }
    }
}

/// When digests are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Schedule {
    /// How often.
    pub frequency: Frequency,
    /// At which hour.
    pub hour: Hour,
}

impl Schedule {
    /// The first instant after `at` at which a digest is due. The end of the calendar (31 December 9999) where there is none.
    #[must_use]
    pub fn next_after(self, at: OffsetDateTime) -> OffsetDateTime {
        let at = at.to_utc();
        let time = Time::from_hms(self.hour.get(), 0, 0).unwrap_or(Time::MIDNIGHT);
        let mut date = at.date();
        loop {
            let due = PrimitiveDateTime::new(date, time).assume_utc();
            if due > at && self.frequency.falls_on(date) {
                return due;
            }
            match date.next_day() {
                Some(next) => date = next,
                None => return PrimitiveDateTime::MAX.assume_utc(),
            }
        }
    }
    /// The next instants after `at`, to look at before one decides.
    #[must_use]
    pub fn preview(self, at: OffsetDateTime) -> [OffsetDateTime; 3] {
        let first = self.next_after(at);
        let second = self.next_after(first);
        [first, second, self.next_after(second)]
    }
}

impl Default for Schedule {
    /// Every Monday at 08:00.
    fn default() -> Self {
        Self { frequency: Frequency::Weekly(DayOfWeek(1)), hour: Hour(8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    fn schedule(frequency: Frequency, hour: u8) -> Schedule {
        Schedule { frequency, hour: Hour(hour) }
    }

    #[test]
    fn runs_are_whole_hours_of_the_next_day_that_fits() {
        let monthly = schedule(Frequency::Monthly(DayOfMonth(28)), 0);
        let at = datetime!(2027-02-27 23:59:59.999999 UTC);
        assert_eq!(
            monthly.preview(at),
            [datetime!(2027-02-28 0:00 UTC), datetime!(2027-03-28 0:00 UTC), datetime!(2027-04-28 0:00 UTC)]
        );
        assert_eq!(monthly.next_after(datetime!(2028-02-28 0:00 UTC)), datetime!(2028-03-28 0:00 UTC), "a leap year");
        assert_eq!(monthly.next_after(datetime!(2027-12-28 0:00 UTC)), datetime!(2028-01-28 0:00 UTC));
        let saturdays = schedule(Frequency::Weekly(DayOfWeek(6)), 23);
        assert_eq!(saturdays.next_after(datetime!(2027-12-26 0:00 UTC)), datetime!(2028-01-01 23:00 UTC));
        assert_eq!(Schedule::default().next_after(datetime!(2026-11-26 12:00 UTC)), datetime!(2026-11-30 8:00 UTC));
    }

    #[test]
    fn an_instant_in_another_offset_is_the_same_instant() {
        let nights = schedule(Frequency::Daily, 0);
        assert_eq!(nights.next_after(datetime!(2026-11-27 0:30 +2)), datetime!(2026-11-27 0:00 UTC));
    }

    #[test]
    fn the_calendar_ends_without_a_panic() {
        let end = PrimitiveDateTime::MAX.assume_utc();
        assert_eq!(Schedule::default().preview(end), [end; 3]);
    }

    #[test]
    fn only_days_and_hours_that_there_are_can_be_named() {
        let takes = |n| (DayOfWeek::try_from(n).is_ok(), DayOfMonth::try_from(n).is_ok(), Hour::try_from(n).is_ok());
        assert_eq!(
            [-1, 0, 1, 6, 7, 23, 24, 28, 29, 256].map(takes),
            [
                (false, false, false),
                (true, false, true),
                (true, true, true),
                (true, true, true),
                (false, true, true),
                (false, true, true),
                (false, true, false),
                (false, true, false),
                (false, false, false),
                (false, false, false),
            ]
        );
    }

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let frequency = prop_oneof![
            Just(Frequency::Daily),
            (0..=6_u8).prop_map(|d| Frequency::Weekly(DayOfWeek(d))),
            (1..=28_u8).prop_map(|d| Frequency::Monthly(DayOfMonth(d))),
        ];
        (frequency, 0..=23_u8).prop_map(|(f, hour)| schedule(f, hour))
    }

    proptest! {
        #[test]
        fn nothing_is_due_between_an_instant_and_the_next_run(
            plan in any_schedule(), seconds in 0_i64..4_102_444_800, later in 0.0..1.0_f64,
        ) {
            let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let due = plan.next_after(at);
            prop_assert!(due > at);
            prop_assert!(due - at <= Duration::days(31));
            let between = at + (due - at) * later;
            prop_assume!(between < due);
            prop_assert_eq!(plan.next_after(between), due);
        }
    }
}
