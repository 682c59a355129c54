//! What a workspace uses: reported by whoever runs its work, counted once, shown by the day (seed A, Billing).
use super::names::{Metric, UsageId};
use crate::{error::refusals, ids::WorkspaceId, text::TextError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use time::{Date, Duration, OffsetDateTime};

/// The most that one report may count: with room to add up billions of them.
pub const MAX_QUANTITY: i64 = 1_000_000_000;
/// How late a report may come. Stripe takes meter events of the past 35 days; a day is left for our own queue.
pub const LATEST: Duration = Duration::days(34);
/// How far a reporter's clock may be ahead (Stripe: 5 minutes).
pub const AHEAD: Duration = Duration::minutes(5);

/// How much of a metric was used: a whole number from 1 to [`MAX_QUANTITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(i64);

impl Quantity {
    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}
impl TryFrom<i64> for Quantity {
    type Error = TextError;
    fn try_from(n: i64) -> Result<Self, TextError> {
        if (1..=MAX_QUANTITY).contains(&n) { Ok(Self(n)) } else { Err(TextError("must be from 1 to 1000000000")) }
    }
}
impl From<Quantity> for i64 {
    fn from(q: Quantity) -> Self {
        q.0
    }
}

/// What somebody reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// Names the report: a second one with this id counts nothing.
    pub id: UsageId,
    /// What was used.
    pub metric: Metric,
    /// How much.
    pub quantity: Quantity,
    /// When it was used; `None` for now.
    pub at: Option<OffsetDateTime>,
}

/// What is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Unique in its workspace.
    pub id: UsageId,
    /// What was used.
    pub metric: Metric,
    /// How much.
    pub quantity: Quantity,
    /// When: in whole microseconds.
    #[serde(with = "crate::micros")]
    pub at: OffsetDateTime,
}

refusals! {
    /// Why a report of usage was not taken.
    UsageError {
        TooEarly: Invalid "validation-failed" at "/at", "The time of use lies in the future. Send the time at which it was used, or leave it out.";
        TooLate: Invalid "usage-too-late" at "/at", "The time of use lies more than 34 days back. Usage that old is billed already.";
        IdReused: Conflict "usage-id-reused" at "/id", "There is another report with this id. Send each report with an id of its own, and repeat it unchanged.";
    }
}

/// What a report comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// It is new.
    New(UsageRecord),
    /// It was counted before: this is what is kept.
    Before(UsageRecord),
}

impl UsageReport {
    /// Compares it with what is kept under its id. A repeated report is the same even where it is too old by now.
    pub fn count(self, kept: Option<UsageRecord>, now: OffsetDateTime) -> Result<Counted, UsageError> {
        if let Some(kept) = kept {
            let same_time = self.at.is_none_or(|at| crate::micros::truncate(at) == kept.at);
            let same = self.metric == kept.metric && self.quantity == kept.quantity && same_time;
            return if same { Ok(Counted::Before(kept)) } else { Err(UsageError::IdReused) };
        }
        let at = self.at.unwrap_or(now);
        if at > now + AHEAD {
            return Err(UsageError::TooEarly);
        }
        if at < now - LATEST {
            return Err(UsageError::TooLate);
        }
        let at = crate::micros::truncate(at);
        Ok(Counted::New(UsageRecord { id: self.id, metric: self.metric, quantity: self.quantity, at }))
    }
}

impl UsageRecord {
    /// The day that it counts for, in UTC.
    #[must_use]
    pub fn day(&self) -> Date {
        self.at.to_offset(time::UtcOffset::UTC).date()
    }
    /// Its name at the billing service, where two workspaces may not share one: 64 hexadecimal digits, always the same.
    #[must_use]
    pub fn meter_identifier(&self, workspace: WorkspaceId) -> String {
        let hash = Sha256::new().chain_update(workspace.as_uuid()).chain_update(self.id.as_str()).finalize();
        hash.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // writing to a String does not fail
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    fn report(quantity: i64, at: Option<OffsetDateTime>) -> UsageReport {
        UsageReport {
            id: "run-1".parse().unwrap(),
            metric: "runs".parse().unwrap(),
            quantity: quantity.try_into().unwrap(),
            at,
        }
    }

    fn record(quantity: i64, at: OffsetDateTime) -> UsageRecord {
        let UsageReport { id, metric, quantity, .. } = report(quantity, None);
        UsageRecord { id, metric, quantity, at }
    }

    #[test]
    fn a_quantity_is_a_whole_number_above_nothing_that_cannot_overflow_a_sum() {
        for good in [1, 7, MAX_QUANTITY] {
            assert_eq!(Quantity::try_from(good).map(Quantity::get), Ok(good));
        }
        for bad in [i64::MIN, -1, 0, MAX_QUANTITY + 1, i64::MAX] {
            assert!(Quantity::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_new_report_is_kept_with_its_time_or_with_now() {
        assert_eq!(report(3, None).count(None, NOW), Ok(Counted::New(record(3, NOW))));
        let yesterday = NOW - Duration::days(1);
        assert_eq!(report(3, Some(yesterday)).count(None, NOW), Ok(Counted::New(record(3, yesterday))));
    }

    #[test]
    fn a_repeated_report_counts_nothing_however_late_it_comes() {
        let kept = record(3, NOW);
        for (again, at) in [(None, NOW), (Some(NOW), NOW), (None, NOW + Duration::days(90))] {
            assert_eq!(report(3, again).count(Some(kept.clone()), at), Ok(Counted::Before(kept.clone())));
        }
    }

    #[test]
    fn an_id_is_good_for_one_report() {
        let kept = record(3, NOW);
        assert_eq!(report(4, None).count(Some(kept.clone()), NOW), Err(UsageError::IdReused));
        let later = Some(NOW + Duration::SECOND);
        assert_eq!(report(3, later).count(Some(kept.clone()), NOW), Err(UsageError::IdReused));
        let other = UsageReport { metric: "model_tokens".parse().unwrap(), ..report(3, None) };
        assert_eq!(other.count(Some(kept), NOW), Err(UsageError::IdReused));
    }

    #[test]
    fn usage_of_the_future_and_of_long_ago_is_refused() {
        for (at, expected) in [
            (NOW + AHEAD, None),
            (NOW + AHEAD + Duration::MICROSECOND, Some(UsageError::TooEarly)),
            (NOW - LATEST, None),
            (NOW - LATEST - Duration::MICROSECOND, Some(UsageError::TooLate)),
        ] {
            assert_eq!(report(1, Some(at)).count(None, NOW).err(), expected, "{at}");
        }
    }

    #[test]
    fn the_day_is_that_of_utc() {
        let late = datetime!(2026-11-26 23:30 -2);
        assert_eq!(record(1, late).day(), datetime!(2026-11-27 0:00 UTC).date());
    }

    #[test]
    fn a_report_has_the_same_name_at_the_billing_service_each_time_and_no_other_workspace_has_it() {
        let (a, b) = (WorkspaceId::from_uuid(Uuid::from_u128(1)), WorkspaceId::from_uuid(Uuid::from_u128(2)));
        let name = record(1, NOW).meter_identifier(a);
        assert_eq!(name, record(9, NOW + Duration::DAY).meter_identifier(a));
        assert_ne!(name, record(1, NOW).meter_identifier(b));
        // Computed with `sha256sum` over the sixteen bytes and `run-1`.
        assert_eq!(name, "8e61a84bcceda5d8a56edaf36e524bc10449881c66ca6f122fbebf2ce364bfcb");
    }
}
