use crate::support::{AUDIENCE, Key, Mood, MovedClock, World};
use serde_json::json;
use settings_oidc::{ConfigError, OidcConfig, OidcVerifier, http_client};
use std::sync::Arc;

fn configure(issuer: &str, audience: &str) -> Result<OidcVerifier, ConfigError> {
    OidcVerifier::new(
        OidcConfig { issuer: issuer.into(), audience: audience.into() },
        http_client().unwrap(),
        Arc::new(MovedClock::default()),
    )
}

#[tokio::test]
async fn an_http_issuer_on_another_machine_is_refused() {
    assert!(matches!(configure("http://issuer.example.org/", "settings"), Err(ConfigError::IssuerNotHttps)));
    assert!(configure("https://issuer.example.org/", "settings").is_ok());
    assert!(configure("http://127.0.0.1:1/", "settings").is_ok());
}

#[tokio::test]
async fn an_empty_audience_is_refused() {
    for audience in ["", " "] {
        assert!(matches!(configure("https://issuer.example.org/", audience), Err(ConfigError::AudienceEmpty)));
    }
}

#[tokio::test]
async fn a_trailing_slash_may_differ_in_the_configuration_but_not_in_the_token() {
    let key = Key::new("a", "ES256");
    for configured in ["", "/"] {
        for named in ["", "/"] {
            let world = World::configured(&[&key], |url| format!("{url}{configured}")).await;
            let name = format!("{}{named}", world.issuer.url);
            world.issuer.name.lock().unwrap().clone_from(&name);
            assert_eq!(world.verify(&world.token(&key)).await.unwrap().issuer, name);
            let other = if named.is_empty() { format!("{name}/") } else { world.issuer.url.clone() };
            assert_eq!(world.verdict_with(&key, json!({}), json!({"iss": other})).await, "wrong issuer");
        }
    }
}

#[tokio::test]
async fn the_discovery_document_must_be_that_of_the_configured_issuer() {
    let key = Key::new("a", "ES256");
    for other in ["https://evil.example.org/", "", "//"] {
        let world = World::with(&[&key]).await;
        *world.issuer.name.lock().unwrap() = other.into();
        let verdict = world.verdict(&world.token(&key)).await;
        assert_eq!(verdict, "unavailable: the discovery document is that of another issuer", "{other}");
        assert_eq!(world.issuer.key_sets(), 0);
    }
}

#[tokio::test]
async fn keys_are_only_fetched_over_https_or_from_this_machine() {
    let key = Key::new("a", "ES256");
    for place in ["http://keys.example.org/", "file:///etc/passwd", "/keys", "", "https://user:word@keys.example.org/"]
    {
        let world = World::with(&[&key]).await;
        let document = json!({"issuer": world.issuer.url, "jwks_uri": place}).to_string();
        world.issuer.is(Mood::Discovery(document));
        let verdict = world.verdict(&world.token(&key)).await;
        assert_eq!(verdict, "unavailable: the discovery document's jwks_uri is not an https URL", "{place}");
    }
}

#[tokio::test]
async fn what_a_client_that_follows_redirects_brings_back_is_not_used() {
    let key = Key::new("a", "ES256");
    let mut world = World::with(&[&key]).await;
    let config = OidcConfig { issuer: world.issuer.url.clone(), audience: AUDIENCE.into() };
    world.verifier = Arc::new(OidcVerifier::new(config, reqwest::Client::new(), world.clock.clone()).unwrap());
    world.issuer.is(Mood::Redirect);
    let verdict = world.verdict(&world.token(&key)).await;
    assert_eq!(verdict, "unavailable: the discovery document was fetched from another place than asked");
}

#[tokio::test]
async fn an_issuer_that_is_not_there_leaves_nothing_to_say() {
    let key = Key::new("a", "ES256");
    // Port 1 of loopback: nobody listens there.
    let world = World::configured(&[&key], |_| "http://127.0.0.1:1".into()).await;
    let verdict = world.verdict(&world.token(&key)).await;
    assert_eq!(verdict, "unavailable: the discovery document could not be fetched");
}

#[tokio::test]
async fn what_is_printed_of_a_verifier_has_no_tokens_and_no_keys() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    world.verify(&world.token(&key)).await.unwrap();
    assert_eq!(format!("{:?}", world.verifier), r#"OidcVerifier { audience: "settings", .. }"#);
}
