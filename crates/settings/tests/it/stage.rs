//! The example's service with a workspace, its admin, and everybody a test needs.
use crate::service;
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use settings::{Builder, Settings};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) struct Stage {
    pub(crate) settings: Settings,
    router: Router,
    admin: String,
    _folder: TempDir,
}

/// How a request says who it is.
pub(crate) enum Who<'a> {
    Nobody,
    Key(&'a str),
    Admin,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.db").display().to_string();
        Self::over(Settings::builder().sqlite(file), folder).await
    }
    /// On a database that was chosen.
    pub(crate) async fn over(builder: Builder, folder: TempDir) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let settings = builder
            .keyring_file(path("keyring.json"))
            .mailbox(path("mailbox"))
            .public_url("https://settings.example.com")
            .open()
            .await
            .unwrap();
        let admin = found(&settings, "acme").await;
        let router = settings.edge(service::router(settings.clone()).merge(settings.router()), true);
        Self { settings, router, admin, _folder: folder }
    }

    pub(crate) async fn call(
        &self,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        self.send(who, method, path, body, &[]).await
    }

    pub(crate) async fn send(
        &self,
        who: Who<'_>,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).header("host", "settings.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = match who {
            Who::Nobody => request,
            Who::Key(key) => request.header("x-api-key", key),
            Who::Admin => request.header("authorization", format!("Bearer {}", self.admin)),
        };
        let body = match body {
            None => Body::empty(),
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert!(response.headers().contains_key("x-request-id"), "the edge was passed");
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A key with these scopes: its id and its value.
    pub(crate) async fn key(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": "runner", "scopes": scopes});
        let (status, made) = self.call(Who::Admin, Method::POST, "/workspace/api-keys", Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        (text(&made, "id"), text(&made, "key"))
    }

    /// The id of the only environment.
    pub(crate) async fn environment(&self) -> String {
        let (status, list) = self.call(Who::Admin, Method::GET, "/workspace/environments", None).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        text(list.get("items").unwrap_or(&list).get(0).unwrap(), "id")
    }
}

/// Makes a workspace; its admin's bearer token.
async fn found(settings: &Settings, slug: &str) -> String {
    let link = settings.found(slug.parse().unwrap(), "Acme".parse().unwrap(), "ada@example.org".parse().unwrap());
    let link = link.await.unwrap();
    let token = link.expose_secret().rsplit('/').next().unwrap();
    let session = settings.app().redeem_sign_in(token).await.unwrap().expect("a fresh link");
    session.token.expose_secret().to_owned()
}

pub(crate) fn text(json: &Value, member: &str) -> String {
    json.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("{member} in {json}")).to_owned()
}
