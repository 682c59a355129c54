//! The emulator, and what a person does there.
use crate::{CLIENT_ID, REDIRECT, client};
use serde_json::Value;
use settings_domain::ports::slack::SlackApi as _;
use settings_testkit::slack::{self, READER};
use url::{Url, form_urlencoded};

pub(crate) struct Emulator {
    pub(crate) url: String,
    http: reqwest::Client,
    _running: slack::Emulator,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        // Made first: it installs the crypto that any client needs.
        client("http://127.0.0.1:1");
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let running = slack::Emulator::start(env!("CARGO_TARGET_TMPDIR"));
        Self { url: running.url.clone(), http, _running: running }
    }

    /// Asks Slack as a person in the channel.
    pub(crate) async fn read(&self, method: &str, form: &[(&str, &str)]) -> Value {
        let answer = self.submit(&format!("{}/api/{method}", self.url), form).await;
        let said: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(said["ok"], true, "{method}: {said}");
        said
    }

    pub(crate) async fn channel(&self, name: &str) -> String {
        let said = self.read("conversations.list", &[("types", "public_channel,private_channel")]).await;
        let channels = said["channels"].as_array().unwrap();
        let found = channels.iter().find(|channel| channel["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {said}"))["id"].as_str().unwrap().to_owned()
    }

    /// Does what a person does: opens the page that we send them to and allows it. Returns where Slack sends them then.
    pub(crate) async fn allow(&self, state: &str) -> Url {
        let url: Url = client(&self.url).authorize_url(state, REDIRECT).parse().unwrap();
        let page = self.http.get(url.clone()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let (_, after) = page.split_once("name=\"user_id\" value=\"").unwrap();
        let (user, _) = after.split_once('"').unwrap();
        let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        let form = [
            ("user_id", user),
            ("redirect_uri", REDIRECT),
            ("scope", asked["scope"].as_str()),
            ("state", asked["state"].as_str()),
            ("client_id", CLIENT_ID),
        ];
        let answer = self.submit(&format!("{}/oauth/v2/authorize/callback", self.url), &form).await;
        assert_eq!(answer.status(), 302);
        answer.headers()["location"].to_str().unwrap().parse().unwrap()
    }

    async fn submit(&self, url: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
        request.header("authorization", format!("Bearer {READER}")).send().await.unwrap()
    }
}
