//! A directory elsewhere follows the store: what it lacks is planned, shown, and carried out by a worker or by an operator.
use crate::App;
use settings_domain::{
    ids::WorkspaceId,
    mirror::{Roster, Step, plan},
    ports::{
        StoreError,
        mirror::{Behind, MirrorError, OrganizationMirror, Place},
    },
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use time::Duration;

/// How long a workspace is its follower's own.
const LEASE: Duration = Duration::minutes(5);
/// After so long the rest is left to the next time, well before the lease is over. One step may take a minute.
const SHIFT: Duration = Duration::minutes(3);
/// How long to wait after a failure that may mend; the last wait is repeated, for as long as it takes.
const WAITS: [Duration; 5] =
    [Duration::seconds(5), Duration::seconds(30), Duration::minutes(2), Duration::minutes(10), Duration::minutes(30)];
/// The longest that a directory may ask to be left alone.
const LONGEST: Duration = Duration::hours(24);
/// What only an operator can mend is looked at this often.
const FOR_AN_OPERATOR: Duration = Duration::minutes(30);

const AWAY: &str = "the directory is unavailable";
const NOT_OURS: &str = "an organization of this name is there already, and is not this workspace's";
const REFUSED: &str = "the directory refuses";
const UNFINISHED: &str = "there is more to do than fits in one turn";

/// The directory that follows.
#[derive(Clone)]
pub struct Mirroring {
    directory: Arc<dyn OrganizationMirror>,
    issuer: String,
    answered: Arc<AtomicU8>,
}

impl fmt::Debug for Mirroring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirroring").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Mirroring {
    /// A directory, and the issuer whose subjects are its members.
    #[must_use]
    pub fn new(directory: Arc<dyn OrganizationMirror>, issuer: String) -> Self {
        Self { directory, issuer, answered: Arc::default() }
    }
    /// Whether it answered when it was last asked; `None` before the first time.
    #[must_use]
    pub fn answered(&self) -> Option<bool> {
        match self.answered.load(Ordering::Relaxed) {
            0 => None,
            seen => Some(seen == 1),
        }
    }
    fn note<T>(&self, outcome: Result<T, MirrorError>) -> Result<T, MirrorError> {
        let away = matches!(outcome, Err(MirrorError::Unavailable { .. }));
        self.answered.store(if away { 2 } else { 1 }, Ordering::Relaxed);
        outcome
    }
}

/// Why a workspace was not planned for or followed.
#[derive(Debug, thiserror::Error)]
pub enum MirroringError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory did.
    #[error(transparent)]
    Directory(#[from] MirrorError),
}

/// What became of a workspace that was taken.
#[derive(Debug)]
pub enum Followed {
    /// The directory equals the store, but for people whom it does not know.
    Done {
        /// How many steps that took.
        steps: usize,
        /// How many named somebody without an account there.
        unknown: usize,
    },
    /// It has to wait.
    Later {
        /// How long.
        wait: Duration,
        /// Why.
        error: Option<MirrorError>,
    },
}

impl App {
    /// What it would take so that the directory equals the store. Changes nothing.
    pub async fn plan_mirror(&self, m: &Mirroring, workspace: WorkspaceId) -> Result<Vec<Step>, MirroringError> {
        let Some((place, ours)) = self.to_mirror(m, workspace).await? else { return Ok(Vec::new()) };
        let theirs = m.note(m.directory.read(&place).await)?;
        Ok(plan(ours.as_ref(), theirs.as_ref()))
    }

    /// A workspace as the directory can hold it.
    async fn to_mirror(
        &self,
        m: &Mirroring,
        workspace: WorkspaceId,
    ) -> Result<Option<(Place, Option<Roster>)>, StoreError> {
        let mut there = self.ports.store.roster(workspace, &m.issuer).await?;
        if let Some((_, Some(roster))) = there.as_mut().filter(|_| !m.directory.holds_invitations()) {
            roster.invitations.clear();
        }
        Ok(there)
    }

    /// Lets the directory follow the workspace that is due longest, or this one. `None` where none is due, or somebody else
    /// has it. Each step is told to `progress`, with how many there are. Once `stopping`, the rest is left for later.
    pub async fn follow(
        &self,
        m: &Mirroring,
        only: Option<WorkspaceId>,
        progress: impl Fn(usize, usize) + Send + Sync,
        stopping: impl Fn() -> bool + Send + Sync,
    ) -> Result<Option<Followed>, StoreError> {
        let store = self.ports.store.as_ref();
        let Some(behind) = store.take_behind(only, LEASE).await? else { return Ok(None) };
        let outcome = match self.carry_out(m, &behind, progress, stopping).await {
            Ok(Some((steps, unknown))) => {
                store.followed(&behind).await?;
                return Ok(Some(Followed::Done { steps, unknown }));
            }
            Ok(None) => (Duration::ZERO, UNFINISHED, None),
            Err(MirroringError::Store(error)) => return Err(error),
            Err(MirroringError::Directory(error)) => {
                let (wait, cause) = patience(&error, behind.attempt);
                tracing::warn!(workspace = %behind.workspace, attempt = behind.attempt, %error, "the directory could not follow a workspace");
                (wait, cause, Some(error))
            }
        };
        let (wait, cause, error) = outcome;
        store.follow_later(&behind, wait, cause).await?;
        Ok(Some(Followed::Later { wait, error }))
    }

    /// Plans and does it; `None` where the time was over before the end.
    async fn carry_out(
        &self,
        m: &Mirroring,
        behind: &Behind,
        progress: impl Fn(usize, usize) + Send + Sync,
        stopping: impl Fn() -> bool + Send + Sync,
    ) -> Result<Option<(usize, usize)>, MirroringError> {
        let begun = self.ports.clock.now();
        let Some((place, ours)) = self.to_mirror(m, behind.workspace).await? else { return Ok(Some((0, 0))) };
        let theirs = m.note(m.directory.read(&place).await)?;
        let steps = plan(ours.as_ref(), theirs.as_ref());
        let mut unknown = 0;
        for (done, step) in steps.iter().enumerate() {
            if stopping() || self.ports.clock.now() - begun > SHIFT {
                return Ok(None);
            }
            match m.note(m.directory.apply(&place, step).await) {
                Ok(()) => tracing::info!(workspace = %behind.workspace, step = step.name(), "the directory follows"),
                // Nobody can be let in who has no account there. Everybody else still can.
                Err(MirrorError::UnknownPerson) => unknown += 1,
                Err(error) => return Err(error.into()),
            }
            progress(done + 1, steps.len());
        }
        if unknown > 0 {
            tracing::warn!(workspace = %behind.workspace, unknown, "the directory does not know some people");
        }
        Ok(Some((steps.len() - unknown, unknown)))
    }
}

/// How long a workspace waits after a failure, and the word for it.
fn patience(error: &MirrorError, attempt: i64) -> (Duration, &'static str) {
    match error {
        MirrorError::Unavailable { retry_after, .. } => {
            let scheduled = usize::try_from(attempt).ok().and_then(|n| WAITS.get(n)).copied();
            let wait = scheduled.unwrap_or(FOR_AN_OPERATOR);
            (wait.max(retry_after.unwrap_or_default().min(LONGEST)), AWAY)
        }
        MirrorError::NotOurs => (FOR_AN_OPERATOR, NOT_OURS),
        MirrorError::UnknownPerson | MirrorError::Refused(_) => (FOR_AN_OPERATOR, REFUSED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_away_is_tried_again_less_and_less_often_but_for_ever() {
        let away = |asked: Option<i64>| MirrorError::Unavailable {
            retry_after: asked.map(Duration::seconds),
            cause: "away".into(),
        };
        let waits: Vec<_> = [0, 1, 2, 3, 4, 5, 1000].map(|n| patience(&away(None), n).0.whole_seconds()).to_vec();
        assert_eq!(waits, [5, 30, 120, 600, 1800, 1800, 1800]);
        assert_eq!(patience(&away(Some(90)), 0).0, Duration::seconds(90), "as long as it asks for");
        assert_eq!(patience(&away(Some(1)), 3).0, Duration::minutes(10), "and no shorter");
        assert_eq!(patience(&away(Some(i64::MAX / 2)), 0).0, LONGEST, "within reason");
    }

    #[test]
    fn what_only_an_operator_can_mend_is_no_flood_of_calls() {
        assert_eq!(patience(&MirrorError::NotOurs, 0), (FOR_AN_OPERATOR, NOT_OURS));
        assert_eq!(patience(&MirrorError::Refused("no scope"), 0), (FOR_AN_OPERATOR, REFUSED));
    }
}
