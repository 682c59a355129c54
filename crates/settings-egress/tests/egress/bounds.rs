//! SS07: receivers that are slow, silent or endless are bounded in time and in bytes.
use crate::support::{LIMITS, Receiver, TENANT, Wire, local_client, plain, told};
use bytes::Bytes;
use settings_egress::{Limits, Method, Response, SendError};
use std::{
    io,
    net::TcpListener,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const KIB: usize = 1024;
/// One second to answer. No test is about how long this is.
const SHORT: Limits = Limits { total: Duration::from_secs(1), ..LIMITS };

/// Sends to a receiver with one second to spare, and tells how long it took.
async fn attempt(receiver: &Receiver) -> (Result<Response, SendError>, Duration) {
    let client = local_client(SHORT);
    let begun = Instant::now();
    let sent = client.send(plain(&client, "a.test", receiver), TENANT).await;
    (sent, begun.elapsed())
}

/// And not the ten or more that would be next.
fn assert_took_one_second(took: Duration) {
    assert!((Duration::from_millis(900)..Duration::from_secs(9)).contains(&took), "{took:?}");
}

/// A few bytes at a time, as long as anybody listens.
fn drip(wire: &mut dyn Wire, head: &[u8], drop: &[u8]) -> io::Result<()> {
    wire.write_all(head)?;
    loop {
        wire.write_all(drop)?;
        thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_up_in_time() {
    let receiver = Receiver::start(|_| {
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    let (sent, took) = attempt(&receiver).await;
    assert_eq!(sent, Err(SendError::Timeout));
    assert!(SendError::Timeout.is_retryable());
    assert_took_one_second(took);
}

#[tokio::test]
async fn a_head_that_drips_is_given_up_in_time() {
    let receiver = Receiver::start(|wire| drip(wire, b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"));
    let (sent, took) = attempt(&receiver).await;
    assert_eq!(sent, Err(SendError::Timeout));
    assert_took_one_second(took);
}

#[tokio::test]
async fn interim_answers_without_end_are_given_up_in_time() {
    let receiver = Receiver::start(|wire| drip(wire, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"));
    let (sent, took) = attempt(&receiver).await;
    assert_eq!(sent, Err(SendError::Timeout));
    assert_took_one_second(took);
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_in_time() {
    for framing in ["content-length: 9999\r\n\r\n", "\r\n", "transfer-encoding: chunked\r\n\r\n"] {
        let drop: &[u8] = if framing.starts_with('t') { b"1\r\na\r\n" } else { b"a" };
        let head = format!("HTTP/1.1 200 OK\r\n{framing}");
        let receiver = Receiver::start(move |wire| drip(wire, head.as_bytes(), drop));
        let (sent, took) = attempt(&receiver).await;
        assert_eq!(sent, Err(SendError::TooSlow), "{framing:?}");
        assert!(SendError::TooSlow.is_retryable());
        assert_took_one_second(took);
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_read_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = local_client(SHORT);
    let target = client.policy().check(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let mut request = crate::support::get(target);
    request.method = Method::Post;
    request.body = Bytes::from(vec![0; 32 * KIB * KIB]);
    let begun = Instant::now();
    assert_eq!(client.send(request, TENANT).await, Err(SendError::Timeout));
    assert_took_one_second(begun.elapsed());
}

#[tokio::test]
async fn a_handshake_that_hangs_is_given_up_in_the_time_to_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = local_client(Limits { connect: Duration::from_secs(1), ..LIMITS });
    let target = client.policy().check(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let begun = Instant::now();
    assert_eq!(client.send(crate::support::get(target), TENANT).await, Err(SendError::Connect));
    assert_took_one_second(begun.elapsed());
}

/// A receiver whose answer goes on for `length` bytes. Says how many it got rid of when the client has hung up.
fn flood(head: &'static str, piece: &'static [u8], length: usize) -> (Receiver, mpsc::Receiver<usize>) {
    let (ended, written) = mpsc::channel();
    let receiver = Receiver::start(move |wire| {
        wire.write_all(head.as_bytes())?;
        let mut count = 0;
        while count < length && wire.write_all(piece).is_ok() {
            count += piece.len();
        }
        ended.send(count).unwrap();
        Ok(())
    });
    (receiver, written)
}

/// What fits into the buffers of two sockets, with room to spare.
async fn assert_was_little(written: &mpsc::Receiver<usize>) {
    let written = told(written).await;
    assert!(written < 20_000_000, "{written}");
}

static PIECE: [u8; 10_000] = [b'a'; 10_000];
static CHUNKS: [u8; 6 * 4096] = {
    let mut chunks = [0; 6 * 4096];
    let mut at = 0;
    while at < chunks.len() {
        chunks[at] = b"1\r\na\r\n"[at % 6];
        at += 1;
    }
    chunks
};

#[tokio::test]
async fn of_a_large_or_endless_body_64_kib_are_read() {
    for (head, piece, length) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n", &PIECE[..], 100_000_000),
        ("HTTP/1.1 200 OK\r\n\r\n", &PIECE[..], usize::MAX),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &CHUNKS[..], usize::MAX),
    ] {
        let (receiver, written) = flood(head, piece, length);
        let client = local_client(LIMITS);
        let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len(), answer.complete), (200, 64 * KIB, false), "{head}");
        assert!(answer.body.iter().all(|byte| *byte == b'a'));
        assert!(answer.took < LIMITS.total);
        assert_was_little(&written).await;
    }
}

#[tokio::test]
async fn bodies_around_64_kib_are_cut_where_they_should_be() {
    for (length, kept, complete) in
        [(0, 0, true), (64 * KIB - 1, 64 * KIB - 1, true), (64 * KIB, 64 * KIB, false), (64 * KIB + 1, 64 * KIB, false)]
    {
        let receiver = Receiver::start(move |wire| {
            write!(wire, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
            wire.write_all(&vec![b'a'; length])
        });
        let client = local_client(LIMITS);
        let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
        assert_eq!((answer.body.len(), answer.complete), (kept, complete), "{length}");
    }
}

#[tokio::test]
async fn a_full_64_kib_are_enough_to_stop_waiting() {
    let receiver = Receiver::start(|wire| {
        write!(wire, "HTTP/1.1 200 OK\r\n\r\n")?;
        wire.write_all(&vec![b'a'; 64 * KIB])?;
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    let (sent, _) = attempt(&receiver).await;
    assert_eq!(sent.map(|answer| answer.body.len()), Ok(64 * KIB));
}

#[tokio::test]
async fn a_head_without_end_is_refused_long_before_the_time_is_over() {
    for (head, piece) in
        [("HTTP/1.1 200 OK\r\nx: ", &PIECE[..]), ("HTTP/1.1 200 OK\r\n", b"x: y\r\n"), ("HTTP/1.1 200 ", &PIECE[..])]
    {
        let (receiver, written) = flood(head, piece, usize::MAX);
        let client = local_client(LIMITS);
        let sent = client.send(plain(&client, "a.test", &receiver), TENANT).await;
        assert_eq!(sent, Err(SendError::Protocol), "{head}");
        assert_was_little(&written).await;
    }
}
