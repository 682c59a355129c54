//! Accounts, sign-in links and sessions.
use super::{
    Scenario, World,
    scenario::{ISSUER, profile},
};
use crate::entropy::FixedMint;
use settings_domain::{
    ids::{DeliveryId, SessionId, SignInId, UserId},
    members::User,
    ports::{
        Entropy as _,
        accounts::{
            EMAIL_ISSUER, LINK_LIFETIME, NewSession, OpenSession, SESSION_IDLE, SESSION_LIFETIME, Session, SignInLink,
        },
        identity::Profile,
        outbox::{Job},
        tokens::TokenMint as _,
    },
    text::Email,
    tokens::Digest,
};
use std::sync::Arc;
use time::Duration;
use tokio::task::JoinSet;

cases![
    an_account_is_its_issuer_and_subject,
    a_profile_is_kept_up_to_date,
    an_address_that_nobody_vouches_for_counts_for_nothing,
    twenty_parallel_first_sights_make_one_account,
    a_link_opens_one_session_among_twenty,
    a_link_wants_its_own_token,
    a_link_works_until_its_instant,
    the_owner_of_an_address_has_one_account,
    a_session_wants_its_own_token_and_ends_once,
    an_unused_session_works_until_its_instant,
    a_used_session_lasts_longer_but_not_for_ever,
    a_session_of_an_issuer_is_opened_once_among_twenty,
    a_link_with_a_mail_queues_it,
    an_account_sees_and_ends_its_own_sessions_only,
];

async fn sync(world: &World, profile: &Profile) -> User {
    world.store.sync(UserId::from_uuid(world.entropy.uuid()), profile).await.expect("an account")
}
fn link(world: &World, email: &str) -> SignInLink {
    let id = SignInId::from_uuid(world.entropy.uuid());
    let (token, email) = (FixedMint.sign_in(id).digest, email.parse().expect("an address"));
    SignInLink { id, token, email, delivery: None, lifetime: LINK_LIFETIME }
}
fn session(world: &World) -> NewSession {
    let id = SessionId::from_uuid(world.entropy.uuid());
    let token = FixedMint.session(id).expect("a token").digest;
    NewSession { id, token, user: UserId::from_uuid(world.entropy.uuid()) }
}
async fn redeem(world: &World, link: &SignInLink, token: &Digest) -> Option<(Session, NewSession)> {
    let new = session(world);
    let opened = world.store.redeem_sign_in(link.id, token, &new).await.expect("an answer");
    opened.map(|session| (session, new))
}

async fn an_account_is_its_issuer_and_subject(world: World) {
    let ada = profile("ada", "ada@people.example");
    let first = sync(&world, &ada).await;
    assert_eq!((first.email.as_ref(), first.name.as_deref()), (ada.email.as_ref(), ada.name.as_deref()));
    assert_eq!(first.avatar_url, ada.picture);
    assert_eq!(sync(&world, &ada).await, first, "the second sight is the same account");
    let elsewhere = Profile { issuer: "https://other.example".to_owned(), ..ada.clone() };
    assert_ne!(sync(&world, &elsewhere).await.id, first.id);
    let namesake = Profile { subject: "Ada".to_owned(), ..ada };
    assert_ne!(sync(&world, &namesake).await.id, first.id, "subjects are compared as they are");
}

async fn a_profile_is_kept_up_to_date(world: World) {
    let ada = profile("ada", "ada@people.example");
    let first = sync(&world, &ada).await;
    let moved = Profile {
        email: Some("Ada@New.Example".parse().expect("an address")),
        name: Some("Ada L.".to_owned()),
        picture: Some("https://pictures.example/new.png".to_owned()),
        ..ada.clone()
    };
    let second = sync(&world, &moved).await;
    assert_eq!(second.id, first.id);
    assert_eq!(second.email.as_ref().map(Email::as_str), Some("Ada@New.Example"));
    assert_eq!((second.name.as_deref(), second.avatar_url), (Some("Ada L."), moved.picture.clone()));
    let silent = Profile { email: None, email_verified: false, name: None, picture: None, ..ada };
    let third = sync(&world, &silent).await;
    assert_eq!(third, User { id: first.id, email: moved.email, name: moved.name, avatar_url: moved.picture });
}

async fn an_address_that_nobody_vouches_for_counts_for_nothing(world: World) {
    let s = Scenario::acme(&world).await;
    let liar = Profile { email_verified: false, ..profile("liar", "ceo@people.example") };
    let user = sync(&world, &liar).await;
    assert_eq!(user.email, None);
    let vouched = sync(&world, &Profile { email_verified: true, ..liar.clone() }).await;
    assert_eq!((vouched.id, vouched.email.is_some()), (user.id, true));
    assert_eq!(sync(&world, &liar).await.email, None, "and what was vouched for once is not vouched for ever");
    let known = s.reads().await.acquaintance(vouched.email.expect("an address").key()).await.expect("a read");
    assert!(!known.is_member && known.person.is_none());
}

async fn twenty_parallel_first_sights_make_one_account(world: World) {
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (Arc::clone(&world.store), UserId::from_uuid(world.entropy.uuid()));
        calls.spawn(async move { store.sync(id, &profile("ada", "ada@people.example")).await.expect("an account").id });
    }
    let mut ids = calls.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

async fn a_link_opens_one_session_among_twenty(world: World) {
    let link = link(&world, "ada@people.example");
    world.store.keep_sign_in(&link).await.expect("kept");
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, new, link) = (Arc::clone(&world.store), session(&world), link.clone());
        calls.spawn(async move { store.redeem_sign_in(link.id, &link.token, &new).await.expect("an answer").is_some() });
    }
    assert_eq!(calls.join_all().await.into_iter().filter(|opened| *opened).count(), 1);
}

async fn a_link_wants_its_own_token(world: World) {
    let (mine, other) = (link(&world, "ada@people.example"), link(&world, "bob@people.example"));
    world.store.keep_sign_in(&mine).await.expect("kept");
    world.store.keep_sign_in(&other).await.expect("kept");
    assert!(redeem(&world, &mine, &other.token).await.is_none());
    assert!(redeem(&world, &mine, &Digest::none()).await.is_none());
    let unknown = link(&world, "ada@people.example");
    assert!(redeem(&world, &unknown, &unknown.token).await.is_none());
    let (session, new) = redeem(&world, &mine, &mine.token).await.expect("wrong tokens do not use it up");
    assert_eq!(session.user.email.as_ref().map(Email::as_str), Some("ada@people.example"));
    let open = world.store.session(new.id, &new.token).await.expect("an answer").expect("open");
    assert_eq!((open.user, open.expires_at), (session.user, session.expires_at));
    assert!(redeem(&world, &mine, &mine.token).await.is_none(), "a link works once");
}

async fn a_link_works_until_its_instant(world: World) {
    let (first, second) = (link(&world, "ada@people.example"), link(&world, "ada@people.example"));
    world.store.keep_sign_in(&first).await.expect("kept");
    world.store.keep_sign_in(&second).await.expect("kept");
    world.pass(LINK_LIFETIME - Duration::minutes(1)).await;
    assert!(redeem(&world, &first, &first.token).await.is_some());
    assert!(world.store.sign_in_letter(second.id).await.expect("an answer").is_some());
    world.pass(Duration::minutes(1)).await;
    assert!(redeem(&world, &second, &second.token).await.is_none());
    assert!(world.store.sign_in_letter(second.id).await.expect("an answer").is_none());
    let over = SignInLink { lifetime: Duration::ZERO, ..link(&world, "ada@people.example") };
    world.store.keep_sign_in(&over).await.expect("kept");
    assert!(redeem(&world, &over, &over.token).await.is_none());
}

async fn the_owner_of_an_address_has_one_account(world: World) {
    let mut ids = Vec::new();
    for typed in ["ada@people.example", "ADA@People.Example"] {
        let link = link(&world, typed);
        world.store.keep_sign_in(&link).await.expect("kept");
        ids.push(redeem(&world, &link, &link.token).await.expect("signed in").0.user.id);
    }
    let by_link = Profile { issuer: EMAIL_ISSUER.to_owned(), ..profile("ada@people.example", "ada@people.example") };
    ids.push(sync(&world, &by_link).await.id);
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let by_issuer = sync(&world, &profile("ada@people.example", "ada@people.example")).await;
    assert_eq!(by_link.subject, "ada@people.example");
    assert_ne!(Some(&by_issuer.id), ids.first(), "what {ISSUER} says of an address makes nobody its owner here");
}

async fn a_session_wants_its_own_token_and_ends_once(world: World) {
    let link = link(&world, "ada@people.example");
    world.store.keep_sign_in(&link).await.expect("kept");
    let (_, new) = redeem(&world, &link, &link.token).await.expect("signed in");
    let open = async |token: &Digest| world.store.session(new.id, token).await.expect("an answer").is_some();
    assert!(open(&new.token).await);
    assert!(!open(&Digest::new([1; 32])).await && !open(&Digest::none()).await);
    assert!(open(&new.token).await, "a wrong token ends nothing");
    world.store.end_session(new.id).await.expect("ended");
    assert!(!open(&new.token).await);
    world.store.end_session(new.id).await.expect("ending it twice is fine");
    world.store.end_session(SessionId::from_uuid(world.entropy.uuid())).await.expect("and so is an unknown one");
}

async fn an_unused_session_works_until_its_instant(world: World) {
    let link = link(&world, "ada@people.example");
    world.store.keep_sign_in(&link).await.expect("kept");
    let (_, new) = redeem(&world, &link, &link.token).await.expect("signed in");
    world.pass(SESSION_IDLE - Duration::minutes(1)).await;
    assert!(world.store.session(new.id, &new.token).await.expect("an answer").is_some(), "looking is not using");
    world.pass(Duration::minutes(1)).await;
    assert!(world.store.session(new.id, &new.token).await.expect("an answer").is_none());
    world.store.use_sessions(&[new.id]).await.expect("an answer");
    assert!(world.store.session(new.id, &new.token).await.expect("an answer").is_none(), "what is over stays over");
}

async fn a_used_session_lasts_longer_but_not_for_ever(world: World) {
    let new = session(&world);
    let opened = world.store.open_session(&profile("ada", "ada@people.example"), &new).await.expect("an answer");
    assert!(opened.is_some_and(|s| !s.due && s.issuer == ISSUER && s.subject == "ada"));
    let found = async || world.store.session(new.id, &new.token).await.expect("an answer");
    let step = SESSION_IDLE - Duration::minutes(10);
    let mut passed = Duration::ZERO;
    while passed + step < SESSION_LIFETIME {
        world.pass(step).await;
        passed += step;
        let session = found().await.expect("open");
        assert_eq!((session.issuer.as_str(), session.subject.as_str()), (ISSUER, "ada"));
        // A real clock may tick.
        let ends = SESSION_LIFETIME - passed;
        assert_eq!(session.due, ends + step > SESSION_IDLE + Duration::minutes(1), "{passed}");
        world.store.use_sessions(&[new.id, SessionId::from_uuid(world.entropy.uuid())]).await.expect("noted");
        assert!(!found().await.expect("open").due, "a use is written down once in a while");
    }
    world.pass(SESSION_LIFETIME - passed).await;
    assert!(found().await.is_none(), "twelve hours are the end, however busy");
    let ended = session(&world);
    world.store.open_session(&profile("ada", "ada@people.example"), &ended).await.expect("an answer").expect("opened");
    world.store.end_session(ended.id).await.expect("ended");
    world.store.use_sessions(&[ended.id]).await.expect("an answer");
    assert!(world.store.session(ended.id, &ended.token).await.expect("an answer").is_none(), "what is ended stays so");
}

async fn a_session_of_an_issuer_is_opened_once_among_twenty(world: World) {
    let (id, ada) = (session(&world).id, profile("ada", "ada@people.example"));
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, new, ada) = (Arc::clone(&world.store), NewSession { id, ..session(&world) }, ada.clone());
        calls.spawn(async move { store.open_session(&ada, &new).await.expect("an answer").map(|_| new.token) });
    }
    let tokens: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
    let [token] = tokens.as_slice() else { panic!("{} sessions of one id", tokens.len()) };
    let opened = world.store.session(id, token).await.expect("an answer").expect("open");
    world.store.end_session(id).await.expect("ended");
    let again = NewSession { id, ..session(&world) };
    let bob = profile("bob", "bob@people.example");
    assert!(world.store.open_session(&bob, &again).await.expect("an answer").is_none(), "an ended one is used, too");
    assert_eq!(world.store.sync(again.user, &ada).await.expect("an account").id, opened.user.id);
    let fresh = UserId::from_uuid(world.entropy.uuid());
    assert_eq!(world.store.sync(fresh, &bob).await.expect("an account").id, fresh, "and changes nothing");
}

async fn a_link_with_a_mail_queues_it(world: World) {
    let delivery = DeliveryId::from_uuid(world.entropy.uuid());
    let link = SignInLink { delivery: Some(delivery), ..link(&world, "Ada@People.Example") };
    world.store.keep_sign_in(&link).await.expect("kept");
    let claimed = world.store.claim(10, Duration::minutes(5)).await.expect("messages");
    let [message] = &claimed[..] else { panic!("one message") };
    assert_eq!((message.delivery, message.attempt, message.job), (delivery, 0, Job::SignIn(link.id)));
    let (to, _) = world.store.sign_in_letter(link.id).await.expect("an answer").expect("a letter");
    assert_eq!(to.as_str(), "Ada@People.Example", "as it was typed");
    redeem(&world, &link, &link.token).await.expect("signed in");
    assert!(world.store.sign_in_letter(link.id).await.expect("an answer").is_none(), "a used link is not sent again");
}

async fn an_account_sees_and_ends_its_own_sessions_only(world: World) {
    let open = async |address: &str| {
        let link = link(&world, address);
        world.store.keep_sign_in(&link).await.expect("kept");
        redeem(&world, &link, &link.token).await.expect("signed in")
    };
    let (first, second, third) =
        (open("ada@people.example").await, open("ada@people.example").await, open("bob@people.example").await);
    let (ada, bob) = (first.0.user.id, third.0.user.id);
    let ids = async |user: UserId| -> Vec<SessionId> {
        world.store.sessions_of(user).await.expect("a list").into_iter().map(|s| s.id).collect()
    };
    let both = world.store.sessions_of(ada).await.expect("a list");
    // A real clock may tick between the two.
    let lasts = |s: &OpenSession| (s.expires_at - s.created_at - SESSION_IDLE).abs() < Duration::seconds(1);
    assert!(both.iter().all(lasts), "{both:?}");
    let mut seen = ids(ada).await;
    seen.sort();
    let mut expected = vec![first.1.id, second.1.id];
    expected.sort();
    assert_eq!(seen, expected);
    assert_eq!(ids(bob).await, [third.1.id]);
    let end = async |user, id| world.store.end_session_of(user, id).await.expect("an answer");
    assert!(!end(bob, first.1.id).await, "a session of somebody else is none");
    assert!(world.store.session(first.1.id, &first.1.token).await.expect("an answer").is_some());
    assert!(end(ada, first.1.id).await);
    assert!(!end(ada, first.1.id).await, "it is ended once");
    assert!(world.store.session(first.1.id, &first.1.token).await.expect("an answer").is_none());
    assert_eq!(ids(ada).await, [second.1.id]);
    world.pass(SESSION_LIFETIME).await;
    assert_eq!(ids(ada).await, [], "what is over is not listed");
    assert!(!end(bob, third.1.id).await);
}
