//! A KMS that is away, slow or asked for too much.
use crate::{
    CONTEXT, TestResult, keyring, moto, options,
    proxy::Proxy,
    responder::{Answer, Responder},
    sentence,
};
use settings_aws::{KmsConfigError, KmsFailure, KmsKeyring};
use settings_domain::ports::keyring::Keyring as _;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const KEY: &str = "alias/settings";
/// Five seconds is the limit; the rest is for a machine that has much to do.
const BOUND: Duration = Duration::from_secs(6);

fn answer() -> Answer {
    let plaintext = format!("{}=", "A".repeat(43));
    Answer::new(200, format!(r#"{{"CiphertextBlob":"YmxvYg==","KeyId":"x","Plaintext":"{plaintext}"}}"#))
}

#[tokio::test]
async fn a_kms_that_goes_away_is_unavailable_within_six_seconds() -> TestResult {
    let moto = moto()?;
    let (id, _) = moto.kms_key()?;
    let keyring = keyring(&moto.url(), &id).await?;
    let wrapped = keyring.generate_data_key(CONTEXT).await?.wrapped;
    let fresh = crate::keyring(&moto.url(), &id).await?;
    drop(moto);
    let since = Instant::now();
    let said = sentence(keyring.decrypt(&wrapped, CONTEXT).await, |f| matches!(f, KmsFailure::Unreachable(_)))?;
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    assert!(said.contains("AWS_ENDPOINT_URL") && said.contains("refused"), "{said}");
    let since = Instant::now();
    sentence(keyring.re_encrypt(&wrapped, CONTEXT).await, |f| matches!(f, KmsFailure::Unreachable(_)))?;
    sentence(fresh.current().await, |f| matches!(f, KmsFailure::Unreachable(_)))?;
    assert!(since.elapsed() < 2 * BOUND, "{:?}", since.elapsed());
    // It knows its key's name from when KMS was there: a rotation that is under way is told which key it is about.
    assert!(keyring.current().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_slow_kms_is_waited_for_and_one_that_is_too_slow_is_not() -> TestResult {
    let moto = moto()?;
    let (id, _) = moto.kms_key()?;
    let slow = Proxy::start(moto.port(), Duration::from_millis(700)).await?;
    let wrapped = keyring(&slow.url, &id).await?.generate_data_key(CONTEXT).await?.wrapped;

    let too_slow = Proxy::start(moto.port(), Duration::from_secs(30)).await?;
    let keyring = keyring(&too_slow.url, &id).await?;
    let since = Instant::now();
    let (opened, moved) = tokio::join!(keyring.decrypt(&wrapped, CONTEXT), keyring.re_encrypt(&wrapped, CONTEXT));
    sentence(opened, |f| matches!(f, KmsFailure::TimedOut))?;
    sentence(moved, |f| matches!(f, KmsFailure::TimedOut))?;
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    Ok(())
}

#[tokio::test]
async fn an_answer_that_never_ends_is_not_waited_for() -> TestResult {
    let kms = Responder::start(|_| Answer { drip: Some(Duration::from_millis(400)), ..answer() }).await?;
    let keyring = keyring(&kms.url, KEY).await?;
    let since = Instant::now();
    sentence(keyring.generate_data_key(CONTEXT).await, |f| matches!(f, KmsFailure::TimedOut))?;
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    Ok(())
}

#[tokio::test]
async fn sixteen_calls_are_under_way_at_once_and_the_others_wait_their_turn() -> TestResult {
    let kms = Responder::start(|_| answer().after(Duration::from_millis(200))).await?;
    let keyring = Arc::new(keyring(&kms.url, KEY).await?);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let keyring = Arc::clone(&keyring);
        calls.spawn(async move { keyring.generate_data_key(CONTEXT).await });
    }
    let results = calls.join_all().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!((kms.most(), kms.seen().len()), (16, 40));
    Ok(())
}

#[tokio::test]
async fn who_finds_no_place_within_a_second_is_refused_and_places_come_back() -> TestResult {
    let kms = Responder::start(|_| answer().after(Duration::from_millis(2500))).await?;
    let keyring = Arc::new(keyring(&kms.url, KEY).await?);
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let keyring = Arc::clone(&keyring);
        calls.spawn(async move { keyring.generate_data_key(CONTEXT).await });
    }
    while kms.most() < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let since = Instant::now();
    sentence(keyring.generate_data_key(CONTEXT).await, |f| matches!(f, KmsFailure::Busy))?;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(kms.seen().len(), 16);
    // They give up before there is an answer: their places come back at once.
    calls.shutdown().await;
    assert!(keyring.generate_data_key(CONTEXT).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn plain_http_to_another_machine_has_to_be_allowed() -> TestResult {
    // An address that is nobody's (RFC 5737). Nothing is sent there: `connect` calls no KMS.
    let endpoint = "http://192.0.2.1:9";
    let refused = KmsKeyring::connect(KEY, &options(endpoint)).await;
    assert!(matches!(refused, Err(KmsConfigError::Endpoint)), "{refused:?}");
    let mut allowed = options(endpoint);
    allowed.allow_plain_http = true;
    assert!(KmsKeyring::connect(KEY, &allowed).await.is_ok());
    for endpoint in ["kms.example", "ftp://kms.example", "", "http://"] {
        let refused = KmsKeyring::connect(KEY, &options(endpoint)).await;
        assert!(matches!(refused, Err(KmsConfigError::Endpoint)), "{endpoint}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_key_or_no_region_makes_no_keyring() -> TestResult {
    let refused = KmsKeyring::connect("my key", &options("http://localhost")).await;
    assert!(matches!(refused, Err(KmsConfigError::Key)), "{refused:?}");
    for region in ["", "eu central", "x.evil.example/", "-"] {
        let mut options = options("http://localhost");
        options.region = Some(region.to_owned());
        let refused = KmsKeyring::connect(KEY, &options).await;
        assert!(matches!(refused, Err(KmsConfigError::Region)), "{region}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_kms_that_fails_five_times_in_a_row_is_left_alone_and_its_refusals_do_not_count() -> TestResult {
    let failing = Responder::start(|_| Answer::error(502, "")).await?;
    let keyring = keyring(&failing.url, KEY).await?;
    assert_eq!(keyring.answered(), None);
    for _ in 0..5 {
        let said = keyring.decrypt(b"\x02blob", CONTEXT).await;
        sentence(said, |f| matches!(f, KmsFailure::Failing { status: 502 }))?;
    }
    assert_eq!((keyring.answered(), failing.seen().len()), (Some(false), 15));
    let since = Instant::now();
    for _ in 0..20 {
        sentence(keyring.decrypt(b"\x02blob", CONTEXT).await, |f| matches!(f, KmsFailure::LeftAlone))?;
    }
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(failing.seen().len(), 15, "after five failures in a row nothing is asked");

    for code in ["AccessDeniedException", "DisabledException", "InvalidCiphertextException", "NotFoundException"] {
        let refusing = Responder::start(move |_| Answer::error(400, code)).await?;
        let keyring = crate::keyring(&refusing.url, KEY).await?;
        for _ in 0..8 {
            assert!(keyring.decrypt(b"\x02blob", CONTEXT).await.is_err());
        }
        assert_eq!((refusing.seen().len(), keyring.answered()), (8, Some(true)), "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn a_kms_that_is_back_is_noticed_by_one_call_after_a_rest() -> TestResult {
    let kms = Responder::start(|n| if n <= 15 { Answer::error(502, "") } else { answer() }).await?;
    let keyring = keyring(&kms.url, KEY).await?;
    for _ in 0..6 {
        assert!(keyring.generate_data_key(CONTEXT).await.is_err());
    }
    let since = Instant::now();
    while keyring.generate_data_key(CONTEXT).await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(10), "it does not recover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(since.elapsed() > Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(keyring.answered(), Some(true));
    Ok(())
}
