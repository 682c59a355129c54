//! Each call against a published description of Stripe's API: that it may be made so, and that what comes back can be read.
use crate::{client, client_with, customer, peers, slug, workspace};
use settings_domain::{
    billing::{CustomerId, Reading, SubscriptionStatus},
    ports::billing::{BillingGateway as _, Patience, Reachability},
};

#[tokio::test]
async fn each_call_is_one_that_the_description_has_and_each_answer_can_be_read() {
    let prism = peers::prism();
    let stripe = client(&prism.url);
    assert_eq!(stripe.check().await, Ok(()));
    // Its examples are called `string`, and all else is of the right kind too.
    let found = stripe.ensure_customer(workspace(), &slug()).await;
    assert_eq!(found.as_ref().map(CustomerId::as_str), Ok("string"));
    let Ok(Reading::Subscribed(read)) = stripe.subscription(&customer(), Patience::Task).await else { panic!() };
    assert_eq!((read.id.as_str(), read.customer.as_str()), ("string", "string"));
    assert!(SubscriptionStatus::ALL.contains(&read.status) && read.status != SubscriptionStatus::Unknown, "{read:?}");
    assert!(read.seat_item.is_some() && read.interval.is_some(), "{read:?}");
    assert_eq!(stripe.set_seats(&read, 7).await, Ok(*read));
    assert_eq!(
        stripe.portal(&customer(), "http://localhost:8080/acme/settings/billing").await,
        Ok("string".to_owned())
    );
    assert_eq!(stripe.reachability(), Reachability::Reachable);
    // The version in the path may be part of where Stripe is.
    assert_eq!(client_with("rk_test_1", "", &format!("{}/v1/", prism.url)).check().await, Ok(()));
}
