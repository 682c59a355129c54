//! The letters about a workspace, as a mail program reads them and as the mailbox keeps them.
use crate::support::{AnyError, HOSTILE, NOW, Sink, TestResult, clock, delivery};
use secrecy::SecretString;
use settings_domain::{
    audit::Risk,
    ports::mail::{AuditDigestLetter, DigestLine, Letter, Mail, Mailer},
};
use settings_notify::{LocalMailbox, SmtpMailer};

const LINK: &str = "https://settings.example/acme/settings/audit?event=7";
const SETTINGS: &str = "https://settings.example/acme/settings/notifications";

fn notification(name: &str) -> Letter {
    Letter::Notification {
        workspace: name.to_owned(),
        headline: "A workflow run failed".to_owned(),
        facts: vec![("Workflow".to_owned(), name.to_owned()), ("Environment".to_owned(), "production".to_owned())],
        link: Some(LINK.to_owned()),
        settings_link: SETTINGS.to_owned(),
    }
}

fn failing(name: &str) -> Letter {
    Letter::ChannelFailing {
        workspace: name.to_owned(),
        channel: "Slack".to_owned(),
        reason: "Slack says that the app was removed".to_owned(),
        link: LINK.to_owned(),
    }
}

fn asked(name: &str) -> Result<Letter, AnyError> {
    let (workspace, invited) = (name.to_owned(), "dana@people.example".parse()?);
    Ok(Letter::InvitationAsked { workspace, invited, link: LINK.to_owned() })
}

fn erased(name: &str) -> Letter {
    Letter::MemberErased { workspace: name.to_owned(), seq: 17, link: LINK.to_owned() }
}

fn digest(name: &str) -> Letter {
    let line = DigestLine {
        at: NOW,
        risk: Risk::High,
        action: "secret.accessed".to_owned(),
        actor: Some(name.to_owned()),
        target: name.to_owned(),
        link: LINK.to_owned(),
    };
    Letter::AuditDigest(Box::new(AuditDigestLetter {
        workspace: name.to_owned(),
        from: None,
        to: NOW,
        totals: vec![(Risk::High, 1)],
        actors: vec![(name.to_owned(), 1)],
        events: vec![line],
        more: 0,
        checkpoint: Some("settings.example/acme\n7\nc2lnbmVk\n".to_owned()),
        link: LINK.to_owned(),
        settings_link: SETTINGS.to_owned(),
    }))
}

fn mail(n: u128, letter: Letter) -> Result<Mail, AnyError> {
    Ok(Mail { delivery: delivery(n), to: "grace@example.org".parse()?, letter })
}

#[tokio::test]
async fn every_letter_arrives_whole_and_says_that_no_person_wrote_it() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let url = SecretString::from(format!("smtp://localhost:{}", sink.port));
    let mailer = SmtpMailer::new(&url, "no-reply@example.org", clock())?;
    for (n, letter, subject, says) in [
        (1, notification("Acme"), "A workflow run failed in \"Acme\"", "Environment: \"production\""),
        (2, failing("Acme"), "Notifications of \"Acme\" no longer reach \"Slack\"", "the app was removed"),
        (
            4,
            asked("Acme")?,
            "Somebody asks for a new invitation to \"Acme\"",
            "whoever holds its link asks for a new one",
        ),
        (5, erased("Acme"), "Personal data were erased in \"Acme\"", "event 17 of the audit log"),
        (3, digest("Acme"), "Audit digest of \"Acme\": 1 event", "secret.accessed by \"Acme\": \"Acme\""),
    ] {
        mailer.send(&mail(n, letter)?).await?;
        let got = sink.next()?;
        assert_eq!(got.email.header("Subject"), [subject]);
        assert_eq!(got.email.header("Auto-Submitted"), ["auto-generated"]);
        assert_eq!((got.email.part_count, got.email.defects.len()), (2, 0), "{got:?}");
        assert!(got.email.part("text/plain").contains(says), "{got:?}");
        assert!(got.email.part("text/plain").contains(&format!("\n{LINK}\n")), "{got:?}");
        assert!(got.email.part("text/html").contains(&format!("href=\"{LINK}\"")), "{got:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_hostile_name_adds_no_header_recipient_link_or_markup_to_any_letter() -> TestResult {
    let mut sink = Sink::start(&[])?;
    let url = SecretString::from(format!("smtp://localhost:{}", sink.port));
    let mailer = SmtpMailer::new(&url, "no-reply@example.org", clock())?;
    for (n, letter) in [
        (1, notification(HOSTILE)),
        (2, failing(HOSTILE)),
        (3, digest(HOSTILE)),
        (4, asked(HOSTILE)?),
        (5, erased(HOSTILE)),
    ] {
        mailer.send(&mail(n, letter)?).await?;
        let got = sink.next()?;
        assert_eq!(got.rcpt_tos, ["grace@example.org"]);
        assert_eq!(got.email.headers.len(), 8, "{got:?}");
        assert_eq!((got.email.part_count, got.email.defects.len()), (2, 0), "{got:?}");
        let (text, html) = (got.email.part("text/plain"), got.email.part("text/html"));
        for bad in ["://evil", "evil.example", "x@y", "\u{202e}", "\nBcc"] {
            assert!(!text.contains(bad) && !html.contains(bad), "{bad:?} in {got:?}");
        }
        assert!(!html.contains("<b>") && html.contains("&lt;b&gt;Acme&lt;/b&gt;"), "{html}");
        let ours = html.matches("href=\"https://settings.example/").count();
        assert_eq!(html.matches("href=").count(), ours, "{html}");
    }
    Ok(())
}

#[tokio::test]
async fn the_mailbox_keeps_every_letter_with_its_link() -> TestResult {
    let dir = tempfile::tempdir()?;
    let mailbox = LocalMailbox::open(dir.path(), clock()).await?;
    for (n, letter) in [(1, notification("Acme")), (2, failing("Acme")), (3, digest("Acme"))] {
        mailbox.send(&mail(n, letter)?).await?;
    }
    let Letter::Notification { workspace, headline, facts, settings_link, .. } = notification("Acme") else {
        return Err("another letter".into());
    };
    let bare = Letter::Notification { workspace, headline, facts, link: None, settings_link };
    mailbox.send(&mail(4, bare)?).await?;
    let kept = mailbox.list().await?;
    let links: Vec<_> = kept.iter().map(|mail| mail.link.as_deref()).collect();
    assert_eq!(links, [None, Some(LINK), Some(LINK), Some(LINK)]);
    for mail in &kept {
        assert!(mail.subject.contains("\"Acme\""), "{}", mail.subject);
        assert!(mail.text.contains("Acme") && mail.html.contains("</html>"), "{}", mail.text);
    }
    Ok(())
}
