//! How long it takes to resolve 100 variables of 1 KiB, and how much of that is neither the store nor the cipher:
//! `cargo bench -p settings-runtime`.
//!
//! The overhead is `resolve` less `the store's answer` less `bare opens`. It is measured twice: over a store in memory, which
//! copies its rows as a database would have to do as well, and over a file of SQLite, where the answer is one query.
#![expect(clippy::unwrap_used, reason = "a bench")]
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests' world, of which a bench needs less")]
mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use secrecy::SecretString;
use settings_app::{App, Ports, variables::CreateVariable};
use settings_crypto::{AuditKeys, EnvelopeVault, LocalKeyring, RootKey, SystemClock};
use settings_domain::{
    audit::Receipts,
    ids::{EnvironmentId, WorkspaceId},
    impact::Guard,
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::{audit::AuditSealer, store::Resolving},
    transaction::Call,
};
use settings_runtime::Resolver;
use settings_sqlite::Database;
use settings_testkit::contract::{self, Scenario};
use std::{hint::black_box, sync::Arc};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};
use world::{MINE, PRODUCTION, World, secret};

const COUNT: usize = 100;
const BYTES: usize = 1024;
/// About as much as the service binds a value to.
const BOUND: [u8; 160] = [7; 160];

/// Opens the same bytes with nothing around it but a copy into the type that keeps them.
fn bare_opens(key: &LessSafeKey, sealed: &[Vec<u8>]) -> Vec<SecretString> {
    let open = |sealed: &Vec<u8>| {
        let mut bytes = sealed.clone();
        let plain = key.open_in_place(Nonce::assume_unique_for_key([1; 12]), Aad::from(BOUND), &mut bytes).unwrap();
        SecretString::from(std::str::from_utf8(plain).unwrap())
    };
    sealed.iter().map(open).collect()
}

/// An environment with the variables, and who opens them.
struct Place {
    store: Arc<dyn Resolving>,
    resolver: Resolver,
    workspace: WorkspaceId,
    environment: EnvironmentId,
}

async fn in_memory() -> (Place, World) {
    let world = World::new();
    for i in 0..COUNT {
        world.variable(PRODUCTION, &format!("VARIABLE_{i:03}"), &"x".repeat(BYTES)).await;
    }
    let (store, resolver) = (world.store.clone(), world.resolver(MINE));
    (Place { store, resolver, workspace: MINE, environment: PRODUCTION }, world)
}

/// The same in a file, written by the service's own use cases with its own keys.
async fn in_sqlite() -> (Place, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(folder.path().join("settings.db").to_str().unwrap()).await.unwrap();
    database.migrate().await.unwrap();
    let root = RootKey::new(&vec![7; 32].into()).unwrap();
    let sealer: Arc<dyn AuditSealer> = Arc::new(AuditKeys::new(&root));
    let (store, clock) = (Arc::new(database.store(Arc::clone(&sealer))), Arc::new(SystemClock));
    let contract = contract::World::new(store.clone(), Arc::new(database), sealer, clock.clone());
    let scenario = Scenario::acme(&contract).await;
    let keyring = LocalKeyring::open_or_create(&folder.path().join("keyring.json")).unwrap();
    let vault = Arc::new(EnvelopeVault::new(Arc::new(keyring), store.clone(), clock.clone(), &root));
    let ports = Ports { vault: vault.clone(), ..scenario.app.ports().clone() };
    let app = App::new(ports, scenario.app.rules().clone());
    let environment = scenario.environments().await.first().unwrap().id;
    let caller = scenario.admin.caller.clone();
    let permit = scenario.may::<actions::CreateVariable>(&caller).await.unwrap();
    let call = Call {
        caller,
        request: "bench".to_owned(),
        idempotent: None,
        guard: Guard::default(),
        receipts: Receipts::default(),
    };
    for i in 0..COUNT {
        let (name, value) = (format!("VARIABLE_{i:03}").parse().unwrap(), secret(&"x".repeat(BYTES)));
        app.create_variable(&permit, &call, CreateVariable { environment, name, value }).await.unwrap();
    }
    let workspace = scenario.workspace;
    let resolver = Resolver::new(store.clone(), vault, clock, workspace);
    (Place { store, resolver, workspace, environment }, folder)
}

fn measure(c: &mut Criterion, runtime: &Runtime, name: &str, place: &Place) {
    let actor = Actor::task(SystemTask::Execute, place.workspace);
    let may: Permit<actions::ResolveVariables> = permit(&actor, OffsetDateTime::UNIX_EPOCH).unwrap();
    assert_eq!(runtime.block_on(place.resolver.variables(place.environment)).unwrap().len(), COUNT);
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(u64::try_from(COUNT).unwrap()));
    group.bench_function("the store's answer", |b| {
        b.to_async(runtime).iter(|| async { place.store.resolve_variables(&may, place.environment).await.unwrap() });
    });
    group.bench_function("resolve", |b| {
        b.to_async(runtime).iter(|| async { place.resolver.variables(place.environment).await.unwrap() });
    });
    group.finish();
}

fn resolve(c: &mut Criterion) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut sealed = "x".repeat(BYTES).into_bytes();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([1; 12]), Aad::from(BOUND), &mut sealed).unwrap();
    let sealed = vec![sealed; COUNT];
    c.bench_function("100 x 1 KiB/bare opens", |b| b.iter(|| bare_opens(&key, black_box(&sealed))));

    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (place, _world) = runtime.block_on(in_memory());
    measure(c, &runtime, "100 x 1 KiB in memory", &place);
    let (place, _folder) = runtime.block_on(in_sqlite());
    measure(c, &runtime, "100 x 1 KiB in SQLite", &place);
}

criterion_group!(benches, resolve);
criterion_main!(benches);
