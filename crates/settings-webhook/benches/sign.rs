//! How long it takes to sign a delivery: `cargo bench -p settings-webhook`.
#![expect(clippy::unwrap_used, reason = "a bench")]
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use secrecy::SecretString;
use settings_domain::{
    ids::{DeliveryId, WorkspaceId},
    ports::webhooks::WebhookDelivery,
};
use settings_webhook::Signatures;
use std::hint::black_box;
use time::OffsetDateTime;
use uuid::Uuid;

fn delivery(bytes: usize, secrets: usize) -> WebhookDelivery {
    WebhookDelivery {
        delivery: DeliveryId::from_uuid(Uuid::from_u128(1)),
        tenant: WorkspaceId::from_uuid(Uuid::from_u128(2)),
        url: "https://hooks.example.com/".to_owned(),
        body: vec![b'x'; bytes],
        secrets: vec![SecretString::from("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="); secrets],
        at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn sign(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign");
    for (name, bytes, secrets) in [("1 KiB", 1024, 1), ("1 KiB, rotating", 1024, 2), ("64 KiB", 64 * 1024, 1)] {
        let delivery = delivery(bytes, secrets);
        group.throughput(Throughput::Bytes(u64::try_from(bytes).unwrap()));
        group.bench_function(name, |b| b.iter(|| Signatures::new(black_box(&delivery)).is_some()));
    }
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
