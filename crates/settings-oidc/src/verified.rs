//! Tokens that were verified a moment ago. A signature check costs some 20 us, a look-up one.
use crate::claims::Accepted;
use settings_domain::ports::identity::Profile;
use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{Duration, OffsetDateTime};

/// How long a verification is believed.
const MAX_AGE: Duration = Duration::seconds(60);
/// How many tokens one half holds; there are two halves.
const HALF: usize = 5_000;

/// SHA-256 of the token: what is kept cannot be used as a token.
pub(crate) type Digest = [u8; ring::digest::SHA256_OUTPUT_LEN];

pub(crate) fn digest(token: &str) -> Option<Digest> {
    ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref().try_into().ok()
}

struct Entry {
    profile: Profile,
    /// The keys it was verified with. Other keys, other verdict.
    generation: u64,
    since: OffsetDateTime,
    until: OffsetDateTime,
}

/// Two halves: when the young one is full it becomes the old one, and the old one goes. Bounded without a search, and
/// only tokens that the issuer has signed get in.
#[derive(Default)]
struct Halves {
    young: HashMap<Digest, Entry>,
    old: HashMap<Digest, Entry>,
}

#[derive(Default)]
pub(crate) struct Verified(Mutex<Halves>);

impl Verified {
    pub(crate) fn get(&self, digest: &Digest, generation: u64, now: OffsetDateTime) -> Option<Profile> {
        let halves = self.lock();
        let entry = halves.young.get(digest).or_else(|| halves.old.get(digest))?;
        // From both ends: a clock that was set back makes the entry void.
        let holds = entry.generation == generation && (entry.since..entry.until).contains(&now);
        holds.then(|| entry.profile.clone())
    }

    pub(crate) fn put(&self, digest: Digest, accepted: &Accepted, generation: u64, now: OffsetDateTime) {
        let until = accepted.expires_at.min(now + MAX_AGE);
        let entry = Entry { profile: accepted.profile.clone(), generation, since: now, until };
        let mut halves = self.lock();
        if halves.young.len() >= HALF {
            halves.old = mem::take(&mut halves.young);
        }
        halves.young.insert(digest, entry);
    }

    fn lock(&self) -> MutexGuard<'_, Halves> {
        // At worst a half is missing, and its tokens are verified again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn accepted(subject: &str, seconds: i64) -> Accepted {
        let profile = Profile {
            issuer: "https://i/".into(),
            subject: subject.into(),
            email: None,
            email_verified: false,
            name: None,
            picture: None,
        };
        Accepted { profile, expires_at: START + Duration::seconds(seconds), tells_email: false }
    }

    #[test]
    fn a_token_is_known_for_a_minute_under_the_same_keys_and_no_longer_than_it_lives() {
        let (verified, long, short) = (Verified::default(), digest("long").unwrap(), digest("short").unwrap());
        verified.put(long, &accepted("long", 3600), 7, START);
        verified.put(short, &accepted("short", 20), 7, START);
        let known = |token, generation, seconds| {
            verified.get(token, generation, START + Duration::seconds(seconds)).map(|profile| profile.subject)
        };
        assert_eq!(known(&long, 7, 0).as_deref(), Some("long"));
        assert_eq!(known(&long, 7, 59).as_deref(), Some("long"));
        assert_eq!(known(&long, 7, 60), None);
        assert_eq!(known(&long, 7, -1), None);
        assert_eq!(known(&long, 8, 0), None);
        assert_eq!(known(&short, 7, 19).as_deref(), Some("short"));
        assert_eq!(known(&short, 7, 20), None);
    }

    #[test]
    fn the_latest_five_thousand_are_kept_and_never_more_than_ten_thousand() {
        let verified = Verified::default();
        let token = |n: usize| digest(&n.to_string()).unwrap();
        for n in 0..3 * HALF {
            verified.put(token(n), &accepted("a", 3600), 0, START);
            let halves = verified.lock();
            assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
        }
        assert!((2 * HALF..3 * HALF).all(|n| verified.get(&token(n), 0, START).is_some()));
        assert!(verified.get(&token(0), 0, START).is_none());
    }
}
