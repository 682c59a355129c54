//! Everything that the fake keeps.
use super::billing::Billing;
use super::mirror::MirrorRow;
use settings_domain::{
    api_keys::ApiKeyRecord,
    audit::{SealedEvent, checkpoints::Checkpoint},
    audit_digest::{AuditDigest, DigestRun},
    change::StoredOutcome,
    connections::ConnectionRecord,
    deliveries::{Attempt, Delivery, DeliveryStatus},
    environments::Environment,
    events::EventRecord,
    ids::{
        ApiKeyId, DeliveryId, DigestRunId, InvitationId, ModelId, PersonId, PublishedEventId, SecretId, SessionId,
        SignInId, UserId, VariableId, WebhookSubscriptionId, WorkspaceId,
    },
    invitations::{Invitation, InvitationState},
    members::{Headcount, Member, MemberView, User},
    models::ModelRecord,
    notifications::NotificationSettings,
    policy::Role,
    ports::{audit::Salts, erasures::ErasureRun, outbox::Job, vault::WrappedDataKey},
    references::{Referrer, ReferrerKey},
    secrets::SecretRecord,
    text::{Email, EmailKey, Slug},
    tokens::Digest,
    variables::VariableRecord,
    webhook_subscriptions::{Health, SubscriptionRecord},
    workspaces::{Workspace, WorkspaceView},
};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) tenants: BTreeMap<WorkspaceId, Tenant>,
    pub(super) accounts: BTreeMap<UserId, Account>,
    pub(super) links: BTreeMap<SignInId, Link>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) queue: BTreeMap<DeliveryId, Message>,
    pub(super) mirrors: BTreeMap<WorkspaceId, MirrorRow>,
    /// Who was told of which link of which invitation.
    pub(super) asks: BTreeMap<(WorkspaceId, InvitationId, i64, UserId), DeliveryId>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) root_key: Option<Vec<u8>>,
    pub(super) data_keys: BTreeMap<(WorkspaceId, i64), WrappedDataKey>,
}

impl Default for State {
    /// Nothing but the platform's own tenant.
    fn default() -> Self {
        let platform = Tenant::new(platform());
        Self {
            tenants: BTreeMap::from([(WorkspaceId::PLATFORM, platform)]),
            accounts: BTreeMap::new(),
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            queue: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            asks: BTreeMap::new(),
            outcomes: Vec::new(),
            root_key: None,
            data_keys: BTreeMap::new(),
        }
    }
}

/// The row that a migration makes.
fn platform() -> Workspace {
    let at = OffsetDateTime::UNIX_EPOCH;
    Workspace {
        id: WorkspaceId::PLATFORM,
        slug: "system".parse().expect("a slug"),
        name: "Platform".parse().expect("a name"),
        region: "global".parse().expect("a region"),
        retention_days: 3_650,
        floor_days: 1,
        seat_limit: 1,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) workspace: Workspace,
    pub(super) deleted: bool,
    pub(super) environments: Vec<Environment>,
    pub(super) persons: BTreeMap<PersonId, PersonRow>,
    pub(super) members: BTreeMap<UserId, Member>,
    pub(super) invitations: BTreeMap<InvitationId, Invitation>,
    pub(super) keys: BTreeMap<ApiKeyId, ApiKeyRecord>,
    pub(super) key_uses: BTreeMap<ApiKeyId, OffsetDateTime>,
    pub(super) activity: BTreeMap<UserId, OffsetDateTime>,
    pub(super) events: Vec<SealedEvent>,
    pub(super) head: Option<(i64, [u8; 32])>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) variables: BTreeMap<VariableId, VariableRecord>,
    pub(super) secrets: BTreeMap<SecretId, SecretRecord>,
    pub(super) models: BTreeMap<ModelId, ModelRecord>,
    pub(super) model_uses: BTreeMap<ModelId, OffsetDateTime>,
    pub(super) referrers: BTreeMap<ReferrerKey, Referrer>,
    pub(super) digest: Option<AuditDigest>,
    pub(super) digest_runs: BTreeMap<DigestRunId, DigestRun>,
    pub(super) notifications: Option<NotificationSettings>,
    pub(super) connection: Option<ConnectionRecord>,
    pub(super) webhooks: BTreeMap<WebhookSubscriptionId, SubscriptionRecord>,
    pub(super) health: BTreeMap<WebhookSubscriptionId, Health>,
    pub(super) published: BTreeMap<PublishedEventId, EventRecord>,
    pub(super) ledger: BTreeMap<DeliveryId, Entry>,
    /// MACs of those who were erased.
    pub(super) erased: BTreeSet<Vec<u8>>,
    /// Erasures by the place of their event.
    pub(super) erasures: BTreeMap<i64, Erasure>,
    pub(super) billing: Billing,
}

/// An erasure, with whose openings are still to be emptied and when somebody last did.
#[derive(Debug, Clone)]
pub(super) struct Erasure {
    pub(super) run: ErasureRun,
    pub(super) left: BTreeSet<PersonId>,
    pub(super) touched_at: OffsetDateTime,
}

/// A delivery in the ledger. When it is tried next stands in the queue.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) delivery: Delivery,
    pub(super) status: DeliveryStatus,
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PersonRow {
    pub(super) user: Option<UserId>,
    pub(super) email: Option<EmailKey>,
    pub(super) salt: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) email: Option<Email>,
    pub(super) verified: bool,
    pub(super) name: Option<String>,
    pub(super) picture: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) token: Digest,
    pub(super) email: Email,
    pub(super) expires_at: OffsetDateTime,
    pub(super) used: bool,
}

#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) token: Digest,
    pub(super) user: UserId,
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageState {
    Pending,
    Done,
    Dead,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) job: Job,
    pub(super) state: MessageState,
    pub(super) attempts: i64,
    pub(super) next_at: OffsetDateTime,
    pub(super) lease_until: Option<OffsetDateTime>,
    pub(super) created_at: OffsetDateTime,
    pub(super) parked: bool,
}

impl Message {
    pub(super) const fn new(job: Job, at: OffsetDateTime) -> Self {
        Self {
            job,
            state: MessageState::Pending,
            attempts: 0,
            next_at: at,
            lease_until: None,
            created_at: at,
            parked: false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The workspace, or none for a call that makes one.
    pub(super) scope: Option<WorkspaceId>,
    pub(super) kept: StoredOutcome,
    pub(super) at: OffsetDateTime,
}

impl Account {
    /// An e-mail that nobody vouches for counts for nothing.
    pub(super) fn vouched(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.verified)
    }
    pub(super) fn view(&self, id: UserId) -> User {
        User { id, email: self.vouched().cloned(), name: self.name.clone(), avatar_url: self.picture.clone() }
    }
}

impl State {
    /// The workspaces that people know of: not deleted, and not the platform's own.
    pub(super) fn open_tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values().filter(|t| !t.deleted && t.workspace.id != WorkspaceId::PLATFORM)
    }
    /// A workspace that is there and not deleted.
    pub(super) fn living(&self, id: WorkspaceId) -> Option<&Tenant> {
        self.tenants.get(&id).filter(|t| !t.deleted)
    }
    pub(super) fn by_slug(&self, slug: &Slug) -> Option<&Tenant> {
        self.tenants.values().find(|t| t.workspace.slug == *slug)
    }
    /// The living workspaces in which an account is an active member, by id.
    pub(super) fn workspaces_of(&self, user: UserId) -> impl Iterator<Item = (&Tenant, &Member)> {
        let own = move |t: &Tenant| !t.deleted && t.members.get(&user).is_some_and(Member::is_active);
        self.tenants.values().filter(move |t| own(t)).filter_map(move |t| t.members.get(&user).map(|m| (t, m)))
    }
    pub(super) fn key(&self, id: ApiKeyId) -> Option<(&Tenant, &ApiKeyRecord)> {
        self.tenants.values().find_map(|t| t.keys.get(&id).map(|k| (t, k)))
    }
    pub(super) fn user(&self, id: UserId) -> Option<User> {
        self.accounts.get(&id).map(|a| a.view(id))
    }
    pub(super) fn has_address(&self, user: Option<UserId>, email: &EmailKey) -> bool {
        let account = user.and_then(|u| self.accounts.get(&u));
        account.and_then(Account::vouched).is_some_and(|e| e.key() == email)
    }
}

impl Tenant {
    pub(super) fn new(workspace: Workspace) -> Self {
        Self {
            workspace,
            deleted: false,
            environments: Vec::new(),
            persons: BTreeMap::new(),
            members: BTreeMap::new(),
            invitations: BTreeMap::new(),
            keys: BTreeMap::new(),
            key_uses: BTreeMap::new(),
            activity: BTreeMap::new(),
            events: Vec::new(),
            head: None,
            checkpoints: Vec::new(),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            models: BTreeMap::new(),
            model_uses: BTreeMap::new(),
            referrers: BTreeMap::new(),
            digest: None,
            digest_runs: BTreeMap::new(),
            notifications: None,
            connection: None,
            webhooks: BTreeMap::new(),
            health: BTreeMap::new(),
            published: BTreeMap::new(),
            ledger: BTreeMap::new(),
            erased: BTreeSet::new(),
            erasures: BTreeMap::new(),
            billing: Billing::default(),
        }
    }
    pub(super) fn headcount(&self, at: OffsetDateTime) -> Headcount {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let active = || self.members.values().filter(|m| m.is_active());
        Headcount {
            members: count(active().count()),
            admins: count(active().filter(|m| m.role == Role::Admin).count()),
            pending: count(self.pending().filter(|i| !i.is_over(at)).count()),
        }
    }
    pub(super) fn pending(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.values().filter(|i| i.state == InvitationState::Pending)
    }
    pub(super) fn view(&self, at: OffsetDateTime) -> WorkspaceView {
        WorkspaceView { workspace: self.workspace.clone(), seats_used: self.headcount(at).used() }
    }
    pub(super) fn member_view(&self, member: &Member, state: &State) -> Option<MemberView> {
        let user = state.user(member.user)?;
        Some(MemberView { member: member.clone(), user, last_active_at: self.activity.get(&member.user).copied() })
    }
    pub(super) fn salts(&self) -> Salts {
        let mut salts: Salts = self.persons.iter().filter_map(|(id, p)| p.salt.clone().map(|s| (*id, s))).collect();
        salts.destroyed = self.erasures.values().flat_map(|e| &e.left).copied().collect();
        salts
    }
}
