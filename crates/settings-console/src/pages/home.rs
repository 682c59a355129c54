//! Which workspace? And the short addresses that lead to one.
use super::{errors, sign_in::read};
use crate::{
    cx::{self, Cx, to_sign_in},
    respond::{html as answer, see_other, with_cookie},
    site::Site,
    stop::Answer,
    ui::{Icon, Theme, avatar, bare, called, icon, role_badge},
    visit::{Cookie, Visit, own_path},
};
use axum::{
    Router,
    extract::{Path, Request, State},
    response::Response,
    routing::{any, get},
};
use http::{Method, StatusCode, header};
use maud::{Markup, html};
use settings_domain::{
    members::User,
    ports::{directory::OwnWorkspace, store::Page},
    text::Slug,
};
use std::sync::Arc;

/// How long a chosen theme is kept, in seconds.
const YEAR: i64 = 365 * 24 * 60 * 60;
/// Most workspaces to choose from on the page.
const MOST: i64 = 100;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/", get(choose))
        .route("/{slug}", any(short))
        .route("/{slug}/settings", get(settings))
        .route("/{slug}/settings/theme", cx::form(theme))
        .route("/{slug}/settings/{*rest}", cx::page(nothing))
}

/// A name alone: to a person the way to its settings, to anybody else a path that the API does not know.
async fn short(State(site): State<Arc<Site>>, Path(slug): Path<String>, request: Request) -> Response {
    let html = request.headers().get(header::ACCEPT).is_some_and(|a| a.to_str().is_ok_and(|a| a.contains("text/html")));
    match slug.parse::<Slug>() {
        Ok(slug) if html && !slug.is_reserved() && *request.method() == Method::GET => {
            see_other(&site.at(&format!("/{}/settings/workspace", slug.as_str())))
        }
        _ => settings_api::unknown(site.api(), request).await,
    }
}

async fn settings(State(site): State<Arc<Site>>, Path(slug): Path<String>) -> Response {
    match slug.parse::<Slug>() {
        Ok(slug) => see_other(&site.at(&format!("/{}/settings/workspace", slug.as_str()))),
        Err(_) => see_other(&site.at("/")),
    }
}

/// An address below a workspace's settings that leads nowhere.
async fn nothing(_: Arc<Cx>) -> Answer {
    Err(crate::stop::Stop::NotFound)
}

fn workspace_url(visit: &Visit, own: &OwnWorkspace) -> String {
    visit.site.at(&format!("/{}/settings/workspace", own.view.workspace.slug.as_str()))
}

fn list(visit: &Visit, own: &[OwnWorkspace]) -> Markup {
    html! {
        @if own.is_empty() {
            p { "You are not a member of any workspace yet. Ask an admin to invite the address you signed in with." }
        } @else {
            ul.choose {
                @for w in own {
                    @let workspace = &w.view.workspace;
                    li {
                        a href=(workspace_url(visit, w)) {
                            (avatar(workspace.name.as_str(), workspace.id.as_uuid()))
                            span.choose-name { strong { bdi { (workspace.name.as_str()) } } span.sub { (workspace.slug.as_str()) " · " (workspace.region.as_str()) } }
                            (role_badge(w.role))
                        }
                    }
                }
            }
        }
    }
}

async fn choose(State(site): State<Arc<Site>>, request: Request) -> Response {
    let visit = match read(site, request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let (_, auth) = match visit.authenticate().await {
        Ok(Some(found)) => found,
        Ok(None) => return to_sign_in_plain(&visit),
        Err(e) => return errors::bare(e.into(), &visit),
    };
    let Some(me) = auth.user else { return to_sign_in(&visit) };
    let own = match visit.site.app().ports().store.of(me.id, Page { after: None, limit: MOST }).await {
        Ok(own) => own,
        Err(e) => return errors::bare(e.into(), &visit),
    };
    if visit.fragment {
        return answer(
            StatusCode::OK,
            html! {
                div.dlg {
                    div.dlg-head {
                        h2 id="dlg-title" tabindex="-1" { "Switch workspace" }
                        a.btn.ghost.icon href=(visit.site.at("/")) data-close aria-label="Close" { (icon(Icon::Close)) }
                    }
                    div.dlg-body { (list(&visit, &own)) }
                }
            },
        );
    }
    // Where there is nothing to choose, nobody is asked.
    if let [only] = own.as_slice() {
        return see_other(&workspace_url(&visit, only));
    }
    answer(StatusCode::OK, page(&visit, &me, &own))
}

/// From the front door there is no way back worth keeping.
fn to_sign_in_plain(visit: &Visit) -> Response {
    see_other(&visit.site.at("/sign-in"))
}

fn page(visit: &Visit, me: &User, own: &[OwnWorkspace]) -> Markup {
    let title = if own.is_empty() { "No workspace yet" } else { "Choose a workspace" };
    bare(
        visit.theme,
        visit.site.base(),
        title,
        &html! {
            div.alone-mark aria-hidden="true" { (icon(Icon::Building)) }
            div.card.alone-card { h1 { (title) } (list(visit, own)) }
            div.alone-foot {
                span { "Signed in as " bdi { (called(me)) } }
                form method="post" action=(visit.site.at("/sign-out")) { button.btn.small type="submit" { "Sign out" } }
            }
        },
    )
}

/// Keeps the theme and goes back to where it was chosen.
async fn theme(cx: Arc<Cx>) -> Answer {
    let back = own_path(cx.field("back")).unwrap_or_else(|| cx.url("workspace"));
    let theme = Theme::parse(cx.field("theme"));
    Ok(with_cookie(see_other(&back), &Cookie::Theme.set(cx.site().https(), theme.name(), YEAR)))
}
