//! What leaves for places that tenants choose: one client, whose policy holds for webhooks and model probes alike.
use crate::failure::{Failure, causes};
use ipnet::IpNet;
use settings_egress::{Client, Policy, SystemResolver};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};
use url::Url;

/// The client. Tenants may not name this service itself, lest it calls itself (SS09).
pub(crate) fn client(allow: &str, bind: SocketAddr, public_url: &str) -> Result<Arc<Client>, Failure> {
    let allow = networks(allow).map_err(|e| Failure::configuration(format!("SETTINGS_OUTBOUND_ALLOW {e}")))?;
    let own = own_hosts(bind, public_url);
    let policy = Policy::new(allow, own).map_err(|e| Failure::configuration(format!("SETTINGS_PUBLIC_URL: {e}")))?;
    let client = Client::new(policy, Arc::new(SystemResolver)).map_err(|e| Failure::service(causes(&e)))?;
    Ok(Arc::new(client))
}

/// Networks, separated by commas.
fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("must be networks such as 10.0.0.0/8, not {part:?}"))).collect()
}

/// Under which names and ports this service answers, as far as it knows.
fn own_hosts(bind: SocketAddr, public_url: &str) -> Vec<String> {
    let public = Url::parse(public_url).ok().and_then(|url| {
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        Some(format!("{host}:{port}"))
    });
    // Port 0 is not where it listens; then the public URL has the port.
    let bound = (bind.port() != 0).then(|| match bind.ip() {
        ip if ip.is_unspecified() => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), ip],
        ip => vec![ip],
    });
    let bound = bound.into_iter().flatten().map(|ip| SocketAddr::new(ip, bind.port()).to_string());
    public.into_iter().chain(bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_anything_else_is_told() {
        assert_eq!(networks("").unwrap(), []);
        let some: Vec<IpNet> = ["127.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        assert_eq!(networks(" 127.0.0.0/8, fd00::/8,").unwrap(), some);
        for bad in ["127.0.0.1", "10.0.0.0/33", "example.com", "10.0.0.0/8 fd00::/8", "10.0.0.0/8;fd00::/8", "*"] {
            assert!(networks(bad).unwrap_err().contains("such as 10.0.0.0/8"), "{bad}");
        }
    }

    #[test]
    fn ss09_the_service_itself_is_no_place_to_send_to() {
        let client = |bind: &str, public: &str| client("127.0.0.0/8,::1/128,10.0.0.0/8", bind.parse().unwrap(), public);
        for (bind, public, own, other) in [
            (
                "127.0.0.1:8080",
                "https://settings.example.com",
                vec![
                    "https://settings.example.com/",
                    "https://SETTINGS.example.com:443/hook",
                    "http://127.0.0.1:8080/",
                ],
                vec!["https://other.example.com/", "http://127.0.0.1:8081/"],
            ),
            (
                "0.0.0.0:8080",
                "https://settings.example.com/base",
                vec!["https://settings.example.com/", "http://127.0.0.1:8080/", "http://[::1]:8080/"],
                vec!["http://127.0.0.1:8081/", "http://10.0.0.7:9000/"],
            ),
            ("127.0.0.1:0", "http://127.0.0.1:41234", vec!["http://127.0.0.1:41234/"], vec!["http://127.0.0.1:41235/"]),
        ] {
            let client = client(bind, public).unwrap();
            for url in own {
                assert_eq!(client.policy().check(url).err(), Some(settings_egress::Refused::OwnHost), "{url}");
            }
            for url in other {
                assert!(client.policy().check(url).is_ok(), "{url}");
            }
        }
    }

    #[test]
    fn a_bad_network_ends_the_start_with_the_variables_name() {
        let failure = client("10.0.0.0", "127.0.0.1:8080".parse().unwrap(), "http://127.0.0.1:8080").err().unwrap();
        assert!(failure.to_string().starts_with("SETTINGS_OUTBOUND_ALLOW must be networks"), "{failure}");
    }
}
