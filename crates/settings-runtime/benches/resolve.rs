//! How long it takes to resolve 100 variables of 1 KiB, and how much of that is neither the store nor the cipher:
//! `cargo bench -p settings-runtime`.
//!
//! The overhead is `resolve` less `the store's answer` less `bare opens`: the store is in memory and copies its rows, which a
//! database would have to do as well.
#![expect(clippy::unwrap_used, reason = "a bench")]
#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests' world, of which a bench needs less")]
mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use secrecy::SecretString;
use settings_domain::{
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::store::Resolving as _,
};
use std::hint::black_box;
use time::OffsetDateTime;
use tokio::runtime::Builder;
use world::{MINE, PRODUCTION, World};

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

fn resolve(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().unwrap();
    let world = World::new();
    runtime.block_on(async {
        for i in 0..COUNT {
            world.variable(PRODUCTION, &format!("VARIABLE_{i:03}"), &"x".repeat(BYTES)).await;
        }
    });
    let resolver = world.resolver(MINE);
    let actor = Actor::task(SystemTask::Execute, MINE);
    let may: Permit<actions::ResolveVariables> = permit(&actor, OffsetDateTime::UNIX_EPOCH).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut sealed = "x".repeat(BYTES).into_bytes();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([1; 12]), Aad::from(BOUND), &mut sealed).unwrap();
    let sealed = vec![sealed; COUNT];

    let mut group = c.benchmark_group("100 x 1 KiB");
    group.throughput(Throughput::Elements(u64::try_from(COUNT).unwrap()));
    group.bench_function("bare opens", |b| b.iter(|| bare_opens(&key, black_box(&sealed))));
    group.bench_function("the store's answer", |b| {
        b.to_async(&runtime).iter(|| async { world.store.resolve_variables(&may, PRODUCTION).await.unwrap() });
    });
    group.bench_function("resolve", |b| {
        b.to_async(&runtime).iter(|| async { resolver.variables(PRODUCTION).await.unwrap() });
    });
    group.finish();
}

criterion_group!(benches, resolve);
criterion_main!(benches);
