//! Loads from one copy of everything.
use super::{
    audit_digest, billing, erasure, notifications,
    state::{State, Tenant},
};
use async_trait::async_trait;
use settings_domain::{
    api_keys::{ApiKeyRecord, ApiKeyView, Creator, KeyStatus},
    audit::{AuditRecord, SealedEvent},
    audit_digest::{AuditDigest, AuditSummary, DigestRun},
    billing::{BillingAccount, BillingEventId, DayTotal, UsageId, UsageRecord},
    connections::ConnectionRecord,
    deliveries::DeliveryView,
    environments::Environment,
    erasure::{Survey, Traces},
    events::Event,
    ids::{
        ApiKeyId, DeliveryId, DigestRunId, EnvironmentId, InvitationId, ModelId, SecretId, UserId, VariableId,
        WebhookSubscriptionId, WorkspaceId,
    },
    invitations::{Acquaintance, Invitation, InvitationView},
    members::{Headcount, Member, MemberView},
    models::{ModelRecord, ModelView, Tenants},
    notifications::NotificationSettings,
    ports::{
        StoreError,
        audit::AuditSealer,
        store::{ApiKeyFilter, AuditEntry, AuditFilter, ChainPart, DeliveryFilter, MemberFilter, Page, TenantReads},
    },
    references::{Dependant, Referrer, ReferrerKey, Use, UsedKind},
    secrets::{Secret, SecretRecord},
    text::{DisplayName, Email, EmailKey},
    tokens::Digest,
    variables::{Variable, VariableName, VariableRecord},
    webhook_subscriptions::{Health, SubscriptionRecord, WebhookSubscription},
    workspaces::Workspace,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// A view of one tenant, or of none for a caller who was not let in.
pub(super) struct View {
    pub(super) state: State,
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) at: OffsetDateTime,
    pub(super) sealer: Arc<dyn AuditSealer>,
}

/// A page of a list that is in the order of its ids already.
pub(super) fn page<T>(all: impl Iterator<Item = T>, page: Page, id: impl Fn(&T) -> Uuid) -> Vec<T> {
    let after = move |item: &T| page.after.is_none_or(|a| id(item) > a);
    all.filter(after).take(usize::try_from(page.limit).unwrap_or_default()).collect()
}

impl View {
    fn tenant(&self) -> Option<&Tenant> {
        self.state.living(self.workspace?)
    }
    fn list<T>(&self, f: impl FnOnce(&Tenant) -> Vec<T>) -> Vec<T> {
        self.tenant().map(f).unwrap_or_default()
    }
    fn key_view(&self, tenant: &Tenant, record: &ApiKeyRecord) -> ApiKeyView {
        let creator = record.key.created_by.map(|user| {
            let known = self.state.user(user);
            let name = known.and_then(|u| u.name.or_else(|| u.email.map(String::from)));
            Creator { user, name, still_member: tenant.members.get(&user).is_some_and(Member::is_active) }
        });
        let last_used_at = tenant.key_uses.get(&record.key.id).copied();
        ApiKeyView { key: record.key.clone(), creator, last_used_at }
    }
    fn invitation_view(&self, invitation: &Invitation) -> InvitationView {
        let inviter_name = invitation.invited_by.and_then(|u| self.state.user(u)).and_then(|u| u.name);
        InvitationView { invitation: invitation.clone(), inviter_name }
    }
    fn entry(&self, tenant: &Tenant, event: &SealedEvent) -> Result<AuditEntry, StoreError> {
        let (record, salts) = (event.record.clone(), tenant.salts());
        let open = |o| self.sealer.open(record.workspace, record.seq, o, &salts);
        let personal = event.openings.iter().map(|o| open(o).map(|value| (o.field.clone(), value)));
        let personal = personal.collect::<Result<_, _>>().map_err(|e| StoreError::Corrupt(e.to_string()))?;
        Ok(AuditEntry { record, hash: event.hash, personal })
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Tenant {
    pub(super) fn model_views(&self) -> impl Iterator<Item = ModelView> {
        let view = |r: &ModelRecord| ModelView {
            model: r.model.clone(),
            last_used_at: self.model_uses.get(&r.model.id).copied(),
        };
        self.models.values().map(view)
    }
}

impl View {
    /// Which workspaces use a model of the platform.
    pub(super) fn system_model_tenants(&self, model: ModelId) -> Vec<Tenants> {
        if self.workspace != Some(WorkspaceId::PLATFORM) {
            return Vec::new();
        }
        let uses = Use::from(model);
        let tenants = self.state.open_tenants().filter_map(|t| {
            let referrers = count(t.referrers.values().filter(|r| r.uses.contains(&uses)).count());
            let (workspace, name) = (t.workspace.id, t.workspace.name.clone());
            (referrers > 0).then_some(Tenants { workspace, name, referrers })
        });
        tenants.collect()
    }
}

fn text_fits(view: &MemberView, filter: &MemberFilter) -> bool {
    let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let named = |part: &String| {
        let name = view.user.name.as_deref().unwrap_or_default();
        let email = view.user.email.as_ref().map(Email::as_str).unwrap_or_default();
        contains(name, part) || contains(email, part)
    };
    filter.text.as_ref().is_none_or(named)
}

fn event_fits(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    let record: &AuditRecord = &entry.record;
    let says = |field: &str, id: Uuid| {
        entry.personal.iter().any(|(f, value)| f == field && value.as_deref() == Some(id.to_string().as_str()))
    };
    let about = |id: Uuid| {
        let workspace = record.target_kind == "workspace" && record.workspace.as_uuid() == id;
        record.target_id == Some(id) || workspace || says("target", id)
    };
    let by = |id: Uuid| record.actor_key.map(ApiKeyId::as_uuid) == Some(id) || says("actor", id);
    (filter.risks.is_empty() || filter.risks.contains(&record.risk))
        && filter.action.as_ref().is_none_or(|a| *a == record.action)
        && filter.actor.is_none_or(by)
        && filter.target.is_none_or(about)
        && filter.from.is_none_or(|at| record.at >= at)
        && filter.to.is_none_or(|at| record.at < at)
        && filter.before_seq.is_none_or(|seq| record.seq < seq)
        && filter.after_seq.is_none_or(|seq| record.seq > seq)
}

#[async_trait]
impl TenantReads for View {
    async fn workspace(&mut self) -> Result<Option<Workspace>, StoreError> {
        Ok(self.tenant().map(|t| t.workspace.clone()))
    }
    async fn headcount(&mut self) -> Result<Headcount, StoreError> {
        Ok(self.tenant().map(|t| t.headcount(self.at)).unwrap_or_default())
    }
    async fn environments(&mut self) -> Result<Vec<Environment>, StoreError> {
        let mut list = self.list(|t| t.environments.clone());
        list.sort_by_key(|e| (e.created_at, e.id));
        Ok(list)
    }
    async fn members(&mut self, filter: &MemberFilter, p: Page) -> Result<Vec<MemberView>, StoreError> {
        Ok(self.list(|t| {
            let active = t
                .members
                .values()
                .filter(|m| m.is_active() != filter.former && filter.role.is_none_or(|r| r == m.role));
            let views = active.filter_map(|m| t.member_view(m, &self.state)).filter(|v| text_fits(v, filter));
            page(views, p, |v| v.member.user.as_uuid())
        }))
    }
    async fn member(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError> {
        Ok(self.tenant().and_then(|t| t.member_view(t.members.get(&user)?, &self.state)))
    }
    async fn invitations(&mut self, p: Page) -> Result<Vec<InvitationView>, StoreError> {
        Ok(self.list(|t| page(t.pending().map(|i| self.invitation_view(i)), p, |v| v.invitation.id.as_uuid())))
    }
    async fn invitation(&mut self, id: InvitationId) -> Result<Option<InvitationView>, StoreError> {
        Ok(self.tenant().and_then(|t| t.invitations.get(&id)).map(|i| self.invitation_view(i)))
    }
    async fn invitations_sent_by(&mut self, user: UserId) -> Result<Vec<Invitation>, StoreError> {
        let sent = |i: &&Invitation| i.invited_by == Some(user) && !i.is_over(self.at);
        Ok(self.list(|t| t.pending().filter(sent).cloned().collect()))
    }
    async fn acquaintance(&mut self, email: &EmailKey) -> Result<Acquaintance, StoreError> {
        let Some(t) = self.tenant() else { return Ok(Acquaintance::default()) };
        let invited = t.persons.iter().find(|(_, p)| p.email.as_ref() == Some(email));
        let owning = || t.persons.iter().find(|(_, p)| self.state.has_address(p.user, email));
        let known_as = |m: &Member| t.persons.get(&m.person).and_then(|p| p.email.as_ref()) == Some(email);
        let is_this = |m: &&Member| known_as(m) || self.state.has_address(Some(m.user), email);
        Ok(Acquaintance {
            person: invited.or_else(owning).map(|(id, _)| *id),
            is_member: t.members.values().filter(|m| m.is_active()).any(|m| is_this(&m)),
            pending: t.pending().find(|i| i.email.key() == email).cloned(),
        })
    }
    async fn api_keys(&mut self, filter: ApiKeyFilter, p: Page) -> Result<Vec<ApiKeyView>, StoreError> {
        let active = |v: &ApiKeyView| v.key.status(self.at) == KeyStatus::Active;
        let fits = |v: &ApiKeyView| {
            (!filter.departed || v.creator.as_ref().is_none_or(|c| !c.still_member))
                && filter.active_of.is_none_or(|user| v.key.created_by == Some(user) && active(v))
        };
        Ok(self.list(|t| {
            let views = t.keys.values().map(|k| self.key_view(t, k)).filter(fits);
            page(views, p, |v| v.key.id.as_uuid())
        }))
    }
    async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyView>, StoreError> {
        Ok(self.tenant().and_then(|t| t.keys.get(&id).map(|k| self.key_view(t, k))))
    }
    async fn active_api_keys(&mut self) -> Result<i64, StoreError> {
        let active = |k: &&ApiKeyRecord| k.key.status(self.at) == KeyStatus::Active;
        let count = self.tenant().map_or(0, |t| t.keys.values().filter(active).count());
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
    async fn variables(&mut self, environment: Option<EnvironmentId>, p: Page) -> Result<Vec<Variable>, StoreError> {
        let fits = |v: &Variable| environment.is_none_or(|e| v.environment == e);
        Ok(self.list(|t| {
            let there = t.variables.values().map(|r| r.variable.clone()).filter(fits);
            page(there, p, |v| v.id.as_uuid())
        }))
    }
    async fn variable(&mut self, id: VariableId) -> Result<Option<VariableRecord>, StoreError> {
        Ok(self.tenant().and_then(|t| t.variables.get(&id)).cloned())
    }
    async fn variable_records(
        &mut self,
        environment: Option<EnvironmentId>,
    ) -> Result<Vec<VariableRecord>, StoreError> {
        let fits = |r: &&VariableRecord| environment.is_none_or(|e| r.variable.environment == e);
        Ok(self.list(|t| {
            let mut there: Vec<_> = t.variables.values().filter(fits).cloned().collect();
            there.sort_by(|a, b| (&a.variable.name, a.variable.id).cmp(&(&b.variable.name, b.variable.id)));
            there
        }))
    }
    async fn variable_named(
        &mut self,
        environment: EnvironmentId,
        name: &VariableName,
    ) -> Result<Option<VariableId>, StoreError> {
        let same = |r: &&VariableRecord| r.variable.environment == environment && r.variable.name == *name;
        Ok(self.tenant().and_then(|t| t.variables.values().find(same)).map(|r| r.variable.id))
    }
    async fn variable_counts(&mut self) -> Result<BTreeMap<EnvironmentId, i64>, StoreError> {
        let mut counts = BTreeMap::new();
        for record in self.tenant().into_iter().flat_map(|t| t.variables.values()) {
            *counts.entry(record.variable.environment).or_default() += 1;
        }
        Ok(counts)
    }
    async fn secrets(&mut self, environment: Option<EnvironmentId>, p: Page) -> Result<Vec<Secret>, StoreError> {
        let fits = |s: &Secret| environment.is_none_or(|e| s.environment == e);
        Ok(self.list(|t| page(t.secrets.values().map(|r| r.secret.clone()).filter(fits), p, |s| s.id.as_uuid())))
    }
    async fn secret(&mut self, id: SecretId) -> Result<Option<SecretRecord>, StoreError> {
        Ok(self.tenant().and_then(|t| t.secrets.get(&id)).cloned())
    }
    async fn secret_named(
        &mut self,
        environment: EnvironmentId,
        name: &DisplayName,
    ) -> Result<Option<SecretId>, StoreError> {
        let same = |r: &&SecretRecord| r.secret.environment == environment && r.secret.name == *name;
        Ok(self.tenant().and_then(|t| t.secrets.values().find(same)).map(|r| r.secret.id))
    }
    async fn secret_count(&mut self) -> Result<i64, StoreError> {
        Ok(self.tenant().map_or(0, |t| count(t.secrets.len())))
    }
    async fn models(&mut self, p: Page) -> Result<Vec<ModelView>, StoreError> {
        Ok(self.list(|t| page(t.model_views(), p, |v| v.model.id.as_uuid())))
    }
    async fn model(&mut self, id: ModelId) -> Result<Option<(ModelRecord, Option<OffsetDateTime>)>, StoreError> {
        let found = self.tenant().and_then(|t| t.models.get(&id).map(|r| (r.clone(), t.model_uses.get(&id).copied())));
        Ok(found)
    }
    async fn model_count(&mut self) -> Result<i64, StoreError> {
        Ok(self.tenant().map_or(0, |t| count(t.models.len())))
    }
    async fn visible_system_models(&mut self) -> Result<Vec<ModelView>, StoreError> {
        let platform = self.state.living(WorkspaceId::PLATFORM);
        let visible = platform.into_iter().flat_map(super::state::Tenant::model_views).filter(|v| v.model.visible);
        // When the platform's credential was last used is no business of a workspace.
        Ok(visible.map(|v| ModelView { last_used_at: None, ..v }).collect())
    }
    async fn dependants(&mut self, uses: &BTreeSet<Use>) -> Result<Vec<Dependant>, StoreError> {
        Ok(self.list(|t| {
            let of = |r: &Referrer| {
                let used = r.uses.intersection(uses).copied().collect::<Vec<_>>();
                used.into_iter()
                    .map(|u| Dependant { uses: u, key: r.key.clone(), name: r.name.clone() })
                    .collect::<Vec<_>>()
            };
            t.referrers.values().flat_map(of).collect()
        }))
    }
    async fn known_uses(&mut self, uses: &BTreeSet<Use>) -> Result<BTreeSet<Use>, StoreError> {
        let Some(tenant) = self.tenant() else { return Ok(BTreeSet::new()) };
        let system = |id: ModelId| {
            let platform = self.state.living(WorkspaceId::PLATFORM);
            platform.and_then(|p| p.models.get(&id)).is_some_and(|m| m.model.visible)
        };
        let known = |u: &&Use| match u.kind {
            UsedKind::Variable => tenant.variables.contains_key(&VariableId::from_uuid(u.id)),
            UsedKind::Secret => tenant.secrets.contains_key(&SecretId::from_uuid(u.id)),
            UsedKind::Model => {
                let id = ModelId::from_uuid(u.id);
                tenant.models.contains_key(&id) || system(id)
            }
            UsedKind::Environment => tenant.environments.iter().any(|e| e.id.as_uuid() == u.id),
        };
        Ok(uses.iter().filter(known).copied().collect())
    }
    async fn referrer(&mut self, key: &ReferrerKey) -> Result<Option<Referrer>, StoreError> {
        Ok(self.tenant().and_then(|t| t.referrers.get(key)).cloned())
    }
    async fn referrer_count(&mut self) -> Result<i64, StoreError> {
        Ok(self.tenant().map_or(0, |t| count(t.referrers.len())))
    }
    async fn audit_events(&mut self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        let Some(t) = self.tenant() else { return Ok(Vec::new()) };
        let mut entries = t.events.iter().map(|e| self.entry(t, e)).collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|e| std::cmp::Reverse(e.record.seq));
        entries.retain(|e| event_fits(e, filter));
        entries.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(entries)
    }
    async fn audit_digest(&mut self) -> Result<Option<AuditDigest>, StoreError> {
        Ok(self.tenant().and_then(|t| t.digest.clone()))
    }
    async fn audit_digest_run(&mut self, id: DigestRunId) -> Result<Option<DigestRun>, StoreError> {
        Ok(self.tenant().and_then(|t| t.digest_runs.get(&id).cloned()))
    }
    async fn audit_summary(&mut self, run: &DigestRun) -> Result<AuditSummary, StoreError> {
        Ok(self.tenant().map(|t| audit_digest::summary(&self.state, t, run)).unwrap_or_default())
    }
    async fn audit_head(&mut self) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        Ok(self.tenant().and_then(|t| t.head))
    }
    async fn notification_settings(&mut self) -> Result<Option<NotificationSettings>, StoreError> {
        Ok(self.tenant().and_then(|t| t.notifications.clone()))
    }
    async fn billing_account(&mut self) -> Result<BillingAccount, StoreError> {
        Ok(self.tenant().map(|t| t.billing.account.clone()).unwrap_or_default())
    }
    async fn billing_event_handled(&mut self, id: &BillingEventId) -> Result<bool, StoreError> {
        Ok(self.tenant().is_some_and(|t| t.billing.handled.contains_key(id)))
    }
    async fn usage_record(&mut self, id: &UsageId) -> Result<Option<UsageRecord>, StoreError> {
        Ok(self.tenant().and_then(|t| t.billing.usage.get(id)).map(|u| u.record.clone()))
    }
    async fn usage_by_day(&mut self, first: Date, last: Date) -> Result<Vec<DayTotal>, StoreError> {
        Ok(self.list(|t| billing::by_day(t, first, last)))
    }
    async fn admins(&mut self) -> Result<Vec<UserId>, StoreError> {
        Ok(self.list(notifications::admins))
    }
    async fn connection(&mut self) -> Result<Option<ConnectionRecord>, StoreError> {
        Ok(self.tenant().and_then(|t| t.connection.clone()))
    }
    async fn webhook_subscriptions(&mut self) -> Result<Vec<WebhookSubscription>, StoreError> {
        Ok(self.list(|t| t.webhooks.values().map(|r| r.subscription.clone()).collect()))
    }
    async fn webhook_subscription(
        &mut self,
        id: WebhookSubscriptionId,
    ) -> Result<Option<(SubscriptionRecord, Health)>, StoreError> {
        let found = self.tenant().and_then(|t| Some((t.webhooks.get(&id)?.clone(), t.health.get(&id).copied())));
        Ok(found.map(|(record, health)| (record, health.unwrap_or_default())))
    }
    async fn published_event(&mut self, key: &Digest) -> Result<Option<Event>, StoreError> {
        Ok(self.tenant().and_then(|t| t.published.values().find(|r| r.key == *key).map(|r| r.event)))
    }
    async fn waiting_deliveries(&mut self) -> Result<i64, StoreError> {
        Ok(self.tenant().map_or(0, |t| count(t.ledger.values().filter(|e| notifications::waits(e.status)).count())))
    }
    async fn deliveries(&mut self, filter: DeliveryFilter, p: Page) -> Result<Vec<DeliveryView>, StoreError> {
        Ok(self.list(|t| notifications::ledger(&self.state, t, filter, p)))
    }
    async fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
        Ok(self.tenant().and_then(|t| Some(notifications::view(&self.state, t, t.ledger.get(&id)?))))
    }
    async fn audit_chain(&mut self, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        let mut events = self.list(|t| t.events.clone());
        events.sort_by_key(|e| e.record.seq);
        events.retain(|e| e.record.seq > after);
        events.truncate(usize::try_from(limit).unwrap_or_default());
        Ok(ChainPart { events, salts: self.tenant().map(Tenant::salts).unwrap_or_default() })
    }
    async fn glimpse(&mut self, user: UserId) -> Result<Option<Traces>, StoreError> {
        Ok(self.tenant().and_then(|t| erasure::traces(&self.state, t, user)))
    }
    async fn survey(&mut self, from: Survey) -> Result<Survey, StoreError> {
        let Some(tenant) = self.tenant() else { return Ok(from) };
        Ok(erasure::survey(tenant, from, tenant.head.map_or(0, |(seq, _)| seq)))
    }
    async fn erased_since(&mut self, seq: i64) -> Result<bool, StoreError> {
        Ok(self.tenant().is_some_and(|t| erasure::erased_since(t, seq)))
    }
}
