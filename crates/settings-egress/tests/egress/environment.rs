//! SS12: proxies in the environment are ignored.
use crate::support::{LIMITS, OK, Receiver, TENANT, child_of, local_client, plain};
use settings_egress::SendError;
use std::net::TcpListener;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the test tells its child where the proxy is")]
async fn ss12_proxies_in_the_environment_are_ignored() {
    const PROXY: &str = "SETTINGS_EGRESS_TEST_PROXY";
    // The proxy belongs to the parent, which so sees what its child does.
    let proxy = Receiver::start(|wire| wire.write_all(OK));
    let url = format!("http://{}", proxy.address);
    let mut environment = vec![("NO_PROXY", ""), ("no_proxy", ""), (PROXY, url.as_str())];
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        environment.push((name, &url));
    }
    if child_of("environment::ss12_proxies_in_the_environment_are_ignored", &environment) {
        assert!(proxy.contacted().is_empty());
        return;
    }
    assert!(std::env::var("HTTP_PROXY").is_ok() && std::env::var("HTTP_PROXY") == std::env::var(PROXY));
    let receiver = Receiver::start(|wire| wire.write_all(OK));
    let client = local_client(LIMITS);
    for host in ["127.0.0.1", "a.test"] {
        assert_eq!(client.send(plain(&client, host, &receiver), TENANT).await.unwrap().status, 200);
    }
    assert_eq!(receiver.contacted().len(), 2);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = client.policy().check(&format!("https://a.test:{}", closed.port())).unwrap();
    assert_eq!(client.send(crate::support::get(target), TENANT).await, Err(SendError::Connect));
}
