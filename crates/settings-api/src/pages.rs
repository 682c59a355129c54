//! Pages about the API itself: its reference and its problems. No script, no outside resource.
use crate::{
    openapi::addresses,
    operation::{Access, Operation},
    problem::{PROBLEMS, Problem},
};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use maud::{DOCTYPE, Markup, html};
use settings_domain::policy::{Requirement, Scope, holders};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}code{font-family:ui-monospace,monospace}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8884;vertical-align:top}h2{margin-top:2rem}";

/// A page of ours: strict content policy, nothing loaded from elsewhere.
#[must_use]
pub fn page(title: &str, body: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    let mut response = Html(markup.into_string()).into_response();
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// The reference.
pub(crate) fn docs(operations: &[Operation]) -> Response {
    let mut tags: Vec<_> = operations.iter().map(|o| o.tag).collect();
    tags.dedup();
    page(
        "Settings API",
        &html! {
            h1 { "Settings API" }
            p { "Machine-readable: " a href="/openapi.json" { "openapi.json" } ". Errors: " a href="/problems" { "all problems" } "." }
            p { "People send " code { "Authorization: Bearer …" } ", programs send " code { "x-api-key: …" } ". Roles: workspace admin, editor, viewer = organization admin, user, guest." }
            @for tag in tags {
                h2 { (tag) }
                table {
                    thead { tr { th { "Call" } th { "What" } th { "Needs" } } }
                    tbody {
                        @for operation in operations.iter().filter(|o| o.tag == tag) {
                            tr {
                                td { @for address in addresses(operation) { code { (operation.method.as_str()) " " (address) } br; } }
                                td { (operation.summary) }
                                td { (needs(operation)) }
                            }
                        }
                    }
                }
            }
        },
    )
}

fn needs(operation: &Operation) -> Markup {
    match operation.access {
        Access::Action(_, Requirement::Permission(p)) => {
            let (roles, scopes) = holders(p);
            let scopes: Vec<_> = scopes.into_iter().map(Scope::name).collect();
            html! { code { (p.name()) } br; (roles.join(", ")) @if !scopes.is_empty() { br; "scope " code { (scopes.join(", ")) } } }
        }
        Access::Action(_, requirement) => html! { (requirement.to_string()) },
        Access::Authenticated(_) => html! { "any account or key" },
        Access::AnyKey => html! { "any API key" },
    }
}

/// All problems.
pub(crate) fn problems() -> Response {
    page(
        "Problems",
        &html! {
            h1 { "Problems" }
            table {
                thead { tr { th { "Status" } th { "Problem" } th { "Meaning" } } }
                tbody { @for p in PROBLEMS { tr { td { (p.status) } td { a href={ "/problems/" (p.slug) } { code { (p.slug) } } } td { (p.help) } } } }
            }
        },
    )
}

/// One problem.
pub(crate) fn problem(slug: &str, request: &str) -> Response {
    match PROBLEMS.iter().find(|p| p.slug == slug) {
        Some(p) => page(
            p.title,
            &html! { h1 { (p.title) } p { code { (p.slug) } ", status " (p.status) } p { (p.help) } p { a href="/problems" { "All problems" } } },
        ),
        None => Problem::plain("not-found").respond(request),
    }
}
