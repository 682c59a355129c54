//! The KMS keyring and the SES mailer against moto and a local SES (of other people's making), and against scripted answers
//! for what these can't do: in moto a disabled key and one that is pending deletion still work, nothing throttles and
//! nothing fails.
mod environment;
mod failures;
mod limits;
mod local_ses;
mod opening;
mod proxy;
mod responder;
mod rotation;
mod ses;
mod silence;
mod tls;

use secrecy::SecretString;
use settings_aws::{AwsCredentials, AwsOptions, KmsError, KmsFailure, KmsKeyring};
use settings_domain::ports::keyring::KeyringError;
use settings_testkit::moto::Moto;
use std::error::Error;

type AnyError = Box<dyn Error + Send + Sync>;
type TestResult = Result<(), AnyError>;

/// A context such as the service uses.
const CONTEXT: &[(&str, &str)] = &[("purpose", "workspace"), ("workspace", "0192f0c1-2d3e-7a4b-8c5d-000000000001")];
/// Shows in everything that holds it.
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2hunter";

/// A moto of the test's own.
fn moto() -> Result<Moto, AnyError> {
    Moto::start(env!("CARGO_TARGET_TMPDIR"))
}

fn options(endpoint: &str) -> AwsOptions {
    AwsOptions {
        region: Some("eu-central-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        credentials: Some(AwsCredentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: SecretString::from(SECRET),
            session_token: None,
        }),
        allow_plain_http: false,
    }
}

async fn keyring(endpoint: &str, key: &str) -> Result<KmsKeyring, AnyError> {
    Ok(KmsKeyring::connect(key, &options(endpoint)).await?)
}

/// What is said about a failure, with all its causes; an error if there was none, or another one.
fn sentence<T>(result: Result<T, KeyringError>, expected: fn(&KmsFailure) -> bool) -> Result<String, AnyError> {
    let error = match result {
        Ok(_) => return Err("it worked".into()),
        Err(KeyringError::Foreign) => return Err("foreign".into()),
        Err(KeyringError::Unavailable(error)) => error,
    };
    let failure = error.downcast_ref::<KmsError>().ok_or("another error")?;
    if !expected(failure.failure()) {
        return Err(format!("{error:?}").into());
    }
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause} {cause:?}");
        next = cause.source();
    }
    for secret in [SECRET, "hunter2"] {
        assert!(!text.contains(secret), "{text}");
    }
    Ok(text)
}

fn foreign<T>(result: &Result<T, KeyringError>) -> bool {
    matches!(result, Err(KeyringError::Foreign))
}
