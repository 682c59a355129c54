//! Mail through SES.
mod failure;

use crate::{
    clear_text::{self, Guard},
    environment::{self, AwsOptions},
    kms::is_region,
};
use async_trait::async_trait;
use aws_sdk_sesv2::{
    Client, config,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::BuildError,
    primitives::Blob,
    types::{Destination, EmailContent, MessageTag, RawMessage},
};
pub use failure::{SesError, SesFailure};
use settings_breaker::Breaker;
use settings_domain::ports::mail::{Mail, MailError, Mailer};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// For one connection.
const CONNECT: Duration = Duration::from_secs(2);
/// For a mail, from the search for credentials to the last byte of the answer; as long as an SMTP relay gets.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long SES is left alone that failed several times in a row.
const REST: Duration = Duration::from_secs(10);
/// The tag that carries the delivery's id.
const TAG: &str = "delivery";

/// A mail as it travels. Holds one-time links, so its `Debug` shows nothing.
pub struct MimeMessage {
    /// The sender's address alone, in ASCII.
    pub from: String,
    /// The recipient's, likewise: the only one that gets the mail, whatever the headers say.
    pub to: String,
    /// The whole message, with lines ended by CRLF.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for MimeMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MimeMessage").finish_non_exhaustive()
    }
}

/// Puts a mail into MIME.
pub type Compose = Arc<dyn Fn(&Mail) -> Result<MimeMessage, MailError> + Send + Sync>;

/// The settings do not make a mailer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SesConfigError {
    /// No region in the environment, or one with characters that no region has.
    #[error("the region of SES is not known: set AWS_REGION to such as eu-central-1")]
    Region,
    /// The endpoint is plain http on another machine, or no URL.
    #[error("the endpoint of SES must start with https://, or with http:// on this machine: check AWS_ENDPOINT_URL")]
    Endpoint,
}

/// Sends mail through SES (API version 2), as raw messages.
///
/// The role of the service needs `ses:SendEmail` and `ses:SendRawEmail` on the identity that mail is from, and nothing more.
///
/// SES puts a `Message-ID` of its own in the place of ours. So a receiver of a mail that was sent twice cannot tell; the
/// delivery's id is in the tag `delivery`, for SES's event destinations. Nothing is tried twice in here, lest there be more
/// of these than there need to be.
pub struct SesMailer {
    client: Client,
    compose: Compose,
    breaker: Breaker,
}

impl fmt::Debug for SesMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SesMailer").finish_non_exhaustive()
    }
}

impl SesMailer {
    /// A mailer. Reads AWS's environment, see [`AwsOptions`], but calls no SES yet: whether mail can be sent shows when it is.
    pub async fn connect(options: &AwsOptions, compose: Compose) -> Result<Self, SesConfigError> {
        let shared = Box::pin(environment::load(options, None)).await;
        if !shared.region().is_some_and(|region| is_region(region.as_ref())) {
            return Err(SesConfigError::Region);
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(ATTEMPT)
            .build();
        let mut config = config::Builder::from(&shared).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        if !options.allow_plain_http {
            // So that it shows at the start where it can. The guard sees all of it, later.
            if shared.endpoint_url().is_some_and(|url| !clear_text::is_private(url)) {
                return Err(SesConfigError::Endpoint);
            }
            config = config.interceptor(Guard);
        }
        Ok(Self { client: Client::from_conf(config.build()), compose, breaker: Breaker::new(REST) })
    }

    /// Whether SES answers and knows the credentials, for the operator. It is asked about an identity, such as the sender's
    /// domain; neither that right nor that identity is one that sending needs, so being refused or not finding it is as good an
    /// answer.
    pub async fn check(&self, identity: &str) -> Result<(), SesError> {
        let asked = self.client.get_email_identity().email_identity(identity);
        let Err(error) = Box::pin(asked.send()).await else { return Ok(()) };
        let error = failure::judge(error);
        let known = !error.failure().is_away() && !matches!(error.failure(), SesFailure::BadCredentials { .. });
        if known { Ok(()) } else { Err(error) }
    }
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = (self.compose)(mail)?;
        // Neither is ever left out below, so neither build can fail.
        let unbuilt = |error: BuildError| MailError::Refused(Box::new(error));
        let raw = RawMessage::builder().data(Blob::new(message.bytes)).build().map_err(unbuilt)?;
        let tag = MessageTag::builder().name(TAG).value(mail.delivery.to_string()).build().map_err(unbuilt)?;
        let request = self
            .client
            .send_email()
            .from_email_address(message.from)
            .destination(Destination::builder().to_addresses(message.to).build())
            .content(EmailContent::builder().raw(raw).build())
            .email_tags(tag);
        let resting = MailError::Resting(time::Duration::seconds(REST.as_secs().cast_signed()));
        let pass = self.breaker.enter(Instant::now()).ok_or(resting)?;
        let sent = Box::pin(request.send()).await.map_err(failure::judge);
        match &sent {
            Err(error) if error.failure().is_away() => {
                if pass.failed(Instant::now()) {
                    tracing::warn!(cause = %error, "SES is left alone for {} s", REST.as_secs());
                }
            }
            _ => pass.answered(),
        }
        sent?;
        tracing::debug!(delivery = %mail.delivery, "SES took the mail");
        Ok(())
    }

    fn answered(&self) -> Option<bool> {
        self.breaker.last_answered()
    }
}
