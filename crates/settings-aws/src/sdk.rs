//! What errors of the SDK have in common, whatever the service. Nothing that a server said leaves here but codes.
use crate::clear_text::ClearText;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ConnectorError, SdkError},
};
use std::error::Error;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unsent {
    TimedOut,
    ClearText,
    NoCredentials,
    Unreachable(ConnectorError),
    /// There is not even a request.
    Setup,
}

/// Judges a request that had no answer.
pub(crate) fn unsent<E: Error + Send + Sync + 'static>(error: SdkError<E, HttpResponse>) -> Unsent {
    let Ok(Ok(error)) = error.into_source().map(<dyn Error + Send + Sync>::downcast::<ConnectorError>) else {
        return Unsent::Setup;
    };
    let error = *error;
    if error.is_timeout() {
        Unsent::TimedOut
    } else if in_chain::<ClearText>(&error) {
        Unsent::ClearText
    } else if in_chain::<CredentialsError>(&error) {
        // Not kept: the chain may quote files and variables.
        Unsent::NoCredentials
    } else {
        Unsent::Unreachable(error)
    }
}

fn in_chain<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&e| e.source()).any(<dyn Error>::is::<E>)
}

/// Whether a code, without `Exception` at its end, says that the credentials are wrong or have expired, or the clock is.
pub(crate) fn is_about_credentials(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "ExpiredToken"
            | "RequestExpired"
            | "AuthFailure"
    )
}

/// Whether such a code asks for patience.
pub(crate) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling" | "Throttled" | "RequestThrottled" | "TooManyRequests" | "LimitExceeded" | "RequestLimitExceeded"
    )
}

/// A code or an id of the server's, if it is one that can stand in a log.
pub(crate) fn word(text: &str) -> Option<String> {
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    sound.then(|| text.to_owned())
}
