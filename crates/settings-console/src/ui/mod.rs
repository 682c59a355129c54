//! Components: functions with typed arguments that return escaped markup.
mod chart;
mod dialog;
mod events;
mod fields;
mod icons;
mod instant;
mod layout;
mod parts;
mod scopes;
mod uses;

pub(crate) use chart::bars;
pub(crate) use dialog::{Dialog, conflict, conflict_page, dialog, foot, impact_list};
pub(crate) use events::{channel_icon, channel_name, event_about, event_name};
pub(crate) use fields::{WriteOnly, field, form_faults, role_cards, text_input, write_only};
pub(crate) use icons::{Icon, icon};
pub(crate) use instant::{ago, day, moment, when};
pub(crate) use layout::{Page, bare, layout};
pub(crate) use parts::{
    Tab, Tone, ask_admins, avatar, banner, called, copy_value, empty, gauge, pager, person, role_badge, scope_badges,
    tabs, zero,
};
pub(crate) use scopes::scope_grid;
pub(crate) use uses::{used_by, uses_banner};

use settings_domain::policy::Role;

/// Light, dark or what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// What the system says.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
    /// What the button offers: each in turn, so that whoever chose one finds the way back to what the system says.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }
    /// The button's words for it.
    pub(crate) const fn offer(self) -> &'static str {
        match self {
            Self::Auto => "Use the system's theme",
            Self::Light => "Use light theme",
            Self::Dark => "Use dark theme",
        }
    }
    pub(crate) fn parse(text: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|t| t.name() == text).unwrap_or(Self::Auto)
    }
}

/// A role as people read it.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "Admin",
        Role::Editor => "Editor",
        Role::Viewer => "Viewer",
    }
}

/// What a role is for.
pub(crate) const fn role_about(role: Role) -> &'static str {
    match role {
        Role::Admin => "Everything in this workspace, members and API keys included.",
        Role::Editor => "Builds and runs workflows. Reads most settings, changes none of them.",
        Role::Viewer => "Reads workflows, runs and the workspace’s details. Changes nothing.",
    }
}

/// `1 key`, `2 keys`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
