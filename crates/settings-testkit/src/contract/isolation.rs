//! Tenants do not see each other, on any method, by any name.
use super::{
    No, Scenario, World,
    scenario::{ALL, account, call, found},
};
use settings_app::members::TheirKeys;
use settings_domain::{
    api_keys::ApiKey,
    ids::{ApiKeyId, InvitationId, UserId, WorkspaceId},
    impact::Guard,
    invitations::Invitation,
    members::Headcount,
    policy::{Role, Scope, actions},
    ports::{
        Entropy as _,
        store::{
            ApiKeyFilter, AuditFilter, CallerId, MemberFilter, Selector, TenantReads,
        },
    },
    text::Slug,
    transaction::{Caller, Snapshot, Transaction},
};

cases![
    ids_of_another_tenant_name_nothing_in_a_snapshot,
    ids_of_another_tenant_name_nothing_under_the_lock,
    another_tenant_is_as_unknown_as_one_that_is_not_there,
    a_key_of_another_tenant_is_let_in_nowhere,
    whoever_is_not_let_in_reads_nothing,
    a_change_of_one_tenant_touches_no_row_of_another,
    ones_own_workspace_is_found_when_there_is_one,
    one_address_is_two_persons_in_two_workspaces,
    everybody_is_told_their_own_workspaces_only,
];

async fn two(world: &World) -> (Scenario, Scenario) {
    (Scenario::acme(world).await, Scenario::called(world, "other").await)
}

/// A key and an invitation of `b`.
async fn things_of(b: &Scenario) -> (ApiKey, Invitation) {
    let key = b.create_key(&b.admin.caller, "of b", &[Scope::RunsRead]).await.expect("a key");
    (key, b.invite(&b.admin.caller, "guest@b.example", Role::Viewer).await.expect("an invitation"))
}

/// Everything of `b` that has an id, asked for through a view of `a`.
async fn nothing_of(b: &Scenario, (key, sent): &(ApiKey, Invitation), a: &mut dyn TenantReads) {
    let members = [&b.admin, &b.editor, &b.viewer];
    for person in members {
        assert_eq!(a.member(person.id).await.expect("a read"), None);
        assert!(a.invitations_sent_by(person.id).await.expect("a read").is_empty());
        let filter = ApiKeyFilter { active_of: Some(person.id), ..ApiKeyFilter::default() };
        assert!(a.api_keys(filter, ALL).await.expect("a read").is_empty());
        let known = a.acquaintance(person.email.key()).await.expect("a read");
        assert_eq!((known.person, known.is_member, known.pending), (None, false, None));
        for filter in [
            AuditFilter { actor: Some(person.id.as_uuid()), ..AuditFilter::default() },
            AuditFilter { target: Some(person.id.as_uuid()), ..AuditFilter::default() },
        ] {
            assert!(a.audit_events(&filter, 100).await.expect("a read").is_empty());
        }
    }
    assert_eq!(a.invitation(sent.id).await.expect("a read"), None);
    assert_eq!(a.acquaintance(sent.email.key()).await.expect("a read").pending, None);
    assert_eq!(a.api_key(key.id).await.expect("a read"), None);
    for target in [key.id.as_uuid(), sent.id.as_uuid(), b.workspace.as_uuid()] {
        let filter = AuditFilter { target: Some(target), ..AuditFilter::default() };
        assert!(a.audit_events(&filter, 100).await.expect("a read").is_empty());
    }
    let theirs = b.members().await;
    let seen = a.members(&MemberFilter::default(), ALL).await.expect("a read");
    assert!(seen.iter().all(|v| theirs.iter().all(|t| t.user.id != v.user.id)));
    let text = MemberFilter { text: Some("other".to_owned()), role: None, former: false };
    assert!(a.members(&text, ALL).await.expect("a read").is_empty());
    assert!(a.invitations(ALL).await.expect("a read").iter().all(|v| v.invitation.workspace != b.workspace));
    assert!(a.api_keys(ApiKeyFilter::default(), ALL).await.expect("a read").iter().all(|v| v.key.workspace != b.workspace));
    assert!(a.environments().await.expect("a read").iter().all(|e| e.workspace != b.workspace));
    let chain = a.audit_chain(0, 1_000).await.expect("a read");
    assert!(chain.events.iter().all(|e| e.record.workspace != b.workspace));
    let theirs = b.reads().await.audit_chain(0, 1_000).await.expect("a read");
    // Free text of nobody is salted under a person that every workspace has; the salts are each workspace's own.
    assert!(chain.salts.iter().all(|(person, salt)| theirs.salts.get(person) != Some(salt)));
    let entries = a.audit_events(&AuditFilter::default(), 1_000).await.expect("a read");
    assert!(entries.iter().all(|e| e.record.workspace != b.workspace));
}

async fn ids_of_another_tenant_name_nothing_in_a_snapshot(world: World) {
    let (a, b) = two(&world).await;
    let things = things_of(&b).await;
    let (mut reads, _) = world.store.snapshot(a.admin.caller.id(), &a.here()).await.expect("a snapshot");
    nothing_of(&b, &things, reads.as_mut()).await;
    assert_eq!(reads.headcount().await.expect("a read"), Headcount { members: 3, admins: 1, pending: 0 });
    assert_eq!(reads.workspace().await.expect("a read").map(|w| w.id), Some(a.workspace));
}

async fn ids_of_another_tenant_name_nothing_under_the_lock(world: World) {
    let (a, b) = two(&world).await;
    // What is asked for is made first: on some stores only one writer at a time gets anywhere.
    let (key, sent) = things_of(&b).await;
    let environment = b.environments().await.remove(0);
    let permit = a.may::<actions::UpdateWorkspace>(&a.admin.caller).await.expect("a right");
    let store = world.store.as_ref();
    let mut tx = Transaction::open(store, &permit, &call(&a.admin.caller)).await.expect("a transaction");
    let load = tx.load();
    assert_eq!(load.member(b.editor.id).await.expect("a read"), None);
    assert_eq!(load.invitation(sent.id).await.expect("a read"), None);
    assert_eq!(load.api_key(key.id).await.expect("a read"), None);
    assert!(load.invitations_sent_by(b.admin.id).await.expect("a read").is_empty());
    assert!(load.environments().await.expect("a read").iter().all(|e| e.id != environment.id));
    assert_eq!(load.acquaintance(b.editor.email.key()).await.expect("a read").person, None);
    assert_eq!(load.active_api_keys().await.expect("a read"), 0);
    assert_eq!(load.workspace().await.expect("a read").map(|w| w.id), Some(a.workspace));
    // The one thing that is known across tenants: whether a slug is taken.
    assert!(load.slug_taken(&b.slug).await.expect("a read"));
    assert!(!load.slug_taken(&"free".parse::<Slug>().expect("a slug")).await.expect("a read"));
    assert_eq!(load.api_key(key.id).await.expect("a read"), None, "looking a slug up opens nothing else");
}

async fn enters(world: &World, caller: &Caller, selector: &Selector) -> Result<WorkspaceId, No> {
    let snapshot = Snapshot::<actions::ReadWorkspace>::open(world.store.as_ref(), caller, selector).await?;
    Ok(snapshot.permit().scope().workspace())
}

async fn another_tenant_is_as_unknown_as_one_that_is_not_there(world: World) {
    let (a, b) = two(&world).await;
    let sent = b.invite(&b.admin.caller, "guest@b.example", Role::Viewer).await.expect("an invitation");
    let nowhere = [
        Selector::Id(b.workspace),
        Selector::Slug(b.slug.clone()),
        Selector::Invitation(sent.id),
        Selector::Id(WorkspaceId::from_uuid(world.entropy.uuid())),
        Selector::Slug("not-there".parse().expect("a slug")),
        Selector::Invitation(InvitationId::from_uuid(world.entropy.uuid())),
    ];
    let stranger = Caller::User { id: UserId::from_uuid(world.entropy.uuid()), verified_email: None, platform: false };
    for selector in &nowhere {
        for caller in [&a.admin.caller, &a.viewer.caller, &stranger] {
            assert_eq!(enters(&world, caller, selector).await, Err(No::NotFound), "{selector:?}");
        }
    }
    // The platform gets in where there is something, and learns where there is nothing.
    let platform: Vec<_> = [
        enters(&world, &a.founder.caller, &nowhere[0]).await,
        enters(&world, &a.founder.caller, &nowhere[1]).await,
        enters(&world, &a.founder.caller, &nowhere[3]).await,
    ]
    .into();
    assert_eq!(platform, [Ok(b.workspace), Ok(b.workspace), Err(No::NotFound)]);
    assert_eq!(enters(&world, &a.viewer.caller, &Selector::Slug(a.slug.clone())).await, Ok(a.workspace));
}

async fn a_key_of_another_tenant_is_let_in_nowhere(world: World) {
    let (a, b) = two(&world).await;
    let key = a.create_key(&a.admin.caller, "all", &Scope::ALL).await.expect("a key");
    let caller = Caller::Key((&key).into());
    assert_eq!(enters(&world, &caller, &Selector::Own).await, Ok(a.workspace));
    assert_eq!(enters(&world, &caller, &a.here()).await, Ok(a.workspace));
    for selector in [b.here(), Selector::Slug(b.slug.clone()), Selector::Slug("not-there".parse().expect("a slug"))] {
        assert_eq!(enters(&world, &caller, &selector).await, Err(No::NotFound), "{selector:?}");
        let (mut reads, _) = world.store.snapshot(caller.id(), &selector).await.expect("a snapshot");
        reads_nothing(reads.as_mut(), &b).await;
    }
    let unknown = Caller::Key((&ApiKey { id: ApiKeyId::from_uuid(world.entropy.uuid()), ..key.clone() }).into());
    assert!(matches!(enters(&world, &unknown, &Selector::Own).await, Err(No::KeyInvalid | No::NotFound)));
    assert!(enters(&world, &unknown, &a.here()).await.is_err());
}

async fn reads_nothing(reads: &mut dyn TenantReads, b: &Scenario) {
    assert_eq!(reads.workspace().await.expect("a read"), None);
    assert_eq!(reads.headcount().await.expect("a read"), Headcount::default());
    assert!(reads.environments().await.expect("a read").is_empty());
    assert!(reads.members(&MemberFilter::default(), ALL).await.expect("a read").is_empty());
    assert_eq!(reads.member(b.admin.id).await.expect("a read"), None);
    assert!(reads.audit_events(&AuditFilter::default(), 10).await.expect("a read").is_empty());
    assert_eq!(reads.audit_head().await.expect("a read"), None);
}

async fn whoever_is_not_let_in_reads_nothing(world: World) {
    let (_, b) = two(&world).await;
    let selector = Selector::Slug("not-there".parse().expect("a slug"));
    for caller in [b.admin.caller.id(), CallerId::Service] {
        let (mut reads, _) = world.store.snapshot(caller, &selector).await.expect("a snapshot");
        reads_nothing(reads.as_mut(), &b).await;
    }
}

/// Even a decision about the wrong row, which the use cases never make, stops at the tenant's wall.
async fn a_change_of_one_tenant_touches_no_row_of_another(world: World) {
    let (a, b) = two(&world).await;
    let (key, sent) = things_of(&b).await;
    let (events_a, events_b) = (a.events().await.len(), b.events().await.len());
    let (store, admin) = (world.store.as_ref(), call(&a.admin.caller));

    let permit = a.may::<actions::RevokeApiKey>(&a.admin.caller).await.expect("a right");
    let tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let change = key.revoke(tx.permit(), None, &Guard::default()).expect("a decision");
    assert!(tx.commit(change).await.is_err());

    let permit = a.may::<actions::RevokeInvitation>(&a.admin.caller).await.expect("a right");
    let tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let change = sent.revoke(tx.permit(), &Guard::default()).expect("a decision");
    assert!(tx.commit(change).await.is_err());

    let editor = b.reads().await.member(b.editor.id).await.expect("a read").expect("a member").member;
    let permit = a.may::<actions::RemoveMember>(&a.admin.caller).await.expect("a right");
    let tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let heads = Headcount { members: 3, admins: 2, pending: 0 };
    let change = editor.remove(tx.permit(), &heads, &[], &[], &Guard::default()).expect("a decision");
    assert!(tx.commit(change).await.is_err());

    let standing = world.store.key(key.id).await.expect("a read").expect("the key");
    assert_eq!(standing.record.key.revoked_at, None);
    assert_eq!(b.invitations().await, [sent]);
    assert!(b.members().await.iter().any(|v| v.user.id == b.editor.id));
    assert_eq!((a.events().await.len(), b.events().await.len()), (events_a, events_b));
    assert_eq!((a.verify().await.first_broken, b.verify().await.first_broken), (None, None));
}

async fn ones_own_workspace_is_found_when_there_is_one(world: World) {
    let (a, b) = two(&world).await;
    let own = async |caller: &Caller| enters(&world, caller, &Selector::Own).await;
    assert_eq!(own(&a.viewer.caller).await, Ok(a.workspace));
    assert_eq!(own(&account(&world, "nobody", false).await.caller).await, Err(No::WorkspaceRequired));
    let sent = b.invite(&b.admin.caller, a.viewer.email.as_str(), Role::Viewer).await.expect("an invitation");
    b.accept(&a.viewer, &sent).await.expect("a second workspace");
    assert_eq!(own(&a.viewer.caller).await, Err(No::WorkspaceRequired));
    a.remove(&a.admin.caller, a.viewer.id, TheirKeys::Keep).await.expect("a removal");
    assert_eq!(own(&a.viewer.caller).await, Ok(b.workspace), "a former membership is none");
    b.delete().await.expect("deleted");
    assert_eq!(own(&a.viewer.caller).await, Err(No::WorkspaceRequired), "and so is one in a deleted workspace");
}

async fn one_address_is_two_persons_in_two_workspaces(world: World) {
    let (a, b) = two(&world).await;
    let person = account(&world, "both", false).await;
    let mut persons = Vec::new();
    for s in [&a, &b] {
        let sent = s.invite(&s.admin.caller, person.email.as_str(), Role::Editor).await.expect("an invitation");
        s.accept(&person, &sent).await.expect("a member");
        persons.push(s.reads().await.member(person.id).await.expect("a read").expect("a member").member.person);
    }
    assert_ne!(persons.first(), persons.last());
    a.remove(&a.admin.caller, person.id, TheirKeys::Keep).await.expect("a removal");
    assert!(b.members().await.iter().any(|v| v.user.id == person.id));
}

async fn everybody_is_told_their_own_workspaces_only(world: World) {
    let (a, b) = two(&world).await;
    let of = async |user: UserId| {
        let own = world.store.of(user, ALL).await.expect("a read");
        own.into_iter().map(|o| (o.view.workspace.id, o.role, o.view.seats_used)).collect::<Vec<_>>()
    };
    assert_eq!(of(a.editor.id).await, [(a.workspace, Role::Editor, 3)]);
    assert_eq!(of(b.admin.id).await, [(b.workspace, Role::Admin, 3)]);
    assert_eq!(of(a.founder.id).await, []);
    let third = found(&a.app, &a.founder.caller, "third", &a.founder.email, 5).await.expect("a workspace");
    assert_eq!(of(a.founder.id).await, [(third.workspace.id, Role::Admin, 1)]);
    a.remove(&a.admin.caller, a.editor.id, TheirKeys::Keep).await.expect("a removal");
    assert_eq!(of(a.editor.id).await, []);
}
