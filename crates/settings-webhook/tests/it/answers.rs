//! NO06, NO07, SS06: what a receiver can do to us, and what becomes of the delivery.
use crate::{Names, client, delivery, limited, local, now, receiver, secret, workspace};
use settings_domain::ports::{
    sending::{Accepted, Retry, SendFailure},
    webhooks::WebhookSender as _,
};
use settings_egress::{Limits, Policy};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The end comes soon, yet a busy machine gets through.
const SHORT: Limits =
    Limits { connect: Duration::from_secs(5), total: Duration::from_secs(2), per_tenant: 2, wait: Duration::ZERO };

fn later(cause: &'static str, status: Option<u16>) -> SendFailure {
    SendFailure { cause, status, retry: Retry::Later }
}

#[tokio::test]
async fn an_answer_is_taken_refused_for_good_or_for_now() {
    let receiver = receiver(&[]);
    let client = client(local(), Names::NotFound);
    let to = async |path: &str| client.send(&delivery(receiver.url(path), now())).await;
    for status in [200, 201, 202, 204] {
        assert_eq!(to(&status.to_string()).await, Ok(Accepted { status }));
    }
    assert_eq!(to("500").await, Err(later("the receiver failed", Some(500))));
    assert_eq!(to("401").await, Err(later("the receiver refused the delivery", Some(401))));
    assert_eq!(
        to("410").await,
        Err(SendFailure { cause: "the receiver says that it is gone", status: Some(410), retry: Retry::Never })
    );
}

#[tokio::test]
async fn no06_a_receiver_may_ask_for_time_but_not_for_ever() {
    let receiver = receiver(&[]);
    let client = client(local(), Names::NotFound);
    for (path, retry) in [
        ("status/429?after=120", Retry::After(time::Duration::minutes(2))),
        ("status/503?after=Fri,+31+Dec+9999+23:59:59+GMT", Retry::After(time::Duration::hours(24))),
        ("status/429?after=9999999999", Retry::After(time::Duration::hours(24))),
        ("status/429?after=tomorrow", Retry::Later),
        ("status/429", Retry::Later),
        ("status/500?after=120", Retry::Later),
    ] {
        let failure = client.send(&delivery(receiver.url(path), now())).await.unwrap_err();
        assert_eq!(failure.retry, retry, "{path}");
    }
}

#[tokio::test]
async fn no07_a_redirect_is_not_followed() {
    let mut receiver = receiver(&[]);
    let client = client(local(), Names::NotFound);
    let sent = client.send(&delivery(receiver.url("redirect"), now())).await;
    assert_eq!(sent, Err(later("the receiver redirects, which is not followed", Some(307))));
    assert_eq!(receiver.next().path, "/redirect");
    // The next request that it sees is the next one that was sent.
    assert!(client.send(&delivery(receiver.url("202"), now())).await.is_ok());
    assert_eq!(receiver.next().path, "/202");
}

#[tokio::test]
async fn no06_a_hundred_megabytes_are_not_read() {
    let receiver = receiver(&[]);
    let started = Instant::now();
    let sent = client(local(), Names::NotFound).send(&delivery(receiver.url("huge"), now())).await;
    assert_eq!(sent, Ok(Accepted { status: 200 }));
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn no06_a_silent_or_dripping_receiver_is_given_up_and_delays_no_other_tenant() {
    let mut receiver = receiver(&[]);
    let client = Arc::new(limited(local(), Names::NotFound, SHORT));
    let mut waiting = Vec::new();
    for path in ["silent", "drip"] {
        let (client, delivery) = (Arc::clone(&client), delivery(receiver.url(path), now()));
        waiting.push(tokio::spawn(async move { client.send(&delivery).await }));
    }
    // The receiver has both, so both of the tenant's places are taken.
    receiver.next();
    receiver.next();
    let busy = client.send(&delivery(receiver.url("200"), now())).await.unwrap_err();
    let cause = "too many deliveries of this workspace are under way";
    assert_eq!(busy, SendFailure { cause, status: None, retry: Retry::After(time::Duration::seconds(15)) });
    let mut of_another = delivery(receiver.url("200"), now());
    of_another.tenant = workspace(2);
    assert!(client.send(&of_another).await.is_ok());
    let mut causes = Vec::new();
    for attempt in waiting {
        let failure = attempt.await.unwrap().unwrap_err();
        assert_eq!((failure.status, failure.retry), (None, Retry::Later));
        causes.push(failure.cause);
    }
    assert_eq!(causes, ["there was no answer in time", "the answer was too slow"]);
    assert!(client.send(&delivery(receiver.url("200"), now())).await.is_ok());
}

#[tokio::test]
async fn a_receiver_that_hangs_up_is_away_or_speaks_no_http_is_tried_again() {
    let receiver = receiver(&[]);
    let client = client(local(), Names::NotFound);
    let to = async |url: String| client.send(&delivery(url, now())).await;
    assert_eq!(to(receiver.url("reset")).await, Err(later("the connection failed", None)));
    assert_eq!(to(receiver.url("noise")).await, Err(later("the answer is not valid HTTP", None)));
    let url = receiver.url("200");
    drop(receiver);
    assert_eq!(to(url).await, Err(later("the connection failed", None)));
    let nowhere = later("no public address was found for the URL's host", None);
    assert_eq!(to("https://gone.example/".to_owned()).await, Err(nowhere));
}

#[tokio::test]
async fn ss06_what_a_host_stands_for_may_mend_and_a_bad_url_does_not() {
    for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00:ec2::254"] {
        let client = client(Policy::strict(), Names::are(&[address]));
        let sent = client.send(&delivery("https://hooks.example.com/x".to_owned(), now())).await;
        assert_eq!(sent, Err(later("no public address was found for the URL's host", None)), "{address}");
    }
    let client = client(Policy::strict(), Names::NotFound);
    for (url, cause) in [
        ("http://hooks.example.com/", "the URL does not start with https://"),
        ("https://hooks.example.com:22/", "the URL's port is not 443"),
        ("https://127.0.0.1/", "the URL's host is not public"),
        ("https://[::ffff:a9fe:a9fe]/", "the URL's host is not public"),
        ("https://metadata.google.internal/", "the URL's host is not public"),
        ("https://user:pass@hooks.example.com/", "the URL is not one that may be sent to"),
        ("", "the URL is not one that may be sent to"),
    ] {
        let sent = client.send(&delivery(url.to_owned(), now())).await;
        assert_eq!(sent, Err(SendFailure { cause, status: None, retry: Retry::Never }), "{url}");
    }
}

#[tokio::test]
async fn a_webhook_without_a_secret_is_sent_nothing() {
    let mut receiver = receiver(&[]);
    let client = client(local(), Names::NotFound);
    let mut unsigned = delivery(receiver.url("200"), now());
    unsigned.secrets.clear();
    let cause = "the webhook has no secret to sign with";
    assert_eq!(client.send(&unsigned).await, Err(SendFailure { cause, status: None, retry: Retry::Never }));
    unsigned.secrets.push(secret(1));
    unsigned.url = receiver.url("202");
    assert!(client.send(&unsigned).await.is_ok());
    assert_eq!(receiver.next().path, "/202");
}
