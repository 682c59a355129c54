//! SL02, SL03: what Slack can say or do instead of posting.
use crate::{REDIRECT, client, delivery, message, responder::Responder};
use secrecy::SecretString;
use settings_domain::ports::slack::{SlackApi as _, SlackError};
use std::{
    io::Write as _,
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

const WORD: &str = "hunter2";

async fn post(url: &str) -> Result<(), SlackError> {
    client(url).post(&SecretString::from("xoxb-1"), "C1", &message(), delivery()).await
}

async fn exchange(url: &str) -> SlackError {
    client(url).exchange("c", REDIRECT).await.unwrap_err()
}

#[tokio::test]
async fn sl02_a_token_that_is_no_good_any_more_is_told_from_all_else() {
    for code in [
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "org_login_required",
        "team_access_not_granted",
        "ekm_access_denied",
    ] {
        let slack = Responder::json(&format!(r#"{{"ok":false,"error":"{code}","needed":"{WORD}"}}"#));
        let error = post(&slack.url).await.unwrap_err();
        assert!(matches!(error, SlackError::Auth(_)), "{code}: {error:?}");
        // Words of our own.
        assert!(!error.to_string().contains('_') && !error.to_string().contains(WORD), "{error}");
    }
    for code in ["not_in_channel", "restricted_action"] {
        let slack = Responder::json(&format!(r#"{{"ok":false,"error":"{code}"}}"#));
        assert!(matches!(post(&slack.url).await, Err(SlackError::Channel(_))), "{code}");
    }
    for answer in [r#"{"ok":false,"error":"msg_too_long"}"#, r#"{"ok":false,"error":"hunter2"}"#, r#"{"ok":false}"#] {
        let error = post(&Responder::json(answer).url).await.unwrap_err();
        assert!(matches!(error, SlackError::Refused(_)) && !error.to_string().contains(WORD), "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn sl03_slack_is_waited_for_as_long_as_it_asks() {
    let limited = |seconds| Err(SlackError::RateLimited(time::Duration::seconds(seconds)));
    for (headers, seconds) in [("retry-after: 17\r\n", 17), ("", 30), ("retry-after: 9999999\r\n", 86_400)] {
        let slack = Responder::with(429, headers, r#"{"ok":false,"error":"ratelimited"}"#);
        assert_eq!(post(&slack.url).await, limited(seconds), "{headers}");
        assert_eq!(exchange(&slack.url).await, limited(seconds).unwrap_err(), "{headers}");
    }
    assert_eq!(post(&Responder::json(r#"{"ok":false,"error":"ratelimited"}"#).url).await, limited(30));
}

#[tokio::test]
async fn what_is_no_answer_of_slacks_is_no_success() {
    for body in
        ["", "{}", "[]", "null", "ok", r#"{"ok":"true"}"#, r#"{"ok":1}"#, "<html>sign in</html>", r#"{"ok":true"#]
    {
        let slack = Responder::json(body);
        assert!(matches!(post(&slack.url).await, Err(SlackError::Unavailable(_))), "{body}");
        assert!(matches!(exchange(&slack.url).await, SlackError::Unavailable(_)), "{body}");
    }
    for status in [201, 204, 400, 401, 403, 404, 500, 502, 503] {
        let slack = Responder::with(status, "", r#"{"ok":true}"#);
        assert!(matches!(post(&slack.url).await, Err(SlackError::Unavailable(_))), "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_token_goes_elsewhere() {
    let elsewhere = Responder::json(r#"{"ok":true}"#);
    for status in [301, 302, 303, 307, 308] {
        let slack = Responder::with(status, &format!("location: {}/\r\n", elsewhere.url), "");
        assert!(matches!(post(&slack.url).await, Err(SlackError::Unavailable(_))), "{status}");
        assert_eq!(slack.requests().len(), 1);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn no_more_than_64_kib_are_read() {
    let fits = format!(r#"{{"ok":true,"x":"{}"}}"#, "x".repeat(60_000));
    assert_eq!(post(&Responder::json(&fits).url).await, Ok(()));
    let endless = Responder::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"ok\":true,\"x\":\"")?;
        loop {
            stream.write_all(&[b'x'; 8192])?;
        }
    });
    let started = Instant::now();
    assert!(matches!(post(&endless.url).await, Err(SlackError::Unavailable(_))));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_slack_that_is_silent_or_drips_is_given_up_after_ten_seconds() {
    let silent = Responder::start(|_| {
        thread::sleep(Duration::from_mins(1));
        Ok(())
    });
    let dripping = Responder::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"ok\":true,\"x\":\"")?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(300));
        }
    });
    let started = Instant::now();
    let (first, second, third) = tokio::join!(post(&silent.url), post(&dripping.url), exchange(&silent.url));
    let late = SlackError::Unavailable("Slack did not answer in time");
    assert_eq!((first, second, third), (Err(late), Err(late), late));
    let took = started.elapsed();
    assert!((9..14).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_slack_that_is_away_or_hangs_up_is_unavailable() {
    let hanging_up = Responder::start(|_| Ok(()));
    assert!(matches!(post(&hanging_up.url).await, Err(SlackError::Unavailable(_))));
    // What is repeated on its own could be posted twice.
    assert_eq!(hanging_up.requests().len(), 1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = post(&format!("http://{closed}")).await;
    assert_eq!(error, Err(SlackError::Unavailable("Slack cannot be reached")));
}

#[tokio::test]
async fn the_token_travels_in_one_header_and_nowhere_else() {
    let slack = Responder::json(r#"{"ok":true}"#);
    assert_eq!(post(&slack.url).await, Ok(()));
    let request = slack.requests().remove(0);
    assert!(request.starts_with("POST /api/chat.postMessage HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"), "{request}");
    assert_eq!(request.matches("xoxb-1").count(), 1, "{request}");
    assert!(request.contains("\r\nauthorization: Bearer xoxb-1\r\n"), "{request}");
    assert!(!format!("{:?}", client(&slack.url)).contains(WORD));
}

#[tokio::test]
async fn a_slack_that_fails_five_times_in_a_row_is_left_alone_and_its_refusals_do_not_count() {
    let slack = Responder::with(500, "", "");
    let client = client(&slack.url);
    let post = async || client.post(&SecretString::from("xoxb-1"), "C1", &message(), delivery()).await;
    assert_eq!(client.answered(), None);
    for _ in 0..5 {
        assert!(matches!(post().await, Err(SlackError::Unavailable(_))));
    }
    assert_eq!(client.answered(), Some(false));
    let resting = SlackError::Resting(time::Duration::seconds(10));
    assert_eq!(post().await, Err(resting));
    assert_eq!(client.exchange("c", REDIRECT).await.unwrap_err(), resting);
    assert_eq!(client.check().await, Err(resting));
    assert_eq!(slack.requests().len(), 5, "after five failures in a row nothing is sent");

    let refusing = Responder::json(r#"{"ok":false,"error":"not_in_channel"}"#);
    let client = crate::client(&refusing.url);
    for _ in 0..12 {
        let _ = client.post(&SecretString::from("xoxb-1"), "C1", &message(), delivery()).await;
    }
    assert_eq!((refusing.requests().len(), client.answered()), (12, Some(true)));
}

#[tokio::test]
async fn whether_slack_answers_can_be_asked_without_a_token() {
    let slack = Responder::json(r#"{"ok":false,"error":"not_authed"}"#);
    assert_eq!(client(&slack.url).check().await, Ok(()));
    let request = slack.requests().remove(0);
    assert!(request.starts_with("POST /api/auth.test HTTP/1.1\r\n") && !request.contains("authorization"), "{request}");
    assert!(client(&Responder::json("<html>sign in</html>").url).check().await.is_err());
}
