//! The calls.
use crate::{
    config::{self, Places, SlackConfigError},
    failure, message,
};
use async_trait::async_trait;
use reqwest::{
    RequestBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use settings_breaker::Breaker;
use settings_domain::{
    ids::DeliveryId,
    ports::slack::{SlackApi, SlackError, SlackGrant, SlackMessage},
};
use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use url::form_urlencoded;
use zeroize::Zeroizing;

/// How much of an answer is read.
const MAX_ANSWER: usize = 64 * 1024;
/// How long Slack is left alone that failed several times in a row.
const REST: Duration = Duration::from_secs(10);
/// To post (also where nobody has invited the app, in public channels), and to have Slack ask for a channel.
const SCOPES: &str = "chat:write,chat:write.public,incoming-webhook";

/// Slack, as this service uses it.
#[derive(Clone)]
pub struct SlackClient {
    http: reqwest::Client,
    places: Places,
    client_id: String,
    client_secret: SecretString,
    breaker: Arc<Breaker>,
}

impl fmt::Debug for SlackClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlackClient").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

impl SlackClient {
    /// A client for an app of Slack's. `base` is [`SLACK`](crate::SLACK), or a stand-in's URL; `/api` at its end may be
    /// there or not. Connects to nothing yet.
    pub fn new(client_id: &str, client_secret: SecretString, base: &str) -> Result<Self, SlackConfigError> {
        config::check_id(client_id)?;
        config::check_secret(&client_secret)?;
        let (http, places) = (config::http_client()?, Places::parse(base)?);
        let breaker = Arc::new(Breaker::new(REST));
        Ok(Self { http, places, client_id: client_id.to_owned(), client_secret, breaker })
    }

    /// Whether Slack answers, for the operator. Nobody is named: Slack says that nobody is.
    pub async fn check(&self) -> Result<(), SlackError> {
        let request =
            self.http.post(self.places.test.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.call(request, |answer| serde_json::from_slice::<Verdict<'_>>(answer).map(drop).map_err(|_| GIBBERISH))
            .await
    }

    /// Makes a call, unless Slack is left alone, and reads its answer.
    async fn call<R>(
        &self,
        request: RequestBuilder,
        read: impl FnOnce(&[u8]) -> Result<R, SlackError> + Send,
    ) -> Result<R, SlackError> {
        let resting = SlackError::Resting(time::Duration::seconds(REST.as_secs().cast_signed()));
        let pass = self.breaker.enter(Instant::now()).ok_or(resting)?;
        let outcome = match ask(request).await {
            Ok(answer) => read(&answer),
            Err(error) => Err(error),
        };
        match &outcome {
            Err(SlackError::Unavailable(cause)) => {
                if pass.failed(Instant::now()) {
                    tracing::warn!(cause, "Slack is left alone for {} s", REST.as_secs());
                }
            }
            _ => pass.answered(),
        }
        outcome
    }
}

/// What both calls answer with.
#[derive(Deserialize)]
struct Verdict<'a> {
    ok: bool,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
}

impl Verdict<'_> {
    /// The code of the error, if it is one.
    fn error(&self) -> Option<&str> {
        (!self.ok).then(|| self.error.as_deref().unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Granted<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    scope: Option<String>,
    team: Option<Team>,
    incoming_webhook: Option<IncomingWebhook>,
}

#[derive(Deserialize)]
struct Team {
    id: String,
    name: Option<String>,
}

/// Slack's webhook has a URL as well, with which anybody could post: not read, so not kept.
#[derive(Deserialize)]
struct IncomingWebhook {
    channel: Option<String>,
    channel_id: Option<String>,
}

const GIBBERISH: SlackError = SlackError::Unavailable("what answered is not Slack");

#[async_trait]
impl SlackApi for SlackClient {
    fn authorize_url(&self, state: &str, redirect: &str) -> String {
        let mut url = self.places.authorize.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("scope", SCOPES)
            .append_pair("redirect_uri", redirect)
            .append_pair("state", state);
        url.into()
    }

    async fn exchange(&self, code: &str, redirect: &str) -> Result<SlackGrant, SlackError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .finish();
        let request = self
            .http
            .post(self.places.exchange.clone())
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        self.call(request, granted).await
    }

    async fn post(
        &self,
        token: &SecretString,
        channel: &str,
        message: &SlackMessage,
        delivery: DeliveryId,
    ) -> Result<(), SlackError> {
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
        let Ok(mut bearer) = HeaderValue::from_str(&bearer) else {
            return Err(SlackError::Auth("the connection's token is not one of Slack's"));
        };
        bearer.set_sensitive(true);
        let request = self
            .http
            .post(self.places.post.clone())
            .header(AUTHORIZATION, bearer)
            // Without the charset, Slack warns about it in each answer.
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(message::render(channel, message, delivery).to_string());
        let posted = |answer: &[u8]| {
            let verdict: Verdict<'_> = serde_json::from_slice(answer).map_err(|_| GIBBERISH)?;
            verdict.error().map_or(Ok(()), |code| Err(failure::of_a_post(code)))
        };
        self.call(request, posted).await
    }

    fn answered(&self) -> Option<bool> {
        self.breaker.last_answered()
    }
}

/// What an exchanged code gives.
fn granted(answer: &[u8]) -> Result<SlackGrant, SlackError> {
    let verdict: Verdict<'_> = serde_json::from_slice(answer).map_err(|_| GIBBERISH)?;
    if let Some(code) = verdict.error() {
        return Err(failure::of_an_exchange(code));
    }
    let granted: Granted<'_> = serde_json::from_slice(answer).map_err(|_| GIBBERISH)?;
    if granted.access_token.is_empty() {
        return Err(GIBBERISH);
    }
    let team = granted.team.ok_or(SlackError::Refused("Slack connected an organization instead of a team"))?;
    let (channel, channel_name) = granted.incoming_webhook.map_or((None, None), |w| (w.channel_id, w.channel));
    let scopes = granted.scope.unwrap_or_default();
    Ok(SlackGrant {
        token: SecretString::from(granted.access_token.as_ref()),
        team_name: team.name.unwrap_or_else(|| team.id.clone()),
        team_id: team.id,
        channel,
        channel_name,
        scopes: scopes.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
    })
}

/// Makes a call and reads its answer, which may hold a token.
async fn ask(request: RequestBuilder) -> Result<Zeroizing<Vec<u8>>, SlackError> {
    let mut response = request.send().await.map_err(|error| unanswered(&error))?;
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => {
            let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Err(SlackError::RateLimited(failure::patience(retry_after)));
        }
        status if status.is_server_error() => return Err(SlackError::Unavailable("Slack failed")),
        // Errors come with 200. Whoever says anything else is not asked for its opinion.
        status if status != StatusCode::OK => return Err(GIBBERISH),
        _ => {}
    }
    // Room for all of it from the start: what grows leaves copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(SlackError::Unavailable("what answered is not Slack: it does not come to an end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The library's texts are dropped.
fn unanswered(error: &reqwest::Error) -> SlackError {
    SlackError::Unavailable(if error.is_timeout() {
        "Slack did not answer in time"
    } else if error.is_connect() {
        "Slack cannot be reached"
    } else {
        "the connection to Slack broke off"
    })
}
