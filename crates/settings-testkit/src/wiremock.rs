//! `WireMock`: answers that were prepared, faults, and a journal of what was asked. Installed on first use, ends with the test.
use crate::{npm, peers::Failed};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Runs it until the pipe closes, so that no test leaves it behind.
const RUN: &str = r#""$@" & pid=$!; read -r _; kill -9 "$pid"; wait "$pid""#;

/// A running `WireMock`.
#[derive(Debug)]
pub struct WireMock {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl WireMock {
    /// Starts one that answers nothing yet. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
    pub fn start(target: &str) -> Result<Self, Failed> {
        let place = npm::installed(target, "wiremock")?;
        let dir = tempfile::tempdir()?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", RUN, "wiremock", "java", "-Xmx256m", "-jar"]);
        command.arg(place.join("node_modules/wiremock/build/wiremock-standalone-3.13.2.jar"));
        command.args(["--port", "0", "--bind-address", "127.0.0.1", "--root-dir"]).arg(dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let port = lines.find_map(|line| line.ok()?.strip_prefix("port:")?.trim().parse().ok());
        let port = port.ok_or("WireMock did not start; it needs a Java (Debian: default-jre-headless)")?;
        let wiremock = Self { child, port, _dir: dir };
        // The banner comes before the first answer can.
        for _ in 0..200 {
            if wiremock.admin("GET", "/health", "").is_ok_and(|said| said.contains("healthy")) {
                return Ok(wiremock);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Err("WireMock does not answer".into())
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Prepares an answer, as its `POST /__admin/mappings` takes it. A later one goes before an earlier one.
    #[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
    pub fn stub(&self, mapping: Value) -> Result<(), Failed> {
        self.admin("POST", "/mappings", &mapping.to_string()).map(drop)
    }

    /// What was asked so far, oldest first: method, path with query, body.
    pub fn journal(&self) -> Result<Vec<(String, String, String)>, Failed> {
        let said: Value = serde_json::from_str(&self.admin("GET", "/requests", "")?)?;
        let text = |request: &Value, name: &str| {
            request.pointer(&format!("/request/{name}")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let asked = said.get("requests").and_then(Value::as_array).ok_or("no journal")?;
        let mut all: Vec<_> = asked.iter().map(|r| (text(r, "method"), text(r, "url"), text(r, "body"))).collect();
        all.reverse();
        Ok(all)
    }

    fn admin(&self, method: &str, path: &str, body: &str) -> Result<String, Failed> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let length = body.len();
        write!(
            stream,
            "{method} /__admin{path} HTTP/1.0\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let good = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        if good { Ok(body.to_owned()) } else { Err(answer.into()) }
    }
}

impl Drop for WireMock {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
