//! Why KMS gave no key, in words that name what to change and may be logged.
use super::key_name::KeyName;
use crate::sdk;
use aws_sdk_kms::error::ConnectorError;
use settings_domain::ports::keyring::KeyringError;
use std::{error::Error, fmt};

/// Why KMS gave no key. Holds nothing that the server said but codes: its sentences may repeat what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsFailure {
    /// The caller is known, and not allowed.
    #[error(
        "AWS KMS does not let this service use the key (AccessDenied): allow kms:GenerateDataKey and kms:Decrypt on it, \
         in the key's policy or in that of the role that the service runs as"
    )]
    AccessDenied,
    /// Somebody disabled the key.
    #[error("the KMS key is disabled (Disabled): enable it. Until then nothing that it wrapped can be read")]
    Disabled,
    /// The key is pending deletion, waits for key material, or its key store is away.
    #[error(
        "the KMS key is in no state to be used (KMSInvalidState), most likely because it is scheduled for deletion: \
         cancel that and enable the key, before all that it wrapped is lost"
    )]
    PendingDeletion,
    /// No such key, as far as the caller may know.
    #[error("AWS KMS knows no such key (NotFound): check the key's name, the region and the AWS account")]
    NotFound,
    /// A key for signatures, an asymmetric key.
    #[error(
        "the KMS key is of the wrong kind (InvalidKeyUsage): it must be a symmetric key for encryption and decryption, \
         which KMS makes by default"
    )]
    WrongKind,
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
    /// Too many requests, also after all attempts.
    #[error("AWS KMS throttles this account's requests: ask for a higher quota if that lasts")]
    Throttled,
    /// KMS says that it is at fault, also after all attempts.
    #[error("AWS KMS failed with status {status}: try again later, and see health.aws.amazon.com if that lasts")]
    Failing {
        /// Of the last attempt.
        status: u16,
    },
    /// No answer in time.
    #[error(
        "AWS KMS, or the source of the AWS credentials, did not answer in time: check the way to it (VPC endpoint, \
         security group, AWS_ENDPOINT_URL) and that there are credentials"
    )]
    TimedOut,
    /// No connection, or one that broke, or a peer that is not who it should be.
    #[error("AWS KMS can't be reached: check DNS, the way to it, its certificate and AWS_ENDPOINT_URL")]
    Unreachable(#[source] ConnectorError),
    /// All places for calls are taken.
    #[error("too many calls to AWS KMS are under way: it is slow, or data keys are asked for too often")]
    Busy,
    /// It failed several times in a row; nothing was asked.
    #[error("AWS KMS has failed several times in a row and is left alone for some seconds")]
    LeftAlone,
    /// The endpoint is plain http on another machine.
    #[error(
        "the endpoint of AWS KMS is plain http on another machine: check AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL"
    )]
    ClearText,
    /// The request could not be made: the region or the endpoint is unusable.
    #[error("no request to AWS KMS can be made: check AWS_REGION and AWS_ENDPOINT_URL")]
    Setup,
    /// The answer is not one of KMS's, or holds no data key of 32 bytes.
    #[error("what answered is not AWS KMS, or gave no data key: check AWS_ENDPOINT_URL")]
    Malformed,
    /// The context has a key twice.
    #[error("the context of a data key has an entry twice; this is a fault of the program")]
    Context,
    /// Anything else.
    #[error("AWS KMS refused the request (status {status}, {code})")]
    Refused {
        /// HTTP's status.
        status: u16,
        /// AWS's code, or "no code".
        code: String,
    },
}

impl KmsFailure {
    /// Whether no answer came, or one that KMS is at fault: what the breaker counts.
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

/// A failure, the key that was asked for, and AWS's name for the request.
#[derive(Debug)]
pub struct KmsError {
    failure: KmsFailure,
    key: KeyName,
    request: Option<String>,
}

impl KmsError {
    pub(super) fn new(failure: KmsFailure, key: &KeyName, request: Option<String>) -> Self {
        Self { failure, key: key.clone(), request }
    }

    /// What went wrong.
    #[must_use]
    pub const fn failure(&self) -> &KmsFailure {
        &self.failure
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [key {}", self.failure, self.key.as_str())?;
        if let Some(request) = &self.request {
            write!(f, ", request {request}")?;
        }
        f.write_str("]")
    }
}

impl Error for KmsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

impl From<KmsError> for KeyringError {
    fn from(e: KmsError) -> Self {
        Self::Unavailable(Box::new(e))
    }
}

/// What an error of the SDK's means.
pub(super) enum Verdict {
    /// Not wrapped by this key, or not for this context.
    Foreign,
    Failure(KmsFailure),
}

impl From<sdk::Failure> for Verdict {
    fn from(failure: sdk::Failure) -> Self {
        Self::Failure(match failure {
            sdk::Failure::AccessDenied => KmsFailure::AccessDenied,
            sdk::Failure::NotFound => KmsFailure::NotFound,
            sdk::Failure::BadCredentials(code) => KmsFailure::BadCredentials { code },
            sdk::Failure::NoCredentials => KmsFailure::NoCredentials,
            sdk::Failure::Throttled => KmsFailure::Throttled,
            sdk::Failure::Failing(status) => KmsFailure::Failing { status },
            sdk::Failure::TimedOut => KmsFailure::TimedOut,
            sdk::Failure::Unreachable(e) => KmsFailure::Unreachable(e),
            sdk::Failure::ClearText => KmsFailure::ClearText,
            sdk::Failure::Setup => KmsFailure::Setup,
            sdk::Failure::Malformed => KmsFailure::Malformed,
            sdk::Failure::Refused { status, code } => {
                KmsFailure::Refused { status, code: code.unwrap_or_else(|| "no code".to_owned()) }
            }
        })
    }
}

/// What only KMS says.
pub(super) fn by_code(code: &str) -> Option<Verdict> {
    Some(match code {
        "InvalidCiphertext" | "IncorrectKey" => Verdict::Foreign,
        "Disabled" => Verdict::Failure(KmsFailure::Disabled),
        "KMSInvalidState" => Verdict::Failure(KmsFailure::PendingDeletion),
        "InvalidKeyUsage" | "UnsupportedOperation" => Verdict::Failure(KmsFailure::WrongKind),
        _ => return None,
    })
}
