//! The shell around a page, and the bare one for who is in no workspace.
use super::{
    Theme,
    icons::{Icon, icon},
    parts::{avatar, called},
};
use crate::{
    assets,
    cx::Cx,
    pages::{NAV, listed},
};
use maud::{DOCTYPE, Markup, html};

/// A page inside the shell.
pub(crate) struct Page<'a> {
    /// Which entry of the navigation is the current one.
    pub(crate) section: &'static str,
    pub(crate) title: &'a str,
    /// One line about what it is for.
    pub(crate) lead: &'a str,
    /// The one thing to do here.
    pub(crate) action: Option<Markup>,
    pub(crate) body: Markup,
    /// The body brings its own heading.
    pub(crate) bare: bool,
}

fn head(base: &str, title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href="data:,";
            link rel="stylesheet" href={ (base) (*assets::STYLE) };
            script defer src={ (base) (*assets::SCRIPT) } {}
        }
    }
}

/// The shell.
pub(crate) fn layout(cx: &Cx, p: Page<'_>) -> Markup {
    let name = cx.view.workspace.name.as_str();
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(cx.theme.name()) {
            (head(cx.site().base(), &format!("{} · {name} settings", p.title)))
            body {
                a.skip href="#main" { "Skip to content" }
                header.topbar {
                    button.btn.ghost type="button" popovertarget="nav" { (icon(Icon::Menu)) "Menu" }
                    span.topbar-title { bdi { (name) } }
                }
                div.shell {
                    (navigation(cx, p.section))
                    main id="main" tabindex="-1" {
                        div.wrap {
                            @if let Some(said) = &cx.flash {
                                div.banner.ok.flash tabindex="-1" data-focus { (icon(Icon::Check)) div { p { (said) } } }
                            }
                            @if !p.bare {
                                div.head {
                                    div { h1 { (p.title) } p.lead { (p.lead) } }
                                    @if let Some(action) = p.action { div.head-action { (action) } }
                                }
                            }
                            (p.body)
                        }
                    }
                }
                dialog.dialog id="dialog" aria-labelledby="dlg-title" {}
                div.vh id="live" role="status" {}
            }
        }
    }
}

fn navigation(cx: &Cx, section: &str) -> Markup {
    let workspace = &cx.view.workspace;
    let name = workspace.name.as_str();
    let mark: String =
        name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "·".to_owned(), |c| c.to_uppercase().collect());
    html! {
        nav.side id="nav" popover aria-label="Settings" {
            div.ws {
                a.ws-link href=(cx.site().at("/")) data-dialog {
                    span.ws-mark aria-hidden="true" { (mark) }
                    span.ws-name { strong { bdi { (name) } } span { (workspace.slug.as_str()) " · " (workspace.region.as_str()) } }
                    (icon(Icon::Switch))
                    span.vh { "Switch workspace" }
                }
                button.btn.ghost.icon.only-mobile type="button" popovertarget="nav" popovertargetaction="hide" aria-label="Close menu" { (icon(Icon::Close)) }
            }
            form.finder action=(cx.url("find")) method="get" role="search" aria-label="Settings" {
                label.vh for="find" { "Find a setting" }
                (icon(Icon::Search))
                input id="find" name="q" type="search" placeholder="Find a setting…" autocomplete="off" spellcheck="false" data-find aria-keyshortcuts="Control+K Meta+K";
                kbd aria-hidden="true" { "Ctrl K" }
            }
            div.nav-scroll {
                @for (group, sections) in NAV {
                    section data-nav-group {
                        h2 { (group) }
                        ul {
                            @for s in sections.iter().filter(|s| listed(cx, s)) {
                                @let locked = s.needs.is_some_and(|p| !cx.can(p));
                                li data-nav-item data-words=(s.words) {
                                    a.locked[locked] href=(cx.url(s.slug)) aria-current=[(s.slug == section).then_some("page")] {
                                        (icon(s.icon)) span { (s.label) }
                                        @if locked { span.lock { (icon(Icon::Lock)) span.vh { "(no access)" } } }
                                    }
                                }
                            }
                        }
                    }
                }
                p.nav-none hidden { "No setting matches." }
            }
            div.me {
                (avatar(called(&cx.me), cx.me.id.as_uuid()))
                div.me-name { strong { bdi { (called(&cx.me)) } } span { (cx.role()) } }
                form method="post" action=(cx.url("theme")) {
                    @let next = cx.theme.next();
                    input type="hidden" name="back" value=(cx.site().at(&cx.address));
                    button.btn.ghost.icon type="submit" name="theme" value=(next.name()) aria-label=(next.offer()) { (icon(Icon::Sun)) }
                }
                form method="post" action=(cx.site().at("/sign-out")) {
                    button.btn.ghost.icon type="submit" aria-label="Sign out" { (icon(Icon::Out)) }
                }
            }
        }
    }
}

/// A page in no workspace: signing in, joining, choosing.
pub(crate) fn bare(theme: Theme, base: &str, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.name()) {
            (head(base, &format!("{title} · Settings")))
            body {
                main.alone id="main" tabindex="-1" { (body) }
                dialog.dialog id="dialog" aria-labelledby="dlg-title" {}
                div.vh id="live" role="status" {}
            }
        }
    }
}
