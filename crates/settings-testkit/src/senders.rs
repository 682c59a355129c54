//! Ways out for tests: receivers that take everything.
use async_trait::async_trait;
use settings_app::worker::Senders;
use settings_domain::ports::{
    mail::Mailer,
    sending::{Accepted, SendFailure},
    webhooks::{WebhookDelivery, WebhookSender},
};
use std::{sync::Arc, time::Duration};

/// Webhooks that answer 204.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedWebhooks;

#[async_trait]
impl WebhookSender for FixedWebhooks {
    async fn send(&self, _: &WebhookDelivery) -> Result<Accepted, SendFailure> {
        Ok(Accepted { status: 204 })
    }
}

/// This mailer, webhooks that take everything, and no Slack.
#[must_use]
pub fn senders(mailer: Arc<dyn Mailer>) -> Senders {
    Senders { mailer, webhooks: Arc::new(FixedWebhooks), slack: None }
}

/// A worker's pause, short enough for tests.
#[must_use]
pub fn pause() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(tokio::time::sleep(Duration::from_millis(2)))
}
