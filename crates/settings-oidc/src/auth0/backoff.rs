//! How long to wait before asking again. Pure: the clock and the dice are arguments.
use time::{Duration, OffsetDateTime};

/// How often one call is made at most.
pub(super) const ATTEMPTS: u32 = 4;
/// The longest wait inside of a call. Who has to wait longer is told so, and comes back by itself.
pub(super) const LONGEST: Duration = Duration::seconds(10);
/// The longest first wait; each further one may be twice as long.
const FIRST: Duration = Duration::milliseconds(250);

/// What a limited answer says (Auth0: `Retry-After` in seconds, or `x-ratelimit-reset` as a time of the epoch).
pub(super) fn asked_for(retry_after: Option<&str>, reset: Option<&str>, now: OffsetDateTime) -> Option<Duration> {
    let seconds = |text: Option<&str>| text?.trim().parse::<i64>().ok().filter(|n| *n >= 0);
    let until_reset = || {
        let at = OffsetDateTime::from_unix_timestamp(seconds(reset)?).ok()?;
        Some((at - now).max(Duration::ZERO))
    };
    seconds(retry_after).map(Duration::seconds).or_else(until_reset)
}

/// The wait before the next attempt, `attempt` counted from 0: anything up to twice the one before, so that callers who
/// failed together do not come back together.
pub(super) fn pause(attempt: u32, dice: u8) -> Duration {
    let longest = FIRST * 2_i32.saturating_pow(attempt.min(8));
    longest.min(LONGEST) * f64::from(dice) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_answer_is_believed_where_it_says_when() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let asked = |retry, reset| asked_for(retry, reset, now).map(Duration::whole_seconds);
        assert_eq!(asked(Some("3"), Some("1800000060")), Some(3));
        assert_eq!(asked(None, Some("1800000060")), Some(60));
        assert_eq!(asked(Some("Wed, 21 Oct 2026 07:28:00 GMT"), Some("1800000002")), Some(2));
        assert_eq!(asked(None, Some("1700000000")), Some(0), "a reset that is past");
        for nonsense in [None, Some(""), Some("-1"), Some("soon"), Some("99999999999999999999")] {
            assert_eq!(asked(nonsense, nonsense), None, "{nonsense:?}");
        }
        assert_eq!(asked_for(None, Some("9223372036854775807"), now), None, "a time that is none");
    }

    #[test]
    fn waits_grow_and_are_never_longer_than_the_longest() {
        assert_eq!(pause(0, 255), Duration::milliseconds(250));
        assert_eq!(pause(1, 255), Duration::milliseconds(500));
        assert_eq!(pause(3, 0), Duration::ZERO);
        for attempt in 0..100 {
            assert!(pause(attempt, 255) <= LONGEST);
        }
    }
}
