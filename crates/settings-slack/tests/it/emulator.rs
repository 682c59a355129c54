//! The emulator, which is installed on first use and ends with the test.
use crate::{CLIENT_ID, REDIRECT, client};
use serde_json::Value;
use settings_domain::ports::slack::SlackApi as _;
use settings_testkit::peers;
use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use url::{Url, form_urlencoded};

/// Sees everything, and posts nothing.
const READER: &str = "xoxp-reader";

pub(crate) struct Emulator {
    child: Child,
    pub(crate) url: String,
    http: reqwest::Client,
    _dir: TempDir,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        // Made first: it installs the crypto that any client needs.
        client("http://127.0.0.1:1");
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let modules = peers::node_modules(env!("CARGO_TARGET_TMPDIR"), "slack", &peer("package.json")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        // It wants to be told a port, and between our finding a free one and its taking it somebody else may.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            if lines.any(|line| line.is_ok_and(|line| line.contains("Ready."))) {
                // Its later lines go nowhere; it does not wait for a reader.
                return Self { child, url: format!("http://127.0.0.1:{port}"), http, _dir: dir };
            }
            child.wait().unwrap();
        }
        panic!("the emulator did not start");
    }

    /// Asks Slack as a person in the channel.
    pub(crate) async fn read(&self, method: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.submit(&format!("{}/api/{method}", self.url), form).await;
        let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(said["ok"], true, "{method}: {said}");
        said
    }

    pub(crate) async fn channel(&self, name: &str) -> String {
        let said = self.read("conversations.list", &[("types", "public_channel,private_channel")]).await;
        let channels = said["channels"].as_array().unwrap();
        let found = channels.iter().find(|channel| channel["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {said}"))["id"].as_str().unwrap().to_owned()
    }

    /// Does what a person does: opens the page that we send them to and allows it. Returns where Slack sends them then.
    pub(crate) async fn allow(&self, state: &str) -> Url {
        let url: Url = client(&self.url).authorize_url(state, REDIRECT).parse().unwrap();
        let page = self.http.get(url.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let (_, after) = page.split_once("name=\"user_id\" value=\"").unwrap();
        let (user, _) = after.split_once('"').unwrap();
        let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        let form = [
            ("user_id", user),
            ("redirect_uri", REDIRECT),
            ("scope", asked["scope"].as_str()),
            ("state", asked["state"].as_str()),
            ("client_id", CLIENT_ID),
        ];
        let answer = self.submit(&format!("{}/oauth/v2/authorize/callback", self.url), &form).await;
        assert_eq!(answer.status(), 302);
        answer.headers()["location"].to_str().unwrap().parse().unwrap()
    }

    async fn submit(&self, url: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        request.header("authorization", format!("Bearer {READER}")).send().await.unwrap()
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}
