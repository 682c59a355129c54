//! SS05, SS06, SS09: what a name stands for decides, each time.
use crate::support::{LIMITS, Names, OK, Receiver, TENANT, allow, get, plain};
use async_trait::async_trait;
use settings_egress::{Client, Limits, Policy, Refused, Resolver, SendError, SystemResolver};
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const NOT_PUBLIC: Result<(), SendError> = Err(SendError::Refused(Refused::Answer));

#[tokio::test]
async fn ss05_every_answer_has_to_be_public() {
    for answers in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &["10.0.0.1"],
        &["fd00:ec2::254"],
        &["::ffff:10.0.0.1"],
        &["64:ff9b::a00:1"],
        &["8.8.8.8", "10.0.0.1"],
        &["10.0.0.1", "8.8.8.8"],
        &["8.8.8.8", "2606:4700::1", "::1"],
        &["2606:4700::1", "8.8.8.8", "8.8.4.4", "100.100.100.200"],
        &["0.0.0.0"],
    ] {
        let client = Client::new(Policy::strict(), Names::script(&[answers])).unwrap();
        let target = client.policy().check("https://hooks.example.com/x").unwrap();
        assert_eq!(client.vet(&target, TENANT).await, NOT_PUBLIC, "{answers:?}");
        assert_eq!(client.send(get(target), TENANT).await.map(drop), NOT_PUBLIC, "{answers:?}");
    }
    let public = Names::script(&[&["8.8.8.8", "2606:4700::1", "64:ff9b::808:808"]]);
    let client = Client::new(Policy::strict(), public).unwrap();
    let target = client.policy().check("https://hooks.example.com/x").unwrap();
    assert_eq!(client.vet(&target, TENANT).await, Ok(()));
}

#[tokio::test]
async fn one_answer_outside_of_the_operators_networks_is_enough_to_connect_to_none() {
    let receiver = Receiver::everywhere();
    for answers in [&["127.0.0.1", "127.0.0.2"][..], &["127.0.0.2", "127.0.0.1"], &["127.0.0.1", "8.8.8.8"]] {
        let client = Client::with_limits(allow(&["127.0.0.1/32"]), Names::script(&[answers]), LIMITS).unwrap();
        let sent = client.send(plain(&client, "a.test", &receiver), TENANT).await;
        assert!(matches!(sent, Err(SendError::Refused(_))), "{sent:?}");
    }
    assert_eq!(receiver.contacted(), [""; 0].map(|_| IpAddr::from([0; 4])));
}

#[tokio::test]
async fn ss06_a_name_that_turns_private_after_it_was_configured_is_not_connected_to() {
    let receiver = Receiver::everywhere();
    let names = Names::script(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"], &["127.0.0.2"]]);
    let client = Client::with_limits(allow(&["127.0.0.1/32"]), names.clone(), LIMITS).unwrap();
    let request = plain(&client, "rebind.test", &receiver);
    assert_eq!(client.vet(&request.target, TENANT).await, Ok(()));
    let sent = client.send(request.clone(), TENANT).await;
    assert_eq!(sent, Err(SendError::Refused(Refused::Answer)));
    // And after a good attempt, whose connection could have been kept.
    assert_eq!(client.send(request.clone(), TENANT).await.unwrap().status, 200);
    assert!(client.send(request, TENANT).await.is_err());
    assert_eq!(receiver.contacted(), [IpAddr::from([127, 0, 0, 1])]);
    assert_eq!(names.asked(), ["rebind.test"; 4]);
}

#[tokio::test]
async fn ss06_an_attempt_looks_up_once_and_connects_to_what_it_was_told_then() {
    let receiver = Receiver::everywhere();
    // The second answer is allowed as well: only a second lookup could lead there.
    let names = Names::script(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = Client::with_limits(allow(&["127.0.0.0/8"]), names.clone(), LIMITS).unwrap();
    assert_eq!(client.send(plain(&client, "rebind.test", &receiver), TENANT).await.unwrap().status, 200);
    assert_eq!(names.asked(), ["rebind.test"]);
    assert_eq!(receiver.contacted(), [IpAddr::from([127, 0, 0, 1])]);
}

#[tokio::test]
async fn a_connection_is_not_used_again() {
    // It stays open, and a second request on it would wait for ever.
    let receiver = Receiver::start(|wire| {
        wire.write_all(OK)?;
        wire.flush()?;
        wire.read(&mut [0]).map(drop)
    });
    let client = Client::with_limits(allow(&["127.0.0.1/32"]), Names::loopback(), LIMITS).unwrap();
    for _ in 0..3 {
        assert_eq!(client.send(plain(&client, "a.test", &receiver), TENANT).await.unwrap().status, 200);
    }
    assert_eq!(receiver.contacted().len(), 3);
}

#[tokio::test]
async fn addresses_in_the_url_are_connected_to_without_a_lookup_if_they_are_allowed() {
    let receiver = Receiver::everywhere();
    let names = Names::script(&[]);
    let client = Client::with_limits(allow(&["127.0.0.1/32"]), names.clone(), LIMITS).unwrap();
    for host in ["127.0.0.1", "2130706433", "0x7f.1"] {
        assert_eq!(client.send(plain(&client, host, &receiver), TENANT).await.unwrap().status, 200, "{host}");
    }
    assert!(names.asked().is_empty());
    assert_eq!(receiver.contacted(), [IpAddr::from([127, 0, 0, 1]); 3]);
    assert!(receiver.requests().iter().all(|r| r.contains(&format!("host: 127.0.0.1:{}\r\n", receiver.port()))));
}

#[tokio::test]
async fn a_target_that_another_policy_has_passed_is_judged_by_the_clients() {
    let receiver = Receiver::everywhere();
    let lenient = allow(&["127.0.0.0/8"]);
    let own = format!("127.0.0.1:{}", receiver.port());
    let not_itself = Policy::new(vec!["127.0.0.0/8".parse().unwrap()], [own.as_str(), "own.test"]).unwrap();
    for (policy, literal, name) in [
        (Policy::strict(), Refused::Address, Refused::Scheme),
        (allow(&["10.0.0.0/8"]), Refused::Address, Refused::Answer),
        (not_itself, Refused::OwnHost, Refused::OwnHost),
    ] {
        let client = Client::with_limits(policy, Names::loopback(), LIMITS).unwrap();
        for (host, why) in [("127.0.0.1", literal), ("name.test", name), ("own.test", name)] {
            let target = lenient.check(&format!("http://{host}:{}", receiver.port())).unwrap();
            assert_eq!(client.send(get(target), TENANT).await, Err(SendError::Refused(why)), "{host}");
        }
    }
    assert!(receiver.contacted().is_empty());
}

#[tokio::test]
async fn a_name_that_is_not_found_is_worth_a_retry() {
    for names in [Names::script(&[]), Names::script(&[&[]])] {
        let client = Client::new(Policy::strict(), names).unwrap();
        let target = client.policy().check("https://gone.example").unwrap();
        assert_eq!(client.vet(&target, TENANT).await, Err(SendError::Resolve));
        let sent = client.send(get(target), TENANT).await.unwrap_err();
        assert!(sent == SendError::Resolve && sent.is_retryable());
        // Which names a private network knows is not for a tenant to read.
        assert_eq!(sent.to_string(), SendError::Refused(Refused::Answer).to_string());
        assert!(!SendError::Refused(Refused::Answer).is_retryable());
    }
}

/// A name server that answers when it is told to.
#[derive(Debug)]
struct Slow(Semaphore);

#[async_trait]
impl Resolver for Slow {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        drop(self.0.acquire().await);
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_lookup_that_is_given_up_still_counts_as_the_tenants_until_it_ends() {
    let limits = Limits {
        connect: Duration::from_millis(50),
        total: Duration::from_mins(10),
        per_tenant: 1,
        wait: Duration::ZERO,
    };
    let names = Arc::new(Slow(Semaphore::new(0)));
    let client = Client::with_limits(Policy::strict(), names.clone(), limits).unwrap();
    let target = client.policy().check("https://slow.example").unwrap();
    assert_eq!(client.vet(&target, TENANT).await, Err(SendError::Resolve));
    assert_eq!(client.vet(&target, TENANT).await, Err(SendError::Busy));
    assert_eq!(client.vet(&target, "another").await, Err(SendError::Resolve));
    names.0.add_permits(1);
    while client.vet(&target, TENANT).await == Err(SendError::Busy) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.vet(&target, TENANT).await, Err(SendError::Resolve));
}

#[tokio::test]
async fn the_systems_resolver_answers() {
    let found = SystemResolver.lookup("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}
