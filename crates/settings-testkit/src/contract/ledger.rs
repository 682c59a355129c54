//! The ledger as it is read: newest first, of this tenant alone, for a month; and nobody gets what is no longer theirs (NO10).
use super::{
    World,
    deliveries::{FAILED, hooked, of_channel},
    telling::{
        attempt, choose, claim, claim_one, connect, drop_hook, give_up, hook, ledger, outgoing, quiet, run_failed, settle,
    },
};
use settings_app::members::TheirKeys;
use settings_domain::{
    deliveries::{DeliveryStatus, Destination, Message, OutgoingTo},
    notifications::Channel,
    policy::EventType,
    ports::{
        outbox::Fate,
        store::{DeliveryFilter, Page},
    },
};
use time::Duration;

cases![
    whoever_is_gone_gets_nothing,
    the_ledger_is_told_newest_first_by_what_is_asked,
    what_nobody_waits_for_is_forgotten_after_a_month,
];

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
    assert!(all.is_sorted_by(|newer, older| newer.delivery.id > older.delivery.id), "newest first");
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
    let kept: Vec<_> = left.iter().map(|d| (d.attempts.len(), d.event_type)).collect();
    assert_eq!(kept, [(1, Some(FAILED))], "its event is kept with it");
    assert_eq!(world.store.depth().await.expect("a count"), 1);
    assert!(!run_failed(&s, "r-0").await.known);
    assert!(run_failed(&s, "r-3").await.known);
    assert_eq!(s.verify().await.first_broken, None);
}
