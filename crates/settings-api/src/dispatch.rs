//! From an HTTP request to an operation, in the contract's order of checks: transport limits, authentication, rate
//! limit, authorization, body, preconditions, rules, commit.
use crate::{
    Api,
    answer::Answer,
    input::{Input, MAX_BODY},
    limits::Wait,
    operation::{Access, Operation},
    problem::Problem,
};
use axum::{
    body::Body,
    extract::{FromRequestParts as _, RawPathParams, Request},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use secrecy::{ExposeSecret as _, SecretString};
use settings_app::authenticate::{AuthError, Authenticated, Credential};
use settings_domain::{
    audit::Receipts,
    ids::UserId,
    policy::{Action, Permit, Principal},
    ports::store::Selector,
    transaction::Snapshot,
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// The address a request came from, put into its extensions by whoever accepts connections.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The id of a request, put into its extensions by [`crate::edge`].
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);
/// Where an answer says what a change left in the audit log: a signed receipt in one line.
const AUDIT_RECEIPT: HeaderName = HeaderName::from_static("audit-receipt");
/// The header of API keys.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Reads a request and runs an operation.
pub(crate) async fn run(api: Arc<Api>, operation: &Operation, request: Request) -> Response {
    let id = request_id(&request);
    match input(request).await {
        Err(problem) => problem.respond(&id),
        Ok(input) => {
            let input = Arc::new(input);
            let mut response = match serve(&api, operation, &input).await {
                Ok(answer) => answer.respond(&input),
                Err(problem) => {
                    // Every refusal of the policy passes here, whichever step of the call made it.
                    if let Some(denied) = problem.denied() {
                        api.app().denied(denied);
                    }
                    problem.respond(&id)
                }
            };
            receipts(&api, &input, response.headers_mut());
            response
        }
    }
}

/// Hands out a receipt for each log that the request added to: whoever keeps one can prove later what was cut off.
fn receipts(api: &Api, input: &Input, headers: &mut HeaderMap) {
    for (workspace, last) in input.receipts.all() {
        let receipt = api.app().ports().sealer.receipt(workspace, &last);
        if let Some(receipt) = receipt.ok().and_then(|r| HeaderValue::from_str(&r).ok()) {
            headers.append(AUDIT_RECEIPT, receipt);
        } else {
            // The change is durable; an answer that said otherwise would be worse than one without its receipt.
            tracing::error!(%workspace, seq = last.seq, "a receipt could not be signed");
        }
    }
}

/// What an unknown path answers: nobody learns which paths exist without a credential. For those who mount pages beside
/// the API under paths that begin with a name of somebody's choice.
pub async fn unknown(api: Arc<Api>, request: Request) -> Response {
    let id = request_id(&request);
    let problem = match input(request).await {
        Err(problem) => problem,
        Ok(input) => match authenticate(&api, &input).await {
            Err(problem) => problem,
            Ok(_) => Problem::plain("not-found"),
        },
    };
    problem.respond(&id)
}

pub(crate) fn request_id(request: &Request) -> String {
    request.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default()
}

async fn input(request: Request) -> Result<Input, Problem> {
    let (mut parts, body) = request.into_parts();
    let too_large = || Problem::plain("payload-too-large");
    let length =
        parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if length.is_some_and(|n| n > MAX_BODY) {
        return Err(too_large());
    }
    let params = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| Problem::plain("not-found"))?
        .iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    let body = read(body).await?;
    let address = parts.extensions.get::<ClientAddress>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0);
    Ok(Input {
        receipts: Receipts::default(),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        params,
        headers: parts.headers,
        body,
        request: parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default(),
        address,
    })
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await;
    match collected {
        Err(_) => Err(Problem::plain("request-timeout")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(Problem::plain("payload-too-large")),
        Ok(Err(_)) => Err(Problem::new("malformed-request", "The body broke off.")),
    }
}

async fn serve(api: &Arc<Api>, operation: &Operation, input: &Arc<Input>) -> Result<Answer, Problem> {
    let auth = authenticate(api, input).await?;
    if operation.access == Access::AnyKey && auth.key.is_none() {
        return Err(Problem::unauthenticated());
    }
    let running = (operation.run)(api.clone(), auth, input.clone());
    if input.method == Method::GET && !operation.changes {
        return running.await;
    }
    // A caller who hangs up must not leave a transaction cut off in the middle: changes run to their end.
    tokio::spawn(running).await.unwrap_or_else(|error| {
        tracing::error!(operation = operation.id, panic = error.is_panic(), "an operation did not finish");
        Err(Problem::plain("internal"))
    })
}

/// The one credential of a request, checked, and its rate limit.
pub(crate) async fn authenticate(api: &Api, input: &Input) -> Result<Authenticated, Problem> {
    check(api, &input.headers, input.address, &input.request).await
}

/// The same, for requests that are no operation's.
pub(crate) async fn check(
    api: &Api,
    headers: &HeaderMap,
    address: IpAddr,
    request: &str,
) -> Result<Authenticated, Problem> {
    if let Some(limits) = api.limits() {
        limits.address(address).map_err(limited)?;
    }
    let credential = credential(headers)?.ok_or_else(Problem::unauthenticated)?;
    let (Credential::ApiKey(text) | Credential::Bearer(text)) = &credential;
    if let Some(limits) = api.limits() {
        limits.credential(text.expose_secret()).map_err(limited)?;
    }
    match api.app().authenticate(&credential).await {
        Ok(auth) => Ok(auth),
        Err(AuthError::KeyAsBearer) => {
            let mut problem = Problem::new(
                "unauthenticated",
                "This is an API key: send it in the x-api-key header, not as a bearer token.",
            );
            problem = problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"settings\""));
            Err(problem)
        }
        Err(AuthError::Unavailable(e)) => Err(e.into()),
        Err(AuthError::Invalid(why)) => {
            tracing::debug!(request, why, "a credential was refused");
            metrics::counter!("settings_refused_credentials_total").increment(1);
            if let Some(limits) = api.limits() {
                // The part before the last two is the kind and id of one of our tokens: no secret, and what a guesser keeps.
                let known = text.expose_secret().splitn(3, '_').take(2).collect::<Vec<_>>().join("_");
                limits.failure(address, &known).map_err(limited)?;
            }
            Err(Problem::unauthenticated())
        }
    }
}

pub(crate) fn limited(Wait(seconds): Wait) -> Problem {
    Problem::rate_limited(seconds)
}

fn credential(headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
    let ambiguous = || Problem::plain("ambiguous-credentials");
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() { Err(ambiguous()) } else { Ok(first) }
    };
    let (key, bearer) = (one(&API_KEY)?, one(&header::AUTHORIZATION)?);
    let session = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let has_session = session.map(str::trim).any(|c| c.starts_with("__Host-settings=") || c.starts_with("settings="));
    // Bytes that are not ASCII are no credential of ours, but they are one that was sent.
    let text =
        |v: &HeaderValue| v.to_str().map(|s| SecretString::from(s.to_owned())).map_err(|_| Problem::unauthenticated());
    match (key, bearer) {
        (Some(_), Some(_)) => Err(ambiguous()),
        (Some(_), None) if has_session => Err(ambiguous()),
        (Some(key), None) => Ok(Some(Credential::ApiKey(text(key)?))),
        (None, Some(value)) => {
            let value = text(value)?;
            let (scheme, token) = value.expose_secret().split_once(' ').ok_or_else(Problem::unauthenticated)?;
            if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
                return Err(Problem::unauthenticated());
            }
            Ok(Some(Credential::Bearer(token.trim().to_owned().into())))
        }
        (None, None) => Ok(None),
    }
}

impl Api {
    /// Opens a snapshot for who may do `A`, and notes that a member was seen.
    pub(crate) async fn enter<A: Action>(
        &self,
        auth: &Authenticated,
        selector: &Selector,
    ) -> Result<Snapshot<A>, Problem> {
        let snapshot = Snapshot::<A>::open(self.app().ports().store.as_ref(), &auth.caller, selector).await?;
        self.saw(snapshot.permit());
        Ok(snapshot)
    }
    pub(crate) fn saw<A: Action>(&self, permit: &Permit<A>) {
        let actor = permit.actor();
        let member: Option<UserId> = match actor.principal() {
            Principal::Member { user, .. } | Principal::Platform { user, member: Some(_) } => Some(user),
            _ => None,
        };
        if let Some(user) = member {
            self.app().saw_member(actor.workspace(), user, permit.at());
        }
    }
}
