//! The page behind an invitation's link. Looking changes nothing: mail scanners open links.
use super::sign_in::{enter, read, stopped};
use crate::{
    respond::html as answer,
    security::Sender,
    site::Site,
    ui::{Icon, bare, icon, role_about, role_name},
    visit::Visit,
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use maud::{Markup, html};
use settings_api::problem::Problem;
use settings_app::{failure::Failure, invitations::LookedAt};
use settings_domain::{
    error::{Classified as _, Refused},
    invitations::InvitationState,
};
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router.route("/invitations/{token}", get(show).post(join))
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

fn offer(visit: &Visit, found: &LookedAt) -> Response {
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
                form method="post" { button.btn.primary.block type="submit" autofocus data-busy="Joining…" { "Join" } }
                p.sub { "Joining signs you in with the invited address." }
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
            InvitationState::Pending => offer(&visit, &found),
            InvitationState::Expired => {
                gone(&visit, StatusCode::GONE, "This invitation has expired", "Invitations work for 7 days.")
            }
            InvitationState::Accepted | InvitationState::Revoked => {
                gone(&visit, StatusCode::NOT_FOUND, OVER, "It was used or revoked.")
            }
        },
    }
}

async fn join(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if !visit.site.links() {
        return Problem::unauthenticated().respond(&visit.request);
    }
    if !visit.json && visit.sender != Sender::Own {
        return super::errors::foreign(visit.site.base());
    }
    match visit.site.app().join_by_link(visit.param("token"), visit.request.clone()).await {
        Ok(Some((joined, signed_in))) => {
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
        Err(Failure::Refused(Refused::Rule(e))) => {
            let status = if e.code() == "invitation-expired" { StatusCode::GONE } else { StatusCode::CONFLICT };
            page(
                &visit,
                status,
                Icon::Mail,
                "You can’t join",
                &html! {
                    p { (e) }
                    a.btn.block href=(visit.site.at("/")) { "Go to your workspaces" }
                },
            )
        }
        Err(Failure::Entry(e)) => stopped(&visit, e.into()),
        Err(Failure::Store(e)) => stopped(&visit, e.into()),
        Err(Failure::KeyReused | Failure::Refused(_)) => stopped(&visit, crate::stop::Stop::Internal),
    }
}
