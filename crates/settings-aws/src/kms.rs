//! The keyring in KMS.
mod failure;
mod key_name;

use crate::{
    clear_text::{self, Guard},
    environment::{self, AwsOptions, OPERATION},
    sdk,
};
use async_trait::async_trait;
use aws_sdk_kms::{
    Client, config,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::DataKeySpec,
};
use failure::Verdict;
pub use failure::{KmsError, KmsFailure};
use key_name::KeyName;
pub(crate) use key_name::is_region;
use secrecy::SecretSlice;
use settings_breaker::Breaker;
use settings_domain::ports::keyring::{Context, DataKey, Keyring, KeyringError, Rotation};
use std::{collections::HashMap, error::Error, fmt, time::Duration};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use zeroize::Zeroizing;

/// Version of the format of a wrapped key: version, length of the key's ARN, the ARN, KMS's ciphertext. (1 is the local
/// keyring's.) The ARN says which key to ask, so that everything still opens after `SETTINGS_KMS` names another one.
const WRAPPED: u8 = 3;
/// The format without the ARN: the configured key wrapped it.
const WRAPPED_BY_CONFIGURED: u8 = 2;
/// The longest ciphertext that `Decrypt` takes.
const LONGEST: usize = 6144;
/// Length of a data key.
const KEY_LEN: usize = 32;
/// How many calls may be under way at once.
const AT_ONCE: usize = 16;
/// How long to wait for one of these places.
const QUEUE: Duration = Duration::from_secs(1);
/// How long KMS is left alone that failed several times in a row.
const REST: Duration = Duration::from_secs(5);

/// The settings do not make a keyring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsConfigError {
    /// Not a key's id, ARN or alias.
    #[error(
        "the KMS key must be given as its ARN (arn:aws:kms:eu-central-1:111122223333:key/…), its id or alias/name, \
         without spaces"
    )]
    Key,
    /// No region, neither in the key's ARN nor in the environment, or one with characters that no region has.
    #[error("the KMS key's region is not known: name the key by its ARN, or set AWS_REGION to such as eu-central-1")]
    Region,
    /// The endpoint is plain http on another machine, or no URL.
    #[error("the endpoint of KMS must start with https://, or with http:// on this machine: check AWS_ENDPOINT_URL")]
    Endpoint,
}

/// A keyring whose key-encryption key is in AWS KMS, and never leaves it.
///
/// Every wrapped key is bound to its context as KMS's *encryption context*. AWS logs that in clear (CloudTrail): ids and
/// fixed words belong there, and nothing else. Nothing is cached here: whoever needs a data key often keeps it for a while.
///
/// The role of the service needs `kms:GenerateDataKey` and `kms:Decrypt` on the key, and to move to another key
/// `kms:ReEncryptFrom` on the old one and `kms:ReEncryptTo` on the new one. The key must be of the kind that KMS makes by
/// default (`SYMMETRIC_DEFAULT`). Rotating it inside KMS changes nothing here. Wrapped keys say which key wrapped them, so
/// they open for as long as the role may use that one, whatever is configured by then.
///
/// Plaintext keys are held as [`SecretSlice`], and the SDK's copy of the bytes is wiped. Not wiped, because no caller can
/// reach them: what the TLS library, the HTTP library and the SDK's JSON reader had of the answer, in base64. They are freed
/// when the call is over.
pub struct KmsKeyring {
    client: Client,
    key: KeyName,
    /// The ARN that KMS calls the key by: what wrapped keys are marked with, whatever name was configured.
    arn: OnceCell<String>,
    places: Semaphore,
    breaker: Breaker<Instant>,
}

impl fmt::Debug for KmsKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsKeyring").field("key", &self.key.as_str()).finish_non_exhaustive()
    }
}

impl KmsKeyring {
    /// A keyring for a key, named by its ARN (best: it has a region), id or alias.
    ///
    /// Reads AWS's environment, see [`AwsOptions`], but calls no KMS yet: whether the key can be used shows when it is.
    pub async fn connect(key: &str, options: &AwsOptions) -> Result<Self, KmsConfigError> {
        let key = KeyName::parse(key).ok_or(KmsConfigError::Key)?;
        let shared = Box::pin(environment::load(options, key.region())).await;
        if !shared.region().is_some_and(|region| is_region(region.as_ref())) {
            return Err(KmsConfigError::Region);
        }
        let mut config = config::Builder::from(&shared);
        if !options.allow_plain_http {
            // So that it shows at the start where it can. The guard sees all of it, later.
            if shared.endpoint_url().is_some_and(|url| !clear_text::is_private(url)) {
                return Err(KmsConfigError::Endpoint);
            }
            config = config.interceptor(Guard);
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            key,
            arn: OnceCell::new(),
            places: Semaphore::new(AT_ONCE),
            breaker: Breaker::new(REST),
        })
    }

    /// Makes one call, when there is a place for it and for as long as it may take.
    async fn call<T, E: ProvideErrorMetadata + Error + Send + Sync + 'static>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, KeyringError> {
        // The SDK has the same limit for the call alone; this one includes the queue.
        let until = Instant::now() + OPERATION;
        // The semaphore is never closed, so an error is the queue's time.
        let Ok(Ok(_place)) = timeout(QUEUE, self.places.acquire()).await else {
            return Err(self.unavailable(KmsFailure::Busy));
        };
        // Once there is a place: who waited for it meanwhile need not learn the same again.
        let Some(pass) = self.breaker.enter(Instant::now()) else {
            return Err(self.unavailable(KmsFailure::LeftAlone));
        };
        let (verdict, request) = match timeout_at(until, call).await {
            Ok(Ok(answer)) => {
                pass.answered();
                return Ok(answer);
            }
            Ok(Err(error)) => sdk::judge(error, failure::by_code),
            Err(_) => (Verdict::Failure(KmsFailure::TimedOut), None),
        };
        match verdict {
            Verdict::Failure(failure) => {
                if !failure.is_away() {
                    pass.answered();
                } else if pass.failed(Instant::now()) {
                    tracing::warn!(cause = %failure, "AWS KMS is left alone for {} s", REST.as_secs());
                }
                Err(KmsError::new(failure, &self.key, request).into())
            }
            Verdict::Foreign => {
                pass.answered();
                Err(KeyringError::Foreign)
            }
        }
    }

    fn unavailable(&self, failure: KmsFailure) -> KeyringError {
        KmsError::new(failure, &self.key, None).into()
    }

    /// KMS's form of a context. A map that lost an entry would bind a key to less than was asked for.
    fn encryption_context(&self, context: Context<'_>) -> Result<HashMap<String, String>, KeyringError> {
        let map: HashMap<_, _> = context.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        if map.len() == context.len() { Ok(map) } else { Err(self.unavailable(KmsFailure::Context)) }
    }
}

/// Takes a plaintext over from the SDK and wipes the SDK's copy; `None` if it is no data key.
fn data_key(blob: Option<Blob>) -> Option<SecretSlice<u8>> {
    // As long as nobody else holds the blob this moves its buffer and copies nothing.
    let bytes = Zeroizing::new(blob?.into_inner());
    // `to_vec` allocates no more than it needs. With room to spare, boxing it would leave a copy behind.
    (bytes.len() == KEY_LEN).then(|| SecretSlice::from(bytes.as_slice().to_vec()))
}

/// A wrapped key's parts: the key that wrapped it, where that is said, and KMS's ciphertext.
fn parts(wrapped: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let (arn, ciphertext) = match wrapped {
        [WRAPPED, length, rest @ ..] => {
            let (arn, ciphertext) = rest.split_at_checked(usize::from(*length))?;
            (Some(std::str::from_utf8(arn).ok()?), ciphertext)
        }
        [WRAPPED_BY_CONFIGURED, ciphertext @ ..] => (None, ciphertext),
        _ => return None,
    };
    // What KMS would refuse by its form is no wrapped key of ours.
    (1..=LONGEST).contains(&ciphertext.len()).then_some((arn, ciphertext))
}

/// A wrapped key of these parts; `None` if KMS gave something else.
fn joined(arn: &str, ciphertext: Option<Blob>) -> Option<Vec<u8>> {
    let ciphertext = ciphertext.map(Blob::into_inner).filter(|c| (1..=LONGEST).contains(&c.len()))?;
    let length = u8::try_from(arn.len()).ok().filter(|n| *n > 0)?;
    Some([&[WRAPPED, length], arn.as_bytes(), &ciphertext].concat())
}

#[async_trait]
impl Keyring for KmsKeyring {
    async fn generate_data_key(&self, context: Context<'_>) -> Result<DataKey, KeyringError> {
        let request = self
            .client
            .generate_data_key()
            .key_id(self.key.as_str())
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(self.encryption_context(context)?));
        let answer = self.call(Box::pin(request.send())).await?;
        let arn = answer.key_id.unwrap_or_default();
        match (data_key(answer.plaintext), joined(&arn, answer.ciphertext_blob)) {
            (Some(key), Some(wrapped)) => {
                // Several first calls may say so at once; all say the same.
                let _ = self.arn.set(arn.clone());
                Ok(DataKey { key, wrapped, wrapped_by: arn })
            }
            _ => Err(self.unavailable(KmsFailure::Malformed)),
        }
    }

    async fn decrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<SecretSlice<u8>, KeyringError> {
        let (arn, ciphertext) = parts(wrapped).ok_or(KeyringError::Foreign)?;
        let request = self
            .client
            .decrypt()
            .key_id(arn.unwrap_or_else(|| self.key.as_str()))
            .ciphertext_blob(Blob::new(ciphertext))
            .set_encryption_context(Some(self.encryption_context(context)?));
        let answer = self.call(Box::pin(request.send())).await?;
        data_key(answer.plaintext).ok_or_else(|| self.unavailable(KmsFailure::Malformed))
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<String> {
        parts(wrapped)?.0.map(str::to_owned)
    }

    /// KMS says a key's ARN only in the answer to a use of it, and that is a right that the service has anyway.
    async fn current(&self) -> Result<String, KeyringError> {
        match self.arn.get() {
            Some(arn) => Ok(arn.clone()),
            None => Ok(self.generate_data_key(&[("purpose", "name-of-the-key")]).await?.wrapped_by),
        }
    }

    async fn re_encrypt(&self, wrapped: &[u8], context: Context<'_>) -> Result<(Vec<u8>, String), KeyringError> {
        let (arn, ciphertext) = parts(wrapped).ok_or(KeyringError::Foreign)?;
        let context = self.encryption_context(context)?;
        let request = self
            .client
            .re_encrypt()
            .source_key_id(arn.unwrap_or_else(|| self.key.as_str()))
            .destination_key_id(self.key.as_str())
            .ciphertext_blob(Blob::new(ciphertext))
            .set_source_encryption_context(Some(context.clone()))
            .set_destination_encryption_context(Some(context));
        let answer = self.call(Box::pin(request.send())).await?;
        let arn = answer.key_id.unwrap_or_default();
        let wrapped = joined(&arn, answer.ciphertext_blob).ok_or_else(|| self.unavailable(KmsFailure::Malformed))?;
        Ok((wrapped, arn))
    }

    fn answered(&self) -> Option<bool> {
        self.breaker.last_answered()
    }

    async fn rotate(&self) -> Result<Rotation, KeyringError> {
        Ok(Rotation::Elsewhere(
            "AWS KMS makes new key material by itself, without a new name (EnableKeyRotation, RotateKeyOnDemand). To move to \
             another key, set SETTINGS_KMS to it on every server and run this command again",
        ))
    }
}
