//! One tenant's dead receivers are its own trouble.
use crate::support::{LIMITS, OK, Receiver, TENANT, local_client, plain, told};
use settings_egress::{Client, Limits, Response, SendError};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Longer than any test.
const FOR_EVER: Limits = Limits { total: Duration::from_mins(10), per_tenant: 2, ..LIMITS };

/// Takes requests and does nothing about them. Says so when the client hangs up.
fn dead() -> (Receiver, mpsc::Receiver<bool>) {
    let (hung_up, seen) = mpsc::channel();
    let receiver = Receiver::start(move |wire| {
        let read = wire.read(&mut [0])?;
        hung_up.send(read == 0).unwrap();
        Ok(())
    });
    (receiver, seen)
}

type Attempt = JoinHandle<Result<Response, SendError>>;

/// As many attempts as a tenant may have, all of them waiting for an answer.
async fn hang(client: &Arc<Client>, dead: &Receiver) -> Vec<Attempt> {
    let before = dead.requests().len();
    let attempt = || {
        let (client, request) = (Arc::clone(client), plain(client, "dead.test", dead));
        tokio::spawn(async move { client.send(request, TENANT).await })
    };
    let attempts: Vec<Attempt> = (0..FOR_EVER.per_tenant).map(|_| attempt()).collect();
    while dead.requests().len() < before + attempts.len() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    attempts
}

#[tokio::test]
async fn a_dead_receiver_of_one_tenant_does_not_delay_another() {
    let (dead, _seen) = dead();
    let alive = Receiver::start(|wire| wire.write_all(OK));
    let client = Arc::new(local_client(FOR_EVER));
    let attempts = hang(&client, &dead).await;
    // The tenant itself is told at once, also about its good receivers.
    let request = plain(&client, "alive.test", &alive);
    assert_eq!(client.send(request.clone(), TENANT).await, Err(SendError::Busy));
    assert_eq!(client.vet(&request.target, TENANT).await, Err(SendError::Busy));
    assert!(SendError::Busy.is_retryable());
    // The other one does not notice.
    for _ in 0..5 {
        assert_eq!(client.send(request.clone(), "another").await.unwrap().status, 200);
    }
    assert!(attempts.iter().all(|attempt| !attempt.is_finished()));
    assert_eq!(alive.contacted().len(), 5);
}

#[tokio::test]
async fn attempts_that_are_dropped_hang_up_and_give_their_places_back() {
    let (dead, seen) = dead();
    let client = Arc::new(local_client(FOR_EVER));
    for _ in 0..3 {
        for attempt in hang(&client, &dead).await {
            attempt.abort();
            assert!(attempt.await.unwrap_err().is_cancelled());
        }
        for _ in 0..FOR_EVER.per_tenant {
            assert!(told(&seen).await, "something was sent after the request");
        }
    }
}

#[tokio::test]
async fn a_place_that_does_not_answer_five_times_in_a_row_is_left_alone_by_that_tenant() {
    let hanging_up = Receiver::start(|_| Ok(()));
    let client = local_client(LIMITS);
    let send = async |tenant: &str| client.send(plain(&client, "a.test", &hanging_up), tenant).await;
    for _ in 0..5 {
        assert_eq!(send("a").await, Err(SendError::Connect));
    }
    for _ in 0..3 {
        assert_eq!(send("a").await, Err(SendError::Resting));
    }
    assert!(SendError::Resting.is_retryable());
    assert_eq!(hanging_up.contacted().len(), 5, "after five failures in a row nothing is connected to");
    // What one tenant has met is not for another to learn, and another place is another matter.
    assert_eq!(send("b").await, Err(SendError::Connect));
    let failing = Receiver::start(|wire| wire.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"));
    for _ in 0..8 {
        assert_eq!(client.send(plain(&client, "a.test", &failing), "a").await.unwrap().status, 500);
    }
}
