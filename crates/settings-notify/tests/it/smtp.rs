//! The SMTP sender against a real server.

use crate::support::{AnyError, HOSTILE, LINK, NOW, Sink, TestResult, clock, delivery, invitation};
use secrecy::SecretString;
use settings_domain::ports::mail::{Letter, Mail, MailError, Mailer};
use settings_notify::{Composer, FromError, SmtpMailer};
use std::{
    error::Error,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const FROM: &str = "Settings Service <no-reply@mail.example.org>";

fn mailer(url: &str) -> Result<SmtpMailer, AnyError> {
    Ok(SmtpMailer::new(&SecretString::from(url), FROM, clock())?)
}

fn local(sink: &Sink) -> Result<SmtpMailer, AnyError> {
    mailer(&format!("smtp://127.0.0.1:{}", sink.port))
}

/// What a log would show of an error: all of its causes.
fn shown(error: &MailError) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(e) = cause {
        shown = format!("{shown} / {e}");
        cause = e.source();
    }
    shown
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_html_with_its_stable_id() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let mail = invitation(1, "Grace@example.org", "Acme")?;
    let mailer = local(&sink)?;
    mailer.send(&mail).await?;
    let first = sink.next()?;

    assert_eq!(first.mail_from, "no-reply@mail.example.org");
    assert_eq!(first.rcpt_tos, ["Grace@example.org"]);
    assert_eq!(first.email.defects, [""; 0]);
    assert_eq!(first.email.content_type, "multipart/alternative");
    assert_eq!(first.email.part_count, 2);
    assert!(first.email.part("text/plain").contains(&format!("\n{LINK}\n")), "{first:?}");
    assert!(first.email.part("text/plain").contains("13 August 2026 at 10:20 UTC"), "{first:?}");
    assert!(first.email.part("text/html").contains("Accept the invitation</a>"), "{first:?}");
    assert_eq!(first.email.header("Subject"), ["Invitation to join \"Acme\""]);
    assert_eq!(first.email.header("From"), ["Settings Service <no-reply@mail.example.org>"]);
    assert_eq!(first.email.header("To"), ["Grace@example.org"]);
    assert_eq!(first.email.header("Message-ID"), [format!("<{}@mail.example.org>", delivery(1))]);
    assert_eq!(first.email.header("Auto-Submitted"), ["auto-generated"]);
    assert_eq!(first.email.header("Date"), ["Thu, 06 Aug 2026 10:20:30 +0000"]);

    // A retry, which is a new connection, is the same message to the byte: the clock stands still.
    mailer.send(&mail).await?;
    assert_eq!(sink.next()?.raw, first.raw);
    Ok(())
}

#[tokio::test]
async fn a_sign_in_link_arrives() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let letter = Letter::SignIn { link: SecretString::from(LINK), expires_at: NOW };
    local(&sink)?.send(&Mail { delivery: delivery(2), to: "ada@example.org".parse()?, letter }).await?;
    let mail = sink.next()?;
    assert_eq!(mail.email.header("Subject"), ["Your sign-in link"]);
    assert!(mail.email.part("text/plain").contains(LINK), "{mail:?}");
    Ok(())
}

#[tokio::test]
async fn a_hostile_workspace_name_stays_a_name() -> TestResult {
    let mut sink = Sink::start(&[])?;
    local(&sink)?.send(&invitation(3, "grace@example.org", HOSTILE)?).await?;
    let mail = sink.next()?;
    assert_eq!(mail.rcpt_tos, ["grace@example.org"]);
    let names: Vec<&str> = mail.email.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"],
        "{mail:?}"
    );
    assert_eq!(
        mail.email.header("Subject"),
        ["Invitation to join \"<b>Acme</b> https: // evil. example Bcc: x@ y. org\""]
    );
    assert!(!mail.email.part("text/html").contains("<b>"), "{mail:?}");
    assert_eq!(mail.email.part("text/plain").matches("://").count(), 1, "{mail:?}");
    Ok(())
}

#[tokio::test]
async fn names_of_all_scripts_arrive_whole() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let name = "Müller & Söhne 可口可樂 נועה 👩\u{200d}👧";
    local(&sink)?.send(&invitation(4, "grace@example.org", name)?).await?;
    let mail = sink.next()?;
    assert!(mail.ascii, "no relay needs 8BITMIME for this");
    assert_eq!(mail.email.header("Subject"), [format!("Invitation to join \"{name}\"")]);
    assert!(mail.email.part("text/plain").replace('\n', " ").contains(name), "{mail:?}");
    assert!(mail.email.part("text/html").contains(&name.replace('&', "&amp;")), "{mail:?}");
    Ok(())
}

#[tokio::test]
async fn an_international_domain_goes_out_in_ascii() -> TestResult {
    let mut sink = Sink::start(&[])?;
    local(&sink)?.send(&invitation(5, "Grace.H@Exämple.org", "Acme")?).await?;
    let mail = sink.next()?;
    assert_eq!(mail.rcpt_tos, ["Grace.H@xn--exmple-cua.org"]);
    assert_eq!(mail.email.header("To"), ["Grace.H@xn--exmple-cua.org"]);
    assert!(mail.ascii && !mail.mail_options.iter().any(|o| o.contains("UTF8")), "{mail:?}");
    Ok(())
}

#[tokio::test]
async fn a_final_answer_is_a_refusal_and_all_else_is_not() -> TestResult {
    let sink = Sink::start(&[])?;
    let mailer = local(&sink)?.with_timeout(Duration::from_secs(2));
    for (to, refused, code) in [
        ("refuse@example.org", true, "550 5.1.1"),
        ("spam@example.org", true, "554 5.7.1"),
        ("later@example.org", false, "451 4.7.1"),
        ("slow@example.org", false, "took too long"),
    ] {
        let Err(error) = mailer.send(&invitation(6, to, "Acme")?).await else { return Err(to.into()) };
        assert_eq!(matches!(error, MailError::Refused(_)), refused, "{to}: {error:?}");
        assert_eq!(matches!(error, MailError::Unavailable(_)), !refused, "{to}: {error:?}");
        assert!(shown(&error).contains(code), "{to}: {}", shown(&error));
        assert!(!shown(&error).contains("@example.org"), "the address is in the error: {}", shown(&error));
    }
    Ok(())
}

#[tokio::test]
async fn mail_is_sent_after_a_mail_that_was_refused_or_cut_off() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let mailer = local(&sink)?.with_timeout(Duration::from_secs(2));
    for to in ["refuse@example.org", "slow@example.org"] {
        assert!(mailer.send(&invitation(7, to, "Acme")?).await.is_err());
    }
    mailer.send(&invitation(8, "grace@example.org", "Acme")?).await?;
    assert_eq!(sink.next()?.rcpt_tos, ["grace@example.org"]);
    Ok(())
}

#[tokio::test]
async fn a_relay_that_is_away_or_silent_or_turns_us_away_is_unavailable() -> TestResult {
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let turning_away = Sink::start(&["--greet", "554 5.7.1 no mail from grace@example.org"])?;
    let no_smtp = Sink::start(&["--greet", "grace@example.org is not here"])?;
    for (port, says) in [
        (closed, "connecting"),
        (silent.local_addr()?.port(), "took too long"),
        (turning_away.port, "554 5.7.1"),
        (no_smtp.port, "not an SMTP answer"),
    ] {
        let mailer = mailer(&format!("smtp://localhost:{port}"))?.with_timeout(Duration::from_millis(500));
        let start = Instant::now();
        let Err(error) = mailer.send(&invitation(9, "grace@example.org", "Acme")?).await else {
            return Err(says.into());
        };
        assert!(matches!(error, MailError::Unavailable(_)), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{says}");
        assert!(!shown(&error).contains("@example.org"), "the address is in the error: {}", shown(&error));
        assert!(shown(&error).contains(says), "{}", shown(&error));
    }
    Ok(())
}

#[tokio::test]
async fn it_signs_in_with_a_decoded_password_and_a_wrong_one_loses_no_mail() -> TestResult {
    let mut sink = Sink::start(&["--user", "AKIA@x", "--password", "p/+ %é"])?;
    let mail = invitation(10, "grace@example.org", "Acme")?;
    for login in ["", "AKIA%40x:wrong@"] {
        let Err(error) = mailer(&format!("smtp://{login}127.0.0.1:{}", sink.port))?.send(&mail).await else {
            return Err(format!("sent with the login {login:?}").into());
        };
        assert!(matches!(error, MailError::Unavailable(_)), "{error:?}");
        assert!(shown(&error).contains("answer 53"), "{}", shown(&error));
    }
    mailer(&format!("smtp://AKIA%40x:p%2F+%20%25%C3%A9@127.0.0.1:{}", sink.port))?.send(&mail).await?;
    assert_eq!(sink.next()?.login.as_deref(), Some("AKIA@x"));
    Ok(())
}

#[tokio::test]
async fn a_bad_from_shows_at_start() -> TestResult {
    for from in [
        "",
        "nobody",
        "a@localhost",
        "a@x.org, b@y.org",
        "A <a@x.org> b",
        "A <b <a@x.org>",
        "A\r\nBcc: x@y.org <a@x.org>",
        "a@x.org\r\nBcc: x@y.org",
    ] {
        assert!(SmtpMailer::new(&SecretString::from("smtp://localhost"), from, clock()).is_err(), "{from:?}");
    }
    let mut sink = Sink::start(&[])?;
    let url = SecretString::from(format!("smtp://localhost:{}", sink.port));
    SmtpMailer::new(&url, "Ümläut, Inc. <no-reply@exämple.org>", clock())?
        .send(&invitation(11, "grace@example.org", "Acme")?)
        .await?;
    let mail = sink.next()?;
    assert_eq!(mail.mail_from, "no-reply@xn--exmple-cua.org");
    assert_eq!(mail.email.header("From"), ["\"Ümläut, Inc.\" <no-reply@xn--exmple-cua.org>"]);
    assert_eq!(mail.email.header("Message-ID"), [format!("<{}@xn--exmple-cua.org>", delivery(11))]);
    Ok(())
}

#[tokio::test]
async fn a_composer_writes_what_the_relay_gets() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let mail = invitation(12, "Grace@Exämple.org", "Acme")?;
    local(&sink)?.send(&mail).await?;
    let composed = Composer::new(FROM, clock())?.compose(&mail)?;
    let got = sink.next()?;
    assert_eq!((composed.from.as_str(), composed.to.as_str()), (got.mail_from.as_str(), "Grace@xn--exmple-cua.org"));
    // SMTP ends it with a line end of its own.
    assert_eq!(format!("{}\r\n", String::from_utf8(composed.mime.clone())?), got.raw);
    assert!(!format!("{composed:?}").contains("Grace"), "{composed:?}");
    assert_eq!(Composer::new("nobody", clock()).map(drop), Err(FromError));
    Ok(())
}

#[tokio::test]
async fn a_relay_that_fails_five_times_in_a_row_is_left_alone_and_refused_mails_do_not_count() -> TestResult {
    // It takes every connection and says nothing useful.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let away = mailer(&format!("smtp://127.0.0.1:{port}"))?;
    let mail = invitation(1, "grace@example.org", "Acme")?;
    assert_eq!(away.answered(), None);
    for _ in 0..5 {
        assert!(matches!(away.send(&mail).await, Err(MailError::Unavailable(_))));
    }
    assert_eq!(away.answered(), Some(false));
    let resting = away.send(&mail).await;
    assert!(matches!(resting, Err(MailError::Resting(wait)) if wait == time::Duration::seconds(10)), "{resting:?}");
    assert_eq!(taken.load(Ordering::SeqCst), 5, "after five failures in a row nothing is connected to");

    let sink = Sink::start(&[])?;
    let refusing = local(&sink)?;
    let unknown = invitation(2, "refuse@example.org", "Acme")?;
    for _ in 0..8 {
        assert!(matches!(refusing.send(&unknown).await, Err(MailError::Refused(_))));
    }
    assert_eq!(refusing.answered(), Some(true));
    Ok(())
}
