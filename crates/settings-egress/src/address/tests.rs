//! The table against a second copy of the registries, typed as text, and arithmetic that is not `ipnet`'s.
use super::*;
use ipnet::IpNet;
use std::collections::BTreeSet;

/// iana-ipv4-special-registry, all 27 blocks (two of them on one row), in IANA's order.
const REGISTRY_V4: &str = "0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 \
    192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 \
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 \
    198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32";
/// iana-ipv6-special-registry, all 25 rows, in IANA's order.
const REGISTRY_V6: &str = "::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 \
    2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 \
    2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10";
/// What we refuse besides.
const OURS_V4: &str = "168.63.129.16/32 224.0.0.0/4";
const OURS_V6: &str = "::/96 ::ffff:0:0:0/96 3ffe::/16 fec0::/10 ff00::/8 ::/3 4000::/2 8000::/1";

/// The first and the last address of a block, as numbers.
fn bounds(block: &str) -> (u128, u128) {
    let (first, prefix) = block.split_once('/').unwrap();
    let (first, width) = match first.parse().unwrap() {
        IpAddr::V4(a) => (u128::from(a.to_bits()), 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    };
    let free = width - prefix.parse::<u32>().unwrap();
    (first, first + (u128::MAX >> (128 - free).min(127)) * u128::from(free > 0))
}

fn address_v4(number: u128) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(number.try_into().unwrap()))
}

fn address_v6(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number))
}

/// Every block's first address and the one before, its last and the one after.
fn edges(blocks: &[&str], max: u128) -> BTreeSet<u128> {
    let edge = |block: &&str| {
        let (first, last) = bounds(block);
        [first.checked_sub(1), Some(first), Some(last), last.checked_add(1)]
    };
    blocks.iter().flat_map(edge).flatten().filter(|number| *number <= max).collect()
}

fn within(blocks: &[&str], number: u128) -> bool {
    blocks.iter().any(|block| (bounds(block).0..=bounds(block).1).contains(&number))
}

fn blocks(lists: [&'static str; 2]) -> Vec<&'static str> {
    lists.into_iter().flat_map(str::split_whitespace).collect()
}

fn public(text: &str) -> bool {
    is_public(text.parse().unwrap())
}

#[test]
fn the_arithmetic_of_these_tests_is_right() {
    assert_eq!(bounds("10.0.0.0/8"), (0x0a00_0000, 0x0aff_ffff));
    assert_eq!(bounds("192.88.99.2/32"), (0xc058_6302, 0xc058_6302));
    assert_eq!(bounds("8000::/1"), (1 << 127, u128::MAX));
    assert_eq!(bounds("::/3"), (0, u128::MAX >> 3));
    assert_eq!(bounds("::1/128"), (1, 1));
}

#[test]
fn every_block_of_both_registries_is_in_the_table_and_nothing_is_that_is_not_meant() {
    let text = |block: &&str| block.parse::<IpNet>().unwrap();
    let mut v4: BTreeSet<IpNet> = blocks([REGISTRY_V4, OURS_V4]).iter().map(text).collect();
    let mut v6: BTreeSet<IpNet> = blocks([REGISTRY_V6, OURS_V6]).iter().map(text).collect();
    // The table has the two addresses of one row as one block, and NAT64 apart.
    assert!(v4.remove(&text(&"192.0.0.170/32")) && v4.remove(&text(&"192.0.0.171/32")));
    assert!(v4.insert(text(&"192.0.0.170/31")) && v6.remove(&IpNet::V6(NAT64)));
    assert_eq!(SPECIAL_V4.iter().copied().map(IpNet::V4).collect::<BTreeSet<_>>(), v4);
    assert_eq!(SPECIAL_V6.iter().copied().map(IpNet::V6).collect::<BTreeSet<_>>(), v6);
    assert!(v4.iter().chain(&v6).all(|block| block.trunc() == *block));
}

#[test]
fn at_every_edge_of_every_ipv4_block_an_address_is_public_only_outside_all_of_them() {
    let blocks = blocks([REGISTRY_V4, OURS_V4]);
    let edges = edges(&blocks, u32::MAX.into());
    for number in &edges {
        let address = address_v4(*number);
        assert_eq!(is_public(address), !within(&blocks, *number), "{address}");
        // The same by way of NAT64, and by no other way.
        let held = |base: u128| is_public(address_v6(base + number));
        assert_eq!(held(0x0064_ff9b << 96), is_public(address), "64:ff9b::{address}");
        assert!(!held(0), "::{address}");
        assert!(!held(0xffff << 32), "::ffff:{address}");
        assert!(!held(0xffff << 48), "::ffff:0:{address}");
        assert!(!held(0x0064_ff9b_0001 << 80), "64:ff9b:1::{address}");
        assert!(!is_public(address_v6((0x2002 << 112) + (number << 80) + 1)), "6to4 of {address}");
        let (server, client) = (number << 64, !number & 0xffff_ffff);
        assert!(!is_public(address_v6((0x2001_0000 << 96) + server + client)), "Teredo of {address}");
    }
    assert_eq!(edges.iter().filter(|number| !within(&blocks, **number)).count(), 34);
}

#[test]
fn at_every_edge_of_every_ipv6_block_an_address_is_public_only_outside_all_of_them() {
    let blocks = blocks([REGISTRY_V6, OURS_V6]);
    let edges = edges(&blocks, u128::MAX);
    for number in &edges {
        let address = address_v6(*number);
        assert_eq!(is_public(address), !within(&blocks, *number), "{address}");
    }
    assert_eq!(edges.iter().filter(|number| !within(&blocks, **number)).count(), 12);
}

#[test]
fn well_known_hosts_are_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.215.14",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:801::200e",
        "2001:4860:4860::8888",
        "2001:200::1",
        "64:ff9b::808:808",
    ] {
        assert!(public(text), "{text}");
    }
}

#[test]
fn metadata_services_are_not_public_and_known_as_such_however_they_are_reached() {
    for address in METADATA {
        assert!(!is_public(*address) && is_metadata(*address), "{address}");
        if let IpAddr::V4(a) = address {
            for holder in ["::ffff:", "64:ff9b::", "64:ff9b:1::"] {
                let through = format!("{holder}{a}").parse().unwrap();
                assert!(!is_public(through) && is_metadata(through), "{through}");
            }
        }
    }
    for text in ["8.8.8.8", "169.254.169.253", "fd00:ec2::253", "::ffff:8.8.8.8", "2606:4700::a9fe:a9fe"] {
        assert!(!is_metadata(text.parse().unwrap()), "{text}");
    }
}
