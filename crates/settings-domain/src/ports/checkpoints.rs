//! Keeps signed checkpoints. They stand beside the unit of work: a checkpoint changes nothing that a workspace shows, and an
//! event about it would want the next one.
use super::{
    StoreError,
    store::{ChainPart, Page},
};
use crate::{
    audit::checkpoints::{Checkpoint, Grown},
    ids::WorkspaceId,
};
use async_trait::async_trait;

/// Finds chains to sign, and keeps what was signed.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// Chains that have grown since their newest checkpoint, those of deleted workspaces included, by workspace after the
    /// page's id.
    async fn grown(&self, page: Page) -> Result<Vec<Grown>, StoreError>;
    /// The newest checkpoint of a chain.
    async fn newest(&self, workspace: WorkspaceId) -> Result<Option<Checkpoint>, StoreError>;
    /// Checkpoints of a chain after a place, oldest first.
    async fn after(&self, workspace: WorkspaceId, seq: i64, limit: i64) -> Result<Vec<Checkpoint>, StoreError>;
    /// A stretch of a chain after a place, whoever may read it.
    async fn stretch(&self, workspace: WorkspaceId, after: i64, limit: i64) -> Result<ChainPart, StoreError>;
    /// Keeps a checkpoint; false where another process was first: each follows another one, and each is followed once.
    async fn keep(&self, workspace: WorkspaceId, checkpoint: &Checkpoint) -> Result<bool, StoreError>;
}
