//! The proof of a right, for who has nothing to read with it: services that do things of their own in a workspace.
use crate::{App, authenticate::Authenticated};
use settings_domain::{
    policy::{Action, Actor, Permit, permit},
    ports::store::{KeyStanding, Selector},
    transaction::{EntryError, Snapshot},
};

impl App {
    /// Proves that the caller may do `A`. For a key the right comes from the same instant as its authentication: no second query.
    pub async fn permit<A: Action>(&self, auth: &Authenticated, selector: &Selector) -> Result<Permit<A>, EntryError> {
        if let Some(standing) = &auth.key {
            return Ok(permit::<A>(&key_actor(standing, selector)?, standing.at)?);
        }
        let snapshot = Snapshot::<A>::open(self.ports.store.as_ref(), &auth.caller, selector).await?;
        Ok(snapshot.permit().clone())
    }
}

/// A key that was just authenticated, in its own workspace. It learns of no other.
pub(crate) fn key_actor(standing: &KeyStanding, selector: &Selector) -> Result<Actor, EntryError> {
    let own = match selector {
        Selector::Own => true,
        Selector::Id(id) => *id == standing.workspace.workspace.id,
        Selector::Slug(slug) => *slug == standing.workspace.workspace.slug,
        Selector::Invitation(_) | Selector::Variable(_) | Selector::Model(_) | Selector::Platform => false,
    };
    if own { Ok(Actor::key(&standing.record.key)) } else { Err(EntryError::NotFound) }
}
