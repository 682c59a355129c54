//! A Stripe that keeps what it is told (localstripe), and events signed as Stripe signs them. Installed on first use, ends with
//! the test. It has no portal and no meters.
use super::{Answer, Site, Store, Value, home::Env};
use reqwest::Method;
use ring::hmac;
use settings_testkit::peers;
use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};
use time::OffsetDateTime;

const KEY: &str = "sk_test_hunter2";
const SECRET: &str = "whsec_hunter2";

/// What makes a service that has a Stripe at this address.
pub(crate) fn at(base: &str) -> [(&'static str, Option<&str>); 3] {
    [("STRIPE_SECRET_KEY", Some(KEY)), ("STRIPE_WEBHOOK_SECRET", Some(SECRET)), ("STRIPE_API_BASE", Some(base))]
}

/// A running one.
pub(crate) struct Stripe {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.goes_away();
    }
}

impl Stripe {
    pub(crate) fn start() -> Self {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/settings-stripe/tests/peers/localstripe_peer.py");
        let python = peers::python(env!("CARGO_TARGET_TMPDIR"), peers::LOCALSTRIPE).expect("localstripe");
        let mut command = Command::new(python);
        command.args(["-W", "ignore"]).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("localstripe said {line:?}"));
        Self { child, url: format!("http://127.0.0.1:{}", said["port"]) }
    }
    /// A server of one's own that has this Stripe.
    pub(crate) async fn site(&self, store: Store, more: Env<'_>) -> Site {
        Site::own(store, &[&at(&self.url)[..], more].concat()).await
    }
    /// From now on nobody answers.
    pub(crate) fn goes_away(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
    async fn call(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Value {
        let body: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            http.request(method, format!("{}{path}", self.url)).header("authorization", format!("Bearer {KEY}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }
    /// Subscribes a customer to a plan of 10 euros for a seat and month; the subscription.
    pub(crate) async fn subscribe(&self, customer: &str, seats: &str) -> Value {
        let post = async |path: &str, form: &[(&str, &str)]| self.call(Method::POST, path, form).await;
        post("/v1/products", &[("id", "prod_seats"), ("name", "Team"), ("type", "service")]).await;
        let plan = [
            ("id", "plan_seat"),
            ("product", "prod_seats"),
            ("amount", "1000"),
            ("currency", "eur"),
            ("interval", "month"),
        ];
        post("/v1/plans", &plan).await;
        let card = [
            ("type", "card"),
            ("card[number]", "4242424242424242"),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2050"),
            ("card[cvc]", "123"),
        ];
        let card = post("/v1/payment_methods", &card).await["id"].as_str().unwrap().to_owned();
        post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", customer)]).await;
        let default = [("invoice_settings[default_payment_method]", card.as_str())];
        post(&format!("/v1/customers/{customer}"), &default).await;
        let wanted = [("customer", customer), ("items[0][plan]", "plan_seat"), ("items[0][quantity]", seats)];
        post("/v1/subscriptions", &wanted).await
    }
    /// How many seats a subscription pays for.
    pub(crate) async fn seats(&self, subscription: &str) -> i64 {
        let there = self.call(Method::GET, &format!("/v1/subscriptions/{subscription}"), &[]).await;
        there["items"]["data"][0]["quantity"].as_i64().unwrap()
    }
    /// Ends a subscription.
    pub(crate) async fn cancel(&self, subscription: &str) {
        self.call(Method::DELETE, &format!("/v1/subscriptions/{subscription}"), &[]).await;
    }
}

/// An event about a customer's subscription, as Stripe would send it.
pub(crate) fn event(id: &str, kind: &str, customer: &str, at: OffsetDateTime) -> String {
    serde_json::json!({"id": id, "object": "event", "type": kind, "created": at.unix_timestamp(), "livemode": false,
        "data": {"object": {"id": "sub_of_the_event", "object": "subscription", "customer": customer, "status": "active"}}})
    .to_string()
}

/// The header that goes with it.
pub(crate) fn signature(payload: &str, secret: &str, at: OffsetDateTime) -> String {
    let signed = format!("{}.{payload}", at.unix_timestamp());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("t={},v1={hex}", at.unix_timestamp())
}

/// Sends bytes with a signature.
pub(crate) async fn send(site: &Site, payload: &str, signature: &str) -> Answer {
    let call = site.anonymous().send("POST", "/billing/stripe/webhook").header("stripe-signature", signature);
    call.body("application/json", payload).await
}

/// Sends an event that was signed just now.
pub(crate) async fn tell(site: &Site, payload: &str) -> Answer {
    send(site, payload, &signature(payload, SECRET, OffsetDateTime::now_utc())).await
}
