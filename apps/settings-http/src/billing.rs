//! Stripe, as the operator sets it up.
use crate::failure::{Failure, causes};
use clap::Args;
use secrecy::SecretString;
use settings_domain::ports::{
    Entropy,
    billing::{BillingError, BillingGateway, Reachability},
};
use settings_stripe::StripeClient;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long Stripe may take to answer `doctor`.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of Stripe.
#[derive(Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct Stripe {
    /// Stripe's secret key, or a restricted one; unset, nothing is billed: the summary says so, and there is no portal.
    #[arg(long, env = "STRIPE_SECRET_KEY", hide_env_values = true, global = true)]
    stripe_secret_key: Option<String>,
    /// The secret of the endpoint that Stripe sends events to, `/billing/stripe/webhook`; two with a comma between while
    /// it is exchanged. Without it no event is believed, and changes are seen a few minutes later.
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET", hide_env_values = true, global = true)]
    stripe_webhook_secret: Option<String>,
    /// Where Stripe is.
    #[arg(long, env = "STRIPE_API_BASE", default_value = settings_stripe::STRIPE, global = true)]
    stripe_api_base: String,
}

impl std::fmt::Debug for Stripe {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe").field("stripe_api_base", &self.stripe_api_base).finish_non_exhaustive()
    }
}

impl Stripe {
    /// Stripe; `None` where no key is set. An empty variable is as good as none.
    pub(crate) fn gateway(&self, entropy: Arc<dyn Entropy>) -> Result<Option<Arc<StripeClient>>, Failure> {
        let given = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
        let (key, webhook) = (given(&self.stripe_secret_key), given(&self.stripe_webhook_secret));
        let Some(key) = key else {
            if webhook.is_some() {
                return Err(Failure::configuration(
                    "STRIPE_WEBHOOK_SECRET is of no use without STRIPE_SECRET_KEY: set both, or neither",
                ));
            }
            return Ok(None);
        };
        let webhook = SecretString::from(webhook.unwrap_or_default());
        let client = StripeClient::new(&SecretString::from(key), &webhook, &self.stripe_api_base, entropy);
        let client = client.map_err(|e| {
            Failure::configuration(format!(
                "STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET or STRIPE_API_BASE: {}",
                causes(&e)
            ))
        })?;
        Ok(Some(Arc::new(client)))
    }

    /// Asks Stripe whether it takes the key, for `doctor`.
    pub(crate) async fn finding(&self, entropy: Arc<dyn Entropy>) -> Result<String, String> {
        let Some(client) = self.gateway(entropy).map_err(|e| e.to_string())? else {
            return Ok("not set up: STRIPE_SECRET_KEY is unset, so nothing is billed".to_owned());
        };
        let mode = if client.is_live() { "live" } else { "test" };
        let events = match self.stripe_webhook_secret.as_deref() {
            Some(text) if !text.trim().is_empty() => "its events are taken at /billing/stripe/webhook",
            _ => "STRIPE_WEBHOOK_SECRET is unset, so no event of it is believed",
        };
        match timeout(PATIENCE, client.check()).await {
            Ok(Ok(())) => Ok(format!("{} takes the {mode} key; {events}", self.stripe_api_base)),
            Ok(Err(e @ BillingError::Misconfigured(_))) => Err(format!("{e}; check STRIPE_SECRET_KEY")),
            Ok(Err(e)) => Err(format!("{e}; check STRIPE_API_BASE and the network")),
            Err(_) => Err(format!("{} does not answer", self.stripe_api_base)),
        }
    }
}

/// How Stripe does, in a word for the readiness check.
pub(crate) fn word(gateway: &dyn BillingGateway) -> &'static str {
    match gateway.reachability() {
        Reachability::Reachable => "ok",
        Reachability::Away => "unavailable",
        Reachability::Untried => "not asked yet",
    }
}
