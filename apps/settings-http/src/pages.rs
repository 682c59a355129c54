//! The local mailbox: what only this program knows. Every other page is the console's.
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, header};
use maud::html;
use serde_json::json;
use settings_api::{Api, ClientAddress, RequestId, limits::Wait, problem::Problem};
use settings_notify::{LocalMailbox, StoredMail};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;

/// What the page needs.
#[derive(Clone)]
pub(crate) struct Pages {
    /// Shown at /dev/mailbox, to loopback only.
    pub(crate) mailbox: Option<LocalMailbox>,
    /// Knows the rate limits.
    pub(crate) api: Arc<Api>,
}

pub(crate) fn router(pages: Pages) -> Router {
    if pages.mailbox.is_none() {
        return Router::new();
    }
    Router::new().route("/dev/mailbox", get(mailbox)).with_state(pages)
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|a| a.contains("application/json"))
}

fn failed(request: &str, problem: Problem) -> Response {
    problem.respond(request)
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
    if let Some(Err(Wait(seconds))) = pages.api.limits().map(|l| l.address(address)) {
        return failed(&request, Problem::rate_limited(seconds));
    }
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
    settings_console::plain(
        "Mailbox",
        &html! {
            h1 { "Mailbox" }
            p.muted { "Mail that this service would have sent. Shown on this machine only." }
            @if mails.is_empty() { p { "No mail yet." } }
            @for mail in &mails {
                article.card.mail {
                    h2 { (mail.subject) }
                    p.muted { "To " code { (mail.to.as_str()) } }
                    pre tabindex="0" aria-label={ "Text of " (mail.subject) } { (mail.text) }
                    @if let Some(link) = &mail.link { a.btn href=(link) { "Open the link" } }
                }
            }
        },
    )
}
