//! What is shown when a page is not: why, and a way on.
use super::section;
use crate::{
    cx::Cx,
    respond::html as answer,
    stop::Stop,
    ui::{Icon, Page, Theme, ask_admins, avatar, bare as bare_page, called, icon, layout},
    visit::{Unreadable, Visit},
};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use settings_domain::{
    members::User,
    policy::{Denied, Permission, Role, actions, holders},
    ports::store::{MemberFilter, Page as Part},
};

struct Words {
    status: StatusCode,
    icon: Icon,
    title: &'static str,
    text: String,
}

fn words(stop: &Stop) -> Words {
    let (status, icon, title, text) = match stop {
        Stop::Denied(denied) => (StatusCode::FORBIDDEN, Icon::Lock, "You can’t open this", format!("Why: {denied}.")),
        Stop::NotFound => (
            StatusCode::NOT_FOUND,
            Icon::Compass,
            "There is nothing here",
            "It may have been removed, or the address is not quite right. What you may not see is not shown either."
                .to_owned(),
        ),
        Stop::Unavailable(false) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Icon::Cloud,
            "The service can’t answer right now",
            "Nothing was changed. Try again in a moment.".to_owned(),
        ),
        Stop::Unavailable(true) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Icon::Cloud,
            "The service lost touch with its database",
            "Your change may or may not have been made. Look at the list before you repeat it.".to_owned(),
        ),
        Stop::Wait(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            Icon::Warn,
            "Too many requests",
            format!(
                "Try again in {}.",
                crate::ui::count(usize::try_from(*seconds).unwrap_or(usize::MAX), "second", "seconds")
            ),
        ),
        Stop::Internal | Stop::Answer(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Icon::Warn,
            "Something went wrong on our side",
            "The request’s id finds it in the log.".to_owned(),
        ),
    };
    Words { status, icon, title, text }
}

fn with_wait(mut response: Response, stop: &Stop) -> Response {
    if let Stop::Wait(seconds) = stop {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

fn card(words: &Words, request: &str, more: &Markup) -> Markup {
    html! {
        div.card.empty {
            span.empty-art aria-hidden="true" { (icon(words.icon)) }
            h2 { (words.title) }
            p { (words.text) }
            (more)
            @if words.status.is_server_error() && !request.is_empty() { p.sub { "Request " code.mono { (request) } } }
        }
    }
}

/// Inside a workspace.
pub(crate) async fn inside(stop: Stop, cx: &Cx) -> Response {
    if let Stop::Answer(response) = stop {
        return *response;
    }
    if let Stop::Denied(denied) = &stop {
        return forbidden(denied, cx).await;
    }
    let words = words(&stop);
    let more = html! { a.btn href=(cx.url("workspace")) { "Go to General" } };
    let page = Page {
        section: "",
        title: "Settings",
        lead: "",
        action: None,
        body: html! { h1.vh { (words.title) } (card(&words, &cx.request, &more)) },
        bare: true,
    };
    with_wait(answer(words.status, layout(cx, page)), &stop)
}

/// Whom to ask; nobody where this person may not read members.
pub(crate) async fn admins(cx: &Cx) -> Vec<User> {
    if !cx.can(Permission::MembersRead) {
        return Vec::new();
    }
    let Ok(mut snapshot) = cx.snapshot::<actions::ListMembers>().await else { return Vec::new() };
    let filter = MemberFilter { text: None, role: Some(Role::Admin), former: false };
    let found = snapshot.members(&filter, Part { after: None, limit: 5 }).await.unwrap_or_default();
    found.into_iter().map(|v| v.user).collect()
}

/// The policy said no: what is missing, who has it, whom to ask.
async fn forbidden(denied: &Denied, cx: &Cx) -> Response {
    cx.site().app().denied(denied);
    let admins = admins(cx).await;
    let current = cx.address.split(['/', '?']).skip_while(|s| *s != "settings").nth(1).unwrap_or("");
    let title = section(current).map_or("Settings", |s| s.label);
    let holders = denied.permission().map(|p| holders(p).0).unwrap_or_default();
    // The platform's flag is no role that an admin could give.
    let roles: Vec<&str> =
        Role::ALL.into_iter().filter(|r| holders.contains(&r.name())).map(crate::ui::role_name).collect();
    let need = match roles.as_slice() {
        [] => "Your role does not allow this".to_owned(),
        [one] => format!("You need the {one} role"),
        [first @ .., last] => format!("You need the {} or {last} role", first.join(", ")),
    };
    let body = html! {
        div.card.empty {
            span.empty-art aria-hidden="true" { (icon(Icon::Lock)) }
            h2 { (need) }
            p {
                "You are here as " strong { (cx.role()) } ". "
                @match denied.permission() { Some(p) => { "This takes " code { (p.name()) } "." } None => { "Why: " (denied) "." } }
            }
            @if admins.is_empty() { p { (ask_admins(cx, &admins)) } } @else {
                p { "Ask an admin of this workspace:" }
                ul.people {
                    @for admin in &admins {
                        li {
                            (avatar(called(admin), admin.id.as_uuid()))
                            @if let Some(email) = &admin.email { a href={ "mailto:" (email.as_str()) } { (email.as_str()) } }
                            @else { bdi { (called(admin)) } }
                        }
                    }
                }
            }
            a.btn href=(cx.url("roles")) { "See what each role can do" }
        }
    };
    let lead = "Error 403: your role doesn’t allow this.";
    let page = Page { section: section(current).map_or("", |s| s.slug), title, lead, action: None, body, bare: false };
    answer(StatusCode::FORBIDDEN, layout(cx, page))
}

fn alone(theme: Theme, base: &str, words: &Words, request: &str) -> Response {
    let more = html! { a.btn href={ (base) "/" } { "Go to your workspaces" } };
    let body = html! { h1.vh { (words.title) } (card(words, request, &more)) };
    answer(words.status, bare_page(theme, base, words.title, &body))
}

/// Outside of any workspace.
pub(crate) fn bare(stop: Stop, visit: &Visit) -> Response {
    if let Stop::Answer(response) = stop {
        return *response;
    }
    with_wait(alone(visit.theme, visit.site.base(), &words(&stop), &visit.request), &stop)
}

/// A limit, before anything was read.
pub(crate) fn wait(theme: Theme, base: &str, seconds: u64) -> Response {
    let stop = Stop::Wait(seconds);
    with_wait(alone(theme, base, &words(&stop), ""), &stop)
}

/// A form of somebody else's page.
pub(crate) fn foreign(base: &str) -> Response {
    let words = Words {
        status: StatusCode::FORBIDDEN,
        icon: Icon::Lock,
        title: "This form came from another site",
        text: "Nothing was changed. Forms are accepted only from pages of this console.".to_owned(),
    };
    alone(Theme::Auto, base, &words, "")
}

/// It took too long to arrive.
pub(crate) fn slow(base: &str) -> Response {
    let words = Words {
        status: StatusCode::REQUEST_TIMEOUT,
        icon: Icon::Cloud,
        title: "That took too long",
        text: "The form did not arrive in time. Look whether it was saved, then try again.".to_owned(),
    };
    alone(Theme::Auto, base, &words, "")
}

/// It could not be read.
pub(crate) fn unreadable(why: Unreadable, base: &str) -> Response {
    let words = match why {
        Unreadable::TooLarge => Words {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            icon: Icon::Warn,
            title: "This form is too large",
            text: "Nothing was changed.".to_owned(),
        },
        Unreadable::Path => self::words(&Stop::NotFound),
    };
    alone(Theme::Auto, base, &words, "")
}
