//! Retries: the outcome is kept with the effect, so any number of equal calls have one.
use super::{
    No, Scenario, World,
    scenario::{app, account, found_as, idempotent},
};
use settings_domain::{
    idempotency::KEPT,
    policy::{Role, actions},
    transaction::Caller,
};
use std::{collections::BTreeSet, sync::Arc};
use time::Duration;
use tokio::task::JoinSet;

cases![
    a_retry_is_answered_with_the_kept_outcome,
    twenty_parallel_equal_calls_have_one_effect,
    a_reused_key_is_refused,
    callers_and_operations_have_keys_of_their_own,
    a_key_used_in_one_workspace_says_nothing_in_another,
    a_refused_call_is_not_kept,
    a_retried_founding_makes_one_workspace,
    twenty_parallel_equal_foundings_make_one_workspace,
    parallel_foundings_under_one_key_are_one_whatever_they_ask,
    an_outcome_is_forgotten_after_a_day,
];

const INVITE: &str = "POST /workspace/members";

async fn a_retry_is_answered_with_the_kept_outcome(world: World) {
    let s = Scenario::acme(&world).await;
    let call = idempotent(&s.admin.caller, INVITE, "k1", 1);
    let permit = s.may::<actions::InviteMember>(&s.admin.caller).await.expect("a right");
    let email = || "new@people.example".parse().expect("an address");
    let first = s.app.invite(&permit, &call, email(), Role::Viewer).await.expect("invited");
    let second = s.app.invite(&permit, &call, email(), Role::Viewer).await.expect("answered again");
    assert!(!first.is_replay() && second.is_replay());
    // The digest of the link's token is never shown, so it is no part of what is kept.
    let shown = |i: &settings_domain::invitations::Invitation| serde_json::to_string(i).expect("JSON");
    assert_eq!(shown(first.value()), shown(second.value()));
    s.expect_facts(Scenario::EVENTS, &["member.invited"]).await;
}

async fn twenty_parallel_equal_calls_have_one_effect(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let s = Arc::clone(&s);
        calls.spawn(async move {
            let call = idempotent(&s.admin.caller, INVITE, "k1", 1);
            s.invite_as(&call, "new@people.example", Role::Viewer).await.map(|i| i.id)
        });
    }
    let ids: BTreeSet<_> = calls.join_all().await.into_iter().map(|id| id.expect("answered")).collect();
    assert_eq!(ids.len(), 1, "every caller has the same answer");
    assert_eq!(s.invitations().await.len(), 1);
    s.expect_facts(Scenario::EVENTS, &["member.invited"]).await;
}

async fn a_reused_key_is_refused(world: World) {
    let s = Scenario::acme(&world).await;
    let invite = async |body, email: &str| {
        s.invite_as(&idempotent(&s.admin.caller, INVITE, "k1", body), email, Role::Viewer).await.map(|i| i.email)
    };
    assert!(invite(1, "a@people.example").await.is_ok());
    assert_eq!(invite(2, "b@people.example").await, Err(No::KeyReused));
    assert!(invite(1, "a@people.example").await.is_ok(), "the first call is still answered");
    assert_eq!(s.invitations().await.len(), 1);
}

async fn callers_and_operations_have_keys_of_their_own(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.editor_turned_admin().await;
    let invite = async |caller: &Caller, operation, body, email: &str| {
        let invited = s.invite_as(&idempotent(caller, operation, "k1", body), email, Role::Viewer).await;
        invited.map(|i| i.email.as_str().to_owned())
    };
    assert_eq!(invite(&s.admin.caller, INVITE, 1, "a@people.example").await.as_deref(), Ok("a@people.example"));
    assert_eq!(invite(&second, INVITE, 2, "b@people.example").await.as_deref(), Ok("b@people.example"));
    let other = "POST /api/organizations/{id}/invitations";
    assert_eq!(invite(&s.admin.caller, other, 3, "c@people.example").await.as_deref(), Ok("c@people.example"));
    assert_eq!(s.invitations().await.len(), 3);
}

async fn a_key_used_in_one_workspace_says_nothing_in_another(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let sent = b.invite(&b.admin.caller, a.admin.email.as_str(), Role::Admin).await.expect("an invitation");
    b.accept(&a.admin, &sent).await.expect("an admin of both");
    let call = idempotent(&a.admin.caller, INVITE, "k1", 1);
    let in_a = a.invite_as(&call, "new@people.example", Role::Viewer).await.expect("invited");
    let in_b = b.invite_as(&call, "new@people.example", Role::Viewer).await.expect("invited there too");
    assert_ne!(in_a.id, in_b.id, "the answer of one tenant is not another's");
    assert_eq!((in_a.workspace, in_b.workspace), (a.workspace, b.workspace));
}

async fn a_refused_call_is_not_kept(world: World) {
    let s = Scenario::acme(&world).await;
    s.seats(3).await.expect("full");
    let call = idempotent(&s.admin.caller, INVITE, "k1", 1);
    let refused = s.invite_as(&call, "new@people.example", Role::Viewer).await;
    assert_eq!(refused.map(|_| ()), Err(No::Rule("seat-limit-reached")));
    s.seats(4).await.expect("a seat");
    s.invite_as(&call, "new@people.example", Role::Viewer).await.expect("the retry is decided afresh");
}

const FOUND: &str = "POST /api/organizations";

async fn a_retried_founding_makes_one_workspace(world: World) {
    let (app, founder) = (app(&world), account(&world, "founder", true).await);
    let call = idempotent(&founder.caller, FOUND, "k1", 1);
    let first = found_as(&app, &call, "acme", &founder.email, 5).await.expect("founded");
    let again = found_as(&app, &call, "acme", &founder.email, 5).await.expect("answered again");
    assert_eq!(first, again);
    let other = idempotent(&founder.caller, FOUND, "k1", 2);
    assert_eq!(found_as(&app, &other, "other", &founder.email, 5).await.map(|_| ()), Err(No::KeyReused));
    assert_eq!(world.store.slugs().await.expect("a read").len(), 1);
}

async fn twenty_parallel_equal_foundings_make_one_workspace(world: World) {
    let (app, founder) = (Arc::new(app(&world)), account(&world, "founder", true).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (app, founder) = (Arc::clone(&app), founder.clone());
        calls.spawn(async move {
            let call = idempotent(&founder.caller, FOUND, "k1", 1);
            found_as(&app, &call, "acme", &founder.email, 5).await.map(|v| v.workspace.id)
        });
    }
    let ids: BTreeSet<_> = calls.join_all().await.into_iter().map(|id| id.expect("answered")).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.store.slugs().await.expect("a read").len(), 1);
}

/// There is no tenant yet to lock: the store itself has to keep a key from having two effects.
async fn parallel_foundings_under_one_key_are_one_whatever_they_ask(world: World) {
    let (app, founder) = (Arc::new(app(&world)), account(&world, "founder", true).await);
    let mut calls = JoinSet::new();
    for n in 0..10_u8 {
        let (app, founder) = (Arc::clone(&app), founder.clone());
        calls.spawn(async move {
            let call = idempotent(&founder.caller, FOUND, "k1", n);
            found_as(&app, &call, &format!("ws-{n}"), &founder.email, 5).await.map(|_| ())
        });
    }
    let results = calls.join_all().await;
    let count = |wanted: &Result<(), No>| results.iter().filter(|r| *r == wanted).count();
    assert_eq!((count(&Ok(())), count(&Err(No::KeyReused))), (1, 9), "{results:?}");
    assert_eq!(world.store.slugs().await.expect("a read").len(), 1);
}

async fn an_outcome_is_forgotten_after_a_day(world: World) {
    let s = Scenario::acme(&world).await;
    let call = idempotent(&s.admin.caller, INVITE, "k1", 1);
    s.invite_as(&call, "new@people.example", Role::Viewer).await.expect("invited");
    world.pass(KEPT - Duration::minutes(1)).await;
    s.invite_as(&call, "new@people.example", Role::Viewer).await.expect("answered again");
    world.pass(Duration::minutes(1)).await;
    let late = s.invite_as(&call, "new@people.example", Role::Viewer).await;
    assert_eq!(late.map(|_| ()), Err(No::Rule("already-invited")));
    let reused = idempotent(&s.admin.caller, INVITE, "k1", 2);
    s.invite_as(&reused, "other@people.example", Role::Viewer).await.expect("the key is free again");
}
