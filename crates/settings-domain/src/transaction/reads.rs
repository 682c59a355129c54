//! What a snapshot shows: each read is bound to the action whose right opened it.
use super::{Snapshot, verify_chain};
use crate::{
    api_keys::ApiKeyView,
    audit::Verification,
    audit_digest::AuditDigest,
    billing::{BillingAccount, Summary, summary},
    connections::Connection,
    deliveries::{Audience, DeliveryView},
    environments::Environment,
    ids::{DeliveryId, EnvironmentId, InvitationId, ModelId, SecretId, UserId, VariableId, WebhookSubscriptionId},
    invitations::InvitationView,
    members::MemberView,
    models::{MAX_MODELS, Model, ModelRecord, ModelView},
    notifications::{Channels, NotificationSettings},
    policy::{Action, actions},
    ports::{
        StoreError,
        audit::{AuditSealer, Link},
        store::{ApiKeyFilter, AuditEntry, AuditFilter, ChainPart, DeliveryFilter, MemberFilter, Page, TenantReads},
    },
    references::{Dependant, Use},
    secrets::Secret,
    text::Slug,
    tokens::Digest,
    variables::{Matrix, Planned, Variable, VariableName, plan},
    webhook_subscriptions::{Health, WebhookSubscription},
    workspaces::WorkspaceView,
};
use std::collections::BTreeMap;

impl Snapshot<actions::ReadWorkspace> {
    /// The workspace.
    pub async fn workspace(&mut self) -> Result<WorkspaceView, StoreError> {
        let workspace = self
            .reads
            .workspace()
            .await?
            .ok_or_else(|| StoreError::Corrupt("a workspace without its row".to_owned()))?;
        Ok(WorkspaceView { workspace, seats_used: self.reads.headcount().await?.used() })
    }
}
impl Snapshot<actions::ReadNotifications> {
    /// The preferences.
    pub async fn notification_settings(&mut self) -> Result<NotificationSettings, StoreError> {
        Ok(self.reads.notification_settings().await?.unwrap_or_default())
    }
    /// What the channels stand on; whether Slack is set up is the operator's to say.
    pub async fn channels(&mut self, slack_configured: bool) -> Result<Channels, StoreError> {
        channels(self.reads.as_mut(), slack_configured).await
    }
    /// Every webhook subscription, by id.
    pub async fn webhook_subscriptions(&mut self) -> Result<Vec<WebhookSubscription>, StoreError> {
        self.reads.webhook_subscriptions().await
    }
    /// One webhook subscription, and since when it fails.
    pub async fn webhook_subscription(
        &mut self,
        id: WebhookSubscriptionId,
    ) -> Result<Option<(WebhookSubscription, Health)>, StoreError> {
        Ok(self.reads.webhook_subscription(id).await?.map(|(record, health)| (record.subscription, health)))
    }
    /// Deliveries, newest first.
    pub async fn deliveries(&mut self, filter: DeliveryFilter, page: Page) -> Result<Vec<DeliveryView>, StoreError> {
        self.reads.deliveries(filter, page).await
    }
    /// One delivery.
    pub async fn delivery(&mut self, id: DeliveryId) -> Result<Option<DeliveryView>, StoreError> {
        self.reads.delivery(id).await
    }
}
impl Snapshot<actions::ListConnections> {
    /// The connections: none or one.
    pub async fn connections(&mut self) -> Result<Vec<Connection>, StoreError> {
        Ok(self.reads.connection().await?.map(|record| record.connection).into_iter().collect())
    }
}

/// What the channels stand on.
pub async fn channels(reads: &mut dyn TenantReads, slack_configured: bool) -> Result<Channels, StoreError> {
    Ok(Channels {
        slack_configured,
        connection: reads.connection().await?.map(|record| record.connection),
        subscriptions: reads.webhook_subscriptions().await?,
    })
}

/// Who may have to hear of something.
pub async fn audience(reads: &mut dyn TenantReads) -> Result<Audience, StoreError> {
    Ok(Audience {
        settings: reads.notification_settings().await?.unwrap_or_default(),
        admins: reads.admins().await?,
        connection: reads.connection().await?.map(|record| record.connection),
        subscriptions: reads.webhook_subscriptions().await?,
    })
}

impl Snapshot<actions::ListEnvironments> {
    /// The environments, oldest first.
    pub async fn environments(&mut self) -> Result<Vec<Environment>, StoreError> {
        self.reads.environments().await
    }
    /// How many variables each holds; those without any are left out.
    pub async fn variable_counts(&mut self) -> Result<BTreeMap<EnvironmentId, i64>, StoreError> {
        self.reads.variable_counts().await
    }
}
impl Snapshot<actions::ListVariables> {
    /// Variables, of one environment or of all; `None` where there is no such environment.
    pub async fn variables(
        &mut self,
        environment: Option<EnvironmentId>,
        page: Page,
    ) -> Result<Option<Vec<Variable>>, StoreError> {
        if !self.has(environment).await? {
            return Ok(None);
        }
        self.reads.variables(environment, page).await.map(Some)
    }
    /// One variable.
    pub async fn variable(&mut self, id: VariableId) -> Result<Option<Variable>, StoreError> {
        Ok(self.reads.variable(id).await?.map(|r| r.variable))
    }
    /// Who is said to use any of these.
    pub async fn dependants(
        &mut self,
        ids: impl IntoIterator<Item = VariableId>,
    ) -> Result<Vec<Dependant>, StoreError> {
        self.reads.dependants(&ids.into_iter().map(Use::from).collect()).await
    }
    /// All variables in all environments, compared.
    pub async fn matrix(&mut self) -> Result<Matrix, StoreError> {
        let environments = self.reads.environments().await?;
        Ok(Matrix::new(environments, &self.reads.variable_records(None).await?))
    }
}
impl Snapshot<actions::PreviewVariables> {
    /// What an import would do; `None` where there is no such environment.
    pub async fn plan(
        &mut self,
        environment: EnvironmentId,
        wanted: &[(VariableName, Digest)],
    ) -> Result<Option<Vec<Planned>>, StoreError> {
        if !self.has(Some(environment)).await? {
            return Ok(None);
        }
        Ok(Some(plan(&self.reads.variable_records(Some(environment)).await?, wanted)))
    }
}
impl Snapshot<actions::ListSecrets> {
    /// Secrets, of one environment or of all; `None` where there is no such environment.
    pub async fn secrets(
        &mut self,
        environment: Option<EnvironmentId>,
        page: Page,
    ) -> Result<Option<Vec<Secret>>, StoreError> {
        if !self.has(environment).await? {
            return Ok(None);
        }
        self.reads.secrets(environment, page).await.map(Some)
    }
    /// One secret.
    pub async fn secret(&mut self, id: SecretId) -> Result<Option<Secret>, StoreError> {
        Ok(self.reads.secret(id).await?.map(|r| r.secret))
    }
    /// Who is said to use any of these.
    pub async fn dependants(&mut self, ids: impl IntoIterator<Item = SecretId>) -> Result<Vec<Dependant>, StoreError> {
        self.reads.dependants(&ids.into_iter().map(Use::from).collect()).await
    }
}
impl Snapshot<actions::ListModels> {
    /// Models of this tenant.
    pub async fn models(&mut self, page: Page) -> Result<Vec<ModelView>, StoreError> {
        self.reads.models(page).await
    }
    /// One model of this tenant.
    pub async fn model(&mut self, id: ModelId) -> Result<Option<ModelView>, StoreError> {
        let view = |(record, last_used_at): (ModelRecord, _)| ModelView { model: record.model, last_used_at };
        Ok(self.reads.model(id).await?.map(view))
    }
    /// Who in this tenant is said to use any of these, system models included.
    pub async fn dependants(&mut self, ids: impl IntoIterator<Item = ModelId>) -> Result<Vec<Dependant>, StoreError> {
        self.reads.dependants(&ids.into_iter().map(Use::from).collect()).await
    }
    /// System models that workspaces may choose.
    pub async fn visible_system_models(&mut self) -> Result<Vec<ModelView>, StoreError> {
        self.reads.visible_system_models().await
    }
}
impl Snapshot<actions::PickModel> {
    /// What there is to choose from: models of the workspace, then visible system models.
    pub async fn selectable(&mut self) -> Result<Vec<Model>, StoreError> {
        let own = self.reads.models(Page { after: None, limit: MAX_MODELS }).await?;
        let system = self.reads.visible_system_models().await?;
        Ok(own.into_iter().chain(system).map(|v| v.model).collect())
    }
}
impl<A: Action> Snapshot<A> {
    /// Whether the environment is there; everything holds where none is named.
    async fn has(&mut self, environment: Option<EnvironmentId>) -> Result<bool, StoreError> {
        let Some(id) = environment else { return Ok(true) };
        Ok(self.reads.environments().await?.iter().any(|e| e.id == id))
    }
}
impl Snapshot<actions::ListMembers> {
    /// Active members.
    pub async fn members(&mut self, filter: &MemberFilter, page: Page) -> Result<Vec<MemberView>, StoreError> {
        self.reads.members(filter, page).await
    }
    /// One active member.
    pub async fn member(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError> {
        Ok(self.reads.member(user).await?.filter(|m| m.member.is_active()))
    }
    /// Somebody who is or was a member: events and keys outlive memberships.
    pub async fn anybody(&mut self, user: UserId) -> Result<Option<MemberView>, StoreError> {
        self.reads.member(user).await
    }
    /// Waiting invitations.
    pub async fn invitations(&mut self, page: Page) -> Result<Vec<InvitationView>, StoreError> {
        self.reads.invitations(page).await
    }
    /// One invitation.
    pub async fn invitation(&mut self, id: InvitationId) -> Result<Option<InvitationView>, StoreError> {
        self.reads.invitation(id).await
    }
}
impl Snapshot<actions::ListApiKeys> {
    /// Keys, revoked ones included.
    pub async fn api_keys(&mut self, filter: ApiKeyFilter, page: Page) -> Result<Vec<ApiKeyView>, StoreError> {
        self.reads.api_keys(filter, page).await
    }
}
impl Snapshot<actions::ReadAuditDigest> {
    /// The audit digest, or what a workspace has before anybody chose anything.
    pub async fn audit_digest(&mut self) -> Result<AuditDigest, StoreError> {
        Ok(self.reads.audit_digest().await?.unwrap_or_default())
    }
}
impl Snapshot<actions::ReadBilling> {
    /// What is known of the workspace's billing.
    pub async fn billing_account(&mut self) -> Result<BillingAccount, StoreError> {
        self.reads.billing_account().await
    }
    /// Plan, seats and usage as they are known now; whether there is a billing service is the operator's to say.
    pub async fn billing_summary(&mut self, configured: bool) -> Result<Summary, StoreError> {
        let (account, now) = (self.reads.billing_account().await?, self.permit.at());
        let workspace = self.reads.workspace().await?;
        let workspace = workspace.ok_or_else(|| StoreError::Corrupt("a workspace without its row".to_owned()))?;
        let used = self.reads.headcount().await?.used();
        let days = summary::days(summary::period(&account, now), now);
        let totals = match (days.first(), days.last()) {
            (Some(first), Some(last)) => self.reads.usage_by_day(*first, *last).await?,
            _ => Vec::new(),
        };
        Ok(summary::compose(configured, &account, workspace.seat_limit, used, &totals, now))
    }
}
impl Snapshot<actions::ReadAudit> {
    /// Events, newest first.
    pub async fn audit_events(&mut self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditEntry>, StoreError> {
        self.reads.audit_events(filter, limit).await
    }
    /// The end of the chain; [`Link::START`] before the first event.
    pub async fn head(&mut self) -> Result<Link, StoreError> {
        Ok(self.reads.audit_head().await?.map_or(Link::START, |(seq, hash)| Link { seq, hash }))
    }
    /// A stretch of the chain after a place, oldest first.
    pub async fn stretch(&mut self, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
        self.reads.audit_chain(after, limit).await
    }
    /// What the workspace is called in addresses.
    pub async fn slug(&mut self) -> Result<Slug, StoreError> {
        let workspace = self.reads.workspace().await?;
        Ok(workspace.ok_or_else(|| StoreError::Corrupt("a workspace without its row".to_owned()))?.slug)
    }
    /// Checks the whole chain of this snapshot.
    pub async fn verify(&mut self, sealer: &dyn AuditSealer) -> Result<Verification, StoreError> {
        verify_chain(self.reads.as_mut(), sealer).await
    }
}
