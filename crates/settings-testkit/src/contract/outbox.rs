//! Owed messages: at least once, to one worker at a time, and never what is no longer true (promise P8).
use super::{Scenario, World, scenario::account};
use crate::entropy::FixedMint;
use secrecy::ExposeSecret as _;
use settings_domain::{
    ids::{DeliveryId, InvitationId, UserId, WorkspaceId},
    invitations::{EmailStatus, Invitation, LIFETIME},
    policy::Role,
    ports::{
        Entropy as _,
        outbox::{AskLetter, Claimed, Job},
        tokens::TokenMint as _,
    },
    workspaces::WorkspacePatch,
};
use std::{collections::BTreeSet, sync::Arc};
use time::Duration;
use tokio::task::JoinSet;

cases![
    an_invitation_owes_one_mail,
    a_message_is_taken_by_one_worker_at_a_time,
    ten_parallel_workers_share_thirty_messages,
    a_message_comes_back_when_its_worker_dies,
    a_message_waits_as_long_as_it_was_told_to,
    a_message_that_was_postponed_was_not_tried,
    a_message_that_was_given_up_never_comes_again,
    a_message_that_is_done_never_comes_again,
    a_message_that_was_given_back_comes_at_once,
    a_worker_that_came_too_late_disturbs_nobody,
    a_letter_says_what_holds_when_it_is_written,
    what_is_no_longer_wanted_has_no_letter,
    each_admin_is_told_once_that_somebody_asks_for_a_new_link,
    nobody_is_told_of_an_ask_that_is_answered,
];

const LEASE: Duration = Duration::minutes(5);

/// A workspace whose founding messages are all sent.
async fn quiet(world: &World) -> Scenario {
    let s = Scenario::acme(world).await;
    for message in claim(world, 100).await {
        world.store.done(&message, true).await.expect("settled");
    }
    assert_eq!(depth(world).await, 0);
    s
}
async fn claim(world: &World, limit: i64) -> Vec<Claimed> {
    world.store.claim(limit, LEASE).await.expect("messages")
}
async fn depth(world: &World) -> i64 {
    world.store.depth().await.expect("a count")
}
async fn invite(s: &Scenario, n: usize) -> Invitation {
    s.invite(&s.admin.caller, &format!("guest{n}@people.example"), Role::Viewer).await.expect("an invitation")
}
async fn status(s: &Scenario, id: InvitationId) -> EmailStatus {
    s.reads().await.invitation(id).await.expect("a read").expect("an invitation").invitation.email_status
}

async fn an_invitation_owes_one_mail(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    assert_eq!(depth(&world).await, 1);
    let claimed = claim(&world, 10).await;
    let [message] = &claimed[..] else { panic!("one message") };
    assert_eq!((message.attempt, message.job), (0, Job::Invitation(s.workspace, sent.id, 1)));
    assert_eq!(depth(&world).await, 1, "it still waits to be settled");
    world.store.done(message, true).await.expect("settled");
    assert_eq!((depth(&world).await, status(&s, sent.id).await), (0, EmailStatus::Sent));
    s.resend(&s.admin.caller, sent.id).await.expect("a new link");
    assert_eq!(status(&s, sent.id).await, EmailStatus::Queued);
    let claimed = claim(&world, 10).await;
    let [again] = &claimed[..] else { panic!("one message") };
    assert_eq!(again.job, Job::Invitation(s.workspace, sent.id, 2));
    assert_ne!(again.delivery, message.delivery);
}

async fn a_message_is_taken_by_one_worker_at_a_time(world: World) {
    let s = quiet(&world).await;
    invite(&s, 1).await;
    invite(&s, 2).await;
    assert_eq!(claim(&world, 0).await.len(), 0);
    assert_eq!(claim(&world, 1).await.len(), 1);
    assert_eq!(claim(&world, 10).await.len(), 1);
    assert_eq!(claim(&world, 10).await.len(), 0);
    world.pass(LEASE - Duration::seconds(30)).await;
    assert_eq!(claim(&world, 10).await.len(), 0);
}

async fn ten_parallel_workers_share_thirty_messages(world: World) {
    let s = quiet(&world).await;
    s.seats(100).await.expect("more seats");
    for n in 0..30 {
        invite(&s, n).await;
    }
    let mut workers = JoinSet::new();
    for _ in 0..10 {
        let store = Arc::clone(&world.store);
        workers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let some = store.claim(2, LEASE).await.expect("messages");
                if some.is_empty() {
                    break taken;
                }
                taken.extend(some.into_iter().map(|m| m.delivery));
                assert!(taken.len() <= 30, "a message comes again while it is somebody's");
            }
        });
    }
    let taken = workers.join_all().await.concat();
    // On some stores a worker may find nothing while another one is taking: what is left comes next time.
    let rest: Vec<DeliveryId> = claim(&world, 100).await.into_iter().map(|m| m.delivery).collect();
    let all: Vec<_> = taken.into_iter().chain(rest).collect();
    assert_eq!(all.len(), 30, "none twice");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 30, "none lost");
}

async fn a_message_comes_back_when_its_worker_dies(world: World) {
    let s = quiet(&world).await;
    invite(&s, 1).await;
    for attempt in 0..3 {
        let claimed = claim(&world, 10).await;
        let [message] = &claimed[..] else { panic!("one message, attempt {attempt}") };
        assert_eq!(message.attempt, attempt);
        world.pass(LEASE).await;
    }
}

async fn a_message_waits_as_long_as_it_was_told_to(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    let message = claim(&world, 10).await.remove(0);
    world.store.retry(&message, Duration::minutes(30), "mail server unavailable").await.expect("later");
    assert_eq!((claim(&world, 10).await.len(), depth(&world).await), (0, 1));
    world.pass(Duration::minutes(29)).await;
    assert_eq!(claim(&world, 10).await.len(), 0);
    world.pass(Duration::minutes(1)).await;
    let again = claim(&world, 10).await.remove(0);
    assert_eq!((again.delivery, again.attempt, again.job), (message.delivery, 1, message.job));
    assert_eq!(status(&s, sent.id).await, EmailStatus::Queued);
}

async fn a_message_that_was_postponed_was_not_tried(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    for _ in 0..3 {
        let message = claim(&world, 10).await.remove(0);
        assert_eq!(message.attempt, 0);
        world.store.postpone(&message, Duration::minutes(10), "the mail server is left alone").await.expect("later");
        world.pass(Duration::minutes(9)).await;
        assert_eq!((claim(&world, 10).await.len(), depth(&world).await), (0, 1));
        world.pass(Duration::minutes(1)).await;
    }
    assert_eq!(status(&s, sent.id).await, EmailStatus::Queued);
    // Its lease is over and another worker has it: who comes too late takes nothing off.
    let late = claim(&world, 10).await.remove(0);
    world.pass(LEASE).await;
    let owner = claim(&world, 10).await.remove(0);
    world.store.postpone(&late, Duration::ZERO, "late").await.expect("nothing happens");
    assert_eq!((claim(&world, 10).await.len(), owner.attempt), (0, 1));
}

async fn a_message_that_was_given_up_never_comes_again(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    let message = claim(&world, 10).await.remove(0);
    world.store.dead(&message, "refused by the mail server").await.expect("given up");
    assert_eq!((depth(&world).await, status(&s, sent.id).await), (0, EmailStatus::Failed));
    world.pass(Duration::hours(1)).await;
    assert_eq!(claim(&world, 10).await.len(), 0);
}

async fn a_message_that_is_done_never_comes_again(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    let message = claim(&world, 10).await.remove(0);
    world.store.done(&message, false).await.expect("no longer wanted");
    assert_eq!(status(&s, sent.id).await, EmailStatus::Queued, "it was not sent");
    world.pass(Duration::hours(1)).await;
    assert_eq!((claim(&world, 10).await.len(), depth(&world).await), (0, 0));
    world.store.retry(&message, Duration::ZERO, "late").await.expect("nothing happens");
    world.store.release(&[message]).await.expect("nothing happens");
    assert_eq!(claim(&world, 10).await.len(), 0);
}

async fn a_message_that_was_given_back_comes_at_once(world: World) {
    let s = quiet(&world).await;
    invite(&s, 1).await;
    invite(&s, 2).await;
    let claimed = claim(&world, 10).await;
    assert_eq!(claimed.len(), 2);
    world.store.release(&claimed).await.expect("given back");
    world.store.release(&[]).await.expect("nothing to give back");
    let again = claim(&world, 10).await;
    assert_eq!(again.iter().map(|m| m.attempt).collect::<Vec<_>>(), [0, 0], "an untouched message was not tried");
}

/// Its lease was over and another worker has the message by now.
async fn a_worker_that_came_too_late_disturbs_nobody(world: World) {
    let s = quiet(&world).await;
    let sent = invite(&s, 1).await;
    let late = claim(&world, 10).await.remove(0);
    world.pass(LEASE).await;
    let owner = claim(&world, 10).await.remove(0);
    world.store.retry(&late, Duration::ZERO, "late").await.expect("nothing happens");
    world.store.release(std::slice::from_ref(&late)).await.expect("nothing happens");
    assert_eq!(claim(&world, 10).await.len(), 0, "the message is still the other worker's");
    world.store.done(&owner, true).await.expect("settled");
    world.store.dead(&late, "late").await.expect("nothing comes of it");
    assert_eq!(claim(&world, 10).await.len(), 0);
    assert_eq!(depth(&world).await, 0);
    // What became of a link's predecessor says nothing of the link.
    s.resend(&s.admin.caller, sent.id).await.expect("a new link");
    world.store.done(&late, true).await.expect("nothing comes of it");
    assert_eq!(status(&s, sent.id).await, EmailStatus::Queued);
}

async fn a_letter_says_what_holds_when_it_is_written(world: World) {
    let s = quiet(&world).await;
    let typed = "New.Guest@People.Example";
    let sent = s.invite(&s.admin.caller, typed, Role::Editor).await.expect("an invitation");
    let name = WorkspacePatch { name: Some("Renamed".parse().expect("a name")), ..WorkspacePatch::default() };
    s.update(&s.admin.caller, name).await.expect("renamed");
    let letter = world.store.invitation_letter(s.workspace, sent.id, 1).await.expect("an answer").expect("a letter");
    assert_eq!((letter.to.as_str(), letter.role), (typed, Role::Editor));
    assert_eq!((letter.workspace.as_str(), letter.expires_at), ("Renamed", sent.expires_at));
    assert_eq!(letter.inviter.as_deref(), Some("admin-acme the pérson"));
    let by_platform = s.invite(&s.founder.caller, "second@people.example", Role::Viewer).await.expect("an invitation");
    assert!(world.store.invitation_letter(s.workspace, by_platform.id, 1).await.expect("an answer").is_some());
}

async fn what_is_no_longer_wanted_has_no_letter(world: World) {
    let s = quiet(&world).await;
    let letter = async |workspace: WorkspaceId, i: &Invitation, generation| {
        world.store.invitation_letter(workspace, i.id, generation).await.expect("an answer").is_some()
    };
    let renewed = invite(&s, 1).await;
    s.resend(&s.admin.caller, renewed.id).await.expect("a new link");
    assert!(!letter(s.workspace, &renewed, 1).await, "its link is dead");
    assert!(letter(s.workspace, &renewed, 2).await);
    assert!(!letter(s.workspace, &renewed, 3).await);
    let revoked = invite(&s, 2).await;
    s.take_back(&s.admin.caller, revoked.id).await.expect("taken back");
    assert!(!letter(s.workspace, &revoked, 1).await);
    let guest = account(&world, "guest3", false).await;
    let accepted = invite(&s, 3).await;
    s.accept(&guest, &accepted).await.expect("joined");
    assert!(!letter(s.workspace, &accepted, 1).await);
    let other = Scenario::called(&world, "other").await;
    assert!(!letter(other.workspace, &renewed, 2).await, "an invitation is one tenant's");
    let over = invite(&s, 4).await;
    world.pass(LIFETIME).await;
    assert!(!letter(s.workspace, &over, 1).await);
}

/// Asks by the link of this generation.
async fn ask(s: &Scenario, id: InvitationId, generation: i64) {
    let token = FixedMint.invitation(id, generation).text;
    s.app.ask_for_invitation(token.expose_secret()).await.expect("an answer");
}
async fn ask_letter(world: &World, s: &Scenario, message: &Claimed) -> Option<AskLetter> {
    world.store.ask_letter(s.workspace, message.delivery).await.expect("an answer")
}

async fn each_admin_is_told_once_that_somebody_asks_for_a_new_link(world: World) {
    let s = quiet(&world).await;
    s.editor_turned_admin().await;
    let sent = invite(&s, 1).await;
    world.store.done(claim(&world, 10).await.first().expect("a message"), true).await.expect("sent");
    ask(&s, sent.id, 1).await;
    assert_eq!(depth(&world).await, 0, "its link works still");
    world.pass(LIFETIME).await;
    s.app.ask_for_invitation("inv_nonsense").await.expect("an answer like every other");
    ask(&s, InvitationId::from_uuid(world.entropy.uuid()), 1).await;
    ask(&s, sent.id, 2).await;
    assert_eq!(depth(&world).await, 0, "no link of it");
    for _ in 0..3 {
        ask(&s, sent.id, 1).await;
    }
    let asked = claim(&world, 10).await;
    assert_eq!(asked.iter().map(|m| m.job).collect::<Vec<_>>(), [Job::InvitationAsked(s.workspace, sent.id); 2]);
    let mut told = BTreeSet::new();
    for message in &asked {
        let letter = ask_letter(&world, &s, message).await.expect("a letter");
        assert_eq!((letter.invited.as_str(), letter.slug.as_str()), (sent.email.as_str(), "acme"));
        assert!(letter.workspace.contains("acme"));
        told.insert(letter.to.as_str().to_owned());
        world.store.done(message, true).await.expect("sent");
    }
    assert_eq!(told, BTreeSet::from([s.admin.email.as_str().to_owned(), s.editor.email.as_str().to_owned()]));
    assert_eq!(status(&s, sent.id).await, EmailStatus::Sent, "what the invitation's own mail came to");
    ask(&s, sent.id, 1).await;
    assert_eq!(depth(&world).await, 0, "once");
    // Another link is another matter.
    s.resend(&s.admin.caller, sent.id).await.expect("a new link");
    world.pass(LIFETIME).await;
    let before = depth(&world).await;
    ask(&s, sent.id, 2).await;
    assert_eq!(depth(&world).await, before + 2);
}

async fn nobody_is_told_of_an_ask_that_is_answered(world: World) {
    let s = quiet(&world).await;
    s.editor_turned_admin().await;
    let sent = invite(&s, 1).await;
    world.store.done(claim(&world, 10).await.first().expect("a message"), true).await.expect("sent");
    world.pass(LIFETIME).await;
    ask(&s, sent.id, 1).await;
    let asked = claim(&world, 10).await;
    assert_eq!(asked.len(), 2);
    s.change_role(&s.admin.caller, s.editor.id, Role::Viewer).await.expect("another role");
    let mut letters = 0;
    for message in &asked {
        letters += usize::from(ask_letter(&world, &s, message).await.is_some());
    }
    assert_eq!(letters, 1, "who is no admin any more hears nothing");
    let other = Scenario::called(&world, "other").await;
    assert!(ask_letter(&world, &other, asked.first().expect("a message")).await.is_none(), "a message is one tenant's");
    let unknown = DeliveryId::from_uuid(world.entropy.uuid());
    assert!(world.store.ask_letter(s.workspace, unknown).await.expect("an answer").is_none());
    s.resend(&s.admin.caller, sent.id).await.expect("a new link");
    for message in &asked {
        assert!(ask_letter(&world, &s, message).await.is_none(), "it was sent again");
    }
    let nobody: &[(UserId, DeliveryId)] = &[];
    world.store.ask_admins(s.workspace, sent.id, 2, nobody).await.expect("nothing happens");
}
