//! What must hold when many do things at once.
use super::world::{AnyStore, World, call, caller, idempotent, uuid};
use settings_domain::{
    api_keys::KeyStatus,
    environments::{Environment, Tier, Wanted},
    idempotency::Recorded,
    ids::{ApiKeyId, EnvironmentId},
    impact::Guard,
    members::Headcount,
    policy::actions,
    ports::{StoreError, store::Selector},
    transaction::Transaction,
    workspaces::WorkspacePatch,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Tasks hammer a key; a revocation commits; whoever asks after its answer must not see the key active.
pub(crate) async fn no_call_after_a_revocation_sees_the_key_active<S: AnyStore>(world: World<S>) {
    const ROUNDS: usize = 20;
    const TASKS: usize = 8;
    let ada = world.person("Ada").await;
    let id = world.workspace("hammer", &ada).await.workspace.id;
    let admin = caller(&ada);
    for _ in 0..ROUNDS {
        let key = world.key(&admin, id).await;
        let revoked = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (store, revoked, key) = (world.store.clone(), Arc::clone(&revoked), key.id);
                tokio::spawn(async move {
                    let (mut late, mut calls) = (0_u32, 0_u32);
                    loop {
                        let after = revoked.load(Ordering::SeqCst);
                        let standing = store.key(key).await.unwrap().unwrap();
                        calls += 1;
                        if after {
                            late += u32::from(standing.record.key.status(standing.at) == KeyStatus::Active);
                            return (late, calls);
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        world.revoke(&admin, &key).await;
        revoked.store(true, Ordering::SeqCst);
        for task in tasks {
            let (late, calls) = task.await.unwrap();
            assert_eq!(late, 0);
            assert!(calls > 1, "the race was one");
        }
    }
}

/// Equal calls with one key, all at once: one effect, and everybody learns of it.
pub(crate) async fn one_idempotency_key_has_one_effect<S: AnyStore>(world: World<S>) {
    let ada = world.person("Ada").await;
    let id = world.workspace("retry", &ada).await.workspace.id;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (world, admin) = (world.clone(), caller(&ada));
            tokio::spawn(async move {
                let earlier = world.snapshot::<actions::CreateEnvironment>(&admin, &Selector::Id(id)).await;
                let mut call = call(admin);
                call.idempotent = Some(idempotent("user:ada", "k1"));
                let mut tx = Transaction::open(&world.store, earlier.permit(), &call).await.unwrap();
                if let Some(before) = tx.replay::<Environment>().await.unwrap() {
                    return before.unwrap().into_value().id;
                }
                let present = tx.load().environments().await.unwrap();
                let wanted = Wanted {
                    id: None,
                    fresh: EnvironmentId::from_uuid(uuid()),
                    name: "staging".parse().unwrap(),
                    tier: Tier::Staging,
                    version: None,
                };
                let change = Environment::create(tx.permit(), &present, wanted).unwrap();
                tx.commit(change).await.unwrap().into_value().id
            })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let mut other = idempotent("user:ada", "k1");
    other.fingerprint = [2; 32];
    let mut tx = world.open::<actions::CreateEnvironment>(&caller(&ada), id).await;
    assert_eq!(tx.load().recorded(&other).await.unwrap(), Recorded::Reused);
    other.principal = "user:bob".into();
    assert_eq!(tx.load().recorded(&other).await.unwrap(), Recorded::Unknown);
}

/// A caller who goes away in the middle of a commit leaves a whole change or none, and a store that works.
pub(crate) async fn a_caller_who_leaves_tears_nothing<S: AnyStore>(world: World<S>) {
    let ada = world.person("Ada").await;
    let id = world.workspace("leave", &ada).await.workspace.id;
    let admin = caller(&ada);
    for micros in [0, 50, 100, 200, 400, 800, 1_600, 3_200] {
        let tx = world.open::<actions::UpdateWorkspace>(&admin, id).await;
        let mut view = world.snapshot::<actions::ReadWorkspace>(&admin, &Selector::Id(id)).await;
        let workspace = view.workspace().await.unwrap().workspace;
        drop(view);
        let patch =
            WorkspacePatch { name: Some(format!("Acme {micros}").parse().unwrap()), ..WorkspacePatch::default() };
        let heads = Headcount { members: 1, admins: 1, pending: 0 };
        let change = workspace.update(tx.permit(), patch, &heads, 1, &Guard::default()).unwrap();
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros), tx.commit(change)).await;
    }
    // The next lock waits for whatever was still under way.
    drop(world.open::<actions::UpdateWorkspace>(&admin, id).await);
    let mut audit = world.snapshot::<actions::ReadAudit>(&admin, &Selector::Id(id)).await;
    let verified = audit.verify(world.audit.as_ref()).await.unwrap();
    let mut view = world.snapshot::<actions::ReadWorkspace>(&admin, &Selector::Id(id)).await;
    let version = view.workspace().await.unwrap().workspace.version;
    assert_eq!(verified.first_broken, None);
    assert_eq!(verified.events, version, "one event for each change, and one change for each event");
}

/// Whoever asks while the database is gone is told so, every time, and nobody waits for ever.
pub(crate) async fn doubt_is_an_error<S: AnyStore>(world: World<S>, gone: impl Future<Output = ()>) {
    let unknown = ApiKeyId::from_uuid(uuid());
    assert!(world.store.key(unknown).await.unwrap().is_none());
    gone.await;
    for _ in 0..3 {
        assert!(matches!(world.store.key(unknown).await, Err(StoreError::Unavailable(_))));
    }
    assert!(world.store.ready().await.is_err());
}
