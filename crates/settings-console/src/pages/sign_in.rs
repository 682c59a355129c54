//! Signing in by an e-mailed link, and out; at a provider: `provider.rs`. GET shows, POST acts, because mail scanners open links.
//!
//! A program that asks for JSON gets its bearer token here instead of a cookie (README, the tour).
use super::errors;
use crate::{
    respond::{html as answer, see_other, with_cookie},
    security::Sender,
    site::Site,
    stop::Stop,
    ui::{Icon, bare, icon},
    visit::{Cookie, Visit, own_path},
};
use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::{StatusCode, header};
use maud::{Markup, html};
use secrecy::ExposeSecret as _;
use serde_json::json;
use settings_api::problem::Problem;
use settings_app::sign_in::SignedIn;
use settings_domain::{
    ports::{StoreError, accounts::SESSION_LIFETIME},
    text::Email,
};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;

/// How long the way back is kept while a mail is on its way, in seconds.
const RETURN_SECONDS: i64 = 15 * 60;

pub(crate) fn routes(router: Router<Arc<Site>>, site: &Site) -> Router<Arc<Site>> {
    let router = router.route("/sign-out", post(sign_out));
    if site.links() {
        router.route("/sign-in", get(show).post(send)).route("/sign-in/{token}", get(link).post(redeem))
    } else if site.provider().is_some() {
        router.route("/sign-in", get(show))
    } else {
        router.route("/sign-in", get(elsewhere))
    }
}

/// Reads a visit, or answers that it can't be read.
pub(super) async fn read(site: Arc<Site>, request: Request) -> Result<Visit, Response> {
    let base = site.base().to_owned();
    Visit::read(site, request).await.map_err(|why| errors::unreadable(why, &base))
}

/// A page with nothing but a card.
pub(super) fn page(visit: &Visit, status: StatusCode, title: &str, body: &Markup) -> Response {
    let body = html! {
        div.alone-mark aria-hidden="true" { (icon(Icon::Shield)) }
        (body)
        p.alone-foot {
            a href=(visit.site.at("/docs")) { "API reference" }
            @if visit.site.mailbox() { " · " a href=(visit.site.at("/dev/mailbox")) { "Local mailbox" } }
        }
    };
    answer(status, bare(visit.theme, visit.site.base(), title, &body))
}

fn form(visit: &Visit, typed: &str, back: &str, fault: Option<&str>) -> Response {
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page(
        visit,
        status,
        "Sign in",
        &html! {
            div.card.alone-card {
                h1 { "Sign in" }
                p.muted { "We e-mail you a link. There is no password." }
                form method="post" action=(visit.site.at("/sign-in")) novalidate[fault.is_some()] {
                    input type="hidden" name="return_to" value=(back);
                    div.field {
                        label for="email" { "Email address" }
                        input id="email" name="email" type="email" value=(typed) required autocomplete="email" autofocus
                            aria-invalid=[fault.map(|_| "true")] aria-describedby=[fault.map(|_| "email-error")];
                        @if let Some(fault) = fault { p.error id="email-error" { (icon(Icon::Warn)) span { (fault) } } }
                    }
                    button.btn.primary.block type="submit" data-busy="Sending…" { (icon(Icon::Send)) "Send me a link" }
                }
            }
        },
    )
}

async fn show(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let back = own_path(visit.query("return_to")).unwrap_or_default();
    match visit.authenticate().await {
        Ok(Some(_)) => see_other(&if back.is_empty() { visit.site.at("/") } else { back }),
        Ok(None) => match visit.site.provider() {
            Some(name) => super::provider::offer(&visit, name, &back),
            None => form(&visit, "", &back, None),
        },
        Err(e) => errors::bare(e.into(), &visit),
    }
}

/// Where the API takes an issuer's tokens and this service is no client of it that a browser could use.
async fn elsewhere(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    page(
        &visit,
        StatusCode::OK,
        "Sign in",
        &html! {
            div.card.alone-card {
                h1 { "Signing in happens elsewhere" }
                p { "People of this installation sign in with its identity provider. The API takes the provider’s tokens; links by e-mail are switched off." }
            }
        },
    )
}

/// One answer for known and unknown addresses.
async fn send(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let back = own_path(visit.field("return_to")).unwrap_or_default();
    let Ok(email) = visit.field("email").trim().parse::<Email>() else {
        return form(&visit, visit.field("email"), &back, Some("Enter an e-mail address such as ada@example.org."));
    };
    if let Err(wait) = visit.site.limit(|l| l.recipient(email.key().as_str())) {
        return errors::bare(wait.into(), &visit);
    }
    if let Err(e) = visit.site.app().send_sign_in_link(email).await {
        return errors::bare(e.into(), &visit);
    }
    let response = page(
        &visit,
        StatusCode::OK,
        "Check your mail",
        &html! {
            div.card.alone-card {
                h1 { "Check your mail" }
                p { "If the address is right, a link is on its way. It works once and for 15 minutes." }
                a.btn.block href=(visit.site.at("/sign-in")) { "Use another address" }
            }
        },
    );
    if back.is_empty() {
        return response;
    }
    with_cookie(response, &Cookie::Return.set(visit.site.https(), &back, RETURN_SECONDS))
}

async fn link(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    page(
        &visit,
        StatusCode::OK,
        "Sign in",
        &html! {
            div.card.alone-card {
                h1 { "Sign in" }
                p.muted { "This link works once, for you." }
                form method="post" {
                    button.btn.primary.block type="submit" autofocus data-busy="Signing in…" { "Sign in" }
                }
            }
        },
    )
}

async fn redeem(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    // A cookie is given to a browser only, and only where its own page asked: nobody is signed in by another site.
    if !visit.json && visit.sender != Sender::Own {
        return errors::foreign(visit.site.base());
    }
    let redeemed = visit.site.app().redeem_sign_in(visit.param("token")).await;
    // Guessing links is slowed down like guessing keys.
    if matches!(redeemed, Ok(None))
        && let Err(wait) = visit.site.limit(|l| l.failure(visit.client, "sign-in"))
    {
        return stopped(&visit, wait.into());
    }
    match redeemed {
        Ok(Some(signed_in)) => {
            if let Err(e) = replace(&visit).await {
                return stopped(&visit, e.into());
            }
            let back = visit.way_back();
            let response = enter(&visit, &signed_in, &back.clone().unwrap_or_else(|| visit.site.at("/")));
            match back {
                Some(_) => with_cookie(response, &Cookie::Return.set(visit.site.https(), "", 0)),
                None => response,
            }
        }
        Ok(None) if visit.json => {
            let text = "This link is unknown, was used or is too old. Ask for a new one at /sign-in.";
            Problem::new("not-found", text).respond(&visit.request)
        }
        Ok(None) => page(
            &visit,
            StatusCode::NOT_FOUND,
            "This link does not work",
            &html! {
                div.card.alone-card {
                    h1 { "This link does not work" }
                    p { "It is unknown, was used or is too old." }
                    a.btn.primary.block href=(visit.site.at("/sign-in")) { "Ask for a new one" }
                }
            },
        ),
        Err(e) => stopped(&visit, e.into()),
    }
}

/// A stop, in the language of who asks.
pub(super) fn stopped(visit: &Visit, stop: Stop) -> Response {
    if !visit.json {
        return errors::bare(stop, visit);
    }
    let problem = match stop {
        Stop::Wait(seconds) => Problem::rate_limited(seconds),
        Stop::Unavailable(_) => Problem::unavailable(),
        Stop::NotFound => Problem::plain("not-found"),
        _ => Problem::plain("internal"),
    };
    problem.respond(&visit.request)
}

/// Ends the session that this browser had before it got another.
pub(super) async fn replace(visit: &Visit) -> Result<(), StoreError> {
    match visit.session_token().filter(|_| !visit.json) {
        Some(before) => visit.site.app().end_session(before.expose_secret()).await,
        None => Ok(()),
    }
}

/// Hands a session over: to a browser as its cookie, to a program as its token, this once.
pub(super) fn enter(visit: &Visit, signed_in: &SignedIn, there: &str) -> Response {
    let token = signed_in.token.expose_secret();
    if visit.json {
        let until = signed_in.session.expires_at.format(&Rfc3339).unwrap_or_default();
        let body = json!({"token": token, "tokenType": "Bearer", "expiresAt": until}).to_string();
        return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let cookie = Cookie::Session.set(visit.site.https(), token, SESSION_LIFETIME.whole_seconds());
    with_cookie(see_other(there), &cookie)
}

/// Ends the session of the cookie, or of the bearer token: the answer to that is the same for every token.
async fn sign_out(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let app = visit.site.app();
    if let Some(token) = &visit.bearer {
        return match app.end_session(token.expose_secret()).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(e) => Problem::from(e).respond(&visit.request),
        };
    }
    if visit.sender != Sender::Own {
        return Problem::unauthenticated().respond(&visit.request);
    }
    if let Some(token) = visit.session_token()
        && let Err(e) = app.end_session(token.expose_secret()).await
    {
        return errors::bare(e.into(), &visit);
    }
    let response = match visit.site.provider() {
        Some(name) => super::provider::farewell(&visit, name).await,
        None => see_other(&visit.site.at("/sign-in")),
    };
    with_cookie(response, &Cookie::Session.set(visit.site.https(), "", 0))
}
