//! The ports beside the tenant's store: accounts, the directory, activity, the queue, keys.
use crate::{
    accounts, activity, audit_digest, billing, connections, data_keys,
    db::Stmt,
    deliveries, directory,
    engine::{Engine, Scope},
    events, models, outbox, outgoing, resolving,
    store::{SqlStore, applied},
};
use async_trait::async_trait;
use settings_domain::{
    billing::{CustomerId, UsageId, UsageRecord},
    connections::ConnectionStatus,
    deliveries::{Attempt, Outgoing},
    ids::{ApiKeyId, DeliveryId, EnvironmentId, InvitationId, ModelId, SessionId, SignInId, UserId, WorkspaceId},
    members::User,
    policy::{Permit, TenantScope, actions},
    ports::{
        StoreError,
        accounts::{Accounts, NewSession, OpenSession, Session, SignInLink},
        billing::{BillingQueue, Reported},
        directory::{ActivityLog, Directory, OwnWorkspace, Sightings, Upkeep},
        identity::Profile,
        outbox::{AdminLetter, AskLetter, Claimed, DueDigests, Fate, InvitationLetter, Outbox},
        store::{KeyDirectory, KeyStanding, Page, ResolvedModel, ResolvedVariables, Resolving},
        vault::{DataKeyStore, OldWrapping, Rewrapped, WrappedDataKey},
    },
    text::Email,
    tokens::Digest,
    workspaces::WorkspaceView,
};
use time::{Duration, OffsetDateTime};

/// How long a sent message is remembered, and a notification with its attempts and its event once nobody waits for it: so
/// long can it be looked at and, where it was given up, retried, and so long is an event known when it is sent again.
const SENT_KEPT: Duration = Duration::days(30);
/// How long a report of usage and an event of the billing service are known by their ids. Both senders give up long before.
const USAGE_KEPT: Duration = Duration::days(90);
/// How many rows of the ledger one transaction forgets: none takes long, however many there are.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// The schema is not the one that this program knows.
#[derive(Debug, thiserror::Error)]
#[error("the database lacks migrations that this program needs")]
struct OldSchema;

#[async_trait]
impl<E: Engine> KeyDirectory for SqlStore<E> {
    async fn key(&self, id: ApiKeyId) -> Result<Option<KeyStanding>, StoreError> {
        self.keys.key(id).await
    }
}

#[async_trait]
impl<E: Engine> Accounts for SqlStore<E> {
    async fn sync(&self, fresh: UserId, profile: &Profile) -> Result<User, StoreError> {
        let known = accounts::known(&mut self.engine.single().await?, profile).await?;
        if let Some((user, true)) = known {
            return Ok(user);
        }
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        let user = accounts::upsert(&mut tx, fresh, profile).await?;
        tx.commit().await?;
        Ok(user)
    }
    async fn keep_sign_in(&self, link: &SignInLink) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        accounts::keep_sign_in(&mut tx, link).await?;
        tx.commit().await
    }
    async fn redeem_sign_in(
        &self,
        id: SignInId,
        token: &Digest,
        session: &NewSession,
    ) -> Result<Option<Session>, StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        let opened = accounts::redeem(&mut tx, id, token, session).await?;
        if opened.is_some() {
            tx.commit().await?;
        }
        Ok(opened)
    }
    async fn open_session(&self, profile: &Profile, session: &NewSession) -> Result<Option<Session>, StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        let opened = accounts::open(&mut tx, profile, session).await?;
        if opened.is_some() {
            tx.commit().await?;
        }
        Ok(opened)
    }
    async fn session(&self, id: SessionId, token: &Digest) -> Result<Option<Session>, StoreError> {
        accounts::session(&mut self.engine.single().await?, id, token).await
    }
    async fn use_sessions(&self, ids: &[SessionId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        accounts::use_all(&mut tx, ids).await?;
        tx.commit().await
    }
    async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        accounts::end(&mut tx, id).await?;
        tx.commit().await
    }
    async fn sessions_of(&self, user: UserId) -> Result<Vec<OpenSession>, StoreError> {
        accounts::sessions_of(&mut self.engine.single().await?, user).await
    }
    async fn end_session_of(&self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        let ended = accounts::end_of(&mut tx, user, id).await?;
        tx.commit().await?;
        Ok(ended)
    }
}

#[async_trait]
impl<E: Engine> Directory for SqlStore<E> {
    async fn all(
        &self,
        _permit: &Permit<actions::ListOrganizations>,
        page: Page,
    ) -> Result<Vec<WorkspaceView>, StoreError> {
        directory::all(&mut self.engine.begin_read(Scope::directory()).await?, page).await
    }
    async fn of(&self, user: UserId, page: Page) -> Result<Vec<OwnWorkspace>, StoreError> {
        directory::of(&mut self.engine.begin_read(Scope::directory().by(user.as_uuid())).await?, user, page).await
    }
    async fn is_empty(&self) -> Result<bool, StoreError> {
        directory::is_empty(&mut self.engine.begin_read(Scope::directory()).await?).await
    }
    async fn slugs(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
        directory::slugs(&mut self.engine.begin_read(Scope::directory()).await?).await
    }
    async fn ready(&self) -> Result<(), StoreError> {
        let applied = applied(self.engine.as_ref()).await?;
        // A newer schema is fine: migrations expand first, so that old and new programs run side by side.
        match self.engine.migrations().into_iter().max() {
            Some(newest) if applied.is_none_or(|a| a < newest) => Err(StoreError::unavailable(OldSchema)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl<E: Engine> ActivityLog for SqlStore<E> {
    async fn record(&self, seen: &Sightings) -> Result<(), StoreError> {
        if seen.keys.is_empty() && seen.members.is_empty() {
            return Ok(());
        }
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        activity::record(&mut tx, seen).await?;
        tx.commit().await
    }
}

#[async_trait]
impl<E: Engine> Outbox for SqlStore<E> {
    async fn claim(&self, limit: i64, lease: Duration) -> Result<Vec<Claimed>, StoreError> {
        if !outbox::is_due(&mut self.engine.begin_read(Scope::directory()).await?).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let claimed = outbox::claim(&mut tx, &E::STATEMENTS, limit, lease).await?;
        tx.commit().await?;
        Ok(claimed)
    }
    async fn invitation_letter(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
    ) -> Result<Option<InvitationLetter>, StoreError> {
        let mut tx = self.engine.begin_read(Scope::tenant(workspace.as_uuid())).await?;
        outbox::invitation_letter(&mut tx, workspace, id, generation).await
    }
    async fn ask_admins(
        &self,
        workspace: WorkspaceId,
        id: InvitationId,
        generation: i64,
        admins: &[(UserId, DeliveryId)],
    ) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::tenant(workspace.as_uuid())).await?;
        let queued = outbox::ask(&mut tx, workspace, id, generation, admins).await?;
        tx.commit().await?;
        if queued {
            self.queued.notify_one();
        }
        Ok(())
    }
    async fn ask_letter(&self, workspace: WorkspaceId, delivery: DeliveryId) -> Result<Option<AskLetter>, StoreError> {
        let mut tx = self.engine.begin_read(Scope::tenant(workspace.as_uuid())).await?;
        outbox::ask_letter(&mut tx, workspace, delivery).await
    }
    async fn admin_letter(&self, workspace: WorkspaceId, admin: UserId) -> Result<Option<AdminLetter>, StoreError> {
        let mut tx = self.engine.begin_read(Scope::tenant(workspace.as_uuid())).await?;
        outbox::admin_letter(&mut tx, workspace, admin).await
    }
    async fn sign_in_letter(&self, id: SignInId) -> Result<Option<(Email, OffsetDateTime)>, StoreError> {
        outbox::sign_in_letter(&mut self.engine.single().await?, id).await
    }
    async fn done(&self, message: &Claimed, sent: bool) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(outbox::scope(message)).await?;
        outbox::done(&mut tx, message, sent).await?;
        tx.commit().await
    }
    async fn retry(&self, message: &Claimed, after: Duration, cause: &'static str) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        outbox::retry(&mut tx, message, after, cause).await?;
        tx.commit().await
    }
    async fn postpone(&self, message: &Claimed, after: Duration, cause: &'static str) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        outbox::postpone(&mut tx, message, after, cause).await?;
        tx.commit().await
    }
    async fn dead(&self, message: &Claimed, cause: &'static str) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(outbox::scope(message)).await?;
        outbox::dead(&mut tx, message, cause).await?;
        tx.commit().await
    }
    async fn outgoing(&self, workspace: WorkspaceId, id: DeliveryId) -> Result<Option<Outgoing>, StoreError> {
        let workspace = workspace.as_uuid();
        outgoing::get(&mut self.engine.begin_read(Scope::tenant(workspace)).await?, workspace, id).await
    }
    async fn settle(&self, message: &Claimed, attempt: Option<&Attempt>, fate: Fate) -> Result<(), StoreError> {
        let scope = outbox::scope(message);
        let mut tx = self.engine.begin_write(scope).await?;
        let fate = match fate {
            // Under the tenant's lock, like the authorization that would resume it: one of the two sees the other.
            Fate::Parked(_) => {
                tx.first(Stmt::new(E::STATEMENTS.lock_workspace).bind(scope.workspace), |_| Ok(())).await?;
                let waits = connections::get(&mut tx, scope.workspace).await?;
                let waits = waits.is_none_or(|record| record.connection.status == ConnectionStatus::Error);
                if waits { fate } else { Fate::Postponed(Duration::ZERO) }
            }
            fate => fate,
        };
        outbox::settle(&mut tx, message, attempt, fate).await?;
        tx.commit().await
    }
    async fn release(&self, messages: &[Claimed]) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        for message in messages {
            outbox::release(&mut tx, message).await?;
        }
        tx.commit().await
    }
    async fn queued(&self) {
        self.queued.notified().await;
    }
    async fn depth(&self) -> Result<i64, StoreError> {
        outbox::depth(&mut self.engine.begin_read(Scope::directory()).await?).await
    }
}

#[async_trait]
impl<E: Engine> DueDigests for SqlStore<E> {
    async fn due_digests(&self, limit: i64) -> Result<Vec<WorkspaceId>, StoreError> {
        audit_digest::due(&mut self.engine.begin_read(Scope::directory()).await?, limit).await
    }
}

#[async_trait]
impl<E: Engine> BillingQueue for SqlStore<E> {
    async fn workspace_of_customer(&self, customer: &CustomerId) -> Result<Option<WorkspaceId>, StoreError> {
        billing::of_customer(&mut self.engine.begin_read(Scope::directory()).await?, customer).await
    }
    async fn claim_checks(&self, limit: i64, lease: Duration) -> Result<Vec<WorkspaceId>, StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let claimed = billing::claim_checks(&mut tx, limit, lease).await?;
        tx.commit().await?;
        Ok(claimed)
    }
    async fn checked(&self, workspace: WorkspaceId, next_in: Duration) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::tenant(workspace.as_uuid())).await?;
        billing::checked(&mut tx, workspace, next_in).await?;
        tx.commit().await
    }
    async fn unreported_usage(&self, limit: i64) -> Result<Vec<(WorkspaceId, CustomerId, UsageRecord)>, StoreError> {
        billing::unreported(&mut self.engine.begin_read(Scope::directory()).await?, limit).await
    }
    async fn usage_reported(&self, workspace: WorkspaceId, id: &UsageId, what: Reported) -> Result<(), StoreError> {
        let mut tx = self.engine.begin_write(Scope::tenant(workspace.as_uuid())).await?;
        billing::reported(&mut tx, workspace, id, what).await?;
        tx.commit().await
    }
}

#[async_trait]
impl<E: Engine> Upkeep for SqlStore<E> {
    async fn tidy(&self) -> Result<u64, StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let at = directory::clock(&mut tx).await?;
        let mut gone = outbox::forget(&mut tx, at - SENT_KEPT).await?;
        gone += crate::idempotency::forget_all(&mut tx, at).await?;
        gone += audit_digest::forget(&mut tx, at - SENT_KEPT).await?;
        gone += accounts::forget(&mut tx).await?;
        tx.commit().await?;
        loop {
            let mut tx = self.engine.begin_write(Scope::directory()).await?;
            let deliveries = deliveries::forget(&mut tx, at - SENT_KEPT, FORGOTTEN_AT_ONCE).await?;
            let events = events::forget(&mut tx, at - SENT_KEPT, FORGOTTEN_AT_ONCE).await?;
            let billing = billing::forget(&mut tx, at - USAGE_KEPT, FORGOTTEN_AT_ONCE).await?;
            tx.commit().await?;
            gone += deliveries + events + billing;
            if deliveries + events + billing == 0 {
                return Ok(gone);
            }
        }
    }
}

#[async_trait]
impl<E: Engine> DataKeyStore for SqlStore<E> {
    async fn data_keys(&self, scope: TenantScope) -> Result<Vec<WrappedDataKey>, StoreError> {
        let workspace = scope.workspace().as_uuid();
        data_keys::list(&mut self.engine.begin_read(Scope::tenant(workspace)).await?, workspace).await
    }
    async fn keep_data_key(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<WrappedDataKey, StoreError> {
        let workspace = scope.workspace().as_uuid();
        let mut tx = self.engine.begin_write(Scope::tenant(workspace)).await?;
        let kept = data_keys::keep(&mut tx, workspace, key).await?;
        tx.commit().await?;
        Ok(kept)
    }
    async fn old_wrappings(
        &self,
        _permit: &Permit<actions::RotateKeys>,
        current: &str,
        after: Option<(WorkspaceId, i64)>,
        limit: i64,
    ) -> Result<Vec<OldWrapping>, StoreError> {
        data_keys::old(&mut self.engine.begin_read(Scope::directory()).await?, current, after, limit).await
    }
    async fn rewrap(&self, _permit: &Permit<actions::RotateKeys>, keys: &[Rewrapped]) -> Result<u64, StoreError> {
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        let changed = data_keys::rewrap(&mut tx, keys).await?;
        tx.commit().await?;
        Ok(changed)
    }
    async fn count_wrappings(&self, current: &str) -> Result<(i64, i64), StoreError> {
        data_keys::count(&mut self.engine.begin_read(Scope::directory()).await?, current).await
    }
}

#[async_trait]
impl<E: Engine> Resolving for SqlStore<E> {
    async fn resolve_variables(
        &self,
        permit: &Permit<actions::ResolveVariables>,
        environment: EnvironmentId,
    ) -> Result<Option<ResolvedVariables>, StoreError> {
        let workspace = permit.scope().workspace().as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant(workspace)).await?;
        resolving::environment(&mut tx, workspace, environment).await
    }
    async fn resolve_model(
        &self,
        permit: &Permit<actions::ResolveModel>,
        model: ModelId,
    ) -> Result<Option<ResolvedModel>, StoreError> {
        let workspace = permit.scope().workspace().as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant_and_directory(workspace)).await?;
        resolving::model(&mut tx, workspace, model).await
    }
    async fn models_used(&self, used: &[(WorkspaceId, ModelId, OffsetDateTime)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let mut tx = self.engine.begin_write(Scope::directory()).await?;
        models::used(&mut tx, used).await?;
        tx.commit().await
    }
}
