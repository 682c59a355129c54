//! Keeps the issuer's keys: who may cause a fetch, who waits for it, and what serves meanwhile.
use crate::fetch::{FetchError, Published, Source};
use settings_domain::ports::Clock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

/// From this age on keys are fetched anew while the old ones serve, so that under load nobody waits.
const REFRESH_AHEAD: Duration = Duration::seconds(60);
/// From this age on requests wait for the fetch. Two exchanges of 5 s at most follow: a change holds within 90 s.
const TTL: Duration = Duration::seconds(75);
/// How long keys serve while the issuer is away. Longer than an outage, shorter than forgetting about one.
const MAX_STALE: Duration = Duration::hours(24);
/// How long after a failure the issuer is left alone.
const RETRY_AFTER: Duration = Duration::seconds(5);
/// How long a failure counts as "the issuer is away", that is, nobody waits for the next attempt.
const AWAY: Duration = Duration::seconds(30);
/// How often a token with an unknown key id may cause a fetch. Anybody can make such tokens.
const ASK_AGAIN: Duration = Duration::seconds(60);
/// Keys this young are not asked for again, whatever a token says.
const SETTLED: Duration = Duration::seconds(10);

/// The keys as of one fetch.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) published: Published,
    /// Grows when what is published changes, and only then.
    pub(crate) generation: u64,
    fetched_at: OffsetDateTime,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Snapshot>>,
    /// The last attempt, where it failed.
    failure: Option<Failure>,
    /// When a token with an unknown key id last caused a fetch.
    asked_at: Option<OffsetDateTime>,
    fetching: bool,
}

#[derive(Debug, Clone)]
struct Failure {
    at: OffsetDateTime,
    error: Arc<FetchError>,
}

/// The keys of one issuer, fetched by one task at a time.
pub(crate) struct KeyCache {
    source: Source,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Changes when a fetch has ended, however it ended.
    ended: watch::Sender<()>,
}

/// Whether `now` is less than `span` after `then`. A clock that was set back makes everything old, never young.
fn within(now: OffsetDateTime, then: OffsetDateTime, span: Duration) -> bool {
    let age = now - then;
    !age.is_negative() && age < span
}

impl State {
    /// The keys, as long as they are not too old to be believed.
    fn usable(&self, now: OffsetDateTime) -> Result<Arc<Snapshot>, Arc<FetchError>> {
        match (&self.current, &self.failure) {
            (Some(current), _) if now - current.fetched_at < MAX_STALE => Ok(Arc::clone(current)),
            (_, Some(failure)) => Err(Arc::clone(&failure.error)),
            (_, None) => Err(Arc::new(FetchError::Interrupted)),
        }
    }

    fn failed_within(&self, now: OffsetDateTime, span: Duration) -> bool {
        self.failure.as_ref().is_some_and(|failure| within(now, failure.at, span))
    }
}

impl KeyCache {
    pub(crate) fn new(source: Source, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { source, clock, state: Mutex::default(), ended: watch::Sender::new(()) })
    }

    /// The keys to verify with. The error says why there are none.
    pub(crate) async fn current(self: &Arc<Self>) -> Result<Arc<Snapshot>, Arc<FetchError>> {
        // Before looking, so that a fetch that ends in between is noticed.
        let mut ended = self.ended.subscribe();
        {
            let now = self.clock.now();
            let mut state = self.lock();
            let is_younger = |span| state.current.as_ref().is_some_and(|current| within(now, current.fetched_at, span));
            let (fresh, unexpired) = (is_younger(REFRESH_AHEAD), is_younger(TTL));
            if !fresh && !state.failed_within(now, RETRY_AFTER) {
                self.start(&mut state, now);
            }
            let usable = state.usable(now);
            // With the issuer away nobody waits for what will probably fail; with nothing to serve there is no choice.
            if usable.is_ok() && (unexpired || state.failed_within(now, AWAY)) || !state.fetching {
                return usable;
            }
        }
        let _ = ended.changed().await;
        self.lock().usable(self.clock.now())
    }

    /// What the keys are fetched with.
    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    /// Whether the last fetch succeeded; `None` before the first has ended.
    pub(crate) fn answered(&self) -> Option<bool> {
        let state = self.lock();
        match (&state.failure, &state.current) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }

    /// Keys newer than `seen`, for a token that the issuer itself has just given us and whose key is not among those. Nobody
    /// else can make such a token, so nothing is too soon.
    pub(crate) async fn newest(self: &Arc<Self>) -> Result<Arc<Snapshot>, Arc<FetchError>> {
        let asked_at = self.clock.now();
        // Twice where a fetch was under way: what it asked for may be from before the issuer's change.
        for _ in 0..2 {
            let mut ended = self.ended.subscribe();
            self.start(&mut self.lock(), asked_at);
            let _ = ended.changed().await;
            let state = self.lock();
            match (&state.failure, &state.current) {
                (Some(failure), _) => return Err(Arc::clone(&failure.error)),
                (None, Some(current)) if current.fetched_at >= asked_at => return Ok(Arc::clone(current)),
                (None, _) => {}
            }
        }
        self.lock().usable(self.clock.now())
    }

    /// Keys newer than `seen`, for a token whose key is not among those. `None` where it is too soon to ask again.
    pub(crate) async fn newer_than(
        self: &Arc<Self>,
        seen: &Arc<Snapshot>,
    ) -> Result<Option<Arc<Snapshot>>, Arc<FetchError>> {
        let mut ended = self.ended.subscribe();
        {
            let now = self.clock.now();
            let mut state = self.lock();
            if let Some(newer) = state.current.as_ref().filter(|current| !Arc::ptr_eq(current, seen)) {
                return Ok(Some(Arc::clone(newer)));
            }
            if !state.fetching {
                let asked = state.asked_at.is_some_and(|at| within(now, at, ASK_AGAIN));
                let settled = within(now, seen.fetched_at, SETTLED);
                if asked || settled || state.failed_within(now, RETRY_AFTER) {
                    return state.failure.as_ref().map_or(Ok(None), |failure| Err(Arc::clone(&failure.error)));
                }
                state.asked_at = Some(now);
                self.start(&mut state, now);
            }
        }
        let _ = ended.changed().await;
        let state = self.lock();
        match (&state.failure, &state.current) {
            (Some(failure), _) => Err(Arc::clone(&failure.error)),
            (None, current) => Ok(current.clone()),
        }
    }

    /// Starts a fetch unless one is under way. In a task of its own: a caller that hangs up must not stop it.
    fn start(self: &Arc<Self>, state: &mut State, now: OffsetDateTime) {
        if state.fetching {
            return;
        }
        state.fetching = true;
        let flight = Flight(Arc::clone(self));
        tokio::spawn(async move {
            let outcome = flight.0.source.fetch().await;
            flight.0.record(outcome, now);
        });
    }

    fn record(&self, outcome: Result<Published, FetchError>, started_at: OffsetDateTime) {
        let mut state = self.lock();
        match outcome {
            Ok(published) => {
                let generation = match &state.current {
                    Some(old) if old.published == published => old.generation,
                    old => {
                        tracing::info!(keys = published.keys.len(), "the issuer's signing keys have changed");
                        old.as_ref().map_or(0, |old| old.generation + 1)
                    }
                };
                // As old as the question: what the issuer changed after it may not be in the answer.
                state.current = Some(Arc::new(Snapshot { published, generation, fetched_at: started_at }));
                state.failure = None;
            }
            Err(error) => {
                tracing::warn!(error = %error.with_causes(), "the issuer's signing keys could not be fetched"
                );
                state.failure = Some(Failure { at: self.clock.now(), error: Arc::new(error) });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a plain assignment: a poisoned state is still a consistent one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the fetch even if it does not come to its end, so that nobody waits forever.
struct Flight(Arc<KeyCache>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.lock().fetching = false;
        self.0.ended.send_replace(());
    }
}
