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
    invitations::{Acquaintance, Invitation, NewInvitation},
    policy::{Actor, Role, SystemTask, actions, permit},
    ports::{
        Entropy as _,
        mail::{Mail, MailError, Mailer},
        tokens::TokenMint as _,
    },
    transaction::{Caller, Snapshot, Transaction},
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

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
    a_customer_that_was_deleted_is_replaced_at_once_however_it_is_noticed,
    a_check_that_is_asked_for_meanwhile_is_not_put_off,
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
pub(super) struct Billed {
    pub(super) s: Scenario,
    pub(super) billing: FixedBilling,
    pub(super) now: OffsetDateTime,
}

impl Billed {
    pub(super) async fn new(world: &World) -> Self {
        Self::called(world, "acme").await
    }
    pub(super) async fn called(world: &World, slug: &str) -> Self {
        let mut s = Scenario::called(world, slug).await;
        let billing = FixedBilling::default();
        let ports = Ports { billing: Some(Arc::new(billing.clone())), ..s.app.ports().clone() };
        s.app = App::new(ports, s.app.rules().clone());
        let now = s.may::<actions::ReadBilling>(&s.admin.caller).await.expect("a right").at();
        Self { s, billing, now }
    }
    pub(super) fn customer(&self) -> CustomerId {
        format!("cus_{}", self.s.slug).parse().expect("an id")
    }
    fn of(&self, seats: i64) -> Subscription {
        subscription(&self.customer(), seats, self.now)
    }
    /// Checks everything that is due.
    pub(super) async fn check(&self) -> usize {
        self.s.app.check_billing().await.expect("a check")
    }
    /// Subscribed to so many seats, and known to be.
    pub(super) async fn with_seats(world: &World, seats: i64) -> Self {
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
    pub(super) async fn event(&self, id: &str) -> Option<Ignored> {
        let payload = format!("{id} {}", self.customer());
        self.s.app.take_billing_event(payload.as_bytes(), "good").await.expect("taken")
    }
    pub(super) async fn report(&self, by: &Caller, report: UsageReport) -> Result<UsageReceipt, No> {
        let permit = self.s.may::<actions::RecordUsage>(by).await?;
        Ok(self.s.app.record_usage(&permit, &call(by), report).await?.into_value())
    }
    async fn work(&self) {
        while self.s.app.deliver(&senders(Arc::new(Post)), pause, || false).await.expect("messages") > 0 {}
    }
    /// Names of the facts of billing, oldest first.
    pub(super) async fn facts(&self) -> Vec<String> {
        let all = self.s.facts().await;
        all.into_iter().filter(|f| f.starts_with("billing.") || f.starts_with("usage.")).collect()
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
    let change = Invitation::invite(tx.permit(), new, &Acquaintance::default(), &heads, 25).expect("a decision");
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

async fn a_customer_that_was_deleted_is_replaced_at_once_however_it_is_noticed(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    let numbered = |n: usize| Some(format!("cus_acme{n}").parse().expect("an id"));
    // By its event, by a summary that reads anew, and by a report of usage.
    b.billing.delete(&b.customer());
    assert_eq!(b.event("evt_deleted").await, None);
    let gone = b.account().await;
    assert_eq!((gone.customer, gone.subscription), (None, None));
    assert_eq!(b.check().await, 1, "not a day later");
    assert_eq!(b.account().await.customer, numbered(2));

    b.billing.delete(&numbered(2).expect("one"));
    world.pass(Duration::minutes(6)).await;
    assert_eq!((b.summary().await.customer, b.check().await), (None, 1));
    assert_eq!(b.account().await.customer, numbered(3));

    b.billing.delete(&numbered(3).expect("one"));
    let report = UsageReport {
        id: "r-1".parse().expect("an id"),
        metric: "runs".parse().expect("a metric"),
        quantity: 1.try_into().expect("a number"),
        at: None,
    };
    b.report(&b.s.admin.caller, report).await.expect("counted");
    assert_eq!(b.s.app.report_usage().await.expect("a look").failed, 1);
    assert_eq!((b.account().await.customer, b.check().await), (None, 1));
    assert_eq!(b.account().await.customer, numbered(4));
    assert_eq!(b.s.app.report_usage().await.expect("a look").taken, 1);

    // By the portal, which waits for no check, and by the daily check itself.
    b.billing.delete(&numbered(4).expect("one"));
    let permit = b.s.may::<actions::OpenBillingPortal>(&b.s.admin.caller).await.expect("a right");
    let url = b.s.app.open_billing_portal(&permit, &call(&b.s.admin.caller), None).await.expect("an address");
    assert!(url.contains("cus_acme5?"), "{url}");
    b.billing.delete(&numbered(5).expect("one"));
    world.pass(Duration::hours(25)).await;
    assert_eq!(b.check().await, 1);
    assert_eq!(b.account().await.customer, numbered(6));
    assert_eq!(b.check().await, 1, "what the check itself noticed is looked at once more");
    assert_eq!(b.check().await, 0);
}

async fn a_check_that_is_asked_for_meanwhile_is_not_put_off(world: World) {
    let b = Billed::with_seats(&world, 5).await;
    let store = b.s.app.ports().store.clone();
    world.pass(Duration::hours(25)).await;
    let lease = Duration::minutes(10);
    assert_eq!(store.claim_checks(10, lease).await.expect("a claim"), [b.s.workspace]);
    b.billing.delete(&b.customer());
    assert_eq!(b.event("evt_deleted").await, None);
    store.checked(b.s.workspace, Duration::hours(24)).await.expect("the check that knew nothing of it has ended");
    assert_eq!(store.claim_checks(10, lease).await.expect("a claim"), [b.s.workspace]);
}
