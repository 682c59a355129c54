//! The extractor: a handler that names a right in its signature runs for nobody who has it not.
use crate::Settings;
use axum::{
    extract::{FromRef, FromRequestParts, RawPathParams},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use settings_api::{embed, problem::Problem};
use settings_app::authenticate::Authenticated;
use settings_domain::{
    audit::Receipts,
    ids::WorkspaceId,
    impact::Guard,
    policy::{Action, Permit},
    ports::store::Selector,
    transaction::Call,
};

/// A caller who may do `A`: a permission ([`rights`](crate::rights)) or one of the service's own [`actions`](crate::actions).
///
/// The credential is an API key in `x-api-key`, or a bearer token. The workspace is the one that the path names as `{workspace}`,
/// else the header `X-Workspace`, by slug or id; else the key's own or the account's only one. A right that was taken away is gone
/// for every call that arrives after its loss was answered, in every process.
///
/// Refused calls are answered as `application/problem+json`: 401 without a valid credential, 404 for a workspace that the caller may
/// not know of, 403 with the name of what is missing, which the audit log of the workspace records.
#[derive(Debug)]
pub struct Caller<A> {
    permit: Permit<A>,
    who: Authenticated,
    request: String,
}

impl<A> Caller<A> {
    /// The proof, for functions that want one.
    pub const fn permit(&self) -> &Permit<A> {
        &self.permit
    }
    /// The workspace that the call is about.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.permit.scope().workspace()
    }
    /// Who calls.
    #[must_use]
    pub const fn who(&self) -> &Authenticated {
        &self.who
    }
    /// What a use case of [`Settings::app`] wants to know of the call.
    #[must_use]
    pub fn call(&self) -> Call {
        let (caller, request) = (self.who.caller.clone(), self.request.clone());
        Call { caller, request, idempotent: None, guard: Guard::default(), receipts: Receipts::default() }
    }
    /// A failed use case as the answer of a handler.
    #[must_use]
    pub fn refuse(&self, why: impl Into<Problem>) -> Refusal {
        Refusal { problem: why.into(), request: self.request.clone() }
    }
}

/// A refused call, as an answer.
#[derive(Debug)]
pub struct Refusal {
    problem: Problem,
    request: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.problem.respond(&self.request)
    }
}

impl<A, S> FromRequestParts<S> for Caller<A>
where
    A: Action,
    S: Send + Sync,
    Settings: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let settings = Settings::from_ref(state);
        let mut request = embed::request_id(parts);
        if request.is_empty() {
            request = settings.app().ports().entropy.uuid().to_string();
        }
        match admit(&settings, parts, state).await {
            Ok((who, permit)) => Ok(Self { permit, who, request }),
            Err(problem) => Err(Refusal { problem, request }),
        }
    }
}

async fn admit<A: Action, S: Send + Sync>(
    settings: &Settings,
    parts: &mut Parts,
    state: &S,
) -> Result<(Authenticated, Permit<A>), Problem> {
    let who = embed::authenticate(settings.api(), parts).await?;
    let workspace = workspace(parts, state).await?;
    let permit = embed::permit::<A>(settings.api(), &who, &workspace).await?;
    Ok((who, permit))
}

async fn workspace<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Selector, Problem> {
    // A route without parameters has none to extract; what cannot be decoded names no workspace.
    if let Ok(params) = RawPathParams::from_request_parts(parts, state).await
        && let Some((_, text)) = params.iter().find(|(name, _)| *name == "workspace")
    {
        return embed::named(text);
    }
    embed::named_workspace(parts)
}
