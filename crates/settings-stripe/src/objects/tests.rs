//! The same subscription in the shapes of several years.
use super::*;
use serde_json::{Value, json};
use time::macros::datetime;

const START: i64 = 1_795_694_400; // 2026-11-26 12:00 UTC
const END: i64 = 1_798_286_400; // 2026-12-26 12:00 UTC

fn today() -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", "created": 5, "currency": "usd",
        "cancel_at": null, "cancel_at_period_end": false, "ended_at": null,
        "items": {"object": "list", "data": [{
            "id": "si_1", "quantity": 7, "current_period_start": START, "current_period_end": END,
            "price": {
                "id": "price_1", "currency": "eur", "unit_amount": 1_000, "nickname": null, "product": "prod_1",
                "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}, "metadata": {},
            },
            // Stripe's own samples have such a one beside the price; it says something else.
            "plan": {"currency": "xxx", "amount": 3, "interval": "day", "product": null, "usage_type": "metered"},
        }]},
    })
}

fn product() -> Product {
    serde_json::from_value(json!({"name": "Team", "metadata": {"included_runs": "1000", "colour": "green"}})).unwrap()
}

fn read(value: Value) -> Option<Subscription> {
    serde_json::from_value::<StripeSubscription>(value).ok()?.into_domain(&product())
}

#[test]
fn the_shape_of_today_is_read() {
    let read = read(today()).unwrap();
    assert_eq!((read.id.as_str(), read.customer.as_str(), read.plan.as_str()), ("sub_1", "cus_1", "Team"));
    assert_eq!(read.status, SubscriptionStatus::Active);
    assert_eq!(read.currency.as_ref().map(Currency::as_str), Some("eur"));
    assert_eq!((read.amount, read.interval), (Some(1_000), Some(Interval { unit: IntervalUnit::Month, count: 1 })));
    assert_eq!(read.period, Period::new(datetime!(2026-11-26 12:00 UTC), datetime!(2026-12-26 12:00 UTC)));
    assert_eq!((read.seat_quantity, read.seats(), read.ends_at), (7, Some(7), None));
    assert_eq!(read.included, BTreeMap::from([("runs".parse().unwrap(), 1_000)]));
}

#[test]
fn the_shape_of_2017_is_read_as_well() {
    let mut old = today();
    let item = &mut old["items"]["data"][0];
    for gone in ["price", "current_period_start", "current_period_end"] {
        item.as_object_mut().unwrap().remove(gone);
    }
    item["plan"] = json!({
        "currency": "eur", "amount": 1_000, "interval": "month", "interval_count": 1, "product": "prod_1",
        "usage_type": "licensed", "nickname": null,
    });
    old["current_period_start"] = START.into();
    old["current_period_end"] = END.into();
    assert_eq!(read(old), read(today()));
}

#[test]
fn objects_in_the_place_of_ids_are_read() {
    let mut expanded = today();
    expanded["customer"] = json!({"id": "cus_1", "object": "customer", "email": "x"});
    expanded["items"]["data"][0]["price"]["product"] = json!({"id": "prod_1", "name": "ignored"});
    assert_eq!(read(expanded), read(today()));
}

#[test]
fn metered_items_are_extras_and_count_no_seats() {
    let mut both = today();
    let mut metered = both["items"]["data"][0].clone();
    metered["id"] = "si_metered".into();
    metered["price"]["recurring"]["usage_type"] = "metered".into();
    metered["quantity"] = Value::Null;
    both["items"]["data"] = json!([metered.clone(), both["items"]["data"][0]]);
    assert_eq!(read(both), read(today()));
    let mut alone = today();
    alone["items"]["data"] = json!([metered]);
    let alone = read(alone).unwrap();
    assert_eq!((alone.plan.as_str(), alone.seat_item.clone(), alone.seats()), ("Team", None, None));
}

#[test]
fn free_fields_of_the_price_go_before_those_of_the_product() {
    let mut value = today();
    value["items"]["data"][0]["price"]["metadata"] =
        json!({"seat_limit": "50", "included_runs": "5", "included_Bad Name": "7", "included_tokens": "-1"});
    let read = read(value).unwrap();
    assert_eq!((read.seat_limit, read.seats(), read.is_sold_by_the_seat()), (Some(50), Some(50), false));
    assert_eq!(read.included, BTreeMap::from([("runs".parse().unwrap(), 5)]));
}

#[test]
fn a_seat_limit_that_is_none_is_left_out() {
    for (text, limit) in [
        (json!("12"), Some(12)),
        (json!(" 12 "), Some(12)),
        (json!("99999999"), Some(MAX_SEATS)),
        (json!("0"), None),
        (json!("-1"), None),
        (json!("many"), None),
        (json!(""), None),
        (json!("99999999999999999999"), None),
        (Value::Null, None),
    ] {
        let mut value = today();
        value["items"]["data"][0]["price"]["metadata"] = json!({"seat_limit": text});
        assert_eq!(read(value).unwrap().seat_limit, limit, "{text}");
    }
}

#[test]
fn when_it_ends_is_what_was_asked_for_or_the_end_of_the_period() {
    let with = |fields: Value| {
        let mut value = today();
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read(value).unwrap().ends_at
    };
    assert_eq!(with(json!({"cancel_at_period_end": true})), OffsetDateTime::from_unix_timestamp(END).ok());
    assert_eq!(with(json!({"cancel_at": START})), OffsetDateTime::from_unix_timestamp(START).ok());
    assert_eq!(with(json!({"status": "canceled", "ended_at": 77})), OffsetDateTime::from_unix_timestamp(77).ok());
    // Stripe's samples have an end for one that goes on.
    assert_eq!(with(json!({"ended_at": 77})), None);
}

#[test]
fn a_status_of_tomorrow_is_unknown_and_nonsense_is_left_out() {
    let with = |at: &str, value: Value| {
        let mut all = today();
        *all.pointer_mut(at).unwrap() = value;
        read(all).unwrap()
    };
    assert_eq!(with("/status", json!("hibernating")).status, SubscriptionStatus::Unknown);
    assert_eq!(with("/items/data/0/price/currency", json!("string")).currency, None);
    assert_eq!(with("/items/data/0/price/unit_amount", Value::Null).amount, None);
    assert_eq!(with("/items/data/0/current_period_end", json!(START - 1)).period, None);
    assert_eq!(with("/items/data/0/current_period_end", json!(i64::MAX)).period, None);
    assert_eq!(with("/items/data/0/price/recurring/interval", json!("eon")).interval, None);
    assert_eq!(with("/items/data/0/price/recurring/interval_count", json!(0)).interval.unwrap().count, 1);
    assert_eq!(with("/items/data", json!([])).seats(), None);
    let name = format!("T\u{7}eam{}", "m".repeat(500));
    assert_eq!(with("/items/data/0/price/nickname", json!(name)).plan.chars().count(), MAX_NAME);
}

#[test]
fn ids_that_could_leave_their_place_in_a_path_are_no_ids() {
    for at in ["/id", "/customer"] {
        let mut value = today();
        *value.pointer_mut(at).unwrap() = "x/../../v1/accounts".into();
        assert_eq!(read(value), None, "{at}");
    }
}

#[test]
fn of_several_the_one_in_use_counts_then_the_one_not_over_then_the_newest() {
    let with = |status: &str, created: i64| {
        let mut value = today();
        value["status"] = status.into();
        value["created"] = created.into();
        serde_json::from_value::<StripeSubscription>(value).unwrap()
    };
    let mut all =
        [("canceled", 9), ("incomplete", 8), ("active", 3), ("past_due", 2), ("canceled", 1)].map(|(s, c)| with(s, c));
    all.sort_by_key(|one| std::cmp::Reverse(one.rank()));
    let order: Vec<_> = all.iter().map(|one| one.created.unwrap()).collect();
    assert_eq!(order, [3, 2, 8, 9, 1]);
}
