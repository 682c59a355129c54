//! A workspace with people in it, and short ways to do things there: the real use cases over the store under test.
#![expect(clippy::missing_panics_doc, reason = "what can't be done ends the case that asked for it")]
use super::{No, World};
use crate::{
    entropy::FixedMint,
    vault::{FixedOutbound, FixedProber, FixedVault},
};
use secrecy::ExposeSecret as _;
use settings_app::{App, Ports, Rules, members::TheirKeys, workspaces::CreateWorkspace};
use settings_domain::{
    api_keys::ApiKey,
    audit::Receipts,
    audit::Verification,
    environments::Environment,
    idempotency::IdempotentCall,
    ids::{ApiKeyId, InvitationId, UserId, WorkspaceId},
    impact::Guard,
    invitations::Invitation,
    members::MemberView,
    policy::{Action, Permit, Role, Scope, ScopeSet, actions},
    ports::{
        Entropy as _,
        identity::Profile,
        store::{AuditEntry, AuditFilter, MemberFilter, Page, Selector, TenantReads},
        tokens::TokenMint as _,
    },
    text::{Email, Slug},
    transaction::{Call, Caller, Snapshot},
    workspaces::{WorkspacePatch, WorkspaceView},
};
use std::{collections::BTreeSet, sync::Arc};

/// Issuer of every account here.
pub(super) const ISSUER: &str = "https://issuer.example";
/// The whole of a list.
pub(super) const ALL: Page = Page { after: None, limit: 10_000 };

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// The account.
    pub id: UserId,
    /// The verified address.
    pub email: Email,
    /// How they call.
    pub caller: Caller,
}

/// A workspace called `acme` (or otherwise) with a platform founder, an admin, an editor and a viewer.
pub struct Scenario {
    /// The use cases.
    pub app: App,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug.
    pub slug: Slug,
    /// Who founded it for the platform, and is no member.
    pub founder: Person,
    /// Its first admin.
    pub admin: Person,
    /// An editor.
    pub editor: Person,
    /// A viewer.
    pub viewer: Person,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario").field("slug", &self.slug).finish_non_exhaustive()
    }
}

/// The use cases over a world's store.
pub(super) fn app(world: &World) -> App {
    let ports = Ports {
        store: Arc::clone(&world.store),
        mint: Arc::new(FixedMint),
        sealer: Arc::clone(&world.sealer),
        vault: Arc::new(FixedVault::new(Arc::clone(&world.store) as _, Arc::clone(&world.clock))),
        outbound: Arc::new(FixedOutbound),
        prober: Arc::new(FixedProber),
        kept_mail: None,
        slack: None,
        billing: None,
        verifier: None,
        provider: None,
        clock: Arc::clone(&world.clock),
        entropy: Arc::clone(&world.entropy) as _,
    };
    let rules = Rules {
        floor_days: 30,
        regions: ["eu-central-1", "us-east-1"].map(|r| r.parse().expect("a region")).to_vec(),
        platform_emails: BTreeSet::new(),
        platform_subjects: BTreeSet::new(),
        public_url: "https://settings.example".to_owned(),
    };
    App::new(ports, rules)
}

/// A verified profile.
pub(super) fn profile(subject: &str, email: &str) -> Profile {
    Profile {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        email: Some(email.parse().expect("an address")),
        email_verified: true,
        name: Some(format!("{subject} the pérson")),
        picture: Some(format!("https://pictures.example/{subject}.png")),
    }
}

/// Makes an account with the address `<name>@people.example`.
pub(super) async fn account(world: &World, name: &str, platform: bool) -> Person {
    let profile = profile(name, &format!("{name}@people.example"));
    let user = world.store.sync(UserId::from_uuid(world.entropy.uuid()), &profile).await.expect("an account");
    let email = profile.email.expect("an address");
    let caller = Caller::User { id: user.id, verified_email: Some(email.clone()), platform };
    Person { id: user.id, email, caller }
}

/// A call without any condition.
pub(super) fn call(caller: &Caller) -> Call {
    Call {
        caller: caller.clone(),
        request: "req-1".to_owned(),
        idempotent: None,
        guard: Guard::default(),
        receipts: Receipts::default(),
    }
}

/// The same, under an `Idempotency-Key`.
pub(super) fn idempotent(caller: &Caller, operation: &'static str, key: &str, body: u8) -> Call {
    let principal = match caller {
        Caller::User { id, .. } => format!("user:{id}"),
        Caller::Key(_) => format!("{:?}", caller.id()),
    };
    let fingerprint = [body; 32];
    Call { idempotent: Some(IdempotentCall { principal, operation, key: key.to_owned(), fingerprint }), ..call(caller) }
}

impl Scenario {
    /// How many events the making of a scenario leaves: the founding, the admin who joins, two people invited and joined.
    pub const EVENTS: usize = 6;

    /// The workspace `acme` with 25 seats, three of them in use.
    pub async fn acme(world: &World) -> Self {
        Self::called(world, "acme").await
    }
    /// The same under another name; its people are other people.
    pub async fn called(world: &World, slug: &str) -> Self {
        let app = app(world);
        let founder = account(world, &format!("founder-{slug}"), true).await;
        let admin = account(world, &format!("admin-{slug}"), false).await;
        let created = found(&app, &founder.caller, slug, &admin.email, 25).await.expect("a workspace");
        let (editor, viewer) = (format!("editor-{slug}"), format!("viewer-{slug}"));
        let mut scenario = Self {
            app,
            workspace: created.workspace.id,
            slug: created.workspace.slug,
            editor: founder.clone(),
            viewer: founder.clone(),
            admin: admin.clone(),
            founder,
        };
        let [first] = &scenario.invitations().await[..] else { panic!("the admin is invited") };
        scenario.accept(&admin, first).await.expect("the admin joins");
        scenario.editor = scenario.join(world, &editor, Role::Editor).await;
        scenario.viewer = scenario.join(world, &viewer, Role::Viewer).await;
        scenario
    }

    /// How the workspace is named.
    #[must_use]
    pub const fn here(&self) -> Selector {
        Selector::Id(self.workspace)
    }
    /// A right in this workspace, as it stands now.
    pub async fn may<A: Action>(&self, caller: &Caller) -> Result<Permit<A>, No> {
        let snapshot = Snapshot::<A>::open(self.app.ports().store.as_ref(), caller, &self.here()).await?;
        Ok(snapshot.permit().clone())
    }
    /// The store's own view of the workspace, as the service sees it.
    pub async fn reads(&self) -> Box<dyn TenantReads> {
        let service = settings_domain::ports::store::CallerId::Service;
        self.app.ports().store.snapshot(service, &self.here()).await.expect("a snapshot").0
    }

    /// Makes an account, invites it and lets it accept.
    pub async fn join(&self, world: &World, name: &str, role: Role) -> Person {
        let person = account(world, name, false).await;
        let invitation = self.invite(&self.admin.caller, person.email.as_str(), role).await.expect("an invitation");
        self.accept(&person, &invitation).await.expect("a new member");
        person
    }
    /// Invites an address.
    pub async fn invite(&self, by: &Caller, email: &str, role: Role) -> Result<Invitation, No> {
        self.invite_as(&call(by), email, role).await
    }
    /// The same, with everything that a call may say.
    pub async fn invite_as(&self, call: &Call, email: &str, role: Role) -> Result<Invitation, No> {
        let permit = self.may::<actions::InviteMember>(&call.caller).await?;
        Ok(self.app.invite(&permit, call, email.parse().expect("an address"), role).await?.into_value())
    }
    /// Sends an invitation again.
    pub async fn resend(&self, by: &Caller, id: InvitationId) -> Result<Invitation, No> {
        let permit = self.may::<actions::ResendInvitation>(by).await?;
        Ok(self.app.resend_invitation(&permit, &call(by), id).await?.into_value())
    }
    /// Takes an invitation back.
    pub async fn take_back(&self, by: &Caller, id: InvitationId) -> Result<(), No> {
        let permit = self.may::<actions::RevokeInvitation>(by).await?;
        self.app.revoke_invitation(&permit, &call(by), id).await?;
        Ok(())
    }
    /// Accepts an invitation by the link of its generation.
    pub async fn accept(&self, person: &Person, invitation: &Invitation) -> Result<(), No> {
        let token = FixedMint.invitation(invitation.id, invitation.generation).text;
        self.app.accept_invitation(&call(&person.caller), token.expose_secret()).await?;
        Ok(())
    }
    /// Gives a member another role.
    pub async fn change_role(&self, by: &Caller, user: UserId, role: Role) -> Result<MemberView, No> {
        let permit = self.may::<actions::ChangeRole>(by).await?;
        Ok(self.app.change_role(&permit, &call(by), user, role).await?.into_value())
    }
    /// Removes a member.
    pub async fn remove(&self, by: &Caller, user: UserId, keys: TheirKeys) -> Result<Vec<ApiKey>, No> {
        let permit = self.may::<actions::RemoveMember>(by).await?;
        Ok(self.app.remove_member(&permit, &call(by), user, keys).await?.into_value().active_keys)
    }
    /// Makes the editor an admin, and says how they call.
    pub async fn editor_turned_admin(&self) -> Caller {
        self.change_role(&self.admin.caller, self.editor.id, Role::Admin).await.expect("another role");
        self.editor.caller.clone()
    }
    /// Makes a key with these scopes.
    pub async fn create_key(&self, by: &Caller, name: &str, scopes: &[Scope]) -> Result<ApiKey, No> {
        let permit = self.may::<actions::CreateApiKey>(by).await?;
        let scopes: ScopeSet = scopes.iter().copied().collect();
        let name = name.parse().expect("a name");
        Ok(self.app.create_api_key(&permit, &call(by), name, scopes, None).await?.key.into_value())
    }
    /// Revokes a key.
    pub async fn revoke_key(&self, by: &Caller, id: ApiKeyId) -> Result<(), No> {
        let permit = self.may::<actions::RevokeApiKey>(by).await?;
        self.app.revoke_api_key(&permit, &call(by), id).await?;
        Ok(())
    }
    /// Changes the workspace.
    pub async fn update(&self, by: &Caller, patch: WorkspacePatch) -> Result<WorkspaceView, No> {
        let permit = self.may::<actions::UpdateWorkspace>(by).await?;
        Ok(self.app.update_workspace(&permit, &call(by), patch).await?.into_value())
    }
    /// Sets the seats.
    pub async fn seats(&self, limit: i64) -> Result<WorkspaceView, No> {
        self.update(&self.admin.caller, WorkspacePatch { seat_limit: Some(limit), ..WorkspacePatch::default() }).await
    }
    /// Deletes the workspace, as the platform.
    pub async fn delete(&self) -> Result<(), No> {
        let permit = self.may::<actions::DeleteOrganization>(&self.founder.caller).await?;
        self.app.delete_workspace(&permit, &call(&self.founder.caller)).await?;
        Ok(())
    }

    /// Every waiting invitation.
    pub async fn invitations(&self) -> Vec<Invitation> {
        let all = self.reads().await.invitations(ALL).await.expect("invitations");
        all.into_iter().map(|v| v.invitation).collect()
    }
    /// Every active member.
    pub async fn members(&self) -> Vec<MemberView> {
        self.reads().await.members(&MemberFilter::default(), ALL).await.expect("members")
    }
    /// The environments.
    pub async fn environments(&self) -> Vec<Environment> {
        self.reads().await.environments().await.expect("environments")
    }
    /// Every audit event, oldest first.
    pub async fn events(&self) -> Vec<AuditEntry> {
        let mut all = self.reads().await.audit_events(&AuditFilter::default(), 10_000).await.expect("events");
        all.reverse();
        all
    }
    /// The names of all facts, oldest first.
    pub async fn facts(&self) -> Vec<String> {
        self.events().await.into_iter().map(|e| e.record.action).collect()
    }
    /// Checks the audit chain.
    pub async fn verify(&self) -> Verification {
        self.app.verify_audit(self.workspace).await.expect("a verification")
    }
    /// The chain is whole and says exactly these facts after its first `after` events.
    pub async fn expect_facts(&self, after: usize, expected: &[&str]) {
        assert_eq!(self.facts().await.split_off(after), expected);
        let verified = self.verify().await;
        assert_eq!(verified.first_broken, None);
        assert_eq!(verified.events, i64::try_from(after + expected.len()).expect("a count"));
    }
}

/// Makes a workspace as the platform.
pub(super) async fn found(app: &App, by: &Caller, slug: &str, admin: &Email, seats: i64) -> Result<WorkspaceView, No> {
    found_as(app, &call(by), slug, admin, seats).await
}
/// The same, with everything that a call may say.
pub(super) async fn found_as(app: &App, c: &Call, slug: &str, admin: &Email, seats: i64) -> Result<WorkspaceView, No> {
    let new = CreateWorkspace {
        slug: slug.parse().expect("a slug"),
        name: format!("The {slug} company").parse().expect("a name"),
        region: None,
        admin: admin.clone(),
        seat_limit: Some(seats),
        floor_days: None,
    };
    let permit = app.may_found(&c.caller)?;
    Ok(app.create_workspace(&permit, c, new).await?.into_value())
}
