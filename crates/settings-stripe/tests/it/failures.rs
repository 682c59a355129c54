//! What Stripe can say or do instead of what it was asked.
use crate::{
    KEY, SECRET, client, customer,
    responder::{Responder, answer},
    slug, usage, workspace,
};
use settings_domain::{
    billing::Reading,
    ports::billing::{BillingError, BillingGateway as _, Patience, Reachability},
};
use std::{
    io::Write as _,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

const WORD: &str = "hunter2";
const RETURN: &str = "https://settings.example/acme/settings/billing";

async fn portal(url: &str) -> Result<String, BillingError> {
    client(url).portal(&customer(), RETURN).await
}

#[tokio::test]
async fn a_refusal_is_in_our_words_and_says_who_has_to_act() {
    let body = format!(r#"{{"error":{{"type":"invalid_request_error","code":"{WORD}","message":"{WORD}"}}}}"#);
    for status in [400, 401, 402, 403, 404, 405, 422] {
        let stripe = Responder::with(status, "request-id: req_1\r\n", &body);
        let error = portal(&stripe.url).await.unwrap_err();
        match status {
            401 | 403 => assert!(matches!(error, BillingError::Misconfigured(_)), "{status} {error:?}"),
            404 => assert!(matches!(error, BillingError::Gone(_)), "{error:?}"),
            _ => assert!(matches!(error, BillingError::Refused(_)), "{status} {error:?}"),
        }
        assert!(!error.to_string().contains(WORD), "{error}");
        // It will not fare better.
        assert_eq!(stripe.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_stripes_is_no_success() {
    for body in ["", "{}", "[]", "null", "ok", "<html>sign in</html>", r#"{"url":7}"#, r#"{"url":"https://x"#] {
        let stripe = Responder::json(body);
        assert!(matches!(portal(&stripe.url).await, Err(BillingError::Unavailable(_))), "{body}");
        assert!(matches!(client(&stripe.url).check().await, Err(BillingError::Unavailable(_))), "{body}");
        let read = client(&stripe.url).subscription(&customer(), Patience::Task).await;
        assert!(matches!(read, Err(BillingError::Unavailable(_))), "{body}");
    }
    for status in [201, 202, 204, 206] {
        let stripe = Responder::with(status, "", r#"{"url":"https://billing.stripe.com/p/1"}"#);
        assert!(matches!(portal(&stripe.url).await, Err(BillingError::Unavailable(_))), "{status}");
    }
    // An address that could not be one of the portal's.
    for url in ["", "a b", "https://x/\\n"] {
        let stripe = Responder::json(&format!(r#"{{"url":"{url}"}}"#));
        assert!(portal(&stripe.url).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    let elsewhere = Responder::json(r#"{"url":"https://billing.stripe.com/p/1"}"#);
    for status in [301, 302, 303, 307, 308] {
        let stripe = Responder::with(status, &format!("location: {}/\r\n", elsewhere.url), "");
        assert!(matches!(portal(&stripe.url).await, Err(BillingError::Unavailable(_))), "{status}");
        assert_eq!(stripe.requests().len(), 1);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn no_more_than_512_kib_are_read() {
    let fits = format!(r#"{{"url":"https://billing.stripe.com/p/1","x":"{}"}}"#, "x".repeat(500_000));
    assert!(portal(&Responder::json(&fits).url).await.is_ok());
    let endless = Responder::start(|stream, _, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"url\":\"")?;
        loop {
            stream.write_all(&[b'x'; 8192])?;
        }
    });
    let started = Instant::now();
    assert!(matches!(portal(&endless.url).await, Err(BillingError::Unavailable(_))));
    assert_eq!(endless.requests().len(), 1);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn st09_a_stripe_that_is_silent_or_drips_is_given_up_within_ten_seconds() {
    let silent = Responder::start(|_, _, _| {
        thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let dripping = Responder::start(|stream, _, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"url\":\"")?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(300));
        }
    });
    let (first, second) = (client(&silent.url), client(&dripping.url));
    let (cus, slug) = (customer(), slug());
    let started = Instant::now();
    let (first, second, third) = tokio::join!(
        first.portal(&cus, RETURN),
        second.portal(&cus, RETURN),
        first.ensure_customer(workspace(), &slug)
    );
    let late = BillingError::Unavailable("Stripe did not answer in time");
    assert_eq!((first, second, third), (Err(late), Err(late), Err(late)));
    let took = started.elapsed();
    assert!((8..10).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_person_waits_two_seconds_for_what_can_be_shown_as_it_was() {
    let silent = Responder::start(|_, _, _| {
        thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let stripe = client(&silent.url);
    let started = Instant::now();
    let error = stripe.subscription(&customer(), Patience::Person).await;
    assert_eq!(error, Err(BillingError::Unavailable("Stripe did not answer in time")));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(3), "{took:?}");
    assert_eq!(stripe.reachability(), Reachability::Away);
}

#[tokio::test]
async fn a_stripe_that_is_away_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = portal(&format!("http://{closed}")).await;
    assert_eq!(error, Err(BillingError::Unavailable("Stripe cannot be reached")));
}

#[tokio::test]
async fn the_key_travels_in_one_header_and_is_shown_nowhere() {
    let stripe = Responder::json(r#"{"url":"https://billing.stripe.com/p/1"}"#);
    assert!(portal(&stripe.url).await.is_ok());
    let request = stripe.requests().remove(0);
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(format!("{request:?}").matches(KEY).count(), 1, "{request:?}");
    let shown = format!("{:?}", client(&stripe.url));
    assert!(!shown.contains(KEY) && !shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn a_customer_that_is_gone_is_told_from_one_that_never_subscribed() {
    let nobody = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such customer"}}"#;
    let never = r#"{"id":"cus_1","object":"customer"}"#;
    let deleted = r#"{"id":"cus_1","object":"customer","deleted":true}"#;
    let list = || answer(200, "", r#"{"data":[]}"#);
    for (script, expected) in [
        (vec![answer(400, "", nobody)], Reading::CustomerGone),
        (vec![answer(404, "", nobody)], Reading::CustomerGone),
        (vec![list(), answer(404, "", nobody)], Reading::CustomerGone),
        (vec![list(), answer(200, "", deleted)], Reading::CustomerGone),
        (vec![list(), answer(200, "", never), list()], Reading::Unsubscribed),
    ] {
        let stripe = Responder::script(script);
        assert_eq!(client(&stripe.url).subscription(&customer(), Patience::Task).await, Ok(expected));
    }
}

#[tokio::test]
async fn usage_that_stripe_has_already_is_reported() {
    let twice = r#"{"error":{"type":"invalid_request_error","code":"duplicate_meter_event","message":"exists"}}"#;
    let stripe = Responder::with(400, "", twice);
    assert_eq!(client(&stripe.url).report_usage(workspace(), &customer(), &usage()).await, Ok(()));
    let other = Responder::with(400, "", r#"{"error":{"type":"invalid_request_error"}}"#);
    let error = client(&other.url).report_usage(workspace(), &customer(), &usage()).await;
    assert!(matches!(error, Err(BillingError::Refused(_))), "{error:?}");
}
