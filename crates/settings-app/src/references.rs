//! References: what other services say they use.
use crate::{
    App,
    failure::{Failure, replayed},
};
use settings_domain::{
    change::Committed,
    policy::Permit,
    references::{Declaration, DeclareReferencesError, Declares, Referrer, Usable},
    transaction::{Call, Transaction},
};

impl App {
    /// Takes the whole list of a referrer.
    pub async fn declare_references<A: Declares>(
        &self,
        permit: &Permit<A>,
        call: &Call,
        declaration: Declaration,
    ) -> Result<Committed<Referrer>, Failure<DeclareReferencesError>> {
        let mut tx = Transaction::open(self.ports.store.as_ref(), permit, call).await?;
        replayed!(tx);
        let there = Usable {
            present: tx.load().referrer(&declaration.key).await?,
            known: tx.load().known_uses(&declaration.uses).await?,
            referrers: tx.load().referrer_count().await?,
        };
        let change = Referrer::declare(tx.permit(), &there, declaration, &call.guard)?;
        Ok(tx.commit(change).await?)
    }
}
