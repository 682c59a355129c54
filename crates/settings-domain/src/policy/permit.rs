//! Proof of a right: the key to everything that touches a workspace.
use super::{
    actions::Action,
    actor::{Actor, Principal},
    evaluate::{Requirement, explain, holders},
    permissions::Permission,
};
use crate::ids::{UserId, WorkspaceId};
use std::marker::PhantomData;
use time::OffsetDateTime;

/// The tenant that a permit was given for. Ports take this, never a bare [`WorkspaceId`], so a query without a
/// tenant that somebody may enter can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantScope {
    workspace: WorkspaceId,
    user: Option<UserId>,
}

impl TenantScope {
    /// The tenant.
    #[must_use]
    pub const fn workspace(self) -> WorkspaceId {
        self.workspace
    }
    /// The account that asks, for row-level security's own view of it.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        self.user
    }
}

/// Proof that the policy allowed `A` to this actor in this workspace at this instant.
///
/// [`permit`] is the only way to get one:
/// ```compile_fail,E0451
/// use settings_domain::policy::{actions, Actor, Permit};
/// fn forge(actor: Actor, at: time::OffsetDateTime) -> Permit<actions::RevokeApiKey> {
///     Permit { actor, at, _action: std::marker::PhantomData }
/// }
/// ```
/// and a permit for one thing is none for another:
/// ```compile_fail,E0308
/// use settings_domain::policy::{actions, Permit};
/// fn misuse(p: Permit<actions::ListApiKeys>) -> Permit<actions::RevokeApiKey> { p }
/// ```
#[derive(Debug)]
#[must_use = "a permit does nothing by itself"]
pub struct Permit<A> {
    actor: Actor,
    at: OffsetDateTime,
    _action: PhantomData<fn() -> A>,
}

impl<A> Clone for Permit<A> {
    fn clone(&self) -> Self {
        Self { actor: self.actor, at: self.at, _action: PhantomData }
    }
}

impl<A> Permit<A> {
    /// Who may.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
    /// When it was decided: the database's clock, so that all servers agree.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        self.at
    }
    /// Where.
    #[must_use]
    pub const fn scope(&self) -> TenantScope {
        TenantScope { workspace: self.actor.workspace(), user: self.actor.user() }
    }
}

/// The policy said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// Who asked.
    pub actor: Actor,
    /// What for: the action's name in the table.
    pub action: &'static str,
    /// What the action asks.
    pub requirement: Requirement,
}

impl Denied {
    /// The permission that is missing, where the action asks for one.
    #[must_use]
    pub const fn permission(&self) -> Option<Permission> {
        match self.requirement {
            Requirement::Permission(p) => Some(p),
            _ => None,
        }
    }
    /// Whether the action is for people only and a key asked (403 `session-required`).
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        let no_scope = self.permission().is_none_or(|p| holders(p).1.is_empty());
        no_scope && matches!(self.actor.principal(), Principal::Key { .. })
    }
}

impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.requirement {
            Requirement::Permission(p) => f.write_str(&explain(&self.actor, p).because),
            other => write!(f, "needs {other}"),
        }
    }
}
impl std::error::Error for Denied {}

/// Decides. The instant comes from outside; the result holds for this instant only.
pub const fn permit<A: Action>(actor: &Actor, at: OffsetDateTime) -> Result<Permit<A>, Denied> {
    if A::REQUIRES.is_met_by(actor) {
        Ok(Permit { actor: *actor, at, _action: PhantomData })
    } else {
        Err(Denied { actor: *actor, action: A::NAME, requirement: A::REQUIRES })
    }
}
