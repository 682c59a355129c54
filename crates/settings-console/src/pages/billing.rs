//! Billing (seed A, Billing): plan, seats and usage, and the way to Stripe's portal.
use crate::{
    cx::{self, Cx},
    refusal::Refusal,
    respond,
    site::Site,
    stop::Answer,
    ui::{Dialog, Page, Tone, ago, banner, bars, day, dialog, gauge, layout, when},
};
use axum::{Router, response::Response};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::{Markup, html};
use settings_app::billing::PortalFailure;
use settings_domain::{
    billing::{MetricUsage, Subscription, SubscriptionStatus, Summary},
    policy::{Permission, actions},
    ports::store::Selector,
};
use std::{sync::Arc, time::Duration};

const SECTION: &str = "billing";
const TITLE: &str = "Billing";
/// How long somebody waits for the portal.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/{slug}/settings/billing", cx::page(show)).route("/{slug}/settings/billing/portal", cx::form(portal))
}

async fn show(cx: Arc<Cx>) -> Answer {
    let snapshot = cx.snapshot::<actions::ReadBilling>().await?;
    let here = Selector::Id(cx.view.workspace.id);
    let summary = cx.site().app().billing_summary(snapshot, cx.caller(), &here).await?;
    page(&cx, &summary, None, StatusCode::OK)
}

fn page(cx: &Cx, summary: &Summary, failed: Option<&str>, status: StatusCode) -> Answer {
    let manage = summary.configured && cx.can(Permission::BillingManage);
    let body = html! {
        @if let Some(failed) = failed { (banner(Tone::Danger, &html! { p role="alert" { strong { "Stripe’s page was not opened." } " " (failed) } })) }
        (standing(cx, summary))
        section.card aria-labelledby="h-plan" {
            div.card-head { h2 id="h-plan" { "Plan" } @if let Some(s) = &summary.subscription { (badge(s.status)) } }
            div.connection {
                (plan(cx, summary))
                @if manage {
                    form method="post" action=(cx.url("billing/portal")) {
                        button.btn.primary type="submit" data-busy="Opening Stripe…" { "Manage subscription" }
                    }
                    p.hint { "Payment method, invoices and changes of the plan are on Stripe’s page." }
                }
            }
        }
        section.card aria-labelledby="h-seats" {
            div.card-head { h2 id="h-seats" { "Seats" } }
            div.connection { (seats(cx, summary)) }
        }
        section.card aria-labelledby="h-usage" {
            div.card-head {
                h2 id="h-usage" { "Usage" }
                p.muted { (when(summary.period.start(), None)) " to " (when(summary.period.end(), None)) }
            }
            @if summary.usage.is_empty() {
                div.connection { p { "Nothing was reported in this period. Runs are counted here by the day, once they are." } }
            }
            @for usage in &summary.usage { (metric(usage)) }
        }
    };
    let lead = "What this workspace is subscribed to, and what it has used.";
    respond::shown(status, layout(cx, Page { section: SECTION, title: TITLE, lead, action: None, body, bare: false }))
}

/// What has to be known before anything else.
fn standing(cx: &Cx, summary: &Summary) -> Markup {
    let lacks = summary.subscription.as_ref().filter(|s| s.status.lacks_payment());
    html! {
        @if !summary.configured {
            (banner(Tone::Info, &html! { p { strong { "Billing is not set up on this installation." } " Nothing is charged. Seats and usage are counted all the same." } }))
        }
        @if summary.configured && summary.stale {
            (banner(Tone::Warn, &html! {
                p {
                    @if let Some(at) = summary.as_of { "Billing data from " (when(at, Some(ago(at, cx.at)))) ". " } @else { "Nothing is known of the subscription yet. " }
                    "Stripe didn’t answer. " a href=(cx.url(SECTION)) { "Retry" }
                }
            }))
        }
        @if let Some(s) = lacks {
            (banner(Tone::Danger, &html! { p { strong { (status_name(s.status)) "." } " " (advice(s.status)) } }))
        }
        @if summary.seats.is_over_limit() {
            (banner(Tone::Warn, &html! { p { strong { "More seats are in use than there are." } " Nobody loses access, and nobody new can be invited." } }))
        }
    }
}

fn plan(cx: &Cx, summary: &Summary) -> Markup {
    let Some(s) = &summary.subscription else {
        return html! {
            p { @if summary.configured { "This workspace has no subscription." } @else { "There is no plan: this installation bills nobody." } }
        };
    };
    html! {
        dl.kv {
            dt { "Plan" } dd { bdi { (s.plan) } }
            @if let Some(price) = price(s) { dt { "Price" } dd { (price) } }
            @if let Some(ends) = s.ends_at { dt { @if s.status.has_ended() { "Ended" } @else { "Ends" } } dd { (when(ends, None)) } }
            @else if let Some(period) = s.period { dt { "Renews" } dd { (when(period.end(), None)) } }
            @if let Some(customer) = &summary.customer { dt { "Customer" } dd { code { (customer.as_str()) } } }
            @if let Some(at) = summary.as_of { dt { "Read" } dd { (when(at, Some(ago(at, cx.at)))) } }
        }
    }
}

/// `EUR 10.00 per seat, monthly`. Minor units of two digits, as nearly all currencies have; the others are said in units.
fn price(s: &Subscription) -> Option<String> {
    const WITHOUT_MINOR: [&str; 16] = [
        "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
    ];
    let (amount, currency) = (s.amount?, s.currency.as_ref()?.as_str());
    let number = if WITHOUT_MINOR.contains(&currency) {
        amount.to_string()
    } else {
        format!("{}.{:02}", amount / 100, (amount % 100).abs())
    };
    let each = if s.is_sold_by_the_seat() { " per seat" } else { "" };
    let often = s.interval.map(|i| match i.count {
        1 => format!(", each {}", i.unit.name()),
        n => format!(", every {n} {}s", i.unit.name()),
    });
    Some(format!("{} {number}{each}{}", currency.to_uppercase(), often.unwrap_or_default()))
}

fn seats(cx: &Cx, summary: &Summary) -> Markup {
    let (seats, own) = (summary.seats, cx.view.workspace.seat_limit);
    html! {
        div.seats {
            div.seats-text {
                strong { (seats.used) " of " (seats.limit) " seats" }
                span.muted { "Members and open invitations together" }
            }
            (gauge(seats.used, seats.limit, "Seats in use"))
        }
        @if let Some(s) = summary.subscription.as_ref().filter(|s| s.is_sold_by_the_seat()) {
            p.hint {
                (s.seat_quantity) " are paid for; the limit of this workspace is " (own) ". The lower one counts. "
                a href=(cx.url("workspace")) { "Change the seat limit" } " to buy seats or to give them back."
            }
        } @else if seats.limit < own {
            p.hint { "The limit of this workspace is " (own) "; its subscription gives " (seats.limit) "." }
        }
    }
}

fn metric(usage: &MetricUsage) -> Markup {
    let name = words(usage.metric.as_str());
    let first = usage.history.first().map(|d| d.date);
    let last = usage.history.last().map(|d| d.date);
    let most = usage.history.iter().max_by_key(|d| (d.quantity, std::cmp::Reverse(d.date))).filter(|d| d.quantity > 0);
    let span = first.zip(last).map(|(a, b)| format!("{} to {}", date(a), date(b))).unwrap_or_default();
    let summary = match most {
        Some(top) => {
            format!(
                "{name} per day, {span}: {} in all, most on {} with {}",
                grouped(usage.quantity),
                date(top.date),
                grouped(top.quantity)
            )
        }
        None => format!("{name} per day, {span}: none"),
    };
    let values: Vec<i64> = usage.history.iter().map(|d| d.quantity).collect();
    html! {
        div.metric {
            div.metric-head {
                h3 { (name) }
                p { strong { (grouped(usage.quantity)) } @if let Some(included) = usage.included { span.muted { " of " (grouped(included)) " included" } } }
            }
            (bars(&values, &summary))
            @if let (Some(first), Some(last)) = (first, last) {
                div.chart-foot aria-hidden="true" { span { (date(first)) } @if first != last { span { (date(last)) } } }
            }
            details {
                summary { "Numbers by the day" }
                table.days {
                    caption.vh { (name) " by the day" }
                    thead { tr { th scope="col" { "Day" } th.num scope="col" { (name) } } }
                    tbody { @for d in &usage.history { tr { td { (date(d.date)) } td.num { (grouped(d.quantity)) } } } }
                }
            }
        }
    }
}

/// `model_tokens` as people read it.
fn words(metric: &str) -> String {
    let text = metric.replace('_', " ");
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn date(date: time::Date) -> String {
    day(date.midnight().assume_utc())
}

/// `1,234,567`.
fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

const fn status_name(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Incomplete => "First payment outstanding",
        SubscriptionStatus::IncompleteExpired => "Never paid",
        SubscriptionStatus::Trialing => "Trial",
        SubscriptionStatus::Active => "Active",
        SubscriptionStatus::PastDue => "Payment past due",
        SubscriptionStatus::Unpaid => "Unpaid",
        SubscriptionStatus::Paused => "Paused",
        SubscriptionStatus::Canceled => "Canceled",
        SubscriptionStatus::Unknown => "Unknown",
    }
}

const fn advice(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Incomplete => "The subscription begins with it. Pay on Stripe’s page.",
        SubscriptionStatus::PastDue => {
            "The last payment failed and will be tried again. Check the payment method on Stripe’s page."
        }
        SubscriptionStatus::Paused => "The trial ended without a way to pay. Add a payment method on Stripe’s page.",
        _ => "Payments failed for good. Put it right on Stripe’s page.",
    }
}

fn badge(status: SubscriptionStatus) -> Markup {
    let name = status_name(status);
    match status {
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => html! { span.badge.ok { (name) } },
        s if s.lacks_payment() => html! { span.badge.danger { (name) } },
        _ => html! { span.badge { (name) } },
    }
}

/// To Stripe's page. A form can't lead there: the content policy lets forms go nowhere but here, redirects included. So it
/// answers with a page that goes on by itself, and has a link for where it does not.
async fn portal(cx: Arc<Cx>) -> Answer {
    let permit = cx.permit::<actions::OpenBillingPortal>()?;
    let call = cx.call();
    let opening = cx.site().app().open_billing_portal(&permit, &call, None);
    let said = match tokio::time::timeout(PATIENCE, opening).await {
        Ok(Ok(url)) => return Ok(onward(&cx, &url)),
        Err(_) => "It did not answer in time. Try again in a moment.".to_owned(),
        Ok(Err(PortalFailure::NotConfigured)) => "Billing is not set up on this installation.".to_owned(),
        Ok(Err(PortalFailure::Billing(e))) => format!("{e}. Try again in a moment."),
        Ok(Err(PortalFailure::Use(failure))) => Refusal::of(failure)?.rule()?.text,
    };
    let snapshot = cx.snapshot::<actions::ReadBilling>().await?;
    page(&cx, &snapshot_summary(&cx, snapshot).await?, Some(&said), StatusCode::SERVICE_UNAVAILABLE)
}

/// The summary as it is known: Stripe was asked a moment ago.
async fn snapshot_summary(
    cx: &Cx,
    mut snapshot: settings_domain::transaction::Snapshot<actions::ReadBilling>,
) -> Result<Summary, crate::stop::Stop> {
    Ok(snapshot.billing_summary(cx.site().app().ports().billing.is_some()).await?)
}

fn onward(cx: &Cx, url: &str) -> Response {
    let body = html! {
        div.dlg-body { p { "Stripe’s page opens by itself. It leads back here." } }
        div.dlg-foot { a.btn href=(cx.url(SECTION)) { "Cancel" } a.btn.primary href=(url) rel="noreferrer" { "Continue to Stripe" } }
    };
    let d = Dialog {
        section: SECTION,
        title: "Continue at Stripe",
        back: SECTION,
        back_label: TITLE,
        wide: false,
        guard_copy: false,
        body,
    };
    let mut response = respond::html(StatusCode::OK, dialog(cx, &d));
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={url}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_as_people_read_them() {
        let said: Vec<_> = [0, 7, 999, 1_000, 1_234_567, -1_000].map(grouped).into();
        assert_eq!(said, ["0", "7", "999", "1,000", "1,234,567", "-1,000"]);
        assert_eq!((words("model_tokens"), words("runs")), ("Model tokens".to_owned(), "Runs".to_owned()));
    }
}
