//! moto: AWS of somebody else's making, which checks signatures. Installed on first use, ends with the test.
use crate::peers::{self, Failed};
use std::{
    ffi::OsStr,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

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
        let mut command = Command::new(peers::python(target, peers::MOTO)?);
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

    /// The same as a URL, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens with TLS, if it does.
    #[must_use]
    pub const fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Stops it where it is: from now on it takes connections and says nothing. For good.
    pub fn fall_silent(&self) -> Result<(), Failed> {
        let pid = self.child.id().to_string();
        let sent = Command::new("/bin/sh").args(["-c", r#"kill -STOP "$1""#, "kill", &pid]).status()?;
        if sent.success() { Ok(()) } else { Err("moto is gone already".into()) }
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
        good(self.post("/moto-api/reset-auth", &[("content-type", "text/plain")], "0")?).map(drop)
    }

    /// A fresh key in KMS, in the region `eu-central-1`: its id and its ARN.
    pub fn kms_key(&self) -> Result<(String, String), Failed> {
        let made: serde_json::Value = serde_json::from_str(&self.kms("CreateKey", "{}")?)?;
        let part = |name| made.get("KeyMetadata")?.get(name)?.as_str().map(str::to_owned);
        Ok(part("KeyId").zip(part("Arn")).ok_or("KMS made no key")?)
    }

    /// Another name (`alias/…`) for a key in KMS.
    pub fn kms_alias(&self, alias: &str, key: &str) -> Result<(), Failed> {
        self.kms("CreateAlias", &format!(r#"{{"AliasName":"{alias}","TargetKeyId":"{key}"}}"#)).map(drop)
    }

    fn kms(&self, operation: &str, body: &str) -> Result<String, Failed> {
        let target = format!("TrentService.{operation}");
        let signed = authorization("eu-central-1", "kms");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &*target), ("authorization", &*signed)];
        good(self.post("/", &headers, body)?)
    }

    /// Lets SES, in the region `eu-central-1`, send mail from an address.
    pub fn ses_sender(&self, address: &str) -> Result<(), Failed> {
        let form = format!("Action=VerifyEmailIdentity&EmailAddress={address}&Version=2010-12-01");
        self.form("eu-central-1", "ses", &form).map(drop)
    }

    /// The raw messages that SES took.
    pub fn ses_mails(&self) -> Result<Vec<serde_json::Value>, Failed> {
        let answer = good(self.call("GET", "/moto-api/data.json", &[], "")?)?;
        let data: serde_json::Value = serde_json::from_str(&answer)?;
        let found = data.get("ses").and_then(|ses| ses.get("RawMessage")).and_then(serde_json::Value::as_array);
        Ok(found.ok_or_else(|| format!("no raw messages in {data}"))?.clone())
    }

    fn iam(&self, form: &str) -> Result<String, Failed> {
        self.form("us-east-1", "iam", &format!("{form}&Version=2010-05-08"))
    }

    fn form(&self, region: &str, service: &str, form: &str) -> Result<String, Failed> {
        let signed = authorization(region, service);
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &*signed)];
        good(self.post("/", &headers, form)?)
    }

    /// Posts in plain HTTP and gives the answer's status and body.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String), Failed> {
        self.call("POST", path, headers, body)
    }

    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String), Failed> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let (port, length) = (self.port, body.len());
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        write!(request, "content-length: {length}\r\n\r\n{body}")?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).ok_or("no status")?.parse()?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        Ok((status, body.to_owned()))
    }
}

/// moto finds the service by the name in here.
fn authorization(region: &str, service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=a/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0")
}

fn good((status, answer): (u16, String)) -> Result<String, Failed> {
    if status == 200 { Ok(answer) } else { Err(format!("moto answered {status}: {answer}").into()) }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
