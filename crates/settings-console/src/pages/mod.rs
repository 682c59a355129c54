//! The pages, one file per section, and the navigation that they share.
mod api_keys;
mod audit_digest;
mod audit_log;
mod audit_proof;
mod billing;
mod connections;
mod deliveries;
mod environments;
mod erasure;
pub(crate) mod errors;
mod find;
mod general;
mod home;
mod in_environment;
mod invitations;
mod joining;
mod leaving;
mod members;
mod models;
mod notifications;
mod provider;
mod read_only;
mod roles;
mod secrets;
mod sessions;
mod sign_in;
mod variables;
mod webhook_subscriptions;

use crate::{cx::Cx, site::Site, ui::Icon};
use axum::Router;
use settings_domain::policy::{Permission, Role};
use std::sync::Arc;

/// Adds a section's routes.
type Routes = fn(Router<Arc<Site>>, &Site) -> Router<Arc<Site>>;

/// Every section's routes.
pub(crate) const ALL: &[Routes] = &[
    sign_in::routes,
    provider::routes,
    joining::routes,
    home::routes,
    general::routes,
    environments::routes,
    members::routes,
    leaving::routes,
    erasure::routes,
    invitations::routes,
    roles::routes,
    api_keys::routes,
    variables::routes,
    secrets::routes,
    connections::routes,
    models::routes,
    notifications::routes,
    webhook_subscriptions::routes,
    deliveries::routes,
    audit_digest::routes,
    audit_log::routes,
    audit_proof::routes,
    billing::routes,
    sessions::routes,
    find::routes,
];

/// An entry of the navigation.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its address below the workspace's settings.
    pub(crate) slug: &'static str,
    pub(crate) label: &'static str,
    pub(crate) icon: Icon,
    /// What it takes to read it; `None` for what is everybody's own.
    pub(crate) needs: Option<Permission>,
    /// What it is also looked for by.
    pub(crate) words: &'static str,
    /// One line about it, for the search.
    pub(crate) about: &'static str,
}

/// The navigation: group, then entries. What is here has a page.
pub(crate) const NAV: &[(&str, &[Section])] = &[
    (
        "Workspace",
        &[
            Section {
                slug: "workspace",
                label: "General",
                icon: Icon::Building,
                needs: Some(Permission::WorkspaceRead),
                words: "name slug region retention days seats limit compliance floor workspace organization",
                about: "Name, region, data retention and seats.",
            },
            Section {
                slug: "environments",
                label: "Environments",
                icon: Icon::Layers,
                needs: Some(Permission::EnvironmentsRead),
                words: "production staging development tier",
                about: "Production, and what is built and tried beside it.",
            },
            Section {
                slug: "members",
                label: "Members",
                icon: Icon::Users,
                needs: Some(Permission::MembersRead),
                words: "people users team invite invitations role remove seats",
                about: "People, their roles, and open invitations.",
            },
            Section {
                slug: "roles",
                label: "Roles and permissions",
                icon: Icon::Shield,
                needs: None,
                words: "admin editor viewer user guest rights access scopes matrix",
                about: "What each role and each API key scope allows.",
            },
            Section {
                slug: "billing",
                label: "Billing",
                icon: Icon::Card,
                needs: Some(Permission::BillingRead),
                words: "plan subscription stripe invoice payment price seats usage runs tokens chart portal",
                about: "Plan, seats and usage.",
            },
        ],
    ),
    (
        "Credentials",
        &[
            Section {
                slug: "api-keys",
                label: "API keys",
                icon: Icon::Key,
                needs: Some(Permission::ApiKeysRead),
                words: "token scopes x-api-key revoke credentials",
                about: "Keys for scripts and services.",
            },
            Section {
                slug: "variables",
                label: "Variables",
                icon: Icon::Braces,
                needs: Some(Permission::VariablesRead),
                words: "env dotenv import configuration values compare matrix",
                about: "Values that workflows get when they run.",
            },
            Section {
                slug: "secrets",
                label: "Secrets",
                icon: Icon::Lock,
                needs: Some(Permission::SecretsRead),
                words: "reveal rotate seal sealed vault password token value",
                about: "Kept encrypted, revealed only with a trace.",
            },
            Section {
                slug: "connections",
                label: "Connections",
                icon: Icon::Plug,
                needs: Some(Permission::ConnectionsRead),
                words: "slack oauth authorize channel integration app",
                about: "Slack, where notifications are posted.",
            },
        ],
    ),
    (
        "AI",
        &[
            Section {
                slug: "models",
                label: "Models",
                icon: Icon::Cpu,
                needs: Some(Permission::ModelsRead),
                words: "model integrations ai provider anthropic openai google azure bedrock llm token credential test",
                about: "AI providers that prompts and agents can use.",
            },
            Section {
                slug: "system-models",
                label: "System models",
                icon: Icon::Globe,
                needs: Some(Permission::SystemModelsUpdate),
                words: "platform ai provider visible hidden",
                about: "AI providers that the platform offers to every workspace.",
            },
        ],
    ),
    (
        "Monitoring",
        &[
            Section {
                slug: "notifications",
                label: "Notifications",
                icon: Icon::Bell,
                needs: Some(Permission::NotificationsRead),
                words: "events alerts email mail slack webhook channels recipients run failed approval deployed degraded rotated test",
                about: "Which events reach your team, and where.",
            },
            Section {
                slug: "webhooks",
                label: "Webhooks",
                icon: Icon::Webhook,
                needs: Some(Permission::NotificationsRead),
                words: "subscription url endpoint signing secret rotate callback",
                about: "Addresses of yours that events are sent to, signed.",
            },
            Section {
                slug: "deliveries",
                label: "Deliveries",
                icon: Icon::Send,
                needs: Some(Permission::NotificationsRead),
                words: "ledger attempts retry failed pending parked delivered sent",
                about: "What was sent, and what came of it.",
            },
            Section {
                slug: "audit-digest",
                label: "Audit digest",
                icon: Icon::Clock,
                needs: Some(Permission::AuditDigestRead),
                words: "mail email summary schedule daily weekly monthly recipients risk",
                about: "A summary of the audit log by e-mail.",
            },
            Section {
                slug: "audit-log",
                label: "Audit log",
                icon: Icon::Log,
                needs: Some(Permission::AuditRead),
                words: "events history chain verify risk who",
                about: "Who did what, when, provably.",
            },
        ],
    ),
    (
        "You",
        &[Section {
            slug: "sessions",
            label: "Sessions",
            icon: Icon::Screen,
            needs: None,
            words: "sign out devices signed in browser",
            about: "Where you are signed in.",
        }],
    ),
];

/// Whether a person sees an entry. What they may not open stays visible, with a lock, as long as an admin could let them;
/// what belongs to the platform's owners alone is nobody else's concern.
pub(crate) fn listed(cx: &Cx, section: &Section) -> bool {
    section.needs.is_none_or(|p| cx.can(p) || Role::ALL.iter().any(|r| r.permissions().contains(p)))
}

/// The entry of a section.
pub(crate) fn section(slug: &str) -> Option<&'static Section> {
    NAV.iter().flat_map(|(_, sections)| sections.iter()).find(|s| s.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_leads_somewhere_else() {
        let slugs: Vec<_> = NAV.iter().flat_map(|(_, s)| s.iter()).map(|s| s.slug).collect();
        assert_eq!(slugs.iter().collect::<BTreeSet<_>>().len(), slugs.len());
        assert!(slugs.iter().all(|s| section(s).is_some()) && section("nothing").is_none());
    }
}
