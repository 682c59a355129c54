//! Signing in at an identity provider: out by a link, back with an answer.
//!
//! The links are plain ones: a form's redirects would be held by `form-action`. Coming back is a GET, as the protocol has
//! it. It counts in the browser that left, and once; a mail scanner or a prefetch has no part in it.
use super::{
    errors,
    sign_in::{enter, page, read, replace, stopped},
};
use crate::{
    respond::{query, see_other, with_cookie},
    site::Site,
    ui::{Icon, icon},
    visit::{Cookie, Visit, own_path},
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::html;
use secrecy::ExposeSecret as _;
use settings_app::provider::ArriveError;
use settings_domain::ports::sign_in::{ATTEMPT_LIFETIME, Answer, Hint, Hints, SignInError};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, site: &Site) -> Router<Arc<Site>> {
    if site.provider().is_none() {
        return router;
    }
    router.route("/auth/login", get(leave)).route("/auth/callback", get(come_back))
}

/// The address that leads to the provider and back to `back`.
pub(super) fn login(visit: &Visit, back: &str, afresh: bool) -> String {
    let afresh = if afresh { "login" } else { "" };
    visit.site.at(&format!("/auth/login{}", query(&[("return_to", back), ("prompt", afresh)])))
}

/// The sign-in page.
pub(super) fn offer(visit: &Visit, name: &str, back: &str) -> Response {
    page(
        visit,
        StatusCode::OK,
        "Sign in",
        &html! {
            div.card.alone-card {
                h1 { "Sign in" }
                p.muted { "You sign in at " bdi { (name) } ", and come back here." }
                a.btn.primary.block href=(login(visit, back, false)) { (icon(Icon::Key)) "Sign in" }
                p.sub { a href=(login(visit, back, true)) { "Sign in as somebody else" } }
            }
        },
    )
}

/// Sends a browser to the provider. Auth0 sends people here with an invitation of its own, too.
async fn leave(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let back = own_path(visit.query("return_to")).unwrap_or_else(|| visit.site.at("/"));
    let hint = |name: &str| visit.query(name).parse::<Hint>().ok();
    let hints = Hints {
        afresh: visit.query("prompt") == "login",
        login: hint("login_hint"),
        organization: hint("organization"),
        invitation: hint("invitation"),
    };
    match visit.site.app().depart(back, hints).await {
        Ok(departure) => {
            let kept = departure.kept.expose_secret();
            let cookie = Cookie::Attempt.set(visit.site.https(), kept, ATTEMPT_LIFETIME.whole_seconds());
            with_cookie(see_other(&departure.address), &cookie)
        }
        Err(error) => failed(&visit, &error),
    }
}

/// Lets in who comes back from the provider.
async fn come_back(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let said = |name: &str| Some(visit.query(name)).filter(|v| !v.is_empty()).map(str::to_owned);
    let answer = Answer {
        kept: visit.attempt().cloned(),
        state: said("state"),
        code: said("code").map(Into::into),
        error: said("error"),
        issuer: said("iss"),
    };
    let response = match visit.site.app().arrive(&answer).await {
        Ok(arrived) => match replace(&visit).await {
            Ok(()) => enter(&visit, &arrived.signed_in, &own_path(&arrived.back).unwrap_or_else(|| visit.site.at("/"))),
            Err(e) => stopped(&visit, e.into()),
        },
        Err(ArriveError::Store(e)) => errors::bare(e.into(), &visit),
        // Whoever sends a browser here with an answer of their own must not end what is under way.
        Err(ArriveError::SignIn(error @ SignInError::NotBegunHere)) => return failed(&visit, &error),
        Err(ArriveError::SignIn(error)) => failed(&visit, &error),
    };
    with_cookie(response, &Cookie::Attempt.set(visit.site.https(), "", 0))
}

/// Why nobody was signed in, and a way on.
fn failed(visit: &Visit, error: &SignInError) -> Response {
    let name = visit.site.provider().unwrap_or_default();
    let (status, title, text) = match error {
        SignInError::NotBegunHere => (
            StatusCode::BAD_REQUEST,
            "You are not signed in",
            "This answer belongs to no sign-in that this browser has begun, or it was used already.".to_owned(),
        ),
        SignInError::TooLate => (
            StatusCode::BAD_REQUEST,
            "You are not signed in",
            format!("Signing in took longer than {} minutes.", ATTEMPT_LIFETIME.whole_minutes()),
        ),
        SignInError::Declined => {
            (StatusCode::BAD_REQUEST, "You are not signed in", format!("{name} did not let you in."))
        }
        SignInError::Invalid(_) => (
            StatusCode::BAD_REQUEST,
            "You are not signed in",
            format!("What {name} answered is not valid. If it happens again, tell the people who run this service."),
        ),
        SignInError::Misconfigured(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Nobody can sign in right now",
            format!("{name} and this service are not set up for each other. Tell the people who run this service."),
        ),
        SignInError::Unavailable(cause) => {
            tracing::warn!(%cause, "the identity provider is unavailable");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "Nobody can sign in right now",
                format!("{name} does not answer. Try again in a moment. Whoever is signed in stays so."),
            )
        }
    };
    page(
        visit,
        status,
        title,
        &html! {
            div.card.alone-card {
                h1 { (title) }
                p { (text) }
                a.btn.primary.block href=(visit.site.at("/sign-in")) { "Start again" }
                p.sub { "Request " code.mono { (visit.request) } }
            }
        },
    )
}

/// Signed out here; now there. A page of its own, because a form's redirect to another host would be held by
/// `form-action`. Where the provider has no page for it, to the sign-in page.
pub(super) async fn farewell(visit: &Visit, name: &str) -> Response {
    let Some(there) = visit.site.app().farewell().await else { return see_other(&visit.site.at("/sign-in")) };
    let mut response = page(
        visit,
        StatusCode::OK,
        "Signed out",
        &html! {
            div.card.alone-card {
                h1 { "You are signed out" }
                p { "You are still signed in at " bdi { (name) } ", and are taken there to sign out." }
                a.btn.primary.block href=(there) { "Sign out at " bdi { (name) } }
                a.btn.block href=(visit.site.at("/sign-in")) { "Stay signed in there" }
            }
        },
    );
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={there}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    response
}
