//! Usage: counted once, by the day, reported once, forgotten one day.
use super::{
    No, World,
    billing::Billed,
    scenario::idempotent,
};
use settings_domain::{
    billing::{UsageReceipt, UsageReport},
    policy::actions,
    ports::billing::Reported,
};
use time::{Date, Duration, OffsetDateTime};

cases![
    usage_counts_once_and_by_the_day,
    usage_is_reported_once_and_what_is_refused_never_again,
    usage_and_events_of_long_ago_are_forgotten,
];

fn used(id: &str, metric: &str, quantity: i64, at: Option<OffsetDateTime>) -> UsageReport {
    UsageReport {
        id: id.parse().expect("an id"),
        metric: metric.parse().expect("a metric"),
        quantity: quantity.try_into().expect("a quantity"),
        at,
    }
}

async fn usage_counts_once_and_by_the_day(world: World) {
    let b = Billed::new(&world).await;
    let (editor, viewer) = (&b.s.editor.caller, &b.s.viewer.caller);
    let yesterday = b.now - Duration::days(1);
    assert_eq!(b.report(viewer, used("r0", "runs", 1, None)).await, Err(No::Denied));
    let first = b.report(editor, used("r1", "runs", 2, Some(b.now))).await.expect("counted");
    assert!(!first.known);
    let again = b.report(editor, used("r1", "runs", 2, Some(b.now))).await.expect("known");
    assert_eq!(again, UsageReceipt { known: true, ..first });
    assert_eq!(b.report(editor, used("r1", "runs", 3, Some(b.now))).await, Err(No::Rule("usage-id-reused")));
    let late = used("r2", "runs", 5, Some(b.now - Duration::days(40)));
    assert_eq!(b.report(editor, late).await, Err(No::Rule("usage-too-late")));
    b.report(editor, used("r3", "runs", 5, Some(b.now))).await.expect("counted");
    b.report(editor, used("r4", "runs", 7, Some(yesterday))).await.expect("counted");
    b.report(editor, used("r5", "model_tokens", 1_000_000_000, Some(b.now))).await.expect("counted");
    let other = Billed::called(&world, "other").await;
    other.report(&other.s.editor.caller, used("r1", "runs", 100, Some(b.now))).await.expect("an id of its own");

    let day = |at: OffsetDateTime| -> Date { at.to_offset(time::UtcOffset::UTC).date() };
    let mut reads = b.s.reads().await;
    let totals = reads.usage_by_day(day(yesterday), day(b.now)).await.expect("a read");
    let totals: Vec<_> = totals.iter().map(|t| (t.date, t.metric.as_str(), t.quantity)).collect();
    let (then, today) = (day(yesterday), day(b.now));
    assert_eq!(totals, [(then, "runs", 7), (today, "model_tokens", 1_000_000_000), (today, "runs", 7)]);
    assert!(reads.usage_by_day(day(b.now + Duration::days(1)), day(b.now + Duration::days(9))).await.expect("a read").is_empty());
    drop(reads);
    assert_eq!(b.facts().await, ["usage.recorded"; 4]);

    let once = |body| idempotent(editor, "recordUsage", "key-1", body);
    let permit = b.s.may::<actions::RecordUsage>(editor).await.expect("a right");
    let mut replays = Vec::new();
    for _ in 0..2 {
        let done = b.s.app.record_usage(&permit, &once(1), used("r6", "runs", 1, None)).await.expect("counted");
        replays.push((done.is_replay(), done.value().known));
    }
    assert_eq!(replays, [(false, false), (true, false)]);
}

async fn usage_is_reported_once_and_what_is_refused_never_again(world: World) {
    let b = Billed::new(&world).await;
    let editor = &b.s.editor.caller;
    b.report(editor, used("r1", "runs", 2, Some(b.now - Duration::hours(2)))).await.expect("counted");
    b.report(editor, used("r2", "refused", 1, Some(b.now - Duration::hours(1)))).await.expect("counted");
    assert_eq!(b.s.app.report_usage().await.expect("a look").taken, 0, "nobody's customer");
    assert_eq!(b.check().await, 1);
    b.billing.away(true);
    assert_eq!(b.s.app.report_usage().await.expect("a look").taken, 0);
    b.billing.away(false);
    assert_eq!(b.s.app.report_usage().await.expect("a look").taken, 1);
    assert_eq!(b.s.app.report_usage().await.expect("a look").taken, 0);
    let taken: Vec<_> = b.billing.usage().into_iter().map(|(customer, u)| (customer, u.id.to_string())).collect();
    assert_eq!(taken, [(b.customer(), "r1".to_owned())]);

    // What was tried more often waits behind what was not.
    let store = b.s.app.ports().store.clone();
    for id in ["r3", "r4"] {
        b.report(editor, used(id, "runs", 1, None)).await.expect("counted");
    }
    let waiting = async || {
        let rows = store.unreported_usage(10).await.expect("a look");
        rows.into_iter().map(|(_, _, u)| u.id.to_string()).collect::<Vec<_>>()
    };
    let before = waiting().await;
    assert_eq!(before.len(), 2);
    let first = before.first().expect("one").parse().expect("an id");
    store.usage_reported(b.s.workspace, &first, Reported::Failed).await.expect("noted");
    assert_eq!(waiting().await.last(), before.first());
    world.pass(Duration::days(35)).await;
    assert!(waiting().await.is_empty(), "the service would not take it any more");
}

async fn usage_and_events_of_long_ago_are_forgotten(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    b.event("evt_1").await;
    b.report(&b.s.editor.caller, used("r1", "runs", 2, Some(b.now))).await.expect("counted");
    world.pass(Duration::days(80)).await;
    world.store.tidy().await.expect("tidied");
    let id = "r1".parse().expect("an id");
    assert!(b.s.reads().await.usage_record(&id).await.expect("a read").is_some());
    world.pass(Duration::days(20)).await;
    world.store.tidy().await.expect("tidied");
    let mut reads = b.s.reads().await;
    assert!(reads.usage_record(&id).await.expect("a read").is_none());
    assert!(!reads.billing_event_handled(&"evt_1".parse().expect("an id")).await.expect("a read"));
    let day = b.now.to_offset(time::UtcOffset::UTC).date();
    assert_eq!(reads.usage_by_day(day, day).await.expect("a read").len(), 1, "what it counted stays");
}
