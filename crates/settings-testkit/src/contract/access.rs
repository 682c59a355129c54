//! A right that was taken away holds for nothing that comes later (promises P1 and N1 to N3).
use super::{
    No, Scenario, World,
    scenario::{ALL, account, call},
};
use settings_app::members::TheirKeys;
use settings_domain::{
    api_keys::KeyStatus,
    policy::{Role, Scope, actions},
    ports::store::{MemberFilter, Selector},
    transaction::{Caller, Snapshot, Transaction},
    workspaces::WorkspacePatch,
};
use std::sync::Arc;
use time::Duration;

cases![
    whoever_is_demoted_between_permit_and_transaction_is_denied,
    whoever_is_removed_between_permit_and_transaction_is_nobody,
    a_key_that_is_revoked_between_permit_and_transaction_is_invalid,
    whoever_waited_for_the_lock_is_judged_by_what_holds_then,
    a_role_change_holds_from_the_next_call_on,
    an_old_permit_gives_no_more_than_the_present_role,
    the_key_directory_is_never_older_than_the_question,
    the_key_directory_follows_every_commit_of_the_workspace,
    many_readers_of_one_key_never_see_it_come_back,
    a_key_ends_at_its_instant,
    a_snapshot_shows_one_instant,
];

fn rename(name: &str) -> WorkspacePatch {
    WorkspacePatch { name: Some(name.parse().expect("a name")), ..WorkspacePatch::default() }
}

async fn whoever_is_demoted_between_permit_and_transaction_is_denied(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let invite = s.may::<actions::InviteMember>(&second.caller).await.expect("an admin may");
    let update = s.may::<actions::UpdateWorkspace>(&second.caller).await.expect("an admin may");
    s.change_role(&s.admin.caller, second.id, Role::Editor).await.expect("demoted");
    let before = s.events().await.len();
    let call = call(&second.caller);
    let email = "friend@people.example".parse().expect("an address");
    let invited = s.app.invite(&invite, &call, email, Role::Admin).await;
    assert_eq!(invited.map(|_| ()).map_err(No::from), Err(No::Denied));
    let updated = s.app.update_workspace(&update, &call, rename("Mine")).await;
    assert_eq!(updated.map(|_| ()).map_err(No::from), Err(No::Denied));
    assert_eq!(s.events().await.len(), before);
}

async fn whoever_is_removed_between_permit_and_transaction_is_nobody(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let update = s.may::<actions::UpdateWorkspace>(&second.caller).await.expect("an admin may");
    s.remove(&s.admin.caller, second.id, TheirKeys::Keep).await.expect("removed");
    let updated = s.app.update_workspace(&update, &call(&second.caller), rename("Mine")).await;
    assert_eq!(updated.map(|_| ()).map_err(No::from), Err(No::NotFound));
    assert_eq!(s.may::<actions::ReadWorkspace>(&second.caller).await.map(|_| ()), Err(No::NotFound));
}

async fn a_key_that_is_revoked_between_permit_and_transaction_is_invalid(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "writer", &[Scope::WorkspaceWrite]).await.expect("a key");
    let caller = Caller::Key((&key).into());
    s.update(&caller, rename("By a key")).await.expect("a key may what its scope says");
    let update = s.may::<actions::UpdateWorkspace>(&caller).await.expect("it may");
    s.revoke_key(&s.admin.caller, key.id).await.expect("revoked");
    let before = s.events().await.len();
    let updated = s.app.update_workspace(&update, &call(&caller), rename("Too late")).await;
    assert_eq!(updated.map(|_| ()).map_err(No::from), Err(No::KeyInvalid));
    assert_eq!(s.events().await.len(), before);
}

/// The demotion is decided first and committed while the demoted one waits for the tenant's lock.
async fn whoever_waited_for_the_lock_is_judged_by_what_holds_then(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let demote = s.may::<actions::ChangeRole>(&s.admin.caller).await.expect("a right");
    let late = s.may::<actions::UpdateWorkspace>(&second.caller).await.expect("a right");
    let store = Arc::clone(&world.store);
    let mut tx = Transaction::open(store.as_ref(), &demote, &call(&s.admin.caller)).await.expect("a transaction");
    let waiting = {
        let (store, call) = (Arc::clone(&store), call(&second.caller));
        tokio::spawn(async move { Transaction::open(store.as_ref(), &late, &call).await.map(drop).map_err(No::from) })
    };
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let member = tx.load().member(second.id).await.expect("a read").expect("a member").member;
    let heads = tx.load().headcount().await.expect("a read");
    let guard = settings_domain::impact::Guard::default();
    let change = member.change_role(tx.permit(), Role::Viewer, &heads, &[], &guard).expect("a decision");
    tx.commit(change).await.expect("demoted");
    assert_eq!(waiting.await.expect("no panic"), Err(No::Denied));
}

async fn a_role_change_holds_from_the_next_call_on(world: World) {
    let s = Scenario::acme(&world).await;
    for _ in 0..50 {
        s.change_role(&s.admin.caller, s.editor.id, Role::Admin).await.expect("promoted");
        assert!(s.may::<actions::CreateApiKey>(&s.editor.caller).await.is_ok());
        s.change_role(&s.admin.caller, s.editor.id, Role::Viewer).await.expect("demoted");
        assert_eq!(s.may::<actions::CreateApiKey>(&s.editor.caller).await.map(|_| ()), Err(No::Denied));
        assert_eq!(s.may::<actions::ListMembers>(&s.editor.caller).await.map(|_| ()), Err(No::Denied));
    }
}

async fn an_old_permit_gives_no_more_than_the_present_role(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let old = s.may::<actions::InviteMember>(&second.caller).await.expect("a right");
    s.remove(&s.admin.caller, second.id, TheirKeys::Keep).await.expect("removed");
    let sent = s.invite(&s.admin.caller, second.email.as_str(), Role::Viewer).await.expect("an invitation");
    s.accept(&second, &sent).await.expect("back as a viewer");
    let email = "friend@people.example".parse().expect("an address");
    let invited = s.app.invite(&old, &call(&second.caller), email, Role::Admin).await;
    assert_eq!(invited.map(|_| ()).map_err(No::from), Err(No::Denied));
}

async fn the_key_directory_is_never_older_than_the_question(world: World) {
    let s = Scenario::acme(&world).await;
    for round in 0..60 {
        let key = s.create_key(&s.admin.caller, &format!("round {round}"), &[Scope::RunsRead]).await.expect("a key");
        let look = async || world.store.key(key.id).await.expect("a read").expect("a key");
        // Asked twice, so that whatever is kept of the first answer is there to be wrong.
        for _ in 0..2 {
            let standing = look().await;
            assert_eq!(standing.record.key.status(standing.at), KeyStatus::Active);
        }
        s.revoke_key(&s.admin.caller, key.id).await.expect("revoked");
        let standing = look().await;
        assert_eq!(standing.record.key.status(standing.at), KeyStatus::Revoked, "round {round}");
    }
}

async fn the_key_directory_follows_every_commit_of_the_workspace(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "reader", &[Scope::WorkspaceRead]).await.expect("a key");
    let look = async || world.store.key(key.id).await.expect("a read").expect("a key").workspace;
    assert_eq!(look().await.seats_used, 3);
    for n in 0..10 {
        let name = format!("Name {n}");
        s.update(&s.admin.caller, rename(&name)).await.expect("renamed");
        assert_eq!(look().await.workspace.name.as_str(), name);
    }
    let sent = s.invite(&s.admin.caller, "new@people.example", Role::Viewer).await.expect("an invitation");
    assert_eq!(look().await.seats_used, 4);
    s.take_back(&s.admin.caller, sent.id).await.expect("taken back");
    assert_eq!(look().await.seats_used, 3);
    s.invite(&s.admin.caller, "new@people.example", Role::Viewer).await.expect("an invitation");
    world.pass(settings_domain::invitations::LIFETIME).await;
    assert_eq!(look().await.seats_used, 3, "an invitation gives its seat back when its time is over");
    s.remove(&s.admin.caller, s.viewer.id, TheirKeys::Keep).await.expect("removed");
    assert_eq!(look().await.seats_used, 2);
}

async fn many_readers_of_one_key_never_see_it_come_back(world: World) {
    let s = Scenario::acme(&world).await;
    for _ in 0..5 {
        let key = s.create_key(&s.admin.caller, "shared", &[Scope::RunsRead]).await.expect("a key");
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let (store, done) = (Arc::clone(&world.store), Arc::clone(&done));
                tokio::spawn(async move {
                    loop {
                        let acknowledged = done.load(std::sync::atomic::Ordering::SeqCst);
                        let standing = store.key(key.id).await.expect("a read").expect("a key");
                        let active = standing.record.key.status(standing.at) == KeyStatus::Active;
                        assert!(!(active && acknowledged), "asked after the acknowledgement, answered from before");
                        if acknowledged {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        s.revoke_key(&s.admin.caller, key.id).await.expect("revoked");
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        for reader in readers {
            reader.await.expect("no reader was answered from before");
        }
    }
}

async fn a_key_ends_at_its_instant(world: World) {
    let s = Scenario::acme(&world).await;
    let permit = s.may::<actions::CreateApiKey>(&s.admin.caller).await.expect("a right");
    let end = permit.at() + Duration::hours(1);
    let name = "short".parse().expect("a name");
    let scopes = [Scope::WorkspaceRead].into_iter().collect();
    let made = s.app.create_api_key(&permit, &call(&s.admin.caller), name, scopes, Some(end)).await.expect("a key");
    // Authenticated afresh each time: where the clock can't be moved, what is stored is moved back instead.
    let enters = async || {
        let standing = world.store.key(made.key.value().id).await.expect("a read").expect("known");
        let caller = Caller::Key((&standing.record.key).into());
        let read = Snapshot::<actions::ReadWorkspace>::open(world.store.as_ref(), &caller, &Selector::Own).await;
        read.map(|_| ()).map_err(No::from)
    };
    assert_eq!(enters().await, Ok(()));
    world.pass(Duration::minutes(59)).await;
    assert_eq!(enters().await, Ok(()));
    assert_eq!(s.reads().await.active_api_keys().await.expect("a count"), 1);
    world.pass(Duration::minutes(1)).await;
    assert_eq!(enters().await, Err(No::KeyInvalid));
    assert_eq!(s.reads().await.active_api_keys().await.expect("a count"), 0);
    let standing = world.store.key(made.key.value().id).await.expect("a read").expect("still known");
    assert_eq!(standing.record.key.status(standing.at), KeyStatus::Expired);
}

/// Right and content come from one instant: what is written later does not show, however late the content is read.
async fn a_snapshot_shows_one_instant(world: World) {
    let s = Scenario::acme(&world).await;
    let caller = account(&world, "late", false).await;
    let store = world.store.as_ref();
    let mut members = Snapshot::<actions::ListMembers>::open(store, &s.editor.caller, &s.here()).await.expect("in");
    let mut workspace = Snapshot::<actions::ReadWorkspace>::open(store, &s.editor.caller, &s.here()).await.expect("in");
    let sent = s.invite(&s.admin.caller, caller.email.as_str(), Role::Viewer).await.expect("an invitation");
    s.accept(&caller, &sent).await.expect("joined");
    s.update(&s.admin.caller, rename("After")).await.expect("renamed");
    s.remove(&s.admin.caller, s.editor.id, TheirKeys::Keep).await.expect("removed");
    let seen = members.members(&MemberFilter::default(), ALL).await.expect("a read");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().any(|v| v.user.id == s.editor.id) && seen.iter().all(|v| v.user.id != caller.id));
    assert_eq!(members.invitations(ALL).await.expect("a read"), []);
    let view = workspace.workspace().await.expect("a read");
    assert_eq!((view.workspace.name.as_str(), view.seats_used), ("The acme company", 3));
}
