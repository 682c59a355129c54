//! Rotation over the fake store: what is wrapped anew, what a cut-short run leaves, what is written down.
use crate::support::{stage, stage_with};
use async_trait::async_trait;
use settings_app::keys::{Beginning, Ended, RotationError, Start};
use settings_domain::{
    ids::{UserId, WorkspaceId},
    keys::{Rotated, Wrappings},
    policy::{Actor, SystemTask, TenantScope, actions, permit},
    ports::{
        keyring::{KeyringError, Rotation},
        store::{AuditFilter, Selector},
        vault::{DataKeyStore as _, OldWrapping, Rewrapped, ValueCipher, Vault, VaultError, WrappedDataKey},
    },
    sealed::SecretValue,
    tokens::Digest,
    transaction::{Caller, Snapshot},
};
use settings_testkit::fake::FakeStore;
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use uuid::Uuid;

/// A keyring as a vault sees it: `kek-1`, and further ones as they are asked for. A wrapping is its key's name.
#[derive(Default)]
struct Ring {
    newest: usize,
    /// The keyring makes no keys by itself.
    elsewhere: bool,
    /// Wrappings that do not open.
    damaged: Vec<(WorkspaceId, i64)>,
    /// How many more calls it answers before it is away.
    answers: Option<usize>,
}
impl Ring {
    fn name(&self) -> String {
        format!("kek-{}", self.newest + 1)
    }
}

#[derive(Clone, Default)]
struct Turning(Arc<Mutex<Ring>>);

#[async_trait]
impl Vault for Turning {
    async fn current(&self, _: TenantScope) -> Result<Arc<dyn ValueCipher>, VaultError> {
        unreachable!("a rotation opens no value")
    }
    async fn generation(&self, _: TenantScope, _: i64) -> Result<Arc<dyn ValueCipher>, VaultError> {
        unreachable!("a rotation opens no value")
    }
    async fn unwrapped(&self, _: TenantScope, _: &WrappedDataKey) -> Result<Arc<dyn ValueCipher>, VaultError> {
        unreachable!("a rotation opens no value")
    }
    fn sweep(&self) {}
    async fn wrapped_by(&self) -> Result<String, VaultError> {
        Ok(self.0.lock().unwrap().name())
    }
    async fn rotate(&self) -> Result<Rotation, VaultError> {
        let mut ring = self.0.lock().unwrap();
        if ring.elsewhere {
            return Ok(Rotation::Elsewhere("somebody else does"));
        }
        ring.newest += 1;
        Ok(Rotation::Made(ring.name()))
    }
    async fn rewrap(&self, old: OldWrapping) -> Result<Rewrapped, VaultError> {
        let mut ring = self.0.lock().unwrap();
        if ring.damaged.contains(&(old.workspace, old.generation)) {
            return Err(KeyringError::Foreign.into());
        }
        match &mut ring.answers {
            Some(0) => return Err(KeyringError::Unavailable("away".into()).into()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(Rewrapped { old, wrapped: ring.name().into_bytes(), wrapped_by: ring.name() })
    }
    fn digest(&self, _: TenantScope, _: &SecretValue) -> Digest {
        unreachable!("a rotation opens no value")
    }
}

fn tenant(n: u128) -> TenantScope {
    let actor = Actor::task(SystemTask::RotateKeys, WorkspaceId::from_uuid(Uuid::from_u128(1_000 + n)));
    permit::<actions::RotateKeys>(&actor, OffsetDateTime::UNIX_EPOCH).unwrap().scope()
}
async fn add(store: &FakeStore, tenant: TenantScope, generation: i64, by: &str) {
    let (wrapped, created_at) = (by.as_bytes().to_vec(), OffsetDateTime::UNIX_EPOCH);
    let key = WrappedDataKey { generation, wrapped, wrapped_by: by.to_owned(), created_at };
    store.keep_data_key(tenant, &key).await.unwrap();
}
/// `count` workspaces with two generations each.
async fn fill(store: &FakeStore, count: u128) {
    for n in 0..count {
        add(store, tenant(n), 1, "kek-1").await;
        add(store, tenant(n), 2, "kek-1").await;
    }
}
fn begun(beginning: Beginning) -> (Wrappings, bool) {
    let Beginning::Begun { wrappings, resumed } = beginning else { panic!("{beginning:?}") };
    (wrappings, resumed)
}
fn wrappings(current: &str, total: i64, old: i64) -> Wrappings {
    Wrappings { current: current.to_owned(), total, old }
}

#[tokio::test]
async fn a_rotation_makes_a_key_and_wraps_every_data_key_by_it() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    fill(&s.store, 700).await;
    assert_eq!(s.app.key_wrappings().await.unwrap(), wrappings("kek-1", 1_400, 0));
    let start = begun(s.app.begin_rotation(Start::Due).await.unwrap());
    assert_eq!(start, (wrappings("kek-2", 1_400, 1_400), false));
    let mut heard = vec![];
    let ended = s.app.finish_rotation(|done, of| heard.push((done, of))).await.unwrap();
    assert_eq!(ended, Ended { rotated: Rotated { rewrapped: 1_400, left: 0 }, unopened: vec![] });
    assert_eq!(heard, [(0, 1_400), (500, 1_400), (1_000, 1_400), (1_400, 1_400)]);
    assert_eq!(s.app.key_wrappings().await.unwrap(), wrappings("kek-2", 1_400, 0));
    for n in [0, 699] {
        let keys = s.store.data_keys(tenant(n)).await.unwrap();
        assert!(keys.iter().all(|k| k.wrapped == b"kek-2" && k.wrapped_by == "kek-2"), "{keys:?}");
        assert_eq!(keys.iter().map(|k| k.generation).collect::<Vec<_>>(), [1, 2]);
    }
}

#[tokio::test]
async fn what_a_run_that_was_cut_short_left_is_finished_by_the_next_without_a_further_key() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    fill(&s.store, 700).await;
    s.app.begin_rotation(Start::Due).await.unwrap();
    vault.0.lock().unwrap().answers = Some(600);
    let cut = s.app.finish_rotation(|_, _| ()).await.unwrap_err();
    assert!(matches!(cut, RotationError::Vault(VaultError::Keyring(KeyringError::Unavailable(_)))), "{cut:?}");
    assert_eq!(s.app.key_wrappings().await.unwrap(), wrappings("kek-2", 1_400, 900), "the first batch stays done");
    vault.0.lock().unwrap().answers = None;
    let start = begun(s.app.begin_rotation(Start::Due).await.unwrap());
    assert_eq!(start, (wrappings("kek-2", 1_400, 900), true));
    let ended = s.app.finish_rotation(|_, _| ()).await.unwrap();
    assert_eq!(ended.rotated, Rotated { rewrapped: 900, left: 0 });
    // Now everything is done, so the next one makes another key.
    assert_eq!(begun(s.app.begin_rotation(Start::Due).await.unwrap()).0.current, "kek-3");
}

#[tokio::test]
async fn a_data_key_that_a_server_wrapped_by_the_old_key_meanwhile_is_found_by_another_pass() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    fill(&s.store, 3).await;
    s.app.begin_rotation(Start::Due).await.unwrap();
    let (store, mut late) = (s.store.clone(), true);
    let ended = s
        .app
        .finish_rotation(|done, _| {
            if done == 6 && std::mem::take(&mut late) {
                // Before the place where the pass is by now.
                futures(add(&store, tenant(0), 3, "kek-1"));
            }
        })
        .await
        .unwrap();
    assert_eq!(ended.rotated, Rotated { rewrapped: 7, left: 0 });
}
/// The fake store never waits.
fn futures(task: impl Future<Output = ()>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(task).poll(&mut context).is_ready());
}

#[tokio::test]
async fn a_data_key_that_does_not_open_is_named_and_keeps_no_other_on_the_old_key() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    fill(&s.store, 3).await;
    let bad = (tenant(1).workspace(), 2);
    vault.0.lock().unwrap().damaged = vec![bad];
    s.app.begin_rotation(Start::Due).await.unwrap();
    let ended = s.app.finish_rotation(|_, _| ()).await.unwrap();
    assert_eq!(ended, Ended { rotated: Rotated { rewrapped: 5, left: 1 }, unopened: vec![bad] });
    // It does not stand in the way of a further key for ever.
    assert!(begun(s.app.begin_rotation(Start::Due).await.unwrap()).1);
    assert_eq!(begun(s.app.begin_rotation(Start::NewKey).await.unwrap()), (wrappings("kek-3", 6, 6), false));
}

#[tokio::test]
async fn a_keyring_that_makes_no_keys_says_who_does_and_nothing_is_written_down() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    vault.0.lock().unwrap().elsewhere = true;
    fill(&s.store, 1).await;
    let beginning = s.app.begin_rotation(Start::Due).await.unwrap();
    assert_eq!(beginning, Beginning::Elsewhere("somebody else does"));
    assert_eq!(s.app.verify_audit(WorkspaceId::PLATFORM).await.unwrap().events, 0);
    // But what was wrapped by another key is wrapped anew.
    vault.0.lock().unwrap().newest = 1;
    assert_eq!(begun(s.app.begin_rotation(Start::Due).await.unwrap()), (wrappings("kek-2", 2, 2), true));
}

#[tokio::test]
async fn a_rotation_stands_in_the_platforms_chain_before_its_first_wrapping_and_after_its_last() {
    let vault = Turning::default();
    let s = stage_with(|_, _| Arc::new(vault.clone()));
    fill(&s.store, 2).await;
    s.app.begin_rotation(Start::Due).await.unwrap();
    assert_eq!(s.app.verify_audit(WorkspaceId::PLATFORM).await.unwrap().events, 1);
    assert_eq!(s.app.key_wrappings().await.unwrap().old, 4, "nothing is wrapped anew before it is written down");
    s.app.finish_rotation(|_, _| ()).await.unwrap();
    let verified = s.app.verify_audit(WorkspaceId::PLATFORM).await.unwrap();
    assert_eq!((verified.events, verified.first_broken), (2, None));
    let owner = Caller::User { id: UserId::from_uuid(Uuid::from_u128(9)), verified_email: None, platform: true };
    let store = s.app.ports().store.clone();
    let mut log = Snapshot::<actions::ReadAudit>::open(store.as_ref(), &owner, &Selector::Platform).await.unwrap();
    let events = log.audit_events(&AuditFilter::default(), 10).await.unwrap();
    let phases = events.iter().map(|e| e.record.changes[0].to.as_deref().unwrap());
    assert_eq!(phases.collect::<Vec<_>>(), ["finished", "begun"]);
    assert!(events.iter().all(|e| e.record.action == "keys.rotated" && e.record.actor_kind == "service"));
}

#[tokio::test]
async fn looking_changes_nothing() {
    let s = stage();
    fill(&s.store, 1).await;
    assert_eq!(s.app.key_wrappings().await.unwrap(), wrappings("one", 2, 2));
    assert_eq!(s.app.key_wrappings().await.unwrap(), wrappings("one", 2, 2));
    assert_eq!(s.app.verify_audit(WorkspaceId::PLATFORM).await.unwrap().events, 0);
}
