//! The receiver, which is installed on first use and ends with the test.
use serde::Deserialize;
use settings_testkit::peers;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// A request as the receiver saw it, and what the official verifier said under each of the secrets.
#[derive(Debug, Deserialize)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) genuine: Vec<String>,
    pub(crate) tampered: Vec<String>,
    pub(crate) platform: Vec<bool>,
}

pub(crate) struct Receiver {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Receiver {
    pub(crate) fn start(secrets: &[&str]) -> Self {
        #[derive(Deserialize)]
        struct Listening {
            port: u16,
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/webhook_receiver.py");
        let mut command = Command::new(peers::python(env!("CARGO_TARGET_TMPDIR"), "standardwebhooks==1.1.0").unwrap());
        command.args(["-W", "ignore"]).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        for secret in secrets {
            command.arg(format!("--secret={secret}"));
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let Listening { port } = serde_json::from_str(&line).unwrap();
        Self { child, lines, port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next request that it took; waits for it.
    pub(crate) fn next(&mut self) -> Received {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
