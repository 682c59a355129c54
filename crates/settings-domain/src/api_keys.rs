//! API keys (seed A): 16 scopes, shown once, revoked at once.
use crate::{
    audit::{Details, Risk, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{ApiKeyId, UserId, WorkspaceId},
    impact::{Affected, Guard, Impact},
    policy::{Permit, Scope, ScopeSet, actions},
    text::DisplayName,
    tokens::{Digest, Seal},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// Most active keys of a workspace.
pub const MAX_KEYS: i64 = 500;
/// A key used within this time is revoked only once its loss is confirmed (contract, impact-bound confirmation).
pub const RECENT: Duration = Duration::hours(24);

/// A key, without its value: that is shown once and never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: ApiKeyId,
    /// Name for people.
    pub name: DisplayName,
    /// The beginning of the value, to recognise it by.
    pub prefix: String,
    /// The end of its secret part, to recognise it by.
    pub last4: String,
    /// Exactly what it may do.
    pub scopes: ScopeSet,
    /// Who made it; `None` once that person is erased.
    pub created_by: Option<UserId>,
    /// When it was made.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
    /// First instant at which it no longer works.
    #[serde(with = "crate::micros::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    #[serde(with = "crate::micros::option")]
    pub revoked_at: Option<OffsetDateTime>,
}

/// Who made a key, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// The account.
    pub user: UserId,
    /// Display name or e-mail.
    pub name: Option<String>,
    /// Whether they are still a member.
    pub still_member: bool,
}

/// A key as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyView {
    /// The key.
    pub key: ApiKey,
    /// Who made it.
    pub creator: Option<Creator>,
    /// When it was last used, to about a second.
    #[serde(with = "crate::micros::option")]
    pub last_used_at: Option<OffsetDateTime>,
}

/// What authenticates a key: read with it, never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The key.
    pub key: ApiKey,
    /// Digest of its secret.
    pub digest: Digest,
    /// MAC over id, workspace, scopes, expiry and digest: who can only write to the database can't widen a key.
    pub seal: Seal,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It works.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl KeyStatus {
    /// Name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum ApiKeyWrite {
    /// A new row.
    Insert(Box<ApiKeyRecord>),
    /// Revoked at this instant.
    Revoke(ApiKeyId, OffsetDateTime),
}

/// A key to be made: its value was minted outside, where randomness is.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Fresh id.
    pub id: ApiKeyId,
    /// Beginning of the value.
    pub prefix: String,
    /// End of its secret part.
    pub last4: String,
    /// Digest of the secret.
    pub digest: Digest,
    /// Name for people.
    pub name: DisplayName,
    /// At least one scope.
    pub scopes: ScopeSet,
    /// When it shall end.
    pub expires_at: Option<OffsetDateTime>,
}

refusals! {
    /// Why a key was not made.
    CreateApiKeyError {
        NoScope: Invalid "validation-failed" at "/scopes", "A key needs at least one scope.";
        ExpiryInThePast: Invalid "validation-failed" at "/expiresAt", "The expiry must lie in the future.";
        TooMany: Conflict "quota-reached", "A workspace has at most 500 active keys. Revoke one first.";
    }
}

refusals! {
    /// Why a key was not revoked.
    RevokeApiKeyError {
        NotFound: NotFound "not-found", "There is no such API key.";
    }
}

impl ApiKey {
    /// Makes a key. `seal` is the MAC for exactly this row, made where the MAC key is.
    pub fn create(
        permit: &Permit<actions::CreateApiKey>,
        active: i64,
        new: NewApiKey,
        seal: impl FnOnce(&Self, &Digest) -> Seal,
    ) -> Result<Change<Self>, CreateApiKeyError> {
        if new.scopes.is_empty() {
            return Err(CreateApiKeyError::NoScope);
        }
        if new.expires_at.is_some_and(|at| at <= permit.at()) {
            return Err(CreateApiKeyError::ExpiryInThePast);
        }
        if active >= MAX_KEYS {
            return Err(CreateApiKeyError::TooMany);
        }
        let key = Self {
            workspace: permit.scope().workspace(),
            id: new.id,
            name: new.name,
            prefix: new.prefix,
            last4: new.last4,
            scopes: new.scopes,
            created_by: permit.actor().user(),
            created_at: permit.at(),
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let seal = seal(&key, &new.digest);
        // A key that can read secrets is as sensitive as the secrets (seed A's warning on `secrets:read`).
        let risk = if key.scopes.contains(Scope::SecretsRead) { Risk::High } else { Risk::Medium };
        let author = permit.actor().person().unwrap_or(crate::ids::PersonId::NOBODY);
        let details =
            Details::new().change("scopes", None, Some(key.scopes.into())).personal("name", author, key.name.as_str());
        let write =
            Write::ApiKey(ApiKeyWrite::Insert(Box::new(ApiKeyRecord { key: key.clone(), digest: new.digest, seal })));
        Ok(Change::rated(permit, risk, write, Target::ApiKey(key.id), details, key))
    }

    /// Revokes the key, from the next call on. Revoking twice is fine and recorded once.
    pub fn revoke(
        &self,
        permit: &Permit<actions::RevokeApiKey>,
        last_used_at: Option<OffsetDateTime>,
        guard: &Guard,
    ) -> Result<Change<()>, Refused<RevokeApiKeyError>> {
        if self.revoked_at.is_some() {
            return Ok(Change::nothing(permit, ()));
        }
        guard.check_version(1)?;
        if last_used_at.is_some_and(|used| permit.at() - used < RECENT) && self.status(permit.at()) == KeyStatus::Active
        {
            let affected = Affected {
                kind: "api-key".to_owned(),
                id: self.id.to_string(),
                name: self.name.as_str().to_owned(),
                why: "It was used in the last 24 hours; whatever uses it stops working at once.".to_owned(),
            };
            guard.check_impact(Impact::new("revoke-api-key", self.id.as_uuid(), vec![affected]))?;
        }
        let write = Write::ApiKey(ApiKeyWrite::Revoke(self.id, permit.at()));
        Ok(Change::decided(permit, write, Target::ApiKey(self.id), Details::new(), ()))
    }

    /// Whether it works at this instant.
    #[must_use]
    pub fn status(&self, now: OffsetDateTime) -> KeyStatus {
        if self.revoked_at.is_some() {
            KeyStatus::Revoked
        } else if self.expires_at.is_some_and(|at| now >= at) {
            KeyStatus::Expired
        } else {
            KeyStatus::Active
        }
    }
}
