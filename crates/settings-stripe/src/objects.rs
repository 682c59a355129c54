//! Stripe's objects, as far as they are read: of all versions since 2017, in which things have moved.
use serde::Deserialize;
use settings_domain::{
    billing::{Currency, CustomerId, Interval, IntervalUnit, Metric, Period, Subscription, SubscriptionStatus},
    workspaces::MAX_SEATS,
};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The longest name of a plan that is kept.
const MAX_NAME: usize = 200;
/// Free fields of a product or price: the most seats that the plan holds, where it is sold as a whole.
const SEAT_LIMIT: &str = "seat_limit";
/// And how much of a metric it includes: `included_runs`.
const INCLUDED: &str = "included_";

type Metadata = BTreeMap<String, serde_json::Value>;

#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) data: Vec<T>,
}

/// An id, or all of the object, as somebody may have asked for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reference {
    Id(String),
    Object { id: String },
}

impl Reference {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) deleted: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) url: String,
}

/// An answer of which nothing is needed but that it is one.
#[derive(Debug, Deserialize)]
pub(crate) struct Anything {}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Product {
    pub(crate) name: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StripeSubscription {
    id: String,
    customer: Reference,
    status: String,
    created: Option<i64>,
    currency: Option<String>,
    items: List<Item>,
    // Until 2025-03 a subscription had a period, since then each of its items has.
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
    cancel_at: Option<i64>,
    cancel_at_period_end: Option<bool>,
    ended_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: String,
    quantity: Option<i64>,
    price: Option<Price>,
    plan: Option<Plan>,
    current_period_start: Option<i64>,
    current_period_end: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Price {
    currency: Option<String>,
    unit_amount: Option<i64>,
    nickname: Option<String>,
    product: Option<Reference>,
    recurring: Option<Recurring>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct Recurring {
    interval: Option<String>,
    interval_count: Option<i64>,
    usage_type: Option<String>,
}

/// What prices were called, and still are beside them.
#[derive(Debug, Deserialize)]
struct Plan {
    currency: Option<String>,
    amount: Option<i64>,
    nickname: Option<String>,
    product: Option<Reference>,
    interval: Option<String>,
    interval_count: Option<i64>,
    usage_type: Option<String>,
    metadata: Option<Metadata>,
}

impl Item {
    fn is_metered(&self) -> bool {
        let by_price = self.price.as_ref().and_then(|price| price.recurring.as_ref()?.usage_type.as_deref());
        by_price.or_else(|| self.plan.as_ref()?.usage_type.as_deref()) == Some("metered")
    }
    fn product(&self) -> Option<&str> {
        let by_price = self.price.as_ref().and_then(|price| price.product.as_ref());
        by_price.or_else(|| self.plan.as_ref()?.product.as_ref()).map(Reference::id)
    }
    fn nickname(&self) -> Option<&str> {
        let by_price = self.price.as_ref().and_then(|price| price.nickname.as_deref());
        by_price.or_else(|| self.plan.as_ref()?.nickname.as_deref()).filter(|name| !name.trim().is_empty())
    }
    fn metadata(&self) -> Option<&Metadata> {
        match (&self.price, &self.plan) {
            (Some(price), _) => price.metadata.as_ref(),
            (None, plan) => plan.as_ref()?.metadata.as_ref(),
        }
    }
    fn currency(&self) -> Option<&str> {
        let by_price = self.price.as_ref().and_then(|price| price.currency.as_deref());
        by_price.or_else(|| self.plan.as_ref()?.currency.as_deref())
    }
    /// A price without a number has tiers: what the plan beside it says is no better.
    fn amount(&self) -> Option<i64> {
        match (&self.price, &self.plan) {
            (Some(price), _) => price.unit_amount,
            (None, plan) => plan.as_ref()?.amount,
        }
    }
    fn interval(&self) -> Option<Interval> {
        let by_price = self.price.as_ref().and_then(|price| price.recurring.as_ref());
        let (unit, count) = match (by_price, &self.plan) {
            (Some(recurring), _) => (recurring.interval.as_deref(), recurring.interval_count),
            (None, plan) => plan.as_ref().map(|plan| (plan.interval.as_deref(), plan.interval_count))?,
        };
        Some(Interval { unit: IntervalUnit::parse(unit?)?, count: count.unwrap_or(1).max(1) })
    }
}

impl StripeSubscription {
    /// What orders the subscriptions of one customer: in use before not over before over, then the newest.
    pub(crate) fn rank(&self) -> (bool, bool, i64) {
        let status = self.status();
        (status.takes_changes(), !status.has_ended(), self.created.unwrap_or(0))
    }

    fn status(&self) -> SubscriptionStatus {
        SubscriptionStatus::parse(&self.status).unwrap_or(SubscriptionStatus::Unknown)
    }

    /// The item that stands for the plan: the first that is bought by number, else the first. Others are metered extras.
    fn main_item(&self) -> Option<&Item> {
        let items = &self.items.data;
        items.iter().find(|item| !item.is_metered()).or_else(|| items.first())
    }

    /// The product to read for the plan's name and its free fields.
    pub(crate) fn product(&self) -> Option<&str> {
        self.main_item()?.product()
    }

    /// In the domain's words; `None` where Stripe's make no sense.
    pub(crate) fn into_domain(self, product: &Product) -> Option<Subscription> {
        let item = self.main_item();
        let period = item
            .and_then(|item| item.current_period_start.zip(item.current_period_end))
            .or_else(|| self.current_period_start.zip(self.current_period_end))
            .and_then(|(start, end)| Period::new(instant(start)?, instant(end)?));
        let ends_at = self.ended_at.filter(|_| self.status().has_ended()).or(self.cancel_at).and_then(instant);
        let ends_at = ends_at.or_else(|| period.filter(|_| self.cancel_at_period_end == Some(true)).map(Period::end));
        let fields = [product.metadata.as_ref(), item.and_then(Item::metadata)];
        // What a price says is more exact than what its product says.
        let number = |name: &str| fields.iter().rev().find_map(|all| number(all.as_ref()?.get(name)?));
        let mut included = BTreeMap::new();
        for name in fields.into_iter().flatten().flat_map(Metadata::keys) {
            let metric = name.strip_prefix(INCLUDED).and_then(|metric| metric.parse::<Metric>().ok());
            if let Some((metric, amount)) = metric.zip(number(name)) {
                included.insert(metric, amount);
            }
        }
        let name = item.and_then(Item::nickname).or(product.name.as_deref()).or_else(|| item?.product());
        let by_number = item.filter(|item| !item.is_metered());
        Some(Subscription {
            status: self.status(),
            plan: visible(name.unwrap_or("Subscription")),
            currency: item
                .and_then(Item::currency)
                .or(self.currency.as_deref())
                .and_then(|c| c.parse::<Currency>().ok()),
            amount: item.and_then(Item::amount),
            interval: item.and_then(Item::interval),
            period,
            ends_at,
            seat_item: by_number.and_then(|item| item.id.parse().ok()),
            seat_quantity: by_number.and_then(|item| item.quantity).unwrap_or(1),
            seat_limit: number(SEAT_LIMIT).map(|seats| seats.min(MAX_SEATS)),
            included,
            customer: self.customer.id().parse::<CustomerId>().ok()?,
            id: self.id.parse().ok()?,
        })
    }
}

fn instant(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// A whole number above nothing, as free fields hold one: in words of digits.
fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_str()?.trim().parse::<i64>().ok().filter(|n| *n > 0)
}

/// A name on one line, of bounded length: an operator's words, to be shown to people.
fn visible(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
