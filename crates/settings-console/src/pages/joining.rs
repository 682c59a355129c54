//! The page behind an invitation's link. Looking changes nothing: mail scanners open links.
use super::sign_in::{enter, read, replace, stopped};
use crate::{
    respond::{html as answer, see_other},
    security::Sender,
    site::Site,
    ui::{Icon, bare, called, icon, role_about, role_name},
    visit::Visit,
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use maud::{Markup, html};
use settings_api::problem::Problem;
use settings_app::{failure::Failure, invitations::LookedAt};
use settings_domain::{
    audit::Receipts,
    error::Refused,
    impact::Guard,
    invitations::{AcceptError, InvitationState},
    members::User,
    text::Email,
    transaction::Call,
};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/invitations/{token}", get(show).post(join)).route("/invitations/{token}/ask", post(ask))
}

fn page(visit: &Visit, status: StatusCode, shape: Icon, title: &str, body: &Markup) -> Response {
    let body = html! {
        div.alone-mark aria-hidden="true" { (icon(shape)) }
        div.card.alone-card { h1 { (title) } (body) }
    };
    answer(status, bare(visit.theme, visit.site.base(), "Invitation", &body))
}

/// What a link says that no longer leads anywhere.
const OVER: &str = "This invitation does not work";

fn gone(visit: &Visit, status: StatusCode, title: &str, why: &str) -> Response {
    page(
        visit,
        status,
        Icon::Mail,
        title,
        &html! {
            p { (why) " Ask the person who invited you for a new one." }
            a.btn.block href=(visit.site.at("/")) { "Go to your workspaces" }
        },
    )
}

fn join_button() -> Markup {
    html! { form method="post" { button.btn.primary.block type="submit" autofocus data-busy="Joining…" { "Join" } } }
}

/// Where to sign in, and come back here.
fn login(visit: &Visit, afresh: bool) -> String {
    let here = visit.site.at(&format!("/invitations/{}", visit.param("token")));
    super::provider::login(visit, &here, afresh)
}

fn address(me: &User) -> &str {
    me.email.as_ref().map_or_else(|| called(me), Email::as_str)
}

fn offer(visit: &Visit, found: &LookedAt, me: Option<&User>) -> Response {
    let title = format!("Join {}", found.workspace);
    page(
        visit,
        StatusCode::OK,
        Icon::Users,
        &title,
        &html! {
            p {
                @if let Some(inviter) = &found.inviter { strong { bdi { (inviter) } } } @else { "Somebody" }
                " invites you as " strong { (role_name(found.role)) } "."
            }
            p.muted { (role_about(found.role)) }
            @if visit.site.links() {
                (join_button())
                @if let Some(me) = me {
                    p.sub { "You are signed in as " bdi { (address(me)) } ". Joining signs you in with the invited address instead." }
                } @else {
                    p.sub { "Joining signs you in with the invited address." }
                }
            } @else if let (Some(name), None) = (visit.site.provider(), me) {
                a.btn.primary.block href=(login(visit, false)) { "Sign in to join" }
                p.sub { "You sign in at " (name) ", with the address that the invitation was sent to." }
            } @else if let Some(me) = me {
                (join_button())
                p.sub { "You are signed in as " bdi { (address(me)) } ". " a href=(login(visit, true)) { "Sign in as somebody else" } }
            } @else {
                p { "Sign in with the invited address, then call " code { "POST /api/invitations/{token}/accept" } " with your bearer token." }
            }
        },
    )
}

async fn show(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    match visit.site.app().look_at_invitation(visit.param("token")).await {
        Err(e) => stopped(&visit, e.into()),
        Ok(None) => gone(&visit, StatusCode::NOT_FOUND, OVER, "It is unknown, was used or was revoked."),
        Ok(Some(found)) => match found.state {
            InvitationState::Pending if visit.site.provider().is_some() || visit.site.links() => {
                match visit.authenticate().await {
                    Ok(session) => offer(&visit, &found, session.and_then(|(_, auth)| auth.user).as_ref()),
                    Err(e) => stopped(&visit, e.into()),
                }
            }
            InvitationState::Pending => offer(&visit, &found, None),
            InvitationState::Expired => expired(&visit),
            InvitationState::Accepted | InvitationState::Revoked => {
                gone(&visit, StatusCode::NOT_FOUND, OVER, "It was used or revoked.")
            }
        },
    }
}

/// The link is over: one click asks for another.
fn expired(visit: &Visit) -> Response {
    let ask = visit.site.at(&format!("/invitations/{}/ask", visit.param("token")));
    page(
        visit,
        StatusCode::GONE,
        Icon::Mail,
        "This invitation has expired",
        &html! {
            p { "Invitations work for 7 days. The admins of the workspace can send you a new one." }
            form method="post" action=(ask) {
                button.btn.primary.block type="submit" data-busy="Asking…" { "Ask for a new one" }
            }
            a.btn.block href=(visit.site.at("/")) { "Go to your workspaces" }
        },
    )
}

/// Says the same whatever the link is, and whether or not anybody was told: who guesses links learns nothing here.
async fn ask(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if visit.sender != Sender::Own {
        return super::errors::foreign(visit.site.base());
    }
    let token = visit.param("token");
    if let Err(wait) = visit.site.limit(|limits| limits.address(visit.client).and_then(|()| limits.recipient(token))) {
        return stopped(&visit, wait.into());
    }
    match visit.site.app().ask_for_invitation(token).await {
        Err(e) => stopped(&visit, e.into()),
        Ok(()) => page(
            &visit,
            StatusCode::OK,
            Icon::Mail,
            "Thank you for asking",
            &html! {
                p { "If this link was an invitation that has expired, the admins of its workspace have been told. Look for a new mail in the next days." }
                a.btn.block href=(visit.site.at("/")) { "Go to your workspaces" }
            },
        ),
    }
}

async fn join(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if !visit.site.links() && (visit.json || visit.site.provider().is_none()) {
        return Problem::unauthenticated().respond(&visit.request);
    }
    if !visit.json && visit.sender != Sender::Own {
        return super::errors::foreign(visit.site.base());
    }
    if !visit.site.links() {
        return join_signed_in(&visit).await;
    }
    match visit.site.app().join_by_link(visit.param("token"), visit.request.clone()).await {
        Ok(Some((joined, signed_in))) => {
            if let Err(e) = replace(&visit).await {
                return stopped(&visit, e.into());
            }
            enter(&visit, &signed_in, &visit.site.at(&format!("/{}/settings/workspace", joined.slug.as_str())))
        }
        Ok(None) if visit.json => {
            Problem::new("not-found", "This invitation is unknown, was used or was revoked.").respond(&visit.request)
        }
        Ok(None) => gone(
            &visit,
            StatusCode::NOT_FOUND,
            "This invitation does not work",
            "It is unknown, was used or was revoked.",
        ),
        Err(e) if visit.json => Problem::from(e).respond(&visit.request),
        Err(e) => refused(&visit, e),
    }
}

/// Joins as whoever is signed in.
async fn join_signed_in(visit: &Visit) -> Response {
    let caller = match visit.authenticate().await {
        Ok(Some((_, auth))) => auth.caller,
        Ok(None) => return see_other(&login(visit, false)),
        Err(e) => return stopped(visit, e.into()),
    };
    let call = Call {
        caller,
        request: visit.request.clone(),
        idempotent: None,
        guard: Guard::default(),
        receipts: Receipts::default(),
    };
    match visit.site.app().accept_invitation(&call, visit.param("token")).await {
        Ok(joined) => see_other(&visit.site.at(&format!("/{}/settings/workspace", joined.value().slug.as_str()))),
        Err(e) => refused(visit, e),
    }
}

/// Why somebody did not join.
fn refused(visit: &Visit, failure: Failure<AcceptError>) -> Response {
    let (status, title) = match &failure {
        Failure::Refused(Refused::Rule(AcceptError::Expired)) => return expired(visit),
        Failure::Refused(Refused::Rule(AcceptError::NotFound)) => (StatusCode::NOT_FOUND, OVER),
        Failure::Refused(Refused::Rule(AcceptError::EmailMismatch)) => {
            (StatusCode::FORBIDDEN, "You are signed in as somebody else")
        }
        Failure::Refused(Refused::Rule(AcceptError::EmailNotVerified)) => {
            (StatusCode::FORBIDDEN, "Your e-mail address is not verified")
        }
        _ => (StatusCode::CONFLICT, "You can’t join"),
    };
    match failure {
        Failure::Refused(Refused::Rule(e)) => page(
            visit,
            status,
            Icon::Mail,
            title,
            &html! {
                p { (e) }
                @if visit.site.provider().is_some() && status == StatusCode::FORBIDDEN {
                    a.btn.primary.block href=(login(visit, true)) { "Sign in as somebody else" }
                }
                a.btn.block href=(visit.site.at("/")) { "Go to your workspaces" }
            },
        ),
        Failure::Entry(e) => stopped(visit, e.into()),
        Failure::Store(e) => stopped(visit, e.into()),
        Failure::KeyReused | Failure::Refused(_) => stopped(visit, crate::stop::Stop::Internal),
    }
}
