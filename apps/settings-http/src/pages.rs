//! The few pages that make links in mails work: sign in, join, and the local mailbox. GET shows, POST acts, because mail
//! scanners open links.
use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use maud::{Markup, html};
use secrecy::ExposeSecret as _;
use serde_json::json;
use settings_api::{
    Api, ClientAddress, RequestId,
    limits::{Limits, Wait},
    pages::page,
    problem::Problem,
};
use settings_app::{App, failure::Failure, sign_in::SignedIn};
use settings_domain::{
    error::{Classified as _, Refused},
    invitations::InvitationState,
    text::Email,
};
use settings_notify::{LocalMailbox, StoredMail};
use std::{collections::HashMap, sync::Arc, time::Duration};
use time::format_description::well_known::Rfc3339;

/// What the pages share.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) app: Arc<App>,
    /// Shown at /dev/mailbox, to loopback only.
    pub(crate) mailbox: Option<LocalMailbox>,
    /// Whether people sign in by e-mail links: no OIDC issuer is configured.
    pub(crate) links: bool,
    /// Knows the rate limits.
    pub(crate) api: Arc<Api>,
}

impl Pages {
    /// Waits that a limit asks for, as an answer.
    fn limit(&self, check: impl FnOnce(&Limits) -> Result<(), Wait>) -> Result<(), Problem> {
        self.api.limits().map_or(Ok(()), |limits| check(limits).map_err(|Wait(seconds)| Problem::rate_limited(seconds)))
    }
}

/// The largest form, in bytes.
const MAX_FORM: usize = 16 * 1024;
/// How long a page may take, the arrival of its form included.
const PATIENCE: Duration = Duration::from_secs(15);

/// What every page goes through: the address's rate limit, and an end to slow forms.
async fn bounded(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request_id)): axum::Extension<RequestId>,
    axum::Extension(ClientAddress(address)): axum::Extension<ClientAddress>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = pages.limit(|l| l.address(address)) {
        return failed(&request_id, problem);
    }
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => failed(&request_id, Problem::plain("request-timeout")),
    }
}

pub(crate) fn router(pages: Pages) -> Router {
    let mut router = Router::new()
        .route("/", get(home))
        .route("/sign-out", post(sign_out))
        .route("/invitations/{token}", get(invitation).post(join));
    if pages.links {
        router =
            router.route("/sign-in", get(sign_in).post(send_link)).route("/sign-in/{token}", get(link).post(redeem));
    }
    if pages.mailbox.is_some() {
        router = router.route("/dev/mailbox", get(mailbox));
    }
    router.layer(DefaultBodyLimit::max(MAX_FORM)).layer(from_fn_with_state(pages.clone(), bounded)).with_state(pages)
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|a| a.contains("application/json"))
}

fn failed(request: &str, problem: Problem) -> Response {
    problem.respond(request)
}

/// What a browser finds at the root.
async fn home(State(pages): State<Pages>) -> Response {
    page(
        "Settings",
        &html! {
            h1 { "Settings service" }
            ul {
                li { a href="/docs" { "API reference" } }
                @if pages.links { li { a href="/sign-in" { "Sign in by an e-mailed link" } } }
                @if pages.mailbox.is_some() { li { a href="/dev/mailbox" { "Local mailbox" } " (this machine only)" } }
                li { a href="/problems" { "Problems and what to do about them" } }
            }
        },
    )
}

/// Ends the session of the bearer token. The answer is the same for every token.
async fn sign_out(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.split_once(' '));
    let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return failed(&request, Problem::unauthenticated());
    };
    match pages.app.end_session(token.trim()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => failed(&request, e.into()),
    }
}

async fn sign_in() -> Response {
    page(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            form method="post" action="/sign-in" {
                p { label for="email" { "E-mail" } " " input id="email" name="email" type="email" autocomplete="email" required; }
                p { button { "Send me a link" } }
            }
        },
    )
}

/// One answer for known and unknown addresses.
async fn send_link(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let Ok(email) = form.get("email").map(String::as_str).unwrap_or_default().parse::<Email>() else {
        return (
            StatusCode::UNPROCESSABLE_ENTITY,
            page(
                "Sign in",
                &html! { h1 { "Sign in" } p { "That is no e-mail address. " a href="/sign-in" { "Try again" } } },
            ),
        )
            .into_response();
    };
    if let Err(problem) = pages.limit(|l| l.recipient(email.key().as_str())) {
        return failed(&request, problem);
    }
    match pages.app.send_sign_in_link(email).await {
        Ok(()) => page(
            "Check your mail",
            &html! { h1 { "Check your mail" } p { "If the address is right, a link is on its way. It works once and for 15 minutes." } },
        ),
        Err(e) => failed(&request, e.into()),
    }
}

async fn link() -> Response {
    page(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            p { "This link works once." }
            form method="post" { button { "Sign in" } }
        },
    )
}

async fn redeem(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    axum::Extension(ClientAddress(address)): axum::Extension<ClientAddress>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let redeemed = pages.app.redeem_sign_in(&token).await;
    // Guessing links is slowed down like guessing keys.
    if matches!(redeemed, Ok(None))
        && let Err(problem) = pages.limit(|l| l.failure(address, "sign-in"))
    {
        return failed(&request, problem);
    }
    match redeemed {
        Ok(Some(signed_in)) => signed_in_page(&headers, &signed_in, &html! {}),
        Ok(None) if wants_json(&headers) => failed(
            &request,
            Problem::new("not-found", "This link is unknown, was used or is too old. Ask for a new one at /sign-in."),
        ),
        Ok(None) => {
            let body = html! { h1 { "This link does not work" } p { "It is unknown, was used or is too old. " a href="/sign-in" { "Ask for a new one" } } };
            (StatusCode::NOT_FOUND, page("This link does not work", &body)).into_response()
        }
        Err(e) => failed(&request, e.into()),
    }
}

/// Shows the bearer token, this once.
fn signed_in_page(headers: &HeaderMap, signed_in: &SignedIn, more: &Markup) -> Response {
    let until = signed_in.session.expires_at.format(&Rfc3339).unwrap_or_default();
    let token = signed_in.token.expose_secret();
    if wants_json(headers) {
        let body = json!({"token": token, "tokenType": "Bearer", "expiresAt": until});
        return ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response();
    }
    page(
        "You are signed in",
        &html! {
            h1 { "You are signed in" }
            (more)
            p { "Your bearer token, until " time datetime=(until) { (until) } ". It is shown this once:" }
            p { textarea rows="3" cols="80" readonly aria-label="Bearer token" { (token) } }
            p { "Use it with curl: " code { "curl -H \"Authorization: Bearer $TOKEN\" …/workspace" } }
        },
    )
}

async fn invitation(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    Path(token): Path<String>,
) -> Response {
    let gone = |why: &str| {
        (StatusCode::NOT_FOUND, page("Invitation", &html! { h1 { "This invitation does not work" } p { (why) " Ask the person who invited you for a new one." } })).into_response()
    };
    let found = match pages.app.look_at_invitation(&token).await {
        Ok(found) => found,
        Err(e) => return failed(&request, e.into()),
    };
    let Some(found) = found else { return gone("It is unknown, was used or was revoked.") };
    match found.state {
        InvitationState::Pending => page("Invitation", &html! {
            h1 { "Join " bdi { (found.workspace) } }
            p { @if let Some(inviter) = &found.inviter { bdi { (inviter) } } @else { "Somebody" } " invites you as " strong { (found.role) } "." }
            @if pages.links {
                form method="post" { button { "Join" } }
            } @else {
                p { "Sign in with the invited address, then call " code { "POST /api/invitations/{token}/accept" } " with your bearer token." }
            }
        }),
        InvitationState::Expired => (StatusCode::GONE, page("Invitation", &html! { h1 { "This invitation has expired" } p { "Invitations work for 7 days. Ask the person who invited you for a new one." } })).into_response(),
        InvitationState::Accepted | InvitationState::Revoked => gone("It was used or revoked."),
    }
}

async fn join(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    if !pages.links {
        return failed(&request, Problem::unauthenticated());
    }
    match pages.app.join_by_link(&token, request.clone()).await {
        Ok(Some((joined, signed_in))) => {
            let more = html! { p { "You joined " strong { (joined.slug.as_str()) } " as " strong { (joined.member.role) } "." } };
            signed_in_page(&headers, &signed_in, &more)
        }
        Ok(None) => failed(&request, Problem::new("not-found", "This invitation is unknown, was used or was revoked.")),
        Err(Failure::Refused(Refused::Rule(e))) if !wants_json(&headers) => {
            let status = if e.code() == "invitation-expired" { StatusCode::GONE } else { StatusCode::CONFLICT };
            (status, page("Invitation", &html! { h1 { "You can't join" } p { (e.to_string()) } })).into_response()
        }
        Err(e) => failed(&request, e.into()),
    }
}

fn shown(mail: &StoredMail) -> serde_json::Value {
    json!({
        "id": mail.id.to_string(),
        "to": mail.to.as_str(),
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "link": mail.link,
        "sentAt": mail.sent_at.format(&Rfc3339).unwrap_or_default(),
    })
}

/// The local mailbox. Whoever is not on this machine gets the answer of a path that is not there.
async fn mailbox(
    State(pages): State<Pages>,
    axum::Extension(RequestId(request)): axum::Extension<RequestId>,
    axum::Extension(ClientAddress(address)): axum::Extension<ClientAddress>,
    headers: HeaderMap,
) -> Response {
    let Some(mailbox) = pages.mailbox.filter(|_| address.to_canonical().is_loopback()) else {
        return failed(&request, Problem::plain("not-found"));
    };
    let mails = match mailbox.list().await {
        Ok(mails) => mails,
        Err(error) => {
            tracing::error!(%error, "the mailbox could not be read");
            return failed(&request, Problem::unavailable());
        }
    };
    if wants_json(&headers) {
        return (
            [(header::CACHE_CONTROL, "no-store")],
            Json(json!({"items": mails.iter().map(shown).collect::<Vec<_>>()})),
        )
            .into_response();
    }
    page(
        "Mailbox",
        &html! {
            h1 { "Mailbox" }
            p { "Mail that this service would have sent. Shown on this machine only." }
            @if mails.is_empty() { p { "No mail yet." } }
            @for mail in &mails {
                article {
                    h2 { (mail.subject) }
                    p { "To " code { (mail.to.as_str()) } }
                    pre { (mail.text) }
                    @if let Some(link) = &mail.link { p { a href=(link) { "Open the link" } } }
                }
            }
        },
    )
}
