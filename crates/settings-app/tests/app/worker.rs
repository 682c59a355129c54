use crate::support::{Stage, email, stage};
use async_trait::async_trait;
use mockall::mock;
use settings_domain::ports::{
    mail::{Letter, Mail, MailError, Mailer},
    outbox::Outbox as _,
};
use settings_testkit::senders::{pause, senders};
use std::sync::Arc;
use time::Duration;

mock! {
    Post {}
    #[async_trait]
    impl Mailer for Post {
        async fn send(&self, mail: &Mail) -> Result<(), MailError>;
    }
}

fn never() -> bool {
    false
}

/// Lets the worker send what is due through this mail server; how many messages it took.
async fn deliver(stage: &Stage, post: MockPost) -> usize {
    stage.app.deliver(&senders(Arc::new(post)), pause, never).await.unwrap()
}

async fn queued(stage: &Stage) {
    stage.app.send_sign_in_link(email("ada@example.org")).await.unwrap();
    assert_eq!(stage.store.depth().await.unwrap(), 1);
}

#[tokio::test]
async fn a_queued_mail_is_sent_once_and_holds_the_link() {
    let stage = stage();
    queued(&stage).await;
    let mut post = MockPost::new();
    post.expect_send().times(1).returning(|mail| {
        assert_eq!(mail.to.as_str(), "ada@example.org");
        assert!(matches!(mail.letter, Letter::SignIn { .. }));
        Ok(())
    });
    assert_eq!(deliver(&stage, post).await, 1);
    assert_eq!(deliver(&stage, MockPost::new()).await, 0, "nothing is left");
    assert_eq!(stage.store.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again_after_five_seconds_and_not_before() {
    let stage = stage();
    queued(&stage).await;
    let mut away = MockPost::new();
    away.expect_send().times(1).returning(|_| Err(MailError::Unavailable("away".into())));
    deliver(&stage, away).await;
    stage.store.advance(Duration::seconds(4));
    assert_eq!(deliver(&stage, MockPost::new()).await, 0, "too early");
    stage.store.advance(Duration::seconds(2));
    let mut back = MockPost::new();
    back.expect_send().times(1).returning(|_| Ok(()));
    assert_eq!(deliver(&stage, back).await, 1);
}

#[tokio::test]
async fn a_server_that_is_left_alone_costs_a_mail_none_of_its_attempts() {
    let stage = stage();
    queued(&stage).await;
    // More often than there are attempts.
    for _ in 0..12 {
        let mut resting = MockPost::new();
        resting.expect_send().times(1).returning(|_| Err(MailError::Resting(Duration::seconds(10))));
        deliver(&stage, resting).await;
        stage.store.advance(Duration::seconds(9));
        assert_eq!(deliver(&stage, MockPost::new()).await, 0, "too early");
        stage.store.advance(Duration::seconds(2));
    }
    // What is sent next is the first attempt, after which there are more.
    let mut away = MockPost::new();
    away.expect_send().times(1).returning(|_| Err(MailError::Unavailable("away".into())));
    deliver(&stage, away).await;
    stage.store.advance(Duration::seconds(6));
    let mut back = MockPost::new();
    back.expect_send().times(1).returning(|_| Ok(()));
    assert_eq!(deliver(&stage, back).await, 1);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let stage = stage();
    queued(&stage).await;
    let mut refusing = MockPost::new();
    refusing.expect_send().times(1).returning(|_| Err(MailError::Refused("550".into())));
    deliver(&stage, refusing).await;
    stage.store.advance(Duration::days(30));
    assert_eq!(deliver(&stage, MockPost::new()).await, 0);
}

#[tokio::test]
async fn a_link_that_is_over_is_not_sent_at_all() {
    let stage = stage();
    queued(&stage).await;
    stage.store.advance(Duration::minutes(16));
    // A mock without expectations panics when something is sent.
    assert_eq!(deliver(&stage, MockPost::new()).await, 1);
    assert_eq!(stage.store.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_it_has_not_begun() {
    let stage = stage();
    queued(&stage).await;
    stage.app.deliver(&senders(Arc::new(MockPost::new())), pause, || true).await.unwrap();
    let mut post = MockPost::new();
    post.expect_send().times(1).returning(|_| Ok(()));
    assert_eq!(deliver(&stage, post).await, 1, "at once, not after the lease");
}
