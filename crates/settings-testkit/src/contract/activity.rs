//! When keys and members were last seen.
use super::{Scenario, World};
use settings_domain::{
    policy::Scope,
    ports::{
        directory::{Sightings},
        store::{ApiKeyFilter, MemberFilter},
    },
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

cases![
    the_latest_sighting_is_kept_and_shown,
    sightings_come_in_any_order_and_at_once,
    a_sighting_in_one_workspace_shows_in_no_other,
    a_sighting_does_not_wait_for_the_tenant,
];

const NOON: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00:00.123456 UTC);

async fn the_latest_sighting_is_kept_and_shown(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "ci", &[Scope::RunsRead]).await.expect("a key");
    let seen = async |at| {
        let seen = Sightings { keys: vec![(s.workspace, key.id, at)], members: vec![(s.workspace, s.viewer.id, at)] };
        world.store.record(&seen).await.expect("kept");
    };
    let shown = async || {
        let mut reads = s.reads().await;
        let key = reads.api_key(key.id).await.expect("a read").expect("a key").last_used_at;
        let member = reads.member(s.viewer.id).await.expect("a read").expect("a member").last_active_at;
        (key, member)
    };
    assert_eq!(shown().await, (None, None));
    seen(NOON).await;
    assert_eq!(shown().await, (Some(NOON), Some(NOON)));
    seen(NOON - Duration::hours(1)).await;
    assert_eq!(shown().await, (Some(NOON), Some(NOON)), "what is older changes nothing");
    let later = NOON + Duration::microseconds(1);
    seen(later).await;
    assert_eq!(shown().await, (Some(later), Some(later)));
    let list = s.reads().await.api_keys(ApiKeyFilter::default(), super::scenario::ALL).await.expect("a read");
    assert_eq!(list.iter().map(|v| v.last_used_at).collect::<Vec<_>>(), [Some(later)]);
    let list = s.reads().await.members(&MemberFilter::default(), super::scenario::ALL).await.expect("a read");
    assert_eq!(list.iter().filter(|v| v.last_active_at == Some(later)).count(), 1);
    s.expect_facts(Scenario::EVENTS, &["api_key.created"]).await;
    world.store.record(&Sightings::default()).await.expect("nothing to keep");
}

async fn sightings_come_in_any_order_and_at_once(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "ci", &[Scope::RunsRead]).await.expect("a key");
    let mut calls = JoinSet::new();
    for n in [3_i64, 9, 1, 7, 5, 8, 2, 6, 4, 0] {
        let (store, at) = (Arc::clone(&world.store), NOON + Duration::seconds(n));
        let (workspace, viewer, editor) = (s.workspace, s.viewer.id, s.editor.id);
        calls.spawn(async move {
            let members = if n % 2 == 0 { [viewer, editor] } else { [editor, viewer] };
            let members = members.map(|user| (workspace, user, at)).to_vec();
            store.record(&Sightings { keys: vec![(workspace, key.id, at)], members }).await
        });
    }
    for result in calls.join_all().await {
        result.expect("kept");
    }
    let last = Some(NOON + Duration::seconds(9));
    assert_eq!(s.reads().await.api_key(key.id).await.expect("a read").expect("a key").last_used_at, last);
    for person in [s.viewer.id, s.editor.id] {
        assert_eq!(s.reads().await.member(person).await.expect("a read").expect("a member").last_active_at, last);
    }
}

async fn a_sighting_in_one_workspace_shows_in_no_other(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let sent = b.invite(&b.admin.caller, a.viewer.email.as_str(), settings_domain::policy::Role::Viewer).await;
    b.accept(&a.viewer, &sent.expect("an invitation")).await.expect("a member of both");
    let seen = Sightings { keys: vec![], members: vec![(a.workspace, a.viewer.id, NOON)] };
    world.store.record(&seen).await.expect("kept");
    let last = async |s: &Scenario| {
        s.reads().await.member(a.viewer.id).await.expect("a read").expect("a member").last_active_at
    };
    assert_eq!((last(&a).await, last(&b).await), (Some(NOON), None));
}

/// A call must not collide with the lock of its own authority. Where only one writer can work at a time it waits for the
/// commit, and for nothing else.
async fn a_sighting_does_not_wait_for_the_tenant(world: World) {
    use settings_domain::{policy::actions, transaction::Transaction};
    let s = Scenario::acme(&world).await;
    let permit = s.may::<actions::UpdateWorkspace>(&s.admin.caller).await.expect("a right");
    let call = super::scenario::call(&s.admin.caller);
    let open = Transaction::open(world.store.as_ref(), &permit, &call).await.expect("a transaction");
    let (store, seen) = (
        Arc::clone(&world.store),
        Sightings { keys: vec![], members: vec![(s.workspace, s.admin.id, NOON)] },
    );
    let kept = tokio::spawn(async move { store.record(&seen).await });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(open);
    kept.await.expect("no panic").expect("kept");
    let view = s.reads().await.member(s.admin.id).await.expect("a read").expect("a member");
    assert_eq!(view.last_active_at, Some(NOON));
}
