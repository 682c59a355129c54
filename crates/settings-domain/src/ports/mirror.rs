//! A directory elsewhere that workspaces are mirrored into.
use super::{Cause, StoreError};
use crate::{
    ids::WorkspaceId,
    mirror::{Mirrored, Roster, Step},
    text::Slug,
};
use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// Which workspace. Its id is what makes the organization there ours; the slug is its name there, and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Its slug.
    pub slug: Slug,
}

/// Why the mirror could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It can't be asked right now, or asks for patience.
    #[error("the directory is unavailable")]
    Unavailable {
        /// How long it wants to be left alone, where it says so.
        retry_after: Option<Duration>,
        /// What happened, for the log.
        #[source]
        cause: Cause,
    },
    /// There is an organization of this name that is not this workspace's. It is never touched.
    #[error("an organization of this name is there already, and is not this workspace's")]
    NotOurs,
    /// The person of a step has no account there (any more).
    #[error("the person is unknown there")]
    UnknownPerson,
    /// It refuses: this service lacks a right there, or is not set up right. For the operator.
    #[error("the directory refuses: {0}")]
    Refused(&'static str),
}

/// A directory that follows our store.
#[async_trait]
pub trait OrganizationMirror: Send + Sync {
    /// What is there of ours; `None` where the workspace has no organization.
    async fn read(&self, place: &Place) -> Result<Option<Mirrored>, MirrorError>;
    /// Whether it holds invitations; where it does not, none are planned for it.
    fn holds_invitations(&self) -> bool;
    /// Carries a step out. Doing it twice does no harm.
    async fn apply(&self, place: &Place, step: &Step) -> Result<(), MirrorError>;
}

/// A workspace that the directory has to follow, taken by a worker. It comes back by itself when the worker dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Which one.
    pub workspace: WorkspaceId,
    /// What is followed by following it now; a change that comes meanwhile raises it, and asks for another time.
    pub wanted: i64,
    /// How often it was taken in a row without success, from 0.
    pub attempt: i64,
}

/// How far the directory has followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Workspaces that it has yet to follow.
    pub workspaces: i64,
    /// Since when the longest of them waits.
    pub since: Option<OffsetDateTime>,
    /// Why that one does, where it was tried.
    pub cause: Option<String>,
}

/// What the directory has to follow. Each change of a roster ([`follows`](crate::mirror::follows)) raises what is wanted of
/// its workspace, in its own transaction, whether or not anybody follows yet.
#[async_trait]
pub trait MirrorQueue: Send + Sync {
    /// Takes the workspace that is due longest for `lease`; or this one, due or not, unless somebody else has it.
    async fn take_behind(&self, only: Option<WorkspaceId>, lease: Duration) -> Result<Option<Behind>, StoreError>;
    /// The directory has followed.
    async fn followed(&self, behind: &Behind) -> Result<(), StoreError>;
    /// It could not: to be tried again after a while, or as soon as something changes. The cause is one of our own words.
    async fn follow_later(&self, behind: &Behind, after: Duration, cause: &'static str) -> Result<(), StoreError>;
    /// How far it has come.
    async fn backlog(&self) -> Result<Backlog, StoreError>;
    /// Every workspace that is there or has yet to be followed into its end, by id.
    async fn places(&self, after: Option<WorkspaceId>, limit: i64) -> Result<Vec<Place>, StoreError>;
    /// A workspace as it is to be mirrored, in one view: members whom this issuer vouches for (with or without a slash at its
    /// end), invitations that wait. No roster where the workspace is gone, and nothing at all where it never was.
    async fn roster(&self, workspace: WorkspaceId, issuer: &str)
    -> Result<Option<(Place, Option<Roster>)>, StoreError>;
}
