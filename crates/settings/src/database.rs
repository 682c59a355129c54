//! Any store.
use async_trait::async_trait;
use settings_app::AnyStore;
use settings_domain::ports::{audit::AuditSealer, keyring::RootKeyStore};
use std::{error::Error, sync::Arc};

/// An open database. Those of SQLite and Postgres are some; whoever has another one passes the contract suites of
/// `settings-testkit` with it.
#[async_trait]
pub trait Database: Send + Sync {
    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<(), Box<dyn Error + Send + Sync>>;
    /// Where the wrapped root key is kept.
    fn root_keys(&self) -> &dyn RootKeyStore;
    /// The store over it, which seals audit events with `sealer`.
    fn store(&self, sealer: Arc<dyn AuditSealer>) -> Arc<dyn AnyStore>;
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
macro_rules! database {
    ($database:ty) => {
        #[async_trait]
        impl Database for $database {
            async fn migrate(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
                Ok(<$database>::migrate(self).await?)
            }
            fn root_keys(&self) -> &dyn RootKeyStore {
                self
            }
            fn store(&self, sealer: Arc<dyn AuditSealer>) -> Arc<dyn AnyStore> {
                Arc::new(<$database>::store(self, sealer))
            }
        }
    };
}

#[cfg(feature = "sqlite")]
database!(settings_sqlite::Database);
#[cfg(feature = "postgres")]
database!(settings_postgres::Database);
