//! What is left to do of an erasure after it was decided: openings that nobody can read any more are emptied, a few at a time,
//! so that nobody waits for it. It stands beside the unit of work: what was decided is not decided again.
use super::StoreError;
use crate::ids::WorkspaceId;
use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// How far an erasure is. It names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasureRun {
    /// The place of `member.erased`.
    pub seq: i64,
    /// How many events spoke of the person.
    pub events: i64,
    /// In how many openings.
    pub openings: i64,
    /// How many of them are empty.
    pub emptied: i64,
    /// When the last one was.
    pub completed_at: Option<OffsetDateTime>,
}

/// Empties what erasures left.
#[async_trait]
pub trait Erasures: Send + Sync {
    /// One erasure of a workspace.
    async fn erasure(&self, workspace: WorkspaceId, seq: i64) -> Result<Option<ErasureRun>, StoreError>;
    /// Erasures that are not complete and that nobody worked on for so long, those of deleted workspaces included.
    async fn left_alone(&self, idle: Duration) -> Result<Vec<(WorkspaceId, i64)>, StoreError>;
    /// Empties at most so many openings of an erasure, in one short transaction. The place after which the next ones stand;
    /// `None` when it is complete.
    async fn empty(&self, workspace: WorkspaceId, seq: i64, after: i64, limit: i64) -> Result<Option<i64>, StoreError>;
}
