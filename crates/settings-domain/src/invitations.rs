//! Invitations: seven days, one use, bound to the verified e-mail; resending kills the old link.
use crate::{
    audit::{Details, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{DeliveryId, InvitationId, PersonId, UserId, WorkspaceId},
    impact::Guard,
    members::{Headcount, Member, MemberWrite, Person},
    notices::Notice,
    policy::{Permit, Role, actions},
    text::Email,
    tokens::Digest,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long a link works (both seeds: 7 days).
pub const LIFETIME: Duration = Duration::days(7);

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvitationState {
    /// Waiting, whether or not its time is over.
    Pending,
    /// Accepted.
    Accepted,
    /// Taken back.
    Revoked,
    /// Its time was over when somebody invited the same address again.
    Expired,
}

impl InvitationState {
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
    /// Reads the stored name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Revoked, Self::Expired].into_iter().find(|x| x.name() == s)
    }
}

/// What became of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailStatus {
    /// Waiting to be sent.
    Queued,
    /// Accepted by the next hop.
    Sent,
    /// Refused for good.
    Failed,
}

impl EmailStatus {
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
    /// Reads the stored name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Failed].into_iter().find(|x| x.name() == s)
    }
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: InvitationId,
    /// The person it is for.
    pub person: PersonId,
    /// Where the mail goes, as typed.
    pub email: Email,
    /// The role offered.
    pub role: Role,
    /// What became of it.
    pub state: InvitationState,
    /// Who invited; `None` for the platform and for erased people.
    pub invited_by: Option<UserId>,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// First instant at which the link no longer works.
    #[serde(with = "crate::micros")]
    pub expires_at: OffsetDateTime,
    /// Which of its links is the living one, from 1.
    pub generation: i64,
    /// What became of the mail.
    pub email_status: EmailStatus,
    /// Counts its changes, from 1.
    pub version: i64,
    /// Digest of the living link's token. Never shown.
    #[serde(skip, default = "Digest::none")]
    pub token: Digest,
}

/// An invitation with its sender's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    /// The invitation.
    pub invitation: Invitation,
    /// Display name of who invited.
    pub inviter_name: Option<String>,
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum InvitationWrite {
    /// A new row.
    Insert(Invitation),
    /// A new link: generation, digest, expiry, mail status and version.
    Renew(Invitation),
    /// Accepted at this instant.
    Accept(InvitationId, OffsetDateTime),
    /// Taken back at this instant.
    Revoke(InvitationId, OffsetDateTime),
    /// Superseded at this instant.
    Expire(InvitationId, OffsetDateTime),
}

/// What the caller of an invitation brings along, ids and token included.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Fresh id.
    pub id: InvitationId,
    /// Id for the person, should the address be new here.
    pub person: PersonId,
    /// Id of the mail.
    pub delivery: DeliveryId,
    /// Digest of the first link's token.
    pub token: Digest,
    /// Whom.
    pub email: Email,
    /// As what.
    pub role: Role,
}

/// What the workspace knows of an address.
#[derive(Debug, Clone, Default)]
pub struct Acquaintance {
    /// The person, where the address was ever invited or joined.
    pub person: Option<PersonId>,
    /// Whether an active member has the address.
    pub is_member: bool,
    /// The invitation that still waits, expired or not.
    pub pending: Option<Invitation>,
}

refusals! {
    /// Why nobody was invited.
    InviteError {
        AlreadyMember: Conflict "already-member" at "/email", "This person is a member already. Change their role instead.";
        AlreadyInvited: Conflict "already-invited" at "/email", "This address has a pending invitation. Resend it or revoke it.";
        SeatLimitReached: Conflict "seat-limit-reached", "No seat is free; pending invitations hold one each. Raise the seat limit, remove a member or revoke an invitation.";
        AboveOwnRank: Forbidden "forbidden" at "/role", "You can't offer a role above your own.";
    }
}

refusals! {
    /// Why an invitation was not resent or revoked.
    PendingInvitationError {
        NotFound: NotFound "not-found", "There is no such invitation.";
        Closed: Conflict "invitation-closed", "This invitation was accepted or revoked already.";
        SeatLimitReached: Conflict "seat-limit-reached", "Its seat was given away when it expired, and no other is free.";
    }
}

refusals! {
    /// Why an invitation was not accepted.
    AcceptError {
        NotFound: NotFound "not-found", "This invitation does not exist, was used or was revoked. Ask for a new one.";
        Expired: Gone "invitation-expired", "This invitation is older than 7 days. Ask for a new one.";
        EmailMismatch: Forbidden "invitation-email-mismatch", "This invitation is for another e-mail address. Sign in with the address it was sent to.";
        EmailNotVerified: Forbidden "email-not-verified", "Your e-mail address is not verified. Verify it with your identity provider, then open the link again.";
        AlreadyMember: Conflict "already-member", "You are a member of this workspace already.";
    }
}

/// Who accepts.
#[derive(Debug, Clone)]
pub struct Invitee {
    /// The account.
    pub user: UserId,
    /// The verified e-mail; `None` where nobody vouches for one.
    pub verified_email: Option<Email>,
    /// A membership of this account here, active or former.
    pub member: Option<Member>,
}

impl NewInvitation {
    pub(crate) fn for_new_workspace(self, permit: &Permit<actions::CreateOrganization>) -> (Invitation, Notice) {
        let person = self.person;
        self.build(permit, person)
    }
    fn build<A>(self, permit: &Permit<A>, person: PersonId) -> (Invitation, Notice) {
        let at = permit.at();
        let invitation = Invitation {
            workspace: permit.scope().workspace(),
            id: self.id,
            person,
            email: self.email,
            role: self.role,
            state: InvitationState::Pending,
            invited_by: permit.actor().user(),
            created_at: at,
            expires_at: at + LIFETIME,
            generation: 1,
            email_status: EmailStatus::Queued,
            version: 1,
            token: self.token,
        };
        let notice = Notice::InvitationMail { delivery: self.delivery, invitation: self.id, generation: 1 };
        (invitation, notice)
    }
}

impl Invitation {
    /// Invites somebody: takes a seat and queues the mail.
    pub fn invite(
        permit: &Permit<actions::InviteMember>,
        new: NewInvitation,
        known: &Acquaintance,
        heads: &Headcount,
        seat_limit: i64,
    ) -> Result<Change<Self>, InviteError> {
        if permit.actor().rank().is_none_or(|rank| new.role > rank) {
            return Err(InviteError::AboveOwnRank);
        }
        if known.is_member {
            return Err(InviteError::AlreadyMember);
        }
        let waiting = known.pending.as_ref();
        if waiting.is_some_and(|i| !i.is_over(permit.at())) {
            return Err(InviteError::AlreadyInvited);
        }
        if heads.used() >= seat_limit {
            return Err(InviteError::SeatLimitReached);
        }
        let person = known.person.unwrap_or(new.person);
        let (invitation, notice) = new.build(permit, person);
        let details = Details::new().change("role", None, Some(invitation.role.into())).personal(
            "email",
            person,
            invitation.email.as_str(),
        );
        // The writes of an address's past come first: the new row must find its place free.
        let mut writes = Vec::new();
        if let Some(old) = waiting {
            writes.push(Write::Invitation(InvitationWrite::Expire(old.id, permit.at())));
        }
        if known.person.is_none() {
            writes.push(Write::Member(MemberWrite::InsertPerson(Person {
                id: person,
                user: None,
                email: Some(invitation.email.clone()),
            })));
        }
        writes.push(Write::Invitation(InvitationWrite::Insert(invitation.clone())));
        let mut writes = writes.into_iter();
        let first = writes.next().unwrap_or_else(|| Write::Invitation(InvitationWrite::Insert(invitation.clone())));
        let change = Change::decided(permit, first, Target::Invitation(invitation.id), details, invitation);
        Ok(writes.fold(change, Change::write).notice(notice))
    }

    /// Sends it again with a new link and a new week. The old link is dead from then on.
    pub fn resend(
        &self,
        permit: &Permit<actions::ResendInvitation>,
        token: Digest,
        delivery: DeliveryId,
        heads: &Headcount,
        seat_limit: i64,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<PendingInvitationError>> {
        self.check_open()?;
        guard.check_version(self.version)?;
        if self.is_over(permit.at()) && heads.used() >= seat_limit {
            return Err(PendingInvitationError::SeatLimitReached.into());
        }
        let next = Self {
            expires_at: permit.at() + LIFETIME,
            generation: self.generation + 1,
            version: self.version + 1,
            email_status: EmailStatus::Queued,
            token,
            ..self.clone()
        };
        let notice = Notice::InvitationMail { delivery, invitation: self.id, generation: next.generation };
        let write = Write::Invitation(InvitationWrite::Renew(next.clone()));
        Ok(Change::decided(permit, write, Target::Invitation(self.id), Details::new(), next).notice(notice))
    }

    /// Takes it back: its link is dead and its seat free.
    pub fn revoke(
        &self,
        permit: &Permit<actions::RevokeInvitation>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<PendingInvitationError>> {
        self.check_open()?;
        guard.check_version(self.version)?;
        let write = Write::Invitation(InvitationWrite::Revoke(self.id, permit.at()));
        Ok(Change::decided(permit, write, Target::Invitation(self.id), Details::new(), ()))
    }

    /// Joins the workspace. The role is the invited one, the seat the one it held.
    pub fn accept(
        &self,
        permit: &Permit<actions::AcceptInvitation>,
        token: &Digest,
        by: &Invitee,
    ) -> Result<Change<Member>, AcceptError> {
        if self.state != InvitationState::Pending || self.token != *token {
            return Err(AcceptError::NotFound);
        }
        let email = by.verified_email.as_ref().ok_or(AcceptError::EmailNotVerified)?;
        if email.key() != self.email.key() {
            return Err(AcceptError::EmailMismatch);
        }
        if self.is_over(permit.at()) {
            return Err(AcceptError::Expired);
        }
        if by.member.as_ref().is_some_and(Member::is_active) {
            return Err(AcceptError::AlreadyMember);
        }
        let at = permit.at();
        let version = by.member.as_ref().map_or(1, |m| m.version + 1);
        let member = Member {
            workspace: self.workspace,
            user: by.user,
            person: self.person,
            role: self.role,
            joined_at: at,
            removed_at: None,
            version,
        };
        let details = Details::new().change("role", None, Some(self.role.into()));
        let target = Target::Member(self.person, by.user);
        let write = Write::Invitation(InvitationWrite::Accept(self.id, at));
        Ok(Change::decided(permit, write, target, details, member.clone())
            .write(Write::Member(MemberWrite::BindPerson(self.person, by.user)))
            .write(Write::Member(MemberWrite::Join(member))))
    }

    /// Whether its time is over: it works until just before `expires_at`.
    #[must_use]
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        now >= self.expires_at
    }
    /// The state as people see it: a pending one whose time is over has expired.
    #[must_use]
    pub fn shown_state(&self, now: OffsetDateTime) -> InvitationState {
        if self.state == InvitationState::Pending && self.is_over(now) { InvitationState::Expired } else { self.state }
    }

    /// Whether a new link may be asked for: it waits, and its link has expired.
    #[must_use]
    pub fn may_be_asked_for(&self, now: OffsetDateTime) -> bool {
        self.shown_state(now) == InvitationState::Expired && self.state == InvitationState::Pending
    }

    fn check_open(&self) -> Result<(), PendingInvitationError> {
        if self.state == InvitationState::Pending { Ok(()) } else { Err(PendingInvitationError::Closed) }
    }
}
