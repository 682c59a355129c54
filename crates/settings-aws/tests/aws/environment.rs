//! AWS's own environment. It is the process's, and a test cannot change its own: so the test starts itself again.
use crate::{
    AnyError, CONTEXT, TestResult, moto,
    responder::{Answer, Responder},
    sentence, ses,
};
use secrecy::ExposeSecret as _;
use settings_aws::{AwsOptions, KmsConfigError, KmsFailure, KmsKeyring, SesFailure, SesMailer};
use settings_domain::ports::{keyring::Keyring as _, mail::Mailer as _};
use settings_testkit::moto::AccessKey;
use std::{env, path::Path, process::Command};

const CASE: &str = "SETTINGS_AWS_TEST_CASE";
const KEY: &str = "SETTINGS_AWS_TEST_KEY";
const NAME: &str = "environment::region_endpoint_and_credentials_come_from_awss_own_environment";

/// Runs this test again as one case, with these variables alone.
async fn child(case: &str, key: &str, home: &Path, variables: &[(&str, &str)]) -> TestResult {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", NAME, "--nocapture"]).env_clear().env(CASE, case).env(KEY, key).env("HOME", home);
    // Without this the SDK looks for the metadata service of EC2, which takes long where there is none.
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.contains("1 passed") {
        return Ok(());
    }
    Err(format!("{case}: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
}

async fn as_child(case: &str, key: &str) -> TestResult {
    if let Some(case) = case.strip_prefix("ses ") {
        let mailer = SesMailer::connect(&AwsOptions::default(), ses::composing(ses::FROM)).await?;
        let sent = mailer.send(&ses::mail("grace@example.org")?).await;
        return match case {
            "works" => Ok(sent?),
            "in the clear" => ses::sentence(sent, |f| matches!(f, SesFailure::ClearText)).map(drop),
            "without credentials" => ses::sentence(sent, |f| matches!(f, SesFailure::NoCredentials)).map(drop),
            _ => Err("no such case".into()),
        };
    }
    let connected = KmsKeyring::connect(key, &AwsOptions::default()).await;
    let keyring = match case {
        "no region" => return expect(matches!(connected, Err(KmsConfigError::Region))),
        "endpoint" => return expect(matches!(connected, Err(KmsConfigError::Endpoint))),
        _ => connected?,
    };
    let made = keyring.generate_data_key(CONTEXT).await;
    match case {
        "no credentials" => sentence(made, |f| matches!(f, KmsFailure::NoCredentials)).map(drop),
        "endpoint of kms" => sentence(made, |f| matches!(f, KmsFailure::ClearText)).map(drop),
        "works" => {
            let made = made?;
            let opened = keyring.decrypt(&made.wrapped, CONTEXT).await?;
            expect(opened.expose_secret() == made.key.expose_secret())
        }
        _ => Err("no such case".into()),
    }
}

fn expect(what: bool) -> Result<(), AnyError> {
    if what { Ok(()) } else { Err("not as expected".into()) }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the test tells its child what it is")]
async fn region_endpoint_and_credentials_come_from_awss_own_environment() -> TestResult {
    if let Ok(case) = env::var(CASE) {
        return as_child(&case, &env::var(KEY)?).await;
    }
    let moto = moto()?;
    let (id, arn) = moto.kms_key()?;
    let AccessKey { id: user, secret } = moto.access_key("service", "kms%3A%2A")?;
    let AccessKey { id: mailer, secret: mailers_secret } = moto.access_key("mailer", "ses%3A%2A")?;
    moto.ses_sender(ses::FROM)?;
    moto.check_signatures()?;
    let home = tempfile::tempdir()?;
    let url = moto.url();
    let (region, endpoint) = (("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", url.as_str()));
    let credentials = [("AWS_ACCESS_KEY_ID", user.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())];
    let (clear, elsewhere) = ("http://kms.example", ("AWS_REGION", "ap-south-1"));
    for (case, key, variables) in [
        ("works", &id, vec![region, endpoint]),
        ("works", &id, vec![region, ("AWS_ENDPOINT_URL_KMS", &url)]),
        // An ARN has a region, and that is the one.
        ("works", &arn, vec![endpoint]),
        ("works", &arn, vec![elsewhere, endpoint]),
        ("no region", &id, vec![endpoint]),
        ("endpoint", &id, vec![region, ("AWS_ENDPOINT_URL", clear)]),
        ("endpoint of kms", &id, vec![region, endpoint, ("AWS_ENDPOINT_URL_KMS", clear)]),
    ] {
        child(case, key, home.path(), &[&credentials, variables.as_slice()].concat()).await?;
    }
    child("no credentials", &id, home.path(), &[region, endpoint]).await?;

    let own = [("AWS_ACCESS_KEY_ID", mailer.as_str()), ("AWS_SECRET_ACCESS_KEY", mailers_secret.as_str())];
    let of_ses = |url| ("AWS_ENDPOINT_URL_SESV2", url);
    child("ses works", &id, home.path(), &[&own[..], &[region, endpoint]].concat()).await?;
    child("ses works", &id, home.path(), &[&own[..], &[region, of_ses(url.as_str())]].concat()).await?;
    child("ses in the clear", &id, home.path(), &[&own[..], &[region, endpoint, of_ses(clear)]].concat()).await?;
    child("ses without credentials", &id, home.path(), &[region, endpoint]).await?;

    // A proxy in the environment is not used.
    let proxy = Responder::start(|_| Answer::new(200, "{}")).await?;
    let proxies = [("http_proxy", proxy.url.as_str()), ("HTTP_PROXY", &proxy.url), ("ALL_PROXY", &proxy.url)];
    child("works", &id, home.path(), &[&credentials[..], &[region, endpoint], &proxies].concat()).await?;
    assert!(proxy.seen().is_empty());

    // The files, with the endpoint in them.
    std::fs::create_dir(home.path().join(".aws"))?;
    let profile = format!(
        "[profile settings]\nregion = eu-central-1\nendpoint_url = {url}\naws_access_key_id = {user}\n\
         aws_secret_access_key = {secret}\n"
    );
    std::fs::write(home.path().join(".aws/config"), profile)?;
    child("works", &id, home.path(), &[("AWS_PROFILE", "settings")]).await
}
