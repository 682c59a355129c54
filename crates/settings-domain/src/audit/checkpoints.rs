//! Signed checkpoints: when one is due, and what is kept of it (`security.md`: every minute or 1,000 events for each
//! workspace whose log has grown).
use crate::{ids::WorkspaceId, ports::audit::Link};
use time::{Duration, OffsetDateTime};

/// How long a log that grows goes without a checkpoint.
pub const EVERY: Duration = Duration::minutes(1);
/// How many events a log takes before it gets one earlier.
pub const AFTER_EVENTS: i64 = 1_000;

/// A checkpoint as it is kept: what its note says, so that it can be found, and the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the chain ended.
    pub link: Link,
    /// Where the checkpoint before had it end; [`Link::START`]'s place for the first.
    pub previous_seq: i64,
    /// The signed note.
    pub note: String,
    /// When it was signed, by the database's clock, in whole microseconds.
    pub signed_at: OffsetDateTime,
}

/// A chain that has grown since its newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grown {
    /// Whose chain.
    pub workspace: WorkspaceId,
    /// Place of its last event.
    pub head: i64,
    /// Place that its newest checkpoint speaks of; 0 before the first.
    pub signed: i64,
    /// When that one was signed.
    pub signed_at: Option<OffsetDateTime>,
    /// The database's clock.
    pub now: OffsetDateTime,
}

impl Grown {
    /// Whether it is to be signed now: its newest checkpoint is a minute old, or a thousand events behind. A chain that grows
    /// after a quiet time is signed at once, so the window in which its end is nowhere but in the database is short.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let rested = self.signed_at.is_none_or(|at| self.now - at >= EVERY);
        let more = self.head.saturating_sub(self.signed);
        more > 0 && (rested || more >= AFTER_EVENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_signed_after_a_minute_or_a_thousand_events_and_never_without_news() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let grown = |head, signed, since: Option<i64>| Grown {
            workspace: WorkspaceId::PLATFORM,
            head,
            signed,
            signed_at: since.map(|s| now - Duration::seconds(s)),
            now,
        };
        for (head, signed, since, due) in [
            (1, 0, None, true),
            (5, 5, Some(3_600), false),
            (4, 5, Some(3_600), false),
            (6, 5, Some(59), false),
            (6, 5, Some(60), true),
            (1_004, 5, Some(1), false),
            (1_005, 5, Some(1), true),
            (i64::MAX, i64::MIN, Some(1), true),
        ] {
            assert_eq!(grown(head, signed, since).is_due(), due, "{head} {signed} {since:?}");
        }
    }
}
