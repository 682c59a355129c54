//! Calls of the Management API: a token that is kept, limits that are heeded, and no end of patience with nothing.
use super::{
    backoff::{ATTEMPTS, LONGEST, asked_for, pause},
    wire::{Granted, Listed, Problem},
};
use crate::{
    config::{ConfigError, LEFT_ALONE, has_credentials, is_loopback, is_secure},
    fetch, random,
};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use settings_breaker::Breaker;
use settings_domain::ports::{Cause, Clock, mirror::MirrorError};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
use url::Url;

/// How long before its end a token is replaced.
const RENEW_AHEAD: Duration = Duration::seconds(60);
/// Most pages of one list: a directory that always names a next page is not followed for ever.
const MAX_PAGES: usize = 1000;
/// Items of a page; the most that there are to be had.
pub(super) const PAGE: usize = 100;

/// What a call came to, where that is no success.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was answered with this status, and perhaps a word.
    Said(u16, String),
    /// It was not answered, or asked for patience.
    Away(Option<Duration>, Cause),
}

#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the Management API answers {0}")]
    Status(u16),
    #[error("the Management API's answer is larger than 256 KiB")]
    TooLarge,
    #[error("the Management API failed several times in a row and is left alone for up to 30 s")]
    LeftAlone,
    #[error("the Management API's answer is malformed")]
    Malformed(#[source] serde_json::Error),
}

impl Failure {
    /// In the port's words, where the status means nothing special.
    pub(super) fn into_error(self) -> MirrorError {
        match self {
            Self::Away(retry_after, cause) => MirrorError::Unavailable { retry_after, cause },
            Self::Said(401, _) => {
                MirrorError::Refused("the client of the Management API is unknown or has another secret")
            }
            Self::Said(403, word) => {
                tracing::error!(word, "the client of the Management API lacks a scope");
                MirrorError::Refused("the client of the Management API lacks a scope")
            }
            Self::Said(status, word) => {
                tracing::error!(status, word, "the Management API refused a call");
                MirrorError::Refused("the Management API refused a call")
            }
        }
    }
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Below `/api/v2/`, encoded.
    pub(super) path: String,
    pub(super) query: &'a [(&'a str, String)],
    pub(super) body: Option<Value>,
    /// Whether doing it twice is as good as once, so that it may be sent again without knowing what became of it.
    pub(super) repeatable: bool,
}

struct Token {
    text: SecretString,
    until: OffsetDateTime,
}

/// The Management API of one tenant.
pub(super) struct Client {
    root: String,
    id: String,
    secret: SecretString,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<Token>>,
    breaker: Breaker<OffsetDateTime>,
}

/// Scheme and host of a tenant: `acme.eu.auth0.com`, or a URL (http only for this machine).
fn root(domain: &str) -> Result<String, ConfigError> {
    let domain = domain.trim().trim_end_matches('/');
    let text = if domain.contains("://") { domain.to_owned() } else { format!("https://{domain}") };
    let url = Url::parse(&text).map_err(ConfigError::IssuerNotUrl)?;
    if !is_secure(&url, is_loopback(&url)) {
        return Err(ConfigError::IssuerNotHttps);
    }
    if has_credentials(&url) || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::IssuerNotPlain);
    }
    Ok(url.origin().ascii_serialization())
}

impl Client {
    pub(super) fn new(
        domain: &str,
        id: String,
        secret: SecretString,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        if id.trim().is_empty() || secret.expose_secret().is_empty() {
            return Err(ConfigError::ClientMissing);
        }
        let root = root(domain)?;
        Ok(Self { root, id, secret, http, clock, token: Mutex::default(), breaker: Breaker::new(LEFT_ALONE) })
    }

    /// A call whose answer is read.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let body = self.make(call).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::Away(None, NoAnswer::Malformed(e).into()))
    }

    /// Every item of a list, by its cursor where it has one and by page numbers where not.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        by_cursor: bool,
    ) -> Result<Vec<T>, Failure> {
        let (mut all, mut from) = (Vec::new(), None::<String>);
        for page in 0..MAX_PAGES {
            let mut asked = query.to_vec();
            if by_cursor {
                asked.push(("take", PAGE.to_string()));
                asked.extend(from.iter().map(|from| ("from", from.clone())));
            } else {
                asked.push(("per_page", PAGE.to_string()));
                asked.push(("page", page.to_string()));
            }
            let call = Call { method: Method::GET, path: path.to_owned(), query: &asked, body: None, repeatable: true };
            let (items, next) = self.read::<Listed<T>>(&call).await?.parts();
            let full = items.len() >= PAGE;
            let more = if by_cursor { next.is_some() && next != from && !items.is_empty() } else { full };
            all.extend(items);
            if !more {
                break;
            }
            from = next;
        }
        Ok(all)
    }

    /// Makes a call, with a token, and again where that is of use.
    pub(super) async fn make(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let url = self.url(call)?;
        let mut renewed = false;
        let mut attempt = 0;
        loop {
            let token = self.token().await?;
            let request = self.http.request(call.method.clone(), url.clone()).bearer_auth(token.expose_secret());
            let request = match &call.body {
                Some(body) => request.json(body),
                None => request,
            };
            match self.send(request, attempt, call.repeatable).await {
                Err(Sent::Again) => attempt += 1,
                Err(Sent::Failed(Failure::Said(401, _))) if !renewed => {
                    // Withdrawn before its end, say because the client's secret was rotated.
                    *self.token.lock().await = None;
                    renewed = true;
                }
                Err(Sent::Failed(failure)) => return Err(failure),
                Ok(body) => return Ok(body),
            }
        }
    }

    fn url(&self, call: &Call<'_>) -> Result<Url, Failure> {
        let mut url =
            Url::parse(&format!("{}/api/v2/{}", self.root, call.path)).map_err(|e| Failure::Away(None, e.into()))?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        Ok(url)
    }

    /// The token, asked for where there is none or its end is near. One asks, the others wait.
    async fn token(&self) -> Result<SecretString, Failure> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| self.clock.now() < token.until) {
            return Ok(token.text.clone());
        }
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": self.id,
            "client_secret": self.secret.expose_secret(),
            "audience": format!("{}/api/v2/", self.root),
        });
        let mut attempt = 0;
        let granted = loop {
            let request = self.http.post(format!("{}/oauth/token", self.root)).json(&body);
            match self.send(request, attempt, true).await {
                Ok(granted) => break granted,
                Err(Sent::Again) => attempt += 1,
                // Told apart from a call that is refused: here it is the client itself.
                Err(Sent::Failed(Failure::Said(..))) => return Err(Failure::Said(401, String::new())),
                Err(Sent::Failed(failure)) => return Err(failure),
            }
        };
        let granted: Granted =
            serde_json::from_slice(&granted).map_err(|e| Failure::Away(None, NoAnswer::Malformed(e).into()))?;
        let text = SecretString::from(granted.access_token);
        let life = Duration::seconds(granted.expires_in.clamp(0, 86_400 * 30));
        let until = self.clock.now() + (life - RENEW_AHEAD).max(Duration::ZERO);
        *kept = Some(Token { text: text.clone(), until });
        Ok(text)
    }

    /// One exchange, and the wait after it where another is of use.
    async fn send(&self, request: reqwest::RequestBuilder, attempt: u32, repeatable: bool) -> Result<Vec<u8>, Sent> {
        let pass =
            self.breaker.enter(self.clock.now()).ok_or_else(|| Failure::Away(None, NoAnswer::LeftAlone.into()))?;
        let last = attempt + 1 >= ATTEMPTS;
        let (cause, may_repeat, asked): (Cause, bool, Option<Duration>) = match request.send().await {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
                let asked = asked_for(header("retry-after"), header("x-ratelimit-reset"), self.clock.now());
                match status {
                    // Limited before it was looked at: nothing was done, and the place is well.
                    429 => {
                        pass.answered();
                        return self.wait(NoAnswer::Status(status).into(), attempt, last, asked).await;
                    }
                    500.. => (NoAnswer::Status(status).into(), repeatable, asked.filter(|_| status == 503)),
                    _ => match fetch::read(&mut response).await {
                        Ok(Some(body)) => {
                            pass.answered();
                            return if (200..300).contains(&status) {
                                Ok(body)
                            } else {
                                Err(said(status, &body).into())
                            };
                        }
                        Ok(None) => (NoAnswer::TooLarge.into(), false, None),
                        Err(error) => (error.without_url().into(), repeatable, None),
                    },
                }
            }
            Err(error) => {
                // What never arrived was not done.
                let unsent = error.is_connect();
                (error.without_url().into(), repeatable || unsent, None)
            }
        };
        if pass.failed(self.clock.now()) {
            tracing::warn!(cause = %cause, "the Management API is left alone for {} s", LEFT_ALONE.as_secs());
        }
        self.wait(cause, attempt, last || !may_repeat, asked).await
    }

    async fn wait<T>(&self, cause: Cause, attempt: u32, last: bool, asked: Option<Duration>) -> Result<T, Sent> {
        let mut dice = [u8::MAX];
        // Without dice the longest wait is as good as any.
        let _ = random::fill(&mut dice);
        let [dice] = dice;
        let long = asked.unwrap_or_default() + pause(attempt, dice);
        if last || asked.is_some_and(|asked| asked > LONGEST) {
            return Err(Failure::Away(asked, cause).into());
        }
        tracing::debug!(attempt, cause = %cause, "the Management API is asked again");
        tokio::time::sleep(long.unsigned_abs()).await;
        Err(Sent::Again)
    }
}

/// Why there is no body.
enum Sent {
    /// The wait is over: send it again.
    Again,
    Failed(Failure),
}

impl From<Failure> for Sent {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A refusal with the API's word for it, as long as that is one of its words.
fn said(status: u16, body: &[u8]) -> Failure {
    let code = serde_json::from_slice::<Problem>(body).ok().and_then(|p| p.code);
    let plain = |c: &String| c.len() <= 64 && c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    Failure::Said(status, code.filter(plain).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_host_or_an_https_url_or_on_this_machine() {
        for (given, expected) in [
            ("acme.eu.auth0.com", "https://acme.eu.auth0.com"),
            (" acme.eu.auth0.com/ ", "https://acme.eu.auth0.com"),
            ("https://login.acme.example/", "https://login.acme.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(root(given).ok().as_deref(), Some(expected), "{given}");
        }
        for bad in ["", "http://acme.auth0.com", "https://acme.auth0.com/api/v2", "https://u:p@acme.auth0.com", "a b"] {
            assert!(root(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_api_s_word_and_nothing_else_of_its_body() {
        let word = |body: &str| match said(404, body.as_bytes()) {
            Failure::Said(_, word) => word,
            Failure::Away(..) => "away".to_owned(),
        };
        assert_eq!(word(r#"{"errorCode":"inexistent_user","message":"ada@example.org"}"#), "inexistent_user");
        for other in ["", "[]", r#"{"errorCode":"Ada <ada@example.org>"}"#, r#"{"message":"x"}"#] {
            assert_eq!(word(other), "");
        }
    }
}
