//! Where no credential goes.
use crate::support::{CANARY, LIMITS, Responder, local_prober, pair, probe, prober, token};
use settings_domain::models::Provider;

#[tokio::test]
async fn private_places_are_refused_before_anything_is_sent() {
    let responder = Responder::says(200);
    let prober = prober(&[], &["127.0.0.1"], LIMITS);
    for provider in Provider::ALL {
        for url in [
            responder.url("/"),
            format!("https://127.0.0.1:{}/", responder.port),
            "https://127.1/".to_owned(),
            "https://0x7f000001/".to_owned(),
            "https://2130706433/".to_owned(),
            "https://[::ffff:127.0.0.1]/".to_owned(),
            "https://10.0.0.1/".to_owned(),
            "https://localhost/".to_owned(),
            "https://169.254.169.254/latest/meta-data/".to_owned(),
            "https://metadata.google.internal/".to_owned(),
        ] {
            let report = probe(&prober, provider, url.as_str(), token(CANARY)).await;
            assert_eq!((report.reachable, report.authenticated, report.status, report.took_ms), (false, None, None, 0));
            assert!(
                report.detail.starts_with("The model's URL leads to a private network"),
                "{url}: {}",
                report.detail
            );
        }
    }
    assert!(responder.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_place_to_call_is_refused_with_the_reason() {
    let prober = prober(&[], &["127.0.0.1"], LIMITS);
    for (url, reason) in [
        ("http://api.example.com/", "https://"),
        ("https://api.example.com:6379/", "port 443"),
        ("ftp://api.example.com/", "https://"),
        ("https://user:canary@api.example.com/", "user name"),
        ("https://settings.example.com/", "this service itself"),
        ("canary", "not a URL"),
    ] {
        let report = probe(&prober, Provider::Custom, url, token(CANARY)).await;
        assert!(!report.reachable && report.detail.contains(reason), "{url}: {}", report.detail);
    }
}

#[tokio::test]
async fn metadata_services_are_refused_whatever_is_allowed() {
    let prober = prober(&["0.0.0.0/0", "::/0"], &["169.254.169.254"], LIMITS);
    for url in ["http://169.254.169.254/latest/", "http://named.example.com/"] {
        let report = probe(&prober, Provider::Custom, url, pair("canary", "canary")).await;
        assert!(!report.reachable && report.status.is_none());
    }
}

#[tokio::test]
async fn a_name_of_a_private_address_and_a_name_of_none_give_the_same_report() {
    let private = prober(&[], &["93.184.216.34", "10.0.0.1"], LIMITS);
    let none = prober(&[], &[], LIMITS);
    let url = "https://api.example.com/v1";
    let report = probe(&private, Provider::OpenAi, url, token(CANARY)).await;
    assert!(report.detail.starts_with("No public address was found"), "{}", report.detail);
    assert_eq!(report, probe(&none, Provider::OpenAi, url, token(CANARY)).await);
}

#[tokio::test]
async fn a_credential_does_not_travel_unencrypted_to_another_machine() {
    // A network that the operator has allowed; the name leads to us all the same.
    let responder = Responder::says(200);
    for provider in Provider::ALL {
        let url = format!("http://llm.example.com:{}/", responder.port);
        let report = probe(&local_prober(), provider, url, token(CANARY)).await;
        assert!(!report.reachable && report.detail.contains("unencrypted"), "{}", report.detail);
    }
    assert!(responder.requests().is_empty());
}
