//! One call: made, repeated where that helps, and ended in time.
use crate::{
    API_VERSION,
    config::Place,
    failure::{self, AWAY, Advice, Failure},
};
use reqwest::{
    Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use settings_breaker::Breaker;
use settings_domain::ports::{
    Entropy,
    billing::{BillingError, Patience},
};
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use url::form_urlencoded;

/// How much of an answer is read. A list of ten subscriptions takes a tenth of it.
const MAX_ANSWER: usize = 512 * 1024;
/// For one attempt, from the lookup to the last byte of the answer.
const ATTEMPT: Duration = Duration::from_secs(4);
/// Most attempts at one call.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt, at most; twice that before the third.
const PAUSE: Duration = Duration::from_millis(400);

const VERSION: HeaderName = HeaderName::from_static("stripe-version");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("stripe-should-retry");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// When all of it has to be over, however many calls it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn of(patience: Patience) -> Self {
        let seconds = match patience {
            Patience::Person => 2,
            Patience::Task => 9,
        };
        Self(Instant::now() + Duration::from_secs(seconds))
    }
}

/// What to call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    path: String,
    /// Query of a GET, form of a POST.
    fields: Vec<(&'a str, String)>,
    /// What a POST is known by, the same for each repetition; `None` for a GET.
    key: Option<String>,
    /// What is said where Stripe refuses it for no reason that has words of its own.
    refused: &'static str,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), fields: vec![], key: None, refused: "Stripe refuses to say" }
    }
    pub(crate) fn post(path: impl Into<String>, key: String, refused: &'static str) -> Self {
        Self { path: path.into(), fields: vec![], key: Some(key), refused }
    }
    pub(crate) fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}

/// An answer, and whether it is the one of an equal call before.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    pub(crate) replayed: bool,
}

/// Makes calls.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) place: Place,
    /// `Bearer` and the secret key; marked as sensitive.
    pub(crate) authorization: HeaderValue,
    pub(crate) breaker: Arc<Breaker<Instant>>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Transport {
    /// Makes a call and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        deadline: Deadline,
    ) -> Result<Answer<T>, Failure> {
        let mut attempt = 1;
        loop {
            let pass = self.breaker.enter(Instant::now()).ok_or(Failure {
                error: AWAY,
                again: None,
                ..Failure::gibberish()
            })?;
            let until = deadline.0.min(Instant::now() + ATTEMPT);
            let result = match timeout_at(until, self.attempt(call)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::unanswered("Stripe did not answer in time")),
            };
            let failure = match result {
                Ok(answer) => {
                    pass.answered();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if failure.answered {
                pass.answered();
            } else if pass.failed(Instant::now()) {
                let rest = self.breaker.rest().as_secs();
                tracing::warn!(error = %failure.error, "Stripe is left alone for {rest} s");
            }
            let Some(wait) = failure.again.filter(|_| attempt < ATTEMPTS) else { return Err(failure) };
            let wait = self.pause(attempt).max(Duration::from_secs(u64::try_from(wait.whole_seconds()).unwrap_or(0)));
            if Instant::now() + wait >= deadline.0 {
                return Err(failure);
            }
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Between half of the pause and all of it, so that many who failed together do not come back together.
    fn pause(&self, attempt: u32) -> Duration {
        let full = PAUSE * attempt;
        // The last two bytes of an id are random.
        let [.., a, b] = self.entropy.uuid().into_bytes();
        let share = u32::from(u16::from_be_bytes([a, b]));
        full / 2 + full / 2 * share / u32::from(u16::MAX)
    }

    async fn attempt<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<Answer<T>, Failure> {
        let mut url = self.place.at(&call.path).ok_or(Failure::gibberish())?;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.fields).finish();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(VERSION, HeaderValue::from_static(API_VERSION));
        let request = if let Some(key) = &call.key {
            // Made of ids and digits alone.
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(key).map_err(|_| Failure::gibberish())?);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            self.http.request(Method::POST, url).body(form)
        } else {
            url.set_query((!form.is_empty()).then_some(form.as_str()));
            self.http.request(Method::GET, url)
        };
        let response = request.headers(headers).send().await.map_err(|error| unanswered(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await?;
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if status == StatusCode::OK {
            let value = serde_json::from_slice(&body).map_err(|_| Failure::gibberish())?;
            return Ok(Answer { value, replayed: text(REPLAYED) == Some("true") });
        }
        let advice = Advice { retry_after: text(RETRY_AFTER), should_retry: text(SHOULD_RETRY) };
        let failure = failure::of_a_call(status.as_u16(), &body, advice, call.refused);
        // By this id Stripe's support and its dashboard find the call with all of its words.
        let request =
            text(REQUEST_ID).filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        tracing::info!(status = status.as_u16(), request, error = %failure.error, "Stripe did not do as asked");
        Err(failure)
    }
}

/// Reads all of it, if that is not too much.
async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure {
                error: BillingError::Unavailable("what answered is not Stripe: it does not come to an end"),
                ..Failure::gibberish()
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The library's texts are dropped.
fn unanswered(error: &reqwest::Error) -> Failure {
    Failure::unanswered(if error.is_timeout() {
        "Stripe did not answer in time"
    } else if error.is_connect() {
        "Stripe cannot be reached"
    } else {
        "the connection to Stripe broke off"
    })
}

impl From<Failure> for BillingError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
