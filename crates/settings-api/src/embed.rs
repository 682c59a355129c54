//! For services that embed this one: the same credentials, the same entry and the same refusals, for paths of their own.
use crate::{Api, ClientAddress, RequestId, dispatch, input, problem::Problem};
use http::{HeaderName, request::Parts};
use settings_app::authenticate::Authenticated;
use settings_domain::{
    policy::{Action, Permit},
    ports::store::Selector,
};
use std::net::IpAddr;

/// Checks the one credential of a request: an API key in `x-api-key`, or a bearer token. Rate limits count, as for operations.
pub async fn authenticate(api: &Api, parts: &Parts) -> Result<Authenticated, Problem> {
    let address = parts.extensions.get::<ClientAddress>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0);
    dispatch::check(api, &parts.headers, address, &request_id(parts)).await
}

/// The workspace that a request names in the header `X-Workspace`, by slug or id; else the caller's own.
pub fn named_workspace(parts: &Parts) -> Result<Selector, Problem> {
    let mut values = parts.headers.get_all(HeaderName::from_static("x-workspace")).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(Selector::Own),
        (Some(one), None) => one.to_str().ok().and_then(input::named).ok_or_else(|| Problem::plain("not-found")),
        (Some(_), Some(_)) => Err(Problem::new("malformed-request", "The header X-Workspace stands there twice.")),
    }
}

/// A workspace by slug or id. What is neither names none.
pub fn named(text: &str) -> Result<Selector, Problem> {
    input::named(text).ok_or_else(|| Problem::plain("not-found"))
}

/// Proves that the caller may do `A` in this workspace, as of an instant after the request came in. A refusal is noted for the
/// workspace's audit log.
pub async fn permit<A: Action>(api: &Api, auth: &Authenticated, selector: &Selector) -> Result<Permit<A>, Problem> {
    match api.app().permit::<A>(auth, selector).await {
        Ok(permit) => {
            api.saw(&permit);
            Ok(permit)
        }
        Err(refused) => {
            let problem = Problem::from(refused);
            if let Some(denied) = problem.denied() {
                api.app().denied(denied);
            }
            Err(problem)
        }
    }
}

/// The id that the edge gave the request, or nothing where it did not pass one.
#[must_use]
pub fn request_id(parts: &Parts) -> String {
    parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default()
}
