//! Requests that no client would send: bytes over TCP, and whatever comes back.
use super::{answer::Answer, client::Caller};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What came back: status, headers and body; `None` where the connection was closed without an answer.
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Sends bytes as they are and reads until the server has nothing more to say.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl Into<Vec<u8>>) -> Option<Raw> {
    let bytes = bytes.into();
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(&bytes);
        let mut all = Vec::new();
        let mut part = [0; 16 * 1024];
        loop {
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(n) => {
                    all.extend_from_slice(&part[..n]);
                    if complete(&all) {
                        break;
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => break,
                Err(e) => panic!("nothing came within 20 s: {e}; so far {}", String::from_utf8_lossy(&all)),
            }
        }
        parse(&all)
    })
    .await
    .unwrap()
}

fn head_end(all: &[u8]) -> Option<usize> {
    all.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

fn length(head: &str) -> Option<usize> {
    let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with("content-length:"))?;
    line.split_once(':')?.1.trim().parse().ok()
}

fn complete(all: &[u8]) -> bool {
    let Some(end) = head_end(all) else { return false };
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let bodiless = head.starts_with("HTTP/1.1 204") || head.starts_with("HTTP/1.1 304");
    bodiless || length(&head).is_some_and(|n| all.len() >= end + n)
}

fn parse(all: &[u8]) -> Option<Raw> {
    let end = head_end(all)?;
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Raw { status, head, body: all[end..].to_vec() })
}

impl Raw {
    /// As an ordinary answer, held to the rules for all of them.
    pub(crate) fn answer(&self, what: &str) -> Answer {
        let mut headers = HeaderMap::new();
        for line in self.head.lines().skip(1) {
            if let Some((name, value)) = line.split_once(':') {
                let name: HeaderName = name.parse().unwrap();
                headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
            }
        }
        Answer::new(what.to_owned(), self.status, headers, self.body.clone())
    }
}

impl Caller {
    /// A request whose target is sent to the letter: nothing is normalised on the way.
    pub(crate) async fn to_the_letter(&self, method: &str, target: &str) -> Answer {
        let (name, value) = self.credential_header();
        let text = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\nconnection: close\r\n\r\n");
        let raw = exchange(self.site.address(), text).await.unwrap_or_else(|| panic!("{target}: no answer"));
        raw.answer(&format!("{} {method} {target}", self.who))
    }
}
