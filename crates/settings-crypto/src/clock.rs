//! The process's clock, behind one seam.
use settings_domain::{micros, ports::Clock};
use time::OffsetDateTime;

/// The system's clock, cut to whole microseconds so that an instant survives every store unchanged.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one seam to the system's clock")]
    fn now(&self) -> OffsetDateTime {
        micros::truncate(OffsetDateTime::now_utc())
    }
}
