//! Billing: what is known is shown, also while Stripe is away or not set up, and the way to its page.
use crate::stage::{ORIGIN, Stage, call};
use http::StatusCode;
use settings_domain::{
    billing::{Subscription, SubscriptionStatus, UsageReport},
    policy::{Role, actions},
};
use settings_testkit::billing::{FixedBilling, subscription};
use time::Duration;

const PAGE: &str = "/acme/settings/billing";

fn team(stage: &Stage, seats: i64) -> Subscription {
    subscription(&"cus_acme".parse().unwrap(), seats, stage.store.now())
}

#[tokio::test]
async fn without_a_billing_service_the_page_says_so_and_counts_seats() {
    let (stage, admin) = Stage::new().await;
    let shown = stage.get(Some(&admin), PAGE).await;
    assert_eq!(shown.status, StatusCode::OK);
    for text in ["Billing is not set up on this installation.", "1 of 25 seats", "Nothing was reported in this period."]
    {
        assert!(shown.text.contains(text), "{text}");
    }
    assert!(!shown.text.contains("Manage subscription"));
    let refused = stage.post(&admin, &format!("{PAGE}/portal"), &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text.contains("page was not opened"));
}

#[tokio::test]
async fn plan_seats_and_usage_are_shown_with_a_chart_that_says_the_same_in_words() {
    let billing = FixedBilling::default();
    let (stage, admin) = Stage::billed(billing.clone()).await;
    billing.subscribe(team(&stage, 5));
    stage.app.check_billing().await.unwrap();
    let permit = stage.right::<actions::RecordUsage>(&admin).await;
    for (id, quantity, days) in [("a", 1_200, 1), ("b", 300, 0)] {
        let at = Some(stage.store.now() - Duration::days(days));
        let report = UsageReport {
            id: id.parse().unwrap(),
            metric: "model_tokens".parse().unwrap(),
            quantity: quantity.try_into().unwrap(),
            at,
        };
        stage.app.record_usage(&permit, &call(&admin), report).await.unwrap();
    }
    let shown = stage.get(Some(&admin), PAGE).await.text;
    for text in [
        "Team",
        "EUR 10.00 per seat, each month",
        "1 of 5 seats",
        "5 are paid for",
        "of 1,000 included",
        "Model tokens per day, 2 Jan 2026 to 5 Jan 2026: 1,500 in all, most on 4 Jan 2026 with 1,200",
        "Runs per day, 2 Jan 2026 to 5 Jan 2026: none",
    ] {
        assert!(shown.contains(text), "{text}");
    }
    assert!(shown.contains("role=\"img\"") && !shown.contains("style=\""));
}

#[tokio::test]
async fn while_the_service_is_away_what_was_known_is_shown_with_its_age() {
    let billing = FixedBilling::default();
    let (stage, admin) = Stage::billed(billing.clone()).await;
    billing.subscribe(Subscription { status: SubscriptionStatus::PastDue, ..team(&stage, 5) });
    stage.app.check_billing().await.unwrap();
    assert!(!stage.get(Some(&admin), PAGE).await.text.contains("answer. <a"));
    billing.away(true);
    stage.store.advance(Duration::minutes(20));
    let shown = stage.get(Some(&admin), PAGE).await.text;
    for text in ["20 minutes ago", "Retry", "Payment past due", "Manage subscription", "1 of 5 seats"] {
        assert!(shown.contains(text), "{text}");
    }
    let refused = stage.post(&admin, &format!("{PAGE}/portal"), &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text.contains("it is away") && stage.events(&admin, "billing.portal_opened").await == 0);
}

#[tokio::test]
async fn the_page_that_leads_to_stripe_works_with_the_content_policy() {
    let (stage, admin) = Stage::billed(FixedBilling::default()).await;
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    let portal = format!("{PAGE}/portal");
    assert_eq!(stage.post(&editor, &portal, &[]).await.status, StatusCode::FORBIDDEN);
    let opened = stage.post(&admin, &portal, &[]).await;
    assert_eq!(opened.status, StatusCode::OK, "a redirect of a form to another host would be blocked");
    let refresh = opened.headers.get("refresh").unwrap().to_str().unwrap();
    assert_eq!(refresh, format!("0; url=https://billing.stripe.com/p/session/cus_acme?back={ORIGIN}{PAGE}"));
    assert_eq!(opened.headers.get("cache-control").unwrap(), "no-store");
    assert_eq!(stage.events(&admin, "billing.portal_opened").await, 1);
}
