//! API keys: make and revoke. Reads go through `Snapshot<ListApiKeys>`.
use crate::{
    App,
    failure::{Failure, replayed},
};
use secrecy::SecretString;
use settings_domain::{
    api_keys::{ApiKey, CreateApiKeyError, NewApiKey, RevokeApiKeyError},
    change::Committed,
    ids::ApiKeyId,
    policy::{Permit, ScopeSet, actions},
    text::DisplayName,
    transaction::{Call, Transaction},
};
use time::OffsetDateTime;

/// A key just made.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key.
    pub key: Committed<ApiKey>,
    /// Its value, this once. `None` when this is the replay of an earlier call: values are never kept.
    pub value: Option<SecretString>,
}

impl App {
    /// Makes a key.
    pub async fn create_api_key(
        &self,
        permit: &Permit<actions::CreateApiKey>,
        call: &Call,
        name: DisplayName,
        scopes: ScopeSet,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<CreatedKey, Failure<CreateApiKeyError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        if let Some(earlier) = tx.replay().await? {
            return Ok(CreatedKey { key: earlier?, value: None });
        }
        let active = tx.load().active_api_keys().await?;
        let id = ApiKeyId::from_uuid(self.ports.entropy.uuid());
        let minted = self.ports.mint.api_key(id)?;
        let new = NewApiKey {
            id,
            prefix: minted.prefix,
            last4: minted.last4,
            digest: minted.digest,
            name,
            scopes,
            expires_at,
        };
        let mint = &self.ports.mint;
        let change = ApiKey::create(tx.permit(), active, new, |key, digest| mint.seal_api_key(key, digest))
            .map_err(Failure::rule)?;
        Ok(CreatedKey { key: tx.commit(change).await?, value: Some(minted.text) })
    }

    /// Revokes a key.
    pub async fn revoke_api_key(
        &self,
        permit: &Permit<actions::RevokeApiKey>,
        call: &Call,
        id: ApiKeyId,
    ) -> Result<Committed<()>, Failure<RevokeApiKeyError>> {
        // Whether it was used recently decides about a confirmation, so uses still in memory have to be counted.
        self.flush_activity().await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let view = tx.load().api_key(id).await?.ok_or_else(|| Failure::rule(RevokeApiKeyError::NotFound))?;
        let change = view.key.revoke(tx.permit(), view.last_used_at, &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}
