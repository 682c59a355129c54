//! Sends deliveries and judges URLs, both by way of `settings-egress`.
use crate::{answer, signature::Signatures};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use settings_domain::{
    ids::WorkspaceId,
    ports::{
        outbound::{Outbound, OutboundRefusal, OutboundUrl},
        sending::{Accepted, Retry, SendFailure},
        webhooks::{WebhookDelivery, WebhookSender},
    },
};
use settings_egress::{Client, Method, Request, SendError};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a person waits for a lookup.
const LOOKUP: Duration = Duration::from_secs(2);

/// Sends to webhooks, and says which URLs may be one.
#[derive(Debug, Clone)]
pub struct WebhookClient {
    egress: Arc<Client>,
}

impl WebhookClient {
    /// By way of this client, whose policy and limits hold.
    #[must_use]
    pub const fn new(egress: Arc<Client>) -> Self {
        Self { egress }
    }
}

#[async_trait]
impl WebhookSender for WebhookClient {
    async fn send(&self, delivery: &WebhookDelivery) -> Result<Accepted, SendFailure> {
        let never = |cause| SendFailure { cause, status: None, retry: Retry::Never };
        let target = self.egress.policy().check(&delivery.url).map_err(answer::not_admitted)?;
        let signatures = Signatures::new(delivery).ok_or_else(|| never("the webhook has no secret to sign with"))?;
        let headers = headers(&signatures).ok_or_else(|| never("the delivery cannot be signed"))?;
        let body = delivery.body.clone().into();
        let request = Request { target, method: Method::Post, headers, body };
        match self.egress.send(request, &delivery.tenant.to_string()).await {
            Ok(said) => answer::judge(said.status.as_u16(), said.retry_after.as_deref(), delivery.at),
            Err(error) => Err(answer::unanswered(error)),
        }
    }
}

/// `None` for what no header can hold, which is none of these.
fn headers(signatures: &Signatures) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("webhook-id", &signatures.id),
        ("webhook-timestamp", &signatures.timestamp),
        ("webhook-signature", &signatures.standard),
        ("x-provenanceone-signature", &signatures.platform),
    ] {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Some(headers)
}

#[async_trait]
impl Outbound for WebhookClient {
    async fn vet(&self, url: &str, tenant: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal> {
        let refusal = |refused: settings_egress::Refused| OutboundRefusal(refused.to_string());
        let target = self.egress.policy().check(url).map_err(refusal)?;
        // Places of its own: whoever corrects a dead webhook must not have to wait for the deliveries to it.
        let places = format!("vet {tenant}");
        // Not found, not in time, too many at once: then nothing is known, and each attempt to send asks again.
        if let Ok(Err(SendError::Refused(refused))) = timeout(LOOKUP, self.egress.vet(&target, &places)).await {
            return Err(refusal(refused));
        }
        Ok(OutboundUrl::vetted(target.as_str().to_owned(), target.origin(), target.host().to_owned()))
    }
}
