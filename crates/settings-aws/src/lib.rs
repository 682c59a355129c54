//! Amazon Web Services: the keyring in KMS.
//!
//! The only crate that knows the AWS SDK. What the SDK says never leaves as it is: its errors repeat answers of the server,
//! so they are put into words of our own ([`KmsFailure`]) that name what to change.
//!
//! | a way in | closed by |
//! |---|---|
//! | a data key that crosses the network in the clear | only https, or http to this machine ([`AwsOptions::allow_plain_http`]) |
//! | an answer from somebody else | rustls with ring verifies the certificate, always; no redirect is followed, no proxy is used |
//! | a KMS that is slow, away or throttles | 2 s to connect, 3 s per attempt, 3 attempts, 5 s for everything together |
//! | a KMS that is slow takes all workers | at most 16 calls at once; who finds no place within a second is refused |
//! | a wrapped key for another purpose or from another key | the encryption context, and the key that `Decrypt` names |
mod clear_text;
mod environment;
mod kms;

pub use environment::{AwsCredentials, AwsOptions};
pub use kms::{KmsConfigError, KmsError, KmsFailure, KmsKeyring};
