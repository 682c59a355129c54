//! Signed checkpoints: kept once, in order, and found by what has grown since.
use super::{Scenario, Tamper, World};
use settings_domain::{
    audit::checkpoints::{Checkpoint, Grown},
    ids::WorkspaceId,
    ports::{
        audit::{Link, Statement},
        store::Page,
    },
};

cases![
    a_chain_has_grown_until_its_end_is_signed,
    each_checkpoint_is_followed_once_whoever_is_first,
    checkpoints_are_read_in_order_and_stay_in_their_tenant,
    a_deleted_workspace_is_signed_to_its_end,
    upkeep_drops_no_checkpoint_and_no_event,
    a_log_that_is_whole_in_itself_and_lacks_what_was_signed_is_found,
];

async fn grown(world: &World) -> Vec<Grown> {
    world.store.grown(Page { after: None, limit: 100 }).await.expect("a list")
}
async fn grown_of(world: &World, workspace: WorkspaceId) -> Option<Grown> {
    grown(world).await.into_iter().find(|g| g.workspace == workspace)
}
/// A checkpoint of the chain's present end.
async fn of_the_end(world: &World, workspace: WorkspaceId, previous: Option<Link>) -> Checkpoint {
    let part = world.store.stretch(workspace, 0, 1_000).await.expect("a stretch");
    let last = part.events.last().expect("an event");
    let link = Link { seq: last.record.seq, hash: last.hash };
    let statement = Statement { workspace, link, previous, at: Some(world.clock.now()) };
    let note = world.sealer.state(&statement).expect("a note");
    assert_eq!(world.sealer.read_checkpoint(&note), Some(statement));
    let signed_at = grown_of(world, workspace).await.map_or_else(|| world.clock.now(), |g| g.now);
    Checkpoint { link, previous_seq: previous.map_or(0, |p| p.seq), note, signed_at }
}
async fn keep(world: &World, workspace: WorkspaceId, checkpoint: &Checkpoint) -> bool {
    world.store.keep(workspace, checkpoint).await.expect("an answer")
}

async fn a_chain_has_grown_until_its_end_is_signed(world: World) {
    let s = Scenario::acme(&world).await;
    let before = grown_of(&world, s.workspace).await.expect("a new chain has grown");
    assert_eq!((before.signed, before.signed_at), (0, None));
    assert_eq!(before.head, s.verify().await.events);
    assert!(before.is_due(), "the first checkpoint does not wait");
    let first = of_the_end(&world, s.workspace, None).await;
    assert!(keep(&world, s.workspace, &first).await);
    assert_eq!(grown_of(&world, s.workspace).await, None);
    s.seats(30).await.expect("more seats");
    let after = grown_of(&world, s.workspace).await.expect("it has grown again");
    assert_eq!((after.head, after.signed, after.signed_at), (before.head + 1, before.head, Some(first.signed_at)));
    assert!(!after.is_due(), "a minute has not passed");
    let page = world.store.grown(Page { after: Some(s.workspace.as_uuid()), limit: 100 }).await.expect("a list");
    assert!(page.iter().all(|g| g.workspace > s.workspace));
    assert_eq!(world.store.grown(Page { after: None, limit: 0 }).await.expect("a list"), []);
}

async fn each_checkpoint_is_followed_once_whoever_is_first(world: World) {
    let s = Scenario::acme(&world).await;
    let first = of_the_end(&world, s.workspace, None).await;
    s.seats(30).await.expect("more seats");
    // Another process saw a later end, and also none before.
    let late = of_the_end(&world, s.workspace, None).await;
    assert!(keep(&world, s.workspace, &first).await);
    assert!(!keep(&world, s.workspace, &first).await, "the same again");
    assert!(!keep(&world, s.workspace, &late).await, "there is a first one already");
    let second = of_the_end(&world, s.workspace, Some(first.link)).await;
    assert!(keep(&world, s.workspace, &second).await);
    assert_eq!(world.store.newest(s.workspace).await.expect("an answer"), Some(second));
}

async fn checkpoints_are_read_in_order_and_stay_in_their_tenant(world: World) {
    let (s, other) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let mut kept: Vec<Checkpoint> = Vec::new();
    for seats in 30..33 {
        s.seats(seats).await.expect("more seats");
        let next = of_the_end(&world, s.workspace, kept.last().map(|c| c.link)).await;
        assert!(keep(&world, s.workspace, &next).await);
        kept.push(next);
    }
    let after = |seq, limit| world.store.after(s.workspace, seq, limit);
    assert_eq!(after(0, 10).await.expect("checkpoints"), kept);
    let (first, rest) = kept.split_first().expect("three");
    let (_, two) = kept.split_last().expect("three");
    assert_eq!(after(0, 2).await.expect("checkpoints"), two);
    assert_eq!(after(first.link.seq, 10).await.expect("checkpoints"), rest);
    assert_eq!(world.store.newest(other.workspace).await.expect("an answer"), None);
    assert_eq!(world.store.after(other.workspace, 0, 10).await.expect("checkpoints"), []);
}

async fn a_deleted_workspace_is_signed_to_its_end(world: World) {
    let s = Scenario::acme(&world).await;
    s.delete().await.expect("deleted");
    let grown = grown_of(&world, s.workspace).await.expect("it has grown");
    let last = of_the_end(&world, s.workspace, None).await;
    assert_eq!(last.link.seq, grown.head);
    assert!(keep(&world, s.workspace, &last).await);
    assert_eq!(grown_of(&world, s.workspace).await, None);
}

async fn upkeep_drops_no_checkpoint_and_no_event(world: World) {
    let s = Scenario::acme(&world).await;
    let first = of_the_end(&world, s.workspace, None).await;
    assert!(keep(&world, s.workspace, &first).await);
    let events = s.verify().await;
    world.pass(time::Duration::days(5_000)).await;
    world.store.tidy().await.expect("tidied");
    assert_eq!(s.verify().await, events, "the audit log outlives whatever retention a workspace has");
    assert_eq!(world.store.after(s.workspace, 0, 10).await.expect("checkpoints"), [first]);
}

async fn a_log_that_is_whole_in_itself_and_lacks_what_was_signed_is_found(world: World) {
    let s = Scenario::acme(&world).await;
    s.app.sign_all_checkpoints().await.expect("signed");
    let signed = s.verify().await;
    assert_eq!(signed.first_broken, None);
    // All of it, with the mark of its end: nothing in the chain itself says that anything was there.
    world.tamper(s.workspace, Tamper::TruncateAfter(0)).await;
    world.tamper(s.workspace, Tamper::ForgetHead).await;
    let found = s.verify().await.first_broken.expect("a fault");
    assert_eq!((found.seq, found.fault), (signed.events, "it was signed, and is not there any more"));
}
