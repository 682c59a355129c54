//! Models: one record for seed A's model integrations and seed B's models, and the platform's system models.
//!
//! Credentials are write-only and bound to the origin they were given for: a new origin needs the credential again, else a
//! stored key could be sent to a stranger. System models are models of the platform's own tenant.
mod credential;
mod provider;

pub use credential::{AuthType, Credential, ParseAuthTypeError};
pub use provider::{ParseProviderError, Provider};

use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Committed, Write},
    error::{Refused, refusals},
    ids::{ModelId, PersonId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    policy::{Mutation, Permit, actions},
    ports::outbound::OutboundUrl,
    references::{Dependant, affected},
    sealed::{Binding, Opening, StoredValue, ValueKind},
    text::{Description, DisplayName},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Most models of a workspace, and of the platform.
pub const MAX_MODELS: i64 = 500;

/// A model, without its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The workspace, or the platform's own tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: ModelId,
    /// Who serves it.
    pub provider: Provider,
    /// Name for people.
    pub name: DisplayName,
    /// What it is for.
    pub description: Option<Description>,
    /// Where it is called, normalised.
    pub url: String,
    /// Scheme, host and port of that: where its credential may go.
    pub origin: String,
    /// How it is authenticated to.
    pub auth: AuthType,
    /// Whether workspaces may choose it; for system models, others always can by their own.
    pub visible: bool,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A model as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// The model.
    pub model: Model,
    /// When its credential was last used, to about a second.
    #[serde(with = "crate::micros::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// A model with what is stored of its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRecord {
    /// The model.
    pub model: Model,
    /// The credential, sealed.
    pub credential: StoredValue,
}

impl ModelRecord {
    /// The right to open its credential, for who resolves models in its tenant. Nobody gets it for a URL that left the
    /// origin which the credential is bound to: that row was changed behind the service's back.
    #[must_use]
    pub fn opening(&self, permit: &Permit<actions::ResolveModel>) -> Option<Opening<'_>> {
        let own = permit.scope().workspace() == self.model.workspace;
        (own && self.model.is_at_its_origin()).then(|| self.credential.opening())
    }
    /// The same for a test, whose event is durable.
    #[must_use]
    pub fn opening_for_test(&self, test: &Committed<ModelTest>) -> Option<Opening<'_>> {
        let own = test.value().0 == self.model.id && !test.is_replay();
        (own && self.model.is_at_its_origin()).then(|| self.credential.opening())
    }
}

/// That a model's credential is used for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTest(ModelId);

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum ModelWrite {
    /// A new row.
    Insert(Box<ModelRecord>),
    /// The row as it shall be, with another credential where there is one.
    Update(Model, Option<Box<StoredValue>>),
    /// Drops the row, and what is said to use it.
    Delete(ModelId),
}

refusals! {
    /// Why a model was not changed.
    ModelError {
        NotFound: NotFound "not-found", "There is no such model.";
        CredentialRequired: Invalid "credential-required" at "/modelUrl", "The new URL is of another origin. Send the credential again: a stored one is never sent to another place than it was given for.";
        UrlRequired: Invalid "validation-failed" at "/modelUrl", "This provider has no address of its own: send modelUrl.";
        TooMany: Conflict "quota-reached", "There are at most 500 models.";
    }
}

/// A model to be made.
#[derive(Debug, Clone)]
pub struct NewModel {
    /// Fresh id.
    pub id: ModelId,
    /// Who serves it.
    pub provider: Provider,
    /// Name for people.
    pub name: DisplayName,
    /// What it is for.
    pub description: Option<Description>,
    /// Where it is called.
    pub url: OutboundUrl,
    /// How it is authenticated to.
    pub auth: AuthType,
    /// Its credential, sealed under [`Model::binding`] of version 1.
    pub credential: StoredValue,
}

/// The wanted changes; `None` leaves a field alone.
#[derive(Debug, Clone, Default)]
pub struct ModelPatch {
    /// Who serves it.
    pub provider: Option<Provider>,
    /// Name for people.
    pub name: Option<DisplayName>,
    /// What it is for; `Some(None)` takes it away.
    pub description: Option<Option<Description>>,
    /// Where it is called.
    pub url: Option<OutboundUrl>,
    /// Another credential, sealed under [`Model::next_binding`].
    pub credential: Option<(AuthType, StoredValue)>,
    /// Whether workspaces may choose it. System models alone can be hidden.
    pub visible: Option<bool>,
}

/// An action that makes models, of a workspace or of the platform.
pub trait CreatesModels: Mutation {}
impl CreatesModels for actions::CreateModel {}
impl CreatesModels for actions::CreateSystemModel {}
/// An action that changes models.
pub trait UpdatesModels: Mutation {
    /// Whether what it changes can be hidden.
    const HIDES: bool;
}
impl UpdatesModels for actions::UpdateModel {
    const HIDES: bool = false;
}
impl UpdatesModels for actions::UpdateSystemModel {
    const HIDES: bool = true;
}
/// An action that tests models.
pub trait TestsModels: Mutation {}
impl TestsModels for actions::TestModel {}
impl TestsModels for actions::TestSystemModel {}
/// An action that deletes models.
pub trait DeletesModels: Mutation {}
impl DeletesModels for actions::DeleteModel {}
impl DeletesModels for actions::DeleteSystemModel {}

impl Model {
    /// What a credential is bound to: its kind and the one origin it may be sent to, beside tenant, row and version.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, id: ModelId, auth: AuthType, origin: &str, version: i64) -> Binding {
        let place = format!("{} {origin}", auth.name());
        Binding::new(workspace, ValueKind::ModelCredential, id.as_uuid(), version, place)
    }
    /// What the next credential of this one is bound to.
    #[must_use]
    pub fn next_binding(&self, auth: AuthType, origin: &str) -> Binding {
        Self::binding(self.workspace, self.id, auth, origin, self.version + 1)
    }
    /// Whether its URL, normalised as it is stored, still is one of its origin.
    fn is_at_its_origin(&self) -> bool {
        self.url.strip_prefix(&self.origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }
    /// Whether it is the platform's.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.workspace == WorkspaceId::PLATFORM
    }

    /// Registers one. `count` is how many there are.
    pub fn create<A: CreatesModels>(
        permit: &Permit<A>,
        count: i64,
        new: NewModel,
    ) -> Result<Change<Self>, Refused<ModelError>> {
        if count >= MAX_MODELS {
            return Err(ModelError::TooMany.into());
        }
        let (workspace, at) = (permit.scope().workspace(), permit.at());
        if *new.credential.binding() != Self::binding(workspace, new.id, new.auth, new.url.origin(), 1) {
            return Err(Refused::Stale);
        }
        let model = Self {
            workspace,
            id: new.id,
            provider: new.provider,
            name: new.name,
            description: new.description,
            url: new.url.url().to_owned(),
            origin: new.url.origin().to_owned(),
            auth: new.auth,
            visible: true,
            created_at: at,
            updated_at: at,
            version: 1,
        };
        let details = details(permit, &model)
            .change("provider", None, Some(PublicValue::word(model.provider.name())))
            .change("authType", None, Some(PublicValue::word(model.auth.name())));
        let record = ModelRecord { model: model.clone(), credential: new.credential };
        let write = Write::Model(ModelWrite::Insert(Box::new(record)));
        Ok(Change::decided(permit, write, Target::Model(model.id), details, model))
    }

    /// Changes it. A blank credential keeps the stored one, except for a new origin.
    pub fn update<A: UpdatesModels>(
        &self,
        permit: &Permit<A>,
        patch: ModelPatch,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<ModelError>> {
        guard.check_version(self.version)?;
        let (url, origin) = match &patch.url {
            Some(url) => (url.url().to_owned(), url.origin().to_owned()),
            None => (self.url.clone(), self.origin.clone()),
        };
        if origin != self.origin && patch.credential.is_none() {
            return Err(ModelError::CredentialRequired.into());
        }
        let (auth, credential) = match patch.credential {
            Some((auth, value)) if *value.binding() == self.next_binding(auth, &origin) => (auth, Some(value)),
            Some(_) => return Err(Refused::Stale),
            None => (self.auth, None),
        };
        let mut next = Self {
            provider: patch.provider.unwrap_or(self.provider),
            name: patch.name.unwrap_or_else(|| self.name.clone()),
            description: patch.description.unwrap_or_else(|| self.description.clone()),
            url,
            origin,
            auth,
            visible: if A::HIDES { patch.visible.unwrap_or(self.visible) } else { self.visible },
            ..self.clone()
        };
        if next == *self && credential.is_none() {
            return Ok(Change::nothing(permit, next));
        }
        next.updated_at = permit.at();
        next.version = self.version + 1;
        let details = self.differences(permit, &next, credential.is_some());
        let write = Write::Model(ModelWrite::Update(next.clone(), credential.map(Box::new)));
        Ok(Change::decided(permit, write, Target::Model(self.id), details, next))
    }

    fn differences<A: Mutation>(&self, permit: &Permit<A>, next: &Self, credential: bool) -> Details {
        let word = |w: &'static str| Some(PublicValue::word(w));
        let mut details = details(permit, next);
        if next.provider != self.provider {
            details = details.change("provider", word(self.provider.name()), word(next.provider.name()));
        }
        for (field, changed) in [
            ("name", next.name != self.name),
            ("description", next.description != self.description),
            ("modelUrl", next.url != self.url),
            ("credential", credential),
        ] {
            if changed {
                details = details.change(field, None, word("changed"));
            }
        }
        if next.visible != self.visible {
            let shown = |v| word(if v { "true" } else { "false" });
            details = details.change("visible", shown(self.visible), shown(next.visible));
        }
        details
    }

    /// Notes that its credential is about to be used for a test.
    #[must_use]
    pub fn test<A: TestsModels>(&self, permit: &Permit<A>) -> Change<ModelTest> {
        Change::recorded(permit, Target::Model(self.id), details(permit, self), ModelTest(self.id))
    }

    /// Deletes it. Where something uses it, that is confirmed first.
    pub fn delete<A: DeletesModels>(
        &self,
        permit: &Permit<A>,
        dependants: &[Dependant],
        tenants: &[Tenants],
        guard: &Guard,
    ) -> Result<Change<()>, Refused<ModelError>> {
        guard.check_version(self.version)?;
        let mut impact = affected(dependants, "It uses the model and fails without it.");
        impact.extend(tenants.iter().map(Tenants::as_affected));
        guard.check_impact(Impact::new("delete-model", self.id.as_uuid(), impact))?;
        let write = Write::Model(ModelWrite::Delete(self.id));
        Ok(Change::decided(permit, write, Target::Model(self.id), details(permit, self), ()))
    }
}

/// A workspace that uses a system model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenants {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: DisplayName,
    /// How many of its workflows, prompts or agents use the model.
    pub referrers: i64,
}

impl Tenants {
    fn as_affected(&self) -> Affected {
        Affected {
            kind: "organization".to_owned(),
            id: self.workspace.to_string(),
            name: self.name.to_string(),
            why: format!("{} of its workflows, prompts or agents use the model and fail without it.", self.referrers),
        }
    }
}

fn details<A: Mutation>(permit: &Permit<A>, model: &Model) -> Details {
    let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
    Details::new().personal("name", person, model.name.as_str())
}
