//! The tenant's store: snapshots to read, one kind of transaction to write, one method that writes.
use super::{StoreError, audit::Link};
use crate::{
    api_keys::{ApiKeyRecord, ApiKeyView},
    audit::{AuditRecord, SealedEvent},
    audit_digest::{AuditDigest, AuditSummary, DigestRun},
    billing::{BillingAccount, BillingEventId, DayTotal, UsageId, UsageRecord},
    change::ChangeSet,
    connections::ConnectionRecord,
    deliveries::{DeliveryStatus, DeliveryView},
    environments::Environment,
    erasure::{Survey, Traces},
    events::Event,
    idempotency::{IdempotentCall, Recorded},
    ids::{
        ApiKeyId, DeliveryId, DigestRunId, EnvironmentId, InvitationId, ModelId, PublishedEventId, SecretId, UserId,
        VariableId, WebhookSubscriptionId, WorkspaceId,
    },
    invitations::{Acquaintance, Invitation, InvitationView},
    members::{Headcount, Member, MemberView},
    models::{ModelRecord, ModelView, Tenants},
    notifications::{Channel, NotificationSettings},
    policy::{Permit, Role, TenantScope, actions},
    ports::vault::WrappedDataKey,
    references::{Dependant, Referrer, ReferrerKey, Use},
    secrets::{Secret, SecretRecord},
    text::{DisplayName, EmailKey, Slug},
    tokens::Digest,
    variables::{Variable, VariableName, VariableRecord},
    webhook_subscriptions::{Health, SubscriptionRecord, WebhookSubscription},
    workspaces::{Workspace, WorkspaceView},
};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Whose rights are to be read with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerId {
    /// A signed-in account.
    User(UserId),
    /// An authenticated key.
    Key(ApiKeyId),
    /// The service itself.
    Service,
}

/// Which workspace a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By id.
    Id(WorkspaceId),
    /// By slug.
    Slug(Slug),
    /// The one that an invitation belongs to.
    Invitation(InvitationId),
    /// The one that a variable belongs to (seed B: the path names no organization).
    Variable(VariableId),
    /// The one that a model belongs to; none for a system model.
    Model(ModelId),
    /// The platform's own tenant: named by operations on system models alone, never by a caller.
    Platform,
    /// The caller's own: a key's workspace, or the only one an account is a member of.
    Own,
}

/// What is found at a workspace's door.
#[derive(Debug, Clone)]
pub enum Entry {
    /// The workspace exists; `Standing` says what the caller is there.
    Found(Box<Standing>),
    /// There is none, or it was deleted.
    Missing,
    /// The account has none or several, so somebody has to choose.
    Unclear,
}

/// What the caller is in a workspace, read together with the data or under the tenant lock.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The database's clock, in whole microseconds.
    pub at: OffsetDateTime,
    /// Whether the workspace exists and is not deleted.
    pub exists: bool,
    /// The account's membership, active or former.
    pub member: Option<Member>,
    /// The key's row.
    pub key: Option<ApiKeyRecord>,
}

/// A page of a list: everything after `after` in the list's own order, at most `limit` entries.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Last id of the page before.
    pub after: Option<Uuid>,
    /// Most entries to return.
    pub limit: i64,
}

/// Which members.
#[derive(Debug, Clone, Default)]
pub struct MemberFilter {
    /// Text to find in name or e-mail, taken literally.
    pub text: Option<String>,
    /// With this role.
    pub role: Option<Role>,
    /// Those who were removed, in place of those who are members.
    pub former: bool,
}

/// Which keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApiKeyFilter {
    /// Only those whose creator is no longer a member.
    pub departed: bool,
    /// Only those made by this account that still work.
    pub active_of: Option<UserId>,
}

/// Which deliveries. All conditions hold together.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeliveryFilter {
    /// That have come this far.
    pub status: Option<DeliveryStatus>,
    /// On this channel.
    pub channel: Option<Channel>,
    /// Of this event.
    pub event: Option<PublishedEventId>,
}

/// Which audit events. All conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// With one of these risks; all when empty.
    pub risks: Vec<crate::audit::Risk>,
    /// With this name.
    pub action: Option<String>,
    /// Done by this account or key.
    pub actor: Option<Uuid>,
    /// About this thing.
    pub target: Option<Uuid>,
    /// At or after.
    pub from: Option<OffsetDateTime>,
    /// Before.
    pub to: Option<OffsetDateTime>,
    /// Only events before this place: the list runs from new to old.
    pub before_seq: Option<i64>,
    /// Only events after this place.
    pub after_seq: Option<i64>,
}

/// An audit event as shown: its public part and what is still readable of its personal fields.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// The public part.
    pub record: AuditRecord,
    /// The hash.
    pub hash: [u8; 32],
    /// Personal fields; `None` where erased.
    pub personal: Vec<(String, Option<String>)>,
}

/// A stretch of the chain for verification.
#[derive(Debug)]
pub struct ChainPart {
    /// Events in order.
    pub events: Vec<SealedEvent>,
    /// Wrapped salts of the persons they speak of; erased ones are missing.
    pub salts: super::audit::Salts,
}

/// Loads of one tenant, all from one snapshot or under one lock.
#[async_trait]
pub trait TenantReads: Send {
    /// The workspace.
    async fn workspace(&mut self) -> Result<Option<Workspace>, StoreError>;
    /// How full it is.
    async fn headcount(&mut self) -> Result<Headcount, StoreError>;
    /// Its environments, oldest first.
    async fn environments(&mut self) -> Result<Vec<Environment>, StoreError>;
    /// Active or former members, by account id.
    async fn members(&mut self, filter: &MemberFilter, page: Page) -> Result<Vec<MemberView>, StoreError>;
    /// One member, active or former.
    async fn member(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError>;
    /// Invitations that still wait, expired ones included, by id.
    async fn invitations(&mut self, page: Page) -> Result<Vec<InvitationView>, StoreError>;
    /// One invitation in any state.
    async fn invitation(&mut self, id: InvitationId) -> Result<Option<InvitationView>, StoreError>;
    /// Unexpired pending invitations sent by this account.
    async fn invitations_sent_by(&mut self, user: UserId) -> Result<Vec<Invitation>, StoreError>;
    /// What is known of an address here.
    async fn acquaintance(&mut self, email: &EmailKey) -> Result<Acquaintance, StoreError>;
    /// Keys by id, revoked ones included.
    async fn api_keys(&mut self, filter: ApiKeyFilter, page: Page) -> Result<Vec<ApiKeyView>, StoreError>;
    /// One key.
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyView>, StoreError>;
    /// How many keys work.
    async fn active_api_keys(&mut self) -> Result<i64, StoreError>;
    /// Variables by id, of one environment or of all.
    async fn variables(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Variable>, StoreError>;
    /// One variable with what is stored of its value.
    async fn variable(&mut self, id: VariableId) -> Result<Option<VariableRecord>, StoreError>;
    /// Every variable with what is stored of its value, of one environment or of all, by name.
    async fn variable_records(&mut self, environment: Option<EnvironmentId>)
    -> Result<Vec<VariableRecord>, StoreError>;
    /// The variable of this name in an environment.
    async fn variable_named(
        &mut self,
        environment: EnvironmentId,
        name: &VariableName,
    ) -> Result<Option<VariableId>, StoreError>;
    /// How many variables there are in each environment; those without any are left out.
    async fn variable_counts(&mut self) -> Result<BTreeMap<EnvironmentId, i64>, StoreError>;
    /// Secrets by id, of one environment or of all.
    async fn secrets(&mut self, environment: Option<EnvironmentId>, page: Page) -> Result<Vec<Secret>, StoreError>;
    /// One secret with what is stored of its value.
    async fn secret(&mut self, id: SecretId) -> Result<Option<SecretRecord>, StoreError>;
    /// The secret of this name in an environment.
    async fn secret_named(
        &mut self,
        environment: EnvironmentId,
        name: &DisplayName,
    ) -> Result<Option<SecretId>, StoreError>;
    /// How many secrets there are.
    async fn secret_count(&mut self) -> Result<i64, StoreError>;
    /// Models of this tenant by id.
    async fn models(&mut self, page: Page) -> Result<Vec<ModelView>, StoreError>;
    /// One model of this tenant with what is stored of its credential.
    async fn model(&mut self, id: ModelId) -> Result<Option<(ModelRecord, Option<OffsetDateTime>)>, StoreError>;
    /// How many models this tenant has.
    async fn model_count(&mut self) -> Result<i64, StoreError>;
    /// The platform's models that workspaces may choose, by id.
    async fn visible_system_models(&mut self) -> Result<Vec<ModelView>, StoreError>;
    /// Who is said to use any of these.
    async fn dependants(&mut self, uses: &BTreeSet<Use>) -> Result<Vec<Dependant>, StoreError>;
    /// Those of these uses that name something: things of this tenant, and visible system models.
    async fn known_uses(&mut self, uses: &BTreeSet<Use>) -> Result<BTreeSet<Use>, StoreError>;
    /// One referrer with all that it uses.
    async fn referrer(&mut self, key: &ReferrerKey) -> Result<Option<Referrer>, StoreError>;
    /// How many referrers there are.
    async fn referrer_count(&mut self) -> Result<i64, StoreError>;
    /// Audit events, newest first.
    async fn audit_events(&mut self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>, StoreError>;
    /// Place and hash of the chain's head; `None` before the first event.
    async fn audit_head(&mut self) -> Result<Option<(i64, [u8; 32])>, StoreError>;
    /// The audit digest; `None` before anybody chose anything.
    async fn audit_digest(&mut self) -> Result<Option<AuditDigest>, StoreError>;
    /// An audit digest that began.
    async fn audit_digest_run(&mut self, id: DigestRunId) -> Result<Option<DigestRun>, StoreError>;
    /// What the run's window holds of the risks that count, in numbers, with the five actors who did the most.
    async fn audit_summary(&mut self, run: &DigestRun) -> Result<AuditSummary, StoreError>;
    /// The notification preferences; `None` before anybody chose anything.
    async fn notification_settings(&mut self) -> Result<Option<NotificationSettings>, StoreError>;
    /// The active admins, who joined first first.
    async fn admins(&mut self) -> Result<Vec<UserId>, StoreError>;
    /// The workspace's connection, if it has one.
    async fn connection(&mut self) -> Result<Option<ConnectionRecord>, StoreError>;
    /// Every webhook subscription, by id.
    async fn webhook_subscriptions(&mut self) -> Result<Vec<WebhookSubscription>, StoreError>;
    /// One webhook subscription with what is stored of its secrets, and since when it fails.
    async fn webhook_subscription(
        &mut self,
        id: WebhookSubscriptionId,
    ) -> Result<Option<(SubscriptionRecord, Health)>, StoreError>;
    /// The event of this key, if it was taken already.
    async fn published_event(&mut self, key: &Digest) -> Result<Option<Event>, StoreError>;
    /// How many deliveries wait.
    async fn waiting_deliveries(&mut self) -> Result<i64, StoreError>;
    /// Deliveries, newest first.
    async fn deliveries(&mut self, filter: DeliveryFilter, page: Page) -> Result<Vec<DeliveryView>, StoreError>;
    /// What is known of the workspace's billing.
    async fn billing_account(&mut self) -> Result<BillingAccount, StoreError>;
    /// Whether this event of the billing service was handled already.
    async fn billing_event_handled(&mut self, id: &BillingEventId) -> Result<bool, StoreError>;
    /// The report of this id, if it was counted already.
    async fn usage_record(&mut self, id: &UsageId) -> Result<Option<UsageRecord>, StoreError>;
    /// Usage by metric and day, of these days and those between them.
    async fn usage_by_day(&mut self, first: Date, last: Date) -> Result<Vec<DayTotal>, StoreError>;
    /// One delivery.
    async fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError>;
    /// A stretch of the chain after a place.
    async fn audit_chain(&mut self, after: i64, limit: i64) -> Result<ChainPart, StoreError>;
    /// As [`UnitOfWork::traces`], before anything is decided: nothing is held, and which accounts go is left open.
    async fn glimpse(&mut self, user: UserId) -> Result<Option<Traces>, StoreError>;
    /// Goes on with a survey, to the end of the chain.
    async fn survey(&mut self, from: Survey) -> Result<Survey, StoreError>;
    /// Whether somebody was erased after a place of the chain: a survey up to there does not hold any more.
    async fn erased_since(&mut self, seq: i64) -> Result<bool, StoreError>;
}

/// An adapter's open transaction: loads under the tenant lock, and one way to write.
#[async_trait]
pub trait UnitOfWork: TenantReads {
    /// Whether any workspace, deleted ones included, has this slug.
    async fn slug_taken(&mut self, slug: &Slug) -> Result<bool, StoreError>;
    /// Which workspaces are said to use a system model. Only the platform's own tenant may ask.
    async fn system_model_tenants(&mut self, model: ModelId) -> Result<Vec<Tenants>, StoreError>;
    /// Everything that is kept of the person behind an account; `None` where it is and was no member.
    async fn traces(&mut self, user: UserId) -> Result<Option<Traces>, StoreError>;
    /// Whether somebody of this MAC was erased.
    async fn was_erased(&mut self, subject: &Digest) -> Result<bool, StoreError>;
    /// What is known of an idempotent call.
    async fn recorded(&mut self, call: &IdempotentCall) -> Result<Recorded, StoreError>;
    /// Applies every write, appends every event, queues every notice, keeps the outcome, commits. All or nothing. Answers
    /// with the place of the last event; `None` where there was none.
    async fn persist(self: Box<Self>, set: ChangeSet) -> Result<Option<Link>, StoreError>;
}

/// Opens snapshots and transactions.
#[async_trait]
pub trait Store: Send + Sync {
    /// One consistent view of one workspace, with the caller's standing in it as of the same instant.
    async fn snapshot(
        &self,
        caller: CallerId,
        selector: &Selector,
    ) -> Result<(Box<dyn TenantReads>, Entry), StoreError>;
    /// A transaction that holds the tenant's lock, with the caller's standing read under it: whoever was demoted a
    /// millisecond ago has lost.
    async fn begin(&self, scope: TenantScope, caller: CallerId) -> Result<(Box<dyn UnitOfWork>, Standing), StoreError>;
}

/// A key with everything that a hot read needs, all of one instant.
#[derive(Debug, Clone)]
pub struct KeyStanding {
    /// The key's row.
    pub record: ApiKeyRecord,
    /// Its workspace.
    pub workspace: WorkspaceView,
    /// The database's clock.
    pub at: OffsetDateTime,
}

/// Looks up keys. No answer is older than its question, so a revocation that was answered holds for every later call.
#[async_trait]
pub trait KeyDirectory: Send + Sync {
    /// The key and its workspace; `None` when either is gone.
    async fn key(&self, id: ApiKeyId) -> Result<Option<KeyStanding>, StoreError>;
}

/// What a workflow needs of an environment, all of one statement and so of one instant.
#[derive(Debug, Clone)]
pub struct ResolvedVariables {
    /// Every variable of the environment with what is stored of its value, by name.
    pub variables: Vec<VariableRecord>,
    /// The data keys that they were sealed with.
    pub keys: Vec<WrappedDataKey>,
}

/// A model for the prompt that calls it, all of one statement.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    /// The model: the workspace's own, or a system model that it may use.
    pub record: ModelRecord,
    /// The data key that its credential was sealed with.
    pub key: WrappedDataKey,
}

/// What executors ask, on the hot path of every run.
#[async_trait]
pub trait Resolving: Send + Sync {
    /// The variables of an environment; `None` when the workspace or the environment is not there.
    async fn resolve_variables(
        &self,
        permit: &Permit<actions::ResolveVariables>,
        environment: EnvironmentId,
    ) -> Result<Option<ResolvedVariables>, StoreError>;
    /// A model: the workspace's own, a visible system model, or a hidden one that something of the workspace used before
    /// it was hidden. `None` for everything else.
    async fn resolve_model(
        &self,
        permit: &Permit<actions::ResolveModel>,
        model: ModelId,
    ) -> Result<Option<ResolvedModel>, StoreError>;
    /// Notes that models were used, apart from their rows.
    async fn models_used(&self, used: &[(WorkspaceId, ModelId, OffsetDateTime)]) -> Result<(), StoreError>;
}
