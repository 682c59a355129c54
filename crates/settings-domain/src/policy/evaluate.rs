//! The evaluator: one bit test, and the sentence that explains it.
use super::{
    actor::{Actor, Principal, SystemTask},
    api_key_scopes::{Scope, ScopeSet},
    permissions::{Permission, Role, SYSTEM},
};
use std::fmt;

/// What an action asks of its actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// A permission of the matrix.
    Permission(Permission),
    /// To hold the invitation in question.
    Invitee,
    /// To be this task of the service.
    Task(SystemTask),
}

impl Requirement {
    /// Whether the actor meets it. Pure, total, no allocation: the hot path of every call.
    #[must_use]
    pub const fn is_met_by(self, actor: &Actor) -> bool {
        match (self, actor.principal()) {
            (Self::Permission(p), _) => actor.grants().contains(p),
            (Self::Invitee, Principal::Invitee { .. }) => true,
            (Self::Task(wanted), Principal::Task(task)) => wanted as u8 == task as u8,
            (Self::Invitee | Self::Task(_), _) => false,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(p) => f.write_str(p.name()),
            Self::Invitee => f.write_str("the invitation"),
            Self::Task(_) => f.write_str("the service itself"),
        }
    }
}

/// What grants a permission: every role and scope that holds it, in the order of the tables.
#[must_use]
pub fn holders(permission: Permission) -> (Vec<&'static str>, Vec<Scope>) {
    let mut roles: Vec<&'static str> =
        Role::ALL.into_iter().filter(|r| r.permissions().contains(permission)).map(Role::name).collect();
    if SYSTEM.contains(permission) {
        roles.push("system");
    }
    (roles, Scope::ALL.into_iter().filter(|s| s.permissions().contains(permission)).collect())
}

/// An answer with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the actor may.
    pub allowed: bool,
    /// What was asked.
    pub permission: Permission,
    /// The role or scope that granted it; `None` when nothing did.
    pub granted_by: Option<&'static str>,
    /// One sentence for a person.
    pub because: String,
}

/// Decides and explains. For display and refusals; a check alone is [`Requirement::is_met_by`].
#[must_use]
pub fn explain(actor: &Actor, permission: Permission) -> Decision {
    let granted_by = if actor.grants().contains(permission) { source(actor, permission) } else { None };
    let allowed = granted_by.is_some();
    let because =
        granted_by.map_or_else(|| missing(actor, permission), |by| format!("{by} grants {}", permission.name()));
    Decision { allowed, permission, granted_by, because }
}

fn source(actor: &Actor, permission: Permission) -> Option<&'static str> {
    match actor.principal() {
        Principal::Member { role, .. } => Some(role.name()),
        Principal::Platform { member: Some((_, role)), .. } if role.permissions().contains(permission) => {
            Some(role.name())
        }
        Principal::Platform { .. } => Some("system"),
        Principal::Key { scopes, .. } => granting_scope(scopes, permission).map(Scope::name),
        Principal::Invitee { .. } | Principal::Task(_) => None,
    }
}

fn granting_scope(scopes: ScopeSet, permission: Permission) -> Option<Scope> {
    scopes.iter().find(|s| s.permissions().contains(permission))
}

fn missing(actor: &Actor, permission: Permission) -> String {
    let (roles, scopes) = holders(permission);
    let name = permission.name();
    match actor.principal() {
        Principal::Key { .. } if scopes.is_empty() => {
            format!("needs {name}; no API key can have it, only people: {}", roles.join(", "))
        }
        Principal::Key { .. } => {
            let scopes: Vec<_> = scopes.into_iter().map(Scope::name).collect();
            format!("needs {name}; the key does not have a scope that grants it: {}", scopes.join(", "))
        }
        Principal::Member { role, .. } => format!("needs {name}; {role} has it not; {} have", roles.join(", ")),
        Principal::Platform { .. } => format!("needs {name}; system has it not; {} have", roles.join(", ")),
        Principal::Invitee { .. } | Principal::Task(_) => format!("needs {name}; {} have it", roles.join(", ")),
    }
}
