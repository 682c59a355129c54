//! What errors of the SDK have in common, whatever the service. Nothing that a server said leaves here but codes.
use crate::clear_text::ClearText;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
    operation::RequestId as _,
};
use std::error::Error;

/// What may befall a request to any service of AWS's. Each service has its own words for it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The caller is known, and not allowed.
    AccessDenied,
    /// There is no such thing.
    NotFound,
    /// The credentials are wrong or have expired, or the clock is; with the code for it.
    BadCredentials(String),
    /// No credentials were found, or the provider of them failed.
    NoCredentials,
    Throttled,
    /// The service says that it is at fault, with this status.
    Failing(u16),
    TimedOut,
    Unreachable(ConnectorError),
    /// The endpoint is plain http on another machine.
    ClearText,
    /// There is not even a request.
    Setup,
    /// It said that all is well, and what followed could not be read.
    Malformed,
    /// Anything else that it answered, with the code if it gave one.
    Refused {
        status: u16,
        code: Option<String>,
    },
}

/// Judges an error of the SDK's and lets go of it: in there is the whole answer. `own` knows the codes that only this service
/// has, without `Exception` at their end. Also gives the service's name for the request.
pub(crate) fn judge<E, F>(error: SdkError<E, HttpResponse>, own: fn(&str) -> Option<F>) -> (F, Option<String>)
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    F: From<Failure>,
{
    let request = error.request_id().and_then(word);
    let failure = match error {
        SdkError::ServiceError(e) => {
            let code = e.err().code().unwrap_or_default();
            let code = code.strip_suffix("Exception").unwrap_or(code);
            own(code).unwrap_or_else(|| answered(code, e.raw().status().as_u16()).into())
        }
        SdkError::TimeoutError(_) => Failure::TimedOut.into(),
        SdkError::ResponseError(_) => Failure::Malformed.into(),
        dispatch @ SdkError::DispatchFailure(_) => unsent(dispatch).into(),
        _ => Failure::Setup.into(),
    };
    (failure, request)
}

/// Judges an answer.
fn answered(code: &str, status: u16) -> Failure {
    match code {
        "AccessDenied" | "NotAuthorized" => Failure::AccessDenied,
        "NotFound" => Failure::NotFound,
        known if is_about_credentials(known) => Failure::BadCredentials(known.to_owned()),
        known if is_throttling(known) => Failure::Throttled,
        _ => match status {
            500.. => Failure::Failing(status),
            429 => Failure::Throttled,
            ..300 => Failure::Malformed,
            _ => Failure::Refused { status, code: word(code) },
        },
    }
}

/// Judges a request that had no answer.
fn unsent<E: Error + Send + Sync + 'static>(error: SdkError<E, HttpResponse>) -> Failure {
    let Ok(Ok(error)) = error.into_source().map(<dyn Error + Send + Sync>::downcast::<ConnectorError>) else {
        return Failure::Setup;
    };
    let error = *error;
    if error.is_timeout() {
        Failure::TimedOut
    } else if in_chain::<ClearText>(&error) {
        Failure::ClearText
    } else if in_chain::<CredentialsError>(&error) {
        // Not kept: the chain may quote files and variables.
        Failure::NoCredentials
    } else {
        Failure::Unreachable(error)
    }
}

fn in_chain<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&e| e.source()).any(<dyn Error>::is::<E>)
}

/// Whether a code, without `Exception` at its end, says that the credentials are wrong or have expired, or the clock is.
fn is_about_credentials(code: &str) -> bool {
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
fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling" | "Throttled" | "RequestThrottled" | "TooManyRequests" | "LimitExceeded" | "RequestLimitExceeded"
    )
}

/// A code or an id of the server's, if it is one that can stand in a log.
fn word(text: &str) -> Option<String> {
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    sound.then(|| text.to_owned())
}
