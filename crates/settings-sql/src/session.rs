//! One open view of one tenant: everything that is loaded, whether from a snapshot or under the tenant's lock.
use crate::{
    api_keys, audit, audit_digest, billing, connections,
    db::Tx,
    deliveries,
    engine::{Engine, Scope},
    environments, erasure, erasure_work, events, idempotency, invitations, members, models, notifications, persist,
    references, secrets, variables, webhook_subscriptions, workspaces,
};
use async_trait::async_trait;
use settings_domain::{
    api_keys::ApiKeyView,
    audit_digest::{AuditDigest, AuditSummary, DigestRun},
    billing::{BillingAccount, BillingEventId, DayTotal, UsageId, UsageRecord},
    change::ChangeSet,
    connections::ConnectionRecord,
    deliveries::DeliveryView,
    environments::Environment,
    erasure::{Survey, Traces},
    events::Event,
    idempotency::{IdempotentCall, Recorded},
    ids::{
        ApiKeyId, DeliveryId, DigestRunId, EnvironmentId, InvitationId, ModelId, SecretId, UserId, VariableId,
        WebhookSubscriptionId, WorkspaceId,
    },
    invitations::{Acquaintance, Invitation, InvitationView},
    members::{Headcount, MemberView},
    models::{ModelRecord, ModelView, Tenants},
    notifications::NotificationSettings,
    ports::{
        StoreError,
        audit::{AuditSealer, Link},
        store::{
            ApiKeyFilter, AuditEntry, AuditFilter, ChainPart, DeliveryFilter, MemberFilter, Page, TenantReads,
            UnitOfWork,
        },
    },
    references::{Dependant, Referrer, ReferrerKey, Use},
    secrets::{Secret, SecretRecord},
    text::{DisplayName, EmailKey, Slug},
    tokens::Digest,
    variables::{Variable, VariableName, VariableRecord},
    webhook_subscriptions::{Health, SubscriptionRecord, WebhookSubscription},
    workspaces::Workspace,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};
use time::{Date, OffsetDateTime};
use tokio::sync::Notify;
use uuid::Uuid;

/// Whether the workspace of a session is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is.
    Present,
    /// It is marked as deleted.
    Deleted,
    /// There is no row: a workspace that is about to be made, or a caller who was not let in.
    Absent,
}

/// An open view of one tenant.
pub(crate) struct Session<E: Engine> {
    pub(crate) tx: Tx<E::Db>,
    pub(crate) engine: Arc<E>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    /// Told when something was queued.
    pub(crate) queued: Arc<Notify>,
    pub(crate) scope: Scope,
    /// The database's clock when the caller's standing was read: the instant that decisions are made at.
    pub(crate) at: OffsetDateTime,
    pub(crate) presence: Presence,
}

impl<E: Engine> fmt::Debug for Session<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl<E: Engine> Session<E> {
    pub(crate) const fn workspace_id(&self) -> Uuid {
        self.scope.workspace
    }
    /// Where outcomes are kept: with the workspace, or under nil for a call that makes one (each try has a fresh id).
    pub(crate) const fn idempotency_scope(&self) -> Uuid {
        match self.presence {
            Presence::Absent => Uuid::nil(),
            Presence::Present | Presence::Deleted => self.scope.workspace,
        }
    }
}

#[async_trait]
impl<E: Engine> TenantReads for Session<E> {
    async fn workspace(&mut self) -> Result<Option<Workspace>, StoreError> {
        workspaces::get(&mut self.tx, self.scope.workspace).await
    }
    async fn headcount(&mut self) -> Result<Headcount, StoreError> {
        workspaces::headcount(&mut self.tx, self.scope.workspace, self.at).await
    }
    async fn environments(&mut self) -> Result<Vec<Environment>, StoreError> {
        environments::list(&mut self.tx, self.scope.workspace).await
    }
    async fn members(&mut self, filter: &MemberFilter, page: Page) -> Result<Vec<MemberView>, StoreError> {
        members::list(&mut self.tx, self.scope.workspace, filter, page).await
    }
    async fn member(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError> {
        members::get(&mut self.tx, self.scope.workspace, user).await
    }
    async fn invitations(&mut self, page: Page) -> Result<Vec<InvitationView>, StoreError> {
        invitations::list(&mut self.tx, self.scope.workspace, page).await
    }
    async fn invitation(&mut self, id: InvitationId) -> Result<Option<InvitationView>, StoreError> {
        invitations::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn invitations_sent_by(&mut self, user: UserId) -> Result<Vec<Invitation>, StoreError> {
        invitations::sent_by(&mut self.tx, self.scope.workspace, user, self.at).await
    }
    async fn acquaintance(&mut self, email: &EmailKey) -> Result<Acquaintance, StoreError> {
        invitations::acquaintance(&mut self.tx, self.scope.workspace, email).await
    }
    async fn api_keys(&mut self, filter: ApiKeyFilter, page: Page) -> Result<Vec<ApiKeyView>, StoreError> {
        api_keys::list(&mut self.tx, self.scope.workspace, filter, page, self.at).await
    }
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyView>, StoreError> {
        api_keys::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn active_api_keys(&mut self) -> Result<i64, StoreError> {
        api_keys::count_active(&mut self.tx, self.scope.workspace, self.at).await
    }
    async fn variables(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Variable>, StoreError> {
        variables::list(&mut self.tx, self.scope.workspace, environment, page).await
    }
    async fn variable(&mut self, id: VariableId) -> Result<Option<VariableRecord>, StoreError> {
        variables::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn variable_records(
        &mut self,
        environment: Option<EnvironmentId>,
    ) -> Result<Vec<VariableRecord>, StoreError> {
        variables::records(&mut self.tx, self.scope.workspace, environment).await
    }
    async fn variable_named(
        &mut self,
        environment: EnvironmentId,
        name: &VariableName,
    ) -> Result<Option<VariableId>, StoreError> {
        variables::named(&mut self.tx, self.scope.workspace, environment, name).await
    }
    async fn variable_counts(&mut self) -> Result<BTreeMap<EnvironmentId, i64>, StoreError> {
        variables::counts(&mut self.tx, self.scope.workspace).await
    }
    async fn secrets(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Secret>, StoreError> {
        secrets::list(&mut self.tx, self.scope.workspace, environment, page).await
    }
    async fn secret(&mut self, id: SecretId) -> Result<Option<SecretRecord>, StoreError> {
        secrets::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn secret_named(
        &mut self,
        environment: EnvironmentId,
        name: &DisplayName,
    ) -> Result<Option<SecretId>, StoreError> {
        secrets::named(&mut self.tx, self.scope.workspace, environment, name).await
    }
    async fn secret_count(&mut self) -> Result<i64, StoreError> {
        secrets::count(&mut self.tx, self.scope.workspace).await
    }
    async fn models(&mut self, page: Page) -> Result<Vec<ModelView>, StoreError> {
        models::list(&mut self.tx, self.scope.workspace, page).await
    }
    async fn model(&mut self, id: ModelId) -> Result<Option<(ModelRecord, Option<OffsetDateTime>)>, StoreError> {
        models::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn model_count(&mut self) -> Result<i64, StoreError> {
        models::count(&mut self.tx, self.scope.workspace).await
    }
    async fn visible_system_models(&mut self) -> Result<Vec<ModelView>, StoreError> {
        // They are another tenant's rows: seen for this one statement, and only if somebody was let in here.
        if self.presence == Presence::Absent {
            return Ok(Vec::new());
        }
        self.engine.rescope(&mut self.tx, Scope::directory().by(self.scope.user)).await?;
        let there = models::visible(&mut self.tx).await?;
        self.engine.rescope(&mut self.tx, self.scope).await?;
        Ok(there)
    }
    async fn dependants(&mut self, uses: &BTreeSet<Use>) -> Result<Vec<Dependant>, StoreError> {
        references::dependants(&mut self.tx, &E::STATEMENTS, self.scope.workspace, uses).await
    }
    async fn known_uses(&mut self, uses: &BTreeSet<Use>) -> Result<BTreeSet<Use>, StoreError> {
        let mut known = references::known(&mut self.tx, &E::STATEMENTS, self.scope.workspace, uses).await?;
        let visible = self.visible_system_models().await?;
        known.extend(visible.iter().map(|v| Use::from(v.model.id)).filter(|u| uses.contains(u)));
        Ok(known)
    }
    async fn referrer(&mut self, key: &ReferrerKey) -> Result<Option<Referrer>, StoreError> {
        references::get(&mut self.tx, self.scope.workspace, key).await
    }
    async fn referrer_count(&mut self) -> Result<i64, StoreError> {
        references::count(&mut self.tx, self.scope.workspace).await
    }
    async fn audit_events(&mut self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        let sealer = Arc::clone(&self.sealer);
        audit::page(&mut self.tx, self.scope.workspace, sealer.as_ref(), filter, limit).await
    }
    async fn audit_digest(&mut self) -> Result<Option<AuditDigest>, StoreError> {
        audit_digest::get(&mut self.tx, self.scope.workspace).await
    }
    async fn audit_digest_run(&mut self, id: DigestRunId) -> Result<Option<DigestRun>, StoreError> {
        audit_digest::run(&mut self.tx, self.scope.workspace, id).await
    }
    async fn audit_summary(&mut self, run: &DigestRun) -> Result<AuditSummary, StoreError> {
        audit_digest::summary(&mut self.tx, self.scope.workspace, run).await
    }
    async fn audit_head(&mut self) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        audit::head(&mut self.tx, self.scope.workspace).await
    }
    async fn notification_settings(&mut self) -> Result<Option<NotificationSettings>, StoreError> {
        notifications::get(&mut self.tx, self.scope.workspace).await
    }
    async fn billing_account(&mut self) -> Result<BillingAccount, StoreError> {
        billing::account(&mut self.tx, self.scope.workspace).await
    }
    async fn billing_event_handled(&mut self, id: &BillingEventId) -> Result<bool, StoreError> {
        billing::handled(&mut self.tx, self.scope.workspace, id).await
    }
    async fn usage_record(&mut self, id: &UsageId) -> Result<Option<UsageRecord>, StoreError> {
        billing::usage(&mut self.tx, self.scope.workspace, id).await
    }
    async fn usage_by_day(&mut self, first: Date, last: Date) -> Result<Vec<DayTotal>, StoreError> {
        billing::by_day(&mut self.tx, self.scope.workspace, first, last).await
    }
    async fn admins(&mut self) -> Result<Vec<UserId>, StoreError> {
        members::admins(&mut self.tx, self.scope.workspace).await
    }
    async fn connection(&mut self) -> Result<Option<ConnectionRecord>, StoreError> {
        connections::get(&mut self.tx, self.scope.workspace).await
    }
    async fn webhook_subscriptions(&mut self) -> Result<Vec<WebhookSubscription>, StoreError> {
        webhook_subscriptions::list(&mut self.tx, self.scope.workspace).await
    }
    async fn webhook_subscription(
        &mut self,
        id: WebhookSubscriptionId,
    ) -> Result<Option<(SubscriptionRecord, Health)>, StoreError> {
        webhook_subscriptions::get(&mut self.tx, self.scope.workspace, id).await
    }
    async fn published_event(&mut self, key: &Digest) -> Result<Option<Event>, StoreError> {
        events::by_key(&mut self.tx, self.scope.workspace, key).await
    }
    async fn waiting_deliveries(&mut self) -> Result<i64, StoreError> {
        deliveries::waiting(&mut self.tx, self.scope.workspace).await
    }
    async fn deliveries(&mut self, filter: DeliveryFilter, page: Page) -> Result<Vec<DeliveryView>, StoreError> {
        deliveries::list(&mut self.tx, &E::STATEMENTS, self.scope.workspace, filter, page).await
    }
    async fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
        deliveries::get(&mut self.tx, &E::STATEMENTS, self.scope.workspace, id).await
    }
    async fn audit_chain(&mut self, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        audit::chain(&mut self.tx, self.scope.workspace, after, limit).await
    }
    async fn glimpse(&mut self, user: UserId) -> Result<Option<Traces>, StoreError> {
        erasure::traces(&mut self.tx, self.scope.workspace, user, false).await
    }
    async fn survey(&mut self, from: Survey) -> Result<Survey, StoreError> {
        erasure_work::survey(&mut self.tx, self.scope.workspace, from).await
    }
    async fn erased_since(&mut self, seq: i64) -> Result<bool, StoreError> {
        erasure_work::erased_since(&mut self.tx, self.scope.workspace, seq).await
    }
}

#[async_trait]
impl<E: Engine> UnitOfWork for Session<E> {
    async fn slug_taken(&mut self, slug: &Slug) -> Result<bool, StoreError> {
        // Other tenants' slugs are seen in the directory's scope only.
        self.engine.rescope(&mut self.tx, Scope::directory().by(self.scope.user)).await?;
        let taken = workspaces::slug_taken(&mut self.tx, slug).await?;
        self.engine.rescope(&mut self.tx, self.scope).await?;
        Ok(taken)
    }
    async fn system_model_tenants(&mut self, model: ModelId) -> Result<Vec<Tenants>, StoreError> {
        if self.scope.workspace != WorkspaceId::PLATFORM.as_uuid() {
            return Ok(Vec::new());
        }
        self.engine.rescope(&mut self.tx, Scope::directory().by(self.scope.user)).await?;
        let tenants = models::tenants(&mut self.tx, model).await?;
        self.engine.rescope(&mut self.tx, self.scope).await?;
        Ok(tenants)
    }
    async fn traces(&mut self, user: UserId) -> Result<Option<Traces>, StoreError> {
        let workspace = self.scope.workspace;
        let Some(mut traces) = erasure::traces(&mut self.tx, workspace, user, true).await? else { return Ok(None) };
        // What other tenants know of an account is seen in the directory's scope only.
        self.engine.rescope(&mut self.tx, Scope::directory().by(self.scope.user)).await?;
        for account in traces.members.iter().map(|m| m.user).collect::<Vec<_>>() {
            if erasure::is_alone(&mut self.tx, workspace, account).await? {
                traces.accounts.insert(account);
            }
        }
        self.engine.rescope(&mut self.tx, self.scope).await?;
        Ok(Some(traces))
    }
    async fn was_erased(&mut self, subject: &Digest) -> Result<bool, StoreError> {
        erasure::was_erased(&mut self.tx, self.scope.workspace, subject).await
    }
    async fn recorded(&mut self, call: &IdempotentCall) -> Result<Recorded, StoreError> {
        let scope = self.idempotency_scope();
        idempotency::recorded(&mut self.tx, scope, call, self.at).await
    }
    async fn persist(self: Box<Self>, set: ChangeSet) -> Result<Option<Link>, StoreError> {
        persist::run(*self, set).await
    }
}
