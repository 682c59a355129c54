use crate::support::{Key, Mood, World};
use axum::{body::Bytes, http::StatusCode};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

const UNKNOWN: &str = "the signing key is unknown";
const AWAY: Mood = Mood::Status(StatusCode::SERVICE_UNAVAILABLE);
const IS_AWAY: &str = "unavailable: the discovery document was answered with status 503";

/// Lets a fetch that nobody waits for come to its end.
async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    timeout(Duration::from_secs(5), waiting).await.unwrap();
}

#[tokio::test]
async fn a_new_signing_key_is_learned_from_the_first_token_that_names_it() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "EdDSA"));
    let world = World::with(&[&old]).await;
    assert_eq!(world.verdict(&world.token(&old)).await, "accepted");
    world.pass(10);
    world.issuer.publish(&[&old, &new]);
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
    assert_eq!(world.verdict(&world.token(&old)).await, "accepted");
    assert_eq!(world.issuer.key_sets(), 2);
}

#[tokio::test]
async fn a_new_signing_key_is_learned_within_90_seconds_even_where_others_have_used_up_the_asking() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(&[&old]).await;
    assert_eq!(world.verdict(&world.token(&old)).await, "accepted");
    world.pass(15);
    assert_eq!(world.verdict(&world.token(&Key::new("junk", "ES256"))).await, UNKNOWN);
    world.issuer.publish(&[&new]);
    assert_eq!(world.verdict(&world.token(&new)).await, UNKNOWN);
    world.pass(75);
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
}

#[tokio::test]
async fn a_removed_key_dies_within_90_seconds_even_for_a_token_verified_a_moment_ago() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(&[&old, &new]).await;
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
    world.issuer.publish(&[&new]);
    world.pass(50);
    let token = world.token(&old);
    assert_eq!(world.verdict(&token).await, "accepted", "the keys are young enough");
    world.pass(25);
    assert_eq!(world.verdict(&token).await, UNKNOWN);
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
}

#[tokio::test]
async fn a_key_that_is_replaced_under_the_same_id_is_replaced_here_too() {
    let (old, new) = (Key::new("a", "ES256"), Key::new("a", "ES256"));
    let world = World::with(&[&old]).await;
    let token = world.token(&old);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.publish(&[&new]);
    world.pass(75);
    assert_eq!(world.verdict(&token).await, "the signature is wrong");
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
}

#[tokio::test]
async fn tokens_with_unknown_keys_do_not_hammer_the_issuer() {
    let (key, junk) = (Key::new("a", "ES256"), Key::new("junk", "ES256"));
    let world = World::with(&[&key]).await;
    for _ in 0..50 {
        assert_eq!(world.verdict(&world.token(&junk)).await, UNKNOWN);
    }
    assert_eq!(world.issuer.key_sets(), 1, "the keys were fetched a moment ago");
    for seconds in 0..59 {
        assert_eq!(
            world.verdict(&world.token_with(&junk, &json!({"kid": seconds.to_string()}), &json!({}))).await,
            UNKNOWN
        );
        world.pass(1);
    }
    assert_eq!(world.issuer.key_sets(), 2, "once a minute");
}

#[tokio::test]
async fn a_key_id_of_the_wrong_kind_or_none_at_all_does_not_ask_the_issuer() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    world.pass(30);
    for header in [json!({"kid": null}), json!({"kid": "a"})] {
        let verdict = world.verdict_with(&Key::new("a", "EdDSA"), header, json!({})).await;
        assert_eq!(verdict, "the signing key is not for this algorithm");
    }
    assert_eq!(world.issuer.key_sets(), 1);
}

#[tokio::test]
async fn many_first_requests_make_one_fetch() {
    let key = Key::new("a", "ES256");
    let world = Arc::new(World::with(&[&key]).await);
    let permits = Arc::new(Semaphore::new(0));
    world.issuer.is(Mood::Slow(Arc::clone(&permits)));
    let mut all = JoinSet::new();
    for n in 0..50 {
        let (world, token) = (Arc::clone(&world), world.token_with(&key, &json!({}), &json!({"sub": n.to_string()})));
        all.spawn(async move { world.verdict(&token).await });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    permits.add_permits(2);
    assert!(all.join_all().await.iter().all(|verdict| verdict == "accepted"));
    assert_eq!(world.issuer.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let permits = Arc::new(Semaphore::new(0));
    world.issuer.is(Mood::Slow(Arc::clone(&permits)));
    let token = world.token(&key);
    assert!(timeout(Duration::from_millis(50), world.verify(&token)).await.is_err());
    permits.add_permits(2);
    until(|| world.issuer.key_sets() == 1).await;
    assert_eq!(world.verdict(&token).await, "accepted");
    assert_eq!(world.issuer.key_sets(), 1);
}

#[tokio::test]
async fn keys_are_as_old_as_the_question_not_as_the_answer() {
    let key = Key::new("a", "ES256");
    let world = Arc::new(World::with(&[&key]).await);
    let permits = Arc::new(Semaphore::new(0));
    world.issuer.is(Mood::Slow(Arc::clone(&permits)));
    let (token, first) = (world.token(&key), Arc::clone(&world));
    let asking = tokio::spawn({
        let token = token.clone();
        async move { first.verdict(&token).await }
    });
    until(|| world.issuer.asked() == 1).await;
    world.pass(9);
    permits.add_permits(2);
    assert_eq!(asking.await.unwrap(), "accepted");
    world.pass(51);
    world.verdict(&token).await;
    until(|| world.issuer.asked() == 3).await;
}

#[tokio::test]
async fn under_load_nobody_waits_for_the_regular_refresh() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let token = world.token(&key);
    assert_eq!(world.verdict(&token).await, "accepted");
    let permits = Arc::new(Semaphore::new(0));
    world.issuer.is(Mood::Slow(Arc::clone(&permits)));
    world.pass(60);
    for _ in 0..20 {
        assert_eq!(world.verdict(&token).await, "accepted");
    }
    until(|| world.issuer.asked() == 3).await;
    permits.add_permits(2);
    until(|| world.issuer.key_sets() == 2).await;
    assert_eq!(world.issuer.asked(), 4, "one refresh");
    world.pass(59);
    assert_eq!(world.verdict(&token).await, "accepted");
    assert_eq!(world.issuer.asked(), 4, "and it counts from then");
}

#[tokio::test]
async fn while_the_issuer_is_away_the_keys_last_seen_serve_for_a_day() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    world.issuer.is(AWAY);
    for _ in 0..23 {
        world.pass(3600);
        assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    }
    world.pass(3599);
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    world.pass(1);
    assert_eq!(world.verdict(&world.token(&key)).await, IS_AWAY);
    world.issuer.is(Mood::Well);
    world.pass(5);
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
}

#[tokio::test]
async fn with_no_keys_and_the_issuer_away_nothing_can_be_said_and_it_is_left_alone_for_a_while() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    world.issuer.is(AWAY);
    for _ in 0..20 {
        assert_eq!(world.verdict(&world.token(&key)).await, IS_AWAY);
    }
    assert_eq!(world.issuer.asked(), 1);
    world.issuer.is(Mood::Well);
    world.pass(5);
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
}

#[tokio::test]
async fn while_the_issuer_is_away_an_unknown_key_may_be_a_new_one() {
    let (key, new) = (Key::new("a", "ES256"), Key::new("new", "ES256"));
    let world = World::with(&[&key]).await;
    assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    world.issuer.is(AWAY);
    world.pass(20);
    for _ in 0..3 {
        assert_eq!(world.verdict(&world.token(&new)).await, IS_AWAY);
        assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
    }
    assert_eq!(world.issuer.asked(), 3);
    world.pass(70);
    for _ in 0..3 {
        assert_eq!(world.verdict(&world.token(&key)).await, "accepted");
        assert_eq!(world.verdict(&world.token(&new)).await, IS_AWAY);
    }
    assert_eq!(world.issuer.asked(), 4, "the regular refresh has just failed, so the new key does not cause another");
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_believed_again_at_once() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(&[&old]).await;
    let token = world.token(&old);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.is(AWAY);
    world.pass(80);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.publish(&[&new]);
    world.issuer.is(Mood::Well);
    world.pass(31);
    assert_eq!(world.verdict(&token).await, UNKNOWN, "an old failure does not let old keys serve");
    assert_eq!(world.verdict(&world.token(&new)).await, "accepted");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_given_up_after_five_seconds() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let token = world.token(&key);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.is(Mood::Slow(Arc::new(Semaphore::new(0))));
    world.pass(80);
    let since = Instant::now();
    assert_eq!(world.verdict(&token).await, "accepted");
    assert!((4..7).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    world.pass(6);
    let since = Instant::now();
    assert_eq!(world.verdict(&token).await, "accepted");
    assert!(since.elapsed() < Duration::from_secs(1), "nobody waits for an issuer that is known to be away");
}

#[tokio::test]
async fn answers_that_are_not_keys_leave_the_old_keys_in_place() {
    let key = Key::new("a", "ES256");
    let huge = format!(r#"{{"keys":[],"padding":"{}"}}"#, "a".repeat(256 * 1024));
    for (mood, reason) in [
        (Mood::Status(StatusCode::NOT_FOUND), "the discovery document was answered with status 404"),
        (Mood::Status(StatusCode::NO_CONTENT), "the discovery document was answered with status 204"),
        (Mood::Redirect, "the discovery document was answered with status 302"),
        (Mood::Discovery("<html>".into()), "the discovery document is malformed"),
        (Mood::Keys(Bytes::from("<html>")), "the key set is malformed"),
        (Mood::Keys(Bytes::from("{}")), "the key set is malformed"),
        (Mood::Keys(Bytes::from(huge)), "the key set is larger than 256 KiB"),
    ] {
        let cold = World::with(&[&key]).await;
        cold.issuer.is(mood.clone());
        assert_eq!(cold.verdict(&cold.token(&key)).await, format!("unavailable: {reason}"));
        assert_eq!(cold.issuer.asked_elsewhere(), 0, "redirects are not followed");
        let warm = World::with(&[&key]).await;
        assert_eq!(warm.verdict(&warm.token(&key)).await, "accepted");
        warm.issuer.is(mood);
        warm.pass(80);
        assert_eq!(warm.verdict(&warm.token(&key)).await, "accepted", "{reason}");
    }
}

#[tokio::test]
async fn an_issuer_that_withdraws_all_its_keys_is_believed_but_nobody_is_told_that_their_token_is_bad() {
    let key = Key::new("a", "ES256");
    let world = World::with(&[&key]).await;
    let token = world.token(&key);
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.publish(&[]);
    world.pass(80);
    assert_eq!(world.verdict(&token).await, "unavailable: the key set has no key that could be used");
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_keys_old_and_not_young() {
    let (old, new) = (Key::new("old", "ES256"), Key::new("new", "ES256"));
    let world = World::with(&[&old]).await;
    let token = world.token_with(&old, &json!({}), &json!({"iat": null}));
    assert_eq!(world.verdict(&token).await, "accepted");
    world.issuer.publish(&[&new]);
    world.pass(-3600);
    assert_eq!(world.verdict(&token).await, UNKNOWN);
}
