//! No credential, no path and nothing of an answer in logs, traces or `Debug`, whatever the libraries below would like to say.
use crate::support::{CANARY, Responder, local_prober, pair, probe, token};
use settings_domain::{ids::WorkspaceId, models::Provider, ports::probe::Probe};
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};
use uuid::Uuid;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_of_the_credential_is_logged_at_the_finest_level() {
    let log = Log::default();
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(log.clone()).init();
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
    let log = String::from_utf8_lossy(&log.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(log.contains("127.0.0.1"), "the libraries do say something: {log}");
    assert!(!log.contains("canary"), "{log}");
}
