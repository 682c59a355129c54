//! No credential, no path and nothing of an answer in logs, traces or `Debug`, whatever the libraries below would like to say.
use crate::support::{CANARY, Responder, local_prober, pair, probe, token};
use settings_domain::{ids::WorkspaceId, models::Provider, ports::probe::Probe};
use settings_testkit::log::Log;
use uuid::Uuid;

#[tokio::test]
async fn nothing_of_the_credential_is_logged_at_the_finest_level() {
    let log = Log::of_everything().unwrap();
    let prober = local_prober();
    for provider in Provider::ALL {
        for status in [200, 401, 500] {
            let responder = Responder::says(status);
            let url = responder.url("/path-canary?key=query-canary");
            for credential in [token(CANARY), token("with canary"), pair("AKIAcanary", "secret-canary")] {
                let tenant = WorkspaceId::from_uuid(Uuid::from_u128(0xa));
                let shown = format!("{credential:?} {prober:?}");
                assert!(!shown.contains("canary"), "{shown}");
                let report = probe(&prober, provider, url.as_str(), credential.clone()).await;
                let shown = format!("{report:?}");
                assert!(!shown.contains("canary"), "{shown}");
                let probe = Probe { tenant, provider, url: String::new(), credential };
                assert!(!format!("{probe:?}").contains("canary"));
            }
        }
    }
    let log = log.text();
    assert!(log.contains("127.0.0.1"), "the libraries do say something: {log}");
    assert!(!log.contains("canary"), "{log}");
}
