//! Where this person is signed in.
use crate::{
    cx::{self, Cx},
    site::Site,
    stop::{Answer, Stop},
    ui::{Dialog, Icon, Page, ago, count, dialog, foot, icon, layout, when},
};
use axum::Router;
use maud::html;
use secrecy::ExposeSecret as _;
use settings_domain::ids::SessionId;
use std::sync::Arc;

pub(crate) fn routes(router: Router<Arc<Site>>, _: &Site) -> Router<Arc<Site>> {
    router
        .route("/{slug}/settings/sessions", cx::page(list))
        .route("/{slug}/settings/sessions/others/end", cx::page(ask_others).merge(cx::form(end_others)))
        .route("/{slug}/settings/sessions/{id}/end", cx::form(end))
}

async fn list(cx: Arc<Cx>) -> Answer {
    let sessions = cx.site().app().sessions_of(cx.me.id).await?;
    let others = sessions.iter().filter(|s| s.id != cx.session).count();
    let body = html! {
        section.card aria-labelledby="h-sessions" {
            div.card-head { h2 id="h-sessions" { "Open sessions " span.count { (sessions.len()) } } }
            table.list role="table" {
                caption.vh { "Your open sessions" }
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Session" }
                    th role="columnheader" scope="col" { "Ends unless used" }
                    th.end role="columnheader" scope="col" { span.vh { "Actions" } }
                } }
                tbody role="rowgroup" {
                    @for s in &sessions {
                        @let id = s.id.to_string();
                        tr role="row" {
                            td.who role="cell" {
                                span.avatar.pending aria-hidden="true" { (icon(Icon::Screen)) }
                                div {
                                    div.name { "Signed in " (when(s.created_at, Some(ago(s.created_at, cx.at)))) @if s.id == cx.session { span.badge.you { "This one" } } }
                                    code.sub { (id.get(id.len().saturating_sub(12)..).unwrap_or_default()) }
                                }
                            }
                            td.c-joined.muted role="cell" { span.cell-key { "Ends unless used " } (when(s.expires_at, Some(ago(s.expires_at, cx.at)))) }
                            td.end.c-act role="cell" {
                                @if s.id != cx.session {
                                    div.row-act { form method="post" action=(cx.url(&format!("sessions/{id}/end"))) {
                                        button.btn.small.quiet-danger type="submit" data-busy="Ending…" { "End" span.vh { " the session of " (when(s.created_at, None)) } }
                                    } }
                                }
                            }
                        }
                    }
                }
            }
            div.card-foot { (icon(Icon::Info)) p { "A session ends after 2 hours without use, and after 12 hours in any case. The API’s bearer tokens of this service are sessions, too." } }
        }
    };
    let action = (others > 0).then(|| {
        html! { a.btn href=(cx.url("sessions/others/end")) data-dialog { (icon(Icon::Out)) "End all others" } }
    });
    Cx::ok(layout(
        &cx,
        Page { section: "sessions", title: "Sessions", lead: "Where you are signed in.", action, body, bare: false },
    ))
}

async fn ask_others(cx: Arc<Cx>) -> Answer {
    let body = html! {
        form method="post" action=(cx.url("sessions/others/end")) {
            div.dlg-body { p { "Every browser and every program that uses one of your other sessions has to sign in again. This one stays." } }
            (foot(&cx, "sessions", &html! { button.btn.danger type="submit" data-busy="Ending…" { "End other sessions" } }))
        }
    };
    Cx::ok(dialog(
        &cx,
        &Dialog {
            section: "sessions",
            title: "End all other sessions?",
            back: "sessions",
            back_label: "Sessions",
            wide: false,
            guard_copy: false,
            body,
        },
    ))
}

async fn end_others(cx: Arc<Cx>) -> Answer {
    let ended = cx.site().app().end_other_sessions(cx.me.id, cx.session).await?;
    cx.done("sessions", &format!("{} ended.", count(ended, "session", "sessions")))
}

async fn end(cx: Arc<Cx>) -> Answer {
    let id: SessionId = cx.id("id").ok_or(Stop::NotFound)?;
    if id == cx.session {
        // Ending one's own is signing out; the cookie goes with it there.
        if let Some(token) = cx.session_token() {
            cx.site().app().end_session(token.expose_secret()).await?;
        }
        return cx.done("sessions", "Signed out.");
    }
    if cx.site().app().end_session_of(cx.me.id, id).await? {
        cx.done("sessions", "Session ended.")
    } else {
        cx.done("sessions", "That session was over already.")
    }
}
