//! Rotation of the key-encryption key, online: every data key is wrapped anew while the service reads and writes.
//!
//! Nothing of it is kept between runs. What is still to be done is what the rows say, so a run that was killed is finished
//! by the next, and two at once do each other no harm.
use crate::App;
use futures_util::{StreamExt as _, stream};
use settings_domain::{
    change::Change,
    ids::WorkspaceId,
    keys::{self, Rotated, Wrappings},
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::{
        StoreError,
        keyring::{KeyringError, Rotation},
        vault::{OldWrapping, Rewrapped, VaultError},
    },
    transaction::{EntryError, Transaction},
};

/// Data keys in one transaction: short enough that nobody waits for it.
const BATCH: i64 = 500;
/// How many the keyring is asked for at once: half of what the KMS keyring takes, the rest is for those who are served.
const AT_ONCE: usize = 8;
/// How often the rows are gone through. A server that knew only the old key may have used it while the first pass ran.
const PASSES: usize = 3;

/// Why a rotation stopped. What it had done stays done; another run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The keyring is away or refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The audit event could not be written.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl From<StoreError> for RotationError {
    fn from(e: StoreError) -> Self {
        Self::Vault(VaultError::Store(e))
    }
}

/// What a rotation is to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With what an earlier one left, and with a new key-encryption key where nothing is left.
    Due,
    /// With what an earlier one left: the caller knows of something that is not among the data keys.
    Unfinished,
    /// With a new key-encryption key in any case.
    NewKey,
}

/// How a rotation starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beginning {
    /// There is something to wrap anew.
    Begun {
        /// How things stand: what is to be done is `old`.
        wrappings: Wrappings,
        /// Whether this goes on with an earlier rotation, so that no further key was made.
        resumed: bool,
    },
    /// Everything is wrapped by the current key and the keyring makes no other by itself; the sentence says who does.
    Elsewhere(&'static str),
}

/// How a rotation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What it did.
    pub rotated: Rotated,
    /// Data keys that did not open, so that they could not be wrapped anew: altered, or their key-encryption key is gone.
    pub unopened: Vec<(WorkspaceId, i64)>,
}

impl App {
    /// How the data keys are wrapped. Changes nothing.
    pub async fn key_wrappings(&self) -> Result<Wrappings, RotationError> {
        let current = self.ports.vault.wrapped_by().await?;
        let (total, old) = self.ports.store.count_wrappings(&current).await?;
        Ok(Wrappings { current, total, old })
    }

    /// Begins a rotation, and says so in the platform's audit log before anything is wrapped anew.
    pub async fn begin_rotation(&self, start: Start) -> Result<Beginning, RotationError> {
        let before = self.key_wrappings().await?;
        let resumed = match start {
            Start::Due => before.old > 0,
            Start::Unfinished => true,
            Start::NewKey => false,
        };
        let wrappings = if resumed {
            before
        } else {
            match self.ports.vault.rotate().await? {
                Rotation::Made(_) => self.key_wrappings().await?,
                Rotation::Elsewhere(who) => return Ok(Beginning::Elsewhere(who)),
            }
        };
        self.record_rotation(|permit| keys::begin(permit, &wrappings, resumed)).await?;
        Ok(Beginning::Begun { wrappings, resumed })
    }

    /// Wraps every data key by the current key-encryption key. `progress` hears how many are done, and of how many.
    ///
    /// A data key that does not open is left as it is and counted; it does not keep the others on the old key.
    pub async fn finish_rotation(&self, mut progress: impl FnMut(i64, i64) + Send) -> Result<Ended, RotationError> {
        let permit = self.rotation_permit()?;
        let (mut rewrapped, mut unopened) = (0, vec![]);
        let mut wrappings = self.key_wrappings().await?;
        for _ in 0..PASSES {
            unopened.clear();
            let due = rewrapped + wrappings.old;
            progress(rewrapped, due);
            let mut after = None;
            loop {
                // Asked for each time: somebody else may have made a further key meanwhile.
                let current = self.ports.vault.wrapped_by().await?;
                let batch = self.ports.store.old_wrappings(&permit, &current, after, BATCH).await?;
                let Some(last) = batch.last() else { break };
                after = Some((last.workspace, last.generation));
                let (done, failed) = self.rewrap(batch).await?;
                let changed = self.ports.store.rewrap(&permit, &done).await?;
                rewrapped += i64::try_from(changed).unwrap_or(i64::MAX);
                unopened.extend(failed);
                progress(rewrapped, due);
            }
            wrappings = self.key_wrappings().await?;
            if wrappings.old <= i64::try_from(unopened.len()).unwrap_or(i64::MAX) {
                break;
            }
        }
        let rotated = Rotated { rewrapped, left: wrappings.old };
        self.record_rotation(|permit| keys::finish(permit, &wrappings, rotated)).await?;
        Ok(Ended { rotated, unopened })
    }

    /// Asks the keyring for new wrappings: those it made, and the keys that do not open. An error if it is away.
    async fn rewrap(
        &self,
        batch: Vec<OldWrapping>,
    ) -> Result<(Vec<Rewrapped>, Vec<(WorkspaceId, i64)>), RotationError> {
        let asked = batch.into_iter().map(|old| async {
            let slot = (old.workspace, old.generation);
            (slot, self.ports.vault.rewrap(old).await)
        });
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        let (mut done, mut failed) = (vec![], vec![]);
        while let Some((slot, answer)) = answers.next().await {
            match answer {
                Ok(new) => done.push(new),
                Err(VaultError::Keyring(KeyringError::Foreign)) => failed.push(slot),
                Err(e) => return Err(e.into()),
            }
        }
        Ok((done, failed))
    }

    fn rotation_permit(&self) -> Result<Permit<actions::RotateKeys>, RotationError> {
        let task = Actor::task(SystemTask::RotateKeys, WorkspaceId::PLATFORM);
        Ok(permit(&task, self.ports.clock.now()).map_err(EntryError::from)?)
    }

    async fn record_rotation(
        &self,
        decide: impl FnOnce(&Permit<actions::RotateKeys>) -> Change<()>,
    ) -> Result<(), RotationError> {
        let request = self.ports.entropy.uuid().to_string();
        let tx = Transaction::open_for_task(self.ports.store.as_ref(), &self.rotation_permit()?, request).await?;
        let change = decide(tx.permit());
        tx.commit(change).await?;
        Ok(())
    }
}
