//! Instants as whole microseconds since 1970 in kept outcomes: the same precision as the stores.
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
use time::OffsetDateTime;

/// Whole microseconds since 1970.
#[must_use]
pub fn from_time(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}
/// The instant, `None` when it lies outside the years that can be written.
#[must_use]
pub fn to_time(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}
/// Cuts an instant to whole microseconds, so that it survives every store unchanged.
#[must_use]
pub fn truncate(at: OffsetDateTime) -> OffsetDateTime {
    to_time(from_time(at)).unwrap_or(at)
}

pub(crate) fn serialize<S: Serializer>(at: &OffsetDateTime, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_i64(from_time(*at))
}
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<OffsetDateTime, D::Error> {
    to_time(i64::deserialize(d)?).ok_or_else(|| D::Error::custom("not an instant"))
}

/// The same for an instant that may be absent.
pub(crate) mod option {
    use super::{Deserializer, OffsetDateTime, Serializer, from_time, to_time};
    use serde::{Deserialize as _, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, s: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => s.serialize_some(&from_time(*at)),
            None => s.serialize_none(),
        }
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<OffsetDateTime>, D::Error> {
        Option::<i64>::deserialize(d)?.map(|m| to_time(m).ok_or_else(|| D::Error::custom("not an instant"))).transpose()
    }
}
