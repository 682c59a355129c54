//! Queued messages: written with the change that owes them, sent by workers, at least once.
use super::StoreError;
use crate::{
    deliveries::{Attempt, Outgoing},
    ids::{DeliveryId, DigestRunId, InvitationId, SignInId, UserId, WorkspaceId},
    policy::Role,
    text::{Email, Slug},
};
use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// A message that a worker has taken. It comes back by itself when the worker dies.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Stable over retries.
    pub delivery: DeliveryId,
    /// How often it was taken before, from 0.
    pub attempt: i64,
    /// What it is.
    pub job: Job,
    /// When it was queued.
    pub queued_at: OffsetDateTime,
    /// Whether it waited for its connection until now ([`Fate::Parked`]).
    pub parked: bool,
}

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// The mail of an invitation.
    Invitation(WorkspaceId, InvitationId, i64),
    /// The mail to an admin that somebody asks for a new link of an invitation that has expired.
    InvitationAsked(WorkspaceId, InvitationId),
    /// The mail of a sign-in link.
    SignIn(SignInId),
    /// The mail of an audit digest to one of its recipients, counted from 0.
    AuditDigest(WorkspaceId, DigestRunId, i64),
    /// The mail to an admin that somebody was erased, by the place of the event that says so.
    MemberErased(WorkspaceId, UserId, i64),
    /// A notification over any channel.
    Notification(WorkspaceId),
    /// The number of seats that are paid for.
    SeatQuantity(WorkspaceId),
}

/// What becomes of a notification after a look at it or an attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The receiver took it.
    Delivered,
    /// Nobody waits for it any more.
    Dropped,
    /// To be tried again after a while, as the schedule has it.
    Again(Duration),
    /// To be tried again after a while; this time does not count, since nothing was sent.
    Postponed(Duration),
    /// Waits for its connection, for this long at most; then it comes back and is given up. Does not count either.
    Parked(Duration),
    /// Its last attempt failed: the change that gives it up comes next, and the message stays its worker's until then.
    Ended,
}

/// What the mail of an invitation needs, as it stands when it is sent.
#[derive(Debug, Clone)]
pub struct InvitationLetter {
    /// The stored address.
    pub to: Email,
    /// The workspace's name.
    pub workspace: String,
    /// Who invites.
    pub inviter: Option<String>,
    /// As what.
    pub role: Role,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

/// What the mail to an admin needs whom somebody asks for a new link, as it stands when it is sent.
#[derive(Debug, Clone)]
pub struct AskLetter {
    /// The admin's address.
    pub to: Email,
    /// The workspace's name.
    pub workspace: String,
    /// Its slug.
    pub slug: Slug,
    /// Who was invited.
    pub invited: Email,
}

/// What a mail to an admin needs, as it stands when it is sent.
#[derive(Debug, Clone)]
pub struct AdminLetter {
    /// The admin's address.
    pub to: Email,
    /// The workspace's name.
    pub workspace: String,
    /// Its slug.
    pub slug: Slug,
}

/// Finds what is to be begun.
#[async_trait]
pub trait DueDigests: Send + Sync {
    /// Workspaces whose audit digest is due by the database's clock, the longest overdue first.
    async fn due_digests(&self, limit: i64) -> Result<Vec<WorkspaceId>, StoreError>;
}

/// The queue.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes due messages for `lease`; no two workers take the same one within it.
    async fn claim(&self, limit: i64, lease: Duration) -> Result<Vec<Claimed>, StoreError>;
    /// What to write; `None` when the invitation was answered, revoked or renewed meanwhile.
    async fn invitation_letter(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
    ) -> Result<Option<InvitationLetter>, StoreError>;
    /// Queues a mail to each of these admins, who was told of this link before excepted: asking twice tells nobody twice.
    async fn ask_admins(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
        admins: &[(UserId, DeliveryId)],
    ) -> Result<(), StoreError>;
    /// What to write to an admin; `None` where the invitation waits no more or was renewed, or who was to hear of it is no
    /// admin any more or has no address.
    async fn ask_letter(&self, workspace: WorkspaceId, delivery: DeliveryId) -> Result<Option<AskLetter>, StoreError>;
    /// What to write to an admin; `None` where they are none any more, or have no address.
    async fn admin_letter(&self, workspace: WorkspaceId, admin: UserId) -> Result<Option<AdminLetter>, StoreError>;
    /// Where to send a sign-in link and until when it works; `None` when it was used or is over.
    async fn sign_in_letter(&self, id: SignInId) -> Result<Option<(Email, OffsetDateTime)>, StoreError>;
    /// Accepted by the next hop, or no longer wanted: never to be sent again.
    async fn done(&self, message: &Claimed, sent: bool) -> Result<(), StoreError>;
    /// To be tried again after a while; the cause is one of our own words, never a provider's text.
    async fn retry(&self, message: &Claimed, after: Duration, cause: &'static str) -> Result<(), StoreError>;
    /// To be tried again after a while; this time does not count, since nothing was sent. Of a notification
    /// [`settle`](Self::settle) says so.
    async fn postpone(&self, message: &Claimed, after: Duration, cause: &'static str) -> Result<(), StoreError>;
    /// Given up.
    async fn dead(&self, message: &Claimed, cause: &'static str) -> Result<(), StoreError>;
    /// What a notification needs, as it stands now; `None` when its receiver is gone.
    async fn outgoing(&self, workspace: WorkspaceId, id: DeliveryId) -> Result<Option<Outgoing>, StoreError>;
    /// Writes the attempt down, if there was one, and what becomes of the message. A webhook's health follows from it: it
    /// fails since the first of its attempts that no accepted one came after.
    async fn settle(&self, message: &Claimed, attempt: Option<&Attempt>, fate: Fate) -> Result<(), StoreError>;
    /// Gives untouched messages back at once, for a worker that stops.
    async fn release(&self, messages: &[Claimed]) -> Result<(), StoreError>;
    /// Resolves once this process has queued something since the last time. A hint, so that a worker beside it need not wait
    /// for its next look: what other processes queue is found by looking alone.
    async fn queued(&self);
    /// Messages that wait, for the metrics.
    async fn depth(&self) -> Result<i64, StoreError>;
}
