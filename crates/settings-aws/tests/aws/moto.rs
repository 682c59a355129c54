//! moto, which is installed on first use and ends with the test.
use crate::{AnyError, TestResult, options};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kms::{Client, config};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A running moto, with nothing in it.
pub(crate) struct Moto {
    child: Child,
    pub(crate) port: u16,
}

impl Moto {
    pub(crate) fn start() -> Result<Self, AnyError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/moto_peer.py");
        let mut child = Command::new(python()?)
            .args(["-W", "ignore"])
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let said: serde_json::Value = serde_json::from_str(&line).map_err(|e| format!("moto said {line:?}: {e}"))?;
        let port = said.get("port").and_then(serde_json::Value::as_u64).ok_or("no port")?;
        Ok(Self { child, port: port.try_into()? })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The SDK's own client.
    fn client(&self) -> Client {
        let options = options(&self.url());
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = config::Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(options.region.map(Region::new))
            .endpoint_url(self.url())
            .credentials_provider(config::Credentials::new("a", "b", None, None, "test"));
        Client::from_conf(config.build())
    }

    /// A fresh key: its id and ARN.
    pub(crate) async fn key(&self) -> Result<(String, String), AnyError> {
        let made = self.client().create_key().send().await?.key_metadata.ok_or("no key")?;
        Ok((made.key_id, made.arn.ok_or("no ARN")?))
    }

    pub(crate) async fn alias(&self, alias: &str, key: &str) -> TestResult {
        self.client().create_alias().alias_name(alias).target_key_id(key).send().await?;
        Ok(())
    }

    /// Lets SES send mail from an address.
    pub(crate) async fn sender(&self, address: &str) -> TestResult {
        let headers = "content-type: application/x-www-form-urlencoded\r\nauthorization: AWS4-HMAC-SHA256 \
            Credential=a/20260101/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0\r\n";
        let form = format!("Action=VerifyEmailIdentity&EmailAddress={address}&Version=2010-12-01");
        self.post("/", headers, &form).await.map(drop)
    }

    /// The raw messages that SES took.
    pub(crate) async fn raw_mails(&self) -> Result<Vec<serde_json::Value>, AnyError> {
        let answer = self.call("GET", "/moto-api/data.json", "", "").await?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        let data: serde_json::Value = serde_json::from_str(body)?;
        let found = data.get("ses").and_then(|ses| ses.get("RawMessage")).and_then(serde_json::Value::as_array);
        Ok(found.ok_or_else(|| format!("no raw messages in {data}"))?.clone())
    }

    /// A key pair that may do this much. Nobody checks it until [`Moto::check_signatures`].
    pub(crate) async fn user(&self, name: &str, actions: &str) -> Result<(String, String), AnyError> {
        self.iam(&format!("Action=CreateUser&UserName={name}")).await?;
        let policy = format!(
            "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22\
             %3A%22{actions}%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"
        );
        self.iam(&format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}")).await?;
        let made = self.iam(&format!("Action=CreateAccessKey&UserName={name}")).await?;
        let part = |tag: &str| {
            let (_, rest) = made.split_once(&format!("<{tag}>"))?;
            rest.split_once('<').map(|(value, _)| value.to_owned())
        };
        Ok(part("AccessKeyId").zip(part("SecretAccessKey")).ok_or(made.clone())?)
    }

    /// From now on moto computes each request's signature anew and looks up what the caller may do.
    pub(crate) async fn check_signatures(&self) -> TestResult {
        self.post("/moto-api/reset-auth", "content-type: text/plain\r\n", "0").await.map(drop)
    }

    async fn iam(&self, form: &str) -> Result<String, AnyError> {
        // moto finds the service by the name in here.
        let headers = "content-type: application/x-www-form-urlencoded\r\nauthorization: AWS4-HMAC-SHA256 \
            Credential=a/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\r\n";
        self.post("/", headers, &format!("{form}&Version=2010-05-08")).await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Result<String, AnyError> {
        self.call("POST", path, headers, body).await
    }

    async fn call(&self, method: &str, path: &str, headers: &str, body: &str) -> Result<String, AnyError> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        if answer.split(' ').nth(1) == Some("200") { Ok(answer) } else { Err(answer.into()) }
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
fn python() -> Result<PathBuf, AnyError> {
    const VERSION: &str = "5.2.5";
    let peers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers");
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

pub(crate) fn run(command: &mut Command) -> TestResult {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
