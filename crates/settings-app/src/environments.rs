//! Environments: as a whole list (seed A) and one at a time (seed B).
use crate::{
    App,
    failure::{Failure, replayed},
};
use settings_domain::{
    change::Committed,
    environments::{Environment, EnvironmentError, EnvironmentRights, EnvironmentView, Tier, Wanted},
    ids::EnvironmentId,
    impact::Affected,
    policy::{Permit, actions},
    ports::{
        StoreError,
        store::{Page, UnitOfWork},
    },
    references::{Use, affected},
    secrets::MAX_SECRETS,
    text::EnvironmentName,
    transaction::{Call, Transaction},
};
use std::collections::{BTreeMap, BTreeSet};

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
    ) -> Result<Committed<Vec<EnvironmentView>>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let rights = EnvironmentRights { update: tx.permit().clone(), create: tx.also().ok(), delete: tx.also().ok() };
        let wanted = wanted.into_iter().map(|e| self.wanted(e)).collect();
        let counts = tx.load().variable_counts().await?;
        let change = {
            let contents = contents(tx.load(), None).await?;
            let of = |id| contents.get(&id).cloned().unwrap_or_default();
            Environment::replace(&rights, &present, wanted, of, &call.guard)?
        };
        let view = |e| EnvironmentView::new(e, &counts);
        Ok(tx.commit(change.map(|list| list.into_iter().map(view).collect())).await?)
    }

    /// Adds one.
    pub async fn create_environment(
        &self,
        permit: &Permit<actions::CreateEnvironment>,
        call: &Call,
        wanted: WantedEnvironment,
    ) -> Result<Committed<EnvironmentView>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let change = Environment::create(tx.permit(), &present, self.wanted(wanted))?;
        Ok(tx.commit(change.map(|environment| EnvironmentView { environment, variables: 0 })).await?)
    }

    /// Changes one; what is absent stays.
    pub async fn update_environment(
        &self,
        permit: &Permit<actions::UpdateEnvironment>,
        call: &Call,
        id: EnvironmentId,
        name: Option<EnvironmentName>,
        tier: Option<Tier>,
    ) -> Result<Committed<EnvironmentView>, Failure<EnvironmentError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let present = tx.load().environments().await?;
        let there = present.iter().find(|e| e.id == id).ok_or_else(|| Failure::rule(EnvironmentError::NotFound))?;
        let name = name.unwrap_or_else(|| there.name.clone());
        let change = there.update(tx.permit(), &present, name, tier.unwrap_or(there.tier), &call.guard)?;
        let counts = tx.load().variable_counts().await?;
        Ok(tx.commit(change.map(|e| EnvironmentView::new(e, &counts))).await?)
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
        let mut contents = contents(tx.load(), Some(id)).await?;
        let change = there.delete(tx.permit(), contents.remove(&id).unwrap_or_default(), &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}

/// What environments hold and what is said to use them: all that a deletion takes along.
async fn contents(
    load: &mut dyn UnitOfWork,
    only: Option<EnvironmentId>,
) -> Result<BTreeMap<EnvironmentId, Vec<Affected>>, StoreError> {
    const LOST: &str = "It is in the environment and is deleted with it.";
    let mut all: BTreeMap<EnvironmentId, Vec<Affected>> = BTreeMap::new();
    for record in load.variable_records(only).await? {
        all.entry(record.variable.environment).or_default().push(record.variable.as_affected(LOST));
    }
    for secret in load.secrets(only, Page { after: None, limit: MAX_SECRETS }).await? {
        all.entry(secret.environment).or_default().push(secret.as_affected(LOST));
    }
    let environments = match only {
        Some(id) => BTreeSet::from([Use::from(id)]),
        None => load.environments().await?.iter().map(|e| Use::from(e.id)).collect(),
    };
    for dependant in load.dependants(&environments).await? {
        let environment = EnvironmentId::from_uuid(dependant.uses.id);
        let why = "It uses the environment and fails without it.";
        all.entry(environment).or_default().extend(affected(&[dependant], why));
    }
    Ok(all)
}
