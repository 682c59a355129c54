//! A local SES that reads what it is sent, installed on first use; it ends with the test.
use crate::{AnyError, moto::run};
use std::{
    fs::{self, File},
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
        let modules = installed()?;
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

/// The pinned packages, installed on first use.
fn installed() -> Result<PathBuf, AnyError> {
    let wanted = fs::read_to_string(peer("package.json"))?;
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers");
    let place = peers.join("ses");
    // Written last, so that it says what is installed.
    let ready = place.join("ready.json");
    fs::create_dir_all(&place)?;
    // Tests are processes of their own and start together: one installs, the others wait.
    let lock = File::create(peers.join("ses.lock"))?;
    lock.lock()?;
    if fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        fs::write(place.join("package.json"), &wanted)?;
        let install = ["install", "--no-audit", "--no-fund", "--no-package-lock"];
        run(Command::new("npm").args(install).current_dir(&place))?;
        fs::write(ready, wanted)?;
    }
    Ok(place.join("node_modules"))
}
