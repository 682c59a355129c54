//! Slack as somebody else's emulator plays it. Installed on first use with the Node that it needs, ends with the test.
use crate::peers;
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// The app that the emulator knows.
pub const CLIENT_ID: &str = "12345.67890";
/// Its secret.
pub const CLIENT_SECRET: &str = "hunter2hunter2";
/// Where the app's people may come back to.
pub const REDIRECT: &str = "http://localhost:8080/connections/slack/callback";
/// A token that sees everything and posts nothing.
pub const READER: &str = "xoxp-reader";

/// A running emulator with what `peers/slack/emulate.config.yaml` says in it.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    /// Where it is.
    pub url: String,
    _dir: TempDir,
}

impl Emulator {
    /// Starts one. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
    ///
    /// # Panics
    /// When it can't be installed or started.
    #[must_use]
    pub fn start(target: &str) -> Self {
        let modules = peers::node_modules(target, "slack", &peer("package.json")).expect("the emulator");
        let dir = tempfile::tempdir().expect("a folder");
        // It wants to be told a port, and between our finding a free one and its taking it somebody else may.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = free.expect("a free port").port();
            let mut child = Command::new(modules.join("node/bin/node"))
                .arg("--import")
                .arg(peer("ends_with_stdin.mjs"))
                .arg(modules.join(".bin/emulate"))
                .args(["start", "--service", "slack", "-p", &port.to_string(), "--seed"])
                .arg(peer("emulate.config.yaml"))
                .current_dir(dir.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("an emulator");
            let mut lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
            if lines.any(|line| line.is_ok_and(|line| line.contains("Ready."))) {
                // Its later lines go nowhere; it does not wait for a reader.
                return Self { child, url: format!("http://127.0.0.1:{port}"), _dir: dir };
            }
            child.wait().expect("its end");
        }
        panic!("the emulator did not start");
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/slack").join(name)
}
