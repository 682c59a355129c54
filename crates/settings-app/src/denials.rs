//! Gathers refused calls and writes them down once a minute (docs/adr/0005).
use crate::App;
use settings_domain::{
    denials::{Denials, record},
    ids::WorkspaceId,
    policy::{Actor, Denied, Principal, SystemTask, actions, permit},
    transaction::{EntryError, Transaction},
};
use std::{collections::HashMap, sync::Mutex};

/// Most entries kept for a minute: who knocks on more doors than that is no longer told apart.
const MOST: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Knock {
    workspace: WorkspaceId,
    principal: Principal,
    action: &'static str,
}

/// Refused calls since the last write.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<HashMap<Knock, i64>>);

impl App {
    /// Notes a refused call.
    pub fn denied(&self, denied: &Denied) {
        let knock =
            Knock { workspace: denied.actor.workspace(), principal: denied.actor.principal(), action: denied.action };
        let mut map = self.denials.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if map.len() < MOST || map.contains_key(&knock) {
            *map.entry(knock).or_default() += 1;
        }
    }
    /// Writes one `authz.denied` event per caller and action. Called once a minute and at the end.
    pub async fn flush_denials(&self) {
        let knocks = std::mem::take(&mut *self.denials.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for (knock, count) in knocks {
            if let Err(error) = self.record_denials(knock, count).await {
                tracing::warn!(workspace = %knock.workspace, action = knock.action, count, %error, "refused calls could not be recorded");
            }
        }
    }
    async fn record_denials(&self, knock: Knock, count: i64) -> Result<(), EntryError> {
        let task = Actor::task(SystemTask::RecordDenials, knock.workspace);
        let permit = permit::<actions::RecordDenials>(&task, self.ports.clock.now())?;
        let request = self.ports.entropy.uuid().to_string();
        let (user, key) = match knock.principal {
            Principal::Member { user, person, .. } | Principal::Invitee { user, person } => {
                (Some((user, person)), None)
            }
            Principal::Platform { user, member } => (member.map(|(person, _)| (user, person)), None),
            Principal::Key { key, .. } => (None, Some(key)),
            Principal::Task(_) => (None, None),
        };
        let mut tx = Transaction::open_for_task(self.ports.store.as_ref(), &permit, request).await?;
        // Somebody who was erased meanwhile is not written down again.
        let user = match user {
            Some((user, person)) => tx.load().member(user).await?.map(|_| (user, person)),
            None => None,
        };
        let change = record(tx.permit(), &Denials { user, key, action: knock.action, count });
        tx.commit(change).await?;
        Ok(())
    }
}
