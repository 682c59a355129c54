//! Why something was not sent, in sentences that a tenant may read: none repeats an address, a lookup's answer or
//! anything that the peer said.

/// The target, or the request to it, breaks a rule. The same again is refused again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Longer than 2048 characters, as given or as normalised.
    #[error("the URL is longer than 2048 characters")]
    TooLong,
    /// Not an absolute URL, or with characters that no URL has.
    #[error("this is not a URL such as https://example.com/path")]
    NotAUrl,
    /// Anything but https.
    #[error("the URL must start with https://")]
    Scheme,
    /// A user name or a password, also an empty one.
    #[error("the URL must not have a user name or a password")]
    Userinfo,
    /// A fragment, also an empty one.
    #[error("the URL must not have a fragment")]
    Fragment,
    /// Not a host name with letters, digits, hyphens and dots, or one that ends in a dot.
    #[error("the URL's host is not a usable host name")]
    Host,
    /// Any port but 443.
    #[error("the URL must use port 443")]
    Port,
    /// A name that only has a meaning on a local network, such as `localhost` or one under `.internal`.
    #[error("the URL's host is a name for local networks")]
    LocalName,
    /// This service itself.
    #[error("the URL is one of this service itself")]
    OwnHost,
    /// The host is an address, and not a public one.
    #[error("the URL's host is not a public address")]
    Address,
    /// The host is a name of an address that is not public. Worded as [`SendError::Resolve`] is: the sentence does not
    /// tell which names a private network knows.
    #[error("no public address was found for the URL's host")]
    Answer,
    /// A header that the client sets by itself, or never sends.
    #[error("the request has a header that cannot be chosen")]
    Header,
}

/// What is wrong with the peer's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// Self-signed, or issued by nobody known.
    #[error("its certificate is not issued by a known authority")]
    Untrusted,
    /// Expired, or not valid yet.
    #[error("its certificate has expired or is not valid yet")]
    Expired,
    /// Made for another host.
    #[error("its certificate is for another host")]
    WrongName,
    /// Not TLS 1.2 or 1.3, no cipher in common, a revoked or broken certificate.
    #[error("no secure connection could be agreed on")]
    Handshake,
}

/// Why there is no answer. Nothing is tried twice in here: that is for the caller's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A rule forbids it. Nothing was connected to.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The tenant has as many attempts under way as it may have. Nothing was looked up.
    #[error("too many attempts are under way")]
    Busy,
    /// The tenant's attempts at this place failed several times in a row, and it is left alone. Nothing was looked up.
    #[error("it has failed several times in a row and is left alone for half a minute")]
    Resting,
    /// The host name was not found, or not in time.
    #[error("no public address was found for the URL's host")]
    Resolve,
    /// No connection, or not in time, or it ended before the answer had begun.
    #[error("the connection failed")]
    Connect,
    /// The peer could not show that it is who was asked for. The request was not sent.
    #[error("the host is not who it should be: {0}")]
    Tls(TlsFault),
    /// The answer had not begun when the time was over.
    #[error("there was no answer in time")]
    Timeout,
    /// The answer had begun, but not ended, when the time was over.
    #[error("the answer was too slow")]
    TooSlow,
    /// The answer is not HTTP, or its head is too large.
    #[error("the answer is not valid HTTP")]
    Protocol,
}

impl SendError {
    /// Whether the same request may fare better later.
    ///
    /// A refusal stays one. After [`SendError::Protocol`] the receiver *has* the request, and cannot say what it did with
    /// it: to repeat it would only deliver it twice. Everything else may mend, certificates too: what is repeated is
    /// verified as strictly as before.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Refused(_) | Self::Protocol => false,
            Self::Busy
            | Self::Resting
            | Self::Resolve
            | Self::Connect
            | Self::Tls(_)
            | Self::Timeout
            | Self::TooSlow => true,
        }
    }
}
