//! Callers: a credential, a server, and requests that read like sentences.
use super::{
    answer::Answer,
    eventually,
    home::{Env, Home, PLATFORM, Store},
    issuer::Issuer,
    server::Server,
    tenant::Person,
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Weak},
};

/// A server in its home, and a client to call it with.
#[derive(Clone)]
pub(crate) struct Site {
    // The server goes before its home does.
    pub(crate) server: Arc<Server>,
    pub(crate) home: Arc<Home>,
    http: Client,
}

/// What tests of one process share: it is gone with the last of them.
type Shared = tokio::sync::Mutex<(Weak<Server>, Weak<Home>)>;

impl Site {
    /// The server that the tests of this process share. Each makes tenants of its own there.
    pub(crate) async fn shared(store: Store) -> Self {
        static SQLITE: Shared = Shared::const_new((Weak::new(), Weak::new()));
        static POSTGRES: Shared = Shared::const_new((Weak::new(), Weak::new()));
        let mut slot = if store == Store::Sqlite { &SQLITE } else { &POSTGRES }.lock().await;
        if let (Some(server), Some(home)) = (slot.0.upgrade(), slot.1.upgrade()) {
            return Self::of(home, server);
        }
        let site = Self::own(store, &[]).await;
        *slot = (Arc::downgrade(&site.server), Arc::downgrade(&site.home));
        site
    }
    /// A server of one's own, for tests that restart or configure it.
    pub(crate) async fn own(store: Store, env: Env<'_>) -> Self {
        Self::in_home(Home::new(store).await, env)
    }
    /// A server in a home that was prepared.
    pub(crate) fn in_home(home: Home, env: Env<'_>) -> Self {
        let server = Arc::new(home.serve(env));
        Self::of(Arc::new(home), server)
    }
    fn of(home: Arc<Home>, server: Arc<Server>) -> Self {
        // An error says that one is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, home, http }
    }
    /// The same home through another process.
    pub(crate) fn through(&self, server: Server) -> Self {
        Self { server: Arc::new(server), ..self.clone() }
    }
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }
    fn caller(&self, who: impl Into<String>, credential: Credential) -> Caller {
        Caller { site: self.clone(), who: who.into(), credential, workspace: None }
    }
    /// Nobody.
    pub(crate) fn anonymous(&self) -> Caller {
        self.caller("anonymous", Credential::None)
    }
    /// Whoever holds this bearer token.
    pub(crate) fn bearer(&self, token: impl Into<String>) -> Caller {
        self.caller("bearer", Credential::Bearer(token.into()))
    }
    /// Whoever holds this key.
    pub(crate) fn key(&self, key: impl Into<String>) -> Caller {
        self.caller("key", Credential::Key(key.into()))
    }
    /// A person with a token of the issuer.
    pub(crate) fn person(&self, person: &Person) -> Caller {
        self.caller(person.email.clone(), Credential::Bearer(person.token()))
    }
    /// The platform's owner.
    pub(crate) fn platform(&self) -> Caller {
        let mut claims = Issuer::shared().claims("platform|root");
        claims["email"] = PLATFORM.into();
        claims["email_verified"] = true.into();
        self.caller("platform", Credential::Bearer(Issuer::shared().token(&claims)))
    }

    /// The mails to an address, newest first.
    pub(crate) async fn mails_to(&self, email: &str) -> Vec<Value> {
        let mails = self.anonymous().get("/dev/mailbox").header("accept", "application/json").await.ok();
        let to = |m: &&Value| m["to"].as_str().is_some_and(|to| to.eq_ignore_ascii_case(email));
        mails["items"].as_array().unwrap().iter().filter(to).cloned().collect()
    }
    /// The token of the newest invitation to an address, once `count` mails have come.
    pub(crate) async fn nth_invitation(&self, email: &str, count: usize) -> String {
        eventually(&format!("mail {count} to {email}"), async || {
            let mails = self.mails_to(email).await;
            let link = mails.first().filter(|_| mails.len() >= count)?["link"].as_str().unwrap().to_owned();
            assert!(link.contains("/invitations/"), "{link}");
            Some(link.rsplit('/').next().unwrap().to_owned())
        })
        .await
    }
    /// The token of the invitation to an address, once it has come.
    pub(crate) async fn invitation_to(&self, email: &str) -> String {
        self.nth_invitation(email, 1).await
    }
}

#[derive(Clone)]
enum Credential {
    None,
    Bearer(String),
    Key(String),
}

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) site: Site,
    pub(crate) who: String,
    credential: Credential,
    workspace: Option<String>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)
    }
}

impl Caller {
    /// With the header that names a workspace.
    pub(crate) fn within(&self, workspace: &str) -> Self {
        Self { workspace: Some(workspace.to_owned()), ..self.clone() }
    }
    /// Through another process.
    pub(crate) fn at(&self, site: &Site) -> Self {
        Self { site: site.clone(), ..self.clone() }
    }
    /// Under another name, for messages.
    pub(crate) fn named(&self, who: &str) -> Self {
        Self { who: who.to_owned(), ..self.clone() }
    }
    /// The header that carries the credential.
    pub(crate) fn credential_header(&self) -> (&'static str, String) {
        match &self.credential {
            Credential::None => ("x-nothing", String::new()),
            Credential::Bearer(token) => ("authorization", format!("Bearer {token}")),
            Credential::Key(key) => ("x-api-key", key.clone()),
        }
    }
    /// A request with any method.
    pub(crate) fn send(&self, method: &str, path: &str) -> Call {
        let url = format!("http://{}{path}", self.site.address());
        let mut request = self.site.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if !matches!(self.credential, Credential::None) {
            let (name, value) = self.credential_header();
            request = request.header(name, value);
        }
        if let Some(workspace) = &self.workspace {
            request = request.header("x-workspace", workspace);
        }
        Call { request, what: format!("{} {method} {path}", self.who) }
    }
    pub(crate) fn get(&self, path: impl AsRef<str>) -> Call {
        self.send("GET", path.as_ref())
    }
    pub(crate) fn delete(&self, path: impl AsRef<str>) -> Call {
        self.send("DELETE", path.as_ref())
    }
    /// A POST without a body.
    pub(crate) fn act(&self, path: impl AsRef<str>) -> Call {
        self.send("POST", path.as_ref())
    }
    #[expect(clippy::needless_pass_by_value, reason = "a body is written down where it is sent")]
    pub(crate) fn post(&self, path: impl AsRef<str>, body: Value) -> Call {
        self.send("POST", path.as_ref()).json(&body)
    }
    #[expect(clippy::needless_pass_by_value, reason = "a body is written down where it is sent")]
    pub(crate) fn put(&self, path: impl AsRef<str>, body: Value) -> Call {
        self.send("PUT", path.as_ref()).json(&body)
    }
}

/// A request under way; awaiting it sends it.
pub(crate) struct Call {
    request: RequestBuilder,
    what: String,
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }
    pub(crate) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header("content-type", media_type).body(body.into());
        self
    }
    /// With `Idempotency-Key`.
    pub(crate) fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }
    /// With `If-Match`.
    pub(crate) fn seen(self, tag: impl AsRef<[u8]>) -> Self {
        self.header("if-match", tag)
    }
    /// With `X-Confirm`.
    pub(crate) fn confirming(self, digest: &str) -> Self {
        self.header("x-confirm", digest)
    }
    /// Sends it where the server may die meanwhile.
    pub(crate) async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        Ok(Answer::new(self.what, status, headers, body))
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let what = self.what.clone();
            self.attempt().await.unwrap_or_else(|e| panic!("{what}: no answer: {e:?}"))
        })
    }
}
