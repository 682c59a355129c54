//! Variables: keep, change, delete, take a `.env` file over. Reads go through `Snapshot<ListVariables>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::Sealing,
};
use settings_domain::{
    change::Committed,
    environments::Environment,
    ids::{EnvironmentId, VariableId},
    policy::{Permit, actions},
    ports::{StoreError, store::UnitOfWork},
    references::Use,
    sealed::SecretValue,
    transaction::{Call, Snapshot, Transaction},
    variables::{
        Entry, ImportRights, ImportedValue, InUse, NewVariable, Planned, PlannedChange, Surroundings, Variable,
        VariableError, VariableName, plan,
    },
};
use std::collections::BTreeSet;

/// A variable to be kept.
#[derive(Debug)]
pub struct CreateVariable {
    /// Where.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: VariableName,
    /// Its value.
    pub value: SecretValue,
}

/// The wanted changes of a variable; `None` leaves a field alone.
#[derive(Debug)]
pub struct ChangeVariable {
    /// May be repeated, never changed.
    pub environment: Option<EnvironmentId>,
    /// Its name.
    pub name: Option<VariableName>,
    /// Its value.
    pub value: Option<SecretValue>,
}

impl App {
    /// Keeps a variable.
    pub async fn create_variable(
        &self,
        permit: &Permit<actions::CreateVariable>,
        call: &Call,
        new: CreateVariable,
    ) -> Result<Committed<Variable>, Failure<VariableError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let workspace = permit.scope().workspace();
        let id = VariableId::from_uuid(self.ports.entropy.uuid());
        let there = Surroundings {
            environment: environment(tx.load(), new.environment).await?,
            taken: tx.load().variable_named(new.environment, &new.name).await?.is_some(),
            count: variable_count(tx.load()).await?,
        };
        let value = sealing.seal(Variable::binding(workspace, new.environment, id, 1), &new.value)?;
        let change = Variable::create(tx.permit(), &there, NewVariable { id, name: new.name, value })?;
        Ok(tx.commit(change).await?)
    }

    /// Renames a variable, gives it another value, or both.
    pub async fn update_variable(
        &self,
        permit: &Permit<actions::UpdateVariable>,
        call: &Call,
        id: VariableId,
        change: ChangeVariable,
    ) -> Result<Committed<Variable>, Failure<VariableError>> {
        let sealing = match change.value {
            Some(_) => Some(Sealing::current(&self.ports, permit.scope()).await?),
            None => None,
        };
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().variable(id).await?.ok_or_else(|| Failure::rule(VariableError::NotFound))?.variable;
        if change.environment.is_some_and(|e| e != there.environment) {
            return Err(Failure::rule(VariableError::EnvironmentFixed));
        }
        let name = change.name.unwrap_or_else(|| there.name.clone());
        let value = match (&sealing, &change.value) {
            (Some(sealing), Some(value)) => Some(sealing.seal(there.next_binding(), value)?),
            _ => None,
        };
        let taken = name != there.name && tx.load().variable_named(there.environment, &name).await?.is_some();
        let environment = home(tx.load(), there.environment).await?;
        let dependants = tx.load().dependants(&BTreeSet::from([Use::from(id)])).await?;
        let in_use = InUse { environment: &environment, taken, dependants: &dependants };
        let change = there.update(tx.permit(), &in_use, name, value, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Deletes a variable.
    pub async fn delete_variable(
        &self,
        permit: &Permit<actions::DeleteVariable>,
        call: &Call,
        id: VariableId,
    ) -> Result<Committed<()>, Failure<VariableError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = tx.load().variable(id).await?.ok_or_else(|| Failure::rule(VariableError::NotFound))?.variable;
        let environment = home(tx.load(), there.environment).await?;
        let dependants = tx.load().dependants(&BTreeSet::from([Use::from(id)])).await?;
        let in_use = InUse { environment: &environment, taken: false, dependants: &dependants };
        let change = there.delete(tx.permit(), &in_use, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// What taking these entries over would do; `None` where there is no such environment.
    pub async fn preview_variables(
        &self,
        snapshot: &mut Snapshot<actions::PreviewVariables>,
        environment: EnvironmentId,
        entries: &[Entry],
    ) -> Result<Option<Vec<Planned>>, StoreError> {
        let scope = snapshot.permit().scope();
        let digest = |e: &Entry| (e.name.clone(), self.ports.vault.digest(scope, &e.value));
        snapshot.plan(environment, &entries.iter().map(digest).collect::<Vec<_>>()).await
    }

    /// Takes a `.env` file over: adds and changes, never deletes. The answer is the plan that was carried out.
    pub async fn import_variables(
        &self,
        permit: &Permit<actions::UpdateVariable>,
        call: &Call,
        environment: EnvironmentId,
        entries: &[Entry],
    ) -> Result<Committed<Vec<Planned>>, Failure<VariableError>> {
        let scope = permit.scope();
        let sealing = Sealing::current(&self.ports, scope).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = self::environment(tx.load(), environment).await?;
        let there = there.ok_or_else(|| Failure::rule(VariableError::UnknownEnvironment))?;
        let present = tx.load().variable_records(Some(environment)).await?;
        let count = variable_count(tx.load()).await?;
        let digests: Vec<_> =
            entries.iter().map(|e| (e.name.clone(), self.ports.vault.digest(scope, &e.value))).collect();
        let planned = plan(&present, &digests);
        let mut values = Vec::new();
        for (entry, planned) in entries.iter().zip(&planned) {
            let before = present.iter().map(|r| &r.variable).find(|v| v.name == entry.name);
            match (planned.change, before) {
                (PlannedChange::Same, _) => {}
                (_, Some(before)) => {
                    let value = sealing.seal(before.next_binding(), &entry.value)?;
                    values.push(ImportedValue::Next(before.clone(), value));
                }
                (_, None) => {
                    let id = VariableId::from_uuid(self.ports.entropy.uuid());
                    let binding = Variable::binding(scope.workspace(), environment, id, 1);
                    let value = sealing.seal(binding, &entry.value)?;
                    values.push(ImportedValue::New(NewVariable { id, name: entry.name.clone(), value }));
                }
            }
        }
        let rights = ImportRights { update: tx.permit().clone(), create: tx.also().ok() };
        let change = Variable::import(&rights, &there, count, values, &call.guard)?;
        Ok(tx.commit(change.map(|()| planned)).await?)
    }
}

/// The environment of this id, where it is there.
pub(crate) async fn environment(
    load: &mut dyn UnitOfWork,
    id: EnvironmentId,
) -> Result<Option<Environment>, StoreError> {
    Ok(load.environments().await?.into_iter().find(|e| e.id == id))
}

/// The environment of something that is there, so it is there too.
pub(crate) async fn home(load: &mut dyn UnitOfWork, id: EnvironmentId) -> Result<Environment, StoreError> {
    environment(load, id).await?.ok_or_else(|| StoreError::Corrupt("a value without its environment".to_owned()))
}

async fn variable_count(load: &mut dyn UnitOfWork) -> Result<i64, StoreError> {
    Ok(load.variable_counts().await?.values().sum())
}
