//! Deliveries to a receiver of somebody else's making (Python's HTTP server and the official verifier of Standard Webhooks),
//! and verdicts on URLs.
#![expect(clippy::unwrap_used, reason = "test")]
mod answers;
mod signing;
mod vetting;

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::SecretString;
use settings_domain::{
    ids::{DeliveryId, WorkspaceId},
    ports::webhooks::WebhookDelivery,
};
use settings_egress::{Client, Limits, Policy, Resolver};
use settings_testkit::webhook_receiver::Receiver;
use settings_webhook::WebhookClient;
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

const BODY: &[u8] = br#"{"type":"run_failed","number":1}"#;

fn workspace(n: u128) -> WorkspaceId {
    WorkspaceId::from_uuid(Uuid::from_u128(n))
}

fn secret(byte: u8) -> SecretString {
    SecretString::from(format!("whsec_{}", BASE64.encode([byte; 32])))
}

fn delivery(url: String, at: OffsetDateTime) -> WebhookDelivery {
    WebhookDelivery {
        delivery: DeliveryId::from_uuid(Uuid::from_u128(0x0192_f0c1_2d3e_7a4b_8c5d_6e7f_8091_0a1b)),
        tenant: workspace(1),
        url,
        body: BODY.to_vec(),
        secrets: vec![secret(1)],
        at,
    }
}

/// A receiver that tries these secrets.
fn receiver(secrets: &[&str]) -> Receiver {
    Receiver::start(env!("CARGO_TARGET_TMPDIR"), secrets)
}

/// The verifiers compare with their own clock.
#[expect(clippy::disallowed_methods, reason = "what the receiver's clock says, for real")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A resolver with one answer for all names.
#[derive(Debug)]
enum Names {
    Are(Vec<IpAddr>),
    NotFound,
    NeverAnswered,
}

impl Names {
    fn are(addresses: &[&str]) -> Self {
        Self::Are(addresses.iter().map(|text| text.parse().unwrap()).collect())
    }
}

#[async_trait]
impl Resolver for Names {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::Are(addresses) => Ok(addresses.clone()),
            Self::NotFound => Err(io::Error::other("no such host")),
            Self::NeverAnswered => std::future::pending().await,
        }
    }
}

/// Loopback is allowed, as an operator may allow a network.
fn local() -> Policy {
    Policy::new(vec!["127.0.0.0/8".parse().unwrap()], [""; 0]).unwrap()
}

fn client(policy: Policy, names: Names) -> WebhookClient {
    let limits =
        Limits { connect: Duration::from_secs(5), total: Duration::from_secs(10), per_tenant: 4, wait: Duration::ZERO };
    limited(policy, names, limits)
}

fn limited(policy: Policy, names: Names, limits: Limits) -> WebhookClient {
    WebhookClient::new(Arc::new(Client::with_limits(policy, Arc::new(names), limits).unwrap()))
}
