use crate::support::{AUDIENCE, Key, START, World, b64};
use ring::hmac;
use serde_json::{Value, json};
use settings_domain::text::Email;

const WRONG_SIGNATURE: &str = "the signature is wrong";

async fn refused(header: Value, claims: Value) -> String {
    let key = Key::new("a", "ES256");
    World::with(&[&key]).await.verdict_with(&key, header, claims).await
}

#[tokio::test]
async fn a_good_token_of_every_allowed_algorithm_passes() {
    for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        let key = Key::new("a", alg);
        let world = World::with(&[&key]).await;
        for typ in [json!("JWT"), json!("at+jwt"), json!(null)] {
            assert_eq!(world.verdict_with(&key, json!({"typ": typ}), json!({})).await, "accepted", "{alg} {typ}");
        }
    }
}

#[tokio::test]
async fn a_token_says_who_its_bearer_is() {
    let key = Key::new("a", "RS256");
    let world = World::with(&[&key]).await;
    let claims = json!({
        "aud": ["https://x.org/userinfo", AUDIENCE], "email": "Ada@example.org", "email_verified": true, "name": "Ada\u{7}",
        "picture": "https://cdn.example.org/a.png", "roles": ["admin"], "permissions": ["*"],
    });
    let token = world.token_with(&key, &json!({}), &claims);
    let first = world.verify(&token).await.unwrap();
    assert_eq!(first.issuer, format!("{}/", world.issuer.url));
    assert_eq!(first.subject, "auth0|1");
    assert_eq!(first.email.as_ref().map(Email::as_str), Some("Ada@example.org"));
    assert!(first.email_verified);
    assert_eq!(first.name.as_deref(), Some("Ada"));
    assert_eq!(first.picture.as_deref(), Some("https://cdn.example.org/a.png"));
    assert_eq!(world.verify(&token).await.unwrap(), first, "the second time from the cache");
}

#[tokio::test]
async fn a_malformed_email_is_left_out_and_not_vouched_for() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let claims = json!({"email": "a@x.org\r\nBcc: b@x.org", "email_verified": true});
    let profile = world.verify(&world.token_with(&key, &json!({}), &claims)).await.unwrap();
    assert_eq!((profile.email, profile.email_verified), (None, false));
}

#[tokio::test]
async fn unsigned_tokens_are_refused() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    for alg in ["none", "None", "nOnE"] {
        let parts = world.parts(&key, &json!({"alg": alg}), &json!({}));
        for signature in ["", "AA"] {
            assert_eq!(world.verdict(&format!("{parts}.{signature}")).await, "the algorithm is not allowed");
        }
    }
    let parts = world.parts(&key, &json!({}), &json!({}));
    assert_eq!(world.verdict(&format!("{parts}.")).await, WRONG_SIGNATURE);
    assert_eq!(world.verdict(&parts).await, "the token is not a JWT");
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_an_hmac_secret_is_refused() {
    for alg in ["RS256", "ES256", "EdDSA"] {
        let key = Key::new("a", alg);
        let world = World::with(&[&key]).await;
        for (name, hash) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
            let parts = world.parts(&key, &json!({"alg": name}), &json!({}));
            for secret in [key.public(), key.jwk().to_string().into_bytes(), vec![]] {
                let signature = hmac::sign(&hmac::Key::new(hash, &secret), parts.as_bytes());
                assert_eq!(world.verdict(&format!("{parts}.{}", b64(signature))).await, "the algorithm is not allowed");
            }
        }
    }
}

#[tokio::test]
async fn a_token_signed_with_another_key_than_it_names_is_refused() {
    for alg in ["ES256", "ES384", "EdDSA"] {
        let (ours, theirs) = (Key::new("a", alg), Key::new("a", alg));
        let world = World::with(&[&ours]).await;
        assert_eq!(world.verdict(&world.token(&theirs)).await, WRONG_SIGNATURE, "{alg}");
        assert_eq!(world.verdict(&world.token(&ours)).await, "accepted", "{alg}");
    }
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used() {
    let (ours, theirs) = (Key::new("a", "ES256"), Key::new("a", "ES256"));
    let world = World::with(&[&ours]).await;
    let place = format!("{}/elsewhere", world.issuer.url);
    for header in
        [json!({"jwk": theirs.jwk()}), json!({"jku": place}), json!({"x5u": place}), json!({"jku": place, "kid": null})]
    {
        assert_eq!(world.verdict_with(&theirs, header.clone(), json!({})).await, WRONG_SIGNATURE, "{header}");
    }
    assert_eq!(world.issuer.asked_elsewhere(), 0);
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    for alg in ["RS256", "ES256", "EdDSA"] {
        let key = Key::new("a", alg);
        let world = World::with(&[&key]).await;
        let token = world.token(&key);
        assert_eq!(world.verdict(&token).await, "accepted");
        let signature = token.rsplit('.').next().unwrap();
        let forged = world.parts(&key, &json!({}), &json!({"sub": "auth0|2"}));
        assert_eq!(world.verdict(&format!("{forged}.{signature}")).await, WRONG_SIGNATURE, "{alg}");
        let message = token.rsplit_once('.').unwrap().0;
        let mut bytes = key.sign(message.as_bytes());
        bytes[7] ^= 1;
        assert_eq!(world.verdict(&format!("{message}.{}", b64(bytes))).await, WRONG_SIGNATURE, "{alg}");
        assert_eq!(world.verdict(&format!("{token}=")).await, "the token is not a JWT", "{alg}");
    }
}

#[tokio::test]
async fn the_algorithm_must_be_that_of_the_key() {
    let (rsa, ec) = (Key::new("rsa", "RS256"), Key::new("ec", "ES256"));
    let world = World::with(&[&rsa, &ec]).await;
    let unfit = "the signing key is not for this algorithm";
    assert_eq!(world.verdict_with(&ec, json!({"kid": "rsa"}), json!({})).await, unfit);
    assert_eq!(world.verdict_with(&rsa, json!({"kid": "ec"}), json!({})).await, unfit);
    // The same RSA key, truly signed, but with a padding that the issuer has not declared for it.
    assert_eq!(world.verdict(&world.token(&Key::new("rsa", "PS256"))).await, unfit);
    assert_eq!(world.verdict(&world.token(&Key::new("rsa", "RS512"))).await, unfit);
}

#[tokio::test]
async fn an_encryption_key_does_not_verify() {
    let key = Key::new("a", "RS256");
    let world = World::with(&[&key]).await;
    world.issuer.keys.lock().unwrap()[0]["use"] = json!("enc");
    assert_eq!(world.verdict(&world.token(&key)).await, "the signing key is not for this algorithm");
}

#[tokio::test]
async fn a_key_id_may_be_left_out_where_one_key_only_would_do() {
    let (one, two, rsa) = (Key::new("a", "ES256"), Key::new("b", "ES256"), Key::new("c", "RS256"));
    let nameless = json!({"kid": null});
    let world = World::with(&[&one, &rsa]).await;
    assert_eq!(world.verdict_with(&one, nameless.clone(), json!({})).await, "accepted");
    assert_eq!(world.verdict_with(&rsa, nameless.clone(), json!({})).await, "accepted");
    let world = World::with(&[&one, &two]).await;
    assert_eq!(world.verdict_with(&one, nameless, json!({})).await, "the signing key is ambiguous");
}

#[tokio::test]
async fn two_keys_with_one_id_are_ambiguous() {
    let (one, two) = (Key::new("a", "ES256"), Key::new("a", "ES256"));
    let world = World::with(&[&one, &two]).await;
    assert_eq!(world.verdict(&world.token(&one)).await, "the signing key is ambiguous");
}

#[tokio::test]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    assert_eq!(refused(json!({}), json!({"iss": "https://evil.example.org/"})).await, "wrong issuer");
    assert_eq!(refused(json!({}), json!({"iss": null})).await, "wrong issuer");
    assert_eq!(refused(json!({}), json!({"aud": "other-api"})).await, "wrong audience");
    assert_eq!(refused(json!({}), json!({"aud": null})).await, "wrong audience");
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let claims = json!({"aud": "client-id", "azp": "client-id", "nonce": "n", "at_hash": "h"});
    assert_eq!(refused(json!({}), claims).await, "wrong audience");
}

#[tokio::test]
async fn a_token_that_has_expired_or_is_from_the_future_is_refused() {
    assert_eq!(refused(json!({}), json!({"exp": START})).await, "expired");
    assert_eq!(refused(json!({}), json!({"exp": START - 3600})).await, "expired");
    assert_eq!(refused(json!({}), json!({"exp": null})).await, "no expiry");
    assert_eq!(refused(json!({}), json!({"nbf": START + 31})).await, "not valid yet");
    assert_eq!(refused(json!({}), json!({"iat": START + 31})).await, "issued in the future");
    assert_eq!(refused(json!({}), json!({"nbf": START + 30, "iat": START + 30})).await, "accepted");
}

#[tokio::test]
async fn a_token_verified_a_moment_ago_expires_all_the_same() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let token = world.token_with(&key, &json!({}), &json!({"exp": START + 20}));
    assert_eq!(world.verdict(&token).await, "accepted");
    world.pass(19);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.pass(1);
    assert_eq!(world.verdict(&token).await, "expired");
}

#[tokio::test]
async fn a_token_without_a_plain_subject_is_refused() {
    assert_eq!(refused(json!({}), json!({"sub": null})).await, "no subject");
    assert_eq!(refused(json!({}), json!({"sub": ""})).await, "no subject");
    assert_eq!(refused(json!({}), json!({"sub": "a\nb"})).await, "the subject is malformed");
    assert_eq!(refused(json!({}), json!({"sub": "a".repeat(256)})).await, "the subject is malformed");
}

#[tokio::test]
async fn critical_extensions_and_other_types_are_refused() {
    assert_eq!(refused(json!({"crit": ["b64"], "b64": false}), json!({})).await, "the header has a critical extension");
    assert_eq!(refused(json!({"crit": []}), json!({})).await, "the header has a critical extension");
    for typ in ["dpop+jwt", "logout+jwt", "JOSE", ""] {
        assert_eq!(refused(json!({"typ": typ}), json!({})).await, "the type is not that of an access token", "{typ}");
    }
}

#[tokio::test]
async fn claims_that_are_not_what_they_should_be_are_refused() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let head = b64(json!({"alg": "ES256", "kid": "a"}).to_string());
    let twice = format!(r#"{{"iss":"{}/","aud":"x","aud":"{AUDIENCE}","sub":"a","exp":1900000000}}"#, world.issuer.url);
    let nested = "[".repeat(3000);
    for claims in
        ["", "7", "[]", "{", r#"{"exp":"soon"}"#, r#"{"exp":{}}"#, r#"{"aud":[1]}"#, "\u{fffd}", &twice, &nested]
    {
        let parts = format!("{head}.{}", b64(claims));
        let token = format!("{parts}.{}", b64(key.sign(parts.as_bytes())));
        assert_eq!(world.verdict(&token).await, "the header or the claims are malformed", "{claims}");
    }
}

#[tokio::test]
async fn garbage_and_oversized_tokens_are_refused_before_the_issuer_is_asked() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let huge = world.token_with(&key, &json!({}), &json!({"padding": "a".repeat(8 * 1024)}));
    assert_eq!(world.verdict(&huge).await, "the token is too long");
    for garbage in
        ["", ".", "..", "a.b", "a.b.c.d.e", "sk_live_123", "Bearer x", "é.è.ê", "\0.\0.\0", &"a".repeat(8192)]
    {
        assert!(
            ["the token is not a JWT", "the header is malformed"].contains(&&*world.verdict(garbage).await),
            "{garbage:?}"
        );
    }
    assert_eq!(world.issuer.asked(), 0);
}
