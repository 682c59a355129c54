//! What is repeated, under which name, how often, and when no longer.
use crate::{
    client, customer,
    responder::{Responder, answer},
    slug, usage, workspace,
};
use settings_domain::ports::billing::{BillingError, BillingGateway as _, Reachability};
use std::{
    collections::BTreeSet,
    io::Write as _,
    time::{Duration, Instant},
};

const RETURN: &str = "https://settings.example/acme/settings/billing";
const SESSION: &str = r#"{"url":"https://billing.stripe.com/p/1"}"#;

fn keys(stripe: &Responder) -> BTreeSet<String> {
    stripe.requests().iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_stripe_that_fails_for_a_moment_is_asked_again_under_the_same_name() {
    for bad in
        [answer(500, "", ""), answer(502, "", "<html>"), answer(503, "", "{}"), answer(409, "", "{}"), String::new()]
    {
        // The last one hangs up without a word.
        let stripe = Responder::script(vec![bad.clone(), bad, answer(200, "", SESSION)]);
        let url = client(&stripe.url).portal(&customer(), RETURN).await;
        assert_eq!(url.as_deref(), Ok("https://billing.stripe.com/p/1"));
        assert_eq!((stripe.requests().len(), keys(&stripe).len()), (3, 1));
    }
}

#[tokio::test]
async fn after_three_attempts_it_is_given_up() {
    let stripe = Responder::with(500, "", "");
    let error = client(&stripe.url).portal(&customer(), RETURN).await;
    assert!(matches!(error, Err(BillingError::Unavailable(_))), "{error:?}");
    assert_eq!(stripe.requests().len(), 3);
}

#[tokio::test]
async fn stripe_may_say_that_it_is_no_use() {
    let stripe = Responder::with(500, "stripe-should-retry: false\r\n", "");
    assert!(client(&stripe.url).portal(&customer(), RETURN).await.is_err());
    assert_eq!(stripe.requests().len(), 1);
}

#[tokio::test]
async fn a_short_wait_that_stripe_asks_for_is_waited_and_a_long_one_is_handed_on() {
    let stripe = Responder::script(vec![answer(429, "retry-after: 1\r\n", "{}"), answer(200, "", SESSION)]);
    let started = Instant::now();
    assert!(client(&stripe.url).portal(&customer(), RETURN).await.is_ok());
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    let stripe = Responder::with(429, "retry-after: 17\r\n", "{}");
    let started = Instant::now();
    let error = client(&stripe.url).portal(&customer(), RETURN).await;
    assert_eq!(error, Err(BillingError::RateLimited(time::Duration::seconds(17))));
    assert_eq!(stripe.requests().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_connection_that_breaks_off_in_the_answer_is_made_again() {
    let stripe = Responder::start(|stream, n, _| {
        let whole = answer(200, "", SESSION);
        stream.write_all(if n == 0 { &whole.as_bytes()[..whole.len() - 5] } else { whole.as_bytes() })
    });
    assert!(client(&stripe.url).portal(&customer(), RETURN).await.is_ok());
    assert_eq!((stripe.requests().len(), keys(&stripe).len()), (2, 1));
}

#[tokio::test]
async fn a_stripe_that_keeps_failing_is_left_alone_and_one_that_refuses_is_not() {
    let away = Responder::with(500, "", "");
    let stripe = client(&away.url);
    assert_eq!(stripe.reachability(), Reachability::Untried);
    for _ in 0..2 {
        assert!(stripe.portal(&customer(), RETURN).await.is_err());
    }
    assert_eq!((stripe.reachability(), away.requests().len()), (Reachability::Away, 5));
    let started = Instant::now();
    for _ in 0..100 {
        assert!(matches!(stripe.portal(&customer(), RETURN).await, Err(BillingError::Unavailable(_))));
    }
    assert_eq!(away.requests().len(), 5);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let refusing = Responder::with(400, "", "{}");
    let stripe = client(&refusing.url);
    for _ in 0..20 {
        assert!(matches!(stripe.portal(&customer(), RETURN).await, Err(BillingError::Refused(_))));
    }
    assert_eq!((stripe.reachability(), refusing.requests().len()), (Reachability::Reachable, 20));
}

#[tokio::test]
async fn after_a_pause_one_call_tries_stripe_again_and_if_it_answers_all_may() {
    let stripe_away = Responder::start(|stream, n, _| {
        let said = if n < 5 { answer(500, "", "") } else { answer(200, "", SESSION) };
        stream.write_all(said.as_bytes())
    });
    let stripe = client(&stripe_away.url);
    for _ in 0..2 {
        assert!(stripe.portal(&customer(), RETURN).await.is_err());
    }
    assert_eq!(stripe.reachability(), Reachability::Away);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(stripe.portal(&customer(), RETURN).await.is_ok());
    assert_eq!(stripe.reachability(), Reachability::Reachable);
}

#[tokio::test]
async fn the_same_report_and_the_same_workspace_have_one_name_whoever_asks_and_all_else_has_a_new_one() {
    let stripe = Responder::json(r#"{"object":"billing.meter_event"}"#);
    for _ in 0..2 {
        client(&stripe.url).report_usage(workspace(), &customer(), &usage()).await.unwrap();
    }
    assert_eq!((stripe.requests().len(), keys(&stripe).len()), (2, 1));

    let stripe = Responder::routes(vec![
        ("/v1/customers/search", r#"{"data":[]}"#.to_owned()),
        ("POST /v1/customers", r#"{"id":"cus_1"}"#.to_owned()),
    ]);
    for _ in 0..2 {
        client(&stripe.url).ensure_customer(workspace(), &slug()).await.unwrap();
    }
    let made: Vec<_> = stripe.requests().into_iter().filter(|request| request.line.starts_with("POST")).collect();
    assert_eq!((made.len(), &made[0].body), (2, &made[1].body));
    assert_eq!(made[0].header("idempotency-key"), made[1].header("idempotency-key"));

    let stripe = Responder::json(SESSION);
    let gateway = client(&stripe.url);
    for _ in 0..2 {
        gateway.portal(&customer(), RETURN).await.unwrap();
    }
    assert_eq!(keys(&stripe).len(), 2);
}

#[tokio::test]
async fn a_customer_that_was_made_before_is_found_again() {
    let stripe = Responder::routes(vec![
        ("/v1/customers/search", r#"{"data":[{"id":"cus_before"}]}"#.to_owned()),
        ("/v1/customers/cus_before", r#"{"id":"cus_before"}"#.to_owned()),
    ]);
    let found = client(&stripe.url).ensure_customer(workspace(), &slug()).await.unwrap();
    assert_eq!((found.as_str(), stripe.requests().len()), ("cus_before", 2));
}

#[tokio::test]
async fn a_customer_whom_search_knows_and_who_was_deleted_since_is_not_taken() {
    for gone in [r#"{"id":"cus_before","deleted":true}"#, ""] {
        let mut routes = vec![
            ("/v1/customers/search", r#"{"data":[{"id":"cus_before"}]}"#.to_owned()),
            ("POST /v1/customers", r#"{"id":"cus_new"}"#.to_owned()),
        ];
        if !gone.is_empty() {
            routes.push(("/v1/customers/cus_before", gone.to_owned()));
        }
        let stripe = Responder::routes(routes);
        let made = client(&stripe.url).ensure_customer(workspace(), &slug()).await.unwrap();
        assert_eq!(made.as_str(), "cus_new", "{gone}");
    }
}

#[tokio::test]
async fn a_customer_that_was_made_and_deleted_today_is_not_handed_out_again() {
    // Stripe answers an equal call as it did the first time, whatever became of the customer.
    let stripe = Responder::start(|stream, _, request| {
        let first = request.header("idempotency-key").is_some_and(|key| !key.contains("after"));
        let said = match request.line.split('?').next().unwrap_or_default() {
            line if line.contains("/search") => answer(200, "", r#"{"data":[]}"#),
            line if line.starts_with("GET") => answer(200, "", r#"{"id":"cus_deleted","deleted":true}"#),
            _ if first => answer(200, "idempotent-replayed: true\r\n", r#"{"id":"cus_deleted"}"#),
            _ => answer(200, "", r#"{"id":"cus_new"}"#),
        };
        stream.write_all(said.as_bytes())
    });
    let made = client(&stripe.url).ensure_customer(workspace(), &slug()).await.unwrap();
    assert_eq!(made.as_str(), "cus_new");
}
