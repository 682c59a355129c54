//! A KMS that answers by a script: what moto can't say.
use crate::{
    AnyError, CONTEXT, TestResult, foreign, keyring,
    responder::{Answer, Responder},
    sentence,
};
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use secrecy::ExposeSecret as _;
use settings_aws::KmsFailure;
use settings_domain::ports::keyring::{Keyring as _, KeyringError};

const KEY: &str = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn good(plaintext: &[u8]) -> String {
    format!(
        r#"{{"CiphertextBlob":"{}","KeyId":"{KEY}","Plaintext":"{}"}}"#,
        BASE64.encode("blob"),
        BASE64.encode(plaintext)
    )
}

/// The three calls, and how many requests they made.
async fn all(answer: Answer) -> Result<([Result<(), KeyringError>; 3], [usize; 3]), AnyError> {
    let kms = Responder::start(move |_| answer.clone()).await?;
    let keyring = keyring(&kms.url, KEY).await?;
    let generated = keyring.generate_data_key(CONTEXT).await.map(drop);
    let first = kms.seen().len();
    let opened = keyring.decrypt(b"\x02blob", CONTEXT).await.map(drop);
    let second = kms.seen().len() - first;
    let moved = keyring.re_encrypt(b"\x02blob", CONTEXT).await.map(drop);
    Ok(([generated, opened, moved], [first, second, kms.seen().len() - first - second]))
}

#[tokio::test]
async fn kms_is_asked_for_what_the_port_says_and_nothing_else() -> TestResult {
    let kms = Responder::start(|_| Answer::new(200, good(&[7; 32]))).await?;
    let keyring = keyring(&kms.url, KEY).await?;
    let made = keyring.generate_data_key(CONTEXT).await?;
    let wrapped = [&[3, u8::try_from(KEY.len())?], KEY.as_bytes(), b"blob"].concat();
    assert_eq!((made.key.expose_secret(), &made.wrapped), (&[7; 32][..], &wrapped));
    assert_eq!(made.wrapped_by, KEY);
    keyring.decrypt(&made.wrapped, CONTEXT).await?;
    keyring.re_encrypt(&made.wrapped, CONTEXT).await?;
    let seen = kms.seen();
    let context = serde_json::json!({"purpose": "workspace", "workspace": CONTEXT[1].1});
    let generate = serde_json::json!({"KeyId": KEY, "KeySpec": "AES_256", "EncryptionContext": context});
    let decrypt =
        serde_json::json!({"KeyId": KEY, "CiphertextBlob": BASE64.encode("blob"), "EncryptionContext": context});
    let re_encrypt = serde_json::json!({
        "SourceKeyId": KEY, "SourceEncryptionContext": context, "CiphertextBlob": BASE64.encode("blob"),
        "DestinationKeyId": KEY, "DestinationEncryptionContext": context,
    });
    let [first, second, third] = seen.as_slice() else { return Err("three requests".into()) };
    assert_eq!((third.operation.as_str(), &third.body), ("reencrypt", &re_encrypt));
    assert_eq!((first.operation.as_str(), &first.body), ("generatedatakey", &generate));
    assert_eq!((second.operation.as_str(), &second.body), ("decrypt", &decrypt));
    // The ARN's region is where it is signed for, whatever the options say.
    assert!(seen.iter().all(|request| request.head.contains("/eu-west-3/kms/aws4_request")), "{seen:?}");
    Ok(())
}

/// The states of a key have to be scripted: in moto a disabled key, and one that is pending deletion, still work.
#[tokio::test]
async fn disabled_and_pending_deletion_and_the_rest_of_what_kms_says_is_put_into_words_by_a_scripted_kms() -> TestResult
{
    type Is = fn(&KmsFailure) -> bool;
    let cases: &[(u16, &str, Is, &str)] = &[
        (400, "AccessDeniedException", |f| matches!(f, KmsFailure::AccessDenied), "allow kms:GenerateDataKey"),
        (400, "com.amazonaws.kms#DisabledException", |f| matches!(f, KmsFailure::Disabled), "enable it"),
        (400, "KMSInvalidStateException", |f| matches!(f, KmsFailure::PendingDeletion), "cancel that"),
        (400, "NotFoundException:http://x/", |f| matches!(f, KmsFailure::NotFound), "NotFound"),
        (400, "InvalidKeyUsageException", |f| matches!(f, KmsFailure::WrongKind), "symmetric"),
        (400, "UnrecognizedClientException", |f| matches!(f, KmsFailure::BadCredentials { .. }), "UnrecognizedClient"),
        (400, "InvalidSignatureException", |f| matches!(f, KmsFailure::BadCredentials { .. }), "clock"),
        (400, "ExpiredTokenException", |f| matches!(f, KmsFailure::BadCredentials { .. }), "not expired"),
        (400, "ValidationException", |f| matches!(f, KmsFailure::Refused { .. }), "(status 400, ValidationException)"),
        (400, "<b>hunter2</b>", |f| matches!(f, KmsFailure::Refused { .. }), "(status 400, no code)"),
        (429, "", |f| matches!(f, KmsFailure::Throttled), "quota"),
    ];
    for (status, code, is, words) in cases {
        let (results, requests) = all(Answer::error(*status, code)).await?;
        assert_eq!(requests, [1, 1, 1], "{code}: nothing of this gets better by asking again");
        for result in results {
            let said = sentence(result, *is).map_err(|e| format!("{code}: {e}"))?;
            // The key and the request are named; no word of the server's gets through.
            assert!(said.contains(words) && said.contains(KEY) && said.contains("0f1e-2d3c"), "{code}: {said}");
            assert!(!said.contains("about"), "{said}");
        }
    }
    for code in ["InvalidCiphertextException", "IncorrectKeyException"] {
        let (results, requests) = all(Answer::error(400, code)).await?;
        assert!(results.iter().all(foreign) && requests == [1, 1, 1], "{code}");
    }
    Ok(())
}

#[tokio::test]
async fn throttling_and_faults_are_tried_three_times_and_then_said() -> TestResult {
    type Is = fn(&KmsFailure) -> bool;
    let cases: &[(u16, &str, Is)] = &[
        (400, "ThrottlingException", |f| matches!(f, KmsFailure::Throttled)),
        (400, "LimitExceededException", |f| matches!(f, KmsFailure::Throttled)),
        (500, "KMSInternalException", |f| matches!(f, KmsFailure::Failing { status: 500 })),
        (500, "KeyUnavailableException", |f| matches!(f, KmsFailure::Failing { status: 500 })),
        (503, "DependencyTimeoutException", |f| matches!(f, KmsFailure::Failing { status: 503 })),
        (502, "", |f| matches!(f, KmsFailure::Failing { status: 502 })),
    ];
    for (status, code, is) in cases {
        let (results, requests) = all(Answer::error(*status, code)).await?;
        assert_eq!(requests, [3, 3, 3], "{code}");
        for result in results {
            sentence(result, *is).map_err(|e| format!("{code}: {e}"))?;
        }
    }
    // An answer may ask to be left alone for an hour: that is not waited for.
    let headers = "x-amz-retry-after: 3600000\r\n".to_owned();
    let kms = Responder::start(move |n| match n {
        1 => Answer { headers: headers.clone(), ..Answer::error(400, "ThrottlingException") },
        2 => Answer::error(503, "DependencyTimeoutException"),
        _ => Answer::new(200, good(&[7; 32])),
    })
    .await?;
    keyring(&kms.url, KEY).await?.generate_data_key(CONTEXT).await?;
    assert_eq!(kms.seen().len(), 3);
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_of_kms_is_no_key() -> TestResult {
    let without = r#"{"KeyId":"x","CiphertextBlob":"YmxvYg=="}"#;
    for body in [
        String::new(),
        "{}".to_owned(),
        "<html>sign in</html>".to_owned(),
        without.to_owned(),
        r#"{"Plaintext":null}"#.to_owned(),
        r#"{"Plaintext":{}}"#.to_owned(),
        r#"{"Plaintext":"no base64!"}"#.to_owned(),
        good(&[]),
        good(&[7; 16]),
        good(&[7; 31]),
        good(&[7; 33]),
        good(&[7; 32]).replace('}', ""),
    ] {
        let ([generated, opened, _], _) = all(Answer::new(200, body.clone())).await?;
        for result in [generated, opened] {
            sentence(result, |f| matches!(f, KmsFailure::Malformed)).map_err(|e| format!("{body}: {e}"))?;
        }
    }
    // Without a ciphertext, or with one that could never be given back.
    for blob in [String::new(), "A".repeat(4 * 2049)] {
        let body = format!(r#"{{"CiphertextBlob":"{blob}","Plaintext":"{}"}}"#, BASE64.encode([7; 32]));
        let ([generated, opened, moved], _) = all(Answer::new(200, body)).await?;
        for result in [generated, moved] {
            sentence(result, |f| matches!(f, KmsFailure::Malformed))?;
        }
        assert!(opened.is_ok());
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> TestResult {
    let elsewhere = Responder::start(|_| Answer::new(200, good(&[7; 32]))).await?;
    for status in [301, 302, 307, 308] {
        let location = format!("location: {}/\r\n", elsewhere.url);
        let (results, _) = all(Answer { headers: location, ..Answer::new(status, "") }).await?;
        for result in results {
            sentence(result, |f| matches!(f, KmsFailure::Refused { .. }))?;
        }
    }
    assert!(elsewhere.seen().is_empty());
    Ok(())
}
