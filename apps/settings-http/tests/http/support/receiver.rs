//! A webhook's receiver: it answers as it is told, remembers all that came, and checks signatures with the official library.
use super::eventually;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use standardwebhooks::Webhook;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::task::JoinHandle;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and one header.
    With(u16, &'static str, String),
    /// Never answers.
    Hang,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }
    /// What identifies the delivery.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    /// Whether the official library takes it under a secret.
    pub(crate) fn is_genuine(&self, secret: &str) -> bool {
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, self.headers[name].clone());
        }
        Webhook::new(secret).unwrap().verify(&self.body, &headers).is_ok()
    }
    /// Whether the platform's own signature is right: HMAC-SHA256 of the body in hexadecimal, computed here anew.
    pub(crate) fn is_the_platforms(&self, secret: &str) -> bool {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key), &self.body);
        let said = self.header("x-provenanceone-signature");
        said.len() == 64
            && tag
                .as_ref()
                .iter()
                .enumerate()
                .all(|(n, byte)| said.get(2 * n..2 * n + 2) == Some(&*format!("{byte:02x}")))
    }
}

#[derive(Default)]
struct Inner {
    script: Mutex<VecDeque<Reply>>,
    /// What is answered once the script is at its end.
    rest: Mutex<Option<Reply>>,
    got: Mutex<Vec<Received>>,
}

/// A running receiver. It ends with the test.
pub(crate) struct Receiver {
    pub(crate) base: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let reply = inner.script.lock().unwrap().pop_front().or_else(|| inner.rest.lock().unwrap().clone());
    inner.got.lock().unwrap().push(Received { headers, path, body: body.to_vec(), at: Instant::now() });
    match reply.unwrap_or(Reply::Status(204)) {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::With(status, name, value) => (StatusCode::from_u16(status).unwrap(), [(name, value)]).into_response(),
        Reply::Hang => std::future::pending().await,
    }
}

impl Receiver {
    /// Answers by the script, then with 204.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let inner = Arc::new(Inner { script: Mutex::new(script.into_iter().collect()), ..Inner::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(take).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, inner, task }
    }
    /// Answers everything in this way, from now on.
    pub(crate) fn always(&self, reply: Reply) {
        *self.inner.rest.lock().unwrap() = Some(reply);
    }
    /// An address of it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
    /// All that came so far.
    pub(crate) fn so_far(&self) -> Vec<Received> {
        self.inner.got.lock().unwrap().clone()
    }
    /// All that came, once it is as many as this.
    pub(crate) async fn got(&self, count: usize) -> Vec<Received> {
        eventually(&format!("request {count} to the webhook"), async || {
            Some(self.so_far()).filter(|got| got.len() >= count)
        })
        .await
    }
}
