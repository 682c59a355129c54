//! moto: AWS of somebody else's making, which checks signatures. Installed on first use, ends with the test.
use std::{
    error::Error,
    ffi::OsStr,
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Whatever went wrong, for a test that fails of it.
pub type Failed = Box<dyn Error + Send + Sync>;

/// A running moto, with nothing in it.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    port: u16,
    tls_port: Option<u16>,
}

/// An access key and its secret, both made by moto.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// Its secret half.
    pub secret: String,
}

impl Moto {
    /// Starts one. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
    pub fn start(target: &str) -> Result<Self, Failed> {
        Self::launch(target, &[])
    }

    /// Starts one that also listens with TLS, with the certificate and the key in these files.
    pub fn start_with_tls(target: &str, certificate: &Path, key: &Path) -> Result<Self, Failed> {
        Self::launch(target, &[certificate.as_os_str(), key.as_os_str()])
    }

    fn launch(target: &str, arguments: &[&OsStr]) -> Result<Self, Failed> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/moto_peer.py");
        let mut command = Command::new(python(Path::new(target))?);
        command.args(["-W", "ignore"]).arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let said: serde_json::Value = serde_json::from_str(&line).map_err(|e| format!("moto said {line:?}: {e}"))?;
        let port = |name| said.get(name).and_then(serde_json::Value::as_u64).and_then(|port| u16::try_from(port).ok());
        Ok(Self { child, port: port("port").ok_or("no port")?, tls_port: port("tls_port") })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens with TLS, if it does.
    #[must_use]
    pub const fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// An access key that may do this much, such as `bedrock:*`. Nobody checks it until [`Moto::check_signatures`], and
    /// then no more keys can be made.
    pub fn access_key(&self, name: &str, actions: &str) -> Result<AccessKey, Failed> {
        self.iam(&format!("Action=CreateUser&UserName={name}"))?;
        let policy = format!(
            "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22\
             %3A%22{actions}%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"
        );
        self.iam(&format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}"))?;
        let made = self.iam(&format!("Action=CreateAccessKey&UserName={name}"))?;
        let part = |tag: &str| {
            let (_, rest) = made.split_once(&format!("<{tag}>"))?;
            rest.split_once('<').map(|(value, _)| value.to_owned())
        };
        let made = part("AccessKeyId").zip(part("SecretAccessKey"));
        let (id, secret) = made.ok_or("moto has made no access key")?;
        Ok(AccessKey { id, secret })
    }

    /// From now on moto computes each request's signature anew and looks up what the caller may do.
    pub fn check_signatures(&self) -> Result<(), Failed> {
        let (status, answer) = self.post("/moto-api/reset-auth", &[("content-type", "text/plain")], "0")?;
        if status == 200 { Ok(()) } else { Err(answer.into()) }
    }

    fn iam(&self, form: &str) -> Result<String, Failed> {
        // moto finds the service by the name in here.
        let authorization = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, \
            Signature=0";
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)];
        let (status, answer) = self.post("/", &headers, &format!("{form}&Version=2010-05-08"))?;
        if status == 200 { Ok(answer) } else { Err(answer.into()) }
    }

    /// Posts in plain HTTP and gives status and answer.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String), Failed> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let (port, length) = (self.port, body.len());
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        write!(request, "content-length: {length}\r\n\r\n{body}")?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, answer))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has the pinned moto, installed on first use.
fn python(target: &Path) -> Result<PathBuf, Failed> {
    const VERSION: &str = "5.2.5";
    let peers = target.join("../peers");
    let venv = peers.join("moto");
    let ready = venv.join(format!(".ready-{VERSION}"));
    fs::create_dir_all(&peers)?;
    // Tests are processes of their own and start together: one installs, the others wait.
    let lock = File::create(peers.join("moto.lock"))?;
    lock.lock()?;
    let python = venv.join("bin/python");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).arg(format!("moto[server]=={VERSION}")))?;
        File::create(&ready)?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), Failed> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
