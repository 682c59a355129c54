//! Problems (RFC 9457): one table of everything that can go wrong, and the body that says so.
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use settings_app::failure::Failure;
use settings_domain::{
    error::{Classified, Kind, Refused},
    impact::Impact,
    policy::{Denied, Permission, Requirement, holders},
    ports::StoreError,
    transaction::{Caller, EntryError},
};
use std::error::Error;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemKind {
    /// Stable name; the page about it is `/problems/<slug>`.
    pub slug: &'static str,
    /// Status.
    pub status: u16,
    /// Short title.
    pub title: &'static str,
    /// What it means and what to do.
    pub help: &'static str,
}

macro_rules! problems {
    ($($slug:literal $status:literal $title:literal, $help:literal;)*) => {
        /// Everything that can go wrong. A released slug is never reused.
        pub const PROBLEMS: &[ProblemKind] = &[$(ProblemKind { slug: $slug, status: $status, title: $title, help: $help }),*];
    };
}

problems! {
    "malformed-request" 400 "Malformed request", "The request could not be read: its JSON, a header or a query parameter is not well-formed. The detail says which.";
    "ambiguous-credentials" 400 "Ambiguous credentials", "Send exactly one credential: an x-api-key header or an Authorization header, once.";
    "workspace-required" 400 "Workspace required", "You are a member of no workspace or of several. Say which one is meant: /w/{slug}/…, organizationId or the header X-Workspace.";
    "invalid-signature" 400 "Invalid signature", "Events of Stripe are taken with Stripe's signature over exactly these bytes, made within the last five minutes with a secret of this endpoint.";
    "invalid-cursor" 400 "Invalid cursor", "The cursor was not made by this service for this list, filter and workspace. Start again without a cursor.";
    "unauthenticated" 401 "Not signed in", "The request carries no credential that is valid now. People send Authorization: Bearer with a token of the configured issuer; programs send x-api-key.";
    "forbidden" 403 "Forbidden", "You are known, but you lack the permission that the detail names. An admin of the workspace can give you a role that has it.";
    "session-required" 403 "People only", "No API key can do this, whatever its scopes: sign in as a person.";
    "invitation-email-mismatch" 403 "Another address was invited", "The invitation is for another e-mail address. Sign in with the address it was sent to.";
    "email-not-verified" 403 "E-mail not verified", "Your identity provider does not vouch for your e-mail address. Verify it there and try again.";
    "not-found" 404 "Not found", "There is nothing here that you may know of.";
    "method-not-allowed" 405 "Method not allowed", "This address does not answer to this method. The Allow header lists those it answers to.";
    "request-timeout" 408 "Request timeout", "The request took too long to arrive.";
    "conflict" 409 "Conflict", "A rule of the workspace stands against it.";
    "already-member" 409 "Already a member", "This person is a member of the workspace already.";
    "already-invited" 409 "Already invited", "This address has a pending invitation. Resend it or revoke it.";
    "seat-limit-reached" 409 "No seat is free", "Members and pending invitations fill all seats. Raise the limit or the number of seats that are paid for, remove a member or revoke an invitation.";
    "seat-limit-below-usage" 409 "Seat limit below usage", "More seats are in use than the limit would allow.";
    "already-erased" 409 "Already erased", "This person was erased from the workspace already. An erasure can't be undone and need not be repeated.";
    "last-admin" 409 "Last admin", "A workspace always has an admin. Make somebody else an admin first.";
    "production-protected" 409 "Production is protected", "Every workspace has exactly one production environment, called production. It can't be dropped, renamed, re-tiered or doubled.";
    "name-taken" 409 "Name taken", "There is another thing of this kind with this name.";
    "slug-taken" 409 "Slug taken", "Another workspace has this slug, or had it before it was deleted.";
    "slug-reserved" 409 "Slug reserved", "The service keeps this slug for itself.";
    "invitation-closed" 409 "Invitation closed", "The invitation was accepted or revoked already.";
    "channel-unavailable" 409 "Channel unavailable", "A channel has nothing to deliver over: slack needs an active Slack connection with a channel, webhook an active subscription. The detail names the channel.";
    "delivery-not-failed" 409 "Delivery not failed", "Only a delivery that was given up can be retried.";
    "connection-disconnected" 409 "Connection disconnected", "The connection was switched off, and its token is gone. Authorize it again.";
    "connection-refused" 409 "Connection refused", "Slack does not grant the connection. The detail says why, as far as Slack tells.";
    "usage-id-reused" 409 "Usage id reused", "There is another report of usage with this id. Send each report with an id of its own, and repeat it unchanged.";
    "quota-reached" 409 "Quota reached", "The workspace has as many of these as it may have.";
    "secret-sealed" 409 "Secret sealed", "The secret was sealed: nobody can read it any more. Rotate it where its value is needed.";
    "invitation-expired" 410 "Invitation expired", "Invitations work for 7 days. Ask for a new one.";
    "precondition-failed" 412 "Changed meanwhile", "Somebody changed it since you read it. Read it again, then repeat your change with the new ETag.";
    "payload-too-large" 413 "Body too large", "A body may have 256 KiB at most.";
    "uri-too-long" 414 "Address too long", "Path and query may have 8 KiB at most.";
    "unsupported-media-type" 415 "Unsupported media type", "Send the body as application/json in UTF-8, not encoded otherwise.";
    "validation-failed" 422 "Validation failed", "The body could be read but breaks rules. `errors` lists every one with a pointer to its field.";
    "slug-immutable" 422 "The slug can't change", "The slug is part of API paths and links. Send the present one or leave it out.";
    "retention-below-floor" 422 "Retention below the floor", "Choose a retention of at least complianceFloorDays.";
    "immutable-field" 422 "The field can't change", "The field was set when the thing was made. Send the present value or leave it out.";
    "credential-required" 422 "Credential required", "A stored credential is never sent to another origin than it was given for. Send the credential again with the new URL.";
    "url-not-allowed" 422 "URL not allowed", "This service does not call that address. Use https on a public host; the operator may allow others.";
    "usage-too-late" 422 "Usage too late", "The time of use lies more than 34 days back. Usage that old is billed already.";
    "connection-state-invalid" 422 "Authorization not valid", "The way back from Slack does not belong to an authorization of yours that waits: it took longer than ten minutes, was begun by somebody else, or is used up. Start again.";
    "idempotency-key-reused" 422 "Idempotency-Key reused", "This Idempotency-Key belongs to another call of the last 24 hours. Use a fresh one.";
    "confirmation-required" 428 "Confirmation required", "The call would break what `impact` lists. Repeat it with the header X-Confirm set to `impactDigest` if that is what you want.";
    "rate-limited" 429 "Too many requests", "Wait as long as the Retry-After header says.";
    "headers-too-large" 431 "Headers too large", "The headers may have 16 KiB at most.";
    "internal" 500 "Internal error", "Something went wrong on our side. The requestId finds it in the log.";
    "billing-unavailable" 503 "Billing unavailable", "Billing is not set up on this installation, or Stripe can't be reached right now. The detail says which.";
    "slack-unavailable" 503 "Slack unavailable", "Slack is not set up on this installation, or can't be reached right now. The detail says which.";
    "unavailable" 503 "Unavailable", "The service can't answer right now. `outcome` says whether a change was made: `none`, or `unknown`; a retry with the same Idempotency-Key settles it.";
}

/// One fault of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// A problem on its way to the caller. The request id is added at the boundary.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    slug: &'static str,
    detail: String,
    error: Option<String>,
    faults: Vec<Fault>,
    extra: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    denied: Option<Denied>,
}

impl Problem {
    /// A problem of the table with a sentence of its own.
    #[must_use]
    pub fn new(slug: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            slug,
            detail: detail.into(),
            error: None,
            faults: Vec::new(),
            extra: Map::new(),
            headers: Vec::new(),
            denied: None,
        }))
    }
    /// The table's own sentence.
    #[must_use]
    pub fn plain(slug: &'static str) -> Self {
        Self::new(slug, row(slug).help)
    }
    /// 401 with its challenge. One body for every cause.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::plain("unauthenticated")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"settings\""))
    }
    /// 422 with every fault.
    #[must_use]
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let mut problem = Self::plain("validation-failed");
        problem.0.faults = faults;
        problem
    }
    /// 422 with one fault.
    #[must_use]
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault { pointer: pointer.to_owned(), detail: detail.into() }])
    }
    /// With the field at fault.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.0.faults.push(fault);
        self
    }
    /// 429.
    #[must_use]
    pub fn rate_limited(seconds: u64) -> Self {
        Self::plain("rate-limited").header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }
    /// 503, nothing written.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::plain("unavailable")
            .member("outcome", json!("none"))
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
    /// With a further member.
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.0.extra.insert(name.to_owned(), value);
        self
    }
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }
    /// 403 outside of any workspace, where there is no actor to refuse: in the policy's own words.
    #[must_use]
    pub fn lacking(permission: Permission, caller: &Caller) -> Self {
        let (roles, scopes) = holders(permission);
        let (name, roles) = (permission.name(), roles.join(", "));
        let problem = if matches!(caller, Caller::Key(_)) && scopes.is_empty() {
            Self::new("session-required", format!("needs {name}; no API key can have it, only people: {roles}."))
        } else {
            Self::new("forbidden", format!("needs {name}; only {roles} can have it."))
        };
        problem.missing(permission)
    }
    /// Names the missing permission, for programs and in the line that people read.
    fn missing(mut self, permission: Permission) -> Self {
        self.0.error = Some(format!("Forbidden: You do not have permission to {}", permission.does()));
        self.member("permission", json!(permission.name()))
    }
    /// The policy's refusal behind it, for the audit log.
    #[must_use]
    pub const fn denied(&self) -> Option<&Denied> {
        self.0.denied.as_ref()
    }
    /// Its slug.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.0.slug
    }
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(row(self.0.slug).status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
    /// The answer.
    #[must_use]
    pub fn respond(self, request: &str) -> Response {
        let status = self.status();
        let body = self.document(request);
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body is not read, so nothing can follow on this connection: a client that was not told sends
            // its next request into a connection that is closing.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        for (name, value) in self.0.headers {
            headers.insert(name, value);
        }
        response
    }
    /// The body of the answer.
    #[must_use]
    pub fn document(&self, request: &str) -> Value {
        let Parts { slug, detail, error, faults, extra, .. } = &*self.0;
        let row = row(slug);
        let error = error.clone().unwrap_or_else(|| format!("{}: {}", row.title, detail));
        let mut body = json!({
            "type": format!("/problems/{}", slug),
            "title": row.title,
            "status": row.status,
            "detail": detail,
            "instance": format!("urn:request:{request}"),
            "requestId": request,
            "error": error,
        });
        if let Some(map) = body.as_object_mut() {
            if !faults.is_empty() {
                let faults = faults.iter().map(|f| json!({"pointer": f.pointer, "detail": f.detail})).collect();
                map.insert("errors".to_owned(), Value::Array(faults));
            }
            map.extend(extra.clone());
        }
        body
    }
}

/// The row of a slug; `internal` for one that is not in the table (a test makes sure that there is none).
fn row(slug: &str) -> &'static ProblemKind {
    const INTERNAL: ProblemKind = ProblemKind {
        slug: "internal",
        status: 500,
        title: "Internal error",
        help: "Something went wrong on our side.",
    };
    PROBLEMS.iter().find(|p| p.slug == slug).unwrap_or(&INTERNAL)
}

/// An error with everything behind it. What is behind it mostly says what to do.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// Logs why the store failed a call: at the boundary, once.
pub fn log(e: &StoreError) {
    match e {
        StoreError::Unavailable(_) => tracing::error!(error = causes(e), "a call could not be served"),
        StoreError::Unknown(_) => tracing::error!(error = causes(e), "a commit's outcome is unknown"),
        // A constraint caught what a decision under the lock had allowed: the data changed behind our back.
        StoreError::Constraint(name) => tracing::error!(constraint = name, "a constraint refused a decided change"),
        StoreError::Corrupt(what) => tracing::error!(what, "the store holds a value that this version does not know"),
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        log(&e);
        match e {
            StoreError::Unavailable(_) => Self::unavailable(),
            StoreError::Unknown(_) => Self::unavailable().member("outcome", json!("unknown")),
            StoreError::Constraint(_) => {
                Self::new("conflict", "The workspace changed meanwhile. Read it again and repeat the call.")
            }
            StoreError::Corrupt(_) => Self::plain("internal"),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let slug = if denied.needs_a_person() { "session-required" } else { "forbidden" };
        let mut problem = Self::new(slug, format!("{denied}."));
        if let Requirement::Permission(p) = denied.requirement {
            problem = problem.missing(p);
        }
        problem.0.denied = Some(denied);
        problem
    }
}

impl From<EntryError> for Problem {
    fn from(e: EntryError) -> Self {
        match e {
            EntryError::KeyInvalid => Self::unauthenticated(),
            EntryError::NotFound => Self::plain("not-found"),
            EntryError::WorkspaceRequired => Self::plain("workspace-required"),
            EntryError::Denied(denied) => denied.into(),
            EntryError::Store(e) => e.into(),
        }
    }
}

fn impact(impact: &Impact) -> Problem {
    let affected: Vec<Value> =
        impact.affected().iter().map(|a| json!({"kind": a.kind, "id": a.id, "name": a.name, "why": a.why})).collect();
    Problem::plain("confirmation-required")
        .member("impact", Value::Array(affected))
        .member("impactDigest", json!(impact.digest()))
}

/// The one place where kinds of refusals become statuses.
fn refusal<E: Classified>(e: &E) -> Problem {
    let slug = e.code();
    debug_assert_eq!(
        row(slug).status,
        match e.kind() {
            Kind::NotFound => 404,
            Kind::Gone => 410,
            Kind::Conflict => 409,
            Kind::Invalid => 422,
            Kind::Forbidden => 403,
        },
        "{slug} has another status in the table"
    );
    if e.kind() == Kind::NotFound {
        return Problem::plain("not-found");
    }
    let mut problem = Problem::new(slug, e.to_string());
    if e.kind() == Kind::Invalid {
        problem.0.faults.extend(e.pointer().map(|p| Fault { pointer: p.to_owned(), detail: e.to_string() }));
    }
    problem
}

impl<E: Classified> From<Failure<E>> for Problem {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::Entry(e) => e.into(),
            Failure::Store(e) => e.into(),
            Failure::KeyReused => Self::plain("idempotency-key-reused"),
            Failure::Refused(Refused::Stale) => Self::plain("precondition-failed"),
            Failure::Refused(Refused::Unconfirmed(i)) => impact(&i),
            Failure::Refused(Refused::Rule(e)) => refusal(&e),
        }
    }
}
