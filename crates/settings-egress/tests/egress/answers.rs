//! What is sent, and what is made of the answer.
use crate::support::{LIMITS, Names, OK, Receiver, TENANT, Wire, allow, local_client, plain};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use settings_egress::{Client, Method, Refused, SendError};
use std::net::TcpListener;

#[tokio::test]
async fn a_request_arrives_as_it_was_given_and_says_who_it_is_from() {
    let receiver = Receiver::start(|wire| wire.write_all(OK));
    let client = local_client(LIMITS);
    let text = format!("http://Hooks.Example.COM:{}/a%2Fb/../c?d=ä", receiver.port());
    let mut request = plain(&client, "x", &receiver);
    request.target = client.policy().check(&text).unwrap();
    request.method = Method::Post;
    request.headers.insert("webhook-id", HeaderValue::from_static("msg_1"));
    request.body = Bytes::from_static(b"{\"a\":1}");
    let answer = client.send(request, TENANT).await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body, answer.complete), (200, &b"ok"[..], true));
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "POST /c?d=%C3%A4 HTTP/1.1".to_owned(),
        "accept: */*".to_owned(),
        "content-length: 7".to_owned(),
        format!("host: hooks.example.com:{}", receiver.port()),
        format!("user-agent: settings/{version}"),
        "webhook-id: msg_1".to_owned(),
    ];
    let (head, body) =
        receiver.requests()[0].split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, expected);
    assert_eq!(body, "{\"a\":1}");
}

#[tokio::test]
async fn headers_that_belong_to_the_client_are_refused_before_anything_is_looked_up() {
    let names = Names::loopback();
    let client = Client::with_limits(allow(&["127.0.0.0/8"]), names.clone(), LIMITS).unwrap();
    let receiver = Receiver::start(|wire| wire.write_all(OK));
    for name in [
        "host",
        "HOST",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "cookie",
        "referer",
        "user-agent",
        "accept-encoding",
        "proxy-authorization",
        "proxy-connection",
    ] {
        let mut request = plain(&client, "a.test", &receiver);
        request.headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("1"));
        assert_eq!(client.send(request, TENANT).await, Err(SendError::Refused(Refused::Header)), "{name}");
    }
    assert!(names.asked().is_empty() && receiver.contacted().is_empty());
}

#[tokio::test]
async fn ss07_redirects_are_answers_and_nothing_else() {
    let other = Receiver::start(|wire| wire.write_all(OK));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://127.0.0.1:{}/inside", other.port());
        let receiver = Receiver::start(move |wire: &mut dyn Wire| {
            write!(wire, "HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
        });
        let client = local_client(LIMITS);
        let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
        assert_eq!(answer.status.as_u16(), status);
    }
    assert!(other.contacted().is_empty());
}

#[tokio::test]
async fn of_the_answers_headers_two_are_kept_and_none_is_sent_back() {
    let receiver = Receiver::start(|wire| {
        wire.write_all(
            b"HTTP/1.1 503 No\r\ncontent-type: text/plain\r\nretry-after: 120\r\nset-cookie: a=b\r\n\r\nlater",
        )
    });
    let client = local_client(LIMITS);
    for _ in 0..2 {
        let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
        assert_eq!(answer.status.as_u16(), 503);
        assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
        assert_eq!(answer.retry_after.as_deref(), Some("120"));
        assert_eq!((&*answer.body, answer.complete), (&b"later"[..], true));
        assert!(!format!("{answer:?}").contains("later"));
    }
    assert!(receiver.requests().iter().all(|request| !request.contains("cookie")), "{:?}", receiver.requests());
}

#[tokio::test]
async fn headers_that_are_long_or_not_printable_are_dropped() {
    let receiver = Receiver::start(|wire| {
        let long = "a".repeat(257);
        write!(wire, "HTTP/1.1 200 OK\r\ncontent-type: {long}\r\nretry-after: \u{e9}\r\ncontent-length: 0\r\n\r\n")
    });
    let client = local_client(LIMITS);
    let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
    assert_eq!((answer.content_type, answer.retry_after), (None, None));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_worth_a_retry() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = local_client(LIMITS);
    let target = client.policy().check(&format!("http://{closed}")).unwrap();
    let sent = client.send(crate::support::get(target), TENANT).await.unwrap_err();
    assert!(sent == SendError::Connect && sent.is_retryable());
}

#[tokio::test]
async fn an_answer_that_never_begins_is_a_failed_connection() {
    let receiver = Receiver::start(|_| Ok(()));
    let client = local_client(LIMITS);
    let sent = client.send(plain(&client, "a.test", &receiver), TENANT).await;
    assert_eq!(sent, Err(SendError::Connect));
    let half = Receiver::start(|wire| wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-le"));
    assert_eq!(client.send(plain(&client, "a.test", &half), TENANT).await, Err(SendError::Connect));
    // Once, and not again behind the caller's back.
    assert_eq!((receiver.contacted().len(), half.contacted().len()), (1, 1));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_final() {
    for said in
        [&b"SSH-2.0-OpenSSH_9.9\r\n"[..], b"-ERR unknown command\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0\0\0\0\0"]
    {
        let receiver = Receiver::start(move |wire| wire.write_all(said));
        let client = local_client(LIMITS);
        let sent = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap_err();
        assert!(sent == SendError::Protocol && !sent.is_retryable(), "{sent:?} {said:?}");
    }
}

#[tokio::test]
async fn where_the_body_breaks_off_the_head_still_stands() {
    for head in ["content-length: 9", "transfer-encoding: chunked"] {
        let receiver = Receiver::start(move |wire| write!(wire, "HTTP/1.1 204 OK\r\n\r\n").and(write!(wire, "{head}")));
        let broken = Receiver::start(move |wire| write!(wire, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc"));
        let client = local_client(LIMITS);
        let answer = client.send(plain(&client, "a.test", &broken), TENANT).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.complete), (200, false), "{head}");
        let answer = client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.complete, answer.body.len()), (204, true, 0));
    }
}

#[test]
fn no_error_has_room_for_what_the_peer_said() {
    // Neither text nor anything that could own some.
    const fn is_plain<T: Copy + std::error::Error + 'static>() {}
    is_plain::<SendError>();
    assert!(std::mem::size_of::<SendError>() <= 2);
}
