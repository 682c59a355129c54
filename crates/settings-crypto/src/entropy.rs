//! Ids: version 7 UUIDs in the order in which they were made.
use crate::{key::Key, random};
use settings_domain::ports::{Entropy, tokens::NoEntropy};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Makes version 7 UUIDs (RFC 9562): 48 bits of milliseconds, a 12-bit counter, 62 random bits.
///
/// Within a process every id is greater than the one before, also when the clock stands still or goes back: then the
/// counter goes on, and when it is used up the time stamp is a millisecond ahead.
pub struct SystemEntropy {
    now: Box<dyn Fn() -> OffsetDateTime + Send + Sync>,
    seed: Key,
    last: Mutex<Tick>,
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemEntropy").finish_non_exhaustive()
    }
}

/// Time stamp and counter of an id: no two ids of a process have the same.
#[derive(Debug, Clone, Copy, Default)]
struct Tick {
    millis: u64,
    counter: u16,
}

impl Tick {
    const MAX_COUNTER: u16 = 0x0fff;

    /// `start` is a random number for the counter of a new millisecond, so that processes differ; half of the counter
    /// stays free to count in.
    const fn next(self, millis: u64, start: u16) -> Self {
        if millis > self.millis {
            Self { millis, counter: start & (Self::MAX_COUNTER >> 1) }
        } else if self.counter < Self::MAX_COUNTER {
            Self { millis: self.millis, counter: self.counter + 1 }
        } else {
            Self { millis: self.millis + 1, counter: 0 }
        }
    }
}

impl SystemEntropy {
    /// With the clock that the ids' time stamps come from.
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Result<Self, NoEntropy> {
        Ok(Self { now: Box::new(now), seed: Key::random()?, last: Mutex::default() })
    }
}

impl Entropy for SystemEntropy {
    fn uuid(&self) -> Uuid {
        let mut fresh = [0; 16];
        // An id must be unique, not secret. The seed of this process and the tick make it so even if the generator, which
        // worked when the seed was made, should fail now; fresh bytes keep clones of a virtual machine apart.
        let _ = random::fill(&mut fresh);
        let [high, low, ..] = fresh;
        let millis = u64::try_from((self.now)().unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let tick = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = last.next(millis, u16::from_be_bytes([high, low]));
            *last
        };
        let counter = tick.counter.to_be_bytes();
        let random = self.seed.mac(&[&tick.millis.to_be_bytes(), &counter, &fresh]);
        let mut tail = [0; 10];
        tail.iter_mut().zip(counter.iter().chain(&random)).for_each(|(to, from)| *to = *from);
        uuid::Builder::from_unix_timestamp_millis(tick.millis, &tail).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, sync::Arc, thread};

    fn at(millis: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(millis)
    }

    #[test]
    fn an_id_is_a_version_7_uuid_of_its_time() {
        let id = SystemEntropy::new(|| at(0x0192_f0c1_2d3e)).unwrap().uuid();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        assert!(id.to_string().starts_with("0192f0c1-2d3e-7"), "{id}");
    }

    #[test]
    fn ids_grow_when_the_clock_stands_still_goes_back_or_lies_before_1970() {
        for step in [0, -1_000, 1] {
            let millis = Mutex::new(10);
            let entropy = SystemEntropy::new(move || {
                let mut now = millis.lock().unwrap();
                *now += step;
                at(*now)
            })
            .unwrap();
            let ids: Vec<Uuid> = (0..10_000).map(|_| entropy.uuid()).collect();
            assert!(ids.windows(2).all(|two| two[0] < two[1]), "step {step}");
        }
    }

    #[test]
    fn ids_of_many_threads_and_processes_differ() {
        let processes: Vec<_> = (0..4).map(|_| Arc::new(SystemEntropy::new(|| at(1)).unwrap())).collect();
        let threads = processes.iter().cycle().take(8).map(|process| {
            let process = Arc::clone(process);
            thread::spawn(move || (0..2_000).map(|_| process.uuid()).collect::<Vec<_>>())
        });
        let ids: Vec<_> = threads.collect::<Vec<_>>().into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}
