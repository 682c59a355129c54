//! Leaves alone what has failed several times in a row, so that people get an answer at once and it gets a rest.
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};

/// How many failures in a row open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open. Then one call is let through, and its end decides.
const REST: Duration = Duration::seconds(30);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When the last failure ended.
    failed_at: Option<OffsetDateTime>,
    /// Whether the one call after a rest is under way.
    probing: bool,
}

/// The state of one place that is called.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

/// Nothing is called while the breaker is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it failed several times in a row and is left alone for up to 30 s")]
pub(crate) struct Open;

/// Leave to make one call. Dropped without a word (the caller hung up), it says nothing of the place.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    /// Asks whether to call.
    pub(crate) fn admit(&self, now: OffsetDateTime) -> Result<Pass<'_>, Open> {
        let mut state = self.lock();
        if state.failures < FAILURES {
            return Ok(Pass { breaker: self, probe: false });
        }
        // A clock that was set back ends the rest: better one call too many than none for hours.
        let resting = state.failed_at.is_some_and(|at| (at..at + REST).contains(&now));
        if resting || state.probing {
            return Err(Open);
        }
        state.probing = true;
        Ok(Pass { breaker: self, probe: true })
    }

    /// Whether the last call failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failures > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a plain assignment: a poisoned state is still a consistent one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// It answered, whatever it said.
    pub(crate) fn answered(self) {
        let mut state = self.breaker.lock();
        (state.failures, state.failed_at) = (0, None);
    }
    /// It did not answer, or that it can't.
    pub(crate) fn failed(self, now: OffsetDateTime) {
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        state.failed_at = Some(now);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn at(seconds: i64) -> OffsetDateTime {
        START + Duration::seconds(seconds)
    }
    fn broken() -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.admit(START).unwrap().failed(START);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_among_them_does_not() {
        let breaker = Breaker::default();
        for n in 0..20 {
            let pass = breaker.admit(START).unwrap();
            if n % 5 == 4 { pass.answered() } else { pass.failed(START) }
        }
        assert!(!breaker.has_failed() && broken().has_failed());
        assert!(broken().admit(at(29)).is_err());
    }

    #[test]
    fn after_a_rest_one_call_decides() {
        let breaker = broken();
        let probe = breaker.admit(at(30)).unwrap();
        assert_eq!(breaker.admit(at(31)).unwrap_err(), Open, "one at a time");
        probe.failed(at(31));
        assert!(breaker.admit(at(60)).is_err() && breaker.admit(at(61)).is_ok());
        breaker.admit(at(62)).unwrap().answered();
        assert!(breaker.admit(at(62)).is_ok() && breaker.admit(at(62)).is_ok());
    }

    #[test]
    fn a_caller_who_hangs_up_lets_the_next_one_try() {
        let breaker = broken();
        drop(breaker.admit(at(30)).unwrap());
        assert!(breaker.admit(at(30)).is_ok());
        assert!(broken().admit(at(-1)).is_ok(), "a clock that was set back does not keep it shut");
    }
}
