//! The 16 scopes an API key may carry (seed A, API keys) and what each allows.
use super::permissions::{Permission, PermissionSet};
use std::{fmt, str::FromStr};

/// The event types that other services publish (seed A, Notifications).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    /// A workflow run has failed.
    RunFailed,
    /// An approval step is waiting for a person.
    ApprovalRequested,
    /// A workflow has been published.
    WorkflowDeployed,
    /// An MCP server's health check has failed.
    McpServerDegraded,
    /// A secret has been rotated.
    SecretRotated,
}

macro_rules! scopes {
    ($($name:ident = $wire:literal, [$($p:ident),*] $(, publishes $event:ident)?;)*) => {
        /// One scope.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Scope { $(#[doc = concat!("`", $wire, "`")] $name),* }
        impl Scope {
            /// All 16, in the order of the documents.
            pub const ALL: [Self; 16] = [$(Self::$name),*];
            /// Name on the wire.
            #[must_use] pub const fn name(self) -> &'static str { match self { $(Self::$name => $wire),* } }
            /// What it allows.
            #[must_use] pub const fn permissions(self) -> PermissionSet {
                match self { $(Self::$name => PermissionSet::EMPTY$(.with(Permission::$p))*),* }
            }
            /// The one event type that `events:publish` covers under this scope.
            #[must_use] pub const fn publishes(self) -> Option<EventType> {
                match self { $(Self::$name => scopes!(@event $($event)?)),* }
            }
        }
    };
    (@event) => { None };
    (@event $event:ident) => { Some(EventType::$event) };
}

scopes! {
    WorkflowsRead = "workflows:read", [WorkflowsRead];
    WorkflowsWrite = "workflows:write", [WorkflowsCreate, WorkflowsUpdate, WorkflowsDelete, EventsPublish], publishes WorkflowDeployed;
    RunsRead = "runs:read", [RunsRead];
    RunsWrite = "runs:write", [RunsWrite, EventsPublish], publishes RunFailed;
    ApprovalsRead = "approvals:read", [ApprovalsRead];
    ApprovalsWrite = "approvals:write", [ApprovalsWrite, EventsPublish], publishes ApprovalRequested;
    AgentsRead = "agents:read", [AgentsRead];
    AgentsWrite = "agents:write", [AgentsWrite];
    SkillsRead = "skills:read", [SkillsRead];
    SkillsWrite = "skills:write", [SkillsWrite];
    ConnectionsRead = "connections:read", [ConnectionsRead];
    ConnectionsWrite = "connections:write", [ConnectionsCreate, ConnectionsUpdate, ConnectionsDelete, EventsPublish], publishes McpServerDegraded;
    AuditRead = "audit:read", [AuditRead];
    WorkspaceRead = "workspace:read", [WorkspaceRead, EnvironmentsRead, VariablesRead, NotificationsRead];
    WorkspaceWrite = "workspace:write", [WorkspaceUpdate, EnvironmentsCreate, EnvironmentsUpdate, EnvironmentsDelete,
        VariablesCreate, VariablesUpdate, VariablesDelete, NotificationsUpdate];
    SecretsRead = "secrets:read", [SecretsRead, SecretsReveal];
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of the 16 scopes")]
pub struct ParseScopeError;

impl FromStr for Scope {
    type Err = ParseScopeError;
    fn from_str(s: &str) -> Result<Self, ParseScopeError> {
        Self::ALL.into_iter().find(|c| c.name() == s).ok_or(ParseScopeError)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes. A key's is never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// No scope.
    pub const EMPTY: Self = Self(0);
    /// From the bits of the table's order; all 65,536 values are sets.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
    /// The set with one scope more.
    #[must_use]
    pub const fn with(self, s: Scope) -> Self {
        Self(self.0 | 1 << s as u8)
    }
    /// Whether the scope is in the set.
    #[must_use]
    pub const fn contains(self, s: Scope) -> bool {
        self.0 & (1 << s as u8) != 0
    }
    /// Whether there is no scope.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The scopes, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.contains(*s))
    }
    /// What the set allows: the union of its scopes and nothing more.
    #[must_use]
    pub fn permissions(self) -> PermissionSet {
        self.iter().fold(PermissionSet::EMPTY, |set, s| set.union(s.permissions()))
    }
    /// The names, joined by one space: the stored form.
    #[must_use]
    pub fn names(self) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl FromStr for ScopeSet {
    type Err = ParseScopeError;
    /// Reads the stored form. An unknown name is an error, never skipped: nothing is granted on a guess.
    fn from_str(s: &str) -> Result<Self, ParseScopeError> {
        s.split(' ').map(str::parse).collect()
    }
}

impl serde::Serialize for ScopeSet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.names())
    }
}
impl<'de> serde::Deserialize<'de> for ScopeSet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
