//! SS15: who has the secret can tell that it was us, what we said and when, with a verifier that is not ours.
use crate::{BODY, Names, client, delivery, local, now, receiver, secret};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::ports::{sending::Accepted, webhooks::WebhookSender as _};
use settings_webhook::Signatures;
use standardwebhooks::{Webhook, WebhookError};
use time::{Duration, OffsetDateTime, macros::datetime};

/// The texts of the secrets that the tests sign with.
fn shown(byte: u8) -> String {
    secret(byte).expose_secret().to_owned()
}

fn headers(signatures: &Signatures) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", signatures.id.parse().unwrap());
    headers.insert("webhook-timestamp", signatures.timestamp.parse().unwrap());
    headers.insert("webhook-signature", signatures.standard.parse().unwrap());
    headers
}

/// Made by Python's `hmac`, from the three lines of the standard that say what is signed.
#[test]
fn the_signatures_are_the_golden_ones() {
    let mut delivery = delivery(String::new(), datetime!(2026-08-06 10:20:30.9 UTC));
    delivery.secrets = vec![secret(1), secret(2)];
    let made = Signatures::new(&delivery).unwrap();
    assert_eq!(made.id, "0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b");
    assert_eq!(made.timestamp, "1786011630");
    assert_eq!(
        made.standard,
        "v1,4NsNQfbMykvGMuZQrMCHa+wIka/FUyXQUDToAVZiPqE= v1,N+TOL+Mt77ouwCqhShdcZ2F1D5XEkluWrvaG1Sw7BJU="
    );
    assert_eq!(made.platform, "c976b1749d0e120168b5d5863e489042474c2c9208971578c1c9efdca9465109");
    assert!(!format!("{made:?}").contains("v1"), "{made:?}");
    // The library signs alike.
    let official = Webhook::new(&shown(1)).unwrap().sign(&made.id, 1_786_011_630, BODY).unwrap();
    assert_eq!(made.standard.split(' ').next(), Some(official.as_str()));
}

#[test]
fn the_official_library_takes_it_under_either_secret_and_refuses_another_body_time_or_id() {
    for body in [BODY, b"", b"{}", "\0 é.\n".as_bytes(), &vec![b'x'; 100_000]] {
        let mut delivery = delivery(String::new(), now());
        delivery.secrets = vec![secret(2), secret(1)];
        delivery.body = body.to_vec();
        let made = Signatures::new(&delivery).unwrap();
        for byte in [1, 2] {
            Webhook::new(&shown(byte)).unwrap().verify(body, &headers(&made)).unwrap();
        }
        let refused = |signatures: &Signatures, body: &[u8], byte| {
            let error = Webhook::new(&shown(byte)).unwrap().verify(body, &headers(signatures)).unwrap_err();
            assert!(matches!(error, WebhookError::InvalidSignature), "{error}");
        };
        refused(&made, &[body, b" "].concat(), 1);
        refused(&made, body, 3);
        refused(&Signatures { id: made.id.replace('0', "1"), ..made.clone() }, body, 1);
        let later = (delivery.at + Duration::seconds(1)).unix_timestamp().to_string();
        refused(&Signatures { timestamp: later, ..made.clone() }, body, 1);
    }
}

#[test]
fn without_a_secret_nothing_is_signed() {
    for secrets in [vec![], vec![SecretString::from("whsec_")], vec![secret(1), SecretString::from("no secret")]] {
        let mut delivery = delivery(String::new(), OffsetDateTime::UNIX_EPOCH);
        delivery.secrets = secrets;
        assert!(Signatures::new(&delivery).is_none());
    }
}

#[tokio::test]
async fn a_receiver_with_the_official_verifier_takes_the_delivery_and_refuses_a_tampered_one() {
    let mut receiver = receiver(&[&shown(1), &shown(2)]);
    let client = client(local(), Names::NotFound);
    let sent = client.send(&delivery(receiver.url("200"), now())).await;
    assert_eq!(sent, Ok(Accepted { status: 200 }));
    let got = receiver.next();
    assert_eq!((got.method.as_str(), got.path.as_str(), got.body.as_bytes()), ("POST", "/200", BODY));
    assert_eq!(got.genuine, ["genuine", "No matching signature found"]);
    assert_eq!(got.tampered, ["No matching signature found", "No matching signature found"]);
    assert_eq!(got.platform, [true, false]);
    let header = |name: &str| got.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("webhook-id"), Some("0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b"));
    assert!(header("user-agent").is_some_and(|agent| agent.starts_with("settings/")), "{got:?}");
    // What else is sent tells nothing about us.
    let names: Vec<_> = got.headers.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
            "x-provenanceone-signature"
        ]
    );
}

#[tokio::test]
async fn during_a_rotation_the_old_secret_and_the_new_one_both_verify() {
    let mut receiver = receiver(&[&shown(1), &shown(2), &shown(3)]);
    let client = client(local(), Names::NotFound);
    let mut delivery = delivery(receiver.url("204"), now());
    delivery.secrets = vec![secret(2), secret(1)];
    assert_eq!(client.send(&delivery).await, Ok(Accepted { status: 204 }));
    let got = receiver.next();
    assert_eq!(got.genuine, ["genuine", "genuine", "No matching signature found"]);
    // The platform's signature has room for one.
    assert_eq!(got.platform, [false, true, false]);
    // Afterwards the old one no longer does.
    delivery.secrets = vec![secret(2)];
    assert!(client.send(&delivery).await.is_ok());
    assert_eq!(receiver.next().genuine, ["No matching signature found", "genuine", "No matching signature found"]);
}

#[tokio::test]
async fn a_replay_is_too_old_for_the_verifier_and_a_retry_is_not_and_has_the_same_id() {
    let mut receiver = receiver(&[&shown(1)]);
    let client = client(local(), Names::NotFound);
    for (at, verdict) in [
        (now() - Duration::seconds(400), "Message timestamp too old"),
        (now() + Duration::seconds(400), "Message timestamp too new"),
        (now(), "genuine"),
    ] {
        assert!(client.send(&delivery(receiver.url("200"), at)).await.is_ok());
        let got = receiver.next();
        assert_eq!(got.genuine, [verdict]);
        assert_eq!(got.headers.get("webhook-id").unwrap(), "0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b");
    }
}
