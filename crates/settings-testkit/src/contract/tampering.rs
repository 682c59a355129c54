//! A stored chain that was changed behind the service's back is found out, at the right place (AU01 to AU06, AU09).
use super::{Scenario, Tamper, World};
use settings_domain::policy::Scope;

cases![
    a_whole_chain_verifies,
    an_edited_event_is_found,
    an_edited_last_event_is_found,
    a_deleted_event_is_found,
    a_deleted_first_event_is_found,
    a_deleted_last_event_is_found,
    swapped_events_are_found,
    a_cut_off_end_is_found,
    an_edited_opening_is_found,
    an_event_of_another_tenant_is_found,
    a_forgotten_head_is_found,
    a_broken_chain_of_one_tenant_says_nothing_of_another,
];

/// Twelve events.
async fn twelve(world: &World) -> Scenario {
    let s = Scenario::acme(world).await;
    for n in 0..6 {
        s.create_key(&s.admin.caller, &format!("key {n}"), &[Scope::RunsRead]).await.expect("a key");
    }
    s
}
/// Where verification stops after this change.
async fn broken_by(world: World, how: Tamper) -> Option<i64> {
    let s = twelve(&world).await;
    assert_eq!(s.verify().await.first_broken, None);
    world.tamper(s.workspace, how).await;
    let verified = s.verify().await;
    let broken = verified.first_broken?;
    assert!(!broken.fault.is_empty());
    assert_eq!(verified.events, broken.seq - 1, "what was checked ends before what is broken");
    Some(broken.seq)
}

async fn a_whole_chain_verifies(world: World) {
    let s = twelve(&world).await;
    let verified = s.verify().await;
    assert_eq!((verified.events, verified.first_broken), (12, None));
    assert_eq!(verified.head.len(), 64);
    let empty = s.reads().await.audit_chain(12, 10).await.expect("a read");
    assert!(empty.events.is_empty());
}
async fn an_edited_event_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::EditEvent(5)).await, Some(5));
}
async fn an_edited_last_event_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::EditEvent(12)).await, Some(12));
}
async fn a_deleted_event_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::DeleteEvent(7)).await, Some(7));
}
async fn a_deleted_first_event_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::DeleteEvent(1)).await, Some(1));
}
async fn a_deleted_last_event_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::DeleteEvent(12)).await, Some(12));
}
async fn swapped_events_are_found(world: World) {
    assert_eq!(broken_by(world, Tamper::SwapEvents(4, 9)).await, Some(4));
}
async fn a_cut_off_end_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::TruncateAfter(8)).await, Some(9));
}
async fn an_edited_opening_is_found(world: World) {
    assert_eq!(broken_by(world, Tamper::EditOpening(6)).await, Some(6));
}
async fn an_event_of_another_tenant_is_found(world: World) {
    let other = Scenario::called(&world, "other").await;
    let how = Tamper::CopyFromOtherTenant { other: other.workspace, seq: 3 };
    assert_eq!(broken_by(world, how).await, Some(3));
}
async fn a_forgotten_head_is_found(world: World) {
    let s = twelve(&world).await;
    world.tamper(s.workspace, Tamper::ForgetHead).await;
    assert!(s.verify().await.first_broken.is_some());
}
async fn a_broken_chain_of_one_tenant_says_nothing_of_another(world: World) {
    let (a, b) = (twelve(&world).await, Scenario::called(&world, "other").await);
    world.tamper(a.workspace, Tamper::EditEvent(2)).await;
    assert!(a.verify().await.first_broken.is_some());
    assert_eq!(b.verify().await.first_broken, None);
    // The evidence stays: later events do not heal the chain.
    a.seats(30).await.expect("more seats");
    assert_eq!(a.verify().await.first_broken.map(|b| b.seq), Some(2));
}
