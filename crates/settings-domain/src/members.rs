//! Members (seed A, Members; seed B, Users): one role each, at least one admin, never more than the seats.
use crate::{
    api_keys::{ApiKey, ApiKeyWrite},
    audit::{Details, Fact, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{PersonId, UserId, WorkspaceId},
    impact::Guard,
    invitations::{Invitation, InvitationWrite},
    policy::{Mutation, Permit, Role, actions},
    text::Email,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A user account, the same in every workspace. Made at first sight from a verified token or a sign-in link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// E-mail, where the issuer vouches for one.
    pub email: Option<Email>,
    /// Display name.
    pub name: Option<String>,
    /// Avatar address.
    pub avatar_url: Option<String>,
}

/// A person in one workspace: what invitation, membership and audit salt have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// The account, once known.
    pub user: Option<UserId>,
    /// The invited address.
    pub email: Option<Email>,
}

/// A membership, present or former.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The account.
    pub user: UserId,
    /// The person.
    pub person: PersonId,
    /// The role.
    pub role: Role,
    /// When they joined.
    #[serde(with = "crate::micros")]
    pub joined_at: OffsetDateTime,
    /// When they were removed.
    #[serde(with = "crate::micros::option")]
    pub removed_at: Option<OffsetDateTime>,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A member as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// The membership.
    pub member: Member,
    /// The account.
    pub user: User,
    /// When they last called.
    #[serde(with = "crate::micros::option")]
    pub last_active_at: Option<OffsetDateTime>,
}

/// How full a workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headcount {
    /// Active members.
    pub members: i64,
    /// Active admins among them.
    pub admins: i64,
    /// Pending, unexpired invitations: each holds a seat.
    pub pending: i64,
}

impl Headcount {
    /// Seats in use.
    #[must_use]
    pub const fn used(&self) -> i64 {
        self.members + self.pending
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum MemberWrite {
    /// A person nobody knew here.
    InsertPerson(Person),
    /// The account of a person becomes known.
    BindPerson(PersonId, UserId),
    /// A membership starts, or starts again.
    Join(Member),
    /// Role or state as it shall be.
    Update(Member),
}

refusals! {
    /// Why a role was not changed.
    ChangeRoleError {
        NotFound: NotFound "not-found", "There is no such member.";
        LastAdmin: Conflict "last-admin", "This is the last admin of the workspace. Make somebody else an admin first.";
    }
}

refusals! {
    /// Why a member was not removed.
    RemoveMemberError {
        NotFound: NotFound "not-found", "There is no such member.";
        LastAdmin: Conflict "last-admin", "This is the last admin of the workspace. Make somebody else an admin first.";
    }
}

impl Member {
    pub(crate) const fn first_admin(
        workspace: WorkspaceId,
        user: UserId,
        person: PersonId,
        at: OffsetDateTime,
    ) -> Self {
        Self { workspace, user, person, role: Role::Admin, joined_at: at, removed_at: None, version: 1 }
    }
    /// Whether the membership is in force. A former one grants nothing.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Gives the member another role, in force from the next call on. A lower rank takes back the invitations to higher
    /// ones that this member has sent and nobody has accepted.
    pub fn change_role(
        &self,
        permit: &Permit<actions::ChangeRole>,
        role: Role,
        heads: &Headcount,
        sent: &[Invitation],
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<ChangeRoleError>> {
        if !self.is_active() {
            return Err(ChangeRoleError::NotFound.into());
        }
        guard.check_version(self.version)?;
        if self.role == role {
            return Ok(Change::nothing(permit, self.clone()));
        }
        if self.role == Role::Admin && heads.admins <= 1 {
            return Err(ChangeRoleError::LastAdmin.into());
        }
        let next = Self { role, version: self.version + 1, ..self.clone() };
        let details = Details::new().change("role", Some(self.role.into()), Some(role.into()));
        let change =
            Change::decided(permit, Write::Member(MemberWrite::Update(next.clone())), self.target(), details, next);
        Ok(take_back(change, permit, sent, Some(role)))
    }

    /// Ends the membership, from the next call on. The keys this person made keep working (seed A) unless `keys` names
    /// them; unaccepted invitations this person sent are taken back.
    pub fn remove(
        &self,
        permit: &Permit<actions::RemoveMember>,
        heads: &Headcount,
        sent: &[Invitation],
        keys: &[ApiKey],
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<RemoveMemberError>> {
        if !self.is_active() {
            return Err(RemoveMemberError::NotFound.into());
        }
        guard.check_version(self.version)?;
        if self.role == Role::Admin && heads.admins <= 1 {
            return Err(RemoveMemberError::LastAdmin.into());
        }
        let gone = Self { removed_at: Some(permit.at()), version: self.version + 1, ..self.clone() };
        let details = Details::new().change("role", Some(self.role.into()), None);
        let mut change =
            Change::decided(permit, Write::Member(MemberWrite::Update(gone.clone())), self.target(), details, gone);
        for key in keys {
            let write = Write::ApiKey(ApiKeyWrite::Revoke(key.id, permit.at()));
            change = change.consequence(permit, Fact::ApiKeyRevoked, write, Target::ApiKey(key.id), Details::new());
        }
        Ok(take_back(change, permit, sent, None))
    }

    const fn target(&self) -> Target {
        Target::Member(self.person, self.user)
    }
}

/// Revokes the invitations above the rank that their sender has left.
pub(crate) fn take_back<A: Mutation, T>(
    mut change: Change<T>,
    permit: &Permit<A>,
    sent: &[Invitation],
    rank: Option<Role>,
) -> Change<T> {
    for invitation in sent.iter().filter(|i| rank.is_none_or(|r| i.role > r)) {
        let write = Write::Invitation(InvitationWrite::Revoke(invitation.id, permit.at()));
        change = change.consequence(
            permit,
            Fact::InvitationRevoked,
            write,
            Target::Invitation(invitation.id),
            Details::new(),
        );
    }
    change
}
