//! A directory elsewhere that workspaces are mirrored into.
use super::Cause;
use crate::{
    ids::WorkspaceId,
    mirror::{Mirrored, Step},
    text::Slug,
};
use async_trait::async_trait;
use time::Duration;

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
    /// Carries a step out. Doing it twice does no harm.
    async fn apply(&self, place: &Place, step: &Step) -> Result<(), MirrorError>;
}
