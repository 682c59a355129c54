//! Lists: filters mean what they say, and paging walks everything once.
use super::{
    Scenario, World,
    scenario::{ALL, account, found},
};
use settings_app::members::TheirKeys;
use settings_domain::{
    audit::Risk,
    environments::Tier,
    policy::{Role, Scope, actions},
    ports::{
        store::{ApiKeyFilter, AuditEntry, AuditFilter, MemberFilter, Page},
    },
    transaction::Caller,
};
use std::collections::BTreeSet;
use time::Duration;
use uuid::Uuid;

cases![
    members_are_found_by_literal_text,
    members_are_found_by_role,
    keys_are_found_by_what_became_of_their_makers,
    paging_walks_members_once,
    paging_walks_invitations_and_keys_once,
    paging_walks_workspaces_once,
    audit_events_are_filtered,
    audit_events_are_found_by_who_and_what,
    paging_walks_the_audit_log_once,
];

async fn found_by(s: &Scenario, text: &str, role: Option<Role>) -> Vec<String> {
    let filter = MemberFilter { text: Some(text.to_owned()), role, former: false };
    let found = s.reads().await.members(&filter, ALL).await.expect("a read");
    let mut emails: Vec<_> = found.into_iter().filter_map(|v| v.user.email).map(|e| e.as_str().to_owned()).collect();
    emails.sort();
    emails
}

async fn members_are_found_by_literal_text(world: World) {
    let s = Scenario::acme(&world).await;
    for name in ["100%", "a_b", "axb", "back!slash", "O'Brien"] {
        s.join(&world, name, Role::Viewer).await;
    }
    let one = |name: &str| vec![format!("{name}@people.example")];
    assert_eq!(found_by(&s, "100%", None).await, one("100%"));
    assert_eq!(found_by(&s, "%", None).await, one("100%"), "a per cent sign is a per cent sign");
    assert_eq!(found_by(&s, "a_b", None).await, one("a_b"), "an underscore is an underscore");
    assert_eq!(found_by(&s, "!", None).await, one("back!slash"));
    assert_eq!(found_by(&s, "'", None).await, one("O'Brien"));
    assert_eq!(found_by(&s, "o'bRIEN", None).await, one("O'Brien"), "case does not matter");
    assert_eq!(found_by(&s, "BRIEN THE P", None).await, one("O'Brien"), "names are searched too");
    assert_eq!(found_by(&s, "\\", None).await, Vec::<String>::new());
    assert_eq!(found_by(&s, "_b%", None).await, Vec::<String>::new());
    assert_eq!(found_by(&s, "\0", None).await, Vec::<String>::new());
    assert_eq!(found_by(&s, "people.example", None).await.len(), 8);
    assert_eq!(found_by(&s, "", None).await.len(), 8, "no text is no filter");
    assert_eq!(found_by(&s, "acme", Some(Role::Admin)).await, one("admin-acme"), "both conditions hold");
}

async fn members_are_found_by_role(world: World) {
    let s = Scenario::acme(&world).await;
    let former = s.join(&world, "former", Role::Editor).await;
    s.remove(&s.admin.caller, former.id, TheirKeys::Keep).await.expect("removed");
    for (role, person) in [(Role::Admin, &s.admin), (Role::Editor, &s.editor), (Role::Viewer, &s.viewer)] {
        let filter = MemberFilter { text: None, role: Some(role), former: false };
        let found = s.reads().await.members(&filter, ALL).await.expect("a read");
        assert_eq!(found.iter().map(|v| v.user.id).collect::<Vec<_>>(), [person.id]);
    }
}

async fn keys_are_found_by_what_became_of_their_makers(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let key = async |by: &Caller, name: &str| s.create_key(by, name, &[Scope::RunsRead]).await.expect("a key").id;
    let (mine, theirs) = (key(&s.admin.caller, "mine").await, key(&second.caller, "theirs").await);
    let (revoked, platforms) = (key(&second.caller, "revoked").await, key(&s.founder.caller, "platform").await);
    s.revoke_key(&s.admin.caller, revoked).await.expect("revoked");
    let list = async |filter| {
        let found = s.reads().await.api_keys(filter, ALL).await.expect("a read");
        found.into_iter().map(|v| v.key.id).collect::<Vec<_>>()
    };
    let (departed, all) = (ApiKeyFilter { departed: true, active_of: None }, ApiKeyFilter::default());
    let active_of = |user| ApiKeyFilter { departed: false, active_of: Some(user) };
    assert_eq!(list(all).await, [mine, theirs, revoked, platforms]);
    assert_eq!(list(departed).await, [platforms], "whoever is no member, was one or not");
    assert_eq!(list(active_of(second.id)).await, [theirs]);
    let left = s.remove(&s.admin.caller, second.id, TheirKeys::Keep).await.expect("removed");
    assert_eq!(left.into_iter().map(|k| k.id).collect::<Vec<_>>(), [theirs], "what still works is told");
    assert_eq!(list(departed).await, [theirs, revoked, platforms]);
    assert_eq!(list(active_of(second.id)).await, [theirs], "keys outlive their makers");
    let view = s.reads().await.api_key(theirs).await.expect("a read").expect("a key");
    assert!(view.creator.is_some_and(|c| !c.still_member && c.user == second.id));
}

/// Walks a list page by page; `next` returns the ids of one page.
async fn walk(limit: i64, mut next: impl AsyncFnMut(Page) -> Vec<Uuid>) -> Vec<Uuid> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = next(Page { after, limit }).await;
        assert!(page.len() <= usize::try_from(limit).expect("a length"), "never more than was asked for");
        let Some(last) = page.last() else { return all };
        after = Some(*last);
        all.extend(page);
        assert!(all.len() < 1_000, "the walk does not end");
    }
}
fn once(walked: &[Uuid], expected: impl IntoIterator<Item = Uuid>) {
    assert!(walked.is_sorted(), "in the order of ids");
    let (seen, wanted) = (walked.iter().copied().collect::<BTreeSet<_>>(), expected.into_iter().collect());
    assert_eq!((walked.len(), &seen), (seen.len(), &wanted), "everything, and everything once");
}

async fn paging_walks_members_once(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let mut expected = vec![a.admin.id.as_uuid(), a.editor.id.as_uuid(), a.viewer.id.as_uuid()];
    for n in 0..9 {
        expected.push(a.join(&world, &format!("a{n}"), Role::Viewer).await.id.as_uuid());
        b.join(&world, &format!("b{n}"), Role::Viewer).await;
    }
    for limit in [1, 4, 5, 100] {
        let walked = walk(limit, async |page| {
            let members = a.reads().await.members(&MemberFilter::default(), page).await.expect("a read");
            members.into_iter().map(|v| v.user.id.as_uuid()).collect()
        });
        once(&walked.await, expected.clone());
    }
}

async fn paging_walks_invitations_and_keys_once(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let (mut invitations, mut keys) = (Vec::new(), Vec::new());
    for n in 0..9 {
        for (s, mine) in [(&a, true), (&b, false)] {
            let sent = s.invite(&s.admin.caller, &format!("g{n}@people.example"), Role::Viewer).await.expect("invited");
            let key = s.create_key(&s.admin.caller, &format!("key {n}"), &[Scope::RunsRead]).await.expect("a key");
            if mine {
                invitations.push(sent.id.as_uuid());
                keys.push(key.id.as_uuid());
            }
        }
    }
    for limit in [1, 4, 9, 100] {
        let walked = walk(limit, async |page| {
            let list = a.reads().await.invitations(page).await.expect("a read");
            list.into_iter().map(|v| v.invitation.id.as_uuid()).collect()
        });
        once(&walked.await, invitations.clone());
        let walked = walk(limit, async |page| {
            let list = a.reads().await.api_keys(ApiKeyFilter::default(), page).await.expect("a read");
            list.into_iter().map(|v| v.key.id.as_uuid()).collect()
        });
        once(&walked.await, keys.clone());
    }
}

async fn paging_walks_workspaces_once(world: World) {
    let s = Scenario::acme(&world).await;
    let person = account(&world, "busy", true).await;
    let mut own = Vec::new();
    for n in 0..7 {
        let made = found(&s.app, &person.caller, &format!("ws-{n}"), &person.email, 5).await.expect("founded");
        own.push(made.workspace.id.as_uuid());
    }
    let everything: Vec<_> = own.iter().copied().chain([s.workspace.as_uuid()]).collect();
    let permit = s.may::<actions::ListOrganizations>(&s.founder.caller).await.expect("the platform may");
    for limit in [1, 3, 7, 100] {
        let walked = walk(limit, async |page| {
            let list = world.store.of(person.id, page).await.expect("a read");
            list.into_iter().map(|o| o.view.workspace.id.as_uuid()).collect()
        });
        once(&walked.await, own.clone());
        let walked = walk(limit, async |page| {
            let list = world.store.all(&permit, page).await.expect("a read");
            list.into_iter().map(|v| v.workspace.id.as_uuid()).collect()
        });
        once(&walked.await, everything.clone());
    }
    let slugs: BTreeSet<_> = world.store.slugs().await.expect("a read").into_iter().map(|(id, _)| id.as_uuid()).collect();
    assert_eq!(slugs, everything.into_iter().collect());
    world.store.ready().await.expect("ready");
}

const NONE: [i64; 0] = [];
async fn places(s: &Scenario, filter: &AuditFilter, limit: i64) -> Vec<i64> {
    let found: Vec<AuditEntry> = s.reads().await.audit_events(filter, limit).await.expect("a read");
    found.into_iter().map(|e| e.record.seq).collect()
}

async fn audit_events_are_filtered(world: World) {
    let s = Scenario::acme(&world).await;
    // Events 1 to 6 are the founding: created (medium), joined, then invited and joined twice (low).
    world.pass(Duration::hours(1)).await;
    s.create_key(&s.admin.caller, "low", &[Scope::RunsRead]).await.expect("7, medium");
    s.create_key(&s.admin.caller, "high", &[Scope::SecretsRead]).await.expect("8, high");
    s.seats(30).await.expect("9, medium");
    let all = AuditFilter::default();
    let risks = |risks: &[Risk]| AuditFilter { risks: risks.to_vec(), ..AuditFilter::default() };
    let action = |a: &str| AuditFilter { action: Some(a.to_owned()), ..AuditFilter::default() };
    assert_eq!(places(&s, &all, 100).await, [9, 8, 7, 6, 5, 4, 3, 2, 1], "newest first");
    assert_eq!(places(&s, &all, 2).await, [9, 8]);
    assert_eq!(places(&s, &all, 0).await, NONE);
    assert_eq!(places(&s, &risks(&[Risk::High]), 100).await, [8]);
    assert_eq!(places(&s, &risks(&[Risk::Medium]), 100).await, [9, 7, 1]);
    assert_eq!(places(&s, &risks(&[Risk::High, Risk::Medium]), 100).await, [9, 8, 7, 1]);
    assert_eq!(places(&s, &risks(&[Risk::Critical]), 100).await, NONE);
    assert_eq!(places(&s, &risks(&Risk::ALL), 100).await.len(), 9);
    assert_eq!(places(&s, &action("member.joined"), 100).await, [6, 4, 2]);
    assert_eq!(places(&s, &action("member"), 100).await, NONE, "a name is a whole name");
    assert_eq!(places(&s, &action("%"), 100).await, NONE);
    assert_eq!(places(&s, &AuditFilter { before_seq: Some(4), ..all.clone() }, 100).await, [3, 2, 1]);

    let events = s.events().await;
    let at = |seq: usize| events.get(seq - 1).expect("an event").record.at;
    assert!(at(6) < at(7));
    let after = AuditFilter { from: Some(at(7)), ..all.clone() };
    assert_eq!(places(&s, &after, 100).await, [9, 8, 7], "from is included");
    let before = AuditFilter { to: Some(at(7)), ..all.clone() };
    assert_eq!(places(&s, &before, 100).await, [6, 5, 4, 3, 2, 1], "to is not");
    let between = AuditFilter { from: Some(at(7)), to: Some(at(7)), ..all.clone() };
    assert_eq!(places(&s, &between, 100).await, NONE);
    let together = AuditFilter { from: Some(at(7)), ..risks(&[Risk::Medium]) };
    assert_eq!(places(&s, &together, 1).await, [9], "all conditions hold together");
}

async fn audit_events_are_found_by_who_and_what(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "writer", &[Scope::WorkspaceWrite]).await.expect("7");
    let sent = s.invite(&s.admin.caller, "guest@people.example", Role::Viewer).await.expect("8");
    s.change_role(&s.admin.caller, s.viewer.id, Role::Editor).await.expect("9");
    let update = s.may::<actions::UpdateEnvironment>(&Caller::Key((&key).into())).await.expect("the key may");
    let wanted = |name: &str, tier| settings_app::environments::WantedEnvironment {
        id: None,
        name: name.parse().expect("a name"),
        tier,
        version: None,
    };
    let list = vec![wanted("production", Tier::Production), wanted("blue", Tier::Staging)];
    let by_key = super::scenario::call(&Caller::Key((&key).into()));
    s.app.replace_environments(&update, &by_key, list).await.expect("10");
    s.take_back(&s.admin.caller, sent.id).await.expect("11");
    let environments = s.environments().await;
    let blue = environments.iter().find(|e| e.name.as_str() == "blue").expect("blue").id;

    let actor = |id: Uuid| AuditFilter { actor: Some(id), ..AuditFilter::default() };
    let target = |id: Uuid| AuditFilter { target: Some(id), ..AuditFilter::default() };
    assert_eq!(places(&s, &actor(key.id.as_uuid()), 100).await, [10]);
    assert_eq!(places(&s, &actor(s.editor.id.as_uuid()), 100).await, [4], "joining is one's own act");
    assert_eq!(places(&s, &actor(s.admin.id.as_uuid()), 100).await, [11, 9, 8, 7, 5, 3, 2]);
    assert_eq!(places(&s, &actor(s.admin.id.as_uuid()), 3).await, [11, 9, 8], "a page is filled");
    assert_eq!(places(&s, &actor(Uuid::from_u128(9)), 100).await, NONE);
    assert_eq!(places(&s, &target(key.id.as_uuid()), 100).await, [7]);
    assert_eq!(places(&s, &target(sent.id.as_uuid()), 100).await, [11, 8]);
    assert_eq!(places(&s, &target(blue.as_uuid()), 100).await, [10]);
    assert_eq!(places(&s, &target(s.viewer.id.as_uuid()), 100).await, [9, 6]);
    let both = AuditFilter { actor: Some(s.admin.id.as_uuid()), ..target(s.viewer.id.as_uuid()) };
    assert_eq!(places(&s, &both, 100).await, [9]);
}

async fn paging_walks_the_audit_log_once(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    for n in 0..10 {
        a.create_key(&a.admin.caller, &format!("key {n}"), &[Scope::RunsRead]).await.expect("a key");
        b.create_key(&b.admin.caller, &format!("key {n}"), &[Scope::RunsRead]).await.expect("a key");
    }
    for limit in [1, 5, 100] {
        let (mut walked, mut filter) = (Vec::new(), AuditFilter::default());
        loop {
            let page = places(&a, &filter, limit).await;
            let Some(last) = page.last() else { break };
            filter.before_seq = Some(*last);
            walked.extend(page);
            assert!(walked.len() < 1_000, "the walk does not end");
        }
        assert_eq!(walked, (1..=16).rev().collect::<Vec<_>>());
    }
    let mine = AuditFilter { action: Some("api_key.created".to_owned()), before_seq: Some(12), ..AuditFilter::default() };
    assert_eq!(places(&a, &mine, 3).await, [11, 10, 9]);
}
