//! Who asks.
use super::{
    api_key_scopes::ScopeSet,
    permissions::{PermissionSet, Role, SYSTEM},
};
use crate::{
    api_keys::ApiKey,
    ids::{ApiKeyId, PersonId, UserId, WorkspaceId},
    invitations::Invitation,
    members::Member,
};

/// A task of the service itself. Each has exactly the actions whose requirement names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemTask {
    /// Writes the summary of refused calls.
    RecordDenials,
    /// Runs workflows: resolves variables and models for them, in the workspace it was made for.
    Execute,
    /// Wraps data keys anew.
    RotateKeys,
    /// Sends audit digests.
    SendDigest,
    /// Delivers notifications.
    Deliver,
    /// Reads subscriptions at the billing service, and keeps them.
    SyncBilling,
}

/// How an actor came to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// An active member.
    Member {
        /// The account.
        user: UserId,
        /// The person in this workspace.
        person: PersonId,
        /// The role as it stands in the database right now.
        role: Role,
    },
    /// A platform owner, who is no member here or needs more than the membership gives.
    Platform {
        /// The account.
        user: UserId,
        /// The role of a membership, where there is one.
        member: Option<(PersonId, Role)>,
    },
    /// An API key.
    Key {
        /// The key.
        key: ApiKeyId,
        /// Its scopes: all that counts, whoever made it.
        scopes: ScopeSet,
    },
    /// A signed-in person who holds an invitation to this workspace.
    Invitee {
        /// The account.
        user: UserId,
        /// The person the invitation was made for.
        person: PersonId,
    },
    /// The service itself.
    Task(SystemTask),
}

/// Who asks, in one workspace. Made from a membership, a key or a named task, never from a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    workspace: WorkspaceId,
    principal: Principal,
    grants: PermissionSet,
}

impl Actor {
    /// A member; `platform` says whether the account is also a platform owner.
    /// `None` when the membership is not active: no right ever comes from a former one.
    #[must_use]
    pub fn member(member: &Member, platform: bool) -> Option<Self> {
        if !member.is_active() {
            return None;
        }
        let (user, person, role) = (member.user, member.person, member.role);
        let (principal, grants) = if platform {
            (Principal::Platform { user, member: Some((person, role)) }, role.permissions().union(SYSTEM))
        } else {
            (Principal::Member { user, person, role }, role.permissions())
        };
        Some(Self { workspace: member.workspace, principal, grants })
    }
    /// A platform owner in a workspace where he is no member.
    #[must_use]
    pub const fn platform(user: UserId, workspace: WorkspaceId) -> Self {
        Self { workspace, principal: Principal::Platform { user, member: None }, grants: SYSTEM }
    }
    /// A key, which must have been authenticated and be usable; its creator's rights and fate do not matter.
    #[must_use]
    pub fn key(key: &ApiKey) -> Self {
        let principal = Principal::Key { key: key.id, scopes: key.scopes };
        Self { workspace: key.workspace, principal, grants: key.scopes.permissions() }
    }
    /// The holder of an invitation.
    #[must_use]
    pub const fn invitee(invitation: &Invitation, user: UserId) -> Self {
        let principal = Principal::Invitee { user, person: invitation.person };
        Self { workspace: invitation.workspace, principal, grants: PermissionSet::EMPTY }
    }
    /// The service itself.
    #[must_use]
    pub const fn task(task: SystemTask, workspace: WorkspaceId) -> Self {
        Self { workspace, principal: Principal::Task(task), grants: PermissionSet::EMPTY }
    }
    /// The one workspace this actor acts in.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
    /// How it came to be one.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        self.principal
    }
    /// Everything it may do.
    #[must_use]
    pub const fn grants(&self) -> PermissionSet {
        self.grants
    }
    /// The account behind it, where there is one.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self.principal {
            Principal::Member { user, .. } | Principal::Platform { user, .. } | Principal::Invitee { user, .. } => {
                Some(user)
            }
            Principal::Key { .. } | Principal::Task(_) => None,
        }
    }
    /// The person whose audit salt covers what this actor does.
    #[must_use]
    pub const fn person(&self) -> Option<PersonId> {
        match self.principal {
            Principal::Member { person, .. }
            | Principal::Invitee { person, .. }
            | Principal::Platform { member: Some((person, _)), .. } => Some(person),
            Principal::Platform { member: None, .. } | Principal::Key { .. } | Principal::Task(_) => None,
        }
    }
    /// The highest role this actor could hand to somebody else.
    #[must_use]
    pub const fn rank(&self) -> Option<Role> {
        match self.principal {
            Principal::Member { role, .. } => Some(role),
            Principal::Platform { .. } => Some(Role::Admin),
            _ => None,
        }
    }
}
