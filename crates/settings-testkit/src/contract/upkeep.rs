//! What keeps a store from growing for ever drops what nobody can ask for, and nothing else.
use super::{
    Scenario, World,
    scenario::{account, idempotent},
};
use crate::entropy::FixedMint;
use settings_domain::{
    ids::{SessionId, SignInId, UserId},
    policy::Role,
    ports::{
        Entropy as _,
        accounts::{LINK_LIFETIME, NewSession, SESSION_LIFETIME, SignInLink},
        tokens::TokenMint as _,
    },
};
use time::Duration;

cases![upkeep_of_a_busy_store_changes_no_answer, upkeep_drops_what_is_over];

async fn tidy(world: &World) -> u64 {
    world.store.tidy().await.expect("tidied")
}
/// Signs somebody in by a link; another link stays unused.
async fn signed_in(world: &World) -> (NewSession, SignInLink) {
    let link = || {
        let id = SignInId::from_uuid(world.entropy.uuid());
        let (token, email) = (FixedMint.sign_in(id).digest, "ada@people.example".parse().expect("an address"));
        SignInLink { id, token, email, delivery: None, lifetime: LINK_LIFETIME }
    };
    let (used, unused) = (link(), link());
    world.store.keep_sign_in(&used).await.expect("kept");
    world.store.keep_sign_in(&unused).await.expect("kept");
    let id = SessionId::from_uuid(world.entropy.uuid());
    let token = FixedMint.session(id).expect("a token").digest;
    let new = NewSession { id, token, user: UserId::from_uuid(world.entropy.uuid()) };
    world.store.redeem_sign_in(used.id, &used.token, &new).await.expect("an answer").expect("signed in");
    (new, unused)
}

async fn upkeep_of_a_busy_store_changes_no_answer(world: World) {
    let s = Scenario::acme(&world).await;
    let call = idempotent(&s.admin.caller, "POST /workspace/members", "k1", 1);
    let sent = s.invite_as(&call, "new@people.example", Role::Viewer).await.expect("an invitation");
    let (session, unused) = signed_in(&world).await;
    let (facts, depth) = (s.facts().await, world.store.depth().await.expect("a count"));
    assert_eq!(tidy(&world).await, 0);
    assert_eq!(s.invite_as(&call, "new@people.example", Role::Viewer).await.map(|i| i.id), Ok(sent.id));
    assert!(world.store.session(session.id, &session.token).await.expect("an answer").is_some());
    assert!(world.store.sign_in_letter(unused.id).await.expect("an answer").is_some());
    assert_eq!((s.facts().await, world.store.depth().await.expect("a count")), (facts, depth));
    let guest = account(&world, "new", false).await;
    s.accept(&guest, &sent).await.expect("the link still works");
}

async fn upkeep_drops_what_is_over(world: World) {
    let s = Scenario::acme(&world).await;
    let call = idempotent(&s.admin.caller, "POST /workspace/members", "k1", 1);
    s.invite_as(&call, "new@people.example", Role::Viewer).await.expect("an invitation");
    signed_in(&world).await;
    let messages = world.store.claim(100, Duration::minutes(5)).await.expect("messages");
    let (_unsent, sent) = messages.split_first().expect("messages");
    for message in sent {
        world.store.done(message, true).await.expect("settled");
    }
    let members = s.members().await.len();
    // A day and a session later: the outcome, the session and both links are over. Sent messages stay for a month.
    world.pass(Duration::days(1) + LINK_LIFETIME.max(SESSION_LIFETIME) + Duration::minutes(1)).await;
    assert_eq!(tidy(&world).await, 4);
    assert_eq!(tidy(&world).await, 0);
    world.pass(Duration::days(30)).await;
    assert_eq!(tidy(&world).await, u64::try_from(sent.len()).expect("a count"));
    assert_eq!(world.store.depth().await.expect("a count"), 1, "what was never sent is never forgotten");
    assert_eq!(world.store.claim(100, Duration::minutes(5)).await.expect("messages").len(), 1);
    assert_eq!(s.members().await.len(), members);
    assert_eq!(s.verify().await.first_broken, None);
}
