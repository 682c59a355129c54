//! Billing: what is kept of the billing service, seats by limit and subscription, usage counted once (SE08, ST).
use super::{
    No, Scenario, World,
    scenario::{call, idempotent},
};
use crate::{
    billing::{FixedBilling, subscription},
    entropy::FixedMint,
    senders::{pause, senders},
};
use async_trait::async_trait;
use settings_app::{App, Ports};
use settings_domain::{
    billing::{
        BillingAccount, CustomerId, Ignored, Reading, Subscription, SubscriptionStatus, Summary, UsageReceipt,
        UsageReport,
    },
    ids::{DeliveryId, InvitationId, PersonId},
    invitations::{Invitation, NewInvitation},
    policy::{Actor, Role, SystemTask, actions, permit},
    ports::{
        Entropy as _,
        billing::Reported,
        mail::{Mail, MailError, Mailer},
        tokens::TokenMint as _,
    },
    transaction::{Caller, Snapshot, Transaction},
};
use std::sync::Arc;
use time::{Date, Duration, OffsetDateTime};

cases![
    what_was_read_is_kept_and_shown_while_the_service_is_away,
    of_two_readings_that_overlap_one_is_kept,
    an_event_is_handled_once_and_a_forged_one_never,
    an_event_that_could_not_be_handled_comes_again,
    the_lower_of_limit_and_subscription_counts_and_nobody_is_put_out,
    the_store_itself_lets_nobody_in_above_the_subscription,
    a_customer_is_one_workspace_only,
    a_changed_limit_changes_what_is_paid_for,
    the_daily_check_only_gives_back,
    the_portal_is_opened_on_record_and_leads_back_here,
    checks_are_taken_once_and_come_back,
    usage_counts_once_and_by_the_day,
    usage_is_reported_once_and_what_is_refused_never_again,
    usage_and_events_of_long_ago_are_forgotten,
];

/// A post office that takes everything.
struct Post;

#[async_trait]
impl Mailer for Post {
    async fn send(&self, _: &Mail) -> Result<(), MailError> {
        Ok(())
    }
}

/// A workspace and a billing service beside it.
struct Billed {
    s: Scenario,
    billing: FixedBilling,
    now: OffsetDateTime,
}

impl Billed {
    async fn new(world: &World) -> Self {
        Self::called(world, "acme").await
    }
    async fn called(world: &World, slug: &str) -> Self {
        let mut s = Scenario::called(world, slug).await;
        let billing = FixedBilling::default();
        let ports = Ports { billing: Some(Arc::new(billing.clone())), ..s.app.ports().clone() };
        s.app = App::new(ports, s.app.rules().clone());
        let now = s.may::<actions::ReadBilling>(&s.admin.caller).await.expect("a right").at();
        Self { s, billing, now }
    }
    fn customer(&self) -> CustomerId {
        format!("cus_{}", self.s.slug).parse().expect("an id")
    }
    fn of(&self, seats: i64) -> Subscription {
        subscription(&self.customer(), seats, self.now)
    }
    /// Checks everything that is due.
    async fn check(&self) -> usize {
        self.s.app.check_billing().await.expect("a check")
    }
    /// Subscribed to so many seats, and known to be.
    async fn with_seats(world: &World, seats: i64) -> Self {
        let billed = Self::new(world).await;
        billed.billing.subscribe(billed.of(seats));
        assert_eq!(billed.check().await, 1);
        billed
    }
    async fn account(&self) -> BillingAccount {
        self.s.reads().await.billing_account().await.expect("a read")
    }
    async fn summary(&self) -> Summary {
        let (app, caller, here) = (&self.s.app, &self.s.admin.caller, self.s.here());
        let store = app.ports().store.as_ref();
        let snapshot = Snapshot::<actions::ReadBilling>::open(store, caller, &here).await.expect("a right");
        app.billing_summary(snapshot, caller, &here).await.expect("a summary")
    }
    async fn event(&self, id: &str) -> Option<Ignored> {
        let payload = format!("{id} {}", self.customer());
        self.s.app.take_billing_event(payload.as_bytes(), "good").await.expect("taken")
    }
    async fn report(&self, by: &Caller, report: UsageReport) -> Result<UsageReceipt, No> {
        let permit = self.s.may::<actions::RecordUsage>(by).await?;
        Ok(self.s.app.record_usage(&permit, &call(by), report).await?.into_value())
    }
    async fn work(&self) {
        while self.s.app.deliver(&senders(Arc::new(Post)), pause, || false).await.expect("messages") > 0 {}
    }
    /// Names of the facts of billing, oldest first.
    async fn facts(&self) -> Vec<String> {
        let all = self.s.facts().await;
        all.into_iter().filter(|f| f.starts_with("billing.") || f.starts_with("usage.")).collect()
    }
}

fn used(id: &str, metric: &str, quantity: i64, at: Option<OffsetDateTime>) -> UsageReport {
    UsageReport {
        id: id.parse().expect("an id"),
        metric: metric.parse().expect("a metric"),
        quantity: quantity.try_into().expect("a quantity"),
        at,
    }
}

async fn what_was_read_is_kept_and_shown_while_the_service_is_away(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    let known = b.account().await;
    assert_eq!((known.customer.clone(), known.subscription.clone()), (Some(b.customer()), Some(b.of(5))));
    let fresh = b.summary().await;
    assert!(fresh.configured && !fresh.stale);
    assert_eq!((fresh.seats.used, fresh.seats.limit), (3, 5));
    let readings = b.billing.readings();
    b.summary().await;
    assert_eq!(b.billing.readings(), readings, "what is fresh is not read again");

    world.pass(Duration::minutes(6)).await;
    b.billing.away(true);
    let stale = b.summary().await;
    assert!(stale.stale);
    assert_eq!((stale.subscription, stale.seats), (Some(b.of(5)), fresh.seats));
    b.billing.away(false);
    b.billing.subscribe(b.of(4));
    let again = b.summary().await;
    assert!(!again.stale);
    assert_eq!((again.seats.limit, b.account().await.version), (4, known.version + 1));
    assert_eq!(b.facts().await, ["billing.updated"; 3], "a customer, a subscription, another number of seats");
    assert_eq!(b.s.verify().await.first_broken, None);
}

async fn of_two_readings_that_overlap_one_is_kept(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    let (before, store) = (b.account().await, b.s.app.ports().store.clone());
    let task = Actor::task(SystemTask::SyncBilling, b.s.workspace);
    let may = permit::<actions::SyncBilling>(&task, b.now).expect("a right");
    for (status, kept) in [(SubscriptionStatus::PastDue, true), (SubscriptionStatus::Unpaid, false)] {
        let mut tx = Transaction::open_for_task(store.as_ref(), &may, "req".to_owned()).await.expect("a transaction");
        let account = tx.load().billing_account().await.expect("a read");
        let reading = Reading::Subscribed(Box::new(Subscription { status, ..b.of(5) }));
        let change = account.keep(tx.permit(), before.version, reading, None);
        assert_eq!(change.is_ok(), kept);
        if let Ok(change) = change {
            tx.commit(change).await.expect("kept");
        }
    }
    assert_eq!(b.account().await.subscription.expect("one").status, SubscriptionStatus::PastDue);
}

async fn an_event_is_handled_once_and_a_forged_one_never(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    b.billing.subscribe(b.of(9));
    let forged = b.s.app.take_billing_event(format!("evt_1 {}", b.customer()).as_bytes(), "bad").await;
    assert!(forged.is_err());
    assert_eq!(b.account().await.subscription, Some(b.of(5)));
    assert_eq!(b.event("evt_1").await, None);
    assert_eq!(b.account().await.subscription, Some(b.of(9)));
    let (version, readings) = (b.account().await.version, b.billing.readings());
    assert_eq!(b.event("evt_1").await, Some(Ignored::Repeated));
    let stranger = b.s.app.take_billing_event(b"evt_2 cus_stranger", "good").await.expect("taken");
    assert_eq!(stranger, Some(Ignored::UnknownCustomer));
    assert_eq!((b.account().await.version, b.billing.readings()), (version, readings));
    assert_eq!(b.event("evt_3").await, None);
}

async fn an_event_that_could_not_be_handled_comes_again(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    b.billing.subscribe(b.of(9));
    b.billing.away(true);
    let payload = format!("evt_1 {}", b.customer());
    assert!(b.s.app.take_billing_event(payload.as_bytes(), "good").await.is_err());
    assert_eq!(b.account().await.subscription, Some(b.of(5)));
    b.billing.away(false);
    assert_eq!(b.event("evt_1").await, None);
    assert_eq!(b.account().await.subscription, Some(b.of(9)));
}

async fn the_lower_of_limit_and_subscription_counts_and_nobody_is_put_out(world: World) {
    let b = Billed::with_seats(&world, 4).await;
    let admin = &b.s.admin.caller;
    let person = super::scenario::account(&world, "fourth", false).await;
    let invited = b.s.invite(admin, person.email.as_str(), Role::Viewer).await.expect("the last seat");
    assert_eq!(b.s.invite(admin, "fifth@people.example", Role::Viewer).await, Err(No::Rule("seat-limit-reached")));

    b.billing.subscribe(b.of(2));
    assert_eq!(b.event("evt_fewer").await, None);
    let over = b.summary().await;
    assert_eq!((over.seats.used, over.seats.limit, over.seats.is_over_limit()), (4, 2, true));
    assert_eq!(b.s.members().await.len(), 3, "nobody is put out");
    b.s.accept(&person, &invited).await.expect("the seat was theirs since the invitation (SE03)");
    assert_eq!(b.s.members().await.len(), 4);
    assert_eq!(b.s.invite(admin, "fifth@people.example", Role::Viewer).await, Err(No::Rule("seat-limit-reached")));

    b.billing.subscribe(Subscription { status: SubscriptionStatus::Canceled, ..b.of(50) });
    b.event("evt_over").await;
    assert_eq!(b.summary().await.seats.limit, 0);
    b.billing.subscribe(b.of(50));
    b.event("evt_more").await;
    assert_eq!(b.summary().await.seats.limit, 25, "the workspace's own limit");
    b.s.invite(admin, "fifth@people.example", Role::Viewer).await.expect("a seat");
}

async fn the_store_itself_lets_nobody_in_above_the_subscription(world: World) {
    let b = Billed::with_seats(&world, 3).await;
    let may = b.s.may::<actions::InviteMember>(&b.s.admin.caller).await.expect("a right");
    let store = b.s.app.ports().store.clone();
    let tx = Transaction::open(store.as_ref(), &may, &call(&b.s.admin.caller)).await.expect("a transaction");
    let id = InvitationId::from_uuid(world.entropy.uuid());
    let new = NewInvitation {
        id,
        person: PersonId::from_uuid(world.entropy.uuid()),
        delivery: DeliveryId::from_uuid(world.entropy.uuid()),
        token: FixedMint.invitation(id, 1).digest,
        email: "new@people.example".parse().expect("an address"),
        role: Role::Viewer,
    };
    // Decided as if the workspace's own limit were all that counts.
    let heads = settings_domain::members::Headcount { members: 3, admins: 1, pending: 0 };
    let change = Invitation::invite(tx.permit(), new, &Default::default(), &heads, 25).expect("a decision");
    let refused = tx.commit(change).await.map_err(No::from).map(drop);
    assert_eq!(refused, Err(No::Constraint("seat-limit".to_owned())));
}

async fn a_customer_is_one_workspace_only(world: World) {
    let (a, b) = (Billed::with_seats(&world, 5).await, Billed::called(&world, "other").await);
    let task = Actor::task(SystemTask::SyncBilling, b.s.workspace);
    let may = permit::<actions::SyncBilling>(&task, b.now).expect("a right");
    let store = b.s.app.ports().store.clone();
    let mut tx = Transaction::open_for_task(store.as_ref(), &may, "req".to_owned()).await.expect("a transaction");
    let change = tx.load().billing_account().await.expect("a read").adopt(tx.permit(), a.customer());
    let refused = tx.commit(change).await.map_err(No::from).map(drop);
    assert_eq!(refused, Err(No::Constraint("billing-customer".to_owned())));
    assert_eq!(store.workspace_of_customer(&a.customer()).await.expect("a look"), Some(a.s.workspace));
    assert_eq!(store.workspace_of_customer(&b.customer()).await.expect("a look"), None);
    a.s.delete().await.expect("deleted");
    assert_eq!(store.workspace_of_customer(&a.customer()).await.expect("a look"), None);
}

async fn a_changed_limit_changes_what_is_paid_for(world: World) {
    let b = Billed::with_seats(&world, 25).await;
    b.work().await;
    b.s.seats(30).await.expect("a higher limit");
    assert_eq!(b.summary().await.seats.limit, 25, "paid for are 25 until the service says otherwise");
    b.billing.away(true);
    b.work().await;
    assert!(b.billing.seats().is_empty());
    world.pass(Duration::hours(1)).await;
    b.billing.away(false);
    b.work().await;
    assert_eq!((b.billing.seats(), b.summary().await.seats.limit), (vec![30], 30));
    // Another change than that of the limit asks for nothing.
    let renamed = settings_domain::workspaces::WorkspacePatch { name: "Acme two".parse().ok(), ..Default::default() };
    b.s.update(&b.s.admin.caller, renamed).await.expect("renamed");
    b.s.seats(7).await.expect("a lower limit");
    b.work().await;
    assert_eq!(b.billing.seats(), [30, 7]);
    b.s.seats(7).await.expect("the same limit");
    b.work().await;
    assert_eq!(b.billing.seats(), [30, 7]);
}

async fn the_daily_check_only_gives_back(world: World) {
    let b = Billed::with_seats(&world, 40).await;
    assert_eq!(b.billing.seats(), [25], "above the limit of 25");
    b.billing.subscribe(b.of(10));
    assert_eq!(b.check().await, 0, "checked today");
    world.pass(Duration::hours(25)).await;
    assert_eq!(b.check().await, 1);
    assert_eq!((b.billing.seats(), b.summary().await.seats.limit), (vec![25], 10), "nothing is bought unasked");
}

async fn the_portal_is_opened_on_record_and_leads_back_here(world: World) {
    let b = Billed::new(&world).await;
    let (admin, editor) = (&b.s.admin.caller, &b.s.editor.caller);
    assert_eq!(b.s.may::<actions::OpenBillingPortal>(editor).await.map(drop), Err(No::Denied));
    let permit = b.s.may::<actions::OpenBillingPortal>(admin).await.expect("a right");
    b.billing.away(true);
    assert!(b.s.app.open_billing_portal(&permit, &call(admin), None).await.is_err());
    b.billing.away(false);
    assert!(b.s.app.open_billing_portal(&permit, &call(admin), Some("https://evil.example/")).await.is_err());
    assert!(b.facts().await.is_empty());
    let once = idempotent(admin, "openBillingPortal", "key-1", 1);
    for _ in 0..2 {
        let url = b.s.app.open_billing_portal(&permit, &once, None).await.expect("an address");
        assert!(url.ends_with("?back=https://settings.example/acme/settings/billing"), "{url}");
    }
    assert_eq!(b.facts().await, ["billing.updated", "billing.portal_opened"], "a repeated call is one opening");
    assert_eq!(b.account().await.customer, Some(b.customer()));
}

async fn checks_are_taken_once_and_come_back(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let store = a.app.ports().store.clone();
    let (lease, mut expected) = (Duration::minutes(10), vec![a.workspace, b.workspace]);
    expected.sort();
    let take = async |limit| store.claim_checks(limit, lease).await.expect("a claim");
    let mut taken = take(1).await;
    taken.extend(take(10).await);
    taken.sort();
    assert_eq!(taken, expected, "each once, and the platform's own tenant never");
    assert!(take(10).await.is_empty());
    store.checked(a.workspace, Duration::hours(24)).await.expect("checked");
    world.pass(Duration::minutes(11)).await;
    assert_eq!(take(10).await, [b.workspace], "whose check did not end");
    b.delete().await.expect("deleted");
    world.pass(Duration::hours(25)).await;
    assert_eq!(take(10).await, [a.workspace]);
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
    assert_eq!(b.s.app.report_usage().await.expect("a look"), 0, "nobody's customer");
    assert_eq!(b.check().await, 1);
    b.billing.away(true);
    assert_eq!(b.s.app.report_usage().await.expect("a look"), 0);
    b.billing.away(false);
    assert_eq!(b.s.app.report_usage().await.expect("a look"), 1);
    assert_eq!(b.s.app.report_usage().await.expect("a look"), 0);
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
