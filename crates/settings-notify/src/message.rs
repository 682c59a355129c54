//! The MIME message that a mail becomes.
use crate::templates;
use lettre::{
    Address, Message,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use settings_domain::{
    ids::DeliveryId,
    ports::mail::Mail,
    text::{Email, EmailKey},
};
use std::time::SystemTime;
use time::{OffsetDateTime, macros::datetime};

/// Why a message could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    #[error("the address cannot be written into a message")]
    Address(#[from] AddressError),
    #[error("the message cannot be put together")]
    Message(#[from] lettre::error::Error),
}

/// Who all mail is from.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    mailbox: Mailbox,
    /// A-label form, for the Message-ID.
    domain: String,
}

impl Sender {
    /// Reads `no-reply@example.org` or `Example <no-reply@example.org>`.
    pub(crate) fn parse(from: &str) -> Option<Self> {
        let from = from.trim();
        // The library's own parser wants names quoted that people write plainly.
        let (name, address) = match from.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').map(|(name, address)| (name.trim(), address))?,
            None => ("", from),
        };
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
        if name.contains(|c: char| c.is_control() || matches!(c, '<' | '>' | '"' | '\\')) {
            return None;
        }
        let name = (!name.is_empty()).then(|| name.to_owned());
        let email: Email = address.parse().ok()?;
        let (_, domain) = email.key().as_str().rsplit_once('@')?;
        let sender = Self { mailbox: Mailbox::new(name, ascii(&email).ok()?), domain: domain.to_owned() };
        // What the library cannot read back it leaves out when it sends, so a bad name has to show up here, at start.
        Message::builder().from(sender.mailbox.clone()).to(sender.mailbox.clone()).body(String::new()).ok()?;
        Some(sender)
    }

    /// The Message-ID of a delivery: the same in every attempt, so that a receiver can drop a duplicate.
    fn message_id(&self, delivery: DeliveryId) -> String {
        format!("<{delivery}@{}>", self.domain)
    }
}

/// The address in ASCII: the local part as stored, the domain in A-labels. Not every relay knows SMTPUTF8, and none needs
/// it for a domain.
fn ascii(email: &Email) -> Result<Address, AddressError> {
    let domain = |key: &EmailKey| key.as_str().rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let (local, _) = email.as_str().rsplit_once('@').ok_or(AddressError::MissingParts)?;
    Address::new(local, domain(email.key()).ok_or(AddressError::MissingParts)?)
}

/// Puts a mail together. All but the `Date` is the same in every attempt.
pub(crate) fn compose(mail: &Mail, from: &Sender, now: OffsetDateTime) -> Result<Message, ComposeError> {
    let rendered = templates::render(&mail.letter);
    let to = ascii(&mail.to)?;
    // The envelope is set by hand, so that no header, whatever it came to hold, can add a recipient.
    let envelope = Envelope::new(Some(from.mailbox.email.clone()), vec![to.clone()])?;
    // The library panics on years that an HTTP date cannot have.
    let now = now.clamp(datetime!(1970-01-02 00:00 UTC), datetime!(9999-01-01 00:00 UTC));
    // The library's own boundary is random; ours keeps attempts alike, and nobody who could write into the mail knows it.
    let body = MultiPart::alternative()
        .boundary(format!("part-{}", mail.delivery))
        .singlepart(SinglePart::plain(rendered.text))
        .singlepart(SinglePart::html(rendered.html));
    Ok(Message::builder()
        .envelope(envelope)
        .from(from.mailbox.clone())
        .to(Mailbox::new(None, to))
        .subject(rendered.subject)
        .date(SystemTime::from(now))
        .message_id(Some(from.message_id(mail.delivery)))
        // RFC 3834: no vacation notes in return.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(body)?)
}

#[cfg(test)]
mod tests {
    use super::{Sender, compose};
    use secrecy::SecretString;
    use settings_domain::{
        ids::DeliveryId,
        policy::Role,
        ports::mail::{Letter, Mail},
        text::Email,
    };
    use std::{env, fs, path::Path};
    use time::{OffsetDateTime, macros::datetime};
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-08-06 12:20:30 +02:00);

    fn hostile(to: &str) -> Mail {
        let name = "<b>Acme</b> https://evil.example\r\nBcc: x@y.org \u{202e}";
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
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test run's own switch, no configuration")]
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
        for bad in
            ["://evil", "evil.example", "y.org", "x@y", "\u{202e}", "=E2=80=AE", "\r\nBcc", "\r\n.\r\n", "\r\nQUIT"]
        {
            assert!(!head.contains(bad) && !body.contains(bad), "{bad:?} in {message}");
        }
        assert!(!body.split("<!DOCTYPE").nth(1).unwrap().contains("<b>"), "{body}");

        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/invitation_hostile.eml");
        // Kept with plain line ends, which survive any checkout.
        let message = message.replace("\r\n", "\n");
        if env::var_os("BLESS").is_some() {
            fs::write(&golden, &message).unwrap();
        }
        assert_eq!(message, fs::read_to_string(&golden).unwrap());
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
        for to in [
            "!#$%&'*+-/=?^_`{|}~@example.org",
            "a.b-c+d@sub.bücher.example",
            "1@1.co",
            "a@xn--bcher-kva.example",
            &long,
        ] {
            assert!(message(&hostile(to), "a@example.org", NOW).contains("\r\nTo: "), "{to}");
        }
    }
}
