//! Stripe as others play it: a server that keeps subscriptions (localstripe), one that answers by a published description of
//! Stripe's API (Prism), and Stripe's own library, for what it signs and sends. And by a script, for what none of them does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test")]
mod description;
mod failures;
mod library;
mod localstripe;
mod peers;
mod repeating;
mod responder;
mod webhooks;

use secrecy::SecretString;
use settings_domain::{
    billing::{CustomerId, UsageRecord},
    ids::WorkspaceId,
    ports::Entropy,
    text::Slug,
};
use settings_stripe::StripeClient;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use time::OffsetDateTime;
use uuid::Uuid;

const KEY: &str = "sk_test_hunter2";
const SECRET: &str = "whsec_hunter2";

/// Ids that differ from each other.
#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(7, self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn client(base: &str) -> StripeClient {
    client_with(KEY, SECRET, base)
}

fn client_with(key: &str, secret: &str, base: &str) -> StripeClient {
    StripeClient::new(&SecretString::from(key), &SecretString::from(secret), base, Arc::new(Counter::default()))
        .unwrap()
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_uuid(Uuid::from_u128(0x0192_f0c1_2d3e_7a4b_8c5d_6e7f_8091_0a1b))
}

fn slug() -> Slug {
    "acme".parse().unwrap()
}

fn customer() -> CustomerId {
    "cus_1".parse().unwrap()
}

fn usage() -> UsageRecord {
    let at = OffsetDateTime::from_unix_timestamp(1_795_694_400).unwrap();
    UsageRecord { id: "run-1".parse().unwrap(), metric: "runs".parse().unwrap(), quantity: 3.try_into().unwrap(), at }
}
