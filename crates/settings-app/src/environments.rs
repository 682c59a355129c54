//! Environments: as a whole list (seed A) and one at a time (seed B).
use crate::{
    App,
    failure::{Failure, replayed},
};
use settings_domain::{
    change::Committed,
    environments::{Environment, EnvironmentError, EnvironmentRights, Tier, Wanted},
    ids::EnvironmentId,
    policy::{Permit, actions},
    text::EnvironmentName,
    transaction::{Call, Transaction},
};

/// An environment as somebody wants it.
#[derive(Debug, Clone)]
pub struct WantedEnvironment {
    /// Which one; by name where absent.
    pub id: Option<EnvironmentId>,
    /// Its name.
    pub name: EnvironmentName,
    /// Its tier.
    pub tier: Tier,
    /// The version that was seen.
    pub version: Option<i64>,
}

impl App {
    fn wanted(&self, e: WantedEnvironment) -> Wanted {
        Wanted {
            id: e.id,
            fresh: EnvironmentId::from_uuid(self.ports.entropy.uuid()),
            name: e.name,
            tier: e.tier,
            version: e.version,
        }
    }

    /// Makes the list what it shall be and returns it as it then is.
    pub async fn replace_environments(
        &self,
        permit: &Permit<actions::UpdateEnvironment>,
        call: &Call,
        wanted: Vec<WantedEnvironment>,
    ) -> Result<Committed<Vec<Environment>>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let rights = EnvironmentRights { update: tx.permit().clone(), create: tx.also().ok(), delete: tx.also().ok() };
        let wanted = wanted.into_iter().map(|e| self.wanted(e)).collect();
        let change = Environment::replace(&rights, &present, wanted, |_| Vec::new(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Adds one.
    pub async fn create_environment(
        &self,
        permit: &Permit<actions::CreateEnvironment>,
        call: &Call,
        wanted: WantedEnvironment,
    ) -> Result<Committed<Environment>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let change = Environment::create(tx.permit(), &present, self.wanted(wanted))?;
        Ok(tx.commit(change).await?)
    }

    /// Changes one; what is absent stays.
    pub async fn update_environment(
        &self,
        permit: &Permit<actions::UpdateEnvironment>,
        call: &Call,
        id: EnvironmentId,
        name: Option<EnvironmentName>,
        tier: Option<Tier>,
    ) -> Result<Committed<Environment>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let there = present.iter().find(|e| e.id == id).ok_or_else(|| Failure::rule(EnvironmentError::NotFound))?;
        let name = name.unwrap_or_else(|| there.name.clone());
        let change = there.update(tx.permit(), &present, name, tier.unwrap_or(there.tier), &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Drops one.
    pub async fn delete_environment(
        &self,
        permit: &Permit<actions::DeleteEnvironment>,
        call: &Call,
        id: EnvironmentId,
    ) -> Result<Committed<()>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let there = present.iter().find(|e| e.id == id).ok_or_else(|| Failure::rule(EnvironmentError::NotFound))?;
        let change = there.delete(tx.permit(), Vec::new(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}
