//! Why a relay did not take a mail, in words that may be logged.
use lettre::transport::smtp;
use settings_domain::ports::mail::MailError;
use std::{error::Error, fmt};

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Connection, TLS from the start, greeting.
    Connect,
    /// The upgrade to TLS.
    StartTls,
    /// Signing in to the relay.
    Login,
    /// Sender, recipient and content.
    Message,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::StartTls => "starting TLS",
            Self::Login => "signing in to the mail server",
            Self::Message => "handing over the message",
        }
    }
}

/// What went wrong, without anything that the server said: servers repeat the address in their answers, and this ends up
/// in logs.
#[derive(Debug)]
pub(crate) enum SmtpFailure {
    /// A negative reply, with its enhanced code (RFC 3463) where there is one.
    Reply { stage: Stage, code: u16, enhanced: Option<String> },
    /// Something that is no SMTP reply.
    Gibberish { stage: Stage },
    /// The network, the certificate, or a relay that lacks what we need.
    Transport { stage: Stage, error: smtp::Error },
    /// The time for the whole attempt is over.
    TimedOut,
}

impl SmtpFailure {
    pub(crate) fn new(stage: Stage, error: smtp::Error) -> Self {
        if let Some(code) = error.status() {
            let enhanced = error.source().and_then(|said| enhanced_code(&said.to_string()));
            Self::Reply { stage, code: code.into(), enhanced }
        } else if error.is_response() {
            Self::Gibberish { stage }
        } else {
            Self::Transport { stage, error }
        }
    }

    /// Whether the relay is well and answered to the message itself. One that does not let us in (a rotated password, 421
    /// before the message) would not take the next mail either.
    pub(crate) const fn is_about_the_message(&self) -> bool {
        matches!(self, Self::Reply { stage: Stage::Message, .. })
    }

    /// A relay that refuses *us* (a rotated password, a blocked network, missing TLS) says nothing about the message:
    /// such mail has to survive until somebody has put that right. So only an answer to the message itself is final, and
    /// of those not the ones that ask for a login (RFC 4954, 6).
    const fn is_final(&self) -> bool {
        matches!(self, Self::Reply { stage: Stage::Message, code: 500..=599, .. })
            && !matches!(self, Self::Reply { code: 530 | 534 | 535 | 538, .. })
    }
}

impl From<SmtpFailure> for MailError {
    fn from(failure: SmtpFailure) -> Self {
        if failure.is_final() { Self::Refused(Box::new(failure)) } else { Self::Unavailable(Box::new(failure)) }
    }
}

impl fmt::Display for SmtpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { stage, code, enhanced: None } => write!(f, "answer {code} while {}", stage.name()),
            Self::Reply { stage, code, enhanced: Some(enhanced) } => {
                write!(f, "answer {code} {enhanced} while {}", stage.name())
            }
            Self::Gibberish { stage } => write!(f, "not an SMTP answer while {}", stage.name()),
            Self::Transport { stage, error } => write!(f, "{error} while {}", stage.name()),
            Self::TimedOut => f.write_str("the mail server took too long"),
        }
    }
}

impl Error for SmtpFailure {}

/// The `5.1.1` that an answer's text may start with.
fn enhanced_code(said: &str) -> Option<String> {
    let code = said.split([' ', '\r', '\n']).next()?;
    let numbers: Vec<&str> = code.split('.').collect();
    let number = |n: &&str| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit());
    (numbers.len() == 3 && numbers.iter().all(number)).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{SmtpFailure, Stage, enhanced_code};

    #[test]
    fn only_an_answer_to_the_message_is_final() {
        let reply = |stage, code| SmtpFailure::Reply { stage, code, enhanced: None }.is_final();
        assert!(reply(Stage::Message, 550) && reply(Stage::Message, 554) && reply(Stage::Message, 500));
        for code in [421, 450, 499, 530, 534, 535, 538] {
            assert!(!reply(Stage::Message, code), "{code}");
        }
        for stage in [Stage::Connect, Stage::StartTls, Stage::Login] {
            assert!(!reply(stage, 554), "{stage:?}");
        }
        assert!(!SmtpFailure::TimedOut.is_final() && !SmtpFailure::Gibberish { stage: Stage::Message }.is_final());
    }

    #[test]
    fn of_the_answers_text_only_the_code_is_kept() {
        assert_eq!(enhanced_code("5.1.1 <ada@example.org>: unknown").as_deref(), Some("5.1.1"));
        assert_eq!(enhanced_code("4.7.0\r\n4.7.0 later").as_deref(), Some("4.7.0"));
        for other in ["", "no", "ada@example.org 5.1.1", "5.1", "5.1.x", "5.1.1.1", "5..1", "5.1111.1"] {
            assert_eq!(enhanced_code(other), None, "{other}");
        }
    }
}
