//! What is said to use a thing: shown on the thing, and before it goes.
use super::{
    count,
    icons::{Icon, icon},
};
use maud::{Markup, html};
use settings_domain::references::Dependant;
use uuid::Uuid;

/// Most that are named; of the rest there is the number.
const NAMED: usize = 20;

fn names(dependants: &[&Dependant]) -> Markup {
    html! {
        ul.plain {
            @for d in dependants.iter().take(NAMED) { li { bdi { (d.name.as_str()) } " " span.muted { (d.key.kind.as_str()) } } }
        }
        @if dependants.len() > NAMED { p.sub { "And " (dependants.len() - NAMED) " more." } }
    }
}

/// How many use it, and behind that their names. Nothing where nobody said so.
pub(crate) fn used_by(id: Uuid, name: &str, dependants: &[&Dependant]) -> Markup {
    html! {
        @if !dependants.is_empty() {
            button.linkish type="button" popovertarget={ "uses-" (id) } {
                span.vh { (name) ": " } "Used by " (dependants.len())
            }
            div.menu.uses id={ "uses-" (id) } popover { p { strong { "Used by" } } (names(dependants)) }
        }
    }
}

/// The same in a dialog that changes or deletes it.
pub(crate) fn uses_banner(dependants: &[&Dependant], what_then: &str) -> Markup {
    html! {
        @if !dependants.is_empty() {
            div.banner.warn {
                (icon(Icon::Warn))
                div {
                    p { strong { "Used by " (count(dependants.len(), "thing", "things")) "." } " " (what_then) }
                    (names(dependants))
                }
            }
        }
    }
}
