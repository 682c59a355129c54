//! How long an unwrapped data key is used, who asks the keyring for it, and which one seals.
use crate::vault_support::{Stage, binding, open, scope, workspace};
use settings_crypto::{SEALS_FOR, UNWRAPPED_FOR};
use settings_domain::ports::{
    keyring::KeyringError,
    vault::{Vault as _, VaultError},
};
use std::sync::{Arc, atomic::Ordering};
use time::Duration;
use tokio::{sync::Semaphore, task::JoinSet};

fn away<T>(result: &Result<T, VaultError>) -> bool {
    matches!(result, Err(VaultError::Keyring(KeyringError::Unavailable(_))))
}

#[tokio::test]
async fn without_the_keyring_a_key_serves_for_five_minutes_and_no_longer() {
    let stage = Stage::new();
    let here = binding(1, 1, 1, 1);
    let sealed = stage.current(1).await.unwrap().seal(&here, b"value").unwrap();
    stage.remote.go(true);
    stage.clock.pass(UNWRAPPED_FOR - Duration::microseconds(1));
    for cipher in [stage.current(1).await.unwrap(), stage.vault.generation(scope(1), 1).await.unwrap()] {
        assert_eq!(open(cipher.as_ref(), 1, &here, &sealed).unwrap(), "value");
    }
    assert!(away(&stage.current(2).await), "a workspace whose key is not in memory fails at once");
    stage.clock.pass(Duration::microseconds(1));
    assert!(away(&stage.current(1).await));
    assert!(away(&stage.vault.generation(scope(1), 1).await));
    let key = stage.table.0.lock().unwrap()[&(workspace(1), 1)].clone();
    assert!(away(&stage.vault.unwrapped(scope(1), &key).await));
    // It is back at the first call after the keyring is.
    stage.remote.go(false);
    assert!(stage.current(1).await.is_ok());
    assert_eq!(UNWRAPPED_FOR, Duration::minutes(5));
}

#[tokio::test]
async fn using_a_key_does_not_make_it_younger() {
    let stage = Stage::new();
    stage.current(1).await.unwrap();
    for _ in 0..4 {
        stage.clock.pass(Duration::minutes(1));
        stage.current(1).await.unwrap();
    }
    assert_eq!(stage.remote.asked(), 1);
    stage.clock.pass(Duration::minutes(1));
    stage.current(1).await.unwrap();
    assert_eq!(stage.remote.asked(), 2);
}

#[tokio::test]
async fn the_age_counts_from_before_the_keyring_was_asked() {
    let stage = Stage::new();
    *stage.remote.takes.lock().unwrap() = Duration::minutes(3);
    stage.current(1).await.unwrap();
    *stage.remote.takes.lock().unwrap() = Duration::ZERO;
    stage.remote.go(true);
    stage.clock.pass(Duration::minutes(2));
    assert!(away(&stage.current(1).await), "it was asked for five minutes ago");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_makes_no_key_last_longer() {
    let stage = Stage::new();
    stage.current(1).await.unwrap();
    stage.clock.pass(-Duration::seconds(1));
    stage.current(1).await.unwrap();
    assert_eq!(stage.remote.asked(), 2);
}

#[tokio::test]
async fn after_a_sweep_an_old_key_is_asked_for_again_and_a_young_one_is_not() {
    let stage = Stage::new();
    stage.current(1).await.unwrap();
    stage.clock.pass(Duration::minutes(4));
    stage.current(2).await.unwrap();
    stage.clock.pass(Duration::minutes(1));
    stage.vault.sweep();
    stage.current(2).await.unwrap();
    assert_eq!(stage.remote.asked(), 2);
    stage.current(1).await.unwrap();
    assert_eq!(stage.remote.asked(), 3);
}

/// Fifty calls for one key, of which the first has reached the keyring and the others wait.
async fn fifty(stage: &Stage) -> JoinSet<Result<(), VaultError>> {
    stage.current(1).await.unwrap();
    stage.clock.pass(UNWRAPPED_FOR);
    stage.remote.answers.forget_permits(Semaphore::MAX_PERMITS);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let vault = Arc::clone(&stage.vault);
        calls.spawn(async move { vault.generation(scope(1), 1).await.map(drop) });
    }
    // On one thread every task runs as far as it can in a few rounds.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.remote.asked(), 2, "one of them asks");
    calls
}

#[tokio::test]
async fn many_that_need_one_key_at_once_ask_for_it_once() {
    let stage = Stage::new();
    let calls = fifty(&stage).await;
    stage.remote.answers.add_permits(50);
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    assert_eq!(stage.remote.asked(), 2);
}

#[tokio::test]
async fn many_that_need_one_key_hear_together_that_the_keyring_is_away() {
    let stage = Stage::new();
    let calls = fifty(&stage).await;
    stage.remote.go(true);
    stage.remote.answers.add_permits(50);
    assert!(calls.join_all().await.iter().all(away));
    assert_eq!(stage.remote.asked(), 2, "they do not wait for one refusal each");
    // Who comes later asks again.
    stage.remote.go(false);
    assert!(stage.vault.generation(scope(1), 1).await.is_ok());
}

#[tokio::test]
async fn who_gives_up_while_it_is_his_turn_leaves_it_to_the_next() {
    let stage = Stage::new();
    let mut calls = fifty(&stage).await;
    calls.abort_all();
    while calls.join_next().await.is_some() {}
    stage.remote.answers.add_permits(50);
    assert!(stage.vault.generation(scope(1), 1).await.is_ok());
}

#[tokio::test]
async fn one_workspace_waits_for_no_other() {
    let stage = Stage::new();
    let calls = fifty(&stage).await;
    let vault = Arc::clone(&stage.vault);
    let other = tokio::spawn(async move { vault.current(scope(2)).await.map(drop) });
    while stage.remote.asked() < 3 {
        tokio::task::yield_now().await;
    }
    stage.remote.answers.add_permits(50);
    assert!(other.await.unwrap().is_ok() && calls.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_key_seals_for_a_year_and_the_next_generation_after_it() {
    let stage = Stage::new();
    let here = binding(1, 1, 1, 1);
    let old = stage.current(1).await.unwrap().seal(&here, b"old").unwrap();
    stage.clock.pass(SEALS_FOR - Duration::microseconds(1));
    assert_eq!(stage.current(1).await.unwrap().generation(), 1);
    stage.clock.pass(UNWRAPPED_FOR);
    let second = stage.current(1).await.unwrap();
    assert_eq!((second.generation(), SEALS_FOR), (2, Duration::days(365)));
    let new = second.seal(&here, b"new").unwrap();
    let vault = stage.another_process();
    for (sealed, text) in [(old, "old"), (new, "new")] {
        let cipher = vault.generation(scope(1), sealed.generation()).await.unwrap();
        assert_eq!(open(cipher.as_ref(), 1, &here, &sealed).unwrap(), text);
    }
    assert_eq!(stage.table.0.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn two_first_users_of_a_workspace_agree_on_one_key() {
    for _ in 0..50 {
        let stage = Stage::new();
        let (one, two) = (stage.another_process(), stage.another_process());
        let (one, two) = tokio::join!(one.current(scope(1)), two.current(scope(1)));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.generation(), two.generation()), (1, 1));
        let here = binding(1, 1, 1, 1);
        for (from, to) in [(&one, &two), (&two, &one)] {
            let sealed = from.seal(&here, b"value").unwrap();
            assert_eq!(open(to.as_ref(), 1, &here, &sealed).unwrap(), "value");
        }
        assert_eq!(stage.table.0.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn without_the_keyring_no_key_is_made_and_nothing_is_kept() {
    let stage = Stage::new();
    stage.remote.go(true);
    assert!(away(&stage.current(1).await));
    assert!(stage.table.0.lock().unwrap().is_empty());
    assert_eq!(stage.remote.asked.load(Ordering::SeqCst), 0);
}
