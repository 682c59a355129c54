//! SS01 to SS10: where a webhook may not be. The rows of the table, against the service as an operator gets it: nothing allowed.
use crate::support::{Site, Store, Tenant, assert_unchanged, json, on_both_stores, receiver::Receiver};

on_both_stores!(
    no_webhook_leads_to_a_private_place,
    no_webhook_leads_elsewhere_than_it_says,
    no_webhook_leads_back_to_this_service,
    what_is_private_today_is_not_called_although_it_was_public_once,
);

/// SS01: loopback in all its spellings.
const LOOPBACK: &[&str] = &[
    "http://127.0.0.1",
    "https://127.0.0.1/",
    "https://127.1",
    "https://0x7f000001",
    "https://2130706433",
    "https://0177.0.0.1",
    "https://0",
    "https://0.0.0.0",
    "https://①②⑦.0.0.1",
    "https://127.0.0.1.",
    "https://localhost",
    "https://LOCALHOST.",
    "https://x.localhost",
];
/// SS02: IPv6, and IPv4 inside it.
const IPV6: &[&str] = &[
    "https://[::1]",
    "https://[::]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:a9fe:a9fe]",
    "https://[::127.0.0.1]",
    "https://[64:ff9b::a9fe:a9fe]",
    "https://[64:ff9b:1::1]",
    "https://[2002:a9fe:a9fe::1]",
    "https://[2001::1]",
    "https://[2001:db8::1]",
    "https://[fe80::1%25eth0]",
    "https://[fe80::1]",
    "https://[fc00::1]",
    "https://[fd00:ec2::254]",
    "https://[ff02::1]",
];
/// SS03: where clouds keep their credentials.
const METADATA: &[&str] = &[
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2",
    "https://100.100.100.200",
    "https://192.0.0.192",
    "https://metadata.google.internal",
    "https://metadata.google.internal./computeMetadata/v1/",
    "https://instance-data",
    "https://intranet",
    "https://printer.local",
    "https://db.internal",
];
/// SS04: networks that are nobody's on the internet, at both ends.
const PRIVATE: &[&str] = &[
    "https://10.0.0.0",
    "https://10.255.255.255",
    "https://172.16.0.1",
    "https://172.31.255.255",
    "https://192.168.0.1",
    "https://192.168.255.255",
    "https://100.64.0.1",
    "https://100.127.255.255",
    "https://198.18.0.1",
    "https://198.19.255.255",
    "https://192.0.2.1",
    "https://198.51.100.1",
    "https://203.0.113.1",
    "https://224.0.0.1",
    "https://239.255.255.255",
    "https://240.0.0.1",
    "https://255.255.255.255",
    "https://0.1.2.3",
];
/// SS08: who reads it one way and calls it another. SS10: ports of other services, and schemes of other protocols.
const TWO_FACED: &[&str] = &[
    "https://user:pass@hooks.example.org",
    "https://user@hooks.example.org",
    "https://hooks.example.org@127.0.0.1",
    "https://hooks.example.org\\@127.0.0.1",
    "https://127.0.0.1\\.hooks.example.org",
    "https://hooks.example.org:443@127.0.0.1/",
    "https://hooks.example.org/\tx",
    "https://hooks.exam\nple.org/",
    " https://hooks.example.org",
    "https://hooks.example.org ",
    "https:/127.0.0.1",
    "https:127.0.0.1",
    "//127.0.0.1",
    "/hook",
    "127.0.0.1",
    "",
    "https://",
    "https://hooks.example.org:22",
    "https://hooks.example.org:25",
    "https://hooks.example.org:6379",
    "https://hooks.example.org:5432",
    "https://hooks.example.org:9200",
    "https://hooks.example.org:80",
    "https://hooks.example.org:8443",
    "https://hooks.example.org:0",
    "https://hooks.example.org:65536",
    "https://hooks.example.org:-1",
    "http://hooks.example.org",
    "ftp://hooks.example.org",
    "file:///etc/passwd",
    "gopher://hooks.example.org",
    "javascript:alert(1)",
    "data:text/plain,x",
    "wss://hooks.example.org",
];

/// Neither made nor changed into, and the answer does not say what is behind it.
async fn refused(tenant: &Tenant, urls: &[&str]) {
    let hook = tenant.hook("https://hooks.example.org/x", &["run_failed"]).await;
    assert_unchanged(tenant, async {
        for url in urls {
            let made = json!({"url": url, "events": ["run_failed"]});
            let made = tenant.admin.post(tenant.path("/webhooks/subscriptions"), made).await;
            let changed = tenant.admin.put(tenant.hook_path(&hook.id), json!({"url": url})).await;
            for answer in [made, changed] {
                let body = answer.problem(422, "url-not-allowed");
                assert_eq!(body["errors"][0]["pointer"], "/url", "{url}: {body}");
            }
        }
    })
    .await;
}

async fn no_webhook_leads_to_a_private_place(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    for urls in [LOOPBACK, IPV6, METADATA, PRIVATE] {
        refused(&tenant, urls).await;
    }
}

async fn no_webhook_leads_elsewhere_than_it_says(store: Store) {
    let tenant = Site::shared(store).await.tenant().await;
    refused(&tenant, TWO_FACED).await;
    let long = format!("https://hooks.example.org/{}", "x".repeat(2_100));
    refused(&tenant, &[&long]).await;
    // What stands in the answer is what is called: one parser reads it, once.
    for (given, kept) in [
        ("https://Hooks.Example.org:443/a/../b?c", "https://hooks.example.org/b?c"),
        ("HTTPS://hooks.example.org", "https://hooks.example.org/"),
        ("https://b\u{fc}cher.example.org/", "https://xn--bcher-kva.example.org/"),
    ] {
        let body = json!({"url": given, "events": ["run_failed"]});
        let made = tenant.admin.post(tenant.path("/webhooks/subscriptions"), body).await.created();
        assert_eq!(made["url"], kept);
    }
}

/// SS09, although the operator allows the network in which it stands.
async fn no_webhook_leads_back_to_this_service(store: Store) {
    let public = ("SETTINGS_PUBLIC_URL", Some("https://settings.example.org"));
    let site = Site::outgoing(store, &[public]).await;
    let tenant = site.tenant().await;
    let own = format!("http://{}/events", site.address());
    refused(&tenant, &["https://settings.example.org/x", "https://SETTINGS.example.org.:443", &own]).await;
}

/// SS06: what was allowed when it was chosen is judged anew at each attempt.
async fn what_is_private_today_is_not_called_although_it_was_public_once(store: Store) {
    let site = Site::outgoing(store, &[]).await;
    let tenant = site.tenant().await;
    let receiver = Receiver::start([]).await;
    tenant.hook(&receiver.url("x"), &["run_failed"]).await;
    tenant.tell_on("run_failed", &["webhook"]).await;
    site.server.stop();
    let site = site.through(site.home.serve(&[]));
    let tenant = tenant.at(&site);
    let event = tenant.tells("run_failed").await;
    let failed = tenant.told(&event, "webhook", "failed", 1).await.remove(0);
    let attempt = &failed["attempts"][0];
    assert!(attempt["statusCode"].is_null() && attempt["error"].is_string(), "{failed}");
    assert!(receiver.so_far().is_empty(), "it was called");
}
