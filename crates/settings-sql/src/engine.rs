//! What differs between the engines: how a transaction is opened, how it names its tenant, and the few statements that one
//! engine says in another way.
use crate::{
    db::{SqlDb, Tx},
    error::ConnectError,
};
use async_trait::async_trait;
use settings_domain::ports::StoreError;
use std::fmt;
use uuid::Uuid;

/// What a transaction may see, for row-level security. Nil ids see nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// The tenant.
    pub workspace: Uuid,
    /// The account that asks: its own memberships are visible everywhere.
    pub user: Uuid,
    /// Whether this is a lookup across tenants.
    pub directory: bool,
}

impl Scope {
    /// One tenant.
    #[must_use]
    pub const fn tenant(workspace: Uuid) -> Self {
        Self { workspace, user: Uuid::nil(), directory: false }
    }
    /// Across tenants.
    #[must_use]
    pub const fn directory() -> Self {
        Self { workspace: Uuid::nil(), user: Uuid::nil(), directory: true }
    }
    /// One tenant, and what lookups across tenants may see.
    #[must_use]
    pub const fn tenant_and_directory(workspace: Uuid) -> Self {
        Self { workspace, user: Uuid::nil(), directory: true }
    }
    /// The same, asked by this account.
    #[must_use]
    pub const fn by(self, user: Uuid) -> Self {
        Self { user, ..self }
    }
}

/// The statements whose locking or list syntax is an engine's own. Made by [`engine_statements!`](crate::engine_statements).
#[derive(Debug, Clone, Copy)]
pub struct EngineStatements {
    /// Locks the workspace: the tenant's lock.
    pub lock_workspace: &'static str,
    /// Reads a membership so that it can't change before the commit.
    pub lock_member: &'static str,
    /// The same for a key.
    pub lock_key: &'static str,
    /// Makes the transaction ready for a claim.
    pub before_claim: &'static str,
    /// Takes due messages.
    pub claim: &'static str,
    /// Keys with their workspaces, by ids in one text.
    pub load_keys: &'static str,
    /// Epochs of workspaces, by ids in one text.
    pub epochs: &'static str,
    /// Who is said to use things of a workspace, by their ids in one text.
    pub dependants: &'static str,
    /// Which things of a workspace there are, by their ids in one text.
    pub known_uses: &'static str,
    /// Attempts of deliveries of a workspace, by their ids in one text.
    pub attempts: &'static str,
}

impl EngineStatements {
    /// All of them with their names.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &'static str); 10] {
        [
            ("engine::lock_workspace", self.lock_workspace),
            ("engine::lock_member", self.lock_member),
            ("engine::lock_key", self.lock_key),
            ("engine::before_claim", self.before_claim),
            ("engine::claim", self.claim),
            ("engine::load_keys", self.load_keys),
            ("engine::epochs", self.epochs),
            ("engine::dependants", self.dependants),
            ("engine::known_uses", self.known_uses),
            ("engine::attempts", self.attempts),
        ]
    }
}

/// An engine with its pools.
#[async_trait]
pub trait Engine: fmt::Debug + Send + Sync + 'static {
    /// The driver.
    type Db: SqlDb;
    /// What can be chosen when connecting.
    type Options: fmt::Debug + Default + Send + Sync;
    /// The engine's own statements.
    const STATEMENTS: EngineStatements;

    /// Opens the database.
    async fn connect(address: &str, options: &Self::Options) -> Result<Self, ConnectError>
    where
        Self: Sized;
    /// Brings the schema to what this program knows.
    async fn migrate(&self) -> Result<(), ConnectError>;
    /// Versions of the migrations this program knows, in order.
    fn migrations(&self) -> Vec<i64>;
    /// One consistent view.
    async fn begin_read(&self, scope: Scope) -> Result<Tx<Self::Db>, StoreError>;
    /// A transaction that may write; on SQLite the only one at a time.
    async fn begin_write(&self, scope: Scope) -> Result<Tx<Self::Db>, StoreError>;
    /// A connection for single statements on tables of no tenant.
    async fn single(&self) -> Result<Tx<Self::Db>, StoreError>;
    /// Changes what the open transaction may see.
    async fn rescope(&self, tx: &mut Tx<Self::Db>, scope: Scope) -> Result<(), StoreError>;
    /// Whether the database itself keeps tenants apart, whatever a statement asks.
    async fn rls_enforced(&self) -> Result<bool, StoreError>;
    /// Takes what was erased out of the files, as far as the engine can while others work. Called after an erasure committed.
    async fn scrub(&self) -> Result<(), StoreError>;
    /// Closes the pools.
    async fn close(&self);
}
