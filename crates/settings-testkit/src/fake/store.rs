//! The door: snapshots, transactions, keys.
use super::{FakeStore, erasure, persist, reads::View, state::State};
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
    idempotency::{IdempotentCall, KEPT, Recorded},
    ids::{
        ApiKeyId, DeliveryId, DigestRunId, EnvironmentId, InvitationId, ModelId, SecretId, UserId, VariableId,
        WebhookSubscriptionId, WorkspaceId,
    },
    invitations::{Acquaintance, Invitation, InvitationView},
    members::{Headcount, MemberView},
    models::{ModelRecord, ModelView, Tenants},
    notifications::NotificationSettings,
    policy::TenantScope,
    ports::{
        StoreError,
        audit::Link,
        store::{
            ApiKeyFilter, AuditEntry, AuditFilter, CallerId, ChainPart, DeliveryFilter, Entry, KeyDirectory,
            KeyStanding, MemberFilter, Page, Selector, Standing, Store, TenantReads, UnitOfWork,
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
use std::collections::{BTreeMap, BTreeSet};
use time::{Date, OffsetDateTime};
use tokio::sync::OwnedMutexGuard;

/// An open transaction: a copy of everything, and the lock that keeps the tenant's part of it true.
struct Work {
    store: FakeStore,
    view: View,
    workspace: WorkspaceId,
    _lock: OwnedMutexGuard<()>,
}

impl Work {
    /// Where outcomes are kept: with the workspace, or under none for a call that makes one.
    fn outcome_scope(&self) -> Option<WorkspaceId> {
        self.view.state.tenants.contains_key(&self.workspace).then_some(self.workspace)
    }
}

/// Lets everybody else go on, as waiting for a database would: a race that a rule forgets shows here too.
async fn others_first() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

fn standing(state: &State, workspace: WorkspaceId, caller: CallerId, at: OffsetDateTime) -> Standing {
    let member = |user| state.tenants.get(&workspace).and_then(|t| t.members.get(&user)).cloned();
    let (member, key) = match caller {
        CallerId::User(user) => (member(user), None),
        CallerId::Key(id) => (None, state.key(id).map(|(_, record)| record.clone())),
        CallerId::Service => (None, None),
    };
    Standing { workspace, at, exists: state.living(workspace).is_some(), member, key }
}

fn enter(state: &State, caller: CallerId, selector: &Selector, at: OffsetDateTime) -> Entry {
    let there = |id: WorkspaceId| state.living(id).is_some();
    // No address leads to the platform's own tenant.
    let living = |id: Option<WorkspaceId>| id.filter(|id| *id != WorkspaceId::PLATFORM && there(*id));
    let holder = |holds: &dyn Fn(&super::state::Tenant) -> bool| {
        living(state.tenants.values().find(|t| holds(t)).map(|t| t.workspace.id))
    };
    let id = match (selector, caller) {
        (Selector::Id(id), _) => living(Some(*id)),
        (Selector::Slug(slug), _) => living(state.by_slug(slug).map(|t| t.workspace.id)),
        (Selector::Invitation(id), _) => holder(&|t| t.invitations.contains_key(id)),
        (Selector::Variable(id), _) => holder(&|t| t.variables.contains_key(id)),
        (Selector::Model(id), _) => holder(&|t| t.models.contains_key(id)),
        (Selector::Platform, _) => Some(WorkspaceId::PLATFORM),
        // A key's own workspace is told even when it is deleted: the key is invalid then, not the workspace unknown.
        (Selector::Own, CallerId::Key(id)) => state.key(id).map(|(t, _)| t.workspace.id),
        (Selector::Own, CallerId::User(user)) => {
            let mut own = state.workspaces_of(user);
            let (Some((only, _)), None) = (own.next(), own.next()) else { return Entry::Unclear };
            Some(only.workspace.id)
        }
        (Selector::Own, CallerId::Service) => return Entry::Unclear,
    };
    id.map_or(Entry::Missing, |id| Entry::Found(Box::new(standing(state, id, caller, at))))
}

#[async_trait]
impl Store for FakeStore {
    async fn snapshot(
        &self,
        caller: CallerId,
        selector: &Selector,
    ) -> Result<(Box<dyn TenantReads>, Entry), StoreError> {
        let (state, at) = (self.state().clone(), self.now());
        let entry = enter(&state, caller, selector, at);
        let workspace = match &entry {
            // A key of another workspace is let in nowhere, whatever is made of its standing.
            Entry::Found(s) if s.key.as_ref().is_none_or(|k| k.key.workspace == s.workspace) => Some(s.workspace),
            _ => None,
        };
        let view = View { state, workspace, at, sealer: self.shared.sealer.clone() };
        Ok((Box::new(view), entry))
    }

    async fn begin(&self, scope: TenantScope, caller: CallerId) -> Result<(Box<dyn UnitOfWork>, Standing), StoreError> {
        let workspace = scope.workspace();
        let lock = self.tenant_lock(workspace).await;
        // Copy and clock are taken under the lock: time runs in the order of commits.
        let (state, at) = (self.state().clone(), self.now());
        let standing = standing(&state, workspace, caller, at);
        let view = View { state, workspace: Some(workspace), at, sealer: self.shared.sealer.clone() };
        others_first().await;
        Ok((Box::new(Work { store: self.clone(), view, workspace, _lock: lock }), standing))
    }
}

#[async_trait]
impl UnitOfWork for Work {
    async fn slug_taken(&mut self, slug: &Slug) -> Result<bool, StoreError> {
        Ok(self.view.state.by_slug(slug).is_some())
    }
    async fn traces(&mut self, user: UserId) -> Result<Option<Traces>, StoreError> {
        let state = &self.view.state;
        Ok(state.tenants.get(&self.workspace).and_then(|t| erasure::traces(state, t, user)))
    }
    async fn was_erased(&mut self, subject: &Digest) -> Result<bool, StoreError> {
        let tenant = self.view.state.tenants.get(&self.workspace);
        Ok(tenant.is_some_and(|t| t.erased.contains(subject.as_bytes().as_slice())))
    }
    async fn recorded(&mut self, call: &IdempotentCall) -> Result<Recorded, StoreError> {
        let scope = self.outcome_scope();
        let same =
            |k: &IdempotentCall| k.principal == call.principal && k.operation == call.operation && k.key == call.key;
        let mut kept = self.view.state.outcomes.iter().filter(|o| o.scope == scope && o.at > self.view.at - KEPT);
        Ok(match kept.find(|o| same(&o.kept.call)) {
            None => Recorded::Unknown,
            Some(o) if o.kept.call.fingerprint == call.fingerprint => Recorded::Done(o.kept.value.clone()),
            Some(_) => Recorded::Reused,
        })
    }
    async fn system_model_tenants(&mut self, model: ModelId) -> Result<Vec<Tenants>, StoreError> {
        Ok(self.view.system_model_tenants(model))
    }
    async fn persist(self: Box<Self>, set: ChangeSet) -> Result<Option<Link>, StoreError> {
        others_first().await;
        // The copy that is written to is taken now: other tenants may have moved on since this transaction began.
        let mut state = self.store.state();
        let mut next = state.clone();
        let last =
            persist::apply(&mut next, &set, self.view.at, self.store.shared.sealer.as_ref(), self.outcome_scope())?;
        *state = next;
        Ok(last)
    }
}

/// A unit of work reads as its view does.
#[async_trait]
impl TenantReads for Work {
    async fn workspace(&mut self) -> Result<Option<Workspace>, StoreError> {
        self.view.workspace().await
    }
    async fn headcount(&mut self) -> Result<Headcount, StoreError> {
        self.view.headcount().await
    }
    async fn environments(&mut self) -> Result<Vec<Environment>, StoreError> {
        self.view.environments().await
    }
    async fn members(&mut self, filter: &MemberFilter, page: Page) -> Result<Vec<MemberView>, StoreError> {
        self.view.members(filter, page).await
    }
    async fn member(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError> {
        self.view.member(user).await
    }
    async fn invitations(&mut self, page: Page) -> Result<Vec<InvitationView>, StoreError> {
        self.view.invitations(page).await
    }
    async fn invitation(&mut self, id: InvitationId) -> Result<Option<InvitationView>, StoreError> {
        self.view.invitation(id).await
    }
    async fn invitations_sent_by(&mut self, user: UserId) -> Result<Vec<Invitation>, StoreError> {
        self.view.invitations_sent_by(user).await
    }
    async fn acquaintance(&mut self, email: &EmailKey) -> Result<Acquaintance, StoreError> {
        self.view.acquaintance(email).await
    }
    async fn api_keys(&mut self, filter: ApiKeyFilter, page: Page) -> Result<Vec<ApiKeyView>, StoreError> {
        self.view.api_keys(filter, page).await
    }
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyView>, StoreError> {
        self.view.api_key(id).await
    }
    async fn active_api_keys(&mut self) -> Result<i64, StoreError> {
        self.view.active_api_keys().await
    }
    async fn variables(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Variable>, StoreError> {
        self.view.variables(environment, page).await
    }
    async fn variable(&mut self, id: VariableId) -> Result<Option<VariableRecord>, StoreError> {
        self.view.variable(id).await
    }
    async fn variable_records(
        &mut self,
        environment: Option<EnvironmentId>,
    ) -> Result<Vec<VariableRecord>, StoreError> {
        self.view.variable_records(environment).await
    }
    async fn variable_named(
        &mut self,
        environment: EnvironmentId,
        name: &VariableName,
    ) -> Result<Option<VariableId>, StoreError> {
        self.view.variable_named(environment, name).await
    }
    async fn variable_counts(&mut self) -> Result<BTreeMap<EnvironmentId, i64>, StoreError> {
        self.view.variable_counts().await
    }
    async fn secrets(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Secret>, StoreError> {
        self.view.secrets(environment, page).await
    }
    async fn secret(&mut self, id: SecretId) -> Result<Option<SecretRecord>, StoreError> {
        self.view.secret(id).await
    }
    async fn secret_named(
        &mut self,
        environment: EnvironmentId,
        name: &DisplayName,
    ) -> Result<Option<SecretId>, StoreError> {
        self.view.secret_named(environment, name).await
    }
    async fn secret_count(&mut self) -> Result<i64, StoreError> {
        self.view.secret_count().await
    }
    async fn models(&mut self, page: Page) -> Result<Vec<ModelView>, StoreError> {
        self.view.models(page).await
    }
    async fn model(&mut self, id: ModelId) -> Result<Option<(ModelRecord, Option<OffsetDateTime>)>, StoreError> {
        self.view.model(id).await
    }
    async fn model_count(&mut self) -> Result<i64, StoreError> {
        self.view.model_count().await
    }
    async fn visible_system_models(&mut self) -> Result<Vec<ModelView>, StoreError> {
        self.view.visible_system_models().await
    }
    async fn dependants(&mut self, uses: &BTreeSet<Use>) -> Result<Vec<Dependant>, StoreError> {
        self.view.dependants(uses).await
    }
    async fn known_uses(&mut self, uses: &BTreeSet<Use>) -> Result<BTreeSet<Use>, StoreError> {
        self.view.known_uses(uses).await
    }
    async fn referrer(&mut self, key: &ReferrerKey) -> Result<Option<Referrer>, StoreError> {
        self.view.referrer(key).await
    }
    async fn referrer_count(&mut self) -> Result<i64, StoreError> {
        self.view.referrer_count().await
    }
    async fn audit_events(&mut self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        self.view.audit_events(filter, limit).await
    }
    async fn audit_digest(&mut self) -> Result<Option<AuditDigest>, StoreError> {
        self.view.audit_digest().await
    }
    async fn audit_digest_run(&mut self, id: DigestRunId) -> Result<Option<DigestRun>, StoreError> {
        self.view.audit_digest_run(id).await
    }
    async fn audit_summary(&mut self, run: &DigestRun) -> Result<AuditSummary, StoreError> {
        self.view.audit_summary(run).await
    }
    async fn audit_head(&mut self) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        self.view.audit_head().await
    }
    async fn notification_settings(&mut self) -> Result<Option<NotificationSettings>, StoreError> {
        self.view.notification_settings().await
    }
    async fn billing_account(&mut self) -> Result<BillingAccount, StoreError> {
        self.view.billing_account().await
    }
    async fn billing_event_handled(&mut self, id: &BillingEventId) -> Result<bool, StoreError> {
        self.view.billing_event_handled(id).await
    }
    async fn usage_record(&mut self, id: &UsageId) -> Result<Option<UsageRecord>, StoreError> {
        self.view.usage_record(id).await
    }
    async fn usage_by_day(&mut self, first: Date, last: Date) -> Result<Vec<DayTotal>, StoreError> {
        self.view.usage_by_day(first, last).await
    }
    async fn admins(&mut self) -> Result<Vec<UserId>, StoreError> {
        self.view.admins().await
    }
    async fn connection(&mut self) -> Result<Option<ConnectionRecord>, StoreError> {
        self.view.connection().await
    }
    async fn webhook_subscriptions(&mut self) -> Result<Vec<WebhookSubscription>, StoreError> {
        self.view.webhook_subscriptions().await
    }
    async fn webhook_subscription(
        &mut self,
        id: WebhookSubscriptionId,
    ) -> Result<Option<(SubscriptionRecord, Health)>, StoreError> {
        self.view.webhook_subscription(id).await
    }
    async fn published_event(&mut self, key: &Digest) -> Result<Option<Event>, StoreError> {
        self.view.published_event(key).await
    }
    async fn waiting_deliveries(&mut self) -> Result<i64, StoreError> {
        self.view.waiting_deliveries().await
    }
    async fn deliveries(&mut self, filter: DeliveryFilter, page: Page) -> Result<Vec<DeliveryView>, StoreError> {
        self.view.deliveries(filter, page).await
    }
    async fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
        self.view.delivery(id).await
    }
    async fn audit_chain(&mut self, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        self.view.audit_chain(after, limit).await
    }
    async fn glimpse(&mut self, user: UserId) -> Result<Option<Traces>, StoreError> {
        self.view.glimpse(user).await
    }
    async fn survey(&mut self, from: Survey) -> Result<Survey, StoreError> {
        self.view.survey(from).await
    }
    async fn erased_since(&mut self, seq: i64) -> Result<bool, StoreError> {
        self.view.erased_since(seq).await
    }
}

#[async_trait]
impl KeyDirectory for FakeStore {
    async fn key(&self, id: ApiKeyId) -> Result<Option<KeyStanding>, StoreError> {
        let (state, at) = (self.state(), self.now());
        let found = state.key(id).filter(|(t, _)| !t.deleted);
        Ok(found.map(|(t, record)| KeyStanding { record: record.clone(), workspace: t.view(at), at }))
    }
}
