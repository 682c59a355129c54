//! What lies across tenants: which workspaces there are, and when keys and people were last seen.
use super::{StoreError, store::Page};
use crate::{
    ids::{ApiKeyId, UserId, WorkspaceId},
    policy::{Permit, Role, actions},
    workspaces::WorkspaceView,
};
use async_trait::async_trait;
use time::OffsetDateTime;

/// A workspace of an account.
#[derive(Debug, Clone)]
pub struct OwnWorkspace {
    /// The workspace.
    pub view: WorkspaceView,
    /// The account's role there.
    pub role: Role,
}

/// Finds workspaces.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Every workspace, by id: for the platform.
    async fn all(
        &self,
        permit: &Permit<actions::ListOrganizations>,
        page: Page,
    ) -> Result<Vec<WorkspaceView>, StoreError>;
    /// The workspaces of an account, by id: everybody may know their own.
    async fn of(&self, user: UserId, page: Page) -> Result<Vec<OwnWorkspace>, StoreError>;
    /// Whether there is no workspace at all: a new installation.
    async fn is_empty(&self) -> Result<bool, StoreError>;
    /// Ids and slugs of all workspaces, for the service's own upkeep (verification of every chain).
    async fn slugs(&self) -> Result<Vec<(WorkspaceId, String)>, StoreError>;
    /// Whether the database answers and its schema is the one this program knows.
    async fn ready(&self) -> Result<(), StoreError>;
}

/// What keeps a store from growing for ever.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Drops what nobody can ask for any more: sent messages of a month ago, kept outcomes of a day ago, ended sessions and
    /// old links. Returns how many rows went.
    async fn tidy(&self) -> Result<u64, StoreError>;
}

/// Who was seen when.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// Keys.
    pub keys: Vec<(WorkspaceId, ApiKeyId, OffsetDateTime)>,
    /// Members.
    pub members: Vec<(WorkspaceId, UserId, OffsetDateTime)>,
}

/// Keeps when keys and members were last seen, apart from their rows: a call must not collide with its own lock.
#[async_trait]
pub trait ActivityLog: Send + Sync {
    /// Keeps the latest of each.
    async fn record(&self, seen: &Sightings) -> Result<(), StoreError>;
}
