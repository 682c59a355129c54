//! The small ones.
use super::{
    icons::{Icon, icon},
    role_name,
};
use crate::{cx::Cx, respond};
use maud::{Markup, html};
use settings_domain::{
    members::User,
    policy::{Role, Scope, ScopeSet},
};

/// What a banner is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Good to know.
    Info,
    /// Take care.
    Warn,
    /// Something is wrong.
    Danger,
    /// It worked.
    Ok,
}

/// A banner above what it speaks of.
pub(crate) fn banner(tone: Tone, body: &Markup) -> Markup {
    let (class, shape) = match tone {
        Tone::Info => ("info", Icon::Info),
        Tone::Warn => ("warn", Icon::Warn),
        Tone::Danger => ("danger", Icon::Warn),
        Tone::Ok => ("ok", Icon::Check),
    };
    html! { div.banner.(class) { (icon(shape)) div { (body) } } }
}

/// Initials on one of six hues, the same for the same id.
pub(crate) fn avatar(name: &str, id: uuid::Uuid) -> Markup {
    let words = name.split(|c: char| c.is_whitespace() || matches!(c, '.' | '@' | '-' | '_'));
    let initials: String = words.filter_map(|w| w.chars().find(|c| c.is_alphanumeric())).take(2).collect();
    let initials = if initials.is_empty() { "?".to_owned() } else { initials.to_uppercase() };
    let hue = id.as_bytes().iter().fold(0u8, |sum, b| sum.wrapping_add(*b)) % 6;
    html! { span.avatar.{"av" (hue)} aria-hidden="true" { (initials) } }
}

/// What a person is called: their name, else their address, else a word.
pub(crate) fn called(user: &User) -> &str {
    user.name
        .as_deref()
        .filter(|n| !n.trim().is_empty())
        .or(user.email.as_ref().map(settings_domain::text::Email::as_str))
        .unwrap_or("Somebody")
}

/// A person at the top of a dialog.
pub(crate) fn person(user: &User) -> Markup {
    html! {
        div.person {
            (avatar(called(user), user.id.as_uuid()))
            div {
                div.name { bdi { (called(user)) } }
                @if let Some(email) = &user.email { @if email.as_str() != called(user) { div.sub { (email.as_str()) } } }
            }
        }
    }
}

/// A role in its colour.
pub(crate) fn role_badge(role: Role) -> Markup {
    html! { span.badge.{"role-" (role.name())} { (role_name(role)) } }
}

/// Scopes of a key; beyond the first `most` only their number, with the names behind it.
pub(crate) fn scope_badges(scopes: ScopeSet, most: usize) -> Markup {
    let all: Vec<Scope> = scopes.iter().collect();
    let rest: Vec<&str> = all.iter().skip(most).map(|s| s.name()).collect();
    html! {
        div.scopes {
            @for scope in all.iter().take(most) { code.scope.risk[*scope == Scope::SecretsRead] { (scope.name()) } }
            @if !rest.is_empty() {
                span.more title=(rest.join(", ")) { "+" (rest.len()) " more" span.vh { ": " (rest.join(", ")) } }
            }
        }
    }
}

/// How full something is. Widths are SVG attributes: the content policy forbids style attributes.
pub(crate) fn gauge(value: i64, max: i64, label: &str) -> Markup {
    let percent = (value.max(0) * 100 / max.max(1)).min(100);
    html! {
        div.gauge.full[percent >= 100] role="meter" aria-label=(label) aria-valuemin="0" aria-valuemax=(max)
            aria-valuenow=(value) aria-valuetext={ (value) " of " (max) } {
            svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                rect width=(percent) height="1" {}
            }
        }
    }
}

/// Nothing here yet: what it is, and the one thing to do.
pub(crate) fn empty(shape: Icon, title: &str, text: &str, action: Option<Markup>) -> Markup {
    html! {
        div.card.empty {
            span.empty-art aria-hidden="true" { (icon(shape)) }
            h2 { (title) }
            p { (text) }
            @if let Some(action) = action { (action) }
        }
    }
}

/// A filter found nothing.
pub(crate) fn zero(title: &str, text: &str, clear: &str) -> Markup {
    html! { div.empty.small { h3 { (title) } p { (text) } a.btn href=(clear) { "Clear filters" } } }
}

/// To the first and the next page of a list, where there are more than one.
pub(crate) fn pager(
    label: &str,
    page: &str,
    filters: &[(&str, &str)],
    param: &str,
    here: &str,
    next: Option<&str>,
) -> Markup {
    let with = |cursor: &str| {
        let mut parts = filters.to_vec();
        parts.push((param, cursor));
        format!("{page}{}", respond::query(&parts))
    };
    html! {
        @if !here.is_empty() || next.is_some() {
            nav.pager aria-label=(label) {
                @if !here.is_empty() { a.btn.small href=(with("")) { "First page" } }
                @if let Some(next) = next { a.btn.small href=(with(next)) rel="next" { "Next page" } }
            }
        }
    }
}

/// Whom to ask. Names only where the policy lets this person read members.
pub(crate) fn ask_admins(cx: &Cx, admins: &[User]) -> Markup {
    html! {
        @if admins.is_empty() { "Ask an admin of " bdi { (cx.view.workspace.name.as_str()) } "." } @else {
            strong {
                "Admins: "
                @for (i, admin) in admins.iter().enumerate() { @if i > 0 { ", " } bdi { (called(admin)) } }
                "."
            }
        }
    }
}

/// A value to read and copy.
pub(crate) fn copy_value(id: &str, value: &str) -> Markup {
    html! {
        div.copy-row {
            input.mono id=(id) value=(value) readonly data-select;
            button.btn type="button" data-copy={ "#" (id) } hidden data-js-show { (icon(Icon::Copy)) span { "Copy" } }
        }
    }
}

/// A part of a page that has an address of its own.
pub(crate) struct Tab<'a> {
    pub(crate) label: &'a str,
    pub(crate) href: String,
    pub(crate) current: bool,
    /// Whether it is of what is protected.
    pub(crate) locked: bool,
}

/// Links to the parts of a page; they work like any other link.
pub(crate) fn tabs(label: &str, all: &[Tab<'_>]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            ul {
                @for tab in all {
                    li { a href=(tab.href) aria-current=[tab.current.then_some("page")] {
                        @if tab.locked { (icon(Icon::Lock)) }
                        (tab.label)
                    } }
                }
            }
        }
    }
}
