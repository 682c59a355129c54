//! Models of workspaces and of the platform: register, change, test, delete. Reads go through `Snapshot<ListModels>`.
use crate::{
    App,
    failure::{Failure, replayed},
    sealing::{Sealing, failed},
};
use settings_domain::{
    change::Committed,
    ids::{ModelId, WorkspaceId},
    models::{
        CreatesModels, Credential, DeletesModels, Model, ModelError, ModelPatch, NewModel, Provider, TestsModels,
        UpdatesModels,
    },
    policy::Permit,
    ports::{
        StoreError,
        outbound::{OutboundRefusal, OutboundUrl},
        probe::{Probe, ProbeReport},
    },
    references::Use,
    text::{Description, DisplayName},
    tokens::Digest,
    transaction::{Call, Transaction},
};
use std::collections::BTreeSet;

/// A model to be registered.
#[derive(Debug)]
pub struct CreateModel {
    /// Who serves it; told by the host where nobody says so.
    pub provider: Option<Provider>,
    /// Name for people; the provider's where nobody gives one.
    pub name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<Description>,
    /// Where it is called.
    pub url: OutboundUrl,
    /// How it is authenticated to.
    pub credential: Credential,
}

/// The wanted changes of a model; `None` leaves a field alone.
#[derive(Debug, Default)]
pub struct ChangeModel {
    /// Who serves it.
    pub provider: Option<Provider>,
    /// Name for people.
    pub name: Option<DisplayName>,
    /// What it is for; `Some(None)` takes it away.
    pub description: Option<Option<Description>>,
    /// Where it is called.
    pub url: Option<OutboundUrl>,
    /// Another credential.
    pub credential: Option<Credential>,
    /// Whether workspaces may choose it; for system models alone.
    pub visible: Option<bool>,
}

impl App {
    /// Vets a URL that somebody wants this service to call.
    pub async fn vet_url(&self, url: &str, tenant: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal> {
        self.ports.outbound.vet(url, tenant).await
    }

    /// Registers a model.
    pub async fn create_model<A: CreatesModels>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        new: CreateModel,
    ) -> Result<Committed<Model>, Failure<ModelError>> {
        let sealing = Sealing::current(&self.ports, permit.scope()).await?;
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let count = tx.load().model_count().await?;
        let id = ModelId::from_uuid(self.ports.entropy.uuid());
        let provider = new.provider.unwrap_or_else(|| Provider::of_host(new.url.host()));
        let auth = new.credential.auth_type();
        let binding = Model::binding(permit.scope().workspace(), id, auth, new.url.origin(), 1);
        let credential = seal(&sealing, binding, &new.credential)?;
        let name = match new.name {
            Some(name) => name,
            // The table's names are names.
            None => provider.display_name().parse().map_err(|_| StoreError::Corrupt("a provider's name".to_owned()))?,
        };
        let new = NewModel { id, provider, name, description: new.description, url: new.url, auth, credential };
        let change = Model::create(tx.permit(), count, new)?;
        Ok(tx.commit(change).await?)
    }

    /// Changes a model.
    pub async fn update_model<A: UpdatesModels>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        id: ModelId,
        change: ChangeModel,
    ) -> Result<Committed<Model>, Failure<ModelError>> {
        let sealing = match change.credential {
            Some(_) => Some(Sealing::current(&self.ports, permit.scope()).await?),
            None => None,
        };
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (there, _) = tx.load().model(id).await?.ok_or_else(|| Failure::rule(ModelError::NotFound))?;
        let there = there.model;
        let credential = match (&sealing, &change.credential) {
            (Some(sealing), Some(credential)) => {
                let auth = credential.auth_type();
                let origin = change.url.as_ref().map_or(there.origin.as_str(), OutboundUrl::origin);
                Some((auth, seal(sealing, there.next_binding(auth, origin), credential)?))
            }
            _ => None,
        };
        let patch = ModelPatch {
            provider: change.provider,
            name: change.name,
            description: change.description,
            url: change.url,
            credential,
            visible: change.visible,
        };
        let change = there.update(tx.permit(), patch, &call.guard)?;
        Ok(tx.commit(change).await?)
    }

    /// Calls the model's provider once with its credential. The event is durable before the credential is opened.
    /// An `Idempotency-Key` means nothing here: a test is wanted anew each time.
    pub async fn test_model<A: TestsModels>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        id: ModelId,
    ) -> Result<ProbeReport, Failure<ModelError>> {
        let call = Call { idempotent: None, ..call.clone() };
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, &call).await?;
        let (there, _) = tx.load().model(id).await?.ok_or_else(|| Failure::rule(ModelError::NotFound))?;
        let at = tx.permit().at();
        let change = there.model.test(tx.permit());
        let test = tx.commit(change).await?;
        let opening = there.opening_for_test(&test);
        let opening = opening.ok_or_else(|| StoreError::Corrupt("a model whose URL left its origin".to_owned()))?;
        let generation = opening.sealed().generation();
        let cipher = self.ports.vault.generation(permit.scope(), generation).await.map_err(failed)?;
        let text = cipher.open(opening).map_err(failed)?;
        let credential = Credential::from_stored(there.model.auth, &text);
        let credential = credential.ok_or_else(|| StoreError::Corrupt("a credential of another kind".to_owned()))?;
        let tenant = permit.scope().workspace();
        self.ports.store.models_used(&[(tenant, id, at)]).await?;
        let probe = Probe { tenant, provider: there.model.provider, url: there.model.url, credential };
        Ok(self.ports.prober.probe(&probe).await)
    }

    /// Deletes a model.
    pub async fn delete_model<A: DeletesModels>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        id: ModelId,
    ) -> Result<Committed<()>, Failure<ModelError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let (there, _) = tx.load().model(id).await?.ok_or_else(|| Failure::rule(ModelError::NotFound))?;
        let dependants = tx.load().dependants(&BTreeSet::from([Use::from(id)])).await?;
        let tenants = if there.model.is_system() { tx.load().system_model_tenants(id).await? } else { Vec::new() };
        let change = there.model.delete(tx.permit(), &dependants, &tenants, &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}

fn seal(
    sealing: &Sealing<'_>,
    binding: settings_domain::sealed::Binding,
    credential: &Credential,
) -> Result<settings_domain::sealed::StoredValue, StoreError> {
    use secrecy::ExposeSecret as _;
    // Nobody compares credentials, so nothing that tells equal ones apart is kept.
    sealing.seal_text(binding, credential.to_stored().expose_secret(), Digest::none())
}
