//! A local SES that reads what it is sent, installed on first use; it ends with the test.
use crate::AnyError;
use settings_testkit::peers;
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub(crate) struct LocalSes {
    child: Child,
    port: u16,
}

impl LocalSes {
    pub(crate) fn start() -> Result<Self, AnyError> {
        let modules = peers::node_modules(env!("CARGO_TARGET_TMPDIR"), "ses", &peer("package.json"))?;
        // It wants to be told a port, and between our finding a free one and its taking it somebody else may.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut child = Command::new("node")
                .arg("--import")
                .arg(peer("ends_with_stdin.mjs"))
                .arg(modules.join(".bin/aws-ses-v2-local"))
                .args(["--host", "127.0.0.1", "--port", &port.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
            if lines.any(|line| line.is_ok_and(|line| line.contains("server running"))) {
                return Ok(Self { child, port });
            }
            child.wait()?;
        }
        Err("the local SES did not start".into())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was sent, as it reads it.
    pub(crate) async fn mails(&self) -> Result<Vec<serde_json::Value>, AnyError> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(b"GET /store HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let store: serde_json::Value = serde_json::from_str(body)?;
        Ok(store.get("emails").and_then(serde_json::Value::as_array).ok_or("no mails")?.clone())
    }
}

impl Drop for LocalSes {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}
