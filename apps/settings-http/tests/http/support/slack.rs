//! Slack as its emulator plays it, and what a person does there.
use super::{Site, Store, Tenant, Value, client::Caller, home::Env, json};
use reqwest::Url;
use settings_testkit::slack::{CLIENT_ID, CLIENT_SECRET, Emulator, READER, REDIRECT};

/// A running Slack.
pub(crate) struct Slack {
    running: Emulator,
    http: reqwest::Client,
}

impl Slack {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let running = tokio::task::block_in_place(|| Emulator::start(env!("CARGO_TARGET_TMPDIR")));
        Self { running, http }
    }
    /// A server of one's own that is connected with it.
    pub(crate) async fn site(&self, store: Store, more: Env<'_>) -> Site {
        Site::outgoing(store, &[&self.env()[..], more].concat()).await
    }
    /// What a server has to know of it.
    pub(crate) fn env(&self) -> [(&str, Option<&str>); 4] {
        let public = REDIRECT.strip_suffix("/connections/slack/callback").unwrap();
        [
            ("SLACK_CLIENT_ID", Some(CLIENT_ID)),
            ("SLACK_CLIENT_SECRET", Some(CLIENT_SECRET)),
            ("SLACK_API_BASE", Some(&self.running.url)),
            ("SETTINGS_PUBLIC_URL", Some(public)),
        ]
    }
    async fn submit(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let url = Url::parse_with_params("http://form/", form).unwrap();
        let request = self.http.post(format!("{}{path}", self.running.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request
            .header("authorization", format!("Bearer {READER}"))
            .body(url.query().unwrap().to_owned())
            .send()
            .await
            .unwrap()
    }
    async fn ask(&self, method: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.submit(&format!("/api/{method}"), form).await;
        let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(said["ok"], true, "{method}: {said}");
        said
    }
    /// The id of a channel.
    pub(crate) async fn channel(&self, name: &str) -> String {
        let said = self.ask("conversations.list", &[("types", "public_channel,private_channel")]).await;
        let found = said["channels"].as_array().unwrap().iter().find(|channel| channel["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {said}"))["id"].as_str().unwrap().to_owned()
    }
    /// What was posted into a channel, oldest first, without what Slack itself says there.
    pub(crate) async fn posted(&self, channel: &str) -> Vec<Value> {
        let said = self.ask("conversations.history", &[("channel", channel), ("limit", "100")]).await;
        let mut all = said["messages"].as_array().unwrap().clone();
        all.retain(|m| m["subtype"].is_null() || m["subtype"] == "bot_message");
        all.reverse();
        all
    }
    /// The page on which a state is allowed, as anybody can put it together.
    pub(crate) fn page(&self, state: &str) -> String {
        let (base, scope) = (&self.running.url, "chat:write,chat:write.public,incoming-webhook");
        let redirect = REDIRECT.replace(':', "%3A").replace('/', "%2F");
        format!("{base}/oauth/v2/authorize?client_id={CLIENT_ID}&scope={scope}&state={state}&redirect_uri={redirect}")
    }
    /// Opens the page that the service sends a person to and allows it; the query with which Slack sends them back.
    pub(crate) async fn allow(&self, page: &str) -> String {
        let url: Url = page.parse().unwrap();
        let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        let shown = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let (_, after) = shown.split_once("name=\"user_id\" value=\"").unwrap_or_else(|| panic!("no page: {shown}"));
        let (user, _) = after.split_once('"').unwrap();
        let form = [
            ("user_id", user),
            ("redirect_uri", asked["redirect_uri"].as_str()),
            ("scope", asked["scope"].as_str()),
            ("state", asked["state"].as_str()),
            ("client_id", asked["client_id"].as_str()),
        ];
        let answer = self.submit("/oauth/v2/authorize/callback", &form).await;
        assert_eq!(answer.status(), 302);
        let back: Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
        assert!(back.as_str().starts_with(REDIRECT), "{back}");
        back.query().unwrap().to_owned()
    }
    /// Begins to connect a workspace and allows it on Slack's page; what to come back with.
    pub(crate) async fn begin(&self, tenant: &Tenant, by: &Caller) -> String {
        let begun = by.act(tenant.path("/connections/slack/authorize")).await;
        assert_eq!(begun.header("cache-control"), Some("no-store"));
        self.allow(begun.ok()["url"].as_str().unwrap()).await
    }
    /// Connects a workspace with a channel.
    pub(crate) async fn connect(&self, tenant: &Tenant, channel: &str) -> Value {
        let query = self.begin(tenant, &tenant.admin).await;
        let made = tenant.admin.get(tenant.path(&format!("/connections/slack/callback?{query}"))).await.ok();
        let path = tenant.path(&format!("/connections/{}", made["id"].as_str().unwrap()));
        tenant.admin.put(path, json!({"channel": self.channel(channel).await})).await.ok()
    }
}
