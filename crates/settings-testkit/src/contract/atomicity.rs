//! All or nothing: what is not committed leaves no trace, and what is leaves exactly its own.
use super::{
    No, Scenario, World,
    scenario::{ALL, call},
};
use crate::bytes::hex;
use settings_app::members::TheirKeys;
use settings_domain::{
    api_keys::ApiKey,
    environments::{Environment, Tier, Wanted},
    ids::{ApiKeyId, DeliveryId, EnvironmentId, InvitationId, PersonId},
    impact::Guard,
    invitations::{Invitation, NewInvitation},
    policy::{Role, Scope, actions},
    ports::{
        Entropy as _, StoreError,
        store::ApiKeyFilter,
    },
    tokens::Digest,
    transaction::Transaction,
    workspaces::WorkspacePatch,
};

cases![
    a_dropped_transaction_leaves_nothing,
    a_refused_mutation_leaves_no_event_and_no_message,
    every_commit_leaves_exactly_its_events_in_order,
    a_change_that_changes_nothing_leaves_nothing,
    when_one_write_fails_none_is_made,
    a_decision_on_an_old_row_is_not_written,
    a_second_transaction_waits_for_the_first,
    a_consequence_is_committed_with_its_cause,
];

/// Everything of a workspace that a mutation could have changed, as one text.
async fn everything(world: &World, s: &Scenario) -> String {
    let mut reads = s.reads().await;
    let workspace = reads.workspace().await.expect("a read");
    let (heads, environments) = (reads.headcount().await.expect("a read"), reads.environments().await.expect("a read"));
    let invitations = reads.invitations(ALL).await.expect("a read");
    let keys = reads.api_keys(ApiKeyFilter::default(), ALL).await.expect("a read");
    let head = reads.audit_head().await.expect("a read");
    drop(reads);
    let (members, depth) = (s.members().await, world.store.depth().await.expect("a count"));
    format!("{workspace:?} {heads:?} {environments:?} {members:?} {invitations:?} {keys:?} {head:?} {depth}")
}

fn new_invitation(world: &World, email: &str) -> NewInvitation {
    NewInvitation {
        id: InvitationId::from_uuid(world.entropy.uuid()),
        person: PersonId::from_uuid(world.entropy.uuid()),
        delivery: DeliveryId::from_uuid(world.entropy.uuid()),
        token: Digest::new([1; 32]),
        email: email.parse().expect("an address"),
        role: Role::Viewer,
    }
}

async fn a_dropped_transaction_leaves_nothing(world: World) {
    let s = Scenario::acme(&world).await;
    let before = everything(&world, &s).await;
    let permit = s.may::<actions::InviteMember>(&s.admin.caller).await.expect("a right");
    let mut tx = Transaction::open(world.store.as_ref(), &permit, &call(&s.admin.caller)).await.expect("a transaction");
    let new = new_invitation(&world, "new@people.example");
    let known = tx.load().acquaintance(new.email.key()).await.expect("a read");
    let (workspace, heads) = tx.workspace().await.expect("a read");
    let change = Invitation::invite(tx.permit(), new, &known, &heads, workspace.seat_limit).expect("a decision");
    drop(tx);
    drop(change);
    assert_eq!(everything(&world, &s).await, before);
    s.invite(&s.admin.caller, "new@people.example", Role::Viewer).await.expect("the tenant is not locked for ever");
}

async fn a_refused_mutation_leaves_no_event_and_no_message(world: World) {
    let s = Scenario::acme(&world).await;
    s.seats(3).await.expect("full");
    let before = everything(&world, &s).await;
    let (admin, editor) = (&s.admin.caller, &s.editor.caller);
    assert_eq!(s.invite(admin, "new@people.example", Role::Viewer).await, Err(No::Rule("seat-limit-reached")));
    assert_eq!(s.invite(admin, s.editor.email.as_str(), Role::Viewer).await, Err(No::Rule("already-member")));
    assert_eq!(s.invite(editor, "new@people.example", Role::Viewer).await, Err(No::Denied));
    assert_eq!(s.change_role(admin, s.admin.id, Role::Viewer).await, Err(No::Rule("last-admin")));
    assert_eq!(s.remove(admin, s.admin.id, TheirKeys::Keep).await, Err(No::Rule("last-admin")));
    assert_eq!(s.seats(2).await, Err(No::Rule("seat-limit-below-usage")));
    assert_eq!(s.create_key(admin, "empty", &[]).await, Err(No::Rule("validation-failed")));
    let lower = WorkspacePatch { retention_days: Some(40), ..WorkspacePatch::default() };
    assert!(matches!(s.update(admin, lower).await, Err(No::Unconfirmed(_))));
    assert_eq!(s.update(&s.viewer.caller, WorkspacePatch::default()).await, Err(No::Denied));
    assert_eq!(everything(&world, &s).await, before);
}

async fn every_commit_leaves_exactly_its_events_in_order(world: World) {
    let s = Scenario::acme(&world).await;
    let start = ["workspace.created", "member.joined", "member.invited", "member.joined", "member.invited", "member.joined"];
    s.expect_facts(0, &start).await;
    assert_eq!(start.len(), Scenario::EVENTS);
    let admin = &s.admin.caller;
    let sent = s.invite(admin, "new@people.example", Role::Viewer).await.expect("an invitation");
    let sent = s.resend(admin, sent.id).await.expect("a new link");
    s.change_role(admin, s.viewer.id, Role::Editor).await.expect("another role");
    let key = s.create_key(admin, "ci", &[Scope::RunsRead]).await.expect("a key");
    s.revoke_key(admin, key.id).await.expect("revoked");
    s.take_back(admin, sent.id).await.expect("taken back");
    s.seats(30).await.expect("more seats");
    s.remove(admin, s.viewer.id, TheirKeys::Keep).await.expect("a removal");
    let expected = [
        "member.invited", "invitation.resent", "member.updated", "api_key.created", "api_key.revoked",
        "invitation.revoked", "workspace.updated", "member.removed",
    ];
    s.expect_facts(Scenario::EVENTS, &expected).await;
    let (events, verified) = (s.events().await, s.verify().await);
    let last = events.last().expect("an event");
    let head = s.reads().await.audit_head().await.expect("a read");
    assert_eq!(head, Some((last.record.seq, last.hash)));
    assert_eq!(verified.head, hex(&last.hash));
    let numbers: Vec<_> = events.iter().map(|e| e.record.seq).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<_>>());
}

async fn a_change_that_changes_nothing_leaves_nothing(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "ci", &[Scope::RunsRead]).await.expect("a key");
    s.revoke_key(&s.admin.caller, key.id).await.expect("revoked");
    let before = everything(&world, &s).await;
    s.change_role(&s.admin.caller, s.editor.id, Role::Editor).await.expect("the same role");
    s.revoke_key(&s.admin.caller, key.id).await.expect("revoked twice is fine");
    s.update(&s.admin.caller, WorkspacePatch::default()).await.expect("nothing to do");
    assert_eq!(everything(&world, &s).await, before);
}

/// A removal that also revokes a key which is not there: the second write fails after the first has been made.
async fn when_one_write_fails_none_is_made(world: World) {
    let s = Scenario::acme(&world).await;
    let key = s.create_key(&s.admin.caller, "ci", &[Scope::RunsRead]).await.expect("a key");
    let before = everything(&world, &s).await;
    let gone = ApiKey { id: ApiKeyId::from_uuid(world.entropy.uuid()), ..key.clone() };
    let permit = s.may::<actions::RemoveMember>(&s.admin.caller).await.expect("a right");
    let mut tx = Transaction::open(world.store.as_ref(), &permit, &call(&s.admin.caller)).await.expect("a transaction");
    let editor = tx.load().member(s.editor.id).await.expect("a read").expect("a member").member;
    let heads = tx.load().headcount().await.expect("a read");
    let change = editor.remove(tx.permit(), &heads, &[], &[key, gone], &Guard::default()).expect("a decision");
    assert!(matches!(tx.commit(change).await, Err(StoreError::Constraint(_))));
    assert_eq!(everything(&world, &s).await, before);
    assert_eq!(s.verify().await.first_broken, None);
}

/// The rows that a decision was made on are checked once more when they are written.
async fn a_decision_on_an_old_row_is_not_written(world: World) {
    let s = Scenario::acme(&world).await;
    let old = s.reads().await.member(s.editor.id).await.expect("a read").expect("a member").member;
    let workspace = s.reads().await.workspace().await.expect("a read").expect("a workspace");
    let sent = s.invite(&s.admin.caller, "new@people.example", Role::Viewer).await.expect("an invitation");
    s.change_role(&s.admin.caller, s.editor.id, Role::Viewer).await.expect("another role");
    s.seats(20).await.expect("fewer seats");
    s.resend(&s.admin.caller, sent.id).await.expect("a new link");
    let before = everything(&world, &s).await;
    let (store, admin) = (world.store.as_ref(), call(&s.admin.caller));

    let permit = s.may::<actions::ChangeRole>(&s.admin.caller).await.expect("a right");
    let mut tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let heads = tx.load().headcount().await.expect("a read");
    let change = old.change_role(tx.permit(), Role::Admin, &heads, &[], &Guard::default()).expect("a decision");
    assert!(matches!(tx.commit(change).await, Err(StoreError::Constraint(_))));

    let permit = s.may::<actions::UpdateWorkspace>(&s.admin.caller).await.expect("a right");
    let tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let patch = WorkspacePatch { seat_limit: Some(50), ..WorkspacePatch::default() };
    let change = workspace.update(tx.permit(), patch, &heads, 30, &Guard::default()).expect("a decision");
    assert!(matches!(tx.commit(change).await, Err(StoreError::Constraint(_))));

    let permit = s.may::<actions::ResendInvitation>(&s.admin.caller).await.expect("a right");
    let tx = Transaction::open(store, &permit, &admin).await.expect("a transaction");
    let delivery = DeliveryId::from_uuid(world.entropy.uuid());
    let change = sent.resend(tx.permit(), Digest::new([9; 32]), delivery, &heads, 50, &Guard::default());
    assert!(matches!(tx.commit(change.expect("a decision")).await, Err(StoreError::Constraint(_))));
    assert_eq!(everything(&world, &s).await, before);
}

async fn a_second_transaction_waits_for_the_first(world: World) {
    let s = Scenario::acme(&world).await;
    let permit = s.may::<actions::CreateEnvironment>(&s.admin.caller).await.expect("a right");
    let (store, admin) = (std::sync::Arc::clone(&world.store), call(&s.admin.caller));
    let mut first = Transaction::open(store.as_ref(), &permit, &admin).await.expect("a transaction");
    let second = tokio::spawn(async move {
        let mut tx = Transaction::open(store.as_ref(), &permit, &admin).await.expect("a transaction");
        tx.load().environments().await.expect("a read").len()
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!second.is_finished(), "the tenant is locked");
    let present = first.load().environments().await.expect("a read");
    let fresh = EnvironmentId::from_uuid(world.entropy.uuid());
    let wanted = Wanted { id: None, fresh, name: "blue".parse().expect("a name"), tier: Tier::Staging, version: None };
    let change = Environment::create(first.permit(), &present, wanted).expect("a decision");
    first.commit(change).await.expect("a commit");
    assert_eq!(second.await.expect("no panic"), 2, "whoever waited sees what was committed meanwhile");
}

async fn a_consequence_is_committed_with_its_cause(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.join(&world, "second", Role::Admin).await;
    let key = s.create_key(&second.caller, "theirs", &[Scope::RunsRead]).await.expect("a key");
    let sent = s.invite(&second.caller, "friend@people.example", Role::Admin).await.expect("an invitation");
    let before = s.events().await.len();
    let left = s.remove(&s.admin.caller, second.id, TheirKeys::Revoke).await.expect("a removal");
    assert_eq!(left, []);
    s.expect_facts(before, &["member.removed", "api_key.revoked", "invitation.revoked"]).await;
    let mut reads = s.reads().await;
    assert!(reads.api_key(key.id).await.expect("a read").expect("a key").key.revoked_at.is_some());
    let state = reads.invitation(sent.id).await.expect("a read").expect("known").invitation.state;
    assert_eq!(state, settings_domain::invitations::InvitationState::Revoked);
}
