//! A load of keep-alive connections that send one request after the other.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Reads one answer; returns its status. Answers have a `content-length`.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    loop {
        let mut part = [0; 8192];
        let n = stream.read(&mut part).await.expect("an answer");
        assert!(n > 0, "the server hung up");
        buffer.extend_from_slice(&part[..n]);
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end]).expect("ASCII headers").to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .and_then(|t| t.split("\r\n").next())
                .map_or(0, |t| t.parse().expect("a length"));
            if buffer.len() >= end + 4 + length {
                return head[9..12].parse().expect("a status");
            }
        }
    }
}

/// Answers per second over `time` with `connections` connections. Every answer must be a 200. `request` makes the n-th.
pub(crate) async fn rate<F>(address: SocketAddr, request: F, connections: usize, time: Duration) -> f64
where
    F: Fn(u64) -> String + Clone + Send + 'static,
{
    let (done, sent, stop) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (done, sent, stop, request) = (done.clone(), sent.clone(), stop.clone(), request.clone());
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let mut buffer = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let n = sent.fetch_add(1, Ordering::Relaxed);
                stream.write_all(request(n).as_bytes()).await.expect("sent");
                assert_eq!(answer(&mut stream, &mut buffer).await, 200, "{}", String::from_utf8_lossy(&buffer));
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    // Connections and caches warm up first.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, started) = (done.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time).await;
    let (after, took) = (done.load(Ordering::Relaxed), started.elapsed());
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("a clean connection");
    }
    (after - before) as f64 / took.as_secs_f64()
}

/// One request; the body of its answer.
pub(crate) async fn once(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut buffer = Vec::new();
    let status = answer(&mut stream, &mut buffer).await;
    let text = String::from_utf8(buffer).expect("UTF-8");
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, b)| b.to_owned()))
}
