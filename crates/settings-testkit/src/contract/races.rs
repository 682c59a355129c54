//! The rules of a workspace hold whoever comes at the same time (promise P10).
use super::{
    No, Person, Scenario, World,
    scenario::{account, app, call, found},
};
use settings_app::{environments::WantedEnvironment, members::TheirKeys};
use settings_domain::{
    environments::Tier,
    policy::{Role, Scope, actions},
};
use std::sync::Arc;
use tokio::task::JoinSet;

cases![
    forty_parallel_invitations_take_the_three_free_seats,
    twenty_parallel_invitations_of_one_address_are_one,
    two_admins_who_demote_each_other_never_leave_none,
    two_admins_who_remove_each_other_never_leave_none,
    twenty_parallel_acceptances_of_one_link_are_one,
    twenty_parallel_foundings_of_one_slug_are_one,
    twenty_parallel_revocations_leave_one_event,
    twenty_parallel_environments_of_one_name_are_one,
    lowering_the_seats_and_inviting_never_overfill,
    a_revoked_inviter_plants_nothing,
    tenants_do_not_wait_for_each_other_for_ever,
];

/// How many of the results are of this kind.
fn count<T: PartialEq>(results: &[T], wanted: &T) -> usize {
    results.iter().filter(|r| *r == wanted).count()
}

async fn forty_parallel_invitations_take_the_three_free_seats(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    s.seats(6).await.expect("three free seats");
    let before = s.events().await.len();
    let mut calls = JoinSet::new();
    for n in 0..40 {
        let s = Arc::clone(&s);
        calls.spawn(async move {
            s.invite(&s.admin.caller, &format!("guest{n}@people.example"), Role::Viewer).await.map(|_| ())
        });
    }
    let results = calls.join_all().await;
    assert_eq!((count(&results, &Ok(())), count(&results, &Err(No::Rule("seat-limit-reached")))), (3, 37));
    assert_eq!(s.invitations().await.len(), 3);
    s.expect_facts(before, &["member.invited"; 3]).await;
}

async fn twenty_parallel_invitations_of_one_address_are_one(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let s = Arc::clone(&s);
        let address = if n % 2 == 0 { "Guest@People.example" } else { "guest@people.example" };
        calls.spawn(async move { s.invite(&s.admin.caller, address, Role::Viewer).await.map(|_| ()) });
    }
    let results = calls.join_all().await;
    assert_eq!((count(&results, &Ok(())), count(&results, &Err(No::Rule("already-invited")))), (1, 19));
    s.expect_facts(Scenario::EVENTS, &["member.invited"]).await;
}

async fn two_admins_who_demote_each_other_never_leave_none(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let second = s.join(&world, "second", Role::Admin).await;
    for round in 0..50 {
        let mut calls = JoinSet::new();
        for (by, whom) in [(s.admin.clone(), second.id), (second.clone(), s.admin.id)] {
            let s = Arc::clone(&s);
            calls.spawn(async move { s.change_role(&by.caller, whom, Role::Viewer).await.map(|_| ()) });
        }
        let results = calls.join_all().await;
        assert_eq!(count(&results, &Ok(())), 1, "round {round}: {results:?}");
        assert_eq!(s.reads().await.headcount().await.expect("a read").admins, 1, "round {round}");
        // Whoever is left makes the other one an admin again.
        let (left, lost) = if s.is_admin(&s.admin).await { (&s.admin, &second) } else { (&second, &s.admin) };
        s.change_role(&left.caller, lost.id, Role::Admin).await.expect("an admin again");
    }
    assert_eq!(s.verify().await.first_broken, None);
}

async fn two_admins_who_remove_each_other_never_leave_none(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    for round in 0..10 {
        let left = s.some_admin().await;
        let name = format!("second{round}");
        let person = account(&world, &name, false).await;
        let sent = s.invite(&left.caller, person.email.as_str(), Role::Admin).await.expect("an invitation");
        s.accept(&person, &sent).await.expect("a second admin");
        let mut calls = JoinSet::new();
        for (by, whom) in [(left.clone(), person.id), (person.clone(), left.id)] {
            let s = Arc::clone(&s);
            calls.spawn(async move { s.remove(&by.caller, whom, TheirKeys::Keep).await.map(|_| ()) });
        }
        let results = calls.join_all().await;
        assert_eq!(count(&results, &Ok(())), 1, "round {round}: {results:?}");
        assert_eq!(s.reads().await.headcount().await.expect("a read").admins, 1, "round {round}");
    }
}

async fn twenty_parallel_acceptances_of_one_link_are_one(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let person = account(&world, "guest", false).await;
    let sent = s.invite(&s.admin.caller, person.email.as_str(), Role::Editor).await.expect("an invitation");
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (s, person, sent) = (Arc::clone(&s), person.clone(), sent.clone());
        calls.spawn(async move { s.accept(&person, &sent).await });
    }
    let results = calls.join_all().await;
    assert_eq!((count(&results, &Ok(())), count(&results, &Err(No::Rule("not-found")))), (1, 19));
    assert_eq!(s.members().await.len(), 4);
    s.expect_facts(Scenario::EVENTS, &["member.invited", "member.joined"]).await;
}

async fn twenty_parallel_foundings_of_one_slug_are_one(world: World) {
    let (app, founder) = (Arc::new(app(&world)), account(&world, "founder", true).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (app, founder) = (Arc::clone(&app), founder.clone());
        calls.spawn(async move { found(&app, &founder.caller, "acme", &founder.email, 5).await.map(|_| ()) });
    }
    let results = calls.join_all().await;
    assert_eq!((count(&results, &Ok(())), count(&results, &Err(No::Rule("slug-taken")))), (1, 19), "{results:?}");
    assert_eq!(world.store.slugs().await.expect("a read").len(), 1);
}

async fn twenty_parallel_revocations_leave_one_event(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let key = s.create_key(&s.admin.caller, "ci", &[Scope::RunsRead]).await.expect("a key");
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let s = Arc::clone(&s);
        calls.spawn(async move { s.revoke_key(&s.admin.caller, key.id).await });
    }
    let results = calls.join_all().await;
    assert_eq!(count(&results, &Ok(())), 20, "revoking twice is fine");
    s.expect_facts(Scenario::EVENTS, &["api_key.created", "api_key.revoked"]).await;
}

async fn twenty_parallel_environments_of_one_name_are_one(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let s = Arc::clone(&s);
        calls.spawn(async move {
            let permit = s.may::<actions::CreateEnvironment>(&s.admin.caller).await?;
            let name = "blue".parse().expect("a name");
            let wanted = WantedEnvironment { id: None, name, tier: Tier::Staging, version: None };
            s.app.create_environment(&permit, &call(&s.admin.caller), wanted).await.map(|_| ()).map_err(No::from)
        });
    }
    let results = calls.join_all().await;
    assert_eq!((count(&results, &Ok(())), count(&results, &Err(No::Rule("name-taken")))), (1, 19));
    assert_eq!(s.environments().await.len(), 2);
}

async fn lowering_the_seats_and_inviting_never_overfill(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    for round in 0..20 {
        s.seats(4).await.expect("one free seat");
        let mut calls = JoinSet::new();
        let (lower, invite) = (Arc::clone(&s), Arc::clone(&s));
        calls.spawn(async move { lower.seats(3).await.map(|_| ()) });
        let address = format!("guest{round}@people.example");
        calls.spawn(async move { invite.invite(&invite.admin.caller, &address, Role::Viewer).await.map(|_| ()) });
        let results = calls.join_all().await;
        assert_eq!(count(&results, &Ok(())), 1, "round {round}: one order or the other: {results:?}");
        let workspace = s.reads().await.workspace().await.expect("a read").expect("a workspace");
        let used = s.reads().await.headcount().await.expect("a read").used();
        assert!(used <= workspace.seat_limit, "round {round}: {used} of {}", workspace.seat_limit);
        for i in s.invitations().await {
            s.take_back(&s.admin.caller, i.id).await.expect("taken back");
        }
    }
}

/// Whatever a removed admin was about to do either came before the removal, or did not come.
async fn a_revoked_inviter_plants_nothing(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    for round in 0..15 {
        let second = s.join(&world, &format!("second{round}"), Role::Admin).await;
        let mut calls = JoinSet::new();
        let (remover, planter, whom) = (Arc::clone(&s), Arc::clone(&s), second.id);
        calls.spawn(async move { remover.remove(&remover.admin.caller, whom, TheirKeys::Keep).await.map(|_| ()) });
        let address = format!("plant{round}@people.example");
        calls.spawn(async move { planter.invite(&second.caller, &address, Role::Admin).await.map(|_| ()) });
        calls.join_all().await;
        let waiting = s.invitations().await;
        assert_eq!(waiting, [], "round {round}: an invitation of somebody who is gone waits");
        let facts = s.facts().await;
        let last = facts.iter().rposition(|f| f == "member.removed").expect("removed");
        assert!(facts.iter().skip(last + 1).all(|f| f == "invitation.revoked"), "round {round}: {facts:?}");
    }
}

async fn tenants_do_not_wait_for_each_other_for_ever(world: World) {
    let (a, b) = (Arc::new(Scenario::acme(&world).await), Arc::new(Scenario::called(&world, "other").await));
    let mut calls = JoinSet::new();
    for n in 0..30 {
        let s = Arc::clone(if n % 2 == 0 { &a } else { &b });
        calls.spawn(async move { s.create_key(&s.admin.caller, &format!("key {n}"), &[Scope::RunsRead]).await.map(|_| ()) });
    }
    let results = calls.join_all().await;
    assert_eq!(count(&results, &Ok(())), 30);
    for s in [a, b] {
        s.expect_facts(Scenario::EVENTS, &["api_key.created"; 15]).await;
    }
}

impl Scenario {
    async fn is_admin(&self, person: &Person) -> bool {
        let view = self.reads().await.member(person.id).await.expect("a read");
        view.is_some_and(|v| v.member.is_active() && v.member.role == Role::Admin)
    }
    /// An admin that is left, as a person who can call.
    async fn some_admin(&self) -> Person {
        let admins: Vec<_> = self.members().await.into_iter().filter(|v| v.member.role == Role::Admin).collect();
        let view = admins.first().expect("an admin");
        let email = view.user.email.clone().expect("an address");
        let caller = settings_domain::transaction::Caller::User {
            id: view.user.id,
            verified_email: Some(email.clone()),
            platform: false,
        };
        Person { id: view.user.id, email, caller }
    }
}
