//! Whose turn it is: one workspace's flood delays nobody else (NO06, NO15).
use super::{
    World,
    scenario::account,
    telling::{choose, claim, quiet, run_failed, settle},
};
use settings_domain::{
    ids::{DeliveryId, SignInId, WorkspaceId},
    notifications::Channel,
    policy::EventType,
    ports::{
        Entropy as _,
        accounts::{LINK_LIFETIME, SignInLink},
        outbox::{Claimed, Fate, Job},
        tokens::TokenMint as _,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use time::Duration;
use tokio::task::JoinSet;

cases![
    a_flood_of_one_workspace_delays_nobody_else,
    a_workspace_that_is_alone_gets_everything,
    sign_in_mails_have_a_turn_of_their_own,
    what_is_not_due_takes_no_turn,
    no_two_workers_take_the_same_message_of_a_flood,
];

/// How many of the messages are each workspace's.
fn shares(claimed: &[Claimed]) -> BTreeMap<Option<WorkspaceId>, usize> {
    let mut shares = BTreeMap::new();
    for message in claimed {
        let whose = match message.job {
            Job::Notification(workspace)
            | Job::Invitation(workspace, ..)
            | Job::InvitationAsked(workspace, _)
            | Job::AuditDigest(workspace, ..)
            | Job::MemberErased(workspace, ..) 
            | Job::SeatQuantity(workspace) => Some(workspace),
            Job::SignIn(_) => None,
        };
        *shares.entry(whose).or_default() += 1;
    }
    shares
}
/// A workspace that owes one admin this many mails.
async fn owing(world: &World, slug: &str, mails: usize) -> WorkspaceId {
    let s = quiet(world, slug).await;
    for n in 0..mails {
        run_failed(&s, &format!("r-{n}")).await;
    }
    s.workspace
}

async fn a_flood_of_one_workspace_delays_nobody_else(world: World) {
    let flood = quiet(&world, "flood").await;
    let (few, one) = (quiet(&world, "few").await, quiet(&world, "one").await);
    for n in 0..40 {
        run_failed(&flood, &format!("r-{n}")).await;
    }
    for (s, mails) in [(&few, 4), (&one, 1)] {
        for n in 0..mails {
            run_failed(s, &format!("r-{n}")).await;
        }
    }
    let (flood, few, one) = (Some(flood.workspace), Some(few.workspace), Some(one.workspace));
    let first = claim(&world, 3).await;
    assert_eq!(shares(&first), BTreeMap::from([(flood, 1), (few, 1), (one, 1)]), "one each before anybody's second");
    let second = claim(&world, 10).await;
    assert_eq!(shares(&second), BTreeMap::from([(flood, 7), (few, 3)]), "what is left over goes to whoever has more");
    assert_eq!(shares(&claim(&world, 100).await), BTreeMap::from([(flood, 32)]));
}

async fn a_workspace_that_is_alone_gets_everything(world: World) {
    let alone = owing(&world, "alone", 20).await;
    let first = claim(&world, 12).await;
    assert_eq!(shares(&first), BTreeMap::from([(Some(alone), 12)]));
    let ids: Vec<_> = first.iter().map(|m| m.delivery).collect::<BTreeSet<_>>().into_iter().collect();
    let rest: BTreeSet<_> = claim(&world, 100).await.into_iter().map(|m| m.delivery).collect();
    assert_eq!(rest.len(), 8);
    assert!(ids.last() < rest.first(), "in the order in which they were queued");
}

async fn sign_in_mails_have_a_turn_of_their_own(world: World) {
    let flood = owing(&world, "flood", 10).await;
    account(&world, "ada", false).await;
    for _ in 0..3 {
        let id = SignInId::from_uuid(world.entropy.uuid());
        let token = crate::entropy::FixedMint.sign_in(id).digest;
        let email = "ada@people.example".parse().expect("an address");
        let delivery = Some(DeliveryId::from_uuid(world.entropy.uuid()));
        let link = SignInLink { id, token, email, delivery, lifetime: LINK_LIFETIME };
        world.store.keep_sign_in(&link).await.expect("kept");
    }
    assert_eq!(shares(&claim(&world, 4).await), BTreeMap::from([(None, 2), (Some(flood), 2)]));
}

async fn what_is_not_due_takes_no_turn(world: World) {
    let (early, late) = (quiet(&world, "early").await, quiet(&world, "late").await);
    choose(&early, EventType::RunFailed, &[Channel::Email], Some(&["a@out.example", "b@out.example"])).await.expect("chosen");
    run_failed(&early, "r-1").await;
    run_failed(&late, "r-1").await;
    for message in claim(&world, 10).await {
        if message.job == Job::Notification(late.workspace) {
            settle(&world, &message, None, Fate::Again(Duration::minutes(30))).await;
        } else {
            world.store.release(&[message]).await.expect("given back");
        }
    }
    assert_eq!(shares(&claim(&world, 10).await), BTreeMap::from([(Some(early.workspace), 2)]));
    assert_eq!(claim(&world, 10).await.len(), 0, "what is taken takes none either");
    world.pass(Duration::minutes(30)).await;
    assert_eq!(shares(&claim(&world, 10).await).get(&Some(late.workspace)), Some(&1));
}

async fn no_two_workers_take_the_same_message_of_a_flood(world: World) {
    owing(&world, "flood", 60).await;
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&world.store);
        workers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let some = store.claim(4, Duration::minutes(5)).await.expect("messages");
                if some.is_empty() {
                    break taken;
                }
                taken.extend(some.into_iter().map(|m| m.delivery));
            }
        });
    }
    let mut all: Vec<DeliveryId> = workers.join_all().await.concat();
    // On some stores a worker may find nothing while another one is taking: what is left comes next time.
    all.extend(claim(&world, 100).await.into_iter().map(|m| m.delivery));
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (60, 60), "none twice and none lost");
}
