//! The web console: server-rendered pages over the same use cases, snapshots and permits as the API.
//!
//! GET renders, POST changes and answers 303. Every dialog has an address of its own and is a page without script. What a
//! person may do is asked of the policy, never of a role. Signed in is who brings the session cookie, which the API does
//! not know; a form is accepted only from this origin (`security`).
//!
//! A section is a file under `pages/` with its routes and a row in [`pages::NAV`].
#![warn(missing_docs)]

mod assets;
mod cx;
mod form;
mod pages;
mod refusal;
mod respond;
mod security;
mod site;
mod stop;
mod ui;
mod visit;
mod write_only;

pub use site::{Console, SignIn};

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state, response::Response, routing::get};
use maud::Markup;
use site::Site;
use std::sync::Arc;

/// The largest form, in bytes: as much as a body of the API. A value of 64 KiB takes up to three times that in a form.
const MAX_FORM: usize = settings_api::input::MAX_BODY;

/// Every page of the console. Mount it beside the API, under the same edge: it wants the request's id and the client's
/// address in the extensions.
pub fn router(console: Console) -> Router {
    let site = Arc::new(Site::new(console));
    let mut router = Router::new().route("/static/{hash}/{name}", get(assets::serve));
    for routes in pages::ALL {
        router = routes(router, &site);
    }
    router
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(site.clone(), security::guard))
        .with_state(site)
}

/// A page in the console's looks for what only the program around it knows, such as the local mailbox.
#[must_use]
pub fn plain(title: &str, body: &Markup) -> Response {
    let mut response = respond::html(http::StatusCode::OK, ui::bare(ui::Theme::Auto, "", title, body));
    security::headers(response.headers_mut(), None);
    response
}
