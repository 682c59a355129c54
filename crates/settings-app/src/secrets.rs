//! Secrets: keep, rotate, seal, reveal, delete. Reads go through `Snapshot<ListSecrets>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::{Sealing, failed},
    variables::{environment, home},
};
use secrecy::SecretString;
use settings_domain::{
    change::Committed,
    ids::{EnvironmentId, SecretId},
    policy::{Permit, actions},
    references::Use,
    sealed::SecretValue,
    secrets::{NewSecret, Secret, SecretAccess, SecretError, Surroundings},
    text::DisplayName,
    tokens::Digest,
    transaction::{Call, Transaction},
};
use std::collections::BTreeSet;

/// A secret to be kept.
#[derive(Debug)]
pub struct CreateSecret {
    /// Where.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: DisplayName,
    /// Its value.
    pub value: SecretValue,
    /// Whether nobody shall ever read it through the API.
    pub sealed: bool,
}

/// A secret that was read.
#[derive(Debug)]
pub struct Revealed {
    /// The access, whose event is durable.
    pub access: Committed<SecretAccess>,
    /// The value. `None` when this is the replay of an earlier call: values are never kept.
    pub value: Option<SecretString>,
}

impl App {
    /// Keeps a secret.
    pub async fn create_secret(
        &self,
        permit: &Permit<actions::CreateSecret>,
        call: &Call,
        new: CreateSecret,
    ) -> Result<Committed<Secret>, Failure<SecretError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let id = SecretId::from_uuid(self.ports.entropy.uuid());
        let there = Surroundings {
            environment: environment(tx.load(), new.environment).await?,
            taken: tx.load().secret_named(new.environment, &new.name).await?.is_some(),
            count: tx.load().secret_count().await?,
        };
        let binding = Secret::binding(permit.scope().workspace(), new.environment, id, 1);
        // Nobody compares secrets, so nothing that tells equal ones apart is kept.
        let value = sealing.seal_text(binding, new.value.expose(), Digest::none())?;
        let change = Secret::create(tx.permit(), &there, NewSecret { id, name: new.name, sealed: new.sealed, value })?;
        Ok(tx.commit(change).await?)
    }

    /// Gives a secret another value, and tells whoever wants to hear of it.
    pub async fn rotate_secret(
        &self,
        permit: &Permit<actions::RotateSecret>,
        call: &Call,
        id: SecretId,
        value: &SecretValue,
    ) -> Result<Committed<Secret>, Failure<SecretError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().secret(id).await?.ok_or_else(|| Failure::rule(SecretError::NotFound))?.secret;
        let environment = home(tx.load(), there.environment).await?;
        let value = sealing.seal_text(there.next_binding(), value.expose(), Digest::none())?;
        let (scope, at) = (permit.scope(), tx.permit().at());
        let raised = self.secret_rotated(&sealing, tx.load(), scope, at, (&there, environment.name.as_str())).await?;
        let change = there.rotate(tx.permit(), &environment, value, raised, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Makes a secret unreadable through the API, for ever.
    pub async fn seal_secret(
        &self,
        permit: &Permit<actions::SealSecret>,
        call: &Call,
        id: SecretId,
    ) -> Result<Committed<Secret>, Failure<SecretError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().secret(id).await?.ok_or_else(|| Failure::rule(SecretError::NotFound))?.secret;
        let change = there.seal(tx.permit(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Reads a secret: the event is committed first, then the value is opened. If the event can't be written, no value
    /// leaves; if the value can't be opened then, the log holds an access that saw nothing.
    pub async fn reveal_secret(
        &self,
        permit: &Permit<actions::RevealSecret>,
        call: &Call,
        id: SecretId,
    ) -> Result<Revealed, Failure<SecretError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        if let Some(earlier) = tx.replay().await? {
            return Ok(Revealed { access: earlier?, value: None });
        }
        let there = tx.load().secret(id).await?.ok_or_else(|| Failure::rule(SecretError::NotFound))?;
        let change = there.secret.access(tx.permit())?;
        let access = tx.commit(change).await?;
        let Some(opening) = there.opening(&access) else { return Ok(Revealed { access, value: None }) };
        let generation = opening.sealed().generation();
        let cipher = self.ports.vault.generation(permit.scope(), generation).await.map_err(failed)?;
        let value = cipher.open(opening).map_err(failed)?;
        Ok(Revealed { value: Some(value), access })
    }

    /// Deletes a secret.
    pub async fn delete_secret(
        &self,
        permit: &Permit<actions::DeleteSecret>,
        call: &Call,
        id: SecretId,
    ) -> Result<Committed<()>, Failure<SecretError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().secret(id).await?.ok_or_else(|| Failure::rule(SecretError::NotFound))?.secret;
        let environment = home(tx.load(), there.environment).await?;
        let dependants = tx.load().dependants(&BTreeSet::from([Use::from(id)])).await?;
        let change = there.delete(tx.permit(), &environment, &dependants, &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}
