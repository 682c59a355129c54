//! Rate limits: per credential, per address, and tighter ones for failed credentials and mail. Keys are hashes or ids,
//! never a credential itself.
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use sha2::{Digest as _, Sha256};
use std::{hash::Hash, net::IpAddr, num::NonZeroU32};

type Keyed<K> = DefaultKeyedRateLimiter<K>;

/// The limiters of one process.
pub struct Limits {
    credentials: Keyed<[u8; 16]>,
    addresses: Keyed<IpAddr>,
    failures: Keyed<IpAddr>,
    failed_credentials: Keyed<[u8; 16]>,
    inviters: Keyed<uuid::Uuid>,
    recipients: Keyed<[u8; 16]>,
    reveals: Keyed<[u8; 16]>,
    probes: Keyed<uuid::Uuid>,
    clock: DefaultClock,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

/// Wait this many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub u64);

const fn quota(per_second: u32, burst: u32) -> Quota {
    const fn positive(n: u32) -> NonZeroU32 {
        match NonZeroU32::new(n) {
            Some(n) => n,
            None => NonZeroU32::MIN,
        }
    }
    Quota::per_second(positive(per_second)).allow_burst(positive(burst))
}
const fn per_minute(n: u32) -> Quota {
    match NonZeroU32::new(n) {
        Some(n) => Quota::per_minute(n),
        None => Quota::per_minute(NonZeroU32::MIN),
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A credential may do 100 calls a second for long and 1,000 at once; an address twice that.
            credentials: RateLimiter::keyed(quota(100, 1_000)),
            addresses: RateLimiter::keyed(quota(200, 2_000)),
            // Guessing: 300 wrong credentials a minute from an address, 30 for one key id.
            failures: RateLimiter::keyed(per_minute(300)),
            failed_credentials: RateLimiter::keyed(per_minute(30)),
            // Mail bombing: 120 invitations a minute by a workspace, 10 mails a minute to an address.
            inviters: RateLimiter::keyed(per_minute(120)),
            recipients: RateLimiter::keyed(per_minute(10)),
            // Reading secrets out: 60 values a minute by a caller. Provider calls: 30 a minute for a workspace.
            reveals: RateLimiter::keyed(per_minute(60)),
            probes: RateLimiter::keyed(per_minute(30)),
            clock: DefaultClock::default(),
        }
    }
}

impl Limits {
    fn check<K: Hash + Eq + Clone>(&self, limiter: &Keyed<K>, key: &K) -> Result<(), Wait> {
        limiter.check_key(key).map_err(|not_until| Wait(not_until.wait_time_from(self.clock.now()).as_secs() + 1))
    }
    /// A request of this credential.
    pub fn credential(&self, credential: &str) -> Result<(), Wait> {
        self.check(&self.credentials, &digest(credential))
    }
    /// A request from this address.
    pub fn address(&self, address: IpAddr) -> Result<(), Wait> {
        self.check(&self.addresses, &network(address))
    }
    /// A credential from this address was wrong. `id` is the part of it that is no secret.
    pub fn failure(&self, address: IpAddr, id: &str) -> Result<(), Wait> {
        self.check(&self.failures, &network(address))?;
        self.check(&self.failed_credentials, &digest(id))
    }
    /// A mail of this workspace.
    pub fn invitation(&self, workspace: uuid::Uuid) -> Result<(), Wait> {
        self.check(&self.inviters, &workspace)
    }
    /// A mail to this address.
    pub fn recipient(&self, email: &str) -> Result<(), Wait> {
        self.check(&self.recipients, &digest(email))
    }
    /// A value that is read out by this caller.
    pub fn reveal(&self, principal: &str) -> Result<(), Wait> {
        self.check(&self.reveals, &digest(principal))
    }
    /// A call of a provider for this workspace.
    pub fn probe(&self, workspace: uuid::Uuid) -> Result<(), Wait> {
        self.check(&self.probes, &workspace)
    }
    /// Forgets who was quiet, so that memory stays bounded. Called about once a minute.
    pub fn sweep(&self) {
        self.credentials.retain_recent();
        self.addresses.retain_recent();
        self.failures.retain_recent();
        self.failed_credentials.retain_recent();
        self.inviters.retain_recent();
        self.recipients.retain_recent();
        self.reveals.retain_recent();
        self.probes.retain_recent();
    }
}

fn digest(text: &str) -> [u8; 16] {
    let mut out = [0; 16];
    out.iter_mut().zip(Sha256::digest(text.as_bytes())).for_each(|(to, from)| *to = from);
    out
}

/// One subscriber's network: an IPv6 address counts as its /64, a mapped one as the IPv4 address it is.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotating_ipv6_address_is_one_network() {
        let net = |s: &str| network(s.parse().expect("an address"));
        assert_eq!(net("2001:db8::1"), net("2001:db8::ffff:1"));
        assert_ne!(net("2001:db8::1"), net("2001:db8:0:1::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
    }

    #[test]
    fn guessing_one_key_is_stopped_although_the_address_changes() {
        let limits = Limits::default();
        let stopped = (0..100u32).any(|i| limits.failure(IpAddr::from(i.to_be_bytes()), "key-1").is_err());
        assert!(stopped);
        assert_eq!(limits.failure(IpAddr::from([9, 9, 9, 9]), "key-2"), Ok(()));
    }
}
