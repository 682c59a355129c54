//! SS01-SS05, SS08-SS10: whether a tenant may name a URL.
use crate::{Names, client, local, workspace};
use settings_domain::ports::outbound::{Outbound as _, OutboundRefusal};
use settings_egress::Policy;
use std::time::{Duration, Instant};

const URL: &str = "https://hooks.example.com/s3cret";

#[tokio::test]
async fn a_public_host_is_accepted_and_normalised() {
    let client = client(Policy::strict(), Names::are(&["8.8.8.8", "2606:4700::1"]));
    let url = client.vet("HTTPS://Hooks.Bücher.Example:443/a/../s3cret?k=v", workspace(1)).await.unwrap();
    assert_eq!(url.url(), "https://hooks.xn--bcher-kva.example/s3cret?k=v");
    assert_eq!(url.origin(), "https://hooks.xn--bcher-kva.example");
    assert_eq!(url.host(), "hooks.xn--bcher-kva.example");
}

#[tokio::test]
async fn ss05_a_host_with_a_private_address_is_refused_in_words_that_show_no_address() {
    for addresses in [&["10.0.0.1"][..], &["127.0.0.1"], &["8.8.8.8", "192.168.0.1"], &["2606:4700::1", "fd00::1"]] {
        let refusal = client(Policy::strict(), Names::are(addresses)).vet(URL, workspace(1)).await.unwrap_err();
        assert_eq!(refusal, OutboundRefusal("no public address was found for the URL's host".to_owned()));
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_looked_up_now_is_accepted_within_two_seconds_or_so() {
    for names in [Names::NotFound, Names::are(&[]), Names::NeverAnswered] {
        let started = Instant::now();
        let vetted = client(Policy::strict(), names).vet(URL, workspace(1)).await;
        assert_eq!(vetted.map(|url| url.url().to_owned()), Ok(URL.to_owned()));
        assert!(started.elapsed() < Duration::from_millis(3500), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn what_can_be_seen_from_the_text_is_refused_without_a_lookup() {
    let client = client(Policy::strict(), Names::NeverAnswered);
    let started = Instant::now();
    for (url, why) in [
        ("http://hooks.example.com", "the URL must start with https://"),
        ("https://2130706433", "the URL's host is not a public address"),
        ("https://①②⑦.0.0.1", "the URL's host is not a public address"),
        ("https://[::ffff:127.0.0.1]", "the URL's host is not a public address"),
        ("https://instance-data", "the URL's host is a name for local networks"),
        ("https://good@evil.example", "the URL must not have a user name or a password"),
        ("https://hooks.example.com:6379", "the URL must use port 443"),
        ("nonsense", "this is not a URL such as https://example.com/path"),
    ] {
        assert_eq!(client.vet(url, workspace(1)).await, Err(OutboundRefusal(why.to_owned())), "{url}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_operators_networks_are_accepted_and_the_service_itself_is_not() {
    let client = client(local(), Names::are(&["127.0.0.1"]));
    let url = client.vet("http://127.0.0.1:9000/hook", workspace(1)).await.unwrap();
    assert_eq!((url.origin(), url.host()), ("http://127.0.0.1:9000", "127.0.0.1"));
    assert!(client.vet("http://hooks.test:9000/hook", workspace(1)).await.is_ok());
    let own = Policy::new(vec!["127.0.0.0/8".parse().unwrap()], ["settings.example"]).unwrap();
    let refused = crate::client(own, Names::are(&["127.0.0.1"])).vet("https://settings.example/x", workspace(1)).await;
    assert_eq!(refused, Err(OutboundRefusal("the URL is one of this service itself".to_owned())));
}
