//! ST01 to ST06, ST12: events signed by Stripe's own library, and what is none.
use crate::{SECRET, client, client_with, peers::Library};
use serde_json::json;
use settings_domain::{
    billing::{EventKind, EventOrigin},
    ports::billing::{BillingGateway as _, EventRefusal},
};
use time::{Duration, OffsetDateTime};

const AT: i64 = 1_795_694_400;
const NOWHERE: &str = "http://127.0.0.1:1";

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// With a space at its end and an umlaut in it: what counts are bytes.
fn payload() -> String {
    json!({
        "id": "evt_1", "object": "event", "type": "customer.subscription.updated", "created": AT - 2, "livemode": false,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "hünted"}},
    })
    .to_string()
        + " "
}

#[tokio::test]
async fn an_event_that_stripe_signed_is_read() {
    let mut library = Library::start();
    let header = library.sign(&payload(), SECRET, AT);
    let event = client(NOWHERE).event(payload().as_bytes(), &header, at(AT)).unwrap();
    assert_eq!((event.id.as_str(), event.kind, event.origin), ("evt_1", EventKind::Subscription, EventOrigin::Ours));
    assert_eq!((event.customer, event.at), ("cus_1".parse().ok(), at(AT - 2)));
    // The peer takes and refuses what we take and refuse.
    let verify = json!({"command": "verify", "payload": payload(), "secret": SECRET, "header": header});
    assert_eq!(
        library.ask(&verify)["refused"],
        "StripeSignatureVerificationError",
        "by its own clock it is of the future"
    );
}

#[tokio::test]
async fn st01_what_nobody_signed_or_somebody_else_is_refused_before_it_is_read() {
    let mut library = Library::start();
    let good = library.sign(&payload(), SECRET, AT);
    let signature = good.split("v1=").nth(1).unwrap();
    let foreign = library.sign(&payload(), "whsec_of_another_endpoint", AT);
    let stripe = client(NOWHERE);
    for header in [
        String::new(),
        "garbage".to_owned(),
        format!("t={AT}"),
        format!("v1={signature}"),
        format!("t={AT},v1="),
        format!("t={AT},v1={}", signature.get(..62).unwrap()),
        format!("t={AT},v1={}", signature.get(..63).unwrap()),
        format!("t={AT},v1={signature}00"),
        format!("t={AT},v0={signature}"),
        format!("t={AT},v2={signature}"),
        format!("t={},v1={signature}", AT + 1),
        format!("t=+{AT},v1={signature}"),
        format!("t=,v1={signature}"),
        format!("t={AT},t={},v1={signature}", AT + 1),
        format!("t={},t={AT},v1={signature}", AT + 1),
        format!("t={AT},t={AT},v1={signature}"),
        format!("t={AT};v1={signature}"),
        foreign,
        format!("{good}{}", ",v1=00".repeat(2_000)),
    ] {
        let refused = stripe.event(payload().as_bytes(), &header, at(AT));
        assert_eq!(refused, Err(EventRefusal::Signature), "{header}");
        // What is no JSON is not looked at either.
        assert_eq!(stripe.event(b"\xff{", &header, at(AT)), Err(EventRefusal::Signature), "{header}");
    }
    // Without a secret nobody is believed, also not somebody who signs with nothing.
    let unsigned = library.sign(&payload(), "", AT);
    let refused = client_with("sk_test_1", "", NOWHERE).event(payload().as_bytes(), &unsigned, at(AT));
    assert_eq!(refused, Err(EventRefusal::Signature));
}

#[tokio::test]
async fn st02_a_recorded_event_is_good_for_five_minutes() {
    let mut library = Library::start();
    let header = library.sign(&payload(), SECRET, AT);
    let stripe = client(NOWHERE);
    let read = |now| stripe.event(payload().as_bytes(), &header, now).map(drop);
    for fine in [-300, -1, 0, 299, 300] {
        assert_eq!(read(at(AT + fine)), Ok(()), "{fine}");
    }
    for off in [-86_400, -301, 301, 400, 86_400] {
        assert_eq!(read(at(AT + off)), Err(EventRefusal::Time), "{off}");
    }
    assert_eq!(read(at(AT + 300) + Duration::MILLISECOND), Err(EventRefusal::Time));
    // A time that no clock has, signed all the same.
    let far = library.sign(&payload(), SECRET, 999_999_999_999_999);
    assert_eq!(stripe.event(payload().as_bytes(), &far, at(AT)), Err(EventRefusal::Time));
}

#[tokio::test]
async fn st06_a_body_that_was_touched_is_refused() {
    let header = Library::start().sign(&payload(), SECRET, AT);
    let stripe = client(NOWHERE);
    let parsed: serde_json::Value = serde_json::from_str(&payload()).unwrap();
    for touched in [parsed.to_string(), payload() + "\n", payload().replace("sub_1", "sub_2"), String::new()] {
        assert_eq!(stripe.event(touched.as_bytes(), &header, at(AT)), Err(EventRefusal::Signature), "{touched}");
    }
    let mut bytes = payload().into_bytes();
    for n in [0, 7, bytes.len() - 1] {
        bytes[n] ^= 1;
        assert_eq!(stripe.event(&bytes, &header, at(AT)), Err(EventRefusal::Signature), "{n}");
        bytes[n] ^= 1;
    }
    assert!(stripe.event(&bytes, &header, at(AT)).is_ok());
}

#[tokio::test]
async fn st12_while_a_secret_is_exchanged_both_are_good_and_of_several_signatures_one_is_enough() {
    let mut library = Library::start();
    let (old, new) = (library.sign(&payload(), "whsec_old", AT), library.sign(&payload(), "whsec_new", AT));
    let both = format!("{old},{}", new.split_once(',').unwrap().1);
    let read = |secrets, header: &str| {
        client_with("sk_test_1", secrets, NOWHERE).event(payload().as_bytes(), header, at(AT)).map(drop)
    };
    for header in [&old, &new, &both] {
        assert_eq!(read("whsec_new,whsec_old", header), Ok(()), "{header}");
    }
    assert_eq!((read("whsec_new", &both), read("whsec_old", &both)), (Ok(()), Ok(())));
    assert_eq!(read("whsec_new", &old), Err(EventRefusal::Signature));
}

#[tokio::test]
async fn st05_the_other_mode_and_other_accounts_are_told_from_ours() {
    let mut library = Library::start();
    let mut origin = |key: &str, fields: serde_json::Value| {
        let mut event: serde_json::Value = serde_json::from_str(&payload()).unwrap();
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let payload = event.to_string();
        let header = library.sign(&payload, SECRET, AT);
        client_with(key, SECRET, NOWHERE).event(payload.as_bytes(), &header, at(AT)).unwrap().origin
    };
    for (key, live, expected) in [
        ("sk_live_1", json!(true), EventOrigin::Ours),
        ("rk_live_1", json!(false), EventOrigin::OtherMode),
        ("sk_test_1", json!(true), EventOrigin::OtherMode),
        ("sk_test_1", json!(false), EventOrigin::Ours),
        ("sk_unclear", json!(true), EventOrigin::Ours),
        ("sk_live_1", json!(null), EventOrigin::Ours),
    ] {
        assert_eq!(origin(key, json!({"livemode": live})), expected, "{key} {live}");
    }
    assert_eq!(origin("sk_test_1", json!({"account": "acct_1"})), EventOrigin::OtherAccount);
}

#[tokio::test]
async fn whom_an_event_is_about_is_found_where_each_kind_says_it() {
    let mut library = Library::start();
    let mut customer = |kind: &str, object: serde_json::Value| {
        let payload = json!({"id": "evt_1", "type": kind, "created": AT, "data": {"object": object}}).to_string();
        let header = library.sign(&payload, SECRET, AT);
        let event = client(NOWHERE).event(payload.as_bytes(), &header, at(AT)).unwrap();
        (event.kind, event.customer.map(String::from))
    };
    let cus = Some("cus_1".to_owned());
    let invoice = json!({"id": "in_1", "object": "invoice", "customer": {"id": "cus_1", "object": "customer"}});
    assert_eq!(customer("invoice.payment_failed", invoice), (EventKind::Payment, cus.clone()));
    let gone = json!({"id": "cus_1", "object": "customer"});
    assert_eq!(customer("customer.deleted", gone), (EventKind::CustomerDeleted, cus));
    assert_eq!(customer("payout.paid", json!({"id": "po_1", "object": "payout"})), (EventKind::Other, None));
    let odd = json!({"id": "sub_1", "object": "subscription", "customer": "../../v1/accounts"});
    assert_eq!(customer("customer.subscription.updated", odd), (EventKind::Subscription, None));
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_malformed() {
    let mut library = Library::start();
    let (stripe, deep) = (client(NOWHERE), "[".repeat(100_000));
    for payload in [
        "",
        "null",
        "[]",
        "{}",
        "hello",
        r#"{"id":"evt_1","type":"x","created":1}"#,
        r#"{"id":"evt 1","type":"x","created":1,"data":{"object":{}}}"#,
        r#"{"id":"evt_1","type":"x","created":"1","data":{"object":{}}}"#,
        r#"{"id":"evt_1","type":"x","created":9999999999999999,"data":{"object":{}}}"#,
        &deep,
    ] {
        let header = library.sign(payload, SECRET, AT);
        let refused = stripe.event(payload.as_bytes(), &header, at(AT));
        assert_eq!(refused, Err(EventRefusal::Malformed), "{}", payload.get(..40).unwrap_or(payload));
    }
}
