//! Opening 100 values of 1 KiB as `open_all` does it, against nothing but ring's own opening of the same bytes.
#![expect(clippy::unwrap_used, reason = "a bench")]
use async_trait::async_trait;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use settings_crypto::{EnvelopeVault, LocalKeyring, RootKey, SystemClock};
use settings_domain::{
    ids::{EnvironmentId, VariableId, WorkspaceId},
    policy::{Actor, Permit, SystemTask, TenantScope, actions, permit},
    ports::{
        StoreError,
        vault::{DataKeyStore, OldWrapping, Rewrapped, Vault as _, WrappedDataKey},
    },
    sealed::StoredValue,
    tokens::Digest,
    variables::{Variable, VariableRecord},
};
use std::{hint::black_box, sync::Arc};
use time::OffsetDateTime;
use uuid::Uuid;

const VALUES: u128 = 100;
const SIZE: usize = 1024;

/// No data key yet: the vault makes one and keeps it in memory.
struct Empty;
#[async_trait]
impl DataKeyStore for Empty {
    async fn data_keys(&self, _: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        Ok(vec![])
    }
    async fn keep_data_key(&self, _: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        Ok(key.clone())
    }
    async fn old_wrappings(
        &self,
        _: &Permit<actions::RotateKeys>,
        _: &str,
        _: Option<(WorkspaceId, i64)>,
        _: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        Ok(vec![])
    }
    async fn rewrap(&self, _: &Permit<actions::RotateKeys>, _: &[Rewrapped]) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn count_wrappings(&self, _: &str) -> Result<(i64, i64), StoreError> {
        Ok((0, 0))
    }
}

fn opening(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let ring = LocalKeyring::open_or_create(&directory.path().join("keyring.json")).unwrap();
    let root = RootKey::new(&vec![7; 32].into()).unwrap();
    let vault = EnvelopeVault::new(Arc::new(ring), Arc::new(Empty), Arc::new(SystemClock), &root);
    let (workspace, at) = (WorkspaceId::from_uuid(Uuid::from_u128(2)), OffsetDateTime::UNIX_EPOCH);
    let permit: Permit<actions::ResolveVariables> = permit(&Actor::task(SystemTask::Execute, workspace), at).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cipher = runtime.block_on(vault.current(permit.scope())).unwrap();
    let environment = EnvironmentId::from_uuid(Uuid::from_u128(3));
    let rows: Vec<_> = (0..VALUES)
        .map(|n| {
            let id = VariableId::from_uuid(Uuid::from_u128(4 + n));
            let binding = Variable::binding(workspace, environment, id, 1);
            let sealed = cipher.seal(&binding, &[b'x'; SIZE]).unwrap();
            let (name, version) = ("NAME".parse().unwrap(), 1);
            let variable = Variable { workspace, id, environment, name, created_at: at, updated_at: at, version };
            VariableRecord { variable, value: StoredValue::new(binding, sealed, Digest::none()) }
        })
        .collect();
    let openings: Vec<_> = rows.iter().map(|r| r.opening(&permit).unwrap()).collect();

    let bare = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let nonce = || Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let mut sealed = vec![b'x'; SIZE];
    bare.seal_in_place_append_tag(nonce(), Aad::from([0; 150]), &mut sealed).unwrap();
    let many: Vec<_> = (0..VALUES).map(|_| sealed.clone()).collect();

    let mut group = c.benchmark_group("open 100 values of 1 KiB");
    group.throughput(Throughput::Elements(100));
    group.bench_function("ring alone", |b| {
        let open = |mut many: Vec<Vec<u8>>| {
            for sealed in &mut many {
                black_box(bare.open_in_place(nonce(), Aad::from([0; 150]), sealed).unwrap());
            }
            many
        };
        b.iter_batched(|| many.clone(), open, BatchSize::SmallInput);
    });
    group.bench_function("open_all", |b| b.iter(|| cipher.open_all(black_box(&openings)).unwrap()));
    group.finish();
}

criterion_group!(benches, opening);
criterion_main!(benches);
