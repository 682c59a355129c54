//! Region, endpoint and credentials: AWS's own environment, or what is said here instead.
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_kms::config::Credentials;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;

/// For one connection.
const CONNECT: Duration = Duration::from_secs(2);
/// For one attempt, from the search for credentials to the last byte of the answer.
const ATTEMPT: Duration = Duration::from_secs(3);
/// For all attempts of a call, with the pauses between them.
pub(crate) const OPERATION: Duration = Duration::from_secs(5);
/// The first one included. Repeated are timeouts, broken connections, throttling and 500, 502, 503, 504.
const ATTEMPTS: u32 = 3;
/// A pause is a random part of this, and of twice this the second time.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to use instead of AWS's own environment. The default is to use that.
///
/// The SDK reads `AWS_REGION`, `AWS_ENDPOINT_URL` (and `AWS_ENDPOINT_URL_KMS`, `AWS_ENDPOINT_URL_SESV2`), `AWS_ACCESS_KEY_ID` and its fellows,
/// `AWS_PROFILE` with the files under `~/.aws`, web identity tokens (EKS), and the metadata services of ECS and EC2; see AWS's
/// "SDKs and Tools Reference Guide". Not compiled in, because a service has no use for them: SSO, `aws login`, and credentials
/// printed by another program. A proxy in `HTTPS_PROXY` is not used: where there is no way to AWS, a VPC endpoint is one.
#[derive(Debug, Clone, Default)]
pub struct AwsOptions {
    /// Such as `eu-central-1`. Not used for a key that is named by its ARN, which has a region.
    pub region: Option<String>,
    /// Where the service is, such as `http://127.0.0.1:4566`. Wins over `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Who calls.
    pub credentials: Option<AwsCredentials>,
    /// Lets plaintext keys and mails cross a network in the clear. For a stand-in on a development network, never for AWS.
    pub allow_plain_http: bool,
}

/// A key pair of AWS's. The environment is the better place for it: there it can be short-lived.
#[derive(Debug, Clone)]
pub struct AwsCredentials {
    /// Such as `AKIAIOSFODNN7EXAMPLE`.
    pub access_key_id: String,
    /// The secret to it.
    pub secret_access_key: SecretString,
    /// For temporary credentials.
    pub session_token: Option<SecretString>,
}

impl AwsCredentials {
    /// The SDK's copy, which it zeroizes too.
    fn to_sdk(&self) -> Credentials {
        let token = self.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        Credentials::new(&self.access_key_id, self.secret_access_key.expose_secret(), token, None, "settings")
    }
}

/// The configuration for all of AWS's services. Reads the environment and files. Asks the network for one thing: the region,
/// from EC2's metadata service, when nothing else names one.
pub(crate) async fn load(options: &AwsOptions, region: Option<&str>) -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(PAUSE).with_max_backoff(LONGEST_PAUSE);
    // Not `latest()`: an update of the SDK must not change how it behaves.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(region) = region.or(options.region.as_deref()) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = &options.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = &options.credentials {
        loader = loader.credentials_provider(credentials.to_sdk());
    }
    loader.load().await
}
