//! Answers that are slow, endless, broken or missing.
use crate::support::{CANARY, LIMITS, Responder, local_prober, probe, prober, token};
use settings_domain::{models::Provider, ports::probe::ProbeReport};
use settings_egress::Limits;
use std::{
    io::{self, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

const SHORT: Limits = Limits {
    connect: Duration::from_millis(300),
    total: Duration::from_millis(600),
    per_tenant: 4,
    wait: Duration::ZERO,
};

async fn ask(limits: Limits, responder: &Responder) -> ProbeReport {
    let prober = prober(&["127.0.0.0/8"], &["127.0.0.1"], limits);
    probe(&prober, Provider::OpenAi, responder.url("/"), token(CANARY)).await
}

#[tokio::test]
async fn an_endless_answer_is_judged_by_its_status_and_not_read_to_its_end() {
    let endless = Responder::start(|wire| {
        wire.write_all(b"HTTP/1.1 401 no\r\n\r\n")?;
        loop {
            wire.write_all(&[b'x'; 4096])?;
        }
    });
    let report = ask(LIMITS, &endless).await;
    assert_eq!((report.authenticated, report.status), (Some(false), Some(401)));
}

#[tokio::test]
async fn an_answer_that_does_not_begin_or_does_not_end_is_given_up() {
    let silent = Responder::start(|_| {
        loop {
            thread::park();
        }
    });
    let report = ask(SHORT, &silent).await;
    assert_eq!((report.reachable, report.authenticated, report.status), (false, None, None));
    assert!(report.detail.starts_with("There was no answer in time"), "{}", report.detail);
    assert!((600..5000).contains(&report.took_ms), "{}", report.took_ms);

    let dripping = Responder::start(|wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
        loop {
            wire.write_all(b"x")?;
            thread::park_timeout(Duration::from_millis(50));
        }
    });
    let report = ask(SHORT, &dripping).await;
    assert_eq!((report.reachable, report.authenticated, report.status), (true, None, None));
    assert!(report.detail.starts_with("The answer began and did not end in time"), "{}", report.detail);
}

/// The port of something that answers in the clear, to whatever it is asked.
fn speaks_first() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let streams = listener.incoming().map(|stream| {
            let mut stream = stream?;
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").map(|()| stream)
        });
        // Held, so that the answer is read before the connection ends.
        let _held: Vec<_> = streams.collect();
    });
    port
}

#[tokio::test]
async fn what_is_no_service_is_told_apart() {
    let other = Responder::start(|wire| wire.write_all(b"-ERR unknown command\r\n"));
    let hasty = Responder::start(|_| Err(io::Error::other("goes away")));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let prober = local_prober();
    let plain = speaks_first();
    for (url, says) in [
        (other.url("/"), "What answers does not speak HTTP"),
        (hasty.url("/"), "No connection could be made"),
        (format!("http://{closed}/"), "No connection could be made"),
        (format!("https://127.0.0.1:{plain}/"), "The host could not show that it is who it should be"),
    ] {
        let report = probe(&prober, Provider::Custom, url.as_str(), token(CANARY)).await;
        assert!(!report.reachable && report.detail.starts_with(says), "{url}: {}", report.detail);
    }
}

#[tokio::test]
async fn a_tenant_has_so_many_tests_under_way_and_no_more() {
    let silent = Responder::start(|_| {
        loop {
            thread::park();
        }
    });
    let limits = Limits { total: Duration::from_secs(2), per_tenant: 1, ..LIMITS };
    let prober = prober(&["127.0.0.0/8"], &["127.0.0.1"], limits);
    let (first, second) = tokio::join!(
        probe(&prober, Provider::OpenAi, silent.url("/"), token(CANARY)),
        probe(&prober, Provider::OpenAi, silent.url("/"), token(CANARY))
    );
    assert!(first.detail.starts_with("There was no answer in time"), "{}", first.detail);
    assert!(second.detail.starts_with("Other tests of this workspace are under way"), "{}", second.detail);
    assert_eq!(silent.requests().len(), 1);
}
