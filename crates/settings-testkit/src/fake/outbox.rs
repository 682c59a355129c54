//! Owed messages.
use super::{
    FakeStore, notifications,
    state::{Link, Message, MessageState, State},
};
use async_trait::async_trait;
use settings_domain::{
    deliveries::{Attempt, Outgoing},
    ids::{DeliveryId, InvitationId, SignInId, UserId, WorkspaceId},
    invitations::{EmailStatus, Invitation, InvitationState},
    members::Member,
    policy::Role,
    ports::{
        StoreError,
        outbox::{AdminLetter, AskLetter, Claimed, Fate, InvitationLetter, Job, Outbox},
    },
    text::Email,
};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

/// The message as this worker has taken it: another one may have taken it since.
pub(super) fn own<'s>(state: &'s mut State, message: &Claimed) -> Option<&'s mut Message> {
    let mine = |m: &&mut Message| m.state == MessageState::Pending && m.attempts == message.attempt + 1;
    state.queue.get_mut(&message.delivery).filter(mine)
}

/// Whose turn it is.
const fn turn(job: Job) -> Option<WorkspaceId> {
    match job {
        Job::Invitation(workspace, ..)
        | Job::InvitationAsked(workspace, _)
        | Job::AuditDigest(workspace, ..)
        | Job::MemberErased(workspace, ..)
        | Job::Notification(workspace)
        | Job::SeatQuantity(workspace) => Some(workspace),
        Job::SignIn(_) => None,
    }
}

/// What became of an invitation's mail. A link that was renewed meanwhile has a mail of its own.
fn mail_status(state: &mut State, job: Job, status: EmailStatus) {
    if let Job::Invitation(workspace, id, generation) = job {
        let tenant = state.tenants.get_mut(&workspace);
        let row = tenant.and_then(|t| t.invitations.get_mut(&id));
        let same = |i: &&mut Invitation| i.generation == generation && i.state == InvitationState::Pending;
        if let Some(row) = row.filter(same) {
            row.email_status = status;
        }
    }
}

#[async_trait]
impl Outbox for FakeStore {
    async fn claim(&self, limit: i64, lease: Duration) -> Result<Vec<Claimed>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let due = |m: &Message| {
            m.state == MessageState::Pending && m.next_at <= now && m.lease_until.is_none_or(|until| until <= now)
        };
        let mut ready: Vec<_> = state.queue.iter_mut().filter(|(_, m)| due(m)).collect();
        ready.sort_by_key(|(id, m)| (m.next_at, **id));
        // Everybody's first message before anybody's second.
        let mut turns: BTreeMap<Option<WorkspaceId>, usize> = BTreeMap::new();
        let mut ranked: Vec<_> = ready
            .into_iter()
            .map(|(id, m)| {
                let place = turns.entry(turn(m.job)).or_default();
                *place += 1;
                (*place, id, m)
            })
            .collect();
        ranked.sort_by_key(|(place, _, m)| (*place, m.next_at));
        let taken = ranked.into_iter().take(usize::try_from(limit).unwrap_or_default());
        Ok(taken
            .map(|(_, delivery, m)| {
                m.lease_until = Some(now + lease);
                m.attempts += 1;
                let (attempt, queued_at) = (m.attempts - 1, m.created_at);
                Claimed { delivery: *delivery, attempt, job: m.job, queued_at, parked: m.parked }
            })
            .collect())
    }
    async fn invitation_letter(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
    ) -> Result<Option<InvitationLetter>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let Some(tenant) = state.living(workspace) else { return Ok(None) };
        let waits =
            |i: &&Invitation| i.generation == generation && i.state == InvitationState::Pending && !i.is_over(now);
        Ok(tenant.invitations.get(&id).filter(waits).map(|i| InvitationLetter {
            to: i.email.clone(),
            workspace: tenant.workspace.name.to_string(),
            inviter: i.invited_by.and_then(|u| state.user(u)).and_then(|u| u.name),
            role: i.role,
            expires_at: i.expires_at,
        }))
    }
    async fn ask_admins(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
        admins: &[(UserId, DeliveryId)],
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        for (user, delivery) in admins {
            let key = (workspace, id, generation, *user);
            if state.asks.contains_key(&key) {
                continue;
            }
            state.asks.insert(key, *delivery);
            state.queue.insert(*delivery, Message::new(Job::InvitationAsked(workspace, id), now));
        }
        Ok(())
    }
    async fn ask_letter(&self, workspace: WorkspaceId, delivery: DeliveryId) -> Result<Option<AskLetter>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let (Some(tenant), Some((key, _))) =
            (state.living(workspace), state.asks.iter().find(|((w, ..), d)| *w == workspace && **d == delivery))
        else {
            return Ok(None);
        };
        let (_, id, generation, user) = *key;
        let waits = |i: &&Invitation| i.generation == generation && i.may_be_asked_for(now);
        let is_admin = |m: &&Member| m.is_active() && m.role == Role::Admin;
        let to = tenant.members.get(&user).filter(is_admin).and_then(|_| state.user(user)?.email);
        let invited = tenant.invitations.get(&id).filter(waits).map(|i| i.email.clone());
        let (workspace, slug) = (tenant.workspace.name.to_string(), tenant.workspace.slug.clone());
        Ok(to.zip(invited).map(|(to, invited)| AskLetter { to, workspace, slug, invited }))
    }
    async fn admin_letter(&self, workspace: WorkspaceId, admin: UserId) -> Result<Option<AdminLetter>, StoreError> {
        let state = self.state();
        let Some(tenant) = state.living(workspace) else { return Ok(None) };
        let is_admin = |m: &&Member| m.is_active() && m.role == Role::Admin;
        let to = tenant.members.get(&admin).filter(is_admin).and_then(|_| state.user(admin)?.email);
        let (workspace, slug) = (tenant.workspace.name.to_string(), tenant.workspace.slug.clone());
        Ok(to.map(|to| AdminLetter { to, workspace, slug }))
    }
    async fn sign_in_letter(&self, id: SignInId) -> Result<Option<(Email, OffsetDateTime)>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let works = |l: &&Link| !l.used && now < l.expires_at;
        Ok(state.links.get(&id).filter(works).map(|l| (l.email.clone(), l.expires_at)))
    }
    async fn done(&self, message: &Claimed, sent: bool) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(row) = state.queue.get_mut(&message.delivery) {
            (row.state, row.lease_until) = (MessageState::Done, None);
        }
        if sent {
            mail_status(&mut state, message.job, EmailStatus::Sent);
        }
        Ok(())
    }
    async fn retry(&self, message: &Claimed, after: Duration, _cause: &'static str) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if let Some(row) = own(&mut state, message) {
            (row.lease_until, row.next_at) = (None, now + after);
        }
        Ok(())
    }
    async fn postpone(&self, message: &Claimed, after: Duration, _cause: &'static str) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        if let Some(row) = own(&mut state, message) {
            (row.lease_until, row.next_at, row.attempts) = (None, now + after, row.attempts - 1);
        }
        Ok(())
    }
    async fn dead(&self, message: &Claimed, _cause: &'static str) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(row) = state.queue.get_mut(&message.delivery).filter(|m| m.state == MessageState::Pending) {
            (row.state, row.lease_until) = (MessageState::Dead, None);
        }
        mail_status(&mut state, message.job, EmailStatus::Failed);
        Ok(())
    }
    async fn outgoing(&self, workspace: WorkspaceId, id: DeliveryId) -> Result<Option<Outgoing>, StoreError> {
        Ok(notifications::outgoing(&self.state(), workspace, id))
    }
    async fn settle(&self, message: &Claimed, attempt: Option<&Attempt>, fate: Fate) -> Result<(), StoreError> {
        notifications::settle(&mut self.state(), message, attempt, fate, self.now());
        Ok(())
    }
    async fn release(&self, messages: &[Claimed]) -> Result<(), StoreError> {
        let mut state = self.state();
        for message in messages {
            if let Some(row) = own(&mut state, message) {
                row.lease_until = None;
                row.attempts -= 1;
            }
        }
        Ok(())
    }
    async fn queued(&self) {
        std::future::pending::<()>().await;
    }
    async fn depth(&self) -> Result<i64, StoreError> {
        let waiting = self.state().queue.values().filter(|m| m.state == MessageState::Pending).count();
        Ok(i64::try_from(waiting).unwrap_or(i64::MAX))
    }
}
