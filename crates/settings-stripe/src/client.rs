//! The calls.
use crate::{
    config::{self, Mode, Place, StripeConfigError},
    failure::{Failure, GIBBERISH},
    objects::{Anything, Customer, List, Product, Session, StripeSubscription},
    transport::{Call, Deadline, Transport},
    webhook::{self, Keys},
};
use async_trait::async_trait;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use settings_breaker::Breaker;
use settings_domain::{
    billing::{BillingEvent, CustomerId, Reading, Subscription, UsageRecord},
    ids::WorkspaceId,
    ports::{
        Entropy,
        billing::{BillingError, BillingGateway, EventRefusal, Patience, Reachability},
    },
    text::Slug,
};
use std::{cmp::Reverse, fmt, sync::Arc, time::Duration};
use time::OffsetDateTime;
use url::Url;
use zeroize::Zeroizing;

/// How many customers that were made for a workspace within a day, and deleted again, are passed over.
const MAX_CUSTOMERS: usize = 4;
/// How long Stripe is left alone that failed several times in a row.
const REST: Duration = Duration::from_secs(10);
/// Most subscriptions of one customer that are looked at.
const MAX_SUBSCRIPTIONS: &str = "10";

/// Stripe, as this service uses it.
#[derive(Clone)]
pub struct StripeClient {
    transport: Transport,
    keys: Keys,
    mode: Mode,
}

impl fmt::Debug for StripeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeClient").field("place", &self.transport.place).finish_non_exhaustive()
    }
}

impl StripeClient {
    /// A client for an account of Stripe's. `webhook_secret` is the secret of the endpoint that Stripe sends events to,
    /// two with a comma between while it is exchanged, or empty: then no event is believed. `base` is
    /// [`STRIPE`](crate::STRIPE), or a stand-in's URL; `/v1` at its end may be there or not. Connects to nothing yet.
    pub fn new(
        secret_key: &SecretString,
        webhook_secret: &SecretString,
        base: &str,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StripeConfigError> {
        let mode = config::check_key(secret_key)?;
        let keys = Keys::new(&config::read_secrets(webhook_secret)?);
        let bearer = Zeroizing::new(format!("Bearer {}", secret_key.expose_secret()));
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| StripeConfigError::SecretKey)?;
        authorization.set_sensitive(true);
        let (http, place) = (config::http_client()?, Place::parse(base)?);
        let transport = Transport { http, place, authorization, breaker: Arc::new(Breaker::new(REST)), entropy };
        Ok(Self { transport, keys, mode })
    }

    /// Whether money moves, as far as the key says.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// A name for a call that nobody makes a second time.
    fn once(&self, what: &str) -> String {
        format!("settings-{what}-{}", self.transport.entropy.uuid())
    }

    /// The customer that was made for a workspace more than a minute ago. Stripe's search is not there in every country,
    /// and not in stand-ins.
    async fn find_customer(
        &self,
        workspace: WorkspaceId,
        deadline: Deadline,
    ) -> Result<Option<CustomerId>, BillingError> {
        // By a free field that it was given when it was made.
        let query = format!("metadata['settings_workspace']:'{workspace}'");
        let call = Call::get("/v1/customers/search").with("query", query).with("limit", "1");
        match self.transport.call::<List<Customer>>(&call, deadline).await {
            Ok(answer) => {
                let found = answer.value.data.first().filter(|customer| !customer.deleted);
                found.map(|customer| customer.id.parse().map_err(|_| GIBBERISH)).transpose()
            }
            Err(Failure { error: BillingError::Gone(_) | BillingError::Refused(_), .. }) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn customer_is_gone(&self, customer: &CustomerId, deadline: Deadline) -> Result<bool, BillingError> {
        match self.transport.call::<Customer>(&Call::get(format!("/v1/customers/{customer}")), deadline).await {
            Ok(answer) => Ok(answer.value.deleted),
            Err(Failure { error: BillingError::Gone(_), .. }) => Ok(true),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn subscriptions(
        &self,
        customer: &CustomerId,
        ended_too: bool,
        deadline: Deadline,
    ) -> Result<Option<StripeSubscription>, Failure> {
        let mut call =
            Call::get("/v1/subscriptions").with("customer", customer.as_str()).with("limit", MAX_SUBSCRIPTIONS);
        if ended_too {
            call = call.with("status", "all");
        }
        let mut all = self.transport.call::<List<StripeSubscription>>(&call, deadline).await?.value.data;
        all.sort_by_key(|one| Reverse(one.rank()));
        Ok(all.into_iter().next())
    }

    /// In the domain's words, with its product: what the plan is called and how many seats it holds stands there.
    async fn described(&self, raw: StripeSubscription, deadline: Deadline) -> Result<Subscription, BillingError> {
        let product = match raw.product().map(str::parse::<CustomerId>) {
            None => Product::default(),
            // An id of the same form, whatever it names.
            Some(Err(_)) => return Err(GIBBERISH),
            Some(Ok(id)) => {
                match self.transport.call::<Product>(&Call::get(format!("/v1/products/{id}")), deadline).await {
                    Ok(answer) => answer.value,
                    Err(Failure { error: BillingError::Gone(_), .. }) => Product::default(),
                    Err(failure) => return Err(failure.into()),
                }
            }
        };
        raw.into_domain(&product).ok_or(GIBBERISH)
    }
}

#[async_trait]
impl BillingGateway for StripeClient {
    async fn ensure_customer(&self, workspace: WorkspaceId, slug: &Slug) -> Result<CustomerId, BillingError> {
        let deadline = Deadline::of(Patience::Task);
        // What search knows is up to a minute old: the customer may have been deleted since.
        if let Some(customer) = self.find_customer(workspace, deadline).await?
            && !self.customer_is_gone(&customer, deadline).await?
        {
            return Ok(customer);
        }
        // Search lags behind by a minute. For a day and more Stripe also knows a call by its name, if it is the same to
        // the byte: id and slug never change.
        let mut name = format!("settings-customer-{workspace}");
        for _ in 0..MAX_CUSTOMERS {
            let call = Call::post("/v1/customers", name.clone(), "Stripe does not take the customer")
                .with("name", slug.as_str())
                .with("metadata[settings_workspace]", workspace.to_string());
            let answer = self.transport.call::<Customer>(&call, deadline).await?;
            let customer: CustomerId = answer.value.id.parse().map_err(|_| GIBBERISH)?;
            // The customer that this call made the first time may be deleted by now.
            if !answer.replayed || !self.customer_is_gone(&customer, deadline).await? {
                return Ok(customer);
            }
            name = format!("settings-customer-{workspace}-after-{customer}");
        }
        Err(BillingError::Refused("the workspace's customers at Stripe get deleted as fast as they are made"))
    }

    async fn subscription(&self, customer: &CustomerId, patience: Patience) -> Result<Reading, BillingError> {
        let deadline = Deadline::of(patience);
        match self.subscriptions(customer, false, deadline).await {
            Ok(Some(raw)) => {
                return self.described(raw, deadline).await.map(|read| Reading::Subscribed(Box::new(read)));
            }
            Ok(None) => {}
            Err(Failure { error: BillingError::Gone(_), .. }) => return Ok(Reading::CustomerGone),
            Err(failure) => return Err(failure.into()),
        }
        if self.customer_is_gone(customer, deadline).await? {
            return Ok(Reading::CustomerGone);
        }
        match self.subscriptions(customer, true, deadline).await? {
            Some(raw) => self.described(raw, deadline).await.map(|read| Reading::Subscribed(Box::new(read))),
            None => Ok(Reading::Unsubscribed),
        }
    }

    async fn set_seats(&self, subscription: &Subscription, seats: i64) -> Result<Subscription, BillingError> {
        let item = subscription.seat_item.as_ref().filter(|_| seats > 0);
        let item = item.ok_or(BillingError::Refused("the subscription does not count that many seats"))?;
        let deadline = Deadline::of(Patience::Task);
        // A name for this call alone: under one made of the numbers, Stripe would take 5, 7, 5 for two calls.
        let refused = "Stripe does not take the number of seats";
        let call = Call::post(format!("/v1/subscriptions/{}", subscription.id), self.once("seats"), refused)
            .with("items[0][id]", item.as_str())
            .with("items[0][quantity]", seats.to_string());
        let raw = self.transport.call::<StripeSubscription>(&call, deadline).await?.value;
        self.described(raw, deadline).await
    }

    async fn portal(&self, customer: &CustomerId, return_url: &str) -> Result<String, BillingError> {
        let refused = "Stripe does not open the portal; its settings at Stripe may not be saved yet";
        let call = Call::post("/v1/billing_portal/sessions", self.once("portal"), refused)
            .with("customer", customer.as_str())
            .with("return_url", return_url);
        let url = self.transport.call::<Session>(&call, Deadline::of(Patience::Task)).await?.value.url;
        // People are sent there. A stand-in may say what it likes.
        let secure = Url::parse(&url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
        let good = !url.is_empty() && url.bytes().all(|b| b.is_ascii_graphic());
        if good && (secure || self.transport.place.is_local) { Ok(url) } else { Err(GIBBERISH) }
    }

    async fn report_usage(
        &self,
        workspace: WorkspaceId,
        customer: &CustomerId,
        usage: &UsageRecord,
    ) -> Result<(), BillingError> {
        let identifier = usage.meter_identifier(workspace);
        let name = format!("settings-usage-{identifier}");
        let call = Call::post("/v1/billing/meter_events", name, "Stripe does not take the report")
            .with("event_name", usage.metric.as_str())
            .with("identifier", identifier)
            .with("timestamp", usage.at.unix_timestamp().to_string())
            .with("payload[stripe_customer_id]", customer.as_str())
            .with("payload[value]", usage.quantity.get().to_string());
        match self.transport.call::<Anything>(&call, Deadline::of(Patience::Task)).await {
            Ok(_) | Err(Failure { done_before: true, .. }) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn event(&self, payload: &[u8], signature: &str, now: OffsetDateTime) -> Result<BillingEvent, EventRefusal> {
        webhook::read(&self.keys, self.mode, payload, signature, now)
    }

    async fn check(&self) -> Result<(), BillingError> {
        let call = Call::get("/v1/customers").with("limit", "1");
        self.transport.call::<List<Anything>>(&call, Deadline::of(Patience::Task)).await?;
        Ok(())
    }

    fn reachability(&self) -> Reachability {
        match self.transport.breaker.last_answered() {
            None => Reachability::Untried,
            Some(true) => Reachability::Reachable,
            Some(false) => Reachability::Away,
        }
    }
}
