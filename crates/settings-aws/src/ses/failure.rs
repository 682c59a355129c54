//! Why SES did not take a mail, in words that name what to change and may be logged.
use crate::sdk;
use aws_sdk_sesv2::{
    config::http::HttpResponse,
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
};
use settings_domain::ports::mail::MailError;
use std::{error::Error, fmt};

/// Why SES did not take a mail. Holds nothing that the server said but codes: its sentences repeat addresses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SesFailure {
    /// The content, or the sender's or (in the sandbox) the recipient's address, is not to SES's liking. It says which in a
    /// sentence only, which is not kept.
    #[error(
        "AWS SES rejected the message ({code}): check that the sender's domain or address is verified in this region, and \
         that the account is out of the sandbox"
    )]
    Rejected {
        /// AWS's code for it.
        code: String,
    },
    /// The request is not one that SES takes, most likely for the recipient's address.
    #[error("AWS SES does not take such a message (status {status}, {code})")]
    Invalid {
        /// HTTP's status.
        status: u16,
        /// AWS's code.
        code: String,
    },
    /// The caller is known, and not allowed.
    #[error(
        "AWS SES does not let this service send mail (AccessDenied): allow ses:SendEmail and ses:SendRawEmail on the \
         sender's identity, in the policy of the role that the service runs as"
    )]
    AccessDenied,
    /// AWS has stopped the account from sending, or somebody has.
    #[error("AWS SES has paused or suspended sending for this account ({code}): see the account's dashboard")]
    Suspended {
        /// AWS's code for it.
        code: String,
    },
    /// The identity that mail is from is not known in this region.
    #[error("AWS SES knows no such sender (NotFound): check the sender, the region and the AWS account")]
    NotFound,
    /// No credentials were found, or the provider of them failed.
    #[error(
        "no AWS credentials were found, or they could not be loaded: give the service a role, or set AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY or AWS_PROFILE. The log of aws_config at level debug says what was tried"
    )]
    NoCredentials,
    /// The credentials are wrong or have expired, or the clock is.
    #[error(
        "AWS refused the credentials ({code}): check that they are right and not expired, and this machine's clock"
    )]
    BadCredentials {
        /// AWS's code for it.
        code: String,
    },
    /// More mail than the account may send, by the second or by the day.
    #[error("AWS SES throttles this account: ask for a higher sending quota if that lasts")]
    Throttled,
    /// SES says that it is at fault.
    #[error("AWS SES failed with status {status}: see health.aws.amazon.com if that lasts")]
    Failing {
        /// HTTP's status.
        status: u16,
    },
    /// No answer in time. The mail may be on its way all the same.
    #[error(
        "AWS SES, or the source of the AWS credentials, did not answer in time: check the way to it (VPC endpoint, \
         security group, AWS_ENDPOINT_URL) and that there are credentials"
    )]
    TimedOut,
    /// No connection, or one that broke, or a peer that is not who it should be.
    #[error("AWS SES can't be reached: check DNS, the way to it, its certificate and AWS_ENDPOINT_URL")]
    Unreachable(#[source] ConnectorError),
    /// The endpoint is plain http on another machine.
    #[error(
        "the endpoint of AWS SES is plain http on another machine: check AWS_ENDPOINT_URL_SESV2 and AWS_ENDPOINT_URL"
    )]
    ClearText,
    /// The request could not be made: the region or the endpoint is unusable.
    #[error("no request to AWS SES can be made: check AWS_REGION and AWS_ENDPOINT_URL")]
    Setup,
    /// The answer is not one of SES's.
    #[error("what answered is not AWS SES: check AWS_ENDPOINT_URL")]
    Malformed,
}

impl SesFailure {
    /// What is wrong with *us* (credentials, rights, quotas) says nothing about the mail: it has to survive until somebody
    /// has put that right. So only an answer to the mail itself is final.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Invalid { .. })
    }

    /// Whether no answer came, or one that SES is at fault: what the breaker counts.
    pub(super) const fn is_away(&self) -> bool {
        matches!(
            self,
            Self::TimedOut
                | Self::Unreachable(_)
                | Self::Failing { .. }
                | Self::Malformed
                | Self::NoCredentials
                | Self::ClearText
                | Self::Setup
        )
    }
}

/// A failure and AWS's name for the request.
#[derive(Debug)]
pub struct SesError {
    failure: SesFailure,
    request: Option<String>,
}

impl SesError {
    /// What went wrong.
    #[must_use]
    pub const fn failure(&self) -> &SesFailure {
        &self.failure
    }
}

impl fmt::Display for SesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.failure)?;
        self.request.as_ref().map_or(Ok(()), |request| write!(f, " [request {request}]"))
    }
}

impl Error for SesError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

impl From<sdk::Failure> for SesFailure {
    fn from(failure: sdk::Failure) -> Self {
        match failure {
            sdk::Failure::AccessDenied => Self::AccessDenied,
            sdk::Failure::NotFound => Self::NotFound,
            sdk::Failure::BadCredentials(code) => Self::BadCredentials { code },
            sdk::Failure::NoCredentials => Self::NoCredentials,
            sdk::Failure::Throttled => Self::Throttled,
            sdk::Failure::Failing(status) => Self::Failing { status },
            sdk::Failure::TimedOut => Self::TimedOut,
            sdk::Failure::Unreachable(e) => Self::Unreachable(e),
            sdk::Failure::ClearText => Self::ClearText,
            sdk::Failure::Setup => Self::Setup,
            sdk::Failure::Refused { status: status @ 400.., code: Some(code) } => Self::Invalid { status, code },
            // Without one of AWS's codes it is not SES that says so.
            sdk::Failure::Refused { .. } | sdk::Failure::Malformed => Self::Malformed,
        }
    }
}

/// Judges an error of the SDK's.
pub(super) fn judge<E>(error: SdkError<E, HttpResponse>) -> SesError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let (failure, request) = sdk::judge(error, by_code);
    SesError { failure, request }
}

impl From<SesError> for MailError {
    fn from(error: SesError) -> Self {
        if error.failure.is_final() { Self::Refused(Box::new(error)) } else { Self::Unavailable(Box::new(error)) }
    }
}

/// What only SES says.
fn by_code(code: &str) -> Option<SesFailure> {
    match code {
        "MessageRejected" | "MailFromDomainNotVerified" | "EmailAddressNotVerified" => {
            Some(SesFailure::Rejected { code: code.to_owned() })
        }
        "AccountSuspended" | "SendingPaused" | "AccountSendingPaused" | "ConfigurationSetSendingPaused" => {
            Some(SesFailure::Suspended { code: code.to_owned() })
        }
        _ => None,
    }
}
