//! What the channels have in common: what became of an attempt to send.
use time::Duration;

/// The receiver took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// What it answered.
    pub status: u16,
}

/// Whether and when the same attempt is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will not fare better.
    Never,
    /// When the queue's schedule says so.
    Later,
    /// Not before this long from now: the receiver asked for it, or all places are taken.
    After(Duration),
}

/// The receiver did not take it, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct SendFailure {
    /// Why, in our own words and never the receiver's: it is stored and shown.
    pub cause: &'static str,
    /// What the receiver answered, if it answered.
    pub status: Option<u16>,
    /// What to do about it.
    pub retry: Retry,
}
