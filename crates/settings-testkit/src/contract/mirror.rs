//! What a directory elsewhere has to follow: every change of a roster asks for it, to one worker at a time, and what is read is
//! what holds.
use super::{
    Scenario, World,
    scenario::{ISSUER, account},
};
use settings_domain::{
    invitations::LIFETIME,
    mirror::Roster,
    policy::{Role, Scope},
    ports::{accounts::EMAIL_ISSUER, mirror::Behind, Entropy as _},
    workspaces::WorkspacePatch,
};
use time::Duration;

cases![
    a_new_workspace_has_to_be_followed,
    each_change_of_a_roster_asks_for_it_and_no_other_change_does,
    many_changes_that_wait_are_one,
    a_change_that_comes_while_it_is_followed_asks_for_another_time,
    one_worker_at_a_time_follows_a_workspace,
    what_could_not_be_followed_waits_or_comes_with_the_next_change,
    a_certain_workspace_is_taken_due_or_not_unless_somebody_has_it,
    a_follower_that_came_too_late_disturbs_nobody,
    the_backlog_says_how_much_since_when_and_why,
    a_roster_holds_members_of_its_issuer_and_invitations_that_wait,
    a_deleted_workspace_is_followed_once_more_and_then_forgotten,
    what_is_read_of_a_workspace_is_its_own,
];

const LEASE: Duration = Duration::minutes(5);

async fn take(world: &World) -> Option<Behind> {
    world.store.take_behind(None, LEASE).await.expect("an answer")
}
async fn behind(world: &World) -> i64 {
    world.store.backlog().await.expect("a count").workspaces
}
/// A workspace that was followed.
async fn quiet(world: &World) -> Scenario {
    let s = Scenario::acme(world).await;
    follow(world).await;
    s
}
/// Follows everything, and says how much that was.
async fn follow(world: &World) -> usize {
    let mut done = 0;
    while let Some(taken) = take(world).await {
        world.store.followed(&taken).await.expect("settled");
        done += 1;
    }
    done
}
async fn roster(world: &World, s: &Scenario, issuer: &str) -> Option<Roster> {
    let (place, roster) = world.store.roster(s.workspace, issuer).await.expect("an answer").expect("a workspace");
    assert_eq!((place.workspace, &place.slug), (s.workspace, &s.slug));
    roster
}
fn name(name: &str) -> WorkspacePatch {
    WorkspacePatch { name: Some(name.parse().expect("a name")), ..WorkspacePatch::default() }
}

async fn a_new_workspace_has_to_be_followed(world: World) {
    assert_eq!((behind(&world).await, take(&world).await), (0, None));
    let s = Scenario::acme(&world).await;
    let taken = take(&world).await.expect("a workspace");
    assert_eq!((taken.workspace, taken.attempt, behind(&world).await), (s.workspace, 0, 1));
    world.store.followed(&taken).await.expect("settled");
    assert_eq!((behind(&world).await, take(&world).await), (0, None));
}

async fn each_change_of_a_roster_asks_for_it_and_no_other_change_does(world: World) {
    let s = quiet(&world).await;
    let admin = &s.admin.caller;
    let key = s.create_key(admin, "no matter", &[Scope::WorkspaceRead]).await.expect("a key");
    s.revoke_key(admin, key.id).await.expect("revoked");
    assert_eq!(follow(&world).await, 0, "keys are not mirrored");
    let sent = s.invite(admin, "guest@people.example", Role::Viewer).await.expect("an invitation");
    assert_eq!(follow(&world).await, 1, "invited");
    s.resend(admin, sent.id).await.expect("a new link");
    assert_eq!(follow(&world).await, 1, "renewed");
    s.take_back(admin, sent.id).await.expect("taken back");
    assert_eq!(follow(&world).await, 1, "revoked");
    let guest = s.join(&world, "joiner", Role::Viewer).await;
    assert_eq!(follow(&world).await, 1, "joined");
    s.change_role(admin, guest.id, Role::Editor).await.expect("another role");
    assert_eq!(follow(&world).await, 1, "another role");
    s.remove(admin, guest.id, settings_app::members::TheirKeys::Keep).await.expect("removed");
    assert_eq!(follow(&world).await, 1, "removed");
    s.update(admin, name("Renamed")).await.expect("renamed");
    assert_eq!(follow(&world).await, 1, "renamed");
    s.take_back(admin, sent.id).await.expect_err("closed");
    assert_eq!(follow(&world).await, 0, "what was refused asks for nothing");
}

async fn many_changes_that_wait_are_one(world: World) {
    let s = quiet(&world).await;
    for n in 0..5 {
        s.invite(&s.admin.caller, &format!("guest{n}@people.example"), Role::Viewer).await.expect("an invitation");
    }
    assert_eq!((behind(&world).await, follow(&world).await), (1, 1));
}

async fn a_change_that_comes_while_it_is_followed_asks_for_another_time(world: World) {
    let s = quiet(&world).await;
    s.update(&s.admin.caller, name("Once")).await.expect("renamed");
    let taken = take(&world).await.expect("a workspace");
    s.update(&s.admin.caller, name("Twice")).await.expect("renamed");
    assert_eq!(take(&world).await, None, "somebody has it");
    world.store.followed(&taken).await.expect("settled");
    let again = take(&world).await.expect("the second change");
    assert_eq!((again.wanted, again.attempt), (taken.wanted + 1, 0));
    world.store.followed(&again).await.expect("settled");
    assert_eq!(take(&world).await, None);
}

async fn one_worker_at_a_time_follows_a_workspace(world: World) {
    let s = quiet(&world).await;
    s.update(&s.admin.caller, name("Renamed")).await.expect("renamed");
    let (one, other) = tokio::join!(take(&world), take(&world));
    assert!(one.is_some() != other.is_some(), "{one:?} {other:?}");
    world.pass(LEASE - Duration::seconds(30)).await;
    assert_eq!(take(&world).await, None);
    world.pass(Duration::seconds(30)).await;
    assert_eq!(take(&world).await.expect("its worker died").attempt, 1);
}

async fn what_could_not_be_followed_waits_or_comes_with_the_next_change(world: World) {
    let s = quiet(&world).await;
    s.update(&s.admin.caller, name("Once")).await.expect("renamed");
    let taken = take(&world).await.expect("a workspace");
    world.store.follow_later(&taken, Duration::minutes(10), "away").await.expect("later");
    assert_eq!(take(&world).await, None);
    world.pass(Duration::minutes(9)).await;
    assert_eq!(take(&world).await, None);
    world.pass(Duration::minutes(1)).await;
    let again = take(&world).await.expect("a workspace");
    assert_eq!(again.attempt, 1);
    world.store.follow_later(&again, Duration::hours(10), "away").await.expect("later");
    s.update(&s.admin.caller, name("Twice")).await.expect("renamed");
    assert_eq!(take(&world).await.expect("at once").attempt, 2);
}

async fn a_certain_workspace_is_taken_due_or_not_unless_somebody_has_it(world: World) {
    let s = quiet(&world).await;
    let certain = async || world.store.take_behind(Some(s.workspace), LEASE).await.expect("an answer");
    let taken = certain().await.expect("though nothing is due");
    assert_eq!(certain().await, None, "somebody has it");
    world.store.followed(&taken).await.expect("settled");
    assert_eq!(behind(&world).await, 0);
    let unknown = settings_domain::ids::WorkspaceId::from_uuid(world.entropy.uuid());
    assert_eq!(world.store.take_behind(Some(unknown), LEASE).await.expect("an answer"), None);
}

async fn a_follower_that_came_too_late_disturbs_nobody(world: World) {
    let s = quiet(&world).await;
    s.update(&s.admin.caller, name("Once")).await.expect("renamed");
    let late = take(&world).await.expect("a workspace");
    world.pass(LEASE).await;
    let owner = take(&world).await.expect("its lease is over");
    world.store.follow_later(&late, Duration::ZERO, "late").await.expect("nothing happens");
    assert_eq!(take(&world).await, None, "it is still the other one's");
    world.store.followed(&late).await.expect("nothing happens");
    assert_eq!(behind(&world).await, 1);
    world.store.followed(&owner).await.expect("settled");
    world.store.followed(&late).await.expect("nothing happens");
    assert_eq!(behind(&world).await, 0);
}

async fn the_backlog_says_how_much_since_when_and_why(world: World) {
    let s = quiet(&world).await;
    let other = Scenario::called(&world, "other").await;
    follow(&world).await;
    let nothing = world.store.backlog().await.expect("an answer");
    assert_eq!((nothing.workspaces, nothing.since, nothing.cause), (0, None, None));
    s.update(&s.admin.caller, name("Once")).await.expect("renamed");
    let first = world.store.backlog().await.expect("an answer");
    assert_eq!((first.workspaces, first.cause), (1, None));
    world.pass(Duration::minutes(1)).await;
    let taken = take(&world).await.expect("a workspace");
    world.store.follow_later(&taken, Duration::minutes(10), "it is away").await.expect("later");
    s.update(&s.admin.caller, name("Twice")).await.expect("renamed");
    other.update(&other.admin.caller, name("Once")).await.expect("renamed");
    let all = world.store.backlog().await.expect("an answer");
    assert_eq!((all.workspaces, all.cause.as_deref()), (2, Some("it is away")));
    // Neither a further change nor another workspace makes it younger.
    let newest = { take(&world).await; world.store.backlog().await.expect("an answer").since };
    assert_eq!(all.since, newest);
    assert!(all.since.is_some());
}

async fn a_roster_holds_members_of_its_issuer_and_invitations_that_wait(world: World) {
    let s = quiet(&world).await;
    let all = roster(&world, &s, ISSUER).await.expect("a roster");
    let names: Vec<_> = all.members.iter().map(|(subject, role)| (subject.as_str(), *role)).collect();
    assert_eq!(names, [("admin-acme", Role::Admin), ("editor-acme", Role::Editor), ("viewer-acme", Role::Viewer)]);
    assert_eq!((all.name.as_str(), all.invitations.len()), ("The acme company", 0));
    assert_eq!(roster(&world, &s, &format!("{ISSUER}/")).await.as_ref(), Some(&all), "a slash at the end is no difference");
    let strangers = roster(&world, &s, EMAIL_ISSUER).await.expect("a roster");
    assert!(strangers.members.is_empty(), "others vouch for them");

    let sent = s.invite(&s.admin.caller, "Guest@People.Example", Role::Editor).await.expect("an invitation");
    s.remove(&s.admin.caller, s.viewer.id, settings_app::members::TheirKeys::Keep).await.expect("removed");
    let now = roster(&world, &s, ISSUER).await.expect("a roster");
    assert!(!now.members.contains_key("viewer-acme") && now.members.len() == 2);
    let invited = now.invitations.get(sent.email.key()).expect("invited");
    assert_eq!((invited.email.as_str(), invited.role), ("Guest@People.Example", Role::Editor));
    let guest = account(&world, "second", false).await;
    let second = s.invite(&s.admin.caller, guest.email.as_str(), Role::Viewer).await.expect("an invitation");
    s.accept(&guest, &second).await.expect("joined");
    let joined = roster(&world, &s, ISSUER).await.expect("a roster");
    assert_eq!((joined.members.len(), joined.invitations.len()), (3, 1), "accepted");
    world.pass(LIFETIME).await;
    assert_eq!(roster(&world, &s, ISSUER).await.expect("a roster").invitations.len(), 0, "over");
}

async fn a_deleted_workspace_is_followed_once_more_and_then_forgotten(world: World) {
    let s = quiet(&world).await;
    let other = Scenario::called(&world, "other").await;
    follow(&world).await;
    s.delete().await.expect("deleted");
    assert_eq!(roster(&world, &s, ISSUER).await, None);
    let places = async || {
        let all = world.store.places(None, 10).await.expect("places");
        all.into_iter().map(|p| p.slug).collect::<Vec<_>>()
    };
    assert_eq!(places().await, [s.slug.clone(), other.slug.clone()], "its end is yet to be followed");
    assert_eq!(follow(&world).await, 1);
    assert_eq!(places().await, std::slice::from_ref(&other.slug));
}

async fn what_is_read_of_a_workspace_is_its_own(world: World) {
    let s = quiet(&world).await;
    let other = Scenario::called(&world, "other").await;
    let first = world.store.places(None, 1).await.expect("places");
    let first: Vec<_> = first.into_iter().map(|place| place.workspace).collect();
    assert_eq!(first, [s.workspace]);
    let rest = world.store.places(first.first().copied(), 10).await.expect("places");
    assert_eq!(rest.into_iter().map(|place| place.workspace).collect::<Vec<_>>(), [other.workspace]);
    let theirs = roster(&world, &other, ISSUER).await.expect("a roster");
    assert!(theirs.members.keys().all(|subject| subject.ends_with("-other")), "{theirs:?}");
    let nowhere = settings_domain::ids::WorkspaceId::from_uuid(world.entropy.uuid());
    assert!(world.store.roster(nowhere, ISSUER).await.expect("an answer").is_none());
}
