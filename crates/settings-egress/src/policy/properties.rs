//! SS01, SS08: whatever is written where a host belongs.
use super::*;
use proptest::prelude::*;

/// What people put where a host belongs.
fn hosts() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "@",
        "\\",
        "#",
        "?",
        "/",
        ":",
        "%",
        "%2e",
        "%40",
        "%5c",
        "[",
        "]",
        "::",
        ".",
        "。",
        "\t",
        "\n",
        "\u{0}",
        "\u{ad}",
        "①",
        "ﬀ",
        "ß",
        "İ",
        "\u{202e}",
        "xn--",
        "127",
        "0x7f",
        "1",
        "10.",
        "169.254.",
        "localhost",
        "example",
        ".com",
        "ffff",
        "&",
        ";",
        "=",
        "~",
        "|",
        "^",
        "`",
        "{",
        "<",
        "\"",
        "'",
        "*",
        "é",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..24).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        prop::collection::vec(prop_oneof![tricky.prop_map(str::to_owned), "[a-z0-9.-]{1,6}"], 1..8)
            .prop_map(|parts| parts.concat()),
        any::<u32>().prop_map(|n| n.to_string()),
        any::<[u8; 16]>().prop_map(|n| format!("[{}]", std::net::Ipv6Addr::from(n))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_passes_is_read_the_same_way_by_every_parser_and_passes_again(host in hosts(), tail in "(/[ -~]{0,6})?") {
        let text = format!("https://{host}{tail}");
        let Ok(target) = Policy::strict().check(&text) else { return Ok(()) };
        let url = Url::parse(&text).unwrap();
        let uri: http::Uri = target.as_str().parse().unwrap();
        prop_assert_eq!(Some(target.host()), url.host_str());
        prop_assert_eq!(uri.host(), url.host_str());
        prop_assert_eq!((uri.scheme_str(), uri.port_u16().unwrap_or(443)), (Some("https"), 443));
        prop_assert!(target.host().is_ascii() && !target.host().ends_with('.'));
        match target.name() {
            Name::Ip(address) => {
                prop_assert!(is_public(*address));
                prop_assert_eq!(target.host().trim_matches(['[', ']']).parse::<IpAddr>().ok(), Some(*address));
            }
            // No resolver takes it for an address.
            Name::Dns(name) => {
                prop_assert_eq!(name.as_str(), target.host());
                prop_assert!(name.parse::<IpAddr>().is_err());
                prop_assert!(!name.rsplit('.').next().unwrap().bytes().all(|b| b.is_ascii_digit()));
            }
        }
        prop_assert_eq!(Policy::strict().check(target.as_str()), Ok(target));
    }

    #[test]
    fn no_ipv4_address_passes_that_is_not_public(bits in any::<u32>(), form in 0..6) {
        let [a, b, c, d] = bits.to_be_bytes();
        let host = match form {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => bits.to_string(),
            2 => format!("{bits:#x}"),
            3 => format!("0{a:o}.0{b:o}.{c:#x}.{d}"),
            4 => format!("{a}.{}", bits & 0x00ff_ffff),
            _ => format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        };
        let passed = Policy::strict().check(&format!("https://{host}")).is_ok();
        prop_assert_eq!(passed, is_public(std::net::Ipv4Addr::from_bits(bits).into()), "{}", host);
    }
}
