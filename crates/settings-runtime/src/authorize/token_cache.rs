//! How long an access token is used, and who asks for the next one when: a state machine that is told the time.
//!
//! One cache belongs to one version of one model's credential: whoever changes the credential throws the cache away.
//! Keep it behind a lock; nothing here waits. Callers ask [`TokenCache::next`] what to do. Whoever gets a [`Ticket`]
//! asks the token endpoint, outside the lock, and hands the outcome to [`TokenCache::finished`].
use super::oauth::{Granted, TokenError};
use secrecy::SecretString;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// How long one exchange may take before another caller asks as well.
pub const EXCHANGE_LIMIT: Duration = Duration::seconds(30);
/// How long a token is used whose server does not say how long it lives.
pub const DEFAULT_LIFETIME: Duration = Duration::minutes(5);
/// How long a token is used at most, whatever its server says: revocation gets through some day.
pub const MAX_LIFETIME: Duration = Duration::hours(24);
/// A token is not used in the last tenth of its life, nor in the last of these: a request under way has to arrive.
const MARGIN: Duration = Duration::seconds(30);
/// The wait after the first failure. It doubles with each that follows.
const FIRST_WAIT: Duration = Duration::seconds(1);
/// The longest wait after a failure, and the wait after one that asking again does not mend.
const LONGEST_WAIT: Duration = Duration::seconds(60);
/// A token that is rejected this young is no accident: the next one would be rejected as well.
const SETTLED: Duration = Duration::seconds(10);

/// An access token in use.
#[derive(Debug, Clone)]
pub struct AccessToken {
    value: Arc<SecretString>,
    number: u64,
}

impl AccessToken {
    /// The token, for [`Scheme::AccessToken`](super::Scheme::AccessToken).
    #[must_use]
    pub fn value(&self) -> &SecretString {
        &self.value
    }
}

/// The task to ask the token endpoint, once.
#[derive(Debug)]
#[must_use = "until the ticket is handed back, nobody else asks"]
pub struct Ticket {
    number: u64,
    since: OffsetDateTime,
}

/// What a caller does next.
#[derive(Debug)]
pub enum Step {
    /// Call the model with this token.
    Use(AccessToken),
    /// Call the model with this token, and ask for the next one meanwhile.
    UseAndFetch(AccessToken, Ticket),
    /// Ask the token endpoint.
    Fetch(Ticket),
    /// Somebody is asking. Come back when that is over, at this instant at the latest.
    Wait(OffsetDateTime),
    /// The last attempt failed. Nobody asks before this instant.
    Failing(TokenError, OffsetDateTime),
}

#[derive(Debug)]
struct Held {
    token: AccessToken,
    from: OffsetDateTime,
    /// From here on the next one is asked for.
    refresh: OffsetDateTime,
    until: OffsetDateTime,
}

#[derive(Debug)]
struct Failure {
    error: TokenError,
    at: OffsetDateTime,
    until: OffsetDateTime,
}

/// The access token of one credential.
#[derive(Debug, Default)]
pub struct TokenCache {
    held: Option<Held>,
    exchange: Option<(u64, OffsetDateTime)>,
    failure: Option<Failure>,
    failures: u32,
    last: u64,
}

/// Whether `now` lies in the span. A clock that was set back ends every span: it makes tokens old, never young.
fn within(now: OffsetDateTime, from: OffsetDateTime, until: OffsetDateTime) -> bool {
    from <= now && now < until
}

impl TokenCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do now.
    #[must_use]
    pub fn next(&mut self, now: OffsetDateTime) -> Step {
        let usable = self.held.as_ref().filter(|held| within(now, held.from, held.until));
        let usable = usable.map(|held| (held.token.clone(), now >= held.refresh));
        let asking = self.exchange.map(|(_, since)| (since, since.saturating_add(EXCHANGE_LIMIT)));
        let asking = asking.filter(|(since, until)| within(now, *since, *until)).map(|(_, until)| until);
        let failing = self.failure.as_ref().filter(|failure| within(now, failure.at, failure.until));
        match (usable, asking, failing) {
            (Some((token, true)), None, None) => Step::UseAndFetch(token, self.ticket(now)),
            (Some((token, _)), _, _) => Step::Use(token),
            (None, Some(until), _) => Step::Wait(until),
            (None, None, Some(failure)) => Step::Failing(failure.error, failure.until),
            (None, None, None) => Step::Fetch(self.ticket(now)),
        }
    }

    fn ticket(&mut self, since: OffsetDateTime) -> Ticket {
        self.last += 1;
        self.exchange = Some((self.last, since));
        Ticket { number: self.last, since }
    }

    /// Takes the outcome of an exchange. A token that comes late is still taken, unless a later exchange was faster.
    ///
    /// # Errors
    /// The outcome's own, and [`TokenError::Expired`] for a token whose life was over before it came.
    pub fn finished(
        &mut self,
        Ticket { number, since }: Ticket,
        outcome: Result<Granted, TokenError>,
        now: OffsetDateTime,
    ) -> Result<AccessToken, TokenError> {
        if self.exchange.is_some_and(|(current, _)| current == number) {
            self.exchange = None;
        }
        let held = outcome.and_then(|granted| Held::new(number, since.min(now), granted, now));
        match held {
            Ok(held) => {
                let token = held.token.clone();
                if self.held.as_ref().is_none_or(|older| older.token.number < number) {
                    self.held = Some(held);
                    self.failure = None;
                    self.failures = 0;
                }
                Ok(token)
            }
            Err(error) => {
                // That an earlier exchange failed does not matter any more where a later one has not.
                if self.held.as_ref().is_none_or(|held| held.token.number < number) {
                    self.failed(error, now);
                }
                Err(error)
            }
        }
    }

    /// The model has answered 401 to this token: it is not used again.
    pub fn rejected(&mut self, token: &AccessToken, now: OffsetDateTime) {
        let Some(held) = self.held.take_if(|held| held.token.number == token.number) else { return };
        if within(now, held.from, held.from.saturating_add(SETTLED)) {
            self.failed(TokenError::ClientRefused, now);
        }
    }

    fn failed(&mut self, error: TokenError, at: OffsetDateTime) {
        let doubled = FIRST_WAIT.saturating_mul(1_i32 << self.failures.min(6));
        let wait = if error.is_transient() { doubled.min(LONGEST_WAIT) } else { LONGEST_WAIT };
        self.failures = self.failures.saturating_add(1);
        self.failure = Some(Failure { error, at, until: at.saturating_add(wait) });
    }
}

impl Held {
    /// Counted from when it was asked for: it cannot have been issued earlier.
    fn new(number: u64, from: OffsetDateTime, granted: Granted, now: OffsetDateTime) -> Result<Self, TokenError> {
        let lifetime = granted.lifetime.unwrap_or(DEFAULT_LIFETIME).min(MAX_LIFETIME);
        let until = from.saturating_add(lifetime - MARGIN.min(lifetime / 10));
        if now >= until {
            return Err(TokenError::Expired);
        }
        let token = AccessToken { value: Arc::new(granted.access_token), number };
        Ok(Self { token, from, refresh: from.saturating_add(lifetime * 3 / 4), until })
    }
}

#[cfg(test)]
mod tests;
