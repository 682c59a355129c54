//! From one KMS key to another, and what a wrapped key says of its own: against moto.
use crate::{
    AnyError, CONTEXT, TestResult, foreign, keyring, moto,
    responder::{Answer, Responder},
};
use secrecy::ExposeSecret as _;
use settings_domain::ports::keyring::{Keyring as _, Rotation};

/// The parts of a wrapped key: the ARN and KMS's ciphertext.
fn parts(wrapped: &[u8]) -> Result<(&str, &[u8]), AnyError> {
    let [3, length, rest @ ..] = wrapped else { return Err("another format".into()) };
    let (arn, ciphertext) = rest.split_at_checked(usize::from(*length)).ok_or("too short")?;
    Ok((std::str::from_utf8(arn)?, ciphertext))
}

#[tokio::test]
async fn a_data_key_moves_to_another_kms_key_and_stays_the_same_key() -> TestResult {
    let moto = moto()?;
    let ((one, one_arn), (two, two_arn)) = (moto.kms_key()?, moto.kms_key()?);
    moto.kms_alias("alias/settings", &two)?;
    let before = keyring(&moto.url(), &one).await?;
    let data = before.generate_data_key(CONTEXT).await?;
    assert_eq!((data.wrapped_by.as_str(), parts(&data.wrapped)?.0), (one_arn.as_str(), one_arn.as_str()));
    // A service that is started with the new key opens what the old one wrapped, before anything is wrapped anew.
    let after = keyring(&moto.url(), "alias/settings").await?;
    assert_eq!(after.decrypt(&data.wrapped, CONTEXT).await?.expose_secret(), data.key.expose_secret());
    let (wrapped, by) = after.re_encrypt(&data.wrapped, CONTEXT).await?;
    assert_eq!((by.as_str(), parts(&wrapped)?.0), (two_arn.as_str(), two_arn.as_str()));
    assert_eq!(after.wrapped_by(&wrapped), Some(two_arn));
    for keyring in [&before, &after] {
        assert_eq!(keyring.decrypt(&wrapped, CONTEXT).await?.expose_secret(), data.key.expose_secret());
    }
    // And back, as somebody does who set SETTINGS_KMS too early.
    let (back, by) = before.re_encrypt(&wrapped, CONTEXT).await?;
    assert_eq!(by, one_arn);
    assert_eq!(after.decrypt(&back, CONTEXT).await?.expose_secret(), data.key.expose_secret());
    Ok(())
}

#[tokio::test]
async fn a_data_key_moves_under_its_own_context_alone_and_keeps_it() -> TestResult {
    let moto = moto()?;
    let ((one, _), (two, _)) = (moto.kms_key()?, moto.kms_key()?);
    let data = keyring(&moto.url(), &one).await?.generate_data_key(CONTEXT).await?;
    let after = keyring(&moto.url(), &two).await?;
    let other = &[CONTEXT[0], ("workspace", "0192f0c1-2d3e-7a4b-8c5d-000000000002")];
    for context in [&[][..], &CONTEXT[..1], other] {
        assert!(foreign(&after.re_encrypt(&data.wrapped, context).await), "{context:?}");
    }
    let (wrapped, _) = after.re_encrypt(&data.wrapped, CONTEXT).await?;
    assert!(foreign(&after.decrypt(&wrapped, other).await));
    assert!(after.decrypt(&wrapped, CONTEXT).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_wrapped_key_without_an_arn_is_the_configured_keys_and_gets_one_when_it_moves() -> TestResult {
    let moto = moto()?;
    let (id, arn) = moto.kms_key()?;
    let keyring = keyring(&moto.url(), &id).await?;
    let data = keyring.generate_data_key(CONTEXT).await?;
    let former = [&[2], parts(&data.wrapped)?.1].concat();
    assert_eq!(keyring.wrapped_by(&former), None);
    assert_eq!(keyring.decrypt(&former, CONTEXT).await?.expose_secret(), data.key.expose_secret());
    let (wrapped, by) = keyring.re_encrypt(&former, CONTEXT).await?;
    assert_eq!((&by, parts(&wrapped)?.0), (&arn, arn.as_str()));
    assert_eq!(keyring.decrypt(&wrapped, CONTEXT).await?.expose_secret(), data.key.expose_secret());
    Ok(())
}

#[tokio::test]
async fn a_wrapped_key_that_names_another_key_than_its_own_does_not_open() -> TestResult {
    let moto = moto()?;
    let ((one, one_arn), (_, two_arn)) = (moto.kms_key()?, moto.kms_key()?);
    let keyring = keyring(&moto.url(), &one).await?;
    let wrapped = keyring.generate_data_key(CONTEXT).await?.wrapped;
    let text = two_arn.as_bytes();
    let named = [&[3, u8::try_from(text.len())?], text, parts(&wrapped)?.1].concat();
    // moto looks at the key that `ReEncrypt` names as little as at none; that it is named is tested by a scripted KMS.
    assert!(keyring.decrypt(&named, CONTEXT).await.is_err());
    assert_eq!(keyring.wrapped_by(&wrapped), Some(one_arn));
    Ok(())
}

#[tokio::test]
async fn the_current_key_is_called_by_its_arn_whatever_name_was_configured() -> TestResult {
    let moto = moto()?;
    let (id, arn) = moto.kms_key()?;
    moto.kms_alias("alias/settings", &id)?;
    let alias_arn = arn.replace(&format!("key/{id}"), "alias/settings");
    for name in [&id, &arn, "alias/settings", &alias_arn] {
        assert_eq!(keyring(&moto.url(), name).await?.current().await?, arn, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_name_of_the_current_key_is_asked_for_once() -> TestResult {
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let plaintext = format!("{}=", "A".repeat(43));
    let body = format!(r#"{{"CiphertextBlob":"YmxvYg==","KeyId":"{arn}","Plaintext":"{plaintext}"}}"#);
    let kms = Responder::start(move |_| Answer::new(200, body.clone())).await?;
    let keyring = keyring(&kms.url, "alias/settings").await?;
    for _ in 0..3 {
        assert_eq!(keyring.current().await?, arn);
    }
    assert_eq!(kms.seen().len(), 1);
    Ok(())
}

#[tokio::test]
async fn kms_makes_its_keys_itself_and_the_sentence_says_how_to_move_to_another() -> TestResult {
    let kms = Responder::start(|_| Answer::error(500, "KMSInternalException")).await?;
    let Rotation::Elsewhere(who) = keyring(&kms.url, "alias/settings").await?.rotate().await? else {
        return Err("a key was made".into());
    };
    assert!(who.contains("SETTINGS_KMS") && who.contains("EnableKeyRotation"), "{who}");
    assert!(kms.seen().is_empty(), "nobody is asked");
    Ok(())
}
