//! One call, from the probe to the report.
use crate::{
    question::{Question, question},
    verdict::{Tried, is_before_connecting, not_authorized, unanswered},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use settings_domain::ports::{
    Clock,
    probe::{ModelProber, Probe, ProbeReport},
};
use settings_egress::{Client, Method, Refused, Request, SendError};
use settings_runtime::{
    Model, Owner,
    authorize::{self, AuthorizeError, authorize_as},
};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use url::Url;

/// Probes over HTTP.
#[derive(Clone)]
pub struct HttpProber {
    egress: Arc<Client>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpProber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpProber(..)")
    }
}

/// Why there is no status.
enum Failed {
    /// The request could not be made.
    Unmade(AuthorizeError),
    /// It got no answer, after so long.
    Unanswered(SendError, Duration),
}

impl From<AuthorizeError> for Failed {
    fn from(error: AuthorizeError) -> Self {
        Self::Unmade(error)
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Unanswered(refused.into(), Duration::ZERO)
    }
}

impl HttpProber {
    /// By way of this client, whose policy and limits hold. The clock dates signatures.
    #[must_use]
    pub const fn new(egress: Arc<Client>, clock: Arc<dyn Clock>) -> Self {
        Self { egress, clock }
    }

    /// Asks, and gives the status and how long it took.
    async fn ask(&self, tenant: &str, model: &Model, question: &Question) -> Result<(u16, Duration), Failed> {
        let target = self.egress.policy().check(question.url.as_str())?;
        let mut headers = HeaderMap::new();
        for (name, value) in question.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Some(scheme) = &question.scheme {
            let method = match question.method {
                Method::Get => "GET",
                Method::Post => "POST",
            };
            let (url, body) = (&question.url, question.body);
            let request = authorize::Request { method, url, headers: question.headers, body };
            for (name, value) in authorize_as(model, scheme, &request, self.clock.now())?.headers() {
                let value = HeaderValue::from_str(value.expose_secret());
                let mut value = value.map_err(|_| AuthorizeError::CredentialNotPrintable)?;
                value.set_sensitive(true);
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let body = Bytes::from_static(question.body);
        let request = Request { target, method: question.method, headers, body };
        // Places of its own: whoever tests a model must not have to wait for the deliveries to a dead webhook.
        let started = Instant::now();
        match self.egress.send(request, &format!("probe {tenant}")).await {
            Ok(answer) => Ok((answer.status.as_u16(), answer.took)),
            Err(error) => Err(Failed::Unanswered(error, started.elapsed())),
        }
    }
}

#[async_trait]
impl ModelProber for HttpProber {
    async fn probe(&self, probe: &Probe) -> ProbeReport {
        let failed =
            |reachable, detail| ProbeReport { reachable, authenticated: None, status: None, took_ms: 0, detail };
        let target = match self.egress.policy().check(&probe.url) {
            Ok(target) => target,
            Err(refused) => return failed(false, unanswered(refused.into()).1),
        };
        let Ok(url) = Url::parse(target.as_str()) else {
            return failed(false, unanswered(Refused::NotAUrl.into()).1);
        };
        let auth = probe.credential.auth_type();
        // Nobody sees this one, so it needs neither id nor name.
        let (id, name, credential) = (String::new(), String::new(), probe.credential.clone().into());
        let model = Model { id, name, url, owner: Owner::System, credential };
        let question = question(probe.provider, &model);
        let with_credential = question.scheme.is_some();
        let tried = Tried { provider: probe.provider, auth, reading: question.reading, with_credential };
        match self.ask(&probe.tenant.to_string(), &model, &question).await {
            Ok((status, took)) => {
                let (authenticated, detail) = tried.answered(status);
                ProbeReport { reachable: true, authenticated, status: Some(status), took_ms: roughly(took), detail }
            }
            Err(Failed::Unmade(error)) => failed(false, not_authorized(error)),
            Err(Failed::Unanswered(error, took)) => {
                let (reachable, detail) = unanswered(error);
                let took_ms = if is_before_connecting(error) { 0 } else { roughly(took) };
                ProbeReport { took_ms, ..failed(reachable, detail) }
            }
        }
    }
}

/// In milliseconds, rounded up to tenths of a second: enough to see that a service is slow, too little to measure a network.
fn roughly(took: Duration) -> i64 {
    const STEP: u128 = 100;
    i64::try_from(took.as_millis().div_ceil(STEP).max(1) * STEP).unwrap_or(i64::MAX)
}
