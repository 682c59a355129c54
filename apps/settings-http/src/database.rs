//! The one place that knows both engines.
use crate::{
    config::DatabaseUrl,
    failure::{Failure, causes},
};
use settings_domain::ports::{StoreError, keyring::RootKeyStore};

/// An open database of either engine.
pub(crate) enum Database {
    Sqlite(settings_sqlite::Database),
    Postgres(settings_postgres::Database),
}

impl Database {
    pub(crate) async fn connect(url: &DatabaseUrl) -> Result<Self, Failure> {
        let failed = |e: &(dyn std::error::Error + 'static)| {
            Failure::service(format!(
                "the database could not be opened: {}\nCheck DATABASE_URL and that the database is running and reachable.",
                causes(e)
            ))
        };
        match url {
            DatabaseUrl::Sqlite(url) => {
                settings_sqlite::Database::connect(url).await.map(Self::Sqlite).map_err(|e| failed(&e))
            }
            DatabaseUrl::Postgres(url) => {
                settings_postgres::Database::connect(url).await.map(Self::Postgres).map_err(|e| failed(&e))
            }
        }
    }
    pub(crate) async fn migrate(&self) -> Result<(), Failure> {
        let failed = |e: &(dyn std::error::Error + 'static)| {
            Failure::service(format!("the schema could not be brought up to date: {}", causes(e)))
        };
        match self {
            Self::Sqlite(d) => d.migrate().await.map_err(|e| failed(&e)),
            Self::Postgres(d) => d.migrate().await.map_err(|e| failed(&e)),
        }
    }
    pub(crate) async fn pending_migrations(&self) -> Result<usize, Failure> {
        let failed = |e: &(dyn std::error::Error + 'static)| {
            Failure::service(format!("the schema could not be read: {}", causes(e)))
        };
        match self {
            Self::Sqlite(d) => d.pending_migrations().await.map(|p| p.len()).map_err(|e| failed(&e)),
            Self::Postgres(d) => d.pending_migrations().await.map(|p| p.len()).map_err(|e| failed(&e)),
        }
    }
    /// Whether row-level security binds; `None` where the engine has none.
    pub(crate) async fn rls_enforced(&self) -> Option<Result<bool, StoreError>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(d) => Some(d.rls_enforced().await),
        }
    }
    pub(crate) fn root_keys(&self) -> &dyn RootKeyStore {
        match self {
            Self::Sqlite(d) => d,
            Self::Postgres(d) => d,
        }
    }
}
