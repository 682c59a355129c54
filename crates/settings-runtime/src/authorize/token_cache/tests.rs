use super::*;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

const START: OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);

fn at(seconds: i64) -> OffsetDateTime {
    START + Duration::seconds(seconds)
}
fn granted(seconds: i64) -> Granted {
    Granted { access_token: "token".into(), lifetime: Some(Duration::seconds(seconds)) }
}
fn fetch(step: Step) -> Ticket {
    match step {
        Step::Fetch(ticket) | Step::UseAndFetch(_, ticket) => ticket,
        other => panic!("{other:?}"),
    }
}
/// A cache with a token that was asked for at 0 and lives for an hour.
fn hour() -> TokenCache {
    let mut cache = TokenCache::new();
    let ticket = fetch(cache.next(at(0)));
    assert_eq!(cache.finished(ticket, Ok(granted(3600)), at(2)).unwrap().value().expose_secret(), "token");
    cache
}

#[test]
fn one_caller_asks_and_the_others_wait() {
    let mut cache = TokenCache::new();
    let ticket = fetch(cache.next(at(0)));
    assert!(matches!(cache.next(at(1)), Step::Wait(until) if until == at(30)));
    let _ = cache.finished(ticket, Ok(granted(3600)), at(2));
    assert!(matches!(cache.next(at(2)), Step::Use(_)));
}

#[test]
fn an_exchange_that_hangs_does_not_hold_up_the_others_for_ever() {
    let mut cache = TokenCache::new();
    let slow = fetch(cache.next(at(0)));
    assert!(matches!(cache.next(at(29)), Step::Wait(_)));
    let fast = fetch(cache.next(at(30)));
    let late = cache.finished(slow, Ok(granted(3600)), at(31)).unwrap();
    assert_eq!(late.number, 1);
    // The late token serves, and the second exchange is still under way.
    assert!(matches!(cache.next(at(32)), Step::Use(token) if token.number == 1));
    assert_eq!(cache.finished(fast, Ok(granted(3600)), at(33)).unwrap().number, 2);
    assert!(matches!(cache.next(at(33)), Step::Use(token) if token.number == 2));
}

#[test]
fn an_older_token_does_not_replace_a_newer_one() {
    let mut cache = TokenCache::new();
    let slow = fetch(cache.next(at(0)));
    let fast = fetch(cache.next(at(40)));
    let _ = cache.finished(fast, Ok(granted(3600)), at(41));
    let _ = cache.finished(slow, Ok(granted(60)), at(42));
    assert!(matches!(cache.next(at(43)), Step::Use(token) if token.number == 2));
}

#[test]
fn an_older_failure_does_not_hold_up_a_newer_success() {
    let mut cache = TokenCache::new();
    let slow = fetch(cache.next(at(0)));
    let fast = fetch(cache.next(at(40)));
    let token = cache.finished(fast, Ok(granted(3600)), at(41)).unwrap();
    let _ = cache.finished(slow, Err(TokenError::ClientRefused), at(60));
    cache.rejected(&token, at(60));
    assert!(matches!(cache.next(at(60)), Step::Fetch(_)));
}

#[test]
fn a_token_is_renewed_ahead_by_one_caller_while_it_serves_all() {
    let mut cache = hour();
    assert!(matches!(cache.next(at(2699)), Step::Use(_)));
    let ticket = fetch(cache.next(at(2700)));
    assert!(matches!(cache.next(at(2700)), Step::Use(_)));
    let answer = cache.finished(ticket, Err(TokenError::Status(503)), at(2701));
    assert_eq!(answer.err(), Some(TokenError::Status(503)));
    assert!(matches!(cache.next(at(2701)), Step::Use(_)), "the old one still serves, and nobody asks yet");
    assert!(matches!(cache.next(at(2702)), Step::UseAndFetch(..)));
}

#[test]
fn a_token_ends_before_its_server_ends_it() {
    let mut cache = hour();
    assert!(matches!(cache.next(at(3569)), Step::UseAndFetch(..)));
    assert!(matches!(cache.next(at(3570)), Step::Wait(_)));
    let mut short = TokenCache::new();
    let ticket = fetch(short.next(at(0)));
    let _ = short.finished(ticket, Ok(granted(10)), at(1));
    assert!(matches!(short.next(at(8)), Step::UseAndFetch(..)));
    assert!(matches!(short.next(at(9)), Step::Wait(_)));
}

#[test]
fn a_token_without_a_lifetime_and_one_with_a_huge_one_end_as_well() {
    for (lifetime, last) in [(None, 269), (Some(Duration::MAX), 24 * 3600 - 31)] {
        let mut cache = TokenCache::new();
        let ticket = fetch(cache.next(at(0)));
        let _ = cache.finished(ticket, Ok(Granted { access_token: "token".into(), lifetime }), at(0));
        assert!(matches!(cache.next(at(last)), Step::UseAndFetch(..)), "{lifetime:?}");
        assert!(matches!(cache.next(at(last + 1)), Step::Wait(_)), "{lifetime:?}");
    }
}

#[test]
fn failures_wait_twice_as_long_each_time_up_to_a_minute() {
    let mut cache = TokenCache::new();
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let ticket = fetch(cache.next(at(now)));
        assert!(cache.finished(ticket, Err(TokenError::Status(503)), at(now)).is_err());
        let step = cache.next(at(now + wait - 1));
        assert!(matches!(step, Step::Failing(TokenError::Status(503), until) if until == at(now + wait)), "{step:?}");
        now += wait;
    }
    let ticket = fetch(cache.next(at(now)));
    let _ = cache.finished(ticket, Ok(granted(1)), at(now));
    now += 1;
    let ticket = fetch(cache.next(at(now)));
    let _ = cache.finished(ticket, Err(TokenError::Status(503)), at(now));
    assert!(matches!(cache.next(at(now)), Step::Failing(_, until) if until == at(now + 1)), "success starts afresh");
}

#[test]
fn what_asking_again_does_not_mend_waits_a_minute_at_once() {
    for error in [TokenError::ClientRefused, TokenError::RequestRefused, TokenError::NotBearer] {
        let mut cache = TokenCache::new();
        let ticket = fetch(cache.next(at(0)));
        let _ = cache.finished(ticket, Err(error), at(0));
        assert!(matches!(cache.next(at(59)), Step::Failing(e, _) if e == error));
        assert!(matches!(cache.next(at(60)), Step::Fetch(_)));
    }
}

#[test]
fn a_token_that_was_over_before_it_came_is_a_failure_and_no_loop() {
    let mut cache = TokenCache::new();
    let ticket = fetch(cache.next(at(0)));
    assert_eq!(cache.finished(ticket, Ok(granted(2)), at(2)).err(), Some(TokenError::Expired));
    assert!(matches!(cache.next(at(2)), Step::Failing(TokenError::Expired, _)));
}

#[test]
fn a_rejected_token_is_dropped_once_and_a_fresh_one_that_is_rejected_waits() {
    let mut cache = hour();
    let Step::Use(old) = cache.next(at(100)) else { panic!() };
    cache.rejected(&old, at(100));
    let ticket = fetch(cache.next(at(100)));
    let new = cache.finished(ticket, Ok(granted(3600)), at(101)).unwrap();
    cache.rejected(&old, at(102));
    assert!(matches!(cache.next(at(102)), Step::Use(_)), "that one is gone already");
    cache.rejected(&new, at(103));
    assert!(matches!(cache.next(at(103)), Step::Failing(TokenError::ClientRefused, _)));
}

#[test]
fn nothing_of_a_token_is_shown() {
    let mut cache = TokenCache::new();
    let ticket = fetch(cache.next(at(0)));
    let canary = Granted { access_token: "canary".into(), lifetime: None };
    let token = cache.finished(ticket, Ok(canary), at(0)).unwrap();
    assert!(!format!("{cache:?}{token:?}{:?}", cache.next(at(0))).contains("canary"));
}

#[derive(Debug, Clone)]
enum Event {
    Pass(i64),
    SetBack(i64),
    Next,
    Grant(usize, i64),
    Fail(usize, bool),
    Reject,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_i64..4000).prop_map(Event::Pass),
        2 => (0_i64..20).prop_map(Event::Pass),
        1 => (0_i64..4000).prop_map(Event::SetBack),
        8 => Just(Event::Next),
        4 => (0_usize..3, 1_i64..4000).prop_map(|(i, life)| Event::Grant(i, life)),
        2 => (0_usize..3, any::<bool>()).prop_map(|(i, transient)| Event::Fail(i, transient)),
        1 => Just(Event::Reject),
    ]
}

proptest! {
    /// Whatever happens in whatever order, and whichever way the clock goes.
    #[test]
    fn no_token_is_used_after_its_life_or_its_rejection_and_two_callers_never_ask(
        events in proptest::collection::vec(event(), 1..60)
    ) {
        let (mut cache, mut now) = (TokenCache::new(), 0);
        let mut tickets: Vec<(Ticket, i64)> = Vec::new();
        // What was granted: number, from when and to when it lives by the server's own clock.
        let mut lives: Vec<(u64, i64, i64)> = Vec::new();
        let mut rejected: Vec<u64> = Vec::new();
        let mut in_use: Option<AccessToken> = None;
        // Since when the exchange that others wait for has been under way.
        let mut asking: Option<(u64, i64)> = None;
        for event in events {
            match event {
                Event::Pass(seconds) => now += seconds,
                Event::SetBack(seconds) => now -= seconds,
                Event::Next => {
                    let (token, ticket) = match cache.next(at(now)) {
                        Step::Use(token) => (Some(token), None),
                        Step::UseAndFetch(token, ticket) => (Some(token), Some(ticket)),
                        Step::Fetch(ticket) => (None, Some(ticket)),
                        Step::Wait(until) | Step::Failing(_, until) => {
                            prop_assert!(until > at(now), "waiting for the past");
                            prop_assert!(until <= at(now) + Duration::seconds(60));
                            (None, None)
                        }
                    };
                    if let Some(token) = token {
                        let (_, from, until) = *lives.iter().find(|(number, ..)| *number == token.number).unwrap();
                        prop_assert!((from..until).contains(&now), "{now} is not in {from}..{until}");
                        prop_assert!(!rejected.contains(&token.number));
                        in_use = Some(token);
                    }
                    if let Some(ticket) = ticket {
                        if let Some((_, since)) = asking {
                            prop_assert!(!(since..since + 30).contains(&now), "two ask at once");
                        }
                        asking = Some((ticket.number, now));
                        tickets.push((ticket, now));
                    }
                }
                Event::Grant(i, life) if i < tickets.len() => {
                    let (ticket, since) = tickets.remove(i);
                    let number = ticket.number;
                    asking = asking.filter(|(current, _)| *current != number);
                    lives.push((number, since.min(now), since.min(now) + life));
                    let _ = cache.finished(ticket, Ok(granted(life)), at(now));
                }
                Event::Fail(i, transient) if i < tickets.len() => {
                    let (ticket, _) = tickets.remove(i);
                    asking = asking.filter(|(current, _)| *current != ticket.number);
                    let error = if transient { TokenError::Status(503) } else { TokenError::ClientRefused };
                    let _ = cache.finished(ticket, Err(error), at(now));
                }
                Event::Reject => if let Some(token) = in_use.take() {
                    cache.rejected(&token, at(now));
                    rejected.push(token.number);
                },
                Event::Grant(..) | Event::Fail(..) => {}
            }
        }
    }
}
