//! Leaves Stripe alone for a while when it keeps failing: callers get their answer at once, and a Stripe in trouble
//! gets no more of it from here.
use settings_domain::ports::billing::Reachability;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::{Duration, Instant};

/// How many failures in a row it takes.
const FAILURES: u32 = 5;
/// How long Stripe is left alone then. After that one call tries it, and the rest waits for how that goes.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    worked: bool,
    open_until: Option<Instant>,
    probing: bool,
}

/// How the calls to one Stripe went.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

/// Leave to make one call. Dropped without a word (the caller went away), it says nothing of Stripe.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    of: &'a Breaker,
    probe: bool,
}

impl Breaker {
    /// Leave to call, or not.
    pub(crate) fn enter(&self, now: Instant) -> Option<Pass<'_>> {
        let mut state = self.lock();
        let probe = match state.open_until {
            None => false,
            Some(until) if now < until || state.probing => return None,
            Some(_) => true,
        };
        state.probing = probe;
        drop(state);
        Some(Pass { of: self, probe })
    }

    pub(crate) fn reachability(&self) -> Reachability {
        let state = self.lock();
        match (state.open_until, state.failures, state.worked) {
            (Some(_), ..) | (None, 1.., false) => Reachability::Away,
            (None, _, true) => Reachability::Reachable,
            (None, 0, false) => Reachability::Untried,
        }
    }

    /// A panic elsewhere leaves the counts as they are, which is right.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Stripe answered, whatever it said.
    pub(crate) fn worked(self) {
        let mut state = self.of.lock();
        *state = State { worked: true, ..State::default() };
    }

    /// It did not.
    pub(crate) fn failed(self, now: Instant) {
        let mut state = self.of.lock();
        state.failures = state.failures.saturating_add(1);
        if self.probe || (state.failures >= FAILURES && state.open_until.is_none()) {
            state.open_until = Some(now + PAUSE);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.of.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: Instant, times: u32) {
        for _ in 0..times {
            breaker.enter(now).unwrap().failed(now);
        }
    }

    #[test]
    fn after_five_failures_in_a_row_stripe_is_left_alone_for_a_while() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(breaker.reachability(), Reachability::Untried);
        fail(&breaker, now, FAILURES);
        assert_eq!(breaker.reachability(), Reachability::Away);
        assert!(breaker.enter(now + PAUSE - Duration::from_millis(1)).is_none());
        assert!(breaker.enter(now + PAUSE).is_some());
    }

    #[test]
    fn failures_with_an_answer_between_them_do_not_add_up() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..10 {
            fail(&breaker, now, FAILURES - 1);
            breaker.enter(now).unwrap().worked();
        }
        assert_eq!(breaker.reachability(), Reachability::Reachable);
    }

    #[test]
    fn one_call_tries_and_the_others_wait_for_how_it_goes() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, now, FAILURES);
        let later = now + PAUSE;
        let probe = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_none());
        probe.failed(later);
        assert!(breaker.enter(later + PAUSE / 2).is_none());
        let again = later + PAUSE;
        breaker.enter(again).unwrap().worked();
        assert!(breaker.enter(again).is_some() && breaker.enter(again).is_some());
    }

    #[test]
    fn a_caller_who_goes_away_blocks_nobody() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, now, FAILURES);
        let later = now + PAUSE;
        drop(breaker.enter(later));
        assert!(breaker.enter(later).is_some());
    }
}
