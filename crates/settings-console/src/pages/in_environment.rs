//! What variables and secrets share: each of them lives in an environment.
use crate::{
    cx::Cx,
    form::Faults,
    respond,
    stop::Stop,
    ui::{Icon, Tab, field, icon, tabs},
};
use maud::{Markup, html};
use settings_domain::{
    environments::{Environment, Tier},
    ids::EnvironmentId,
    policy::actions,
};

/// All environments: production first, then by age.
pub(super) async fn all(cx: &Cx) -> Result<Vec<Environment>, Stop> {
    let mut all = cx.snapshot::<actions::ListEnvironments>().await?.environments().await?;
    all.sort_by_key(|e| (e.tier != Tier::Production, e.created_at, e.id));
    Ok(all)
}

/// The one that the address names. One that is gone narrows nothing down.
pub(super) fn asked<'a>(cx: &Cx, all: &'a [Environment]) -> Option<&'a Environment> {
    all.iter().find(|e| e.name.as_str() == cx.query("env"))
}

/// The one of this id.
pub(super) fn of(all: &[Environment], id: EnvironmentId) -> Option<&Environment> {
    all.iter().find(|e| e.id == id)
}

/// The list of a section, narrowed to an environment.
pub(super) fn list_of(section: &str, environment: Option<&Environment>) -> String {
    format!("{section}{}", respond::query(&[("env", environment.map_or("", |e| e.name.as_str()))]))
}

/// A tab for all environments and for each; `more` follows.
pub(super) fn environment_tabs<'a>(
    cx: &Cx,
    section: &str,
    all: &'a [Environment],
    current: Option<&Environment>,
    more: Option<Tab<'a>>,
) -> Markup {
    let elsewhere = more.as_ref().is_some_and(|t| t.current);
    let one = |e: &'a Environment| Tab {
        label: e.name.as_str(),
        href: cx.url(&list_of(section, Some(e))),
        current: current.is_some_and(|c| c.id == e.id),
        locked: e.is_protected(),
    };
    let first = Tab { label: "All", href: cx.url(section), current: current.is_none() && !elsewhere, locked: false };
    let list: Vec<Tab<'_>> = std::iter::once(first).chain(all.iter().map(one)).chain(more).collect();
    tabs("Environments", &list)
}

/// An environment in the colour of its kind.
pub(super) fn environment_badge(e: Option<&Environment>) -> Markup {
    html! {
        @match e {
            Some(e) => span.badge.{"tier-" (e.tier.name())} { @if e.is_protected() { (icon(Icon::Lock)) } (e.name.as_str()) },
            None => span.badge { "gone" },
        }
    }
}

/// Environments to choose from.
pub(super) fn environment_field(all: &[Environment], chosen: &str, faults: &Faults) -> Markup {
    field(
        "environment",
        "Environment",
        Some(&html! { "For good: it can’t be moved to another one." }),
        faults,
        |described, invalid| {
            html! {
                select id="environment" name="environment" required aria-describedby=[described] aria-invalid=[invalid] {
                    @for e in all { option value=(e.id) selected[e.id.to_string() == chosen] { (e.name.as_str()) } }
                }
            }
        },
    )
}

/// The environment that a form names, or why there is none.
pub(super) fn chosen(cx: &Cx, all: &[Environment], faults: &mut Faults) -> Option<EnvironmentId> {
    let found = all.iter().find(|e| e.id.to_string() == cx.field("environment")).map(|e| e.id);
    if found.is_none() {
        faults.field("environment", "Choose an environment.");
    }
    found
}

/// What a new thing's form begins with: the environment of the list one came from; else one where nothing breaks.
pub(super) fn preselected(cx: &Cx, all: &[Environment]) -> String {
    let quiet = all.iter().find(|e| !e.is_protected());
    asked(cx, all).or(quiet).or(all.first()).map(|e| e.id.to_string()).unwrap_or_default()
}
