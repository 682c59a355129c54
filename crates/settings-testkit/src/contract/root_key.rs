//! The service's own root key: the first keeper wins, and everybody is told which one it is.
use super::World;
use std::sync::Arc;
use tokio::task::JoinSet;

cases![the_first_keeper_wins, twenty_parallel_keepers_agree];

async fn the_first_keeper_wins(world: World) {
    let keys = &world.root_keys;
    assert_eq!(keys.root_key().await.expect("a read"), None);
    assert_eq!(keys.keep_root_key(b"first \0\xff").await.expect("kept"), b"first \0\xff");
    assert_eq!(keys.keep_root_key(b"second").await.expect("kept"), b"first \0\xff");
    assert_eq!(keys.root_key().await.expect("a read").as_deref(), Some(&b"first \0\xff"[..]));
}

async fn twenty_parallel_keepers_agree(world: World) {
    let mut calls = JoinSet::new();
    for n in 0..20_u8 {
        let keys = Arc::clone(&world.root_keys);
        calls.spawn(async move { keys.keep_root_key(&[n; 48]).await.expect("kept") });
    }
    let mut kept = calls.join_all().await;
    kept.dedup();
    assert_eq!(kept.len(), 1);
    assert_eq!(world.root_keys.root_key().await.expect("a read"), kept.pop());
}
