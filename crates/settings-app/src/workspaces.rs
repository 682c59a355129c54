//! Workspaces (seed A) = organizations (seed B).
use crate::{
    App,
    authenticate::Authenticated,
    failure::{Failure, replayed},
    permits::key_actor,
};
use settings_domain::{
    billing::seat_limit_changed,
    change::Committed,
    error::Refused,
    ids::{DeliveryId, EnvironmentId, InvitationId, PersonId, WorkspaceId},
    invitations::NewInvitation,
    policy::{Actor, Mutation, Permit, Role, actions, permit},
    ports::{StoreError, store::Selector},
    text::{DisplayName, Email, Region, Slug},
    transaction::{Call, Caller, EntryError, Snapshot, Transaction, actor},
    workspaces::{
        CreateWorkspaceError, DEFAULT_SEATS, DeleteWorkspaceError, FirstAdmin, NewWorkspace, UpdateWorkspaceError,
        Workspace, WorkspacePatch, WorkspaceView,
    },
};

/// A workspace to be made.
#[derive(Debug, Clone)]
pub struct CreateWorkspace {
    /// Immutable name in paths.
    pub slug: Slug,
    /// Name for people.
    pub name: DisplayName,
    /// Where data is stored; the first configured region where absent.
    pub region: Option<Region>,
    /// Its first admin.
    pub admin: Email,
    /// Seats.
    pub seat_limit: Option<i64>,
    /// A floor higher than the service's, in days.
    pub floor_days: Option<i64>,
}

impl App {
    /// Reads the workspace. For a key the answer comes from the same instant as its authentication: no second query.
    pub async fn workspace(&self, auth: &Authenticated, selector: &Selector) -> Result<WorkspaceView, EntryError> {
        if let Some(standing) = &auth.key {
            let _right = permit::<actions::ReadWorkspace>(&key_actor(standing, selector)?, standing.at)?;
            return Ok(standing.workspace.clone());
        }
        let mut snapshot =
            Snapshot::<actions::ReadWorkspace>::open(self.ports.store.as_ref(), &auth.caller, selector).await?;
        Ok(snapshot.workspace().await?)
    }

    /// Changes the workspace, as a member or key (`UpdateWorkspace`) or as the platform (`UpdateOrganization`).
    pub async fn update_workspace<A: Mutation>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        patch: WorkspacePatch,
    ) -> Result<Committed<WorkspaceView>, Failure<UpdateWorkspaceError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (workspace, heads) = tx.workspace().await?;
        let account = tx.load().billing_account().await?;
        let change = workspace.update(tx.permit(), patch, &heads, self.rules.floor_days, &call.guard)?;
        let change = seat_limit_changed(change, workspace.seat_limit, &account, self.delivery());
        Ok(tx.commit(change).await?)
    }

    /// The right to found a workspace. It is asked for in the workspace that is to be, whose id this makes up.
    pub fn may_found(&self, caller: &Caller) -> Result<Permit<actions::CreateOrganization>, EntryError> {
        let Caller::User { id, platform: true, .. } = caller else { return Err(EntryError::NotFound) };
        let actor = Actor::platform(*id, WorkspaceId::from_uuid(self.ports.entropy.uuid()));
        Ok(permit::<actions::CreateOrganization>(&actor, self.ports.clock.now())?)
    }

    /// Makes a workspace with its production environment and its first admin.
    pub async fn create_workspace(
        &self,
        permit: &Permit<actions::CreateOrganization>,
        call: &Call,
        new: CreateWorkspace,
    ) -> Result<Committed<WorkspaceView>, Failure<CreateWorkspaceError>> {
        // Two creations can race for one slug, or one Idempotency-Key, without a tenant to lock. The loser is refused by the
        // database, or looked for its kept outcome a moment before the winner committed and for the slug a moment after.
        // Its second attempt sees all that the winner made.
        match self.try_create(permit, call, new.clone()).await {
            Err(Failure::Store(StoreError::Constraint(_))) => self.try_create(permit, call, new).await,
            Err(Failure::Refused(Refused::Rule(CreateWorkspaceError::SlugTaken))) if call.idempotent.is_some() => {
                self.try_create(permit, call, new).await
            }
            other => other,
        }
    }

    async fn try_create(
        &self,
        permit: &Permit<actions::CreateOrganization>,
        call: &Call,
        new: CreateWorkspace,
    ) -> Result<Committed<WorkspaceView>, Failure<CreateWorkspaceError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let fresh = || self.ports.entropy.uuid();
        let slug_taken = tx.load().slug_taken(&new.slug).await?;
        let person = PersonId::from_uuid(fresh());
        let admin = match &call.caller {
            Caller::User { id, verified_email: Some(own), .. } if *own == new.admin => FirstAdmin::Caller(*id, person),
            _ => {
                let id = InvitationId::from_uuid(fresh());
                let token = self.ports.mint.invitation(id, 1).digest;
                FirstAdmin::Invited(NewInvitation {
                    id,
                    person,
                    delivery: DeliveryId::from_uuid(fresh()),
                    token,
                    email: new.admin,
                    role: Role::Admin,
                })
            }
        };
        let region = new
            .region
            .or_else(|| self.rules.regions.first().cloned())
            .ok_or_else(|| StoreError::Corrupt("no region is configured".to_owned()))?;
        let workspace = NewWorkspace {
            production: EnvironmentId::from_uuid(fresh()),
            slug: new.slug,
            name: new.name,
            region,
            seat_limit: new.seat_limit.unwrap_or(DEFAULT_SEATS),
            floor_days: new.floor_days.unwrap_or(0).max(self.rules.floor_days),
            admin,
        };
        let change = Workspace::create(tx.permit(), slug_taken, workspace).map_err(Failure::rule)?;
        Ok(tx.commit(change).await?)
    }

    /// Deletes a workspace.
    pub async fn delete_workspace(
        &self,
        permit: &Permit<actions::DeleteOrganization>,
        call: &Call,
    ) -> Result<Committed<()>, Failure<DeleteWorkspaceError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (workspace, _) = tx.workspace().await?;
        let change = workspace.delete(tx.permit(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// What a caller is in a workspace, for `/authz/explain` and pages.
    pub async fn standing(&self, caller: &Caller, selector: &Selector) -> Result<Actor, EntryError> {
        use settings_domain::ports::store::Entry;
        match self.ports.store.snapshot(caller.id(), selector).await?.1 {
            Entry::Found(standing) => actor(caller, &standing),
            Entry::Missing => Err(EntryError::NotFound),
            Entry::Unclear => Err(EntryError::WorkspaceRequired),
        }
    }
}
