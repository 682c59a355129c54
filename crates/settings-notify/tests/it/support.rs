//! The peers and letters that the tests share.
use secrecy::SecretString;
use serde::Deserialize;
use settings_domain::{
    ids::DeliveryId,
    policy::Role,
    ports::mail::{Letter, Mail},
};
use settings_notify::Clock;
use settings_testkit::peers;
use std::{
    collections::BTreeMap,
    error::Error,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;
pub(crate) type TestResult = Result<(), AnyError>;

pub(crate) const LINK: &str = "https://settings.example/invitations/accept?id=7&token=c2VjcmV0LW9uZS10aW1lLXRva2Vu";
pub(crate) const NOW: OffsetDateTime = datetime!(2026-08-06 10:20:30 UTC);

/// A workspace name that tries everything at once.
pub(crate) const HOSTILE: &str = "<b>Acme</b> https://evil.example\r\nBcc: x@y.org \u{202e}";

pub(crate) fn clock() -> Clock {
    Arc::new(|| NOW)
}

pub(crate) fn delivery(n: u128) -> DeliveryId {
    DeliveryId::from_uuid(Uuid::from_u128(0x0192_f0c1_2d3e_7a4b_8c5d_0000_0000_0000 + n))
}

pub(crate) fn invitation(n: u128, to: &str, workspace: &str) -> Result<Mail, AnyError> {
    Ok(Mail {
        delivery: delivery(n),
        to: to.parse()?,
        letter: Letter::Invitation {
            workspace: workspace.to_owned(),
            inviter: Some("Ada Lovelace".to_owned()),
            role: Role::Editor,
            link: SecretString::from(LINK),
            expires_at: datetime!(2026-08-13 10:20 UTC),
        },
    })
}

/// A message as the sink got it.
#[derive(Debug, Deserialize)]
pub(crate) struct Received {
    pub(crate) mail_from: String,
    pub(crate) rcpt_tos: Vec<String>,
    pub(crate) mail_options: Vec<String>,
    pub(crate) tls: bool,
    pub(crate) login: Option<String>,
    pub(crate) raw: String,
    pub(crate) ascii: bool,
    pub(crate) email: Parsed,
}

/// What Python's email package makes of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Parsed {
    #[serde(rename = "type")]
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) parts: BTreeMap<String, String>,
    pub(crate) part_count: usize,
    pub(crate) defects: Vec<String>,
}

impl Parsed {
    /// All values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    pub(crate) fn part(&self, content_type: &str) -> &str {
        self.parts.get(content_type).map_or("", String::as_str)
    }
}

/// A real SMTP server, which ends with the test.
pub(crate) struct Sink {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Sink {
    pub(crate) fn start(args: &[&str]) -> Result<Self, AnyError> {
        #[derive(Deserialize)]
        struct Listening {
            port: u16,
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smtp_sink.py");
        let mut child = Command::new(peers::python(env!("CARGO_TARGET_TMPDIR"), peers::AIOSMTPD)?)
            .args(["-W", "ignore"])
            .arg(script)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Listening { port } = serde_json::from_str(&line)?;
        Ok(Self { child, lines, port })
    }

    /// The next message that it took; waits for it.
    pub(crate) fn next(&mut self) -> Result<Received, AnyError> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
