//! A webhook's receiver of somebody else's making: Python's HTTP server and the official verifier of Standard Webhooks.
//! Installed on first use, ends with the test.
use crate::peers;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// A request as the receiver saw it, and what the official verifier said under each of the secrets.
#[derive(Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// `genuine`, or why not.
    pub genuine: Vec<String>,
    /// The same for a body that was changed.
    pub tampered: Vec<String>,
    /// Whether the platform's own signature is right.
    pub platform: Vec<bool>,
}

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u64,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap_or_default().to_owned()).collect()
}

impl Receiver {
    /// Starts one that tries these secrets. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
    ///
    /// # Panics
    /// When it can't be installed or started.
    #[must_use]
    pub fn start(target: &str, secrets: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/webhook_receiver.py");
        let mut command = Command::new(peers::python(target, peers::STANDARDWEBHOOKS).expect("the verifier"));
        command.args(["-W", "ignore"]).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        for secret in secrets {
            command.arg(format!("--secret={secret}"));
        }
        let mut child = command.spawn().expect("a receiver");
        let lines = BufReader::new(child.stdout.take().expect("its standard output"));
        let mut receiver = Self { child, lines, port: 0 };
        receiver.port = receiver.line().get("port").and_then(Value::as_u64).expect("its port");
        receiver
    }

    /// An address of it. The path says what happens: see the script.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next request that it took; waits for it.
    ///
    /// # Panics
    /// When it ended.
    pub fn receive(&mut self) -> Received {
        let line = self.line();
        let member = |name: &str| line.get(name).unwrap_or(&Value::Null);
        let text = |name: &str| member(name).as_str().unwrap_or_default().to_owned();
        let headers = member("headers").as_object().into_iter().flatten();
        Received {
            method: text("method"),
            path: text("path"),
            headers: headers.map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())).collect(),
            body: text("body"),
            genuine: texts(member("genuine")),
            tampered: texts(member("tampered")),
            platform: member("platform").as_array().into_iter().flatten().map(|v| *v == Value::Bool(true)).collect(),
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
