//! One workspace from its making to an audited, verified history.
use super::world::{AnyStore, World, caller, email, profile, uuid};
use settings_domain::{
    api_keys::{ApiKey, KeyStatus},
    environments::{Environment, EnvironmentRights, Tier, Wanted},
    ids::{DeliveryId, EnvironmentId, SessionId, SignInId, UserId},
    impact::Guard,
    invitations::{EmailStatus, Invitation},
    policy::{Actor, Role, actions},
    ports::{
        accounts::{EMAIL_ISSUER, LINK_LIFETIME, NewSession, SignInLink},
        directory::Sightings,
        outbox::Job,
        store::{ApiKeyFilter, AuditFilter, CallerId, Entry, MemberFilter, Page, Selector},
        tokens::TokenMint,
    },
    text::Slug,
    transaction::{Caller, EntryError, Snapshot},
};
use time::Duration;

const PAGE: Page = Page { after: None, limit: 50 };

pub(crate) async fn a_workspace_lives<S: AnyStore>(world: World<S>) {
    let store = &world.store;
    store.ready().await.unwrap();
    assert!(store.is_empty().await.unwrap());
    let (ada, bob) = (world.person("Ada").await, world.person("Bob").await);
    let made = world.workspace("acme", &ada).await;
    let id = made.workspace.id;
    assert!(!store.is_empty().await.unwrap());
    let admin = caller(&ada);

    // Invited, mailed, accepted.
    let invitation = world.invite(&admin, id, "Bob@Example.org", Role::Viewer).await;
    the_mail_is_sent(store, &invitation).await;
    let mut view = world.snapshot::<actions::ListMembers>(&admin, &Selector::Id(id)).await;
    let waiting = view.invitations(PAGE).await.unwrap();
    assert_eq!(waiting[0].invitation.email_status, EmailStatus::Sent);
    assert_eq!(waiting[0].inviter_name.as_deref(), Some("Ada"));
    drop(view);
    world.accept(&bob, &invitation).await;

    // Changed, removed rights, read back.
    let mut tx = world.open::<actions::ChangeRole>(&admin, id).await;
    let member = tx.load().member(bob.id).await.unwrap().unwrap().member;
    let (_, heads) = tx.workspace().await.unwrap();
    assert_eq!((heads.members, heads.admins, heads.pending), (2, 1, 0));
    let sent = tx.load().invitations_sent_by(bob.id).await.unwrap();
    let change = member.change_role(tx.permit(), Role::Editor, &heads, &sent, &Guard::default()).unwrap();
    assert_eq!(tx.commit(change).await.unwrap().into_value().version, 2);

    // Keys.
    let key = world.key(&admin, id).await;
    let standing = store.key(key.id).await.unwrap().unwrap();
    assert_eq!((standing.record.key.status(standing.at), standing.workspace.seats_used), (KeyStatus::Active, 2));
    assert_eq!(standing.record.key, key);
    let seen = Sightings {
        keys: vec![(id, key.id, standing.at), (id, key.id, standing.at - Duration::hours(1))],
        members: vec![(id, bob.id, standing.at)],
    };
    store.record(&seen).await.unwrap();
    let by_key = Caller::Key((&key).into());
    let mut own = world.snapshot::<actions::ReadWorkspace>(&by_key, &Selector::Own).await;
    assert_eq!(own.workspace().await.unwrap().workspace.slug.as_str(), "acme");
    drop(own);
    let mut keys = world.snapshot::<actions::ListApiKeys>(&admin, &Selector::Id(id)).await;
    let listed = keys.api_keys(ApiKeyFilter::default(), PAGE).await.unwrap();
    assert_eq!(listed[0].last_used_at, Some(standing.at));
    assert!(listed[0].creator.as_ref().is_some_and(|c| c.still_member && c.name.as_deref() == Some("Ada")));
    assert!(keys.api_keys(ApiKeyFilter { departed: true, active_of: None }, PAGE).await.unwrap().is_empty());
    let of_ada = ApiKeyFilter { departed: false, active_of: Some(ada.id) };
    assert_eq!(keys.api_keys(of_ada, PAGE).await.unwrap().len(), 1);
    drop(keys);
    world.revoke(&admin, &key).await;
    let standing = store.key(key.id).await.unwrap().unwrap();
    assert_eq!(standing.record.key.status(standing.at), KeyStatus::Revoked);

    // Lists.
    let mut view = world.snapshot::<actions::ListMembers>(&admin, &Selector::Slug("acme".parse().unwrap())).await;
    let find = |text: &str, role| MemberFilter { text: Some(text.into()), role, former: false };
    assert_eq!(view.members(&MemberFilter::default(), PAGE).await.unwrap().len(), 2);
    assert_eq!(view.members(&find("BOB", None), PAGE).await.unwrap().len(), 1);
    assert_eq!(view.members(&find("bob@", Some(Role::Editor)), PAGE).await.unwrap().len(), 1);
    assert!(view.members(&find("%", None), PAGE).await.unwrap().is_empty(), "taken literally");
    assert!(view.members(&find("\0", None), PAGE).await.unwrap().is_empty());
    let one = view.member(bob.id).await.unwrap().unwrap();
    assert_eq!(one.last_active_at, Some(seen.members[0].2));
    drop(view);

    the_history_is_told(&world, &admin, bob.id, &key).await;

    // Deleted: gone for everybody, the slug stays taken.
    let boss = world.person("Boss").await;
    let platform = Caller::User { id: boss.id, verified_email: None, platform: true };
    let tx = world.open::<actions::DeleteOrganization>(&platform, id).await;
    let change = made.workspace.delete(tx.permit(), &Guard::default()).unwrap();
    tx.commit(change).await.unwrap();
    let gone = Snapshot::<actions::ReadWorkspace>::open(store, &admin, &Selector::Id(id)).await;
    assert!(matches!(gone, Err(EntryError::NotFound)));
    assert!(store.key(key.id).await.unwrap().is_none());
    let (mut work, standing) = store
        .begin(super::world::door::<actions::ReadWorkspace>(&Actor::platform(boss.id, id)).scope(), CallerId::Service)
        .await
        .unwrap();
    assert!(!standing.exists);
    assert!(work.slug_taken(&"acme".parse::<Slug>().unwrap()).await.unwrap());
    assert!(!work.slug_taken(&"other".parse::<Slug>().unwrap()).await.unwrap());
}

async fn the_mail_is_sent<S: AnyStore>(store: &S, invitation: &Invitation) {
    let claimed = store.claim(10, Duration::minutes(1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].job, Job::Invitation(invitation.workspace, invitation.id, 1));
    assert_eq!(claimed[0].attempt, 0);
    assert!(store.claim(10, Duration::minutes(1)).await.unwrap().is_empty(), "leased");
    let letter = store.invitation_letter(invitation.workspace, invitation.id, 1).await.unwrap().unwrap();
    assert_eq!((letter.to.as_str(), letter.inviter.as_deref()), ("Bob@Example.org", Some("Ada")));
    assert!(store.invitation_letter(invitation.workspace, invitation.id, 2).await.unwrap().is_none());
    store.release(&claimed).await.unwrap();
    let again = store.claim(10, Duration::minutes(1)).await.unwrap();
    assert_eq!(again[0].attempt, 0, "untouched");
    store.retry(&again[0], Duration::seconds(-1), "away").await.unwrap();
    let third = store.claim(10, Duration::minutes(1)).await.unwrap();
    assert_eq!(third[0].attempt, 1);
    store.done(&third[0], true).await.unwrap();
    assert_eq!(store.depth().await.unwrap(), 0);
}

async fn the_history_is_told<S: AnyStore>(world: &World<S>, admin: &Caller, bob: UserId, key: &ApiKey) {
    let mut audit = world.snapshot::<actions::ReadAudit>(admin, &Selector::Id(key.workspace)).await;
    let events = audit.audit_events(&AuditFilter::default(), 50).await.unwrap();
    let names: Vec<_> = events.iter().rev().map(|e| e.record.action.as_str()).collect();
    assert_eq!(
        names,
        [
            "workspace.created",
            "member.invited",
            "member.joined",
            "member.updated",
            "api_key.created",
            "api_key.revoked"
        ]
    );
    let of_bob = AuditFilter { actor: Some(bob.as_uuid()), ..AuditFilter::default() };
    let joined = audit.audit_events(&of_bob, 50).await.unwrap();
    assert_eq!(joined.len(), 1);
    assert_eq!(joined[0].record.action, "member.joined");
    let about_bob = AuditFilter { target: Some(bob.as_uuid()), ..AuditFilter::default() };
    assert_eq!(audit.audit_events(&about_bob, 50).await.unwrap().len(), 2);
    let about_key = AuditFilter { target: Some(key.id.as_uuid()), ..AuditFilter::default() };
    assert_eq!(audit.audit_events(&about_key, 1).await.unwrap()[0].record.action, "api_key.revoked");
    let high = AuditFilter { risks: vec![settings_domain::audit::Risk::High], ..AuditFilter::default() };
    assert!(audit.audit_events(&high, 50).await.unwrap().is_empty());
    let address = events[4].personal.iter().find(|(f, _)| f == "email").unwrap();
    assert_eq!(address.1.as_deref(), Some("Bob@Example.org"));
    let verified = audit.verify(world.audit.as_ref()).await.unwrap();
    assert_eq!((verified.events, verified.first_broken), (6, None));
}

pub(crate) async fn a_member_of_one_workspace_need_not_name_it<S: AnyStore>(world: World<S>) {
    let ada = world.person("Ada").await;
    let own = async || world.store.snapshot(CallerId::User(ada.id), &Selector::Own).await.unwrap().1;
    assert!(matches!(own().await, Entry::Unclear));
    let first = world.workspace("first", &ada).await.workspace.id;
    assert!(matches!(own().await, Entry::Found(s) if s.workspace == first));
    let second = world.workspace("second", &ada).await.workspace.id;
    assert!(matches!(own().await, Entry::Unclear));
    let mine = world.store.of(ada.id, PAGE).await.unwrap();
    assert_eq!(
        mine.iter().map(|o| (o.view.workspace.id, o.role)).collect::<Vec<_>>(),
        [(first, Role::Admin), (second, Role::Admin)]
    );
    // A key that names another workspace brings its own record, and sees nothing there.
    let key = world.key(&caller(&ada), first).await;
    let (mut reads, entry) = world.store.snapshot(CallerId::Key(key.id), &Selector::Id(second)).await.unwrap();
    let Entry::Found(standing) = entry else { panic!("there is a workspace") };
    assert_eq!(standing.workspace, second);
    assert_eq!(standing.key.unwrap().key.workspace, first);
    assert!(reads.workspace().await.unwrap().is_none());
}

pub(crate) async fn environments_trade_names<S: AnyStore>(world: World<S>) {
    let ada = world.person("Ada").await;
    let id = world.workspace("trade", &ada).await.workspace.id;
    let admin = caller(&ada);
    let wanted = |id: Option<EnvironmentId>, name: &str, tier| Wanted {
        id,
        fresh: EnvironmentId::from_uuid(uuid()),
        name: name.parse().unwrap(),
        tier,
        version: None,
    };
    let replace = async |list: Vec<Wanted>| {
        let mut tx = world.open::<actions::UpdateEnvironment>(&admin, id).await;
        let present = tx.load().environments().await.unwrap();
        let earlier = super::world::door::<actions::UpdateEnvironment>(tx.permit().actor());
        let rights = EnvironmentRights { update: earlier, create: tx.also().ok(), delete: tx.also().ok() };
        let change = Environment::replace(&rights, &present, list, |_| vec![], &Guard::default()).unwrap();
        tx.commit(change).await.unwrap();
        let mut view = world.snapshot::<actions::ListEnvironments>(&admin, &Selector::Id(id)).await;
        view.environments().await.unwrap()
    };
    let production = wanted(None, "production", Tier::Production);
    let (a, b) = (wanted(None, "a", Tier::Staging), wanted(None, "b", Tier::Development));
    let list = replace(vec![production.clone(), a, b]).await;
    let by_name = |name: &str| list.iter().find(|e| e.name.as_str() == name).unwrap().id;
    let (a, b) = (by_name("a"), by_name("b"));
    let swapped = vec![production, wanted(Some(a), "b", Tier::Staging), wanted(Some(b), "a", Tier::Development)];
    let list = replace(swapped).await;
    assert_eq!(list.iter().find(|e| e.id == a).unwrap().name.as_str(), "b");
    assert_eq!(list.iter().find(|e| e.id == b).unwrap().name.as_str(), "a");
    assert_eq!(list.len(), 3);
}

pub(crate) async fn sign_in_works_once<S: AnyStore>(world: World<S>) {
    let store = &world.store;
    let id = SignInId::from_uuid(uuid());
    let token = world.tokens.sign_in(id).digest;
    let link = SignInLink {
        id,
        token,
        email: email("Eve@example.org"),
        delivery: Some(DeliveryId::from_uuid(uuid())),
        lifetime: LINK_LIFETIME,
    };
    store.keep_sign_in(&link).await.unwrap();
    let claimed = store.claim(5, Duration::minutes(1)).await.unwrap();
    assert_eq!(claimed[0].job, Job::SignIn(id));
    assert_eq!(store.sign_in_letter(id).await.unwrap().unwrap().0.as_str(), "Eve@example.org");
    store.dead(&claimed[0], "refused").await.unwrap();

    let sid = SessionId::from_uuid(uuid());
    let session =
        NewSession { id: sid, token: world.tokens.session(sid).unwrap().digest, user: UserId::from_uuid(uuid()) };
    let wrong = world.tokens.sign_in(SignInId::from_uuid(uuid())).digest;
    assert!(store.redeem_sign_in(id, &wrong, &session).await.unwrap().is_none());
    let opened = store.redeem_sign_in(id, &token, &session).await.unwrap().unwrap();
    assert!(store.redeem_sign_in(id, &token, &session).await.unwrap().is_none(), "used up");
    assert!(store.sign_in_letter(id).await.unwrap().is_none());
    assert_eq!(opened.user.email, Some(email("eve@example.org")));
    let found = store.session(sid, &session.token).await.unwrap().unwrap();
    assert_eq!(found.user, opened.user);
    assert!(store.session(sid, &wrong).await.unwrap().is_none());
    store.end_session(sid).await.unwrap();
    store.end_session(sid).await.unwrap();
    assert!(store.session(sid, &session.token).await.unwrap().is_none());

    // The same identity is the same account; an unverified address counts for nothing.
    let mut p = profile("Eve", "eve@example.org");
    p.issuer = EMAIL_ISSUER.into();
    let same = store.sync(UserId::from_uuid(uuid()), &p).await.unwrap();
    assert_eq!((same.id, same.name.as_deref()), (opened.user.id, Some("Eve")));
    p.email_verified = false;
    assert_eq!(store.sync(UserId::from_uuid(uuid()), &p).await.unwrap().email, None);
}
