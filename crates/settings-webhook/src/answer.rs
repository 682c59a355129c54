//! What an answer means, or that there is none.
use settings_domain::ports::sending::{Accepted, Retry, SendFailure};
use settings_egress::{Refused, SendError, TlsFault};
use time::{Duration, OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription};

/// The longest that a receiver may put us off. The queue's own schedule has to come to its end.
const LONGEST: Duration = Duration::hours(24);
/// How long to leave a tenant alone whose places are all taken: an attempt lasts no longer than this.
const BUSY: Duration = Duration::seconds(15);
/// How long a receiver is left alone that does not answer.
const RESTING: Duration = Duration::seconds(30);
/// The one form of a date that RFC 9110 lets senders use (5.6.7).
const HTTP_DATE: StaticFormatDescription = time::macros::format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Judges what the receiver said. `now` is what a date is counted from.
pub(crate) fn judge(status: u16, retry_after: Option<&str>, now: OffsetDateTime) -> Result<Accepted, SendFailure> {
    let failure = |cause, retry| Err(SendFailure { cause, status: Some(status), retry });
    match status {
        200..=299 => Ok(Accepted { status }),
        300..=399 => failure("the receiver redirects, which is not followed", Retry::Later),
        410 => failure("the receiver says that it is gone", Retry::Never),
        429 | 503 => {
            let retry = retry_after.and_then(|text| wait(text, now)).map_or(Retry::Later, Retry::After);
            failure("the receiver asks to wait", retry)
        }
        400..=499 => failure("the receiver refused the delivery", Retry::Later),
        500..=599 => failure("the receiver failed", Retry::Later),
        _ => failure("the receiver gave no usable answer", Retry::Later),
    }
}

/// Reads a `Retry-After`: seconds or a date; `None` for anything else, and for what is over.
fn wait(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than a number holds are a long time too.
        text.parse().map_or(LONGEST, Duration::seconds)
    } else {
        PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc() - now
    };
    wait.is_positive().then(|| wait.min(LONGEST))
}

/// Judges an attempt without an answer. The URL itself was admitted before.
pub(crate) fn unanswered(error: SendError) -> SendFailure {
    let (cause, retry) = match error {
        // Since the URL was admitted, it is what its host stands for today that was not. Both in the same words: which
        // names a private network knows is not for a tenant to read.
        SendError::Refused(_) | SendError::Resolve => ("no public address was found for the URL's host", Retry::Later),
        SendError::Busy => ("too many deliveries of this workspace are under way", Retry::After(BUSY)),
        SendError::Resting => {
            ("the receiver has failed several times in a row and is left alone for a while", Retry::After(RESTING))
        }
        SendError::Connect => ("the connection failed", Retry::Later),
        SendError::Tls(TlsFault::Untrusted) => {
            ("the receiver's certificate is not issued by a known authority", Retry::Later)
        }
        SendError::Tls(TlsFault::Expired) => {
            ("the receiver's certificate has expired or is not valid yet", Retry::Later)
        }
        SendError::Tls(TlsFault::WrongName) => ("the receiver's certificate is for another host", Retry::Later),
        SendError::Tls(_) => ("no secure connection to the receiver could be agreed on", Retry::Later),
        SendError::Timeout => ("there was no answer in time", Retry::Later),
        SendError::TooSlow => ("the answer was too slow", Retry::Later),
        // The receiver may well have the delivery; it has the id too, by which it knows it again.
        SendError::Protocol => ("the answer is not valid HTTP", Retry::Later),
        _ => ("the delivery could not be sent", Retry::Later),
    };
    SendFailure { cause, status: None, retry }
}

/// A URL that must not be sent to, whatever its host stands for.
pub(crate) fn not_admitted(refused: Refused) -> SendFailure {
    let cause = match refused {
        Refused::OwnHost => "the URL is one of this service itself",
        Refused::Address | Refused::LocalName => "the URL's host is not public",
        Refused::Scheme => "the URL does not start with https://",
        Refused::Port => "the URL's port is not 443",
        _ => "the URL is not one that may be sent to",
    };
    SendFailure { cause, status: None, retry: Retry::Never }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-06 10:20:30 UTC);

    fn retry(status: u16, retry_after: Option<&str>) -> Option<Retry> {
        judge(status, retry_after, NOW).err().map(|failure| {
            assert_eq!(failure.status, Some(status));
            failure.retry
        })
    }

    #[test]
    fn only_2xx_is_taken_only_410_is_for_good_and_all_else_comes_again() {
        for status in 100..=999 {
            let expected = match status {
                200..=299 => None,
                410 => Some(Retry::Never),
                _ => Some(Retry::Later),
            };
            assert_eq!(retry(status, None), expected, "{status}");
        }
    }

    #[test]
    fn who_asks_to_wait_is_left_alone_for_as_long_as_a_day() {
        let (hour, day) = (Some(Retry::After(Duration::hours(1))), Some(Retry::After(Duration::hours(24))));
        for status in [429, 503] {
            for (text, expected) in [
                ("3600", hour),
                (" 3600 ", hour),
                ("Thu, 06 Aug 2026 11:20:30 GMT", hour),
                ("86400", day),
                ("86401", day),
                ("99999999999999999999999", day),
                ("Fri, 06 Aug 2027 10:20:30 GMT", day),
                ("0", Some(Retry::Later)),
                ("-5", Some(Retry::Later)),
                ("+5", Some(Retry::Later)),
                ("1.5", Some(Retry::Later)),
                ("soon", Some(Retry::Later)),
                ("", Some(Retry::Later)),
                ("Thu, 06 Aug 2026 10:20:30 GMT", Some(Retry::Later)),
                ("Thu, 06 Aug 2020 11:20:30 GMT", Some(Retry::Later)),
                ("Thursday, 06-Aug-26 11:20:30 GMT", Some(Retry::Later)),
            ] {
                assert_eq!(retry(status, Some(text)), expected, "{status} {text:?}");
            }
        }
        // Others say it without being listened to.
        for status in [301, 404, 500, 502] {
            assert_eq!(retry(status, Some("3600")), Some(Retry::Later), "{status}");
        }
        assert_eq!(retry(410, Some("3600")), Some(Retry::Never));
    }
}
