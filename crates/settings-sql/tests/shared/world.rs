//! Builders for the smoke tests: people, calls, workspaces.
use settings_crypto::{AuditKeys, RootKey, Tokens};
use settings_domain::ports::{
    accounts::Accounts,
    audit::AuditSealer,
    directory::{ActivityLog, Directory},
    outbox::Outbox,
    store::{KeyDirectory, Selector, Store},
};
use settings_domain::{
    api_keys::{ApiKey, NewApiKey},
    audit::Receipts,
    idempotency::IdempotentCall,
    ids::{ApiKeyId, DeliveryId, EnvironmentId, InvitationId, PersonId, UserId, WorkspaceId},
    impact::Guard,
    invitations::{Invitation, NewInvitation},
    members::User,
    policy::{Action, Actor, Mutation, Permit, Role, Scope, ScopeSet, actions, permit},
    ports::{identity::Profile, tokens::TokenMint},
    text::Email,
    transaction::{Call, Caller, Snapshot, Transaction},
    workspaces::{FirstAdmin, NewWorkspace, Workspace, WorkspaceView},
};
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Every port of a store.
pub(crate) trait AnyStore:
    Store + Accounts + Directory + KeyDirectory + Outbox + ActivityLog + Clone + Send + Sync + 'static
{
}
impl<T: Store + Accounts + Directory + KeyDirectory + Outbox + ActivityLog + Clone + Send + Sync + 'static> AnyStore
    for T
{
}

/// A store and the keys beside it.
#[derive(Clone)]
pub(crate) struct World<S> {
    pub(crate) store: S,
    pub(crate) audit: Arc<AuditKeys>,
    pub(crate) tokens: Arc<Tokens>,
}

fn root() -> RootKey {
    RootKey::new(&vec![7_u8; 32].into()).unwrap()
}

/// The sealer that stores under test are made with.
pub(crate) fn sealer() -> Arc<dyn AuditSealer> {
    Arc::new(AuditKeys::new(&root()))
}

pub(crate) fn uuid() -> Uuid {
    Uuid::now_v7()
}

pub(crate) fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub(crate) fn profile(name: &str, address: &str) -> Profile {
    Profile {
        issuer: "https://id.example.org".into(),
        subject: address.into(),
        email: Some(email(address)),
        email_verified: true,
        name: Some(name.into()),
        picture: None,
    }
}

pub(crate) fn caller(user: &User) -> Caller {
    Caller::User { id: user.id, verified_email: user.email.clone(), platform: false }
}

pub(crate) fn call(caller: Caller) -> Call {
    Call { caller, request: "req-1".into(), idempotent: None, guard: Guard::default(), receipts: Receipts::default() }
}

pub(crate) fn idempotent(principal: &str, key: &str) -> IdempotentCall {
    IdempotentCall { principal: principal.into(), operation: "op", key: key.into(), fingerprint: [1; 32] }
}

impl<S: AnyStore> World<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, audit: Arc::new(AuditKeys::new(&root())), tokens: Arc::new(Tokens::new(&root())) }
    }
    pub(crate) async fn person(&self, name: &str) -> User {
        let address = format!("{}@example.org", name.to_lowercase());
        self.store.sync(UserId::from_uuid(uuid()), &profile(name, &address)).await.unwrap()
    }
    /// A platform owner's call that makes a workspace with `admin` as its first member.
    pub(crate) async fn workspace(&self, slug: &str, admin: &User) -> WorkspaceView {
        let platform = self.person(&format!("boss-{slug}")).await;
        let workspace = WorkspaceId::from_uuid(uuid());
        let actor = Actor::platform(platform.id, workspace);
        let allowed = permit::<actions::CreateOrganization>(&actor, OffsetDateTime::UNIX_EPOCH).unwrap();
        let caller = Caller::User { id: platform.id, verified_email: None, platform: true };
        let mut tx = Transaction::open(&self.store, &allowed, &call(caller)).await.unwrap();
        let slug: settings_domain::text::Slug = slug.parse().unwrap();
        let taken = tx.load().slug_taken(&slug).await.unwrap();
        let new = NewWorkspace {
            production: EnvironmentId::from_uuid(uuid()),
            slug,
            name: "Acme".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            seat_limit: 3,
            floor_days: 30,
            admin: FirstAdmin::Caller(admin.id, PersonId::from_uuid(uuid())),
        };
        let change = Workspace::create(tx.permit(), taken, new).unwrap();
        tx.commit(change).await.unwrap().into_value()
    }
    pub(crate) async fn snapshot<A: Action>(&self, caller: &Caller, selector: &Selector) -> Snapshot<A> {
        Snapshot::<A>::open(&self.store, caller, selector).await.unwrap()
    }
    /// A transaction for `A`, entered through a snapshot of the same right.
    pub(crate) async fn open<A: Mutation>(&self, caller: &Caller, workspace: WorkspaceId) -> Transaction<A> {
        let earlier = self.snapshot::<A>(caller, &Selector::Id(workspace)).await;
        Transaction::open(&self.store, earlier.permit(), &call(caller.clone())).await.unwrap()
    }
    pub(crate) fn new_invitation(&self, address: &str, role: Role) -> NewInvitation {
        let id = InvitationId::from_uuid(uuid());
        NewInvitation {
            id,
            person: PersonId::from_uuid(uuid()),
            delivery: DeliveryId::from_uuid(uuid()),
            token: self.tokens.invitation(id, 1).digest,
            email: email(address),
            role,
        }
    }
    pub(crate) async fn invite(&self, by: &Caller, workspace: WorkspaceId, address: &str, role: Role) -> Invitation {
        let mut tx = self.open::<actions::InviteMember>(by, workspace).await;
        let known = tx.load().acquaintance(email(address).key()).await.unwrap();
        let (w, heads) = tx.workspace().await.unwrap();
        let new = self.new_invitation(address, role);
        let change = Invitation::invite(tx.permit(), new, &known, &heads, w.seat_limit).unwrap();
        tx.commit(change).await.unwrap().into_value()
    }
    pub(crate) async fn accept(&self, who: &User, invitation: &Invitation) {
        let actor = Actor::invitee(invitation, who.id);
        let allowed = permit::<actions::AcceptInvitation>(&actor, OffsetDateTime::UNIX_EPOCH).unwrap();
        let mut tx = Transaction::open(&self.store, &allowed, &call(caller(who))).await.unwrap();
        let found = tx.load().invitation(invitation.id).await.unwrap().unwrap().invitation;
        let member = tx.load().member(who.id).await.unwrap().map(|m| m.member);
        let by = settings_domain::invitations::Invitee { user: who.id, verified_email: who.email.clone(), member };
        let token = self.tokens.invitation(invitation.id, found.generation).digest;
        let change = found.accept(tx.permit(), &token, &by).unwrap();
        tx.commit(change).await.unwrap();
    }
    pub(crate) async fn key(&self, by: &Caller, workspace: WorkspaceId) -> ApiKey {
        let mut tx = self.open::<actions::CreateApiKey>(by, workspace).await;
        let active = tx.load().active_api_keys().await.unwrap();
        let id = ApiKeyId::from_uuid(uuid());
        let minted = self.tokens.api_key(id).unwrap();
        let new = NewApiKey {
            id,
            prefix: minted.prefix,
            last4: minted.last4,
            digest: minted.digest,
            name: "CI".parse().unwrap(),
            scopes: ScopeSet::EMPTY.with(Scope::WorkspaceRead).with(Scope::RunsWrite),
            expires_at: None,
        };
        let tokens = Arc::clone(&self.tokens);
        let change = ApiKey::create(tx.permit(), active, new, |k, d| tokens.seal_api_key(k, d)).unwrap();
        tx.commit(change).await.unwrap().into_value()
    }
    pub(crate) async fn revoke(&self, by: &Caller, key: &ApiKey) {
        let mut tx = self.open::<actions::RevokeApiKey>(by, key.workspace).await;
        let view = tx.load().api_key(key.id).await.unwrap().unwrap();
        let change = view.key.revoke(tx.permit(), None, &Guard::default()).unwrap();
        tx.commit(change).await.unwrap();
    }
}

/// A permit that opens the door only; the transaction decides again.
pub(crate) fn door<A: Action>(actor: &Actor) -> Permit<A> {
    permit::<A>(actor, OffsetDateTime::UNIX_EPOCH).unwrap()
}
