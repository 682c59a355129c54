//! Secrets (seed A, scope `secrets:read`): values that may be read again, each time with an audit event first.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Committed, Write},
    environments::Environment,
    error::{Refused, refusals},
    events::Raised,
    ids::{EnvironmentId, PersonId, SecretId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    policy::{EventType, Mutation, Permit, actions},
    references::{Dependant, affected},
    sealed::{Binding, Opening, StoredValue, ValueKind},
    text::DisplayName,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Most secrets of a workspace.
pub const MAX_SECRETS: i64 = 10_000;

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: SecretId,
    /// Where it lives; for ever.
    pub environment: EnvironmentId,
    /// Unique in the environment.
    pub name: DisplayName,
    /// Whether nobody can read it through the API any more. Never taken back.
    pub sealed: bool,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "crate::micros")]
    pub updated_at: OffsetDateTime,
    /// When it last got another value.
    #[serde(with = "crate::micros::option")]
    pub rotated_at: Option<OffsetDateTime>,
    /// Counts its changes, from 1.
    pub version: i64,
}

/// A secret with what is stored of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// The secret.
    pub secret: Secret,
    /// The value, sealed.
    pub value: StoredValue,
}

impl SecretRecord {
    /// The right to open it: only for who shows that the event of this very access is durable.
    #[must_use]
    pub fn opening(&self, access: &Committed<SecretAccess>) -> Option<Opening<'_>> {
        // A replayed outcome is somebody's earlier access, and its event an earlier event.
        (access.value().0 == self.secret.id && !access.is_replay()).then(|| self.value.opening())
    }
}

/// That a secret was read: what a reveal commits before the value leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAccess(SecretId);

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum SecretWrite {
    /// A new row.
    Insert(Box<SecretRecord>),
    /// The row as it shall be, with another value where there is one.
    Update(Secret, Option<Box<StoredValue>>),
    /// Drops the row, and what is said to use it.
    Delete(SecretId),
}

refusals! {
    /// Why a secret was not changed or read.
    SecretError {
        NotFound: NotFound "not-found", "There is no such secret.";
        UnknownEnvironment: Invalid "validation-failed" at "/environmentId", "There is no such environment in this workspace.";
        NameTaken: Conflict "name-taken" at "/name", "There is a secret of this name in the environment. Rotate that one, or choose another name.";
        TooMany: Conflict "quota-reached", "A workspace has at most 10,000 secrets.";
        Sealed: Conflict "secret-sealed", "This secret was sealed: nobody can read it any more. Rotate it where its value is needed.";
    }
}

/// A secret to be kept.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Fresh id.
    pub id: SecretId,
    /// Its name.
    pub name: DisplayName,
    /// Whether nobody shall ever read it through the API.
    pub sealed: bool,
    /// Its value, sealed under [`Secret::binding`] of version 1.
    pub value: StoredValue,
}

/// What a new secret is checked against.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment, where it is there.
    pub environment: Option<Environment>,
    /// Whether the name is taken in it.
    pub taken: bool,
    /// How many secrets the workspace has.
    pub count: i64,
}

impl Secret {
    /// What a value of a secret is bound to.
    #[must_use]
    pub fn binding(workspace: WorkspaceId, environment: EnvironmentId, id: SecretId, version: i64) -> Binding {
        Binding::in_environment(workspace, ValueKind::Secret, id.as_uuid(), version, environment)
    }
    /// What the next value of this one is bound to.
    #[must_use]
    pub fn next_binding(&self) -> Binding {
        Self::binding(self.workspace, self.environment, self.id, self.version + 1)
    }

    /// Keeps one.
    pub fn create(
        permit: &Permit<actions::CreateSecret>,
        there: &Surroundings,
        new: NewSecret,
    ) -> Result<Change<Self>, Refused<SecretError>> {
        let environment = there.environment.as_ref().ok_or(SecretError::UnknownEnvironment)?.id;
        if there.taken {
            return Err(SecretError::NameTaken.into());
        }
        if there.count >= MAX_SECRETS {
            return Err(SecretError::TooMany.into());
        }
        let (workspace, at) = (permit.scope().workspace(), permit.at());
        if *new.value.binding() != Self::binding(workspace, environment, new.id, 1) {
            return Err(Refused::Stale);
        }
        let secret = Self {
            workspace,
            id: new.id,
            environment,
            name: new.name,
            sealed: new.sealed,
            created_at: at,
            updated_at: at,
            rotated_at: None,
            version: 1,
        };
        let mut details = details(permit, &secret).change("environment", None, Some(environment.as_uuid().into()));
        if secret.sealed {
            details = details.change("sealed", None, Some(PublicValue::word("true")));
        }
        let write =
            Write::Secret(SecretWrite::Insert(Box::new(SecretRecord { secret: secret.clone(), value: new.value })));
        Ok(Change::decided(permit, write, Target::Secret(secret.id), details, secret))
    }

    /// Gives it another value. In production that is confirmed first: the present value is lost. `raised` is the
    /// `secret_rotated` event that goes with it (seed A, Notifications).
    pub fn rotate(
        &self,
        permit: &Permit<actions::RotateSecret>,
        environment: &Environment,
        value: StoredValue,
        raised: Raised,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<SecretError>> {
        guard.check_version(self.version)?;
        if *value.binding() != self.next_binding() || !raised.fits(self.workspace, EventType::SecretRotated) {
            return Err(Refused::Stale);
        }
        let impact = if environment.is_protected() {
            vec![self.as_affected("It is in production; its present value is lost, and whoever still uses that fails.")]
        } else {
            Vec::new()
        };
        guard.check_impact(Impact::new("rotate-secret", self.id.as_uuid(), impact))?;
        let at = permit.at();
        let next = Self { updated_at: at, rotated_at: Some(at), version: self.version + 1, ..self.clone() };
        let write = Write::Secret(SecretWrite::Update(next.clone(), Some(Box::new(value))));
        Ok(raised.join(Change::decided(permit, write, Target::Secret(self.id), details(permit, self), next)))
    }

    /// Makes it unreadable through the API, for ever. Again is fine and recorded once.
    pub fn seal(
        &self,
        permit: &Permit<actions::SealSecret>,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<SecretError>> {
        guard.check_version(self.version)?;
        if self.sealed {
            return Ok(Change::nothing(permit, self.clone()));
        }
        let next = Self { sealed: true, updated_at: permit.at(), version: self.version + 1, ..self.clone() };
        let details =
            details(permit, self).change("sealed", Some(PublicValue::word("false")), Some(PublicValue::word("true")));
        let write = Write::Secret(SecretWrite::Update(next.clone(), None));
        Ok(Change::decided(permit, write, Target::Secret(self.id), details, next))
    }

    /// Reads it: nothing changes, but the event has to be durable before the value leaves.
    pub fn access(&self, permit: &Permit<actions::RevealSecret>) -> Result<Change<SecretAccess>, Refused<SecretError>> {
        if self.sealed {
            return Err(SecretError::Sealed.into());
        }
        let details = details(permit, self).change("environment", None, Some(self.environment.as_uuid().into()));
        Ok(Change::recorded(permit, Target::Secret(self.id), details, SecretAccess(self.id)))
    }

    /// Deletes it. In production, or where something uses it, that is confirmed first.
    pub fn delete(
        &self,
        permit: &Permit<actions::DeleteSecret>,
        environment: &Environment,
        dependants: &[Dependant],
        guard: &Guard,
    ) -> Result<Change<()>, Refused<SecretError>> {
        guard.check_version(self.version)?;
        let mut impact = affected(dependants, "It uses the secret and fails without it.");
        if environment.is_protected() {
            impact.push(self.as_affected("It is in production; its value can't be restored."));
        }
        guard.check_impact(Impact::new("delete-secret", self.id.as_uuid(), impact))?;
        let details = details(permit, self).change("environment", Some(self.environment.as_uuid().into()), None);
        Ok(Change::decided(permit, Write::Secret(SecretWrite::Delete(self.id)), Target::Secret(self.id), details, ()))
    }

    /// As an entry of an impact list.
    #[must_use]
    pub fn as_affected(&self, why: &str) -> Affected {
        Affected {
            kind: "secret".to_owned(),
            id: self.id.to_string(),
            name: self.name.as_str().to_owned(),
            why: why.to_owned(),
        }
    }
}

fn details<A: Mutation>(permit: &Permit<A>, secret: &Secret) -> Details {
    let person = permit.actor().person().unwrap_or(PersonId::NOBODY);
    Details::new().personal("name", person, secret.name.as_str())
}
