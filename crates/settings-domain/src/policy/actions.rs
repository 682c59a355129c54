//! The actions: what can be done, what it asks, and the audit fact that it leaves. One zero-sized type each, so that a
//! signature can say which right it wants.
use super::{actor::SystemTask, evaluate::Requirement, permissions::Permission};
use crate::audit::Fact;

pub(super) mod sealed {
    pub trait Sealed {}
}

/// An action at the type level. Only the table below has any, and [`rights`](super::rights), which has one for each permission.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// Name: verb and noun.
    const NAME: &'static str;
    /// What it asks of its actor.
    const REQUIRES: Requirement;
}

/// An action that changes something, and so leaves a fact.
pub trait Mutation: Action {
    /// The fact.
    const FACT: Fact;
}

/// A row of the table, for documents and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionRow {
    /// Name.
    pub name: &'static str,
    /// What it asks.
    pub requires: Requirement,
    /// The fact it leaves, for a mutation.
    pub fact: Option<Fact>,
}

macro_rules! actions {
    ($($name:ident : $req:ident ( $arg:ident ) $(=> $fact:ident)?, $doc:literal;)*) => {
        $(#[doc = $doc] #[derive(Debug)] pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Action for $name {
            const NAME: &'static str = stringify!($name);
            const REQUIRES: Requirement = actions!(@req $req $arg);
        }
        $(impl Mutation for $name { const FACT: Fact = Fact::$fact; })?)*
        /// Every action.
        pub const ALL: &[ActionRow] = &[$(ActionRow { name: stringify!($name), requires: actions!(@req $req $arg), fact: actions!(@fact $($fact)?) }),*];
    };
    (@req may $p:ident) => { Requirement::Permission(Permission::$p) };
    (@req invitee $x:ident) => { Requirement::Invitee };
    (@req task $t:ident) => { Requirement::Task(SystemTask::$t) };
    (@fact) => { None };
    (@fact $f:ident) => { Some(Fact::$f) };
}

actions! {
    ReadWorkspace: may(WorkspaceRead), "Read the workspace.";
    UpdateWorkspace: may(WorkspaceUpdate) => WorkspaceUpdated, "Change name, region, retention or seats.";
    CreateOrganization: may(OrganizationsCreate) => WorkspaceCreated, "Make a workspace.";
    ListOrganizations: may(OrganizationsRead), "List every workspace.";
    UpdateOrganization: may(OrganizationsUpdate) => WorkspaceUpdated, "Change a workspace as its platform.";
    DeleteOrganization: may(OrganizationsDelete) => WorkspaceDeleted, "Delete a workspace.";
    ListEnvironments: may(EnvironmentsRead), "List environments.";
    CreateEnvironment: may(EnvironmentsCreate) => EnvironmentUpdated, "Add an environment.";
    UpdateEnvironment: may(EnvironmentsUpdate) => EnvironmentUpdated, "Rename or re-tier an environment.";
    DeleteEnvironment: may(EnvironmentsDelete) => EnvironmentUpdated, "Drop an environment.";
    ListMembers: may(MembersRead), "Read members and pending invitations.";
    InviteMember: may(MembersInvite) => MemberInvited, "Invite somebody.";
    ResendInvitation: may(MembersInvite) => InvitationResent, "Send an invitation again, with a new link.";
    RevokeInvitation: may(MembersInvite) => InvitationRevoked, "Take an invitation back.";
    AcceptInvitation: invitee(Holder) => MemberJoined, "Join by an invitation.";
    ChangeRole: may(MembersEditRole) => MemberUpdated, "Change a member's role.";
    RemoveMember: may(MembersRemove) => MemberRemoved, "Remove a member.";
    EraseMember: may(MembersErase) => MemberErased, "Erase the personal data of a member or former member, for ever.";
    ListApiKeys: may(ApiKeysRead), "List API keys.";
    CreateApiKey: may(ApiKeysCreate) => ApiKeyCreated, "Make an API key.";
    RevokeApiKey: may(ApiKeysRevoke) => ApiKeyRevoked, "Revoke an API key.";
    ListVariables: may(VariablesRead), "List variables; their values are in no answer.";
    PreviewVariables: may(VariablesUpdate), "Compare a file of variables with what is stored.";
    CreateVariable: may(VariablesCreate) => VariableCreated, "Add a variable.";
    UpdateVariable: may(VariablesUpdate) => VariableUpdated, "Rename a variable or give it another value.";
    DeleteVariable: may(VariablesDelete) => VariableDeleted, "Delete a variable.";
    ResolveVariables: task(Execute), "Open the values of an environment, for the workflow that runs in it.";
    ListSecrets: may(SecretsRead), "List secrets; their values are in no answer.";
    CreateSecret: may(SecretsCreate) => SecretCreated, "Keep a secret.";
    RotateSecret: may(SecretsUpdate) => SecretRotated, "Give a secret another value.";
    SealSecret: may(SecretsUpdate) => SecretSealed, "Make a secret unreadable through the API, for ever.";
    RevealSecret: may(SecretsReveal) => SecretAccessed, "Read a secret's value.";
    DeleteSecret: may(SecretsDelete) => SecretDeleted, "Delete a secret.";
    ListModels: may(ModelsRead), "Read models.";
    PickModel: may(ModelsUse), "List the models to choose from.";
    CreateModel: may(ModelsCreate) => ModelCreated, "Register a model.";
    UpdateModel: may(ModelsUpdate) => ModelUpdated, "Change a model or its credential.";
    TestModel: may(ModelsUpdate) => ModelTested, "Call a model's provider with its credential.";
    DeleteModel: may(ModelsDelete) => ModelDeleted, "Delete a model.";
    CreateSystemModel: may(SystemModelsCreate) => ModelCreated, "Register a model for every workspace.";
    UpdateSystemModel: may(SystemModelsUpdate) => ModelUpdated, "Change a system model, its credential or its visibility.";
    TestSystemModel: may(SystemModelsUpdate) => ModelTested, "Call a system model's provider with its credential.";
    DeleteSystemModel: may(SystemModelsDelete) => ModelDeleted, "Delete a system model.";
    ResolveModel: task(Execute), "Open a model's credential, for the prompt that calls it.";
    DeclareReferences: may(WorkflowsUpdate) => ReferencesDeclared, "Say what a workflow or the like uses.";
    DeclareAgentReferences: may(AgentsWrite) => ReferencesDeclared, "Say what an agent uses.";
    RotateKeys: task(RotateKeys) => KeysRotated, "Wrap every data key anew.";
    ReadAudit: may(AuditRead), "Read and verify the audit log.";
    ReadAuditDigest: may(AuditDigestRead), "Read the audit digest's settings.";
    UpdateAuditDigest: may(AuditDigestUpdate) => AuditDigestUpdated, "Choose when, to whom and about what audit digests are sent.";
    SendAuditDigest: task(SendDigest) => AuditDigestSent, "Send an audit digest.";
    ReadNotifications: may(NotificationsRead), "Read notification preferences, webhook subscriptions and deliveries.";
    UpdateNotifications: may(NotificationsUpdate) => NotificationsUpdated, "Choose which events are told on which channels.";
    TestChannel: may(NotificationsUpdate) => NotificationTested, "Send a test message over a channel.";
    RetryDelivery: may(NotificationsUpdate) => DeliveryRetried, "Try a delivery again that was given up.";
    CreateWebhookSubscription: may(NotificationsUpdate) => WebhookSubscriptionCreated, "Send events to a webhook.";
    UpdateWebhookSubscription: may(NotificationsUpdate) => WebhookSubscriptionUpdated, "Change a webhook's address, events or state.";
    RotateWebhookSecret: may(NotificationsUpdate) => WebhookSecretRotated, "Give a webhook another secret.";
    DeleteWebhookSubscription: may(NotificationsUpdate) => WebhookSubscriptionDeleted, "Delete a webhook subscription.";
    ListConnections: may(ConnectionsRead), "Read connections.";
    StartConnection: may(ConnectionsCreate) => ConnectionStarted, "Begin to connect Slack.";
    AuthorizeConnection: may(ConnectionsCreate) => ConnectionAuthorized, "Connect Slack, or connect it again.";
    UpdateConnection: may(ConnectionsUpdate) => ConnectionUpdated, "Choose a connection's channel, or switch it off.";
    DeleteConnection: may(ConnectionsDelete) => ConnectionDeleted, "Delete a connection.";
    PublishEvent: may(EventsPublish) => EventPublished, "Hand an event to notifications.";
    DeliverMessages: task(Deliver), "Open what a delivery needs.";
    FailConnection: task(Deliver) => ConnectionFailed, "Put a connection that Slack refuses into error.";
    DisableWebhookSubscription: task(Deliver) => WebhookSubscriptionDisabled, "Disable a webhook that failed for too long.";
    GiveUpDelivery: task(Deliver) => DeliveryGivenUp, "Give a delivery up.";
    ReadBilling: may(BillingRead), "Read plan, seats and usage.";
    OpenBillingPortal: may(BillingManage) => BillingPortalOpened, "Open the page on which the subscription is managed.";
    RecordUsage: may(RunsWrite) => UsageRecorded, "Report what was used.";
    SyncBilling: task(SyncBilling) => BillingUpdated, "Keep what the billing service says.";
    RecordDenials: task(RecordDenials) => AuthzDenied, "Write the summary of refused calls.";
}
