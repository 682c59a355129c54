//! What stands in where a way out was not set up: it says so, and sends nothing.
use async_trait::async_trait;
use settings_domain::{
    ids::WorkspaceId,
    ports::{
        outbound::{Outbound, OutboundRefusal, OutboundUrl},
        probe::{ModelProber, Probe, ProbeReport},
        sending::{Accepted, Retry, SendFailure},
        webhooks::{WebhookDelivery, WebhookSender},
    },
};

/// No way out.
#[derive(Debug)]
pub(crate) struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    async fn vet(&self, _: &str, _: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal> {
        Err(OutboundRefusal("this service makes no calls to other places".to_owned()))
    }
}

#[async_trait]
impl ModelProber for Nowhere {
    async fn probe(&self, _: &Probe) -> ProbeReport {
        ProbeReport {
            reachable: false,
            authenticated: None,
            status: None,
            took_ms: 0,
            detail: "This service makes no calls to other places, so the model was not asked.".to_owned(),
        }
    }
}

#[async_trait]
impl WebhookSender for Nowhere {
    async fn send(&self, _: &WebhookDelivery) -> Result<Accepted, SendFailure> {
        Err(SendFailure { cause: "this service makes no calls to other places", status: None, retry: Retry::Never })
    }
}
