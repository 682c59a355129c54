//! The permission matrix: the one table that every check, route, document and page is made from.
use std::{fmt, str::FromStr};

/// A member's role in one workspace. Seed B calls `Editor` "user" and `Viewer` "guest".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read-only access.
    Viewer,
    /// Creates and edits workflows, reads most settings.
    Editor,
    /// Full access to the workspace.
    Admin,
}

impl Role {
    /// All roles, highest first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Editor, Self::Viewer];
    /// Name in the domain, the database and seed A's dialect.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
    /// What this role may do.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::Admin => ADMIN,
            Self::Editor => EDITOR,
            Self::Viewer => VIEWER,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of admin, editor, viewer")]
pub struct ParseRoleError;

impl FromStr for Role {
    type Err = ParseRoleError;
    fn from_str(s: &str) -> Result<Self, ParseRoleError> {
        Self::ALL.into_iter().find(|r| r.name() == s).ok_or(ParseRoleError)
    }
}

/// A set of permissions: one word, so that a check is one bit test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u128);

impl PermissionSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// The set with one permission more.
    #[must_use]
    pub const fn with(self, p: Permission) -> Self {
        Self(self.0 | 1 << p as u8)
    }
    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether the permission is in the set.
    #[must_use]
    pub const fn contains(self, p: Permission) -> bool {
        self.0 & (1 << p as u8) != 0
    }
    /// Everything in the set, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.contains(*p))
    }
}

/// Which column of the matrix a cell names; used by the table below only.
mod column {
    pub(super) const SYSTEM: u8 = 1;
    pub(super) const ADMIN: u8 = 2;
    pub(super) const EDITOR: u8 = 4;
    pub(super) const VIEWER: u8 = 8;
    /// Everybody.
    pub(super) const SAEV: u8 = SYSTEM | ADMIN | EDITOR | VIEWER;
    /// All but viewers.
    pub(super) const SAE: u8 = SYSTEM | ADMIN | EDITOR;
    /// Platform owners and admins.
    pub(super) const SA: u8 = SYSTEM | ADMIN;
    /// Admins alone: nothing of a tenant's credentials is in the platform's reach.
    pub(super) const A: u8 = ADMIN;
    /// Platform owners alone.
    pub(super) const S: u8 = SYSTEM;
}

macro_rules! permissions {
    ($($name:ident = $wire:literal, $cols:ident, $does:literal;)*) => {
        /// Every permission, spelled `resource:action` on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Permission { $(#[doc = concat!("`", $wire, "`: ", $does, ".")] $name),* }
        impl Permission {
            /// All of them, in the order of the matrix.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// Name on the wire.
            #[must_use] pub const fn name(self) -> &'static str { match self { $(Self::$name => $wire),* } }
            /// What it allows, to complete "You do not have permission to …".
            #[must_use] pub const fn does(self) -> &'static str { match self { $(Self::$name => $does),* } }
            const fn columns(self) -> u8 { match self { $(Self::$name => column::$cols),* } }
        }
        /// Every permission as a type, for services that do things of their own: a function that takes a
        /// [`Permit<rights::RunsWrite>`](super::Permit) can't be called for somebody who may not. They have the permission's name.
        pub mod rights {
            use super::{
                super::{actions::{Action, sealed::Sealed}, evaluate::Requirement},
                Permission,
            };
            $(
                #[doc = concat!("The right to ", $does, ": `", $wire, "`.")]
                #[derive(Debug)]
                pub enum $name {}
                impl Sealed for $name {}
                impl Action for $name {
                    const NAME: &'static str = $wire;
                    const REQUIRES: Requirement = Requirement::Permission(Permission::$name);
                }
            )*
        }
    };
}

permissions! {
    WorkflowsRead = "workflows:read", SAEV, "read workflows";
    WorkflowsCreate = "workflows:create", SAE, "create workflows";
    WorkflowsUpdate = "workflows:update", SAE, "update workflows";
    WorkflowsDelete = "workflows:delete", SAE, "delete workflows";
    EntitiesRead = "entities:read", SAEV, "read entities";
    EntitiesCreate = "entities:create", SA, "create entities";
    EntitiesUpdate = "entities:update", SA, "update entities";
    EntitiesDelete = "entities:delete", SA, "delete entities";
    EnvironmentsRead = "environments:read", SAEV, "read environments";
    EnvironmentsCreate = "environments:create", SA, "create environments";
    EnvironmentsUpdate = "environments:update", SA, "update environments";
    EnvironmentsDelete = "environments:delete", SA, "delete environments";
    VariablesRead = "variables:read", SAEV, "read variables";
    VariablesCreate = "variables:create", SA, "create variables";
    VariablesUpdate = "variables:update", SA, "update variables";
    VariablesDelete = "variables:delete", SA, "delete variables";
    MembersRead = "members:read", SAE, "read members";
    MembersInvite = "members:invite", SA, "invite members";
    MembersRemove = "members:remove", SA, "remove members";
    MembersEditRole = "members:editRole", SA, "change the roles of members";
    MembersErase = "members:erase", SA, "erase the personal data of members";
    WorkspaceRead = "workspace:read", SAEV, "read the workspace";
    WorkspaceUpdate = "workspace:update", SA, "change the workspace";
    ApiKeysRead = "apiKeys:read", SA, "read API keys";
    ApiKeysCreate = "apiKeys:create", SA, "create API keys";
    ApiKeysRevoke = "apiKeys:revoke", SA, "revoke API keys";
    NotificationsRead = "notifications:read", SAE, "read notification settings";
    NotificationsUpdate = "notifications:update", SA, "change notification settings";
    AuditDigestRead = "auditDigest:read", SA, "read the audit digest's settings";
    AuditDigestUpdate = "auditDigest:update", SA, "change the audit digest's settings";
    ModelsRead = "models:read", SA, "read models";
    ModelsCreate = "models:create", SA, "create models";
    ModelsUpdate = "models:update", SA, "update models";
    ModelsDelete = "models:delete", SA, "delete models";
    ModelsUse = "models:use", SAE, "pick models";
    BillingRead = "billing:read", SA, "read billing";
    BillingManage = "billing:manage", SA, "manage the subscription";
    AuditRead = "audit:read", SAE, "read the audit log";
    SecretsRead = "secrets:read", A, "list secrets";
    SecretsReveal = "secrets:reveal", A, "reveal secrets";
    SecretsCreate = "secrets:create", A, "create secrets";
    SecretsUpdate = "secrets:update", A, "rotate secrets";
    SecretsDelete = "secrets:delete", A, "delete secrets";
    ConnectionsRead = "connections:read", SAE, "read connections";
    ConnectionsCreate = "connections:create", SA, "create connections";
    ConnectionsUpdate = "connections:update", SA, "change connections";
    ConnectionsDelete = "connections:delete", SA, "delete connections";
    RunsRead = "runs:read", SAEV, "read runs";
    RunsWrite = "runs:write", SAE, "start and stop runs";
    ApprovalsRead = "approvals:read", SAEV, "read approvals";
    ApprovalsWrite = "approvals:write", SAE, "answer approvals";
    AgentsRead = "agents:read", SAEV, "read agents";
    AgentsWrite = "agents:write", SA, "change agents";
    SkillsRead = "skills:read", SAEV, "read skills";
    SkillsWrite = "skills:write", SA, "change skills";
    EventsPublish = "events:publish", SA, "publish events";
    OrganizationsCreate = "organizations:create", S, "create organizations";
    OrganizationsRead = "organizations:read", S, "read every organization";
    OrganizationsUpdate = "organizations:update", S, "change organizations";
    OrganizationsDelete = "organizations:delete", S, "delete organizations";
    AdminAccess = "admin:access", S, "open the platform's admin screens";
    SentimentAccess = "sentiment:access", S, "open sentiment analysis";
    SystemModelsCreate = "systemModels:create", S, "create system models";
    SystemModelsUpdate = "systemModels:update", S, "change system models";
    SystemModelsDelete = "systemModels:delete", S, "delete system models";
}

const fn column_set(column: u8) -> PermissionSet {
    let mut set = PermissionSet::EMPTY;
    let mut rest = Permission::ALL;
    while let [p, tail @ ..] = rest {
        if p.columns() & column != 0 {
            set = set.with(*p);
        }
        rest = tail;
    }
    set
}

/// What platform owners may do in any workspace (policy: "System is a platform flag, not a membership").
pub const SYSTEM: PermissionSet = column_set(column::SYSTEM);
const ADMIN: PermissionSet = column_set(column::ADMIN);
const EDITOR: PermissionSet = column_set(column::EDITOR);
const VIEWER: PermissionSet = column_set(column::VIEWER);

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(s: &str) -> Result<Self, UnknownPermission> {
        Self::ALL.iter().copied().find(|p| p.name() == s).ok_or(UnknownPermission)
    }
}

/// The text names no permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a permission of this service")]
pub struct UnknownPermission;
