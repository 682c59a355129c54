//! Amazon Web Services: the keyring in KMS, and mail through SES.
//!
//! The only crate that knows the AWS SDK. What the SDK says never leaves as it is: its errors repeat answers of the server,
//! so they are put into words of our own ([`KmsFailure`], [`SesFailure`]) that name what to change.
//!
//! What a mail says and how it becomes MIME is the business of `settings-notify`, for SMTP as for SES, and adapters do not
//! know each other. So [`SesMailer`] takes that as a function ([`Compose`]), which the program that knows both hands over. A
//! port of the domain would be the other way; but the domain has no use for MIME, and its ports hold what it needs.
//!
//! | a way in | closed by |
//! |---|---|
//! | a data key or a one-time link that crosses the network in the clear | only https, or http to this machine ([`AwsOptions::allow_plain_http`]) |
//! | an answer from somebody else | rustls with ring verifies the certificate, always; no redirect is followed, no proxy is used |
//! | a KMS that is slow, away or throttles | 2 s to connect, 3 s per attempt, 3 attempts, 5 s for everything together; after 5 such failures in a row it is left alone for 5 s |
//! | an SES that is slow, away or throttles | 2 s to connect, 10 s for the one attempt; the queue has the patience; after 5 failures in a row it is left alone for 10 s |
//! | a KMS that is slow takes all workers | at most 16 calls at once; who finds no place within a second is refused |
//! | a wrapped key for another purpose or from another key | the encryption context, and the key that `Decrypt` names |
mod clear_text;
mod environment;
mod kms;
mod sdk;
mod ses;

pub use environment::{AwsCredentials, AwsOptions};
pub use kms::{KmsConfigError, KmsError, KmsFailure, KmsKeyring};
pub use ses::{Compose, MimeMessage, SesConfigError, SesError, SesFailure, SesMailer};
