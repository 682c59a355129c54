//! The store: every port of the domain over one engine.
use crate::{
    api_keys,
    db::{SqlDb, Stmt, Tx},
    directory::{self, Door},
    engine::{Engine, Scope},
    error::{ConnectError, is_collision},
    group_read::KeyReader,
    members, root_key,
    session::{Presence, Session},
};
use async_trait::async_trait;
use settings_domain::{
    ids::WorkspaceId,
    policy::TenantScope,
    ports::{
        StoreError,
        audit::AuditSealer,
        keyring::RootKeyStore,
        store::{CallerId, Entry, Selector, Standing, Store, TenantReads, UnitOfWork},
    },
};
use std::{fmt, sync::Arc};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

/// How often a transaction that did nothing yet is opened again after a deadlock or a serialization failure.
const TRIES: u32 = 3;

/// An open database, before the service's keys are known: they are kept in it.
#[derive(Debug)]
pub struct Database<E: Engine> {
    engine: Arc<E>,
}

impl<E: Engine> Clone for Database<E> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine) }
    }
}

impl<E: Engine> Database<E> {
    /// Opens the database with the usual options.
    pub async fn connect(address: &str) -> Result<Self, ConnectError> {
        Self::connect_with(address, &E::Options::default()).await
    }
    /// Opens the database.
    pub async fn connect_with(address: &str, options: &E::Options) -> Result<Self, ConnectError> {
        Ok(Self { engine: Arc::new(E::connect(address, options).await?) })
    }
    /// Brings the schema to what this program knows. Safe to call from several processes at once.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        self.engine.migrate().await
    }
    /// Versions of the migrations that this program knows and the database has not seen.
    pub async fn pending_migrations(&self) -> Result<Vec<i64>, StoreError> {
        let applied = applied(self.engine.as_ref()).await?;
        Ok(self.engine.migrations().into_iter().filter(|v| applied.is_none_or(|a| *v > a)).collect())
    }
    /// The store over this database. Cheap; clones share their connections and their cache.
    #[must_use]
    pub fn store(&self, sealer: Arc<dyn AuditSealer>) -> SqlStore<E> {
        let keys = Arc::new(KeyReader::new(Arc::clone(&self.engine)));
        SqlStore { engine: Arc::clone(&self.engine), sealer, keys, queued: Arc::default() }
    }
    /// Whether the database itself keeps tenants apart, whatever a statement asks.
    pub async fn rls_enforced(&self) -> Result<bool, StoreError> {
        self.engine.rls_enforced().await
    }
    /// The engine, for tests that speak SQL.
    #[must_use]
    pub fn engine(&self) -> &E {
        &self.engine
    }
    /// Closes every connection.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}

/// The newest applied migration; `None` before the first.
pub(crate) async fn applied<E: Engine>(engine: &E) -> Result<Option<i64>, StoreError> {
    let mut tx = engine.single().await?;
    match directory::schema(&mut tx).await {
        Ok(version) => Ok(version),
        // The migrator's own table is not there yet: an empty database, which still has to answer.
        Err(StoreError::Unavailable(_)) => directory::alive(&mut tx).await.map(|()| None),
        Err(e) => Err(e),
    }
}

#[async_trait]
impl<E: Engine> RootKeyStore for Database<E> {
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        root_key::get(&mut self.engine.single().await?).await
    }
    async fn keep_root_key(&self, wrapped: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        root_key::keep(&mut tx, wrapped).await?;
        let kept = root_key::get(&mut tx).await?;
        tx.commit().await?;
        kept.ok_or_else(|| StoreError::Corrupt("a root key that is not kept".to_owned()))
    }
    async fn rewrap_root_key(&self, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        let mut tx = self.engine.begin_write(Scope::default()).await?;
        let changed = root_key::rewrap(&mut tx, old, new).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// The store.
pub struct SqlStore<E: Engine> {
    pub(crate) engine: Arc<E>,
    pub(crate) sealer: Arc<dyn AuditSealer>,
    pub(crate) keys: Arc<KeyReader<E>>,
    /// Told when something was queued, by whichever clone.
    pub(crate) queued: Arc<Notify>,
}

impl<E: Engine> Clone for SqlStore<E> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            sealer: Arc::clone(&self.sealer),
            keys: Arc::clone(&self.keys),
            queued: Arc::clone(&self.queued),
        }
    }
}

impl<E: Engine> fmt::Debug for SqlStore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("engine", &self.engine).finish_non_exhaustive()
    }
}

const fn account(caller: CallerId) -> Uuid {
    match caller {
        CallerId::User(user) => user.as_uuid(),
        CallerId::Key(_) | CallerId::Service => Uuid::nil(),
    }
}

fn found(standing: Standing) -> Entry {
    Entry::Found(Box::new(standing))
}

/// Who stands at which door, all from the snapshot that was just opened.
async fn enter<D: SqlDb>(tx: &mut Tx<D>, caller: CallerId, selector: &Selector) -> Result<Entry, StoreError> {
    let at_door = |door: Door, key| match door.workspace {
        None => Entry::Missing,
        Some(id) => {
            let workspace = WorkspaceId::from_uuid(id);
            found(Standing { workspace, at: door.at, exists: true, member: door.member, key })
        }
    };
    match (caller, selector) {
        (CallerId::User(user), Selector::Own) => {
            let mut doors = directory::own_doors(tx, user.as_uuid()).await?.into_iter();
            Ok(match (doors.next(), doors.next()) {
                (Some(only), None) => at_door(only, None),
                _ => Entry::Unclear,
            })
        }
        (CallerId::Key(key), Selector::Own) => {
            let Some((door, record)) = directory::key_door(tx, key).await? else { return Ok(Entry::Missing) };
            let (workspace, exists) = (record.key.workspace, door.workspace.is_some());
            Ok(found(Standing { workspace, at: door.at, exists, member: None, key: Some(record) }))
        }
        (CallerId::Service, Selector::Own) => Ok(Entry::Unclear),
        (caller, selector) => {
            let record = match caller {
                CallerId::Key(key) => directory::key_door(tx, key).await?.map(|(_, record)| record),
                CallerId::User(_) | CallerId::Service => None,
            };
            Ok(match directory::door(tx, selector, account(caller)).await? {
                Some(door) => at_door(door, record),
                None => Entry::Missing,
            })
        }
    }
}

impl<E: Engine> SqlStore<E> {
    async fn lock(&self, scope: Scope, caller: CallerId) -> Result<(Session<E>, Standing), StoreError> {
        let (workspace, own) = (scope.workspace, E::STATEMENTS);
        let mut tx = self.engine.begin_write(scope).await?;
        let row =
            tx.first(Stmt::new(own.lock_workspace).bind(workspace), |row| row.get::<Option<i64>>("deleted_at")).await?;
        let presence = match row {
            None => Presence::Absent,
            Some(None) => Presence::Present,
            Some(Some(_)) => Presence::Deleted,
        };
        // The clock is read after the lock was taken: time runs in the order of commits.
        let (mut member, mut key, mut at) = (None, None, None);
        match caller {
            CallerId::User(user) => {
                let stmt = Stmt::new(own.lock_member).bind(workspace).bind(user.as_uuid());
                let row = tx.first(stmt, |row| Ok((members::read(row)?, row.time("now")?))).await?;
                (member, at) = row.unzip();
            }
            CallerId::Key(id) => {
                let stmt = Stmt::new(own.lock_key).bind(workspace).bind(id.as_uuid());
                let row = tx.first(stmt, |row| Ok((api_keys::read_record(row)?, row.time("now")?))).await?;
                (key, at) = row.unzip();
            }
            CallerId::Service => {}
        }
        let at = match at {
            Some(at) => at,
            None => directory::clock(&mut tx).await?,
        };
        let exists = presence == Presence::Present;
        let standing = Standing { workspace: WorkspaceId::from_uuid(workspace), at, exists, member, key };
        Ok((self.session(tx, scope, at, presence), standing))
    }

    fn session(&self, tx: Tx<E::Db>, scope: Scope, at: OffsetDateTime, presence: Presence) -> Session<E> {
        let (engine, sealer) = (Arc::clone(&self.engine), Arc::clone(&self.sealer));
        Session { tx, engine, sealer, queued: Arc::clone(&self.queued), scope, at, presence }
    }
}

#[async_trait]
impl<E: Engine> Store for SqlStore<E> {
    async fn snapshot(
        &self,
        caller: CallerId,
        selector: &Selector,
    ) -> Result<(Box<dyn TenantReads>, Entry), StoreError> {
        let user = account(caller);
        let mut tx = self.engine.begin_read(Scope::directory().by(user)).await?;
        let entry = enter(&mut tx, caller, selector).await?;
        let (scope, at, presence) = match &entry {
            // A key of another workspace is let in nowhere, whatever the domain makes of it.
            Entry::Found(s) if s.key.as_ref().is_some_and(|k| k.key.workspace != s.workspace) => {
                (Scope::default(), s.at, Presence::Absent)
            }
            Entry::Found(s) => (Scope::tenant(s.workspace.as_uuid()).by(user), s.at, Presence::Present),
            Entry::Missing | Entry::Unclear => (Scope::default(), OffsetDateTime::UNIX_EPOCH, Presence::Absent),
        };
        self.engine.rescope(&mut tx, scope).await?;
        Ok((Box::new(self.session(tx, scope, at, presence)), entry))
    }

    async fn begin(&self, scope: TenantScope, caller: CallerId) -> Result<(Box<dyn UnitOfWork>, Standing), StoreError> {
        let scope = Scope::tenant(scope.workspace().as_uuid()).by(account(caller));
        let mut tries = 1;
        loop {
            match self.lock(scope, caller).await {
                Ok((session, standing)) => return Ok((Box::new(session), standing)),
                Err(e) if tries < TRIES && is_collision(&e) => tries += 1,
                Err(e) => return Err(e),
            }
        }
    }
}
