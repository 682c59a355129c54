//! The real binary, started on an empty directory.
use crate::load;
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) struct Server {
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) started: Duration,
    pub(crate) key: String,
    pub(crate) workspace_id: String,
    pub(crate) token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field(json: &str, name: &str) -> String {
    json.split(&format!("\"{name}\":\""))
        .nth(1)
        .and_then(|t| t.split('"').next())
        .unwrap_or_else(|| panic!("{name} in {json}"))
        .to_owned()
}

/// A GET, the same each time.
pub(crate) fn get(path: &str, headers: &str) -> impl Fn(u64) -> String + Clone + Send + use<> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n");
    move |_| request.clone()
}

impl Server {
    pub(crate) async fn start(database: Option<String>) -> Self {
        Self::start_with(database, &[]).await
    }

    /// With further variables.
    pub(crate) async fn start_with(database: Option<String>, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_settings-http"));
        command.env_clear().current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.envs([
            ("SETTINGS_BIND", "127.0.0.1:0"),
            ("SETTINGS_RATE_LIMIT", "off"),
            ("SETTINGS_DEMO", "on"),
            ("RUST_LOG", "warn"),
        ]);
        command.envs(database.map(|url| ("DATABASE_URL", url)));
        command.envs(more.iter().copied());
        let begun = Instant::now();
        let mut child = command.spawn().expect("the binary");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let first = lines.next().expect("a line").expect("text");
        let address: SocketAddr =
            first.strip_prefix("listening on http://").expect("the address").parse().expect("an address");
        let get = "GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n";
        assert_eq!(load::once(address, get).await.0, 200);
        let started = begun.elapsed();
        let link = lines.next().expect("a line").expect("text");
        let path = link.split(&format!("http://{address}")).nth(1).expect("the link").to_owned();
        let (_, body) = load::once(
            address,
            &format!("POST {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\ncontent-length: 0\r\n\r\n"),
        )
        .await;
        let token = field(&body, "token");
        let json = r#"{"name":"bench","scopes":["workspace:read"]}"#;
        let request = format!(
            "POST /workspace/api-keys HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        let key = field(&load::once(address, &request).await.1, "key");
        let read = format!("GET /workspace HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\n\r\n");
        let workspace_id = field(&load::once(address, &read).await.1, "id");
        tokio::time::sleep(Duration::from_secs(2)).await;
        Self { child, folder, address, started, key, workspace_id, token }
    }

    /// Renames the workspace; every name is another, since an equal one changes nothing.
    pub(crate) fn rename(&self) -> impl Fn(u64) -> String + Clone + Send + use<> {
        let token = self.token.clone();
        move |n| {
            let json = format!("{{\"name\":\"Bench {n}\"}}");
            let length = json.len();
            format!(
                "PUT /workspace HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
            )
        }
    }

    /// Resident set in megabytes.
    pub(crate) fn resident_megabytes(&self) -> f64 {
        resident_megabytes(&self.child)
    }
}

/// Resident set of a process in megabytes.
pub(crate) fn resident_megabytes(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
}
