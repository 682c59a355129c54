//! Invitations: send, resend, revoke, accept. Reads go through `Snapshot<ListMembers>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sign_in::SignedIn,
};
use serde::{Deserialize, Serialize};
use settings_domain::{
    audit::Receipts,
    billing::seats::effective_seats,
    change::Committed,
    ids::{DeliveryId, InvitationId, PersonId},
    impact::Guard,
    invitations::NewInvitation,
    invitations::{AcceptError, Invitation, InvitationState, InviteError, Invitee, PendingInvitationError},
    members::Member,
    policy::{Actor, Permit, Role, actions, permit},
    ports::{
        StoreError,
        store::{CallerId, Entry, Selector},
    },
    text::{Email, Slug},
    transaction::{Call, Caller, Transaction},
};

/// The receipt of an acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The new membership.
    pub member: Member,
    /// The workspace's slug.
    pub slug: Slug,
}

impl App {
    /// Invites somebody.
    pub async fn invite(
        &self,
        permit: &Permit<actions::InviteMember>,
        call: &Call,
        email: Email,
        role: Role,
    ) -> Result<Committed<Invitation>, Failure<InviteError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (workspace, heads) = tx.workspace().await?;
        let known = tx.load().acquaintance(email.key()).await?;
        let id = InvitationId::from_uuid(self.ports.entropy.uuid());
        let new = NewInvitation {
            id,
            person: PersonId::from_uuid(self.ports.entropy.uuid()),
            delivery: DeliveryId::from_uuid(self.ports.entropy.uuid()),
            token: self.ports.mint.invitation(id, 1).digest,
            email,
            role,
        };
        let account = tx.load().billing_account().await?;
        let seats = effective_seats(workspace.seat_limit, account.subscription.as_ref());
        let change = Invitation::invite(tx.permit(), new, &known, &heads, seats).map_err(Failure::rule)?;
        Ok(tx.commit(change).await?)
    }

    /// Sends an invitation again with a new link.
    pub async fn resend_invitation(
        &self,
        permit: &Permit<actions::ResendInvitation>,
        call: &Call,
        id: InvitationId,
    ) -> Result<Committed<Invitation>, Failure<PendingInvitationError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (workspace, heads) = tx.workspace().await?;
        let there =
            tx.load().invitation(id).await?.ok_or_else(|| Failure::rule(PendingInvitationError::NotFound))?.invitation;
        let token = self.ports.mint.invitation(id, there.generation + 1).digest;
        let delivery = DeliveryId::from_uuid(self.ports.entropy.uuid());
        let account = tx.load().billing_account().await?;
        let seats = effective_seats(workspace.seat_limit, account.subscription.as_ref());
        let change = there.resend(tx.permit(), token, delivery, &heads, seats, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Takes an invitation back.
    pub async fn revoke_invitation(
        &self,
        permit: &Permit<actions::RevokeInvitation>,
        call: &Call,
        id: InvitationId,
    ) -> Result<Committed<()>, Failure<PendingInvitationError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there =
            tx.load().invitation(id).await?.ok_or_else(|| Failure::rule(PendingInvitationError::NotFound))?.invitation;
        let change = there.revoke(tx.permit(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Joins by the token of an invitation's link. Unknown, used and revoked tokens get one answer.
    pub async fn accept_invitation(&self, call: &Call, token: &str) -> Result<Committed<Joined>, Failure<AcceptError>> {
        let unknown = || Failure::rule(AcceptError::NotFound);
        let (id, digest) = self.ports.mint.parse_invitation(token).ok_or_else(unknown)?;
        let Caller::User { id: user, verified_email, .. } = call.caller.clone() else { return Err(unknown()) };
        let store = self.ports.store.as_ref();
        let (mut reads, entry) = store.snapshot(call.caller.id(), &Selector::Invitation(id)).await?;
        let standing = match entry {
            Entry::Found(standing) if standing.exists => standing,
            _ => return Err(unknown()),
        };
        let invitation = reads.invitation(id).await?.ok_or_else(unknown)?.invitation;
        drop(reads);
        // Holding the token is what makes an invitee; who only guesses an id is nobody.
        if invitation.token != digest {
            return Err(unknown());
        }
        let permit = permit::<actions::AcceptInvitation>(&Actor::invitee(&invitation, user), standing.at)?;

        let mut tx = Transaction::open(store, &permit, call).await?;
        replayed!(tx);
        let (workspace, _) = tx.workspace().await?;
        let member = tx.load().member(user).await?.map(|v| v.member);
        let invitation = tx.load().invitation(id).await?.ok_or_else(unknown)?.invitation;
        let by = Invitee { user, verified_email, member };
        let change = invitation.accept(tx.permit(), &digest, &by).map_err(Failure::rule)?;
        let slug = workspace.slug;
        Ok(tx.commit(change.map(|member| Joined { member, slug })).await?)
    }

    /// Joins and signs in by the link of an invitation alone, where people sign in by e-mail links: whoever opens it has
    /// proven to read that address's mail, which is all that a sign-in link proves. `None` for an unknown link.
    pub async fn join_by_link(
        &self,
        token: &str,
        request: String,
    ) -> Result<Option<(Joined, SignedIn)>, Failure<AcceptError>> {
        let Some((id, digest)) = self.ports.mint.parse_invitation(token) else { return Ok(None) };
        let (mut reads, entry) = self.ports.store.snapshot(CallerId::Service, &Selector::Invitation(id)).await?;
        if !matches!(entry, Entry::Found(standing) if standing.exists) {
            return Ok(None);
        }
        let Some(invitation) = reads.invitation(id).await?.map(|v| v.invitation) else { return Ok(None) };
        drop(reads);
        if invitation.token != digest || invitation.state != InvitationState::Pending {
            return Ok(None);
        }
        let user = self.account_of(&invitation.email).await?;
        let caller = Caller::User { id: user.id, verified_email: Some(invitation.email.clone()), platform: false };
        let call = Call { caller, request, idempotent: None, guard: Guard::default(), receipts: Receipts::default() };
        let joined = self.accept_invitation(&call, token).await?.into_value();
        Ok(self.sign_in_as(invitation.email).await?.map(|signed_in| (joined, signed_in)))
    }

    /// Tells the admins that the holder of a link that has expired asks for a new one: each of them once for each link. The
    /// answer is the same whatever the link is, so it says nothing of what there is.
    pub async fn ask_for_invitation(&self, token: &str) -> Result<(), StoreError> {
        let Some((id, digest)) = self.ports.mint.parse_invitation(token) else { return Ok(()) };
        let (mut reads, entry) = self.ports.store.snapshot(CallerId::Service, &Selector::Invitation(id)).await?;
        let Entry::Found(standing) = entry else { return Ok(()) };
        let Some(invitation) = reads.invitation(id).await?.map(|v| v.invitation) else { return Ok(()) };
        if !standing.exists || invitation.token != digest || !invitation.may_be_asked_for(standing.at) {
            return Ok(());
        }
        let admins = reads.admins().await?.into_iter().map(|user| (user, self.delivery())).collect::<Vec<_>>();
        drop(reads);
        self.ports.store.ask_admins(invitation.workspace, id, invitation.generation, &admins).await
    }

    /// What the page behind an invitation's link shows, and changes nothing: mail scanners open links.
    pub async fn look_at_invitation(&self, token: &str) -> Result<Option<LookedAt>, StoreError> {
        let Some((id, digest)) = self.ports.mint.parse_invitation(token) else { return Ok(None) };
        let (mut reads, entry) = self
            .ports
            .store
            .snapshot(settings_domain::ports::store::CallerId::Service, &Selector::Invitation(id))
            .await?;
        let Entry::Found(standing) = entry else { return Ok(None) };
        let (Some(view), Some(workspace)) = (reads.invitation(id).await?, reads.workspace().await?) else {
            return Ok(None);
        };
        if view.invitation.token != digest || !standing.exists {
            return Ok(None);
        }
        let state = view.invitation.shown_state(standing.at);
        Ok(Some(LookedAt {
            workspace: workspace.name.into(),
            role: view.invitation.role,
            inviter: view.inviter_name,
            state,
        }))
    }
}

/// What the holder of a link may see before signing in.
#[derive(Debug, Clone)]
pub struct LookedAt {
    /// The workspace's name.
    pub workspace: String,
    /// The role offered.
    pub role: Role,
    /// Who invites.
    pub inviter: Option<String>,
    /// Whether it still waits.
    pub state: InvitationState,
}
