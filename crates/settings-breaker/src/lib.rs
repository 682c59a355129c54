//! Leaves a place alone for a while that has failed several times in a row: callers get their answer at once, and a place in
//! trouble gets no more of it from here.
//!
//! Pure: the instant is an argument, of whatever clock the caller goes by ([`std::time::Instant`], tokio's, or one that can be
//! set). What counts as a failure is the caller's to say. A refusal is none: the place is well.
//!
//! ```
//! use settings_breaker::{Breaker, FAILURES};
//! use std::time::{Duration, Instant};
//!
//! let (breaker, now) = (Breaker::new(Duration::from_secs(10)), Instant::now());
//! for _ in 0..FAILURES {
//!     breaker.enter(now).expect("it is not left alone yet").failed(now);
//! }
//! assert!(breaker.enter(now).is_none(), "nothing is called");
//! let probe = breaker.enter(now + breaker.rest()).expect("one call tries it");
//! assert!(breaker.enter(now + breaker.rest()).is_none(), "and the others wait for how that goes");
//! probe.answered();
//! assert!(breaker.enter(now + breaker.rest()).is_some());
//! ```
use std::{
    ops::Add,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many failures in a row it takes.
pub const FAILURES: u32 = 5;

/// How the calls to one place went.
#[derive(Debug)]
pub struct Breaker<I = Instant> {
    rest: Duration,
    state: Mutex<State<I>>,
}

#[derive(Debug)]
struct State<I> {
    /// In a row.
    failures: u32,
    /// Whether the last call that ended was answered.
    answered: Option<bool>,
    /// Since when it is left alone.
    resting_since: Option<I>,
    /// Whether the one call after a rest is under way.
    probing: bool,
}

/// Leave to make one call. Dropped without a word (the caller went away), it says nothing of the place.
#[derive(Debug)]
#[must_use = "how the call went is what the breaker goes by"]
pub struct Pass<'a, I> {
    of: &'a Breaker<I>,
    probe: bool,
}

impl<I: Copy + PartialOrd + Add<Duration, Output = I>> Breaker<I> {
    /// For a place that is left alone for so long. After that one call tries it, and its end decides.
    #[must_use]
    pub const fn new(rest: Duration) -> Self {
        let state = State { failures: 0, answered: None, resting_since: None, probing: false };
        Self { rest, state: Mutex::new(state) }
    }

    /// Leave to call; `None` while the place is left alone.
    pub fn enter(&self, now: I) -> Option<Pass<'_, I>> {
        let mut state = self.lock();
        let probe = match state.resting_since {
            None => false,
            // A clock that was set back ends the rest: better one call too many than none for hours.
            Some(since) if (since <= now && now < since + self.rest) || state.probing => return None,
            Some(_) => true,
        };
        state.probing = probe;
        drop(state);
        Some(Pass { of: self, probe })
    }
}

impl<I> Breaker<I> {
    /// How long the place is left alone.
    #[must_use]
    pub const fn rest(&self) -> Duration {
        self.rest
    }

    /// Whether the place answered when it was last asked; `None` where it has not been asked yet. Asks nobody.
    #[must_use]
    pub fn last_answered(&self) -> Option<bool> {
        self.lock().answered
    }

    /// Every change is a plain assignment: a poisoned state is still a consistent one.
    fn lock(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> Pass<'_, I> {
    /// The place answered, whatever it said.
    pub fn answered(self) {
        let mut state = self.of.lock();
        (state.failures, state.answered, state.resting_since) = (0, Some(true), None);
    }

    /// It did not answer, or said that it can't. Returns whether it is left alone from now on.
    pub fn failed(self, now: I) -> bool {
        let mut state = self.of.lock();
        (state.failures, state.answered) = (state.failures.saturating_add(1), Some(false));
        let opens = self.probe || (state.failures >= FAILURES && state.resting_since.is_none());
        if opens {
            state.resting_since = Some(now);
        }
        opens
    }
}

impl<I> Drop for Pass<'_, I> {
    fn drop(&mut self) {
        if self.probe {
            self.of.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(10);

    /// Seconds of a clock that can be set.
    #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
    struct At(f64);
    impl Add<Duration> for At {
        type Output = Self;
        fn add(self, span: Duration) -> Self {
            Self(self.0 + span.as_secs_f64())
        }
    }

    fn failing(times: u32) -> Breaker<At> {
        let breaker = Breaker::new(REST);
        for _ in 0..times {
            breaker.enter(At(0.0)).unwrap().failed(At(0.0));
        }
        breaker
    }

    #[test]
    fn after_five_failures_in_a_row_the_place_is_left_alone_for_a_while() {
        assert!(failing(FAILURES - 1).enter(At(0.0)).is_some());
        let breaker = failing(FAILURES);
        assert!(breaker.enter(At(0.0)).is_none() && breaker.enter(At(9.9)).is_none());
        assert!(breaker.enter(At(10.0)).is_some());
    }

    #[test]
    fn failures_with_an_answer_between_them_do_not_add_up() {
        let breaker = Breaker::new(REST);
        for n in 0..20 {
            let pass = breaker.enter(At(0.0)).unwrap();
            if n % FAILURES == 4 {
                pass.answered();
            } else {
                assert!(!pass.failed(At(0.0)));
            }
        }
    }

    #[test]
    fn after_a_rest_one_call_decides_and_the_others_wait_for_how_it_goes() {
        let breaker = failing(FAILURES);
        let probe = breaker.enter(At(10.0)).unwrap();
        assert!(breaker.enter(At(11.0)).is_none(), "one at a time");
        assert!(probe.failed(At(12.0)), "it is left alone again");
        assert!(breaker.enter(At(21.9)).is_none());
        breaker.enter(At(22.0)).unwrap().answered();
        assert!(breaker.enter(At(22.0)).is_some() && breaker.enter(At(22.0)).is_some());
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_do_not_make_the_rest_longer() {
        let breaker = failing(FAILURES - 1);
        let (first, second) = (breaker.enter(At(0.0)).unwrap(), breaker.enter(At(0.0)).unwrap());
        assert!(first.failed(At(1.0)));
        assert!(!second.failed(At(9.0)));
        assert!(breaker.enter(At(11.0)).is_some());
    }

    #[test]
    fn a_caller_who_goes_away_blocks_nobody_and_says_nothing() {
        let breaker = failing(FAILURES);
        drop(breaker.enter(At(10.0)));
        assert!(breaker.enter(At(10.0)).is_some());
        let untried = Breaker::new(REST);
        drop(untried.enter(At(0.0)));
        assert_eq!(untried.last_answered(), None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_it_shut() {
        assert!(failing(FAILURES).enter(At(-1.0)).is_some());
    }

    #[test]
    fn it_tells_how_the_last_call_went() {
        let breaker = Breaker::new(REST);
        assert_eq!(breaker.last_answered(), None);
        breaker.enter(At(0.0)).unwrap().failed(At(0.0));
        assert_eq!(breaker.last_answered(), Some(false));
        breaker.enter(At(0.0)).unwrap().answered();
        assert_eq!(breaker.last_answered(), Some(true));
    }
}
