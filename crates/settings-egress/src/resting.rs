//! Which places are left alone: each tenant's own knowledge, so that nobody learns from it what others send where.
use crate::error::{Refused, SendError};
use settings_breaker::{Breaker, Pass};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a place is left alone that failed five times in a row.
pub const REST: Duration = Duration::from_secs(30);
/// Most places that are watched. Beyond it, those that began to fail long ago are forgotten; then further ones are not watched.
const MOST: usize = 4096;
/// How long a place that fails is watched at least.
const REMEMBERED: Duration = Duration::from_mins(10);

/// A tenant, and where it sends.
type Key = (Box<str>, String);

struct Watched {
    breaker: Arc<Breaker<Instant>>,
    since: Instant,
}

/// The places that failed when they were last sent to. Those that answer take no memory.
#[derive(Default)]
pub(crate) struct Resting(Mutex<HashMap<Key, Watched>>);

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resting").field("places", &self.lock().len()).finish()
    }
}

/// One attempt at a place.
pub(crate) struct Watch<'a> {
    of: &'a Resting,
    key: Key,
    breaker: Option<Arc<Breaker<Instant>>>,
}

impl Resting {
    pub(crate) fn watch(&self, tenant: &str, origin: String) -> Watch<'_> {
        let key = (tenant.into(), origin);
        let breaker = self.lock().get(&key).map(|watched| Arc::clone(&watched.breaker));
        Watch { of: self, key, breaker }
    }

    /// A panic elsewhere leaves the counts as they are, which is right.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: Key, now: Instant) -> Option<Arc<Breaker<Instant>>> {
        let mut places = self.lock();
        if places.len() >= MOST && !places.contains_key(&key) {
            places.retain(|_, watched| now < watched.since + REMEMBERED);
            if places.len() >= MOST {
                return None;
            }
        }
        let fresh = || Watched { breaker: Arc::new(Breaker::new(REST)), since: now };
        Some(Arc::clone(&places.entry(key).or_insert_with(fresh).breaker))
    }
}

impl Watch<'_> {
    /// Leave to make the attempt; no pass where nothing is known against the place.
    pub(crate) fn enter(&self) -> Result<Option<Pass<'_, Instant>>, SendError> {
        let Some(breaker) = &self.breaker else { return Ok(None) };
        breaker.enter(Instant::now()).map(Some).ok_or(SendError::Resting)
    }

    /// What the attempt came to.
    pub(crate) fn note<T>(&self, pass: Option<Pass<'_, Instant>>, outcome: &Result<T, SendError>) {
        let now = Instant::now();
        match (outcome, pass) {
            (Ok(_), pass) => {
                if let Some(pass) = pass {
                    pass.answered();
                }
                self.of.lock().remove(&self.key);
            }
            // The request itself breaks a rule. What its name stands for is another matter: it counts as a name without an
            // address does, lest the difference tell which names a private network knows.
            (Err(SendError::Refused(refused)), _) if *refused != Refused::Answer => {}
            (Err(_), Some(pass)) => drop(pass.failed(now)),
            (Err(_), None) => {
                let breaker = self.of.begin(self.key.clone(), now);
                if let Some(pass) = breaker.as_ref().and_then(|breaker| breaker.enter(now)) {
                    pass.failed(now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings_breaker::FAILURES;

    fn attempt(resting: &Resting, tenant: &str, outcome: Result<(), SendError>) -> Result<(), SendError> {
        let watch = resting.watch(tenant, "https://a.test".to_owned());
        let pass = watch.enter()?;
        watch.note(pass, &outcome);
        outcome
    }

    #[tokio::test]
    async fn a_place_that_fails_is_left_alone_by_the_tenant_who_met_it_and_by_nobody_else() {
        let resting = Resting::default();
        for _ in 0..FAILURES {
            assert_eq!(attempt(&resting, "a", Err(SendError::Connect)), Err(SendError::Connect));
        }
        assert_eq!(attempt(&resting, "a", Ok(())), Err(SendError::Resting));
        assert_eq!(attempt(&resting, "b", Ok(())), Ok(()));
    }

    #[tokio::test]
    async fn a_place_that_answers_takes_no_memory() {
        let resting = Resting::default();
        for _ in 0..FAILURES - 1 {
            let _ = attempt(&resting, "a", Err(SendError::Timeout));
        }
        assert_eq!(resting.lock().len(), 1);
        let _ = attempt(&resting, "a", Ok(()));
        assert_eq!(resting.lock().len(), 0);
    }

    #[tokio::test]
    async fn a_request_that_breaks_a_rule_says_nothing_of_the_place() {
        let resting = Resting::default();
        for _ in 0..2 * FAILURES {
            let refused = SendError::Refused(Refused::OwnHost);
            assert_eq!(attempt(&resting, "a", Err(refused)), Err(refused));
        }
        assert_eq!(resting.lock().len(), 0);
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_counts_as_one_without_any() {
        for error in [SendError::Resolve, SendError::Refused(Refused::Answer)] {
            let resting = Resting::default();
            for _ in 0..FAILURES {
                assert_eq!(attempt(&resting, "a", Err(error)), Err(error));
            }
            assert_eq!(attempt(&resting, "a", Ok(())), Err(SendError::Resting), "{error:?}");
        }
    }

    #[tokio::test]
    async fn there_is_an_end_to_what_is_watched() {
        let resting = Resting::default();
        for n in 0..MOST + 10 {
            let _ = attempt(&resting, &n.to_string(), Err(SendError::Connect));
        }
        assert_eq!(resting.lock().len(), MOST);
    }
}
