//! Two vocabularies for one model. Translation happens here and nowhere else.
use settings_domain::policy::Role;
use std::{fmt, str::FromStr};

/// A role in seed B's words: admin, user, guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrganizationRole(pub(crate) Role);

/// The text is no role of seed B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoOrganizationRole;

impl fmt::Display for NoOrganizationRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be one of admin, user, guest")
    }
}

/// Seed B's name of a role.
pub(crate) const fn organization_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Editor => "user",
        Role::Viewer => "guest",
    }
}

impl FromStr for OrganizationRole {
    type Err = NoOrganizationRole;
    fn from_str(s: &str) -> Result<Self, NoOrganizationRole> {
        Role::ALL.into_iter().find(|r| organization_name(*r) == s).map(Self).ok_or(NoOrganizationRole)
    }
}

/// Which vocabulary an operation speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Seed A: workspace, editor, viewer.
    Workspace,
    /// Seed B: organization, user, guest.
    Organization,
}

impl Dialect {
    /// A role in this vocabulary.
    pub(crate) const fn role(self, role: Role) -> &'static str {
        match self {
            Self::Workspace => role.name(),
            Self::Organization => organization_name(role),
        }
    }
}
