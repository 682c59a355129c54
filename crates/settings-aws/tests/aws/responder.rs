//! An HTTP server that answers by a script.
use crate::AnyError;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A request: operation, head and body.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) operation: String,
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
    /// Before the first byte.
    pub(crate) after: Duration,
    /// Between the bytes of the body.
    pub(crate) drip: Option<Duration>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: String::new(), body: body.into(), after: Duration::ZERO, drip: None }
    }

    /// An error in the words of AWS's JSON protocol.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::new(status, format!(r#"{{"__type":"{code}","message":"about hunter2 and its key"}}"#))
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

type Script = dyn Fn(usize) -> Answer + Send + Sync;

/// Answers the n-th request as the script says.
pub(crate) struct Responder {
    pub(crate) url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Responder {
    pub(crate) async fn start(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Result<Self, AnyError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State::default());
        let (shared, script): (_, Arc<Script>) = (Arc::clone(&state), Arc::new(script));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, script) = (Arc::clone(&shared), Arc::clone(&script));
                // A peer that hangs up early is what some tests are about.
                tokio::spawn(async move { drop(serve(stream, &state, &*script).await) });
            }
        });
        Ok(Self { url, state, task })
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests were under way at once, at the most.
    pub(crate) fn most(&self) -> usize {
        self.state.most.load(Ordering::SeqCst)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: &State, script: &Script) -> Result<(), AnyError> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(Ok(0), str::parse)?;
        if let Some(body) = bytes.get(head.len() + 4..).filter(|body| body.len() == length) {
            let body = if body.is_empty() { serde_json::Value::Null } else { serde_json::from_slice(body)? };
            break (head.to_owned(), body);
        }
    };
    let target = head.lines().find_map(|line| line.strip_prefix("x-amz-target: trentservice."));
    let operation = target.unwrap_or_default().to_owned();
    let now = state.now.fetch_add(1, Ordering::SeqCst) + 1;
    state.most.fetch_max(now, Ordering::SeqCst);
    let number = {
        let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Seen { operation, head, body });
        seen.len()
    };
    let answer = script(number);
    tokio::time::sleep(answer.after).await;
    state.now.fetch_sub(1, Ordering::SeqCst);
    let head = format!(
        "HTTP/1.1 {} Said\r\ncontent-type: application/x-amz-json-1.1\r\nx-amzn-requestid: 0f1e-2d3c\r\n\
         connection: close\r\ncontent-length: {}\r\n{}\r\n",
        answer.status,
        answer.body.len(),
        answer.headers
    );
    stream.write_all(head.as_bytes()).await?;
    match answer.drip {
        None => stream.write_all(answer.body.as_bytes()).await?,
        Some(pause) => {
            for byte in answer.body.bytes() {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    stream.shutdown().await?;
    Ok(())
}
