//! SS08: one parser for the check and the connection.
use crate::support::{LIMITS, Names, Receiver, TENANT, allow, get};
use proptest::{prelude::*, test_runner::TestRunner};
use settings_egress::Client;
use std::net::IpAddr;
use url::Url;

/// Bytes in the host's position, some of them with a meaning in URLs.
fn hosts() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "@", "\\", "#", "?", "/", ":", "%2e", "%40", "%41", ".", "。", "\u{ad}", "①", "ß", "xn--", "0x7f", "127.", "1",
        "_", "example", ".com", "&", ";", "~", "é", "A",
    ]);
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        4 => prop::collection::vec(prop_oneof![tricky.prop_map(str::to_owned), "[a-zA-Z0-9.-]{1,5}"], 1..6)
            .prop_map(|parts| parts.concat()),
        1 => prop::sample::select(vec!["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "①27。1"]).prop_map(str::to_owned),
    ]
}

/// Whatever passes is sent for real, and the receiver says which host it was taken for.
#[test]
fn the_host_that_was_checked_is_the_one_that_is_looked_up_connected_to_and_named() {
    let receiver = Receiver::everywhere();
    let names = Names::loopback();
    let client = Client::with_limits(allow(&["127.0.0.1/32"]), names.clone(), LIMITS).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() };
    let checked = TestRunner::new(config).run(&hosts(), |host| {
        let text = format!("http://{host}:{}/", receiver.port());
        let Ok(target) = client.policy().check(&text) else { return Ok(()) };
        let parsed = Url::parse(&text).unwrap();
        let parsed = parsed.host_str().unwrap();
        // It may name another port, of somebody else.
        if target.port() != receiver.port() {
            return Ok(());
        }
        let (asked, answered) = (names.asked().len(), receiver.requests().len());
        let sent = runtime.block_on(client.send(get(target), TENANT));
        prop_assert_eq!(sent.map(|answer| answer.body), Ok(bytes::Bytes::from_static(b"ok")), "{}", text);
        let looked_up: Vec<&str> = if parsed.parse::<IpAddr>().is_ok() { vec![] } else { vec![parsed] };
        prop_assert_eq!(&names.asked()[asked..], looked_up);
        let requests = receiver.requests().split_off(answered);
        let line = format!("\r\nhost: {parsed}:{}\r\n", receiver.port());
        prop_assert!(requests.len() == 1 && requests[0].contains(&line), "{:?}", requests);
        Ok(())
    });
    checked.unwrap();
    let (passed, looked_up) = (receiver.requests().len(), names.asked().len());
    assert!(looked_up > 100 && passed > looked_up + 50, "{passed} {looked_up}");
}
