//! `/billing` (seed A): plan, seats and usage; the way to the portal.
use crate::{
    Api,
    answer::{Answer, rfc3339},
    input::{Input, Tenant},
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::{HeaderValue, Method, header};
use serde::Serialize;
use serde_json::json;
use settings_app::{authenticate::Authenticated, billing::PortalFailure};
use settings_domain::{
    billing::{MetricUsage, Subscription, Summary as DomainSummary, UsageReceipt, UsageReport, usage::MAX_QUANTITY},
    policy::{Permit, actions},
    ports::billing::BillingError,
    transaction::Call,
};
use std::{str::FromStr, sync::Arc, time::Duration};
use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// How long somebody waits for the portal, whatever has to be made first.
const PORTAL_TIME: Duration = Duration::from_secs(10);

/// How often a plan is paid: each `count` units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillingInterval {
    /// `day`, `week`, `month` or `year`.
    unit: &'static str,
    /// How many of them.
    count: i64,
}

/// What the workspace is subscribed to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingPlan {
    /// What it is called.
    name: String,
    /// How it stands, in Stripe's words: `active`, `trialing`, `past_due`, `canceled`, …
    status: &'static str,
    /// ISO 4217, in lower case.
    currency: Option<String>,
    /// The price of a unit (a seat, where seats are sold one by one) in minor units; null where it is no single number.
    amount: Option<i64>,
    /// How often it is paid.
    interval: Option<BillingInterval>,
    /// When it ends, where somebody has cancelled it. RFC 3339, UTC.
    #[schema(format = DateTime)]
    ends_at: Option<String>,
}

/// From when to when usage counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillingPeriod {
    /// The first instant. RFC 3339, UTC.
    #[schema(format = DateTime)]
    start: String,
    /// The first instant after it. RFC 3339, UTC.
    #[schema(format = DateTime)]
    end: String,
}

/// How full the workspace is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingSeats {
    /// Members and pending invitations.
    used: i64,
    /// How many there are: the lower one of the workspace's seat limit and of what the subscription gives.
    limit: i64,
    /// More are used than there are: nobody new comes in, and nobody is put out.
    over_limit: bool,
}

/// A point of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillingDay {
    /// The day, in UTC.
    #[schema(format = Date)]
    date: String,
    /// How much.
    quantity: i64,
}

/// A metric in the current period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BillingUsage {
    /// The metric, such as `runs`.
    metric: String,
    /// How much, over all days of the history.
    quantity: i64,
    /// How much the plan includes; null where it does not say.
    included: Option<i64>,
    /// Every day of the period up to today, oldest first.
    history: Vec<BillingDay>,
}

/// Plan, seats and usage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BillingSummary {
    /// Whether this installation has a billing service. Without one there is no plan to have, and no portal.
    configured: bool,
    /// The subscription as it was last read; null where there is none.
    plan: Option<BillingPlan>,
    /// The subscription's period; the calendar month where there is none.
    current_period: BillingPeriod,
    /// How full the workspace is.
    seats: BillingSeats,
    /// By metric.
    usage: Vec<BillingUsage>,
    /// The customer at Stripe.
    customer_id: Option<String>,
    /// What is said of the plan may be out of date: Stripe was out of reach.
    stale: bool,
    /// When the subscription was last read. RFC 3339, UTC.
    #[schema(format = DateTime)]
    as_of: Option<String>,
}

impl From<&Subscription> for BillingPlan {
    fn from(s: &Subscription) -> Self {
        Self {
            name: s.plan.clone(),
            status: s.status.name(),
            currency: s.currency.as_ref().map(ToString::to_string),
            amount: s.amount,
            interval: s.interval.map(|i| BillingInterval { unit: i.unit.name(), count: i.count }),
            ends_at: s.ends_at.map(rfc3339),
        }
    }
}

fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

impl From<&MetricUsage> for BillingUsage {
    fn from(u: &MetricUsage) -> Self {
        Self {
            metric: u.metric.to_string(),
            quantity: u.quantity,
            included: u.included,
            history: u.history.iter().map(|d| BillingDay { date: day(d.date), quantity: d.quantity }).collect(),
        }
    }
}

impl From<&DomainSummary> for BillingSummary {
    fn from(s: &DomainSummary) -> Self {
        Self {
            configured: s.configured,
            plan: s.subscription.as_ref().map(BillingPlan::from),
            current_period: BillingPeriod { start: rfc3339(s.period.start()), end: rfc3339(s.period.end()) },
            seats: BillingSeats { used: s.seats.used, limit: s.seats.limit, over_limit: s.seats.is_over_limit() },
            usage: s.usage.iter().map(BillingUsage::from).collect(),
            customer_id: s.customer.as_ref().map(ToString::to_string),
            stale: s.stale,
            as_of: s.as_of.map(rfc3339),
        }
    }
}

/// Where to come back to.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct PortalRequest {
    /// A page of this service; the console's page of billing where absent.
    #[schema(value_type = Option<String>, max_length = 2_000)]
    return_url: Option<String>,
}

impl Body for PortalRequest {
    const OPTIONAL: bool = true;
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self { return_url: f.optional("returnUrl") })
    }
}

/// Where to go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Portal {
    /// Stripe's page for this customer, for once. Who has it needs no password: send the person there and keep it nowhere.
    #[schema(example = "https://billing.stripe.com/p/session/…")]
    url: String,
}

/// What was used.
#[derive(ToSchema)]
pub(crate) struct UsageGiven {
    /// Names the report: a second one with this id counts nothing. 1 to 200 visible ASCII characters.
    #[schema(value_type = String, min_length = 1, max_length = 200, rename = "id")]
    _id: String,
    /// What was used: 1 to 64 of `a-z 0-9 _`, starting with a letter, such as `runs` or `model_tokens`.
    #[schema(value_type = String, pattern = "^[a-z][a-z0-9_]{0,63}$", rename = "metric")]
    _metric: String,
    /// How much.
    #[schema(minimum = 1, maximum = 1_000_000_000, rename = "quantity")]
    _quantity: i64,
    /// When it was used; now where absent. At most 34 days back. RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime, rename = "at")]
    _at: Option<String>,
}

/// An instant in RFC 3339, with any offset.
struct Instant(OffsetDateTime);

impl FromStr for Instant {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        OffsetDateTime::parse(s, &Rfc3339).map(Self).map_err(|_| "must be an instant such as 2026-11-26T10:00:00Z")
    }
}

/// A report, read.
struct Report(UsageReport);

impl Body for Report {
    fn read(f: &mut Fields) -> Option<Self> {
        let (id, metric) = (f.required("id"), f.required("metric"));
        if !f.has("quantity") {
            f.fault_at("quantity", "is required");
        }
        let quantity = f.integer("quantity", 1..=MAX_QUANTITY).and_then(|n| n.try_into().ok());
        let at = f.optional::<Instant>("at").map(|i| i.0);
        Some(Self(UsageReport { id: id?, metric: metric?, quantity: quantity?, at }))
    }
}

/// What is kept of a report.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageKept {
    /// Its id.
    id: String,
    /// What was used.
    metric: String,
    /// How much.
    quantity: i64,
    /// When. RFC 3339, UTC.
    #[schema(format = DateTime)]
    at: String,
}

impl From<&UsageReceipt> for UsageKept {
    fn from(receipt: &UsageReceipt) -> Self {
        let r = &receipt.record;
        Self { id: r.id.to_string(), metric: r.metric.to_string(), quantity: r.quantity.get(), at: rfc3339(r.at) }
    }
}

/// 503: there is no billing service, or it can't be reached now.
pub(crate) fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new("billing-unavailable", detail).member("outcome", json!("none"))
}

/// What is said where the operator has not set billing up.
pub(crate) const NOT_CONFIGURED: &str = "Billing is not set up on this installation: its operator has to.";

impl From<PortalFailure> for Problem {
    fn from(failure: PortalFailure) -> Self {
        match failure {
            PortalFailure::NotConfigured => unavailable(NOT_CONFIGURED),
            PortalFailure::Billing(e @ (BillingError::Misconfigured(_) | BillingError::Refused(_))) => {
                tracing::error!(error = %e, "the billing portal can't be opened");
                unavailable(format!("{e}."))
            }
            PortalFailure::Billing(e) => {
                unavailable(format!("{e}.")).header(header::RETRY_AFTER, HeaderValue::from_static("10"))
            }
            PortalFailure::Use(e) => e.into(),
        }
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "billing";
    vec![
        op(Method::GET, "/billing/summary", "readBilling", T, "Read plan, seats and usage")
            .gives::<BillingSummary>(200)
            .own::<actions::ReadBilling, _, _>(summary),
        op(Method::POST, "/billing/portal", "openBillingPortal", T, "Open Stripe's page for the subscription")
            .takes::<PortalRequest>()
            .gives::<Portal>(200)
            .problems(&["billing-unavailable", "idempotency-key-reused"])
            .write(portal),
        op(Method::POST, "/usage", "recordUsage", T, "Report what was used; 200 where its id is known already")
            .takes::<UsageGiven>()
            .gives::<UsageKept>(201)
            .or(200)
            .problems(&["usage-id-reused", "usage-too-late", "idempotency-key-reused"])
            .write(record),
    ]
}

async fn summary(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let selector = input.selector(Tenant::Path)?;
    let snapshot = api.enter::<actions::ReadBilling>(&auth, &selector).await?;
    input.only(&[])?;
    let summary = api.app().billing_summary(snapshot, &auth.caller, &selector).await?;
    Ok(Answer::ok(&BillingSummary::from(&summary)))
}

async fn portal(
    api: Arc<Api>,
    permit: Permit<actions::OpenBillingPortal>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let PortalRequest { return_url } = input.json()?;
    let opening = api.app().open_billing_portal(&permit, &call, return_url.as_deref());
    let url = tokio::time::timeout(PORTAL_TIME, opening).await;
    let url = url.map_err(|_| unavailable("Stripe did not answer in time."))??;
    Ok(Answer::ok(&Portal { url }).no_store())
}

async fn record(
    api: Arc<Api>,
    permit: Permit<actions::RecordUsage>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let Report(report) = input.json()?;
    let done = api.app().record_usage(&permit, &call, report).await?;
    let body = UsageKept::from(done.value());
    let answer = if done.value().known { Answer::ok(&body) } else { Answer::created(&body) };
    Ok(answer.replayed(done.is_replay()))
}
