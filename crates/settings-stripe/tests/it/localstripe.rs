//! A Stripe that keeps what it is told: a subscription from its beginning to its end.
use crate::{
    KEY, SECRET, client, client_with, peers,
    responder::{Request, Responder},
    slug, workspace,
};
use serde_json::Value;
use settings_domain::{
    billing::{
        BillingAccount, BillingEvent, CustomerId, EventKind, Interval, IntervalUnit, Reaction, Reading, Subscription,
        SubscriptionStatus, events::react,
    },
    ports::billing::{BillingError, BillingGateway as _, Patience},
};
use settings_stripe::StripeClient;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use url::form_urlencoded;

/// Somebody at Stripe's dashboard.
struct Dashboard(String);

impl Dashboard {
    async fn call(&self, method: reqwest::Method, path: &str, form: &[(&str, &str)]) -> Value {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            http.request(method, format!("{}{path}", self.0)).header("authorization", format!("Bearer {KEY}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or_default()
    }
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        self.call(reqwest::Method::POST, path, form).await
    }
    /// A plan of 10 euros for a seat and month.
    async fn sell_seats(&self) {
        self.post("/v1/products", &[("id", "prod_seats"), ("name", "Team"), ("type", "service")]).await;
        let plan = [
            ("id", "plan_seat"),
            ("product", "prod_seats"),
            ("amount", "1000"),
            ("currency", "eur"),
            ("interval", "month"),
        ];
        self.post("/v1/plans", &plan).await;
    }
    async fn subscribe(&self, customer: &CustomerId, seats: &str) {
        let card = [
            ("type", "card"),
            ("card[number]", "4242424242424242"),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2050"),
            ("card[cvc]", "123"),
        ];
        let card = self.post("/v1/payment_methods", &card).await["id"].as_str().unwrap().to_owned();
        self.post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", customer.as_str())]).await;
        let default = [("invoice_settings[default_payment_method]", card.as_str())];
        self.post(&format!("/v1/customers/{customer}"), &default).await;
        let wanted = [("customer", customer.as_str()), ("items[0][plan]", "plan_seat"), ("items[0][quantity]", seats)];
        self.post("/v1/subscriptions", &wanted).await;
    }
    async fn delete(&self, path: &str) {
        self.call(reqwest::Method::DELETE, path, &[]).await;
    }
}

async fn read(stripe: &StripeClient, customer: &CustomerId) -> Subscription {
    match stripe.subscription(customer, Patience::Task).await {
        Ok(Reading::Subscribed(read)) => *read,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_workspace_subscribes_changes_its_seats_and_leaves() {
    let peer = peers::localstripe();
    let (stripe, dashboard) = (client(&peer.url), Dashboard(peer.url.clone()));
    assert_eq!(stripe.check().await, Ok(()));
    dashboard.sell_seats().await;
    let customer = stripe.ensure_customer(workspace(), &slug()).await.unwrap();
    let made = dashboard.call(reqwest::Method::GET, &format!("/v1/customers/{customer}"), &[]).await;
    assert_eq!(
        (&made["name"], &made["metadata"]["settings_workspace"]),
        (&"acme".into(), &workspace().to_string().into())
    );
    assert_eq!(stripe.subscription(&customer, Patience::Task).await, Ok(Reading::Unsubscribed));

    dashboard.subscribe(&customer, "5").await;
    let begun = read(&stripe, &customer).await;
    assert_eq!((begun.plan.as_str(), begun.status, begun.seat_quantity), ("Team", SubscriptionStatus::Active, 5));
    assert_eq!((begun.amount, begun.currency.clone()), (Some(1_000), "eur".parse().ok()));
    assert_eq!(begun.interval, Some(Interval { unit: IntervalUnit::Month, count: 1 }));
    let period = begun.period.unwrap();
    assert!((28..=31).contains(&(period.end() - period.start()).whole_days()), "{period:?}");

    for (seats, again) in [(7, 7), (3, 3)] {
        let set = stripe.set_seats(&read(&stripe, &customer).await, seats).await.unwrap();
        assert_eq!((set.seat_quantity, set.seats()), (seats, Some(seats)));
        assert_eq!(stripe.set_seats(&set, again).await.unwrap().seat_quantity, again);
        assert_eq!(read(&stripe, &customer).await, set);
    }

    dashboard.delete(&format!("/v1/subscriptions/{}", begun.id)).await;
    let over = read(&stripe, &customer).await;
    assert_eq!((over.id, over.status, over.ends_at.is_some()), (begun.id, SubscriptionStatus::Canceled, true));
    dashboard.subscribe(&customer, "2").await;
    let second = read(&stripe, &customer).await;
    assert_eq!((second.status, second.seat_quantity), (SubscriptionStatus::Active, 2));

    dashboard.delete(&format!("/v1/customers/{customer}")).await;
    assert_eq!(stripe.subscription(&customer, Patience::Task).await, Ok(Reading::CustomerGone));
    let gone = "sub_nowhere".parse().unwrap();
    let error = stripe.set_seats(&Subscription { id: gone, ..second }, 2).await;
    assert!(matches!(error, Err(BillingError::Gone(_))), "{error:?}");
}

#[tokio::test]
async fn a_key_that_stripe_does_not_know_is_for_the_operator() {
    let peer = peers::localstripe();
    let error = client_with("nope", "", &peer.url).check().await.unwrap_err();
    assert!(matches!(error, BillingError::Misconfigured(_)), "{error:?}");
}

/// What Stripe sent to the webhook, once there are this many about subscriptions.
async fn received(webhook: &Responder, subscriptions: usize) -> Vec<Request> {
    let since = Instant::now();
    loop {
        let all = webhook.requests();
        if all.iter().filter(|request| request.body.contains("\"customer.subscription.")).count() >= subscriptions {
            return all;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{} events", all.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the peer signs with the machine's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[tokio::test]
async fn st04_its_events_in_every_order_and_twice_leave_what_is_true_at_stripe() {
    let peer = peers::localstripe();
    let (stripe, dashboard) = (client(&peer.url), Dashboard(peer.url.clone()));
    let webhook = Responder::json("{}");
    let config = [("url", webhook.url.as_str()), ("secret", SECRET)];
    dashboard.post("/_config/webhooks/ours", &config).await;
    dashboard.sell_seats().await;
    let customer = stripe.ensure_customer(workspace(), &slug()).await.unwrap();
    dashboard.subscribe(&customer, "5").await;
    let sub = read(&stripe, &customer).await;
    dashboard.delete(&format!("/v1/subscriptions/{}", sub.id)).await;
    dashboard.subscribe(&customer, "2").await;

    let mut events: Vec<BillingEvent> = Vec::new();
    for request in received(&webhook, 3).await {
        let header = request.header("stripe-signature").unwrap();
        events.push(stripe.event(request.body.as_bytes(), header, now()).unwrap());
        assert!(client_with(KEY, "whsec_other", &peer.url).event(request.body.as_bytes(), header, now()).is_err());
    }
    events.retain(|event| event.kind == EventKind::Subscription);
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events.iter().all(|event| event.customer.as_ref() == Some(&customer)));

    let truth = read(&stripe, &customer).await;
    assert_eq!((truth.status, truth.seat_quantity), (SubscriptionStatus::Active, 2));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut account = BillingAccount::default().with_customer(customer.clone());
        let mut seen = Vec::new();
        for n in order.into_iter().chain(order) {
            let event = &events[n];
            if let Reaction::ReadAgain(_) = react(event, seen.contains(&event.id), Some(&account)) {
                let reading = stripe.read_again(event).await.unwrap().unwrap();
                account = account.learn(account.version, reading, now()).unwrap();
            }
            seen.push(event.id.clone());
        }
        assert_eq!(account.subscription, Some(truth.clone()), "{order:?}");
        // Three events, twice each: each was a reason to read once.
        assert_eq!(account.version, 4);
    }
}
