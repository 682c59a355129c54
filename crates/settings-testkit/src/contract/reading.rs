//! What was written is what is read: every aggregate, every field.
use super::{
    Scenario, World,
    scenario::{call, found},
};
use crate::entropy::FixedMint;
use settings_app::environments::WantedEnvironment;
use settings_domain::{
    environments::{Environment, PRODUCTION, Tier},
    ids::ApiKeyId,
    invitations::{EmailStatus, InvitationState, LIFETIME},
    micros,
    policy::{Role, Scope, ScopeSet, actions},
    ports::{
        store::{Selector},
        tokens::TokenMint as _,
    },
    workspaces::{DEFAULT_RETENTION_DAYS, WorkspacePatch},
};
use time::Duration;

cases![
    a_new_workspace_is_read_as_it_was_written,
    a_changed_workspace_is_read_as_it_was_written,
    an_invitation_is_read_as_it_was_written,
    a_member_is_read_with_the_account,
    a_key_is_read_as_it_was_written,
    every_scope_is_read_as_it_was_written,
    environments_are_read_as_they_were_written,
    two_environments_trade_their_names,
    odd_texts_survive,
    the_headcount_counts_who_holds_a_seat,
    an_address_is_known_by_whoever_has_or_had_it,
    what_somebody_has_sent_and_still_works_is_known,
    an_audit_event_is_read_as_it_was_written,
];

async fn a_new_workspace_is_read_as_it_was_written(world: World) {
    let app = super::scenario::app(&world);
    let founder = super::scenario::account(&world, "founder", true).await;
    let made = found(&app, &founder.caller, "acme", &founder.email, 7).await.expect("a workspace");
    let selector = Selector::Slug("acme".parse().expect("a slug"));
    let (mut reads, _) = world.store.snapshot(founder.caller.id(), &selector).await.expect("a snapshot");
    let read = reads.workspace().await.expect("a read").expect("a workspace");
    assert_eq!(read, made.workspace);
    assert_eq!((read.slug.as_str(), read.name.as_str()), ("acme", "The acme company"));
    assert_eq!((read.region.as_str(), read.seat_limit, read.floor_days), ("eu-central-1", 7, 30));
    assert_eq!((read.retention_days, read.version), (DEFAULT_RETENTION_DAYS, 1));
    assert_eq!((read.created_at, read.updated_at), (made.workspace.created_at, made.workspace.created_at));
    assert_eq!(read.created_at, micros::truncate(read.created_at), "whole microseconds");

    let [production] = &reads.environments().await.expect("a read")[..] else { panic!("one environment") };
    assert_eq!((production.name.as_str(), production.tier), (PRODUCTION, Tier::Production));
    assert_eq!((production.workspace, production.version), (read.id, 1));
    assert_eq!((production.created_at, production.updated_at), (read.created_at, read.created_at));

    let view = reads.member(founder.id).await.expect("a read").expect("the founder joined at once");
    assert_eq!((view.member.role, view.member.version, view.member.is_active()), (Role::Admin, 1, true));
    assert_eq!((view.member.workspace, view.member.joined_at), (read.id, read.created_at));
    assert_eq!(view.last_active_at, None);
    assert_eq!(made.seats_used, reads.headcount().await.expect("a read").used());
}

async fn a_changed_workspace_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let before = s.reads().await.workspace().await.expect("a read").expect("a workspace");
    let patch = WorkspacePatch {
        name: Some("Émile & Söhne „GmbH“ 🦓".parse().expect("a name")),
        region: Some("us-east-1".parse().expect("a region")),
        retention_days: Some(365),
        seat_limit: Some(99_999),
        ..WorkspacePatch::default()
    };
    let changed = s.update(&s.admin.caller, patch).await.expect("a change");
    let after = s.reads().await.workspace().await.expect("a read").expect("a workspace");
    assert_eq!(after, changed.workspace);
    assert_eq!((after.version, after.retention_days, after.seat_limit), (before.version + 1, 365, 99_999));
    assert_eq!((after.id, after.slug, after.created_at), (before.id, before.slug, before.created_at));
    assert!(after.updated_at >= before.updated_at);
}

async fn an_invitation_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let sent = s.invite(&s.admin.caller, "New.Person+tag@Bücher.Example", Role::Editor).await.expect("an invitation");
    let mut reads = s.reads().await;
    let read = reads.invitation(sent.id).await.expect("a read").expect("an invitation");
    // Equality of addresses is by their normal form: the text as typed is compared apart.
    assert_eq!(read.invitation, sent);
    assert_eq!(read.invitation.email.as_str(), "New.Person+tag@Bücher.Example");
    assert_eq!(read.invitation.token, FixedMint.invitation(sent.id, 1).digest, "its token's digest is kept");
    assert_eq!(read.inviter_name.as_deref(), Some("admin-acme the pérson"));
    assert_eq!((read.invitation.state, read.invitation.generation), (InvitationState::Pending, 1));
    assert_eq!((read.invitation.email_status, read.invitation.version), (EmailStatus::Queued, 1));
    assert_eq!(read.invitation.expires_at, read.invitation.created_at + LIFETIME);

    world.pass(Duration::seconds(1)).await;
    let again = s.resend(&s.editor_turned_admin().await, sent.id).await.expect("a new link");
    let read = s.reads().await.invitation(sent.id).await.expect("a read").expect("an invitation");
    assert_eq!((read.invitation.generation, read.invitation.version), (2, 2));
    assert_eq!(read.invitation.token, FixedMint.invitation(sent.id, 2).digest);
    assert_eq!(read.invitation, again);
    assert_eq!((read.invitation.invited_by, read.invitation.person), (sent.invited_by, sent.person));

    s.take_back(&s.admin.caller, sent.id).await.expect("taken back");
    let read = s.reads().await.invitation(sent.id).await.expect("a read").expect("still known");
    assert_eq!((read.invitation.state, read.invitation.version), (InvitationState::Revoked, 3));
}

async fn a_member_is_read_with_the_account(world: World) {
    let s = Scenario::acme(&world).await;
    let person = s.join(&world, "zoe", Role::Viewer).await;
    let view = s.reads().await.member(person.id).await.expect("a read").expect("a member");
    assert_eq!((view.user.id, view.user.email.as_ref()), (person.id, Some(&person.email)));
    assert_eq!(view.user.name.as_deref(), Some("zoe the pérson"));
    assert_eq!(view.user.avatar_url.as_deref(), Some("https://pictures.example/zoe.png"));
    assert_eq!((view.member.role, view.member.version, view.member.removed_at), (Role::Viewer, 1, None));

    let changed = s.change_role(&s.admin.caller, person.id, Role::Editor).await.expect("another role");
    let view = s.reads().await.member(person.id).await.expect("a read").expect("a member");
    assert_eq!((view.member.role, view.member.version), (Role::Editor, 2));
    assert_eq!(view.member, changed.member);

    s.remove(&s.admin.caller, person.id, settings_app::members::TheirKeys::Keep).await.expect("a removal");
    let view = s.reads().await.member(person.id).await.expect("a read").expect("a former member is still known");
    assert!(view.member.removed_at.is_some_and(|at| at >= view.member.joined_at));
    assert_eq!((view.member.version, view.member.is_active()), (3, false));
    assert!(s.members().await.iter().all(|v| v.member.user != person.id), "a former member is in no list");

    let invitation = s.invite(&s.admin.caller, person.email.as_str(), Role::Admin).await.expect("an invitation");
    s.accept(&person, &invitation).await.expect("back again");
    let again = s.reads().await.member(person.id).await.expect("a read").expect("a member");
    assert_eq!((again.member.role, again.member.version, again.member.removed_at), (Role::Admin, 4, None));
    assert_eq!(again.member.person, view.member.person, "the same person under the same address");
}

async fn a_key_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let permit = s.may::<actions::CreateApiKey>(&s.admin.caller).await.expect("a right");
    let end = permit.at() + Duration::days(30) + Duration::microseconds(123_457);
    let scopes: ScopeSet = [Scope::RunsRead, Scope::AuditRead].into_iter().collect();
    let name = "Übersetzung 'prod' 100%".parse().expect("a name");
    let made = s.app.create_api_key(&permit, &call(&s.admin.caller), name, scopes, Some(end)).await.expect("a key");
    let made = made.key.into_value();

    let view = s.reads().await.api_key(made.id).await.expect("a read").expect("a key");
    assert_eq!(view.key, made);
    assert_eq!((view.key.scopes, view.key.expires_at, view.key.revoked_at), (scopes, Some(end), None));
    assert_eq!((view.key.created_by, view.last_used_at), (Some(s.admin.id), None));
    let creator = view.creator.expect("who made it");
    assert_eq!((creator.user, creator.still_member), (s.admin.id, true));
    assert_eq!(creator.name.as_deref(), Some("admin-acme the pérson"));

    let standing = world.store.key(made.id).await.expect("a read").expect("a key");
    assert_eq!(standing.record.key, made);
    assert_eq!(standing.record.digest, FixedMint.api_key(made.id).expect("a key").digest);
    assert_eq!(standing.record.seal, FixedMint.seal_api_key(&made, &standing.record.digest));
    assert_eq!(standing.workspace.workspace, s.reads().await.workspace().await.expect("a read").expect("a workspace"));
    assert_eq!(standing.workspace.seats_used, 3);

    s.revoke_key(&s.admin.caller, made.id).await.expect("revoked");
    let view = s.reads().await.api_key(made.id).await.expect("a read").expect("revoked keys are still listed");
    assert!(view.key.revoked_at.is_some_and(|at| at >= view.key.created_at));
    let unknown = ApiKeyId::from_uuid(uuid::Uuid::from_u128(7));
    assert!(world.store.key(unknown).await.expect("a read").is_none());
}

async fn every_scope_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let mut made = Vec::new();
    for scope in Scope::ALL {
        made.push(s.create_key(&s.admin.caller, scope.name(), &[scope]).await.expect("a key"));
    }
    made.push(s.create_key(&s.admin.caller, "all of them", &Scope::ALL).await.expect("a key"));
    for key in made {
        let standing = world.store.key(key.id).await.expect("a read").expect("a key");
        assert_eq!(standing.record.key.scopes, key.scopes, "{}", key.name);
        assert_eq!(standing.record.key, key);
    }
    assert_eq!(s.reads().await.active_api_keys().await.expect("a read"), 17);
}

fn wanted(name: &str, tier: Tier, of: Option<&Environment>) -> WantedEnvironment {
    WantedEnvironment { id: of.map(|e| e.id), name: name.parse().expect("a name"), tier, version: of.map(|e| e.version) }
}
async fn replace(s: &Scenario, list: Vec<WantedEnvironment>) -> Vec<Environment> {
    let permit = s.may::<actions::UpdateEnvironment>(&s.admin.caller).await.expect("a right");
    let replaced = s.app.replace_environments(&permit, &call(&s.admin.caller), list).await;
    replaced.unwrap_or_else(|e| panic!("{e:?}")).into_value().into_iter().map(|v| v.environment).collect()
}
fn named<'a>(list: &'a [Environment], name: &str) -> &'a Environment {
    list.iter().find(|e| e.name.as_str() == name).expect("an environment of that name")
}

async fn environments_are_read_as_they_were_written(world: World) {
    let s = Scenario::acme(&world).await;
    let first = s.environments().await;
    let production = named(&first, PRODUCTION);
    world.pass(Duration::seconds(1)).await;
    let list = vec![
        wanted(PRODUCTION, Tier::Production, Some(production)),
        wanted("blue_1", Tier::Staging, None),
        wanted("0-green", Tier::Development, None),
    ];
    let made = replace(&s, list).await;
    let mut read = s.environments().await;
    assert_eq!(read.first().map(|e| e.name.as_str()), Some(PRODUCTION), "the oldest comes first");
    read.sort_by_key(|e| made.iter().position(|m| m.id == e.id));
    assert_eq!(read, made);
    assert_eq!(named(&read, PRODUCTION), production, "what was not changed keeps its version and its time");

    let blue = named(&read, "blue_1").clone();
    world.pass(Duration::seconds(1)).await;
    let list = vec![wanted(PRODUCTION, Tier::Production, None), wanted("navy", Tier::Development, Some(&blue))];
    let changed = replace(&s, list).await;
    let read = s.environments().await;
    assert_eq!(read.len(), 2);
    let navy = named(&read, "navy");
    assert_eq!((navy.id, navy.tier, navy.version), (blue.id, Tier::Development, 2));
    assert_eq!(navy.created_at, blue.created_at);
    assert!(navy.updated_at > blue.updated_at);
    assert_eq!(navy, named(&changed, "navy"));
}

/// A list is decided about as a whole: on the way to it two rows may have one name for a moment.
async fn two_environments_trade_their_names(world: World) {
    let s = Scenario::acme(&world).await;
    let production = || wanted(PRODUCTION, Tier::Production, None);
    let list = vec![production(), wanted("blue", Tier::Staging, None), wanted("green", Tier::Development, None)];
    let made = replace(&s, list).await;
    let (blue, green) = (named(&made, "blue").clone(), named(&made, "green").clone());
    let list = vec![
        production(),
        wanted("green", Tier::Staging, Some(&blue)),
        wanted("blue", Tier::Development, Some(&green)),
    ];
    replace(&s, list).await;
    let read = s.environments().await;
    assert_eq!((named(&read, "green").id, named(&read, "blue").id), (blue.id, green.id));

    // A new one takes the name that another gives up, although it stands before it in the list.
    let list = vec![production(), wanted("green", Tier::Staging, None), wanted("red", Tier::Staging, Some(&Environment {
        version: 2,
        ..blue.clone()
    }))];
    replace(&s, list).await;
    let read = s.environments().await;
    assert_eq!((read.len(), named(&read, "red").id), (3, blue.id));
    assert_ne!(named(&read, "green").id, green.id);
}

async fn odd_texts_survive(world: World) {
    let s = Scenario::acme(&world).await;
    let long = "ä".repeat(200);
    for text in ["'; DROP TABLE workspaces; --", "back\\slash \"quoted\"", "100 %_ [a-z]*", "\u{202e}right to left", &long, "$1 ?"] {
        let patch = WorkspacePatch { name: Some(text.parse().expect("a name")), ..WorkspacePatch::default() };
        s.update(&s.admin.caller, patch).await.expect("a change");
        let read = s.reads().await.workspace().await.expect("a read").expect("a workspace");
        assert_eq!(read.name.as_str(), text);
        let key = s.create_key(&s.admin.caller, text, &[Scope::RunsRead]).await.expect("a key");
        let read = s.reads().await.api_key(key.id).await.expect("a read").expect("a key");
        assert_eq!(read.key.name.as_str(), text);
    }
    let fine = "o'brien!#$%&*+-/=?^_`{|}~@people.example";
    let sent = s.invite(&s.admin.caller, fine, Role::Viewer).await.expect("an invitation");
    let read = s.reads().await.invitation(sent.id).await.expect("a read").expect("an invitation");
    assert_eq!(read.invitation.email.as_str(), fine);
    assert_eq!(s.verify().await.first_broken, None);
}

async fn the_headcount_counts_who_holds_a_seat(world: World) {
    let s = Scenario::acme(&world).await;
    let count = async || {
        let heads = s.reads().await.headcount().await.expect("a read");
        (heads.members, heads.admins, heads.pending)
    };
    assert_eq!(count().await, (3, 1, 0));
    let sent = s.invite(&s.admin.caller, "a@new.example", Role::Admin).await.expect("an invitation");
    assert_eq!(count().await, (3, 1, 1));
    s.change_role(&s.admin.caller, s.editor.id, Role::Admin).await.expect("another role");
    assert_eq!(count().await, (3, 2, 1));
    s.remove(&s.admin.caller, s.viewer.id, settings_app::members::TheirKeys::Keep).await.expect("a removal");
    assert_eq!(count().await, (2, 2, 1));
    world.pass(LIFETIME - Duration::minutes(1)).await;
    assert_eq!(count().await, (2, 2, 1));
    world.pass(Duration::minutes(1)).await;
    assert_eq!(count().await, (2, 2, 0), "an expired invitation holds no seat");
    assert_eq!(s.invitations().await.len(), 1, "but it still waits in the list");
    s.take_back(&s.admin.caller, sent.id).await.expect("taken back");
    assert_eq!(s.invitations().await.len(), 0);
}

async fn an_address_is_known_by_whoever_has_or_had_it(world: World) {
    let s = Scenario::acme(&world).await;
    let known = async |address: &str| {
        let email: settings_domain::text::Email = address.parse().expect("an address");
        s.reads().await.acquaintance(email.key()).await.expect("a read")
    };
    let nobody = known("nobody@people.example").await;
    assert_eq!((nobody.person, nobody.is_member, nobody.pending), (None, false, None));
    let editor = known("EDITOR-acme@People.Example").await;
    assert!(editor.is_member && editor.person.is_some() && editor.pending.is_none());
    let sent = s.invite(&s.admin.caller, "New@People.Example", Role::Viewer).await.expect("an invitation");
    let waiting = known("new@people.example").await;
    assert_eq!((waiting.person, waiting.is_member, waiting.pending), (Some(sent.person), false, Some(sent.clone())));
    s.remove(&s.admin.caller, s.editor.id, settings_app::members::TheirKeys::Keep).await.expect("a removal");
    let former = known("editor-acme@people.example").await;
    assert_eq!((former.person, former.is_member), (editor.person, false));
    world.pass(LIFETIME).await;
    assert!(known("new@people.example").await.pending.is_some_and(|i| i.id == sent.id), "expired, and still waiting");
    assert_eq!(s.invite(&s.admin.caller, "new@people.example", Role::Viewer).await.map(|i| i.person), Ok(sent.person));
    let old = s.reads().await.invitation(sent.id).await.expect("a read").expect("still known");
    assert_eq!((old.invitation.state, old.invitation.version), (InvitationState::Expired, 2));
}

async fn what_somebody_has_sent_and_still_works_is_known(world: World) {
    let s = Scenario::acme(&world).await;
    let second = s.editor_turned_admin().await;
    let sent = async |by: settings_domain::ids::UserId| {
        let found = s.reads().await.invitations_sent_by(by).await.expect("a read");
        found.into_iter().map(|i| i.id).collect::<Vec<_>>()
    };
    let invite = async |by, n| {
        s.invite(by, &format!("guest{n}@people.example"), Role::Viewer).await.expect("an invitation").id
    };
    invite(&s.admin.caller, 1).await;
    world.pass(LIFETIME).await;
    let (mine, taken) = (invite(&s.admin.caller, 2).await, invite(&s.admin.caller, 3).await);
    let theirs = invite(&second, 4).await;
    s.take_back(&second, taken).await.expect("taken back");
    assert_eq!((sent(s.admin.id).await, sent(s.editor.id).await), (vec![mine], vec![theirs]));
    assert_eq!(sent(s.viewer.id).await, vec![]);
    // Who made it counts, not who sent it again.
    s.resend(&second, mine).await.expect("a new link");
    assert_eq!((sent(s.admin.id).await, sent(s.editor.id).await), (vec![mine], vec![theirs]));
    s.change_role(&s.admin.caller, s.editor.id, Role::Viewer).await.expect("demoted, to the rank of what was sent");
    assert_eq!(sent(s.editor.id).await, vec![theirs]);
}

async fn an_audit_event_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let sent = s.invite(&s.admin.caller, "Canary@People.Example", Role::Editor).await.expect("an invitation");
    let events = s.events().await;
    let event = events.last().expect("an event");
    let record = &event.record;
    assert_eq!((record.workspace, record.seq, record.version), (s.workspace, 7, 1));
    assert_eq!((record.action.as_str(), record.risk.name()), ("member.invited", "low"));
    assert_eq!((record.actor_kind.as_str(), record.actor_key), ("member", None));
    assert_eq!((record.target_kind.as_str(), record.target_id), ("invitation", Some(sent.id.as_uuid())));
    assert_eq!(record.at, sent.created_at, "the instant of the decision, to the microsecond");
    let [change] = &record.changes[..] else { panic!("one change") };
    assert_eq!((change.field.as_str(), change.from.as_deref(), change.to.as_deref()), ("role", None, Some("editor")));
    let said: Vec<_> = event.personal.iter().map(|(field, value)| (field.as_str(), value.as_deref())).collect();
    let admin = s.admin.id.to_string();
    let expected =
        [("actor", Some(admin.as_str())), ("email", Some("Canary@People.Example")), ("requestId", Some("req-1"))];
    assert_eq!(said, expected);
    assert!(events.windows(2).all(|w| matches!(w, [a, b] if a.record.seq + 1 == b.record.seq && a.record.at <= b.record.at)));
    let head = s.reads().await.audit_head().await.expect("a read");
    assert_eq!(head, Some((7, event.hash)));
    let part = s.reads().await.audit_chain(5, 10).await.expect("a read");
    assert_eq!(part.events.iter().map(|e| e.record.seq).collect::<Vec<_>>(), [6, 7]);
    assert_eq!(part.events.last().map(|e| (&e.record, e.hash)), Some((record, event.hash)));
}
