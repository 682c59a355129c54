//! The ledger and its queue: every fate is told as it was, and nobody gets what is no longer theirs (NO04, NO08, NO10).
use super::{
    No, Scenario, World,
    telling::{
        LEASE, attempt, choose, claim, claim_one, connect, delivery, drop_hook, give_up, health, hook, ledger, outgoing,
        patch_hook, quiet, retry, run_failed, settle, status, waiting,
    },
};
use settings_app::members::TheirKeys;
use settings_domain::{
    deliveries::{DeliveryStatus, Destination, Message, OutgoingContent, OutgoingTo, PARKED_FOR},
    events::Event,
    ids::DeliveryId,
    notifications::Channel,
    policy::{Actor, EventType, SystemTask, actions, permit},
    ports::{
        outbox::{Claimed, Fate, Job},
        store::{DeliveryFilter, Page},
    },
    webhook_subscriptions::{Health, SubscriptionPatch, SubscriptionStatus},
};
use time::{Duration, OffsetDateTime};

cases![
    an_event_owes_a_delivery_to_each_receiver,
    a_delivery_that_was_taken_or_dropped_never_comes_again,
    attempts_are_told_in_order,
    what_did_not_count_did_not_happen,
    a_parked_delivery_comes_back_marked_when_its_time_is_over,
    a_connection_that_is_mended_gets_what_was_parked_for_it,
    a_given_up_delivery_can_be_retried_from_the_start,
    a_delivery_between_its_last_attempt_and_its_end_is_still_its_workers,
    a_worker_that_came_too_late_settles_nothing,
    a_webhook_fails_since_its_first_failure_until_it_takes_something,
    whoever_is_gone_gets_nothing,
    the_ledger_is_told_newest_first_by_what_is_asked,
    what_nobody_waits_for_is_forgotten_after_a_month,
];

const FAILED: EventType = EventType::RunFailed;
const SOON: Duration = Duration::seconds(5);

/// A workspace whose failed runs are told to one webhook alone.
async fn hooked(world: &World) -> (Scenario, settings_domain::webhook_subscriptions::WebhookSubscription) {
    let s = quiet(world, "acme").await;
    let hook = hook(&s, "https://hooks.example/in", &[FAILED]).await.expect("a webhook");
    choose(&s, FAILED, &[Channel::Webhook], None).await.expect("chosen");
    (s, hook)
}
/// A workspace whose failed runs are told to Slack alone.
async fn slacked(world: &World) -> Scenario {
    let s = quiet(world, "acme").await;
    connect(world, &s, "T1", 1).await;
    choose(&s, FAILED, &[Channel::Slack], None).await.expect("chosen");
    s
}
async fn of_channel(s: &Scenario, channel: Channel) -> DeliveryId {
    let filter = DeliveryFilter { channel: Some(channel), ..DeliveryFilter::default() };
    ledger(s, filter).await.first().expect("a delivery").delivery.id
}

async fn an_event_owes_a_delivery_to_each_receiver(world: World) {
    let s = quiet(&world, "acme").await;
    let connection = connect(&world, &s, "T1", 1).await;
    let webhook = hook(&s, "https://hooks.example/in", &[FAILED]).await.expect("a webhook");
    choose(&s, FAILED, &[Channel::Email, Channel::Slack, Channel::Webhook], Some(&["Ops@out.example"])).await.expect("chosen");
    let event = run_failed(&s, "r-1").await.event;
    assert_eq!((event.deliveries, waiting(&s).await, world.store.depth().await.expect("a count")), (3, 3, 3));
    let all = ledger(&s, DeliveryFilter::default()).await;
    for view in &all {
        assert_eq!((view.delivery.message, view.event_type), (Message::Event(event.id), Some(FAILED)));
        assert_eq!((view.status, view.attempts.len(), view.delivery.instead_of), (DeliveryStatus::Pending, 0, None));
        assert!(view.next_attempt_at.is_some());
    }
    let task = Actor::task(SystemTask::Deliver, s.workspace);
    let may = permit::<actions::DeliverMessages>(&task, OffsetDateTime::UNIX_EPOCH).expect("the task's own");
    let mut to = Vec::new();
    for message in claim(&world, 10).await {
        assert_eq!((message.job, message.attempt, message.parked), (Job::Notification(s.workspace), 0, false));
        let out = outgoing(&world, &s, message.delivery).await.expect("somebody to tell");
        assert_eq!((out.workspace_name.as_str(), &out.slug), ("The acme company", &s.slug));
        let OutgoingContent::Event(record) = &out.content else { panic!("an event") };
        assert_eq!(record.event, event);
        let opening = record.opening(&may).expect("the task may");
        assert_eq!(opening.binding(), &Event::binding(s.workspace, event.id, FAILED));
        let cipher = s.app.ports().vault.generation(may.scope(), opening.sealed().generation()).await.expect("a cipher");
        let text = cipher.open(opening).expect("the text");
        assert!(secrecy::ExposeSecret::expose_secret(&text).contains("\"id\":\"r-1\""));
        to.push(match out.to {
            OutgoingTo::Mail(email) => email.as_str().to_owned(),
            OutgoingTo::Slack(record) => {
                assert_eq!(record.connection, connection);
                "slack".to_owned()
            }
            OutgoingTo::Webhook(record, health) => {
                assert_eq!((&record.subscription, health), (&webhook, Health::default()));
                "webhook".to_owned()
            }
        });
    }
    to.sort();
    assert_eq!(to, ["Ops@out.example", "slack", "webhook"]);
}

async fn a_delivery_that_was_taken_or_dropped_never_comes_again(world: World) {
    let (s, _) = hooked(&world).await;
    for (n, (fate, told)) in
        [(Fate::Delivered, DeliveryStatus::Delivered), (Fate::Dropped, DeliveryStatus::Dropped)].into_iter().enumerate()
    {
        run_failed(&s, &format!("r-{n}")).await;
        let message = claim_one(&world).await;
        settle(&world, &message, None, fate).await;
        let view = delivery(&s, message.delivery).await;
        assert_eq!((view.status, view.next_attempt_at), (told, None));
        settle(&world, &message, Some(&attempt(1, false)), Fate::Again(Duration::ZERO)).await;
        assert_eq!(delivery(&s, message.delivery).await, view, "it is settled");
    }
    world.pass(Duration::hours(1)).await;
    assert_eq!((claim(&world, 10).await.len(), waiting(&s).await), (0, 0));
}

async fn attempts_are_told_in_order(world: World) {
    let (s, _) = hooked(&world).await;
    run_failed(&s, "r-1").await;
    // The receiver's and the worker's clocks may disagree: the order is that of the attempts.
    let attempts = [attempt(9, false), attempt(3, false), attempt(7, true)];
    for (n, made) in (0..).zip(&attempts) {
        let message = claim_one(&world).await;
        assert_eq!(message.attempt, n);
        let fate = if made.accepted { Fate::Delivered } else { Fate::Again(SOON) };
        settle(&world, &message, Some(made), fate).await;
        let view = delivery(&s, message.delivery).await;
        assert_eq!(view.attempts.len(), usize::try_from(n).expect("a count") + 1);
        assert_eq!(claim(&world, 10).await.len(), 0);
        world.pass(SOON).await;
    }
    let [view] = &ledger(&s, DeliveryFilter::default()).await[..] else { panic!("one delivery") };
    assert_eq!((view.status, &view.attempts[..]), (DeliveryStatus::Delivered, &attempts[..]));
}

async fn what_did_not_count_did_not_happen(world: World) {
    let s = slacked(&world).await;
    run_failed(&s, "r-1").await;
    let mut queued = None;
    for fate in [Fate::Postponed(SOON), Fate::Parked(SOON), Fate::Postponed(SOON)] {
        let message = claim_one(&world).await;
        assert_eq!(message.attempt, 0);
        queued.get_or_insert(message.queued_at);
        settle(&world, &message, None, fate).await;
        let parked = matches!(fate, Fate::Parked(_));
        let told = if parked { DeliveryStatus::Parked } else { DeliveryStatus::Pending };
        assert_eq!((status(&s, message.delivery).await, waiting(&s).await), (told, 1));
        assert_eq!(claim(&world, 10).await.len(), 0);
        world.pass(SOON).await;
    }
    let message = claim_one(&world).await;
    assert_eq!((message.attempt, message.parked), (0, false));
    settle(&world, &message, Some(&attempt(1, false)), Fate::Again(Duration::ZERO)).await;
    assert_eq!(claim_one(&world).await.attempt, 1);
}

async fn a_parked_delivery_comes_back_marked_when_its_time_is_over(world: World) {
    let s = slacked(&world).await;
    run_failed(&s, "r-1").await;
    let message = claim_one(&world).await;
    settle(&world, &message, Some(&attempt(1, false)), Fate::Parked(PARKED_FOR)).await;
    world.pass(PARKED_FOR - Duration::minutes(1)).await;
    assert_eq!(claim(&world, 10).await.len(), 0);
    world.pass(Duration::minutes(1)).await;
    let back = claim_one(&world).await;
    assert!(back.parked);
    world.store.release(&[back]).await.expect("given back");
    let back = claim_one(&world).await;
    assert!(back.parked, "nobody has looked after it yet");
    give_up(&world, &s, back.delivery).await;
    assert_eq!(status(&s, back.delivery).await, DeliveryStatus::Failed);
    let instead = claim_one(&world).await;
    let mail = delivery(&s, instead.delivery).await.delivery;
    assert_eq!((mail.instead_of, mail.destination), (Some(back.delivery), Destination::Member(s.admin.id)));
}

async fn a_connection_that_is_mended_gets_what_was_parked_for_it(world: World) {
    let s = slacked(&world).await;
    let other = quiet(&world, "other").await;
    connect(&world, &other, "T1", 1).await;
    choose(&other, FAILED, &[Channel::Slack], None).await.expect("chosen");
    for s in [&s, &other] {
        run_failed(s, "r-1").await;
    }
    for message in claim(&world, 10).await {
        settle(&world, &message, None, Fate::Parked(PARKED_FOR)).await;
    }
    world.pass(Duration::hours(1)).await;
    connect(&world, &s, "T1", 2).await;
    let message = claim_one(&world).await;
    assert_eq!((message.job, message.parked), (Job::Notification(s.workspace), false));
    assert_eq!(status(&s, message.delivery).await, DeliveryStatus::Pending);
    assert_eq!(status(&other, of_channel(&other, Channel::Slack).await).await, DeliveryStatus::Parked);
    // Another team is another connection: what was meant for the one of before is not sent there.
    settle(&world, &message, None, Fate::Parked(PARKED_FOR)).await;
    world.pass(Duration::hours(1)).await;
    connect(&world, &s, "T2", 3).await;
    assert_eq!(claim(&world, 10).await.len(), 0);
    assert!(outgoing(&world, &s, message.delivery).await.is_none());
}

async fn a_given_up_delivery_can_be_retried_from_the_start(world: World) {
    let (s, hook) = hooked(&world).await;
    run_failed(&s, "r-1").await;
    let message = claim_one(&world).await;
    settle(&world, &message, Some(&attempt(1, false)), Fate::Again(Duration::ZERO)).await;
    let message = claim_one(&world).await;
    assert_eq!(retry(&s, message.delivery).await.map(|_| ()), Err(No::Rule("delivery-not-failed")));
    give_up(&world, &s, message.delivery).await;
    let view = delivery(&s, message.delivery).await;
    assert_eq!((view.status, view.next_attempt_at, view.attempts.len()), (DeliveryStatus::Failed, None, 1));
    assert!(health(&s, hook.id).await.told_at.is_some(), "the admins were told");
    for mail in claim(&world, 10).await {
        assert_ne!(mail.delivery, message.delivery);
        settle(&world, &mail, None, Fate::Delivered).await;
    }
    world.pass(Duration::hours(80)).await;
    retry(&s, message.delivery).await.expect("queued again");
    let again = claim_one(&world).await;
    assert_eq!((again.delivery, again.attempt), (message.delivery, 0));
    let made = delivery(&s, message.delivery).await.delivery.created_at;
    assert!(again.queued_at - made >= Duration::hours(80), "as if it were queued now");
    settle(&world, &again, Some(&attempt(2, true)), Fate::Delivered).await;
    let view = delivery(&s, message.delivery).await;
    assert_eq!((view.status, view.attempts.len()), (DeliveryStatus::Delivered, 2));
    assert_eq!(retry(&s, message.delivery).await.map(|_| ()), Err(No::Rule("delivery-not-failed")));
}

async fn a_delivery_between_its_last_attempt_and_its_end_is_still_its_workers(world: World) {
    let (s, _) = hooked(&world).await;
    run_failed(&s, "r-1").await;
    let message = claim_one(&world).await;
    settle(&world, &message, Some(&attempt(1, false)), Fate::Ended).await;
    let view = delivery(&s, message.delivery).await;
    assert_eq!((view.status, view.attempts.len()), (DeliveryStatus::Pending, 1));
    assert_eq!(claim(&world, 10).await.len(), 0);
    // The worker dies in between: another one takes it up.
    world.pass(LEASE).await;
    let again = claim_one(&world).await;
    assert_eq!(again.attempt, 1);
    give_up(&world, &s, again.delivery).await;
    give_up(&world, &s, again.delivery).await;
    assert_eq!(status(&s, again.delivery).await, DeliveryStatus::Failed);
}

async fn a_worker_that_came_too_late_settles_nothing(world: World) {
    let (s, hook) = hooked(&world).await;
    run_failed(&s, "r-1").await;
    let late = claim_one(&world).await;
    world.pass(LEASE).await;
    let owner = claim_one(&world).await;
    let nothing = async |late: &Claimed| {
        let before = delivery(&s, late.delivery).await;
        for fate in [Fate::Dropped, Fate::Again(SOON), Fate::Postponed(SOON), Fate::Parked(SOON), Fate::Ended] {
            settle(&world, late, Some(&attempt(1, false)), fate).await;
            assert_eq!(delivery(&s, late.delivery).await, before);
            assert_eq!(health(&s, hook.id).await, Health::default());
        }
        assert_eq!(claim(&world, 10).await.len(), 0);
    };
    nothing(&late).await;
    // What does not count takes nothing off that is not its own.
    settle(&world, &owner, None, Fate::Postponed(Duration::minutes(1))).await;
    nothing(&late).await;
    world.pass(Duration::minutes(1)).await;
    let owner = claim_one(&world).await;
    assert_eq!(owner.attempt, 1, "the worker that died made an attempt, as far as anybody knows");
    // But what arrived has arrived, whoever brought it.
    settle(&world, &late, Some(&attempt(2, true)), Fate::Delivered).await;
    assert_eq!(status(&s, late.delivery).await, DeliveryStatus::Delivered);
    settle(&world, &owner, Some(&attempt(3, false)), Fate::Again(SOON)).await;
    let view = delivery(&s, late.delivery).await;
    assert_eq!((view.status, view.attempts.len()), (DeliveryStatus::Delivered, 1));
}

async fn a_webhook_fails_since_its_first_failure_until_it_takes_something(world: World) {
    let (s, webhook) = hooked(&world).await;
    let other = hook(&s, "https://other.example/", &[EventType::SecretRotated]).await.expect("a webhook");
    let attempted = async |n: i64, accepted: bool| {
        run_failed(&s, &format!("r-{n}")).await;
        let message = claim_one(&world).await;
        let fate = if accepted { Fate::Delivered } else { Fate::Again(Duration::days(1)) };
        settle(&world, &message, Some(&attempt(n, accepted)), fate).await;
        message.delivery
    };
    let since = async || health(&s, webhook.id).await.failing_since;
    attempted(1, true).await;
    assert_eq!(since().await, None);
    attempted(2, false).await;
    let third = attempted(3, false).await;
    assert_eq!(since().await, Some(attempt(2, false).at));
    assert_eq!(health(&s, other.id).await, Health::default());
    give_up(&world, &s, third).await;
    let told = health(&s, webhook.id).await;
    assert!(told.failing_since == Some(attempt(2, false).at) && told.told_at.is_some());
    for message in claim(&world, 10).await {
        settle(&world, &message, Some(&attempt(4, false)), Fate::Delivered).await;
    }
    assert_eq!(health(&s, webhook.id).await, told, "mails say nothing of a webhook");
    attempted(5, true).await;
    assert_eq!(health(&s, webhook.id).await, Health::default());
    attempted(6, false).await;
    assert_eq!(since().await, Some(attempt(6, false).at));
    let to = |status| SubscriptionPatch { status: Some(status), ..SubscriptionPatch::default() };
    let events = SubscriptionPatch { events: Some([FAILED].into()), ..SubscriptionPatch::default() };
    patch_hook(&s, webhook.id, events).await;
    patch_hook(&s, webhook.id, to(SubscriptionStatus::Disabled)).await;
    assert_eq!(since().await, Some(attempt(6, false).at));
    patch_hook(&s, webhook.id, to(SubscriptionStatus::Active)).await;
    assert_eq!(health(&s, webhook.id).await, Health::default(), "what becomes active is taken for healthy");
}

async fn whoever_is_gone_gets_nothing(world: World) {
    let s = quiet(&world, "acme").await;
    let admin = s.editor_turned_admin().await;
    connect(&world, &s, "T1", 1).await;
    let webhook = hook(&s, "https://hooks.example/in", &[FAILED]).await.expect("a webhook");
    choose(&s, FAILED, &[Channel::Slack, Channel::Webhook, Channel::Email], Some(&["ops@out.example"])).await.expect("chosen");
    choose(&s, EventType::SecretRotated, &[Channel::Email], None).await.expect("chosen");
    run_failed(&s, "r-1").await;
    super::telling::publish(&s, "s-1", EventType::SecretRotated).await.expect("an event");
    let find = async |fits: &dyn Fn(Destination) -> bool| {
        let all = ledger(&s, DeliveryFilter::default()).await;
        all.into_iter().find(|v| fits(v.delivery.destination)).expect("a delivery").delivery.id
    };
    let member = find(&|d| d == Destination::Member(s.editor.id)).await;
    let recipient = find(&|d| matches!(d, Destination::Recipient(_))).await;
    let (slack, hooked) = (of_channel(&s, Channel::Slack).await, of_channel(&s, Channel::Webhook).await);
    let there = async |id| outgoing(&world, &s, id).await.is_some();
    for id in [member, recipient, slack, hooked] {
        assert!(there(id).await);
    }
    let letter = outgoing(&world, &s, member).await.expect("somebody to tell");
    assert!(matches!(letter.to, OutgoingTo::Mail(to) if to == s.editor.email));
    choose(&s, FAILED, &[Channel::Email], Some(&[])).await.expect("chosen");
    assert!(!there(recipient).await, "the address was forgotten");
    drop_hook(&s, webhook.id).await;
    assert!(!there(hooked).await);
    // Whoever is made an editor again is told nothing new, but gets what was meant for them; whoever is removed does not.
    s.change_role(&s.admin.caller, s.editor.id, settings_domain::policy::Role::Editor).await.expect("another role");
    assert!(there(member).await);
    s.remove(&s.admin.caller, s.editor.id, TheirKeys::Keep).await.expect("a removal");
    assert!(!there(member).await);
    let _ = admin;
    world.pass(Duration::minutes(1)).await;
    connect(&world, &s, "T2", 2).await;
    assert!(!there(slack).await, "another team is another receiver");
    let own = find(&|d| d == Destination::Member(s.admin.id)).await;
    assert!(there(own).await);
    s.delete().await.expect("deleted");
    assert!(!there(own).await);
    for message in claim(&world, 10).await {
        settle(&world, &message, None, Fate::Dropped).await;
    }
    assert_eq!(world.store.depth().await.expect("a count"), 0, "what a deleted workspace owed is dropped");
}

async fn the_ledger_is_told_newest_first_by_what_is_asked(world: World) {
    let s = quiet(&world, "acme").await;
    hook(&s, "https://hooks.example/in", &[FAILED]).await.expect("a webhook");
    choose(&s, FAILED, &[Channel::Email, Channel::Webhook], None).await.expect("chosen");
    let mut events = Vec::new();
    for n in 0..4 {
        events.push(run_failed(&s, &format!("r-{n}")).await.event.id);
    }
    for message in claim(&world, 3).await {
        settle(&world, &message, None, Fate::Delivered).await;
    }
    let all = ledger(&s, DeliveryFilter::default()).await;
    assert_eq!(all.len(), 8);
    assert!(all.windows(2).all(|w| w[0].delivery.id > w[1].delivery.id), "newest first");
    let statuses = [None, Some(DeliveryStatus::Pending), Some(DeliveryStatus::Delivered), Some(DeliveryStatus::Failed)];
    let channels = [None, Some(Channel::Email), Some(Channel::Webhook), Some(Channel::Slack)];
    for status in statuses {
        for channel in channels {
            for event in [None, events.first().copied(), events.last().copied()] {
                let fits = |v: &&settings_domain::deliveries::DeliveryView| {
                    status.is_none_or(|x| v.status == x)
                        && channel.is_none_or(|x| v.delivery.destination.channel() == x)
                        && event.is_none_or(|x| v.delivery.message == Message::Event(x))
                };
                let expected: Vec<_> = all.iter().filter(fits).cloned().collect();
                let filter = DeliveryFilter { status, channel, event };
                assert_eq!(ledger(&s, filter).await, expected, "{filter:?}");
                let mut paged = Vec::new();
                let mut after = None;
                loop {
                    let page = Page { after, limit: 2 };
                    let some = s.reads().await.deliveries(filter, page).await.expect("a read");
                    after = some.last().map(|v| v.delivery.id.as_uuid());
                    if after.is_none() {
                        break;
                    }
                    paged.extend(some);
                }
                assert_eq!(paged, expected, "{filter:?}, page by page");
            }
        }
    }
}

async fn what_nobody_waits_for_is_forgotten_after_a_month(world: World) {
    let (s, _) = hooked(&world).await;
    let mut messages = Vec::new();
    for n in 0..4 {
        run_failed(&s, &format!("r-{n}")).await;
        messages.push(claim_one(&world).await);
    }
    let [taken, dropped, failed, waits] = &messages[..] else { panic!("four messages") };
    settle(&world, taken, Some(&attempt(1, true)), Fate::Delivered).await;
    settle(&world, dropped, None, Fate::Dropped).await;
    settle(&world, failed, Some(&attempt(2, false)), Fate::Ended).await;
    give_up(&world, &s, failed.delivery).await;
    settle(&world, waits, Some(&attempt(3, false)), Fate::Again(Duration::days(40))).await;
    for mail in claim(&world, 10).await {
        settle(&world, &mail, None, Fate::Delivered).await;
    }
    let tidy = async || world.store.tidy().await.expect("tidied");
    let all = ledger(&s, DeliveryFilter::default()).await.len();
    world.pass(Duration::days(29)).await;
    tidy().await;
    assert_eq!(ledger(&s, DeliveryFilter::default()).await.len(), all);
    assert!(run_failed(&s, "r-0").await.known, "an event is known for a month");
    world.pass(Duration::days(2)).await;
    assert!(tidy().await > 0);
    assert_eq!(tidy().await, 0);
    let left = ledger(&s, DeliveryFilter::default()).await;
    assert_eq!(left.iter().map(|v| v.delivery.id).collect::<Vec<_>>(), [waits.delivery]);
    assert_eq!((left[0].attempts.len(), left[0].event_type), (1, Some(FAILED)), "its event is kept with it");
    assert_eq!(world.store.depth().await.expect("a count"), 1);
    assert!(!run_failed(&s, "r-0").await.known);
    assert!(run_failed(&s, "r-3").await.known);
    assert_eq!(s.verify().await.first_broken, None);
}
