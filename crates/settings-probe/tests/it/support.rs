//! Responders that keep a record, names that lead where they are told to, and probes.
use async_trait::async_trait;
use settings_crypto::SystemClock;
use settings_domain::{
    ids::WorkspaceId,
    models::{Credential, Provider},
    ports::probe::{ModelProber as _, Probe, ProbeReport},
    sealed::SecretValue,
};
use settings_egress::{Client, Limits, Policy, Resolver};
use settings_probe::HttpProber;
use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use uuid::Uuid;

/// Shows in everything that holds it.
pub(crate) const CANARY: &str = "sk-canary-0123456789";

/// Short enough for a test that waits for the end, long enough for a busy machine.
pub(crate) const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10), per_tenant: 4, wait: Duration::ZERO };

type Answer = Arc<dyn Fn(&mut TcpStream) -> io::Result<()> + Send + Sync>;

/// Takes connections on a port of its own. Each gets one answer, after its request was read.
pub(crate) struct Responder {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Responder {
    pub(crate) fn start(answer: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (record, answer): (_, Answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, record, answer) = (stream.unwrap(), Arc::clone(&record), Arc::clone(&answer));
                // A client that goes away early is what some tests are about.
                thread::spawn(move || {
                    let request = read_request(&mut stream)?;
                    record.lock().unwrap().push(request);
                    answer(&mut stream)
                });
            }
        });
        Self { port, requests }
    }

    /// Answers with this status, and with the canary in everything else.
    pub(crate) fn says(status: u16) -> Self {
        Self::start(move |wire| {
            let body = format!("{{\"error\":\"{CANARY} internal-host.corp\"}}");
            write!(
                wire,
                "HTTP/1.1 {status} {CANARY}\r\nlocation: http://169.254.169.254/\r\nx-a: {CANARY}\r\ncontent-type: \
                 text/{CANARY}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it was sent: head and body, lower case in the names of headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body)?;
    request.extend(body);
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// Says the same of every name.
#[derive(Debug)]
pub(crate) struct Names(pub(crate) &'static [&'static str]);

#[async_trait]
impl Resolver for Names {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        if self.0.is_empty() {
            return Err(io::Error::other("no such host"));
        }
        Ok(self.0.iter().map(|address| address.parse().unwrap()).collect())
    }
}

pub(crate) fn prober(allow: &[&str], names: &'static [&'static str], limits: Limits) -> HttpProber {
    let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
    let policy = Policy::new(allow, ["settings.example.com"]).unwrap();
    let client = Client::with_limits(policy, Arc::new(Names(names)), limits).unwrap();
    HttpProber::new(Arc::new(client), Arc::new(SystemClock))
}

/// One that may call loopback, where all names lead to.
pub(crate) fn local_prober() -> HttpProber {
    prober(&["127.0.0.0/8"], &["127.0.0.1"], LIMITS)
}

pub(crate) fn secret(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned().into()).unwrap()
}

pub(crate) fn token(text: &str) -> Credential {
    Credential::Token(secret(text))
}

pub(crate) fn pair(client_key: &str, secret_key: &str) -> Credential {
    Credential::ClientKey { client_key: secret(client_key), secret_key: secret(secret_key) }
}

pub(crate) async fn probe(
    prober: &HttpProber,
    provider: Provider,
    url: impl Into<String>,
    credential: Credential,
) -> ProbeReport {
    let tenant = WorkspaceId::from_uuid(Uuid::from_u128(0xa));
    let report = prober.probe(&Probe { tenant, provider, url: url.into(), credential }).await;
    for word in ["canary", "corp", "169.254", "127.0.0.1"] {
        assert!(!report.detail.contains(word), "{word} is in {}", report.detail);
    }
    assert!(report.detail.ends_with('.'), "a sentence: {}", report.detail);
    assert_eq!(report.took_ms % 100, 0, "rough steps");
    report
}
