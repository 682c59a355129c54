use super::{Sender, compose};
use secrecy::SecretString;
use settings_domain::{
    audit::Risk,
    ids::DeliveryId,
    policy::Role,
    ports::mail::{AuditDigestLetter, DigestLine, Letter, Mail},
    text::Email,
};
use std::{env, fs, path::Path};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-08-06 12:20:30 +02:00);

/// A name that tries everything at once.
const NAME: &str = "<b>Acme</b> https://evil.example\r\nBcc: x@y.org \u{202e}";

fn hostile(to: &str) -> Mail {
    let name = NAME;
    Mail {
        delivery: DeliveryId::from_uuid(Uuid::from_u128(0x0192_f0c1_2d3e_7a4b_8c5d_6e7f_8091_0a1b)),
        to: to.parse::<Email>().unwrap(),
        letter: Letter::Invitation {
            workspace: name.to_owned(),
            inviter: Some(format!("{name}\r\n\r\n.\r\nQUIT")),
            role: Role::Viewer,
            link: SecretString::from("https://settings.example/invite?token=abc"),
            expires_at: datetime!(2026-08-13 10:20 UTC),
        },
    }
}

fn message(mail: &Mail, from: &str, now: OffsetDateTime) -> String {
    let message = compose(mail, &Sender::parse(from).unwrap(), now).unwrap();
    String::from_utf8(message.formatted()).unwrap()
}

/// The whole message, to the byte. After a change on purpose: `BLESS=1 cargo nextest run -p settings-notify golden`,
/// and read the difference.
#[expect(clippy::disallowed_methods, reason = "the test run's own switch, no configuration")]
fn is_golden(name: &str, message: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.eml"));
    // Kept with plain line ends, which survive any checkout.
    let message = message.replace("\r\n", "\n");
    if env::var_os("BLESS").is_some() {
        fs::write(&golden, &message).unwrap();
    }
    assert_eq!(message, fs::read_to_string(&golden).unwrap());
}

#[test]
fn a_hostile_name_makes_the_golden_message() {
    let message = message(&hostile("grace@example.org"), "Settings <no-reply@example.org>", NOW);
    // Said again in words, so that blessing cannot bless them away.
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let names: Vec<&str> =
        head.lines().filter(|l| !l.starts_with(' ')).map(|l| l.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    );
    let body = body.replace("=\r\n", "").replace("=3D", "=");
    assert_eq!(body.matches("href=").count(), 2, "{body}");
    assert_eq!(body.matches("href=\"https://settings.example/invite?token=abc\"").count(), 2, "{body}");
    assert!(body.contains("<bdi>&lt;b&gt;Acme&lt;/b&gt; "), "{body}");
    for bad in ["://evil", "evil.example", "y.org", "x@y", "\u{202e}", "=E2=80=AE", "\r\nBcc", "\r\n.\r\n", "\r\nQUIT"]
    {
        assert!(!head.contains(bad) && !body.contains(bad), "{bad:?} in {message}");
    }
    assert!(!body.split("<!DOCTYPE").nth(1).unwrap().contains("<b>"), "{body}");

    is_golden("invitation_hostile", &message);
}

#[test]
fn every_line_ends_in_crlf_and_is_short() {
    let message = message(&hostile("grace@example.org"), "a@example.org", NOW);
    assert_eq!(message.matches('\n').count(), message.matches("\r\n").count());
    assert_eq!(message.matches('\r').count(), message.matches("\r\n").count());
    assert!(message.split("\r\n").all(|line| line.len() <= 78), "{message}");
}

#[test]
fn a_long_from_domain_keeps_its_message_id_in_one_piece() {
    let domain = format!("{}.{}.example", "a".repeat(63), "b".repeat(63));
    let message = message(&hostile("grace@example.org"), &format!("no-reply@{domain}"), NOW);
    let id = format!("<0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b@{domain}>");
    assert!(message.contains(&format!("Message-ID: {id}\r\n")), "{message}");
}

#[test]
fn no_clock_makes_it_panic() {
    for now in [OffsetDateTime::UNIX_EPOCH - time::Duration::days(9), datetime!(9999-12-31 23:59:59 -23:00)] {
        assert!(message(&hostile("a@example.org"), "a@example.org", now).contains("\r\nDate: "));
    }
}

#[test]
fn every_address_of_the_domain_can_be_written() {
    let long = format!("{}@{}.example", "l".repeat(64), "d".repeat(63));
    for to in
        ["!#$%&'*+-/=?^_`{|}~@example.org", "a.b-c+d@sub.bücher.example", "1@1.co", "a@xn--bcher-kva.example", &long]
    {
        assert!(message(&hostile(to), "a@example.org", NOW).contains("\r\nTo: "), "{to}");
    }
}

fn with(letter: Letter) -> Mail {
    Mail { letter, ..hostile("grace@example.org") }
}

/// The golden message, and in words what no blessing may bless away. Returns the decoded body.
fn golden_and_harmless(name: &str, letter: Letter) -> String {
    let message = message(&with(letter), "Settings <no-reply@example.org>", NOW);
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let headers = head.lines().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(headers, 8, "{head}");
    assert!(head.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{head}");
    assert!(!head.contains("\nBcc"), "{head}");
    let body = body.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n");
    for bad in ["://evil", "evil.example", "y.org", "x@y", "=\"javascript:", "\u{202e}", "=E2=80=AE", "\n.\n"] {
        assert!(!head.contains(bad) && !body.contains(bad), "{bad:?} in {message}");
    }
    let (text, html) = body.split_once("<!DOCTYPE").unwrap();
    assert!(!html.contains("<b>") && !html.contains("<img"), "{html}");
    let ours = html.matches("href=\"https://settings.example/").count();
    assert_eq!(html.matches("href=").count(), ours, "{html}");
    // Reads in the dark: no page or text colour but the button's own pair, which stands for itself.
    assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"), "{html}");
    assert_eq!(html.matches("color:#").count(), 2 * html.matches("bgcolor=").count(), "{html}");
    for line in text.lines().filter(|line| !line.trim_start().starts_with("https://settings.example/")) {
        assert!(line.chars().count() <= 78 && !line.ends_with(' '), "{line:?}");
    }
    is_golden(name, &message);
    body
}

#[test]
fn a_hostile_event_makes_the_golden_notification() {
    let body = golden_and_harmless(
        "notification_hostile",
        Letter::Notification {
            workspace: NAME.to_owned(),
            headline: format!("A workflow run failed\r\n.\r\n{NAME}"),
            facts: vec![
                ("Workflow".to_owned(), format!("\"nightly\" <img src=x onerror=alert(1)> {NAME}")),
                ("Error".to_owned(), format!("Connection refused {}", NAME.repeat(20))),
                (format!("Link\n{NAME}"), "javascript:alert(1)".to_owned()),
                ("Note".to_owned(), "\u{202e}\r\n".to_owned()),
                ("\u{200b}".to_owned(), "nameless".to_owned()),
            ],
            link: Some("javascript:alert(1)//settings.example/".to_owned()),
            settings_link: "https://settings.example/acme/settings/notifications".to_owned(),
        },
    );
    assert!(body.contains("\n  Note: none\n") && !body.contains("nameless"), "{body}");
}

#[test]
fn a_hostile_name_makes_the_golden_warning_about_a_channel() {
    golden_and_harmless(
        "channel_failing_hostile",
        Letter::ChannelFailing {
            workspace: NAME.to_owned(),
            channel: format!("the webhook at {NAME}"),
            reason: format!("there was no answer in time {NAME}"),
            link: "https://settings.example/acme/settings/connections".to_owned(),
        },
    );
}

fn digest(events: Vec<DigestLine>) -> AuditDigestLetter {
    AuditDigestLetter {
        workspace: "Acme".to_owned(),
        from: Some(datetime!(2026-07-30 09:00 UTC)),
        to: datetime!(2026-08-06 09:00 UTC),
        totals: Risk::ALL.into_iter().map(|risk| (risk, 0)).collect(),
        actors: Vec::new(),
        events,
        more: 0,
        checkpoint: None,
        link: "https://settings.example/acme/settings/audit".to_owned(),
        settings_link: "https://settings.example/acme/settings/audit-digest".to_owned(),
    }
}

fn line(action: &str, actor: Option<&str>, target: &str) -> DigestLine {
    DigestLine {
        at: datetime!(2026-08-05 23:05:59 UTC),
        risk: Risk::High,
        action: action.to_owned(),
        actor: actor.map(str::to_owned),
        target: target.to_owned(),
        link: "https://settings.example/acme/settings/audit?event=0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b".to_owned(),
    }
}

#[test]
fn hostile_names_make_the_golden_digest() {
    const NOTE: &str = "settings.example/acme\n42\nZm9vYmFy+/8=\n\n\u{2014} settings.example Wm9vYmFy<&>\"'=\n";
    let events = vec![
        line("secret.accessed", Some("Ada Lovelace"), "STRIPE_KEY"),
        line("member.erased", None, ""),
        line(NAME, Some(NAME), NAME),
        DigestLine { link: format!("https://settings.example/ {NAME}"), ..line("role.changed", Some("\u{200b}"), "x") },
    ];
    let body = golden_and_harmless(
        "audit_digest_hostile",
        Letter::AuditDigest(Box::new(AuditDigestLetter {
            workspace: NAME.to_owned(),
            totals: vec![(Risk::Low, 0), (Risk::Medium, 38), (Risk::High, 4), (Risk::Critical, 1)],
            actors: vec![("Ada Lovelace".to_owned(), 40), (NAME.to_owned(), 2), ("\r\n".to_owned(), 1)],
            more: 39,
            checkpoint: Some(NOTE.to_owned()),
            ..digest(events)
        })),
    );
    // To the byte, in both forms.
    let note = "settings.example/acme\n42\nZm9vYmFy+/8=\n\n=E2=80=94 settings.example Wm9vYmFy";
    assert_eq!(body.matches(note).count(), 2, "{body}");
    assert!(body.contains(&format!("\n\n{note}<&>\"'=\n\n")), "{body}");
    assert!(body.contains(&format!("{note}&lt;&amp;&gt;&quot;'=\n</pre>")), "{body}");
}

#[test]
fn a_digest_without_events_is_golden_and_says_so() {
    let body = golden_and_harmless("audit_digest_empty", Letter::AuditDigest(Box::new(digest(Vec::new()))));
    let said = "The audit log of the workspace \"Acme\" had no events from 30 July 2026 at";
    assert!(body.contains(said), "{body}");
}
