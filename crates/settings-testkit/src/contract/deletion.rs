//! A deleted workspace: nobody enters, nothing is sent, and its slug stays taken for ever (AK20, WS07, IN20).
use super::{
    No, Scenario, World,
    scenario::{ALL, account, call, found},
};
use settings_domain::{
    policy::{Role, Scope, actions},
    ports::{
        store::Selector,
    },
    transaction::{Caller, Snapshot, Transaction},
    workspaces::WorkspacePatch,
};

cases![
    nobody_enters_a_deleted_workspace,
    a_permit_of_before_opens_nothing_in_a_deleted_workspace,
    an_invitation_to_a_deleted_workspace_leads_nowhere,
    the_slug_of_a_deleted_workspace_stays_taken,
    a_deleted_workspace_is_in_no_list,
];

async fn nobody_enters_a_deleted_workspace(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "all", &Scope::ALL).await.expect("a key");
    s.delete().await.expect("deleted");
    for caller in [&s.admin.caller, &s.editor.caller, &s.viewer.caller, &s.founder.caller] {
        for selector in [s.here(), Selector::Slug(s.slug.clone())] {
            let entered = Snapshot::<actions::ReadWorkspace>::open(world.store.as_ref(), caller, &selector).await;
            assert_eq!(entered.map(|_| ()).map_err(No::from), Err(No::NotFound));
        }
    }
    assert!(world.store.key(key.id).await.expect("a read").is_none(), "its keys are gone");
    let own = Snapshot::<actions::ReadWorkspace>::open(world.store.as_ref(), &Caller::Key((&key).into()), &Selector::Own).await;
    assert_eq!(own.map(|_| ()).map_err(No::from), Err(No::KeyInvalid));
    assert_eq!(s.delete().await, Err(No::NotFound), "deleted once");
}

/// Whoever was let in a moment before is not let on: not as a member, not by a key, and not as the platform.
async fn a_permit_of_before_opens_nothing_in_a_deleted_workspace(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "writer", &[Scope::WorkspaceWrite]).await.expect("a key");
    let callers = [s.admin.caller.clone(), s.founder.caller.clone(), Caller::Key((&key).into())];
    let mut permits = Vec::new();
    for caller in &callers {
        permits.push(s.may::<actions::UpdateWorkspace>(caller).await.expect("a right"));
    }
    let invite = s.may::<actions::InviteMember>(&s.founder.caller).await.expect("a right");
    s.delete().await.expect("deleted");
    let expected = [No::NotFound, No::NotFound, No::KeyInvalid];
    for ((caller, permit), expected) in callers.iter().zip(&permits).zip(expected) {
        let patch = WorkspacePatch { seat_limit: Some(50), ..WorkspacePatch::default() };
        let updated = s.app.update_workspace(permit, &call(caller), patch).await;
        assert_eq!(updated.map(|_| ()).map_err(No::from), Err(expected));
    }
    let open = Transaction::open(world.store.as_ref(), &invite, &call(&s.founder.caller)).await;
    assert_eq!(open.map(|_| ()).map_err(No::from), Err(No::NotFound));
}

async fn an_invitation_to_a_deleted_workspace_leads_nowhere(world: World) {
    let s = Scenario::acme(&world).await;
    let person = account(&world, "guest", false).await;
    let sent = s.invite(&s.admin.caller, person.email.as_str(), Role::Viewer).await.expect("an invitation");
    s.delete().await.expect("deleted");
    assert_eq!(s.accept(&person, &sent).await, Err(No::Rule("not-found")));
    let letter = world.store.invitation_letter(s.workspace, sent.id, 1).await.expect("an answer");
    assert!(letter.is_none(), "its mail is not sent any more");
}

async fn the_slug_of_a_deleted_workspace_stays_taken(world: World) {
    let s = Scenario::acme(&world).await;
    s.delete().await.expect("deleted");
    let again = found(&s.app, &s.founder.caller, "acme", &s.founder.email, 5).await;
    assert_eq!(again.map(|_| ()), Err(No::Rule("slug-taken")));
    found(&s.app, &s.founder.caller, "acme-2", &s.founder.email, 5).await.expect("another slug is free");
}

async fn a_deleted_workspace_is_in_no_list(world: World) {
    assert!(world.store.is_empty().await.expect("a read"), "a new installation");
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    assert!(!world.store.is_empty().await.expect("a read"));
    let permit = b.may::<actions::ListOrganizations>(&b.founder.caller).await.expect("the platform may");
    a.delete().await.expect("deleted");
    let all = world.store.all(&permit, ALL).await.expect("a read");
    assert_eq!(all.into_iter().map(|v| v.workspace.id).collect::<Vec<_>>(), [b.workspace]);
    assert!(world.store.of(a.admin.id, ALL).await.expect("a read").is_empty());
    assert_eq!(world.store.slugs().await.expect("a read"), [(b.workspace, "other".to_owned())]);
    b.delete().await.expect("deleted");
    assert!(!world.store.is_empty().await.expect("a read"), "an installation is new once");
}
