//! A Slack that says what it is told to: the emulator revokes no token, never throttles and has one team.
use super::{Site, Store, Tenant, Value, eventually, home::Env, json};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// A message that was posted: under which token, and what.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) token: String,
    pub(crate) message: Value,
}

struct Said {
    team: &'static str,
    token: String,
    /// `ok`, one of Slack's codes, or `wait 30`.
    answer: String,
    posted: Vec<Posted>,
}

/// A running one. It ends with the test.
pub(crate) struct ScriptedSlack {
    url: String,
    said: Arc<Mutex<Said>>,
    task: JoinHandle<()>,
}

impl Drop for ScriptedSlack {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<Mutex<Said>>>;

async fn grant(State(said): Shared) -> axum::Json<Value> {
    let said = said.lock().unwrap();
    axum::Json(json!({"ok": true, "access_token": said.token, "token_type": "bot", "scope": "chat:write",
        "team": {"id": said.team, "name": format!("Team {}", said.team)},
        "incoming_webhook": {"channel": "#alerts", "channel_id": "C1", "url": "https://hooks.slack.com/services/x"}}))
}

async fn take(State(said): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut said = said.lock().unwrap();
    if let Some(seconds) = said.answer.strip_prefix("wait ") {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_owned())]).into_response();
    }
    if said.answer != "ok" {
        return axum::Json(json!({"ok": false, "error": said.answer})).into_response();
    }
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let message = serde_json::from_slice(&body).unwrap();
    said.posted.push(Posted { token, message });
    axum::Json(json!({"ok": true, "ts": "1.1"})).into_response()
}

impl ScriptedSlack {
    /// Starts one that grants and takes everything.
    pub(crate) async fn start() -> Self {
        let said = Said { team: "T1", token: "xoxb-one".to_owned(), answer: "ok".to_owned(), posted: Vec::new() };
        let said = Arc::new(Mutex::new(said));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/api/oauth.v2.access", post(grant))
            .route("/api/chat.postMessage", post(take))
            .with_state(said.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, said, task }
    }
    /// A server of one's own that is connected with it.
    pub(crate) async fn site(&self, store: Store, more: Env<'_>) -> Site {
        let env = [
            ("SLACK_CLIENT_ID", Some("1.2")),
            ("SLACK_CLIENT_SECRET", Some("secret")),
            ("SLACK_API_BASE", Some(self.url.as_str())),
        ];
        Site::outgoing(store, &[&env[..], more].concat()).await
    }
    /// What it answers to messages from now on: `ok`, one of Slack's codes, or `wait 30`.
    pub(crate) fn answers(&self, answer: &str) {
        answer.clone_into(&mut self.said.lock().unwrap().answer);
    }
    /// What it grants from now on.
    pub(crate) fn grants(&self, team: &'static str, token: &str) {
        let mut said = self.said.lock().unwrap();
        said.team = team;
        token.clone_into(&mut said.token);
    }
    /// All that was posted.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.said.lock().unwrap().posted.clone()
    }
    /// All that was posted, once it is so much.
    pub(crate) async fn posts(&self, count: usize) -> Vec<Posted> {
        eventually(&format!("message {count} in Slack"), async || {
            Some(self.posted()).filter(|posted| posted.len() >= count)
        })
        .await
    }
    /// Where this Slack would lead a person back to, who has begun and allows it.
    #[expect(clippy::unused_self, reason = "said of a Slack")]
    pub(crate) fn way_back(&self, tenant: &Tenant, begun: &Value) -> String {
        let page: reqwest::Url = begun["url"].as_str().unwrap().parse().unwrap();
        let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        tenant.path(&format!("/connections/slack/callback?code=c&state={state}"))
    }
    /// Connects a workspace, as a person who allows it at once.
    pub(crate) async fn connect(&self, tenant: &Tenant) -> Value {
        let begun = tenant.admin.act(tenant.path("/connections/slack/authorize")).await.ok();
        tenant.admin.get(self.way_back(tenant, &begun)).await.ok()
    }
}
