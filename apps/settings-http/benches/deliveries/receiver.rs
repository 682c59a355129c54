//! A webhook's receiver: answers 204 to everything and notes when each id came first, and how often it came.
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

type Seen = Arc<Mutex<HashMap<String, (Instant, u32)>>>;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Seen,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, seen) = (listener.local_addr().expect("its address"), Seen::default());
        let noted = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, noted.clone()));
            }
        });
        Self { address, seen }
    }
    /// What came so far: the instant of each id, and how often it came.
    pub(crate) fn seen(&self) -> HashMap<String, (Instant, u32)> {
        self.seen.lock().expect("no panic").clone()
    }
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }
    pub(crate) fn forget(&self) {
        self.seen.lock().expect("no panic").clear();
    }
}

async fn serve(mut stream: TcpStream, seen: Seen) {
    let mut buffer = Vec::new();
    let mut part = [0; 8192];
    while let Ok(n @ 1..) = stream.read(&mut part).await {
        buffer.extend_from_slice(&part[..n]);
        while let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).expect("ASCII headers").to_ascii_lowercase();
            let field = |name: &str| {
                let value = head.split(&format!("\r\n{name}: ")).nth(1).and_then(|t| t.split("\r\n").next());
                value.unwrap_or_default().to_owned()
            };
            let length: usize = field("content-length").parse().unwrap_or(0);
            if buffer.len() < end + 4 + length {
                break;
            }
            {
                let mut seen = seen.lock().expect("no panic");
                seen.entry(field("webhook-id")).or_insert_with(|| (Instant::now(), 0)).1 += 1;
            }
            buffer.drain(..end + 4 + length);
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}
