//! What Stripe's refusals mean, in words of our own.
use serde::Deserialize;
use settings_domain::ports::billing::BillingError;
use std::borrow::Cow;
use time::Duration;

/// How long to wait where Stripe asks to, and does not say for how long.
const PATIENCE: Duration = Duration::seconds(2);
/// The longest that Stripe may put us off. The queue's own schedule has to come to its end.
const LONGEST: Duration = Duration::hours(24);

pub(crate) const GIBBERISH: BillingError = BillingError::Unavailable("what answered is not Stripe");
pub(crate) const AWAY: BillingError =
    BillingError::Unavailable("Stripe has failed several times in a row and is left alone for some seconds");

/// What an attempt came to, if not to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: BillingError,
    /// How long to wait at least before it is worth another attempt; `None` where it will not fare better.
    pub(crate) again: Option<Duration>,
    /// Whether Stripe answered as Stripe does.
    pub(crate) answered: bool,
    /// Whether Stripe says that it did the same before.
    pub(crate) done_before: bool,
}

impl Failure {
    /// No usable answer; worth another attempt.
    pub(crate) const fn unanswered(cause: &'static str) -> Self {
        let error = BillingError::Unavailable(cause);
        Self { error, again: Some(Duration::ZERO), answered: false, done_before: false }
    }
    /// Somebody else answered.
    pub(crate) const fn gibberish() -> Self {
        Self { error: GIBBERISH, again: None, answered: false, done_before: false }
    }
    const fn answer(error: BillingError, again: Option<Duration>) -> Self {
        Self { error, again, answered: true, done_before: false }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<Fault<'a>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
}

/// What the headers of an answer say about another attempt.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Advice<'a> {
    pub(crate) retry_after: Option<&'a str>,
    pub(crate) should_retry: Option<&'a str>,
}

/// Why there is no answer. `refused` says what the call was, for refusals that need no words of their own.
pub(crate) fn of_a_call(status: u16, body: &[u8], advice: Advice<'_>, refused: &'static str) -> Failure {
    use BillingError::{Gone, Misconfigured, RateLimited, Refused, Unavailable};
    let fault = serde_json::from_slice::<Envelope<'_>>(body).ok().and_then(|envelope| envelope.error);
    let kind = fault.as_ref().and_then(|fault| fault.kind.as_deref()).unwrap_or_default();
    let code = fault.as_ref().and_then(|fault| fault.code.as_deref()).unwrap_or_default();
    let mut failure = match (status, kind, code) {
        (_, _, "resource_missing") | (404, ..) => Failure::answer(Gone("Stripe does not find it any more"), None),
        (400, _, "duplicate_meter_event") => {
            Failure { done_before: true, ..Failure::answer(Refused("Stripe has that report already"), None) }
        }
        (400, "idempotency_error", _) => Failure::answer(Refused("Stripe got another call by the same name"), None),
        (401, ..) => Failure::answer(Misconfigured("Stripe does not accept this service's secret key"), None),
        (403, ..) => Failure::answer(Misconfigured("Stripe says that the secret key may not do this"), None),
        (402, ..) => Failure::answer(Refused("Stripe says that the payment failed"), None),
        (409, ..) => {
            Failure::answer(Unavailable("Stripe is busy with another call for the same thing"), Some(Duration::ZERO))
        }
        (429, ..) => {
            let wait = patience(advice.retry_after);
            Failure::answer(RateLimited(wait), Some(wait))
        }
        (400..=499, ..) => Failure::answer(Refused(refused), None),
        (500..=599, ..) => {
            let wait = advice.retry_after.map_or(Duration::ZERO, |text| patience(Some(text)));
            Failure { again: Some(wait), ..Failure::unanswered("Stripe failed") }
        }
        _ => return Failure::gibberish(),
    };
    match advice.should_retry {
        Some("false") => failure.again = None,
        Some("true") => failure.again = failure.again.or(Some(Duration::ZERO)),
        _ => {}
    }
    failure
}

/// How long Stripe asks to wait: seconds, at least one.
fn patience(retry_after: Option<&str>) -> Duration {
    let text = retry_after.map(str::trim).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    // More digits than a number holds are a long time too.
    text.map_or(PATIENCE, |text| text.parse().map_or(LONGEST, Duration::seconds)).clamp(Duration::SECOND, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Failure {
        of_a_call(status, body.as_bytes(), Advice::default(), "no")
    }

    #[test]
    fn each_refusal_is_gone_wrongly_set_up_waited_for_or_final() {
        let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such x"}}"#;
        let reused = r#"{"error":{"type":"idempotency_error"}}"#;
        let in_use = r#"{"error":{"type":"idempotency_error","code":"idempotency_key_in_use"}}"#;
        for (status, body) in [(404, ""), (404, missing), (400, missing)] {
            assert!(matches!(of(status, body).error, BillingError::Gone(_)), "{status} {body}");
        }
        for status in [401, 403] {
            assert!(matches!(of(status, "").error, BillingError::Misconfigured(_)), "{status}");
        }
        for (status, body) in [(400, ""), (400, reused), (402, ""), (405, ""), (413, ""), (422, "{}"), (400, "<html>")]
        {
            let failure = of(status, body);
            assert!(matches!(failure.error, BillingError::Refused(_)), "{status} {body}");
            assert_eq!(failure.again, None);
        }
        for (status, body) in [(409, ""), (409, in_use)] {
            assert_eq!(of(status, body).again, Some(Duration::ZERO), "{body}");
        }
        for status in [500, 502, 503, 504] {
            let failure = of(status, "");
            assert!(matches!(failure.error, BillingError::Unavailable(_)) && !failure.answered, "{status}");
            assert_eq!(failure.again, Some(Duration::ZERO));
        }
        assert_eq!(of(429, "").error, BillingError::RateLimited(Duration::seconds(2)));
        assert!(of(400, r#"{"error":{"code":"duplicate_meter_event"}}"#).done_before);
    }

    #[test]
    fn a_redirect_and_a_success_that_is_none_are_somebody_elses() {
        for status in [100, 201, 204, 301, 302, 307, 600] {
            assert_eq!(of(status, ""), Failure::gibberish(), "{status}");
        }
    }

    #[test]
    fn stripe_has_the_last_word_on_repetitions() {
        let advised = |status, should_retry| {
            of_a_call(status, b"", Advice { should_retry: Some(should_retry), retry_after: None }, "no").again
        };
        assert_eq!(advised(500, "false"), None);
        assert_eq!(advised(409, "false"), None);
        assert_eq!(advised(400, "true"), Some(Duration::ZERO));
        assert_eq!(advised(500, "perhaps"), Some(Duration::ZERO));
    }

    #[test]
    fn stripe_is_left_alone_for_as_long_as_it_asks_but_no_longer_than_a_day() {
        for (text, seconds) in [
            (None, 2),
            (Some("7"), 7),
            (Some(" 7 "), 7),
            (Some("0"), 1),
            (Some("-5"), 2),
            (Some("soon"), 2),
            (Some(""), 2),
            (Some("86401"), 86_400),
            (Some("99999999999999999999999"), 86_400),
        ] {
            assert_eq!(patience(text), Duration::seconds(seconds), "{text:?}");
        }
    }
}
