//! What we send is what Stripe's own library sends for the same.
use crate::{client, customer, peers::Library, responder::Responder, slug, usage, workspace};
use serde_json::{Value, json};
use settings_domain::{
    billing::{Reading, Subscription},
    ports::billing::{BillingGateway as _, Patience},
};
use settings_stripe::API_VERSION;

fn subscription_json() -> String {
    json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, "currency": "eur",
        "items": {"data": [{
            "id": "si_1", "quantity": 5,
            "price": {"currency": "eur", "unit_amount": 1_000, "recurring": {"interval": "month", "usage_type": "licensed"}},
        }]},
    })
    .to_string()
}

async fn subscription() -> Subscription {
    let stripe = Responder::routes(vec![("/v1/subscriptions", format!("{{\"data\":[{}]}}", subscription_json()))]);
    match client(&stripe.url).subscription(&customer(), Patience::Task).await {
        Ok(Reading::Subscribed(read)) => *read,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_call_is_the_one_that_stripes_own_library_makes() {
    let mut library = Library::start();
    assert_eq!(library.ask(&json!({"command": "version"})), API_VERSION);
    let identifier = usage().meter_identifier(workspace());
    let return_url = "https://settings.example/acme/settings/billing?a=1&b=2";
    let values = json!({
        "query": format!("metadata['settings_workspace']:'{}'", workspace()),
        "name": "acme", "workspace": workspace().to_string(), "customer": "cus_1", "subscription": "sub_1", "item": "si_1",
        "quantity": 7, "return_url": return_url, "event_name": "runs", "identifier": identifier,
        "timestamp": usage().at.unix_timestamp(), "value": "3",
    });
    let ours = Responder::routes(vec![
        ("/v1/customers/search", r#"{"data":[]}"#.to_owned()),
        ("/v1/customers ", r#"{"id":"cus_1"}"#.to_owned()),
        ("/v1/subscriptions?", format!("{{\"data\":[{}]}}", subscription_json())),
        ("/v1/subscriptions/sub_1", subscription_json()),
        ("/v1/billing_portal/sessions", r#"{"url":"https://billing.stripe.com/p/1"}"#.to_owned()),
        ("/v1/billing/meter_events", r#"{"object":"billing.meter_event"}"#.to_owned()),
    ]);
    let stripe = client(&ours.url);
    stripe.ensure_customer(workspace(), &slug()).await.unwrap();
    stripe.subscription(&customer(), Patience::Task).await.unwrap();
    stripe.set_seats(&subscription().await, 7).await.unwrap();
    stripe.portal(&customer(), return_url).await.unwrap();
    stripe.report_usage(workspace(), &customer(), &usage()).await.unwrap();
    let ours = ours.requests();
    let names = ["search", "customer", "subscriptions", "seats", "portal", "meter"];
    assert_eq!(ours.len(), names.len());
    for (ours, name) in ours.iter().zip(names) {
        let theirs = Responder::json("{}");
        library.ask(&json!({"command": "call", "base": theirs.url, "name": name, "values": values}));
        let theirs = theirs.requests().remove(0);
        let method = |line: &str| line.split(' ').next().map(str::to_owned);
        assert_eq!(method(&ours.line), method(&theirs.line), "{name}");
        assert_eq!((ours.path(), ours.fields()), (theirs.path(), theirs.fields()), "{name}");
        assert_eq!(ours.header("stripe-version"), theirs.header("stripe-version"), "{name}");
        // Theirs are only told apart where they repeat on their own; ours always.
        assert_eq!(ours.header("idempotency-key").is_some(), ours.line.starts_with("POST"), "{name}");
        assert_eq!(ours.header("authorization"), Some("Bearer sk_test_hunter2"), "{name}");
        if ours.line.starts_with("POST") {
            assert_eq!(ours.header("content-type"), theirs.header("content-type"), "{name}");
        }
    }
    // And the answer to nothing is nothing.
    assert_eq!(
        library.ask(&json!({"command": "call", "base": "http://127.0.0.1:1", "name": "portal", "values": {}})),
        Value::Null
    );
}
