//! Which addresses are on the public internet.
//!
//! The table is IANA's two special-purpose registries (RFC 6890, as of April 2025), whole: also what they call globally
//! reachable, since anycast of a protocol is nobody's web server. To it come the multicast blocks, prefixes that were
//! withdrawn, and everything that is not IPv6 global unicast.
//!
//! An IPv6 address may hold an IPv4 one. IPv4-mapped, IPv4-compatible, IPv4-translated, 6to4, Teredo and local NAT64
//! addresses are refused whatever they hold: nothing on the internet is reached by them only. `64:ff9b::/96` is how a
//! network with NAT64 reaches IPv4, so there the IPv4 address decides.
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

const SPECIAL_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),          // "This network", RFC 791
    v4(0, 0, 0, 0, 32),         // "This host on this network", RFC 1122
    v4(10, 0, 0, 0, 8),         // Private-Use, RFC 1918
    v4(100, 64, 0, 0, 10),      // Shared Address Space, RFC 6598
    v4(127, 0, 0, 0, 8),        // Loopback, RFC 1122
    v4(168, 63, 129, 16, 32),   // Azure's platform endpoint: public by number, private by nature. Not in the registry
    v4(169, 254, 0, 0, 16),     // Link Local, RFC 3927
    v4(172, 16, 0, 0, 12),      // Private-Use, RFC 1918
    v4(192, 0, 0, 0, 24),       // IETF Protocol Assignments, RFC 6890
    v4(192, 0, 0, 0, 29),       // IPv4 Service Continuity Prefix, RFC 7335
    v4(192, 0, 0, 8, 32),       // IPv4 dummy address, RFC 7600
    v4(192, 0, 0, 9, 32),       // Port Control Protocol Anycast, RFC 7723
    v4(192, 0, 0, 10, 32),      // Traversal Using Relays around NAT Anycast, RFC 8155
    v4(192, 0, 0, 170, 31),     // NAT64/DNS64 Discovery (two addresses), RFC 8880, RFC 7050
    v4(192, 0, 2, 0, 24),       // Documentation (TEST-NET-1), RFC 5737
    v4(192, 31, 196, 0, 24),    // AS112-v4, RFC 7535
    v4(192, 52, 193, 0, 24),    // AMT, RFC 7450
    v4(192, 88, 99, 0, 24),     // Deprecated (6to4 Relay Anycast), RFC 7526
    v4(192, 88, 99, 2, 32),     // 6a44-relay anycast address, RFC 6751
    v4(192, 168, 0, 0, 16),     // Private-Use, RFC 1918
    v4(192, 175, 48, 0, 24),    // Direct Delegation AS112 Service, RFC 7534
    v4(198, 18, 0, 0, 15),      // Benchmarking, RFC 2544
    v4(198, 51, 100, 0, 24),    // Documentation (TEST-NET-2), RFC 5737
    v4(203, 0, 113, 0, 24),     // Documentation (TEST-NET-3), RFC 5737
    v4(224, 0, 0, 0, 4),        // Multicast, RFC 5771 (a registry of its own)
    v4(240, 0, 0, 0, 4),        // Reserved, RFC 1112
    v4(255, 255, 255, 255, 32), // Limited Broadcast, RFC 8190, RFC 919
];

const SPECIAL_V6: &[Ipv6Net] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128),             // Unspecified Address, RFC 4291
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),             // Loopback Address, RFC 4291
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96),              // IPv4-compatible, deprecated by RFC 4291
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),         // IPv4-mapped Address, RFC 4291
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),         // IPv4-translated, RFC 2765, obsolete
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),      // IPv4-IPv6 Translat. (local use), RFC 8215
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),          // Discard-Only Address Block, RFC 6666
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64),          // Dummy IPv6 Prefix, RFC 9780
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),         // IETF Protocol Assignments, RFC 2928
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),         // TEREDO, RFC 4380, RFC 8190
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128),        // Port Control Protocol Anycast, RFC 7723
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128),        // Traversal Using Relays around NAT Anycast, RFC 8155
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128),        // DNS-SD Service Registration Protocol Anycast, RFC 9665
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),         // Benchmarking, RFC 5180
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32),         // AMT, RFC 7450
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48),     // AS112-v6, RFC 7535
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28),      // Deprecated (previously ORCHID), RFC 4843
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28),      // ORCHIDv2, RFC 7343
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28),      // Drone Remote ID Protocol Entity Tags (DETs) Prefix, RFC 9374
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),     // Documentation, RFC 3849
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),         // 6to4, RFC 3056
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), // Direct Delegation AS112 Service, RFC 7534
    v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16),         // 6bone, withdrawn by RFC 3701
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),         // Documentation, RFC 9637
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),         // Segment Routing (SRv6) SIDs, RFC 9602
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),          // Unique-Local, RFC 4193, RFC 8190
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),         // Link-Local Unicast, RFC 4291
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),         // Site-local unicast, deprecated by RFC 3879
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),          // Multicast, RFC 4291
    // Global unicast is 2000::/3, RFC 4291. The rest of the address space, much of it named above:
    v6([0, 0, 0, 0, 0, 0, 0, 0], 3),
    v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2),
    v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 1),
];

/// IPv4-IPv6 Translat., RFC 6052.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

/// Whether it is an address on the public internet, as far as its number tells.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => !SPECIAL_V4.iter().any(|special| special.contains(&a)),
        IpAddr::V6(a) if NAT64.contains(&a) => is_public(IpAddr::V4(low_bits(a))),
        IpAddr::V6(a) => !SPECIAL_V6.iter().any(|special| special.contains(&a)),
    }
}

/// What hands out the credentials of the machine we run on. Not even an operator's `allow` reaches these: who allows
/// `fd00::/8` means his own network.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, Azure, Google and most others
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),   // AWS ECS tasks
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),  // AWS EKS pods
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)), // AWS EKS pods
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google
];

/// Whether it is a metadata service of a cloud, also by way of IPv6.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&reached(address))
}

/// The address that is reached in the end: the one held, if it ends in an IPv4 address.
pub(crate) fn reached(address: IpAddr) -> IpAddr {
    const HOLDERS: [Ipv6Net; 3] =
        [NAT64, v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96)];
    match address {
        IpAddr::V6(a) if HOLDERS.iter().any(|holder| holder.contains(&a)) => IpAddr::V4(low_bits(a)),
        other => other,
    }
}

/// The last 32 bits.
const fn low_bits(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
