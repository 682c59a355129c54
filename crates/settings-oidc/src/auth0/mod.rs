//! Auth0 Organizations: a mirror of our workspaces, kept through the Management API.
//!
//! A workspace's organization has its slug as name and its id in the metadata. One without that id is somebody else's and is
//! never touched. Of roles only our three are given and taken, of invitations only those of our client. Invitations are
//! made without Auth0's mail: this service sends its own.
mod backoff;
mod client;
mod wire;

use self::{
    client::{Call, Client, Failure},
    wire::{Invitation, Member, Organization, segment},
};
use crate::config::ConfigError;
use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use settings_domain::{
    mirror::{Invited, Mirrored, MirroredInvitation, Step},
    policy::Role,
    ports::{
        Clock,
        mirror::{MirrorError, OrganizationMirror, Place},
    },
    text::Email,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::sync::Mutex;

/// Where an organization says whose it is.
const OWNER: &str = "settings_workspace";
/// What our roles are called there begin with.
const ROLE_PREFIX: &str = "settings-";
/// How long a mirrored invitation works: as long as ours (seed A, Members), in seconds.
const INVITATION_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Which tenant, and as which of its clients.
#[derive(Debug, Clone)]
pub struct Auth0Config {
    /// The tenant's domain (`AUTH0_DOMAIN`), such as `acme.eu.auth0.com`.
    pub domain: String,
    /// The machine-to-machine client (`AUTH0_M2M_CLIENT_ID`). Scopes: `read`, `create`, `update` and `delete` on
    /// `organizations`; `read`, `create`, `delete` on `organization_members`, `organization_member_roles` and
    /// `organization_invitations`; `read` and `create` on `roles`.
    pub client_id: String,
    /// Its secret (`AUTH0_M2M_CLIENT_SECRET`).
    pub client_secret: SecretString,
    /// The client that people sign in with (`AUTH0_CLIENT_ID`), which invitations lead to. `None` mirrors none.
    pub application: Option<String>,
}

/// The mirror in Auth0.
pub struct Auth0Organizations {
    client: Client,
    application: Option<String>,
    clock: Arc<dyn Clock>,
    /// Ids of our roles there, once looked up. A role is never made anew while it exists.
    roles: Mutex<Option<BTreeMap<Role, String>>>,
}

impl fmt::Debug for Auth0Organizations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth0Organizations").finish_non_exhaustive()
    }
}

fn role_name(role: Role) -> String {
    format!("{ROLE_PREFIX}{role}")
}

impl Auth0Organizations {
    /// The mirror in a tenant. `http` should come from [`http_client`](crate::http_client).
    ///
    /// # Errors
    /// [`ConfigError`] where the configuration breaks a rule.
    pub fn new(config: Auth0Config, http: reqwest::Client, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let client = Client::new(&config.domain, config.client_id, config.client_secret, http, Arc::clone(&clock))?;
        let application = config.application.filter(|a| !a.is_empty());
        Ok(Self { client, application, clock, roles: Mutex::default() })
    }

    /// The workspace's organization.
    async fn find(&self, place: &Place) -> Result<Option<Organization>, MirrorError> {
        let path = format!("organizations/name/{}", segment(place.slug.as_str()));
        match self.client.read::<Organization>(&get(path)).await {
            Ok(found) if found.metadata.get(OWNER) == Some(&place.workspace.to_string()) => Ok(Some(found)),
            Ok(_) => Err(MirrorError::NotOurs),
            Err(Failure::Said(404, _)) => Ok(None),
            Err(failure) => Err(failure.into_error()),
        }
    }

    /// The ids of our roles. Those that are not there yet are made; without permissions, for what a role may do is decided
    /// here and nowhere else.
    async fn roles(&self) -> Result<BTreeMap<Role, String>, MirrorError> {
        let mut kept = self.roles.lock().await;
        if let Some(roles) = &*kept {
            return Ok(roles.clone());
        }
        let mut found = self.known_roles().await?;
        let missing: Vec<_> = Role::ALL.into_iter().filter(|role| !found.contains_key(role)).collect();
        for role in missing {
            let body = json!({"name": role_name(role), "description": "Kept by the settings service"});
            let call = Call {
                method: Method::POST,
                path: "roles".to_owned(),
                query: &[],
                body: Some(body),
                repeatable: false,
            };
            match self.client.read::<wire::Role>(&call).await {
                Ok(made) => drop(found.insert(role, made.id)),
                // Another process was faster.
                Err(Failure::Said(409, _)) => found = self.known_roles().await?,
                Err(failure) => return Err(failure.into_error()),
            }
        }
        if found.len() != Role::ALL.len() {
            return Err(MirrorError::Refused("the roles of this service could not be made there"));
        }
        *kept = Some(found.clone());
        Ok(found)
    }

    /// The ids of our roles, as far as they are there. Looking changes nothing: those that lack are made when they are given.
    async fn roles_there(&self) -> Result<BTreeMap<Role, String>, MirrorError> {
        match &*self.roles.lock().await {
            Some(roles) => Ok(roles.clone()),
            None => self.known_roles().await,
        }
    }

    async fn known_roles(&self) -> Result<BTreeMap<Role, String>, MirrorError> {
        let query = [("name_filter", ROLE_PREFIX.to_owned())];
        let all: Vec<wire::Role> = self.client.list("roles", &query, false).await.map_err(Failure::into_error)?;
        let ours = |role: &wire::Role| Role::ALL.into_iter().find(|r| role_name(*r) == role.name);
        Ok(all.into_iter().filter_map(|role| Some((ours(&role)?, role.id))).filter(|(_, id)| !id.is_empty()).collect())
    }

    async fn role(&self, role: Role) -> Result<String, MirrorError> {
        self.roles().await?.remove(&role).ok_or(MirrorError::Refused("a role of this service is not there"))
    }

    async fn members(
        &self,
        organization: &str,
        role_of: &BTreeMap<String, Role>,
    ) -> Result<BTreeMap<String, BTreeSet<Role>>, MirrorError> {
        let query = [("fields", "user_id,roles".to_owned()), ("include_fields", "true".to_owned())];
        let path = format!("organizations/{organization}/members");
        let all: Vec<Member> = self.client.list(&path, &query, true).await.map_err(Failure::into_error)?;
        let ours = |member: &Member| member.roles.iter().filter_map(|r| role_of.get(&r.id).copied()).collect();
        Ok(all.into_iter().map(|member| (member.user_id.clone(), ours(&member))).collect())
    }

    async fn invitations(
        &self,
        organization: &str,
        role_of: &BTreeMap<String, Role>,
    ) -> Result<BTreeMap<String, MirroredInvitation>, MirrorError> {
        let Some(application) = &self.application else { return Ok(BTreeMap::new()) };
        let path = format!("organizations/{organization}/invitations");
        let all: Vec<Invitation> = self.client.list(&path, &[], false).await.map_err(Failure::into_error)?;
        let now = self.clock.now();
        let over = |invitation: &Invitation| {
            let at = invitation.expires_at.as_deref().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
            at.is_some_and(|at| at <= now)
        };
        let mirrored = |invitation: Invitation| {
            // What this service could not have sent is not its own.
            let email: Email = invitation.invitee.email.parse().ok()?;
            let roles = invitation.roles.iter().filter_map(|id| role_of.get(id).copied()).collect();
            Some((invitation.id, MirroredInvitation { email: email.key().clone(), roles }))
        };
        Ok(all.into_iter().filter(|i| i.client_id == *application && !over(i)).filter_map(mirrored).collect())
    }

    async fn create(&self, place: &Place, name: &str) -> Result<(), MirrorError> {
        let body = json!({
            "name": place.slug.as_str(),
            "display_name": name,
            "metadata": {OWNER: place.workspace.to_string()},
        });
        let call = Call {
            method: Method::POST,
            path: "organizations".to_owned(),
            query: &[],
            body: Some(body),
            repeatable: false,
        };
        match self.client.make(&call).await {
            Ok(_) => Ok(()),
            // There already: by an attempt whose answer was lost, or somebody else's.
            Err(Failure::Said(409, _)) => self.find(place).await.map(drop),
            Err(failure) => Err(failure.into_error()),
        }
    }

    async fn invitation(&self, organization: &Organization, invited: &Invited) -> Result<(), MirrorError> {
        let Some(application) = &self.application else { return Ok(()) };
        let inviter = if organization.display_name.is_empty() { "Settings" } else { &organization.display_name };
        let body = json!({
            "inviter": {"name": inviter},
            "invitee": {"email": invited.email.as_str()},
            "client_id": application,
            "roles": [self.role(invited.role).await?],
            "ttl_sec": INVITATION_SECONDS,
            "send_invitation_email": false,
        });
        let path = format!("organizations/{}/invitations", segment(&organization.id));
        // Twice would be two invitations: rather none, which the next plan finds.
        let call = Call { method: Method::POST, path, query: &[], body: Some(body), repeatable: false };
        self.client.make(&call).await.map(drop).map_err(Failure::into_error)
    }

    /// A change that may be repeated. What `fine` is answered where there is nothing (left) to do.
    async fn change(&self, method: Method, path: String, body: Option<Value>, fine: u16) -> Result<(), MirrorError> {
        let call = Call { method, path, query: &[], body, repeatable: true };
        match self.client.make(&call).await {
            Ok(_) => Ok(()),
            Err(Failure::Said(status, _)) if status == fine => Ok(()),
            // A step that adds names somebody whom Auth0 does not know (any more).
            Err(Failure::Said(404, _)) => Err(MirrorError::UnknownPerson),
            Err(Failure::Said(400, word)) if word == "inexistent_user" || word == "invalid_user" => {
                Err(MirrorError::UnknownPerson)
            }
            Err(failure) => Err(failure.into_error()),
        }
    }
}

fn get(path: String) -> Call<'static> {
    Call { method: Method::GET, path, query: &[], body: None, repeatable: true }
}

#[async_trait]
impl OrganizationMirror for Auth0Organizations {
    async fn read(&self, place: &Place) -> Result<Option<Mirrored>, MirrorError> {
        let Some(organization) = self.find(place).await? else { return Ok(None) };
        let role_of = self.roles_there().await?.into_iter().map(|(role, id)| (id, role)).collect();
        let id = segment(&organization.id);
        Ok(Some(Mirrored {
            name: organization.display_name,
            members: self.members(&id, &role_of).await?,
            invitations: self.invitations(&id, &role_of).await?,
        }))
    }

    fn holds_invitations(&self) -> bool {
        self.application.is_some()
    }

    async fn apply(&self, place: &Place, step: &Step) -> Result<(), MirrorError> {
        if let Step::CreateOrganization(name) = step {
            return self.create(place, name).await;
        }
        // Asked for every step: what is not (any more) this workspace's is not touched, whatever was known before.
        let Some(organization) = self.find(place).await? else {
            let gone = || MirrorError::Unavailable { retry_after: None, cause: "the organization is not there".into() };
            return if step.takes_away() { Ok(()) } else { Err(gone()) };
        };
        let root = format!("organizations/{}", segment(&organization.id));
        let roles_of = |id: &str| format!("{root}/members/{}/roles", segment(id));
        match step {
            Step::CreateOrganization(_) => Ok(()),
            Step::DeleteOrganization => self.change(Method::DELETE, root, None, 404).await,
            Step::Rename(name) => self.change(Method::PATCH, root, Some(json!({"display_name": name})), 200).await,
            Step::AddMember(id) => {
                self.change(Method::POST, format!("{root}/members"), Some(json!({"members": [id]})), 409).await
            }
            Step::RemoveMember(id) => {
                self.change(Method::DELETE, format!("{root}/members"), Some(json!({"members": [id]})), 404).await
            }
            Step::GiveRole(id, role) => {
                let body = json!({"roles": [self.role(*role).await?]});
                self.change(Method::POST, roles_of(id), Some(body), 409).await
            }
            Step::TakeRole(id, role) => {
                let body = json!({"roles": [self.role(*role).await?]});
                self.change(Method::DELETE, roles_of(id), Some(body), 404).await
            }
            Step::Withdraw(id) => {
                self.change(Method::DELETE, format!("{root}/invitations/{}", segment(id)), None, 404).await
            }
            Step::Invite(invited) => self.invitation(&organization, invited).await,
        }
    }
}
