//! Receivers that keep a record, and a resolver that says what it is told to.
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use settings_egress::{Client, Limits, Method, Policy, Request, Resolver, Target};
use std::{
    env, io,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

pub(crate) const TENANT: &str = "tenant";

/// Short enough for a test that waits for the end, long enough for a busy machine.
pub(crate) const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10), per_tenant: 4, wait: Duration::ZERO };

/// A connection, with TLS or without.
pub(crate) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

type Answer = Arc<dyn Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync>;

#[derive(Default)]
struct Record {
    /// Who connected, and to which of our addresses.
    connections: Vec<(SocketAddr, IpAddr)>,
    /// Requests, with their bodies.
    requests: Vec<String>,
}

/// Takes connections on a port of its own. Each gets one answer, after its request was read.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    record: Arc<Mutex<Record>>,
}

impl Receiver {
    pub(crate) fn start(answer: impl Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1", None, Arc::new(answer))
    }

    /// On every address of the machine: whatever is contacted by mistake is noticed.
    pub(crate) fn everywhere() -> Self {
        Self::listen("0.0.0.0", None, Arc::new(|wire: &mut dyn Wire| wire.write_all(OK)))
    }

    pub(crate) fn with_tls(config: rustls::ServerConfig) -> Self {
        Self::listen("127.0.0.1", Some(Arc::new(config)), Arc::new(|wire: &mut dyn Wire| wire.write_all(OK)))
    }

    fn listen(ip: &str, tls: Option<Arc<rustls::ServerConfig>>, answer: Answer) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let receiver = Self { address: listener.local_addr().unwrap(), record: Arc::default() };
        let record = Arc::clone(&receiver.record);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let ends = (stream.peer_addr().unwrap(), stream.local_addr().unwrap().ip());
                record.lock().unwrap().connections.push(ends);
                let (record, answer, tls) = (Arc::clone(&record), Arc::clone(&answer), tls.clone());
                thread::spawn(move || {
                    // A client that goes away early is what many tests are about.
                    let _ = match tls {
                        None => serve(stream, &record, &answer),
                        Some(config) => {
                            let session = rustls::ServerConnection::new(config).unwrap();
                            serve(rustls::StreamOwned::new(session, stream), &record, &answer)
                        }
                    };
                });
            }
        });
        receiver
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Which of our addresses were connected to. Connections are taken in order: once our own is there, all are.
    pub(crate) fn contacted(&self) -> Vec<IpAddr> {
        let own = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        let own = own.local_addr().unwrap();
        loop {
            let record = self.record.lock().unwrap();
            if record.connections.iter().any(|(peer, _)| *peer == own) {
                return record.connections.iter().take_while(|(peer, _)| *peer != own).map(|(_, ours)| *ours).collect();
            }
            drop(record);
            thread::yield_now();
        }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.record.lock().unwrap().requests.clone()
    }
}

fn serve(mut wire: impl Wire, record: &Mutex<Record>, answer: &Answer) -> io::Result<()> {
    let request = read_request(&mut wire)?;
    record.lock().unwrap().requests.push(request);
    answer(&mut wire)?;
    wire.flush()
}

fn read_request(wire: &mut dyn Wire) -> io::Result<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        wire.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.split("content-length: ").nth(1).map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    wire.read_exact(&mut body)?;
    request.extend(body);
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// An answer that says yes.
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A resolver with an answer for each lookup. The last one stands for all that follow.
#[derive(Debug)]
pub(crate) struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn script(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: Mutex::default() })
    }

    pub(crate) fn loopback() -> Arc<Self> {
        Self::script(&[&["127.0.0.1"]])
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().unwrap();
        let answer = self.answers.get(asked.len()).or(self.answers.last()).cloned();
        asked.push(host.to_owned());
        answer.ok_or_else(|| io::Error::other("no such host"))
    }
}

pub(crate) fn allow(networks: &[&str]) -> Policy {
    Policy::new(networks.iter().map(|net| net.parse().unwrap()).collect(), [""; 0]).unwrap()
}

/// A client that may send to loopback, with all names resolving to it.
pub(crate) fn local_client(limits: Limits) -> Client {
    Client::with_limits(allow(&["127.0.0.0/8"]), Names::loopback(), limits).unwrap()
}

pub(crate) fn get(target: Target) -> Request {
    Request { target, method: Method::Get, headers: HeaderMap::new(), body: Bytes::new() }
}

/// `http://host:port/` for the port of a receiver.
pub(crate) fn plain(client: &Client, host: &str, receiver: &Receiver) -> Request {
    get(client.policy().check(&format!("http://{host}:{}/", receiver.port())).unwrap())
}

/// What a receiver's thread has to say. Waits without blocking: our own connections are tasks on this thread.
pub(crate) async fn told<T>(by: &mpsc::Receiver<T>) -> T {
    loop {
        match by.try_recv() {
            Ok(said) => return said,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Runs one test of this binary again in a process with another environment: a process cannot change its own.
#[expect(clippy::disallowed_methods, reason = "how the test tells its child what it is")]
pub(crate) fn child_of(test: &str, environment: &[(&str, &str)]) -> bool {
    const CHILD: &str = "SETTINGS_EGRESS_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        return false;
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .envs(environment.iter().copied())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    true
}
