//! What opens a wrapped key, and what does not: against moto.
use crate::{CONTEXT, TestResult, foreign, keyring, moto, options, sentence};
use secrecy::{ExposeSecret as _, SecretString};
use settings_aws::{AwsCredentials, KmsFailure, KmsKeyring};
use settings_domain::ports::keyring::{Keyring as _, KeyringError};
use settings_testkit::moto::AccessKey;

#[tokio::test]
async fn a_data_key_comes_back_under_its_context_however_key_and_context_are_written() -> TestResult {
    let moto = moto()?;
    let (id, arn) = moto.kms_key()?;
    moto.kms_alias("alias/settings", &id)?;
    let made = keyring(&moto.url(), &id).await?.generate_data_key(CONTEXT).await?;
    let other = keyring(&moto.url(), &id).await?.generate_data_key(CONTEXT).await?;
    assert_eq!(made.key.expose_secret().len(), 32);
    assert_ne!(made.key.expose_secret(), other.key.expose_secret());
    assert_eq!(made.wrapped.first(), Some(&3));
    let reversed: Vec<_> = CONTEXT.iter().rev().copied().collect();
    let alias_arn = arn.replace(&format!("key/{id}"), "alias/settings");
    for name in [&id, &arn, "alias/settings", &alias_arn] {
        let keyring = keyring(&moto.url(), name).await?;
        for context in [CONTEXT, &reversed] {
            let key = keyring.decrypt(&made.wrapped, context).await?;
            assert_eq!(key.expose_secret(), made.key.expose_secret(), "{name}");
        }
        assert!(format!("{keyring:?}").contains(name));
    }
    let bare = keyring(&moto.url(), &id).await?.generate_data_key(&[]).await?;
    assert!(keyring(&moto.url(), &id).await?.decrypt(&bare.wrapped, &[]).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_wrapped_key_opens_under_no_other_context() -> TestResult {
    let moto = moto()?;
    let (id, _) = moto.kms_key()?;
    let keyring = keyring(&moto.url(), &id).await?;
    let wrapped = keyring.generate_data_key(CONTEXT).await?.wrapped;
    let [purpose, workspace] = CONTEXT else { return Err("two entries".into()) };
    for context in [
        &[][..],
        &[*purpose],
        &[*workspace],
        &[*purpose, *workspace, ("more", "")],
        &[*purpose, ("workspace", "0192f0c1-2d3e-7a4b-8c5d-000000000002")],
        &[*purpose, ("workspace", "0192F0C1-2D3E-7A4B-8C5D-000000000001")],
        &[*purpose, ("Workspace", workspace.1)],
        &[("purpose", workspace.1), ("workspace", purpose.1)],
    ] {
        assert!(foreign(&keyring.decrypt(&wrapped, context).await), "{context:?}");
    }
    assert!(keyring.decrypt(&wrapped, CONTEXT).await.is_ok());
    // What an entry that is there twice means nobody knows: it must not be less than what was asked for.
    let twice = &[*purpose, *workspace, *workspace];
    for result in [keyring.generate_data_key(twice).await.map(drop), keyring.decrypt(&wrapped, twice).await.map(drop)] {
        sentence(result, |f| matches!(f, KmsFailure::Context))?;
    }
    Ok(())
}

/// A wrapped key names the key to ask, and moto writes its id at the start of its ciphertext. Damaged there, KMS is asked for
/// another key and says what it says about that; all other bytes must be foreign.
#[tokio::test]
async fn a_damaged_wrapped_key_is_foreign_at_every_position() -> TestResult {
    let moto = moto()?;
    let (id, arn) = moto.kms_key()?;
    let keyring = keyring(&moto.url(), &id).await?;
    let data = keyring.generate_data_key(CONTEXT).await?;
    let wrapped = data.wrapped;
    // The version (a flipped bit makes the former one of it), the length of the ARN, the ARN, and moto's id.
    let names = 0..2 + arn.len() + id.len();
    assert!(wrapped.len() > names.end + 32);
    for position in 0..wrapped.len() {
        let mut bad = wrapped.clone();
        bad[position] ^= 1 << (position % 8);
        match keyring.decrypt(&bad, CONTEXT).await {
            Err(KeyringError::Foreign) => {}
            // To moto the ARN of another account or partition is the same key.
            Ok(key) if names.contains(&position) => assert_eq!(key.expose_secret(), data.key.expose_secret()),
            // Another key is asked than the one that wrapped, or one that is none.
            other if names.contains(&position) => {
                sentence(other, |_| true)?;
            }
            other => return Err(format!("{position}: {other:?}").into()),
        }
    }
    for length in (0..=names.end).step_by(9).chain(names.end + 1..wrapped.len()) {
        assert!(foreign(&keyring.decrypt(&wrapped[..length], CONTEXT).await), "{length} bytes");
    }
    for more in [1, 16, 6144, 100_000] {
        assert!(foreign(&keyring.decrypt(&[wrapped.clone(), vec![0; more]].concat(), CONTEXT).await), "{more} more");
    }
    // As the local keyring wraps, and formats that don't exist.
    for version in [0, 1, 4, 255] {
        let bad = [&[version], &wrapped[1..]].concat();
        assert!(foreign(&keyring.decrypt(&bad, CONTEXT).await), "version {version}");
    }
    assert!(keyring.decrypt(&wrapped, CONTEXT).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_named_and_the_sentence_says_not_found() -> TestResult {
    let moto = moto()?;
    let unknown = "11111111-2222-3333-4444-555555555555";
    for name in [
        unknown,
        "alias/nowhere",
        &format!("arn:aws:kms:eu-central-1:123456789012:key/{unknown}"),
        // A region where there is no key at all.
        &format!("arn:aws:kms:ap-south-1:123456789012:key/{unknown}"),
    ] {
        let result = keyring(&moto.url(), name).await?.generate_data_key(CONTEXT).await;
        let said = sentence(result, |f| matches!(f, KmsFailure::NotFound))?;
        assert!(said.contains("NotFound") && said.contains(name), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn the_signature_and_the_policy_are_checked_for_real() -> TestResult {
    let moto = moto()?;
    let (id, _) = moto.kms_key()?;
    let AccessKey { id: user, secret } = moto.access_key("service", "kms%3A%2A")?;
    let AccessKey { id: reader, secret: readers_secret } = moto.access_key("reader", "kms%3ADecrypt")?;
    moto.check_signatures()?;
    let connect = async |user: &str, secret: &str| {
        let credentials = AwsCredentials {
            access_key_id: user.to_owned(),
            secret_access_key: SecretString::from(secret),
            session_token: None,
        };
        let mut options = options(&moto.url());
        options.credentials = Some(credentials);
        KmsKeyring::connect(&id, &options).await
    };
    let service = connect(&user, &secret).await?;
    let made = service.generate_data_key(CONTEXT).await?;
    let opened = connect(&reader, &readers_secret).await?.decrypt(&made.wrapped, CONTEXT).await?;
    assert_eq!(opened.expose_secret(), made.key.expose_secret());

    // moto writes these errors in XML also for KMS, so that only the status can be read: AWS's own codes are in `failures`.
    let refused: fn(&KmsFailure) -> bool = |f| matches!(f, KmsFailure::Refused { status: 403, .. });
    for (user, secret) in [(user.as_str(), readers_secret.as_str()), ("AKIAIOSFODNN7UNKNOWN", secret.as_str())] {
        let keyring = connect(user, secret).await?;
        for result in [
            keyring.generate_data_key(CONTEXT).await.map(drop),
            keyring.decrypt(&made.wrapped, CONTEXT).await.map(drop),
        ] {
            let said = sentence(result, refused)?;
            assert!(!said.contains(secret), "{said}");
        }
    }
    // Known and not allowed.
    let only_reads = connect(&reader, &readers_secret).await?.generate_data_key(CONTEXT).await;
    sentence(only_reads, refused)?;
    Ok(())
}
