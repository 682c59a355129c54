//! One tenant's dead receivers are its own trouble.
use crate::support::{LIMITS, OK, Receiver, TENANT, local_client, plain};
use settings_egress::{Limits, SendError};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

#[tokio::test]
async fn a_dead_receiver_of_one_tenant_does_not_delay_another() {
    let dead = Receiver::start(|_| {
        thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let alive = Receiver::start(|wire| wire.write_all(OK));
    let limits = Limits { total: Duration::from_secs(3), per_tenant: 2, ..LIMITS };
    let client = Arc::new(local_client(limits));
    let hanging: Vec<_> = (0..2)
        .map(|_| {
            let (client, request) = (Arc::clone(&client), plain(&client, "dead.test", &dead));
            tokio::spawn(async move { client.send(request, TENANT).await })
        })
        .collect();
    while dead.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    // The tenant itself is told at once, also about its good receivers.
    let begun = Instant::now();
    let sent = client.send(plain(&client, "alive.test", &alive), TENANT).await;
    assert_eq!(sent, Err(SendError::Busy));
    assert!(SendError::Busy.is_retryable());
    assert_eq!(client.vet(&plain(&client, "alive.test", &alive).target, TENANT).await, Err(SendError::Busy));
    // The other one does not notice.
    for _ in 0..5 {
        let answer = client.send(plain(&client, "alive.test", &alive), "another").await.unwrap();
        assert_eq!(answer.status.as_u16(), 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    for attempt in hanging {
        assert_eq!(attempt.await.unwrap(), Err(SendError::Timeout));
    }
    assert_eq!(client.send(plain(&client, "alive.test", &alive), TENANT).await.unwrap().status, 200);
    assert_eq!(alive.contacted().len(), 6);
}

#[tokio::test]
async fn an_attempt_that_is_dropped_hangs_up_and_gives_its_place_back() {
    let (hung_up, seen) = mpsc::channel();
    let dead = Receiver::start(move |wire| {
        let read = wire.read(&mut [0])?;
        hung_up.send(read == 0).unwrap();
        Ok(())
    });
    let client = local_client(Limits { per_tenant: 1, ..LIMITS });
    for _ in 0..3 {
        let attempt = client.send(plain(&client, "dead.test", &dead), TENANT);
        let given_up = tokio::time::timeout(Duration::from_millis(200), attempt).await;
        assert!(given_up.is_err());
        // Lets the connection's task see that nobody waits for it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let hung_up: Vec<bool> = (0..3).map(|_| seen.recv_timeout(Duration::from_secs(5)).unwrap()).collect();
    assert_eq!(hung_up, [true; 3]);
    assert_eq!(dead.contacted().len(), 3);
}
