//! SS01-SS04, SS08-SS10 and MO05 of the abuse cases, as far as no lookup is needed.
use super::*;

fn refused(text: &str) -> Option<Refused> {
    Policy::strict().check(text).err()
}

/// The operator's networks: loopback, one private and, by mistake, AWS's own.
fn lenient(own_hosts: &[&str]) -> Policy {
    let allow = ["127.0.0.0/8", "10.1.0.0/16", "::1/128", "fd00::/8", "100.64.0.0/10", "0.0.0.0/1", "64:ff9b:1::/48"];
    Policy::new(allow.map(|net| net.parse().unwrap()).into(), own_hosts).unwrap()
}

#[test]
fn public_https_urls_pass_and_are_normalised() {
    for (text, normal) in [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A?b=C", "https://example.com/A?b=C"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://134744072", "https://8.8.8.8/"),
        ("https://[2606:4700:4700::1111]/x", "https://[2606:4700:4700::1111]/x"),
        ("https://[64:ff9b::8.8.8.8]", "https://[64:ff9b::808:808]/"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("https://example.com?u=https://x@y/", "https://example.com/?u=https://x@y/"),
        ("https://localhost.example.com", "https://localhost.example.com/"),
        ("https://mylocalhost.com", "https://mylocalhost.com/"),
        ("https://internal.example.com", "https://internal.example.com/"),
        ("https://example.notlocal", "https://example.notlocal/"),
        ("https://127.0.0.1.example.com", "https://127.0.0.1.example.com/"),
    ] {
        assert_eq!(Policy::strict().check(text).as_ref().map(Target::as_str), Ok(normal), "{text}");
    }
}

#[test]
fn ss01_loopback_is_refused_in_every_spelling_of_an_ipv4_address() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.255.255.254",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0x0.0x0.0x1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0177.0.0.01",
        "0",
        "0x",
        "0.0.0.0",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "１２７．０．０．１",
        "%31%32%37.0.0.1",
        "127.0.0.1%2e",
        "127.0.0.1.",
        "127.1.",
    ] {
        assert_eq!(refused(&format!("https://{host}")), Some(Refused::Address), "{host}");
        assert_eq!(refused(&format!("https://{host}:443/x?y")), Some(Refused::Address), "{host}");
        assert_eq!(refused(&format!("http://{host}:8080")), Some(Refused::Address), "{host}");
    }
}

#[test]
fn ss02_private_ipv6_addresses_are_refused_and_so_are_ipv4_ones_inside_ipv6() {
    for host in [
        "::1",
        "0:0:0:0:0:0:0:1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::FFFF:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8",
        "2002:a9fe:a9fe::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:0:808:808:0:0:5601:5601",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "4000::1",
    ] {
        assert_eq!(refused(&format!("https://[{host}]")), Some(Refused::Address), "{host}");
    }
    for text in [
        "https://[fe80::1%25eth0]",
        "https://[fe80::1%eth0]",
        "https://::1/",
        "https://[::1",
        "https://[::1]example.com",
        "https://[v1.fe80]",
        "https://[127.0.0.1]",
        "https://[::ffff:127.1]",
    ] {
        assert_eq!(refused(text), Some(Refused::NotAUrl), "{text}");
    }
}

#[test]
fn ss03_metadata_services_are_refused_by_address_and_by_name() {
    for host in ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "2852039166"] {
        assert_eq!(refused(&format!("https://{host}/latest/meta-data/")), Some(Refused::Address), "{host}");
    }
    for host in [
        "metadata.google.internal",
        "METADATA.google.INTERNAL",
        "ｍetadata.google.internal",
        "metadata.google%2einternal",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
        "localhost",
        "LOCALHOST",
        "loc\u{ad}alhost",
        "%6cocalhost",
        "ⓛocalhost",
        "a.localhost",
        "printer.local",
        "a.b.internal",
        "localhost.localdomain",
        "router.home.arpa",
    ] {
        assert_eq!(refused(&format!("https://{host}/")), Some(Refused::LocalName), "{host}");
        assert_eq!(lenient(&[]).check(&format!("https://{host}/")), Err(Refused::LocalName), "{host}");
    }
}

#[test]
fn ss04_private_and_reserved_ipv4_networks_are_refused() {
    for host in [
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "192.0.2.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "0.1.2.3",
    ] {
        assert_eq!(refused(&format!("https://{host}")), Some(Refused::Address), "{host}");
    }
}

#[test]
fn ss08_texts_that_two_parsers_might_read_differently_are_refused() {
    use Refused::{Fragment, Host, NotAUrl, Scheme, Userinfo};
    for (text, why) in [
        ("https://user:pass@example.com", Userinfo),
        ("https://user@example.com", Userinfo),
        ("https://@example.com", Userinfo),
        ("https://:@example.com", Userinfo),
        ("https://good.example@evil.example", Userinfo),
        ("https://example.com:443@evil.example", Userinfo),
        ("https://good.example%40evil.example", NotAUrl),
        ("https://good.example\\@evil.example", NotAUrl),
        ("https://good.example\\.evil.example", NotAUrl),
        ("https://good.example#@evil.example", Fragment),
        ("https://example.com/#", Fragment),
        ("https://example.com/a#b", Fragment),
        ("https://exam\tple.com", NotAUrl),
        ("https://exam\nple.com", NotAUrl),
        ("https://example.com/a\r\nHost: evil", NotAUrl),
        ("https://example.com/a b", NotAUrl),
        ("https://example.com/\0", NotAUrl),
        ("https://example.com/\u{a0}", NotAUrl),
        (" https://example.com", NotAUrl),
        ("https://example.com ", NotAUrl),
        ("https:/\\example.com", NotAUrl),
        ("https:\\\\example.com", NotAUrl),
        ("https:/example.com", NotAUrl),
        ("https:example.com", NotAUrl),
        ("https:///example.com", NotAUrl),
        ("https://", NotAUrl),
        ("https://?x", NotAUrl),
        ("https://:443", NotAUrl),
        ("//example.com", NotAUrl),
        ("example.com", NotAUrl),
        ("", NotAUrl),
        ("https://exa mple.com", NotAUrl),
        ("https://exa%00mple.com", NotAUrl),
        ("https://example.com%2f@evil.example", Userinfo),
        ("https://example.com%23.evil.example", NotAUrl),
        ("https://example.com.", Host),
        ("https://example.com..", Host),
        ("https://localhost.", Host),
        ("https://metadata.google.internal.", Host),
        ("https://example.com。", Host),
        ("https://a..example.com", Host),
        ("https://.example.com", Host),
        ("https://a!b.example", Host),
        ("https://a$(id).example", Host),
        ("https://1.2.3.4.5", NotAUrl),
        ("https://1.2.3.256", NotAUrl),
        ("https://0x7f.0.0.0x1ff", NotAUrl),
        ("https://example.0x7f", NotAUrl),
        ("file:///etc/passwd", Scheme),
        ("gopher://example.com", Scheme),
        ("ftp://example.com", Scheme),
        ("ws://example.com", Scheme),
        ("blob:https://example.com/", Scheme),
        ("javascript://example.com/%0aalert(1)", Scheme),
    ] {
        assert_eq!(refused(text), Some(why), "{text:?}");
        assert_eq!(lenient(&[]).check(text).err(), Some(why), "{text:?}");
    }
}

#[test]
fn ss09_nobody_may_send_to_the_service_itself() {
    let own = ["settings.example.com", "Bücher.example:8443", "203.0.114.7", "[2606:4700::7]:443", "127.0.0.1:8080"];
    let policy = lenient(&own);
    for text in [
        "https://settings.example.com/api",
        "https://SETTINGS.example.com:443",
        "http://settings.example.com:99",
        "https://xn--bcher-kva.example:8443",
        "https://203.0.114.7",
        "https://3405804039",
        "https://[64:ff9b::203.0.114.7]",
        "https://[2606:4700::7]",
        "http://127.0.0.1:8080",
        "http://2130706433:8080",
    ] {
        assert_eq!(policy.check(text).err(), Some(Refused::OwnHost), "{text}");
    }
    for text in ["https://other.settings.example.com", "https://xn--bcher-kva.example", "http://127.0.0.1:8081"] {
        assert!(policy.check(text).is_ok(), "{text}");
    }
    for text in
        ["", "https://example.com", "a/b", "example.com/", "u@example.com", "a b", "a.", "a?b", "a#b", "a:99999"]
    {
        assert_eq!(Policy::new(Vec::new(), [text]).err(), Some(OwnHostError), "{text:?}");
    }
}

#[test]
fn ss10_only_port_443_is_open() {
    for port in [0, 1, 22, 25, 80, 442, 444, 5432, 6379, 8443, 9200, 65535] {
        for host in ["example.com", "8.8.8.8", "[2606:4700::1]"] {
            assert_eq!(refused(&format!("https://{host}:{port}/")), Some(Refused::Port), "{host}:{port}");
        }
    }
    for port in ["65536", "-1", "443a", "0x1bb", "99999999999"] {
        assert_eq!(refused(&format!("https://example.com:{port}/")), Some(Refused::NotAUrl), "{port}");
    }
    assert_eq!(refused("https://example.com:0443/"), None);
    assert_eq!(lenient(&[]).check("http://127.0.0.1:0").err(), Some(Refused::Port));
}

#[test]
fn mo05_urls_have_at_most_2048_characters() {
    let url = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert_eq!(refused(&url(2048)), None);
    assert_eq!(refused(&url(2049)), Some(Refused::TooLong));
    // Normalised, it would be six times as long: who stores that could not read it back.
    assert_eq!(refused(&format!("https://example.com/{}", "é".repeat(1000))), Some(Refused::TooLong));
    assert_eq!(refused(&"é".repeat(2048)), Some(Refused::NotAUrl));
    assert_eq!(refused(&"é".repeat(2049)), Some(Refused::TooLong));
}

#[test]
fn inside_the_operators_networks_http_and_every_port_are_allowed_and_outside_nothing_changes() {
    let policy = lenient(&[]);
    for text in
        ["http://127.0.0.1", "http://127.9.9.9:9000/x", "https://10.1.2.3:8443", "http://[::1]:1", "http://[fd12::1]"]
    {
        assert!(policy.check(text).is_ok(), "{text}");
    }
    for (text, why) in [
        ("http://8.8.8.8", None), // 0.0.0.0/1, see above
        ("http://129.0.0.1", Some(Refused::Scheme)),
        ("https://129.0.0.1:8443", Some(Refused::Port)),
        ("https://192.168.0.1", Some(Refused::Address)),
        ("https://[::ffff:127.0.0.1]", Some(Refused::Address)),
        ("https://[::2]", Some(Refused::Address)),
    ] {
        assert_eq!(policy.check(text).err(), why, "{text}");
    }
    // A name may turn out to be one of theirs: what it stands for decides, when it is looked up.
    assert!(policy.check("http://ollama:11434").is_ok());
    assert_eq!(refused("http://ollama:11434"), Some(Refused::Scheme));
    assert_eq!(refused("https://ollama:11434"), Some(Refused::Port));
}

#[test]
fn metadata_services_stay_closed_inside_the_operators_networks() {
    for host in ["100.100.100.200", "[fd00:ec2::254]", "[fd20:ce::254]", "[64:ff9b:1::169.254.169.254]"] {
        assert_eq!(lenient(&[]).check(&format!("http://{host}")).err(), Some(Refused::Address), "{host}");
    }
}
