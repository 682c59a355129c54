//! Limits, faults, tokens: what happens when Auth0 does not simply answer.
use super::{BY_NAME, ORGANIZATION, World, ada, ours, place};
use serde_json::{Value, json};
use settings_domain::{
    mirror::{Invited, Step},
    policy::Role,
    ports::{
        Clock as _,
        mirror::{MirrorError, OrganizationMirror as _},
    },
};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Instant,
};
use time::Duration;

/// The first call of this path is answered by `first`, all others by `then`.
fn first_then(world: &World, method: &str, path: &str, first: Value, then: Value) {
    // A scenario is begun once: each has a name of its own.
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("scenario {}", NAMES.fetch_add(1, SeqCst));
    let scenario =
        |state: &str| json!({"scenarioName": name, "requiredScenarioState": state, "newScenarioState": "again"});
    world.answers(method, path, first, &scenario("Started"));
    world.answers(method, path, then, &scenario("again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_waited_for_where_it_is_short_and_told_where_it_is_long() {
    let world = World::new();
    let limited = |header: &str, value: &str| json!({"status": 429, "headers": {header: value}, "jsonBody": {"statusCode": 429, "errorCode": "too_many_requests"}});
    first_then(&world, "GET", BY_NAME, limited("retry-after", "1"), json!({"status": 200, "jsonBody": ours()}));
    let since = Instant::now();
    world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await.unwrap_err();
    assert!(since.elapsed() >= std::time::Duration::from_secs(1), "{:?}", since.elapsed());
    // An invitation that was limited was not made: it is sent again.
    let path = format!("/api/v2/organizations/{ORGANIZATION}/invitations");
    let reset = (world.clock.now() + Duration::seconds(2)).unix_timestamp().to_string();
    first_then(
        &world,
        "POST",
        &path,
        limited("x-ratelimit-reset", &reset),
        json!({"status": 200, "jsonBody": {"id": "uinv_1"}}),
    );
    world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await.unwrap();
    let reset: i64 = reset.parse().unwrap();
    assert!(world.clock.now().unix_timestamp() >= reset, "it was waited for");
    // An hour is not.
    world.answers("GET", BY_NAME, limited("retry-after", "3600"), &json!({}));
    let before = world.asked().len();
    let since = Instant::now();
    match world.mirror.read(&place()).await {
        Err(MirrorError::Unavailable { retry_after: Some(wait), .. }) => assert_eq!(wait, Duration::hours(1)),
        other => panic!("{other:?}"),
    }
    assert!(since.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(world.asked().len() - before, 1);
    // One that never ends is given up.
    world.answers("GET", BY_NAME, limited("retry-after", "0"), &json!({}));
    let before = world.asked().len();
    assert!(matches!(world.mirror.read(&place()).await, Err(MirrorError::Unavailable { .. })));
    assert_eq!(world.asked().len() - before, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_faults_are_tried_again_where_twice_is_as_good_as_once() {
    let (world, mut rounds) = (World::new(), 0);
    for (fault, what) in [
        (json!({"fault": "CONNECTION_RESET_BY_PEER"}), "reset"),
        (json!({"fault": "EMPTY_RESPONSE"}), "empty"),
        (json!({"fault": "RANDOM_DATA_THEN_CLOSE"}), "garbage"),
        (json!({"status": 500}), "500"),
        (json!({"status": 503, "headers": {"retry-after": "0"}}), "503"),
    ] {
        let organization = format!("/api/v2/organizations/{ORGANIZATION}");
        first_then(&world, "GET", BY_NAME, fault.clone(), json!({"status": 200, "jsonBody": ours()}));
        let members = format!("{organization}/members");
        first_then(&world, "POST", &members, fault.clone(), json!({"status": 204}));
        world.apply(Step::AddMember("auth0|1".to_owned())).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let sent = |url: &str, method: &str| world.asked().iter().filter(|(m, u, _)| u == url && m == method).count();
        rounds += 1;
        assert_eq!(sent(&members, "POST"), 2 * rounds, "{what}");
        // An invitation might be made twice: once, and the next plan looks what became of it.
        let invitations = format!("{organization}/invitations");
        world.answers("POST", &invitations, fault, &json!({}));
        let invited = world.apply(Step::Invite(Invited { email: ada(), role: Role::Viewer })).await;
        assert!(matches!(invited, Err(MirrorError::Unavailable { .. })), "{what}: {invited:?}");
        assert_eq!(sent(&invitations, "POST"), rounds, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_and_again_is_left_alone_for_half_a_minute() {
    let world = World::new();
    world.answers("GET", BY_NAME, json!({"status": 500}), &json!({}));
    for _ in 0..4 {
        assert!(matches!(world.mirror.read(&place()).await, Err(MirrorError::Unavailable { .. })));
    }
    assert_eq!(world.asked().len(), 5, "after five failures in a row nothing is asked");
    world.get(BY_NAME, &json!({}), &ours());
    assert!(world.mirror.read(&place()).await.is_err());
    world.clock.0.store(31, SeqCst);
    // Nobody is there any more to be removed, says the 404 of what was not prepared.
    world.apply(Step::RemoveMember("auth0|1".to_owned())).await.unwrap();
    assert_eq!(world.asked().len(), 7, "one call, and with its answer all others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_until_shortly_before_its_end_and_replaced_where_it_is_refused() {
    let world = World::new();
    world.answers(
        "DELETE",
        &format!("/api/v2/organizations/{ORGANIZATION}/members"),
        json!({"status": 204}),
        &json!({}),
    );
    let remove = || world.apply(Step::RemoveMember("auth0|1".to_owned()));
    remove().await.unwrap();
    world.clock.0.store(86_400 - 61, SeqCst);
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 1);
    world.clock.0.store(86_400 - 59, SeqCst);
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 2, "a minute before its end it is replaced");
    // Refused before its end: another one, once.
    world.answers("GET", BY_NAME, json!({"status": 401}), &json!({}));
    let refused = remove().await;
    assert!(matches!(refused, Err(MirrorError::Refused(_))), "{refused:?}");
    assert_eq!(world.token_calls(), 3);
    world.tokens("second", 86_400);
    let bearer = json!({"Authorization": {"equalTo": "Bearer second"}});
    let by_second = |method: &str, path: &str| json!({"method": method, "urlPath": path, "headers": bearer});
    world.stub(by_second("GET", BY_NAME), json!({"status": 200, "jsonBody": ours()}), &json!({}));
    let members = format!("/api/v2/organizations/{ORGANIZATION}/members");
    world.stub(by_second("DELETE", &members), json!({"status": 204}), &json!({}));
    remove().await.unwrap();
    assert_eq!(world.token_calls(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_wrong_secret_or_too_few_scopes_is_told_so_and_not_asked_for_ever() {
    let world = World::new();
    world.answers("GET", BY_NAME, json!({"status": 403, "jsonBody": {"errorCode": "insufficient_scope"}}), &json!({}));
    let refused = world.mirror.read(&place()).await.unwrap_err();
    assert!(refused.to_string().contains("lacks a scope"), "{refused}");
    assert_eq!(world.asked().len(), 1);
    let world = World::empty();
    world.stub(
        json!({"method": "POST", "urlPath": "/oauth/token"}),
        json!({"status": 401, "jsonBody": {"error": "access_denied"}}),
        &json!({}),
    );
    let refused = world.mirror.read(&place()).await.unwrap_err();
    assert!(refused.to_string().contains("another secret"), "{refused}");
    assert_eq!((world.token_calls(), world.asked().len()), (1, 0));
    assert!(!format!("{:?} {refused:?}", world.mirror).contains("m2m secret"));
}
