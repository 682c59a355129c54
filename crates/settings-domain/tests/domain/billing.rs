//! What is decided about billing: what leaves an event, what is written with it, and who is told.
use crate::support::{facts, is_nothing, permit_for, permit_of, record, start, uuid, workspace};
use proptest::prelude::*;
use settings_domain::{
    billing::{
        BillingAccount, BillingWrite, Overtaken, Period, Reading, Subscription, SubscriptionStatus, UsageError,
        UsageRecord, UsageReport, seat_limit_changed,
    },
    change::{Change, Write},
    ids::DeliveryId,
    impact::Guard,
    members::Headcount,
    notices::Notice,
    policy::{Actor, Permit, Role, SystemTask, actions},
    workspaces::{Workspace, WorkspacePatch, WorkspaceView},
};
use std::collections::BTreeMap;
use time::Duration;

fn syncing() -> Permit<actions::SyncBilling> {
    permit_of(&Actor::task(SystemTask::SyncBilling, workspace()))
}

fn team(seats: i64, status: SubscriptionStatus) -> Subscription {
    Subscription {
        id: "sub_1".parse().unwrap(),
        customer: "cus_1".parse().unwrap(),
        plan: "Team of Ada Lovelace".to_owned(),
        status,
        currency: "eur".parse().ok(),
        amount: Some(1_000),
        interval: None,
        period: Period::new(start(), start() + Duration::days(30)),
        ends_at: None,
        seat_item: Some("si_1".parse().unwrap()),
        seat_quantity: seats,
        seat_limit: None,
        included: BTreeMap::new(),
    }
}
fn known(subscription: Option<Subscription>) -> BillingAccount {
    let customer = Some("cus_1".parse().unwrap());
    BillingAccount { customer, subscription, read_at: Some(start() - Duration::DAY), version: 4 }
}
fn read(subscription: &Subscription) -> Reading {
    Reading::Subscribed(Box::new(subscription.clone()))
}
fn written<T>(change: &Change<T>) -> Vec<&BillingWrite> {
    let all = change.set().writes().iter();
    all.map(|w| if let Write::Billing(w) = w { w } else { panic!("{w:?}") }).collect()
}

#[test]
fn a_customer_is_adopted_once_and_on_record() {
    let change = BillingAccount::default().adopt(&syncing(), "cus_1".parse().unwrap());
    assert_eq!((facts(&change), record(&change).target_kind), (vec!["billing.updated"], "billing".to_owned()));
    let again = known(None).adopt(&syncing(), "cus_2".parse().unwrap());
    assert!(is_nothing(&again));
}

#[test]
fn a_reading_that_says_something_new_is_on_record_without_anybodys_words() {
    let before = known(Some(team(5, SubscriptionStatus::Active)));
    let now = team(9, SubscriptionStatus::PastDue);
    let change = before.keep(&syncing(), 4, read(&now), Some("evt_1".parse().unwrap())).unwrap();
    let event = record(&change);
    assert_eq!((event.actor_kind.as_str(), event.target_id), ("service", None));
    let changes: Vec<_> =
        event.changes.iter().map(|c| (c.field.as_str(), c.from.as_deref(), c.to.as_deref())).collect();
    assert_eq!(changes, [("status", Some("active"), Some("past_due")), ("seats", Some("5"), Some("9"))]);
    let [BillingWrite::Account(account), BillingWrite::Handled(id, at)] = &written(&change)[..] else { panic!() };
    assert_eq!((account.subscription.as_ref(), account.version, account.read_at), (Some(&now), 5, Some(start())));
    assert_eq!((id.as_str(), *at), ("evt_1", start()));
    let first = known(None).keep(&syncing(), 4, read(&now), None).unwrap();
    assert!(!format!("{:?}", record(&first)).contains("Lovelace"), "what a plan is called is somebody's text");
    let gone = before.keep(&syncing(), 4, Reading::CustomerGone, None).unwrap();
    let fields: Vec<_> = record(&gone).changes.into_iter().map(|c| (c.field, c.to)).collect();
    assert_eq!(fields[0], ("customer".to_owned(), None));
}

#[test]
fn a_reading_that_says_nothing_new_is_kept_without_an_event() {
    let team = team(5, SubscriptionStatus::Active);
    let change = known(Some(team.clone())).keep(&syncing(), 4, read(&team), None).unwrap();
    assert!(facts(&change).is_empty());
    assert!(matches!(&written(&change)[..], [BillingWrite::Account(account)] if account.version == 5));
}

#[test]
fn a_reading_that_was_overtaken_is_not_kept() {
    let late = known(None).keep(&syncing(), 3, Reading::Unsubscribed, Some("evt_1".parse().unwrap()));
    assert_eq!(late.err(), Some(Overtaken));
}

#[test]
fn the_portal_is_opened_on_record() {
    let change = BillingAccount::open_portal(&permit_for(Role::Admin));
    assert_eq!((facts(&change), change.set().writes().len()), (vec!["billing.portal_opened"], 0));
}

fn report(quantity: i64) -> UsageReport {
    let (id, metric) = ("r-1".parse().unwrap(), "runs_of_ada".parse().unwrap());
    UsageReport { id, metric, quantity: quantity.try_into().unwrap(), at: None }
}

#[test]
fn usage_is_counted_on_record_with_its_metric_aside() {
    let change = report(7).record(&permit_for(Role::Editor), None).unwrap();
    let event = record(&change);
    assert_eq!((event.action.as_str(), event.changes.len()), ("usage.recorded", 1));
    assert!(!format!("{event:?}").contains("runs_of_ada"), "a metric's name is a text of whoever reports it");
    let [BillingWrite::Usage(UsageRecord { at, .. })] = &written(&change)[..] else { panic!() };
    assert_eq!(*at, start());
    let kept = match written(&change)[..] {
        [BillingWrite::Usage(kept)] => kept.clone(),
        _ => panic!(),
    };
    assert!(is_nothing(&report(7).record(&permit_for(Role::Editor), Some(kept.clone())).unwrap()));
    let other = report(8).record(&permit_for(Role::Editor), Some(kept));
    assert!(matches!(other, Err(UsageError::IdReused)));
}

fn updated(limit: Option<i64>, name: &str) -> Change<WorkspaceView> {
    let acme = Workspace {
        id: workspace(),
        slug: "acme".parse().unwrap(),
        name: "Acme".parse().unwrap(),
        region: "eu-central-1".parse().unwrap(),
        retention_days: 90,
        floor_days: 30,
        seat_limit: 10,
        created_at: start(),
        updated_at: start(),
        version: 1,
    };
    let patch = WorkspacePatch { seat_limit: limit, name: name.parse().ok(), ..WorkspacePatch::default() };
    let heads = Headcount { members: 2, admins: 1, pending: 0 };
    let permit = permit_for::<actions::UpdateWorkspace>(Role::Admin);
    acme.update(&permit, patch, &heads, 30, &Guard::default()).unwrap()
}

proptest! {
    #[test]
    fn a_changed_limit_asks_for_seats_where_somebody_pays(limit in proptest::option::of(2_i64..20), renamed: bool, customer: bool) {
        let account = if customer { known(None) } else { BillingAccount::default() };
        let delivery = DeliveryId::from_uuid(uuid(9));
        let name = if renamed { "Acme two" } else { "Acme" };
        let change = seat_limit_changed(updated(limit, name), 10, &account, delivery);
        let asked = customer && limit.is_some_and(|limit| limit != 10);
        prop_assert_eq!(change.set().notices(), if asked { &[Notice::SeatQuantity(delivery)][..] } else { &[] });
    }
}
