//! Makes of the HTTP client's errors the few that a caller can act on. Their texts are dropped.
use crate::error::{SendError, TlsFault};
use rustls::CertificateError;
use std::{error::Error, io, iter::successors};

/// Why there is no head of an answer.
pub(crate) fn classify(error: &reqwest::Error) -> SendError {
    if let Some(fault) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return SendError::Tls(tls_fault(fault));
    }
    if error.is_connect() {
        return SendError::Connect;
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
        Some(fault) if fault.is_parse() => SendError::Protocol,
        _ => SendError::Connect,
    }
}

const fn tls_fault(error: &rustls::Error) -> TlsFault {
    use rustls::Error::InvalidCertificate;
    match error {
        InvalidCertificate(CertificateError::UnknownIssuer) => TlsFault::Untrusted,
        InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => TlsFault::Expired,
        InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            TlsFault::WrongName
        }
        _ => TlsFault::Handshake,
    }
}

/// The error and what lies beneath. `io::Error::source` steps over the very error that it holds.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held as &(dyn Error + 'static)),
        None => error.source(),
    })
}
