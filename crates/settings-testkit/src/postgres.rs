//! A throw-away Postgres for tests: it is made in a moment, is fast because it may lose its data, and is gone when the
//! test process is.
//!
//! ```no_run
//! use settings_testkit::postgres::Cluster;
//!
//! # async fn migrate(url: String) -> Result<(), sqlx::Error> { Ok(()) }
//! # async fn example() {
//! let cluster = Cluster::shared().await;
//! cluster.template("store", migrate).await;
//! let db = cluster.fresh().await;
//! let pool = sqlx::PgPool::connect(db.url()).await.unwrap();
//! # }
//! ```
//!
//! A running server is never touched. The one exception is a cluster that `throwaway-postgres` started for a whole test
//! run: `SETTINGS_TEST_PG` names its socket directory, and it has to prove that it is one ([`Cluster::attach`]).

mod address;
mod binaries;
mod databases;
mod error;
mod server;
mod watchdog;

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use self::address::Address;
pub use self::databases::{TestDb, migrations_key};
pub use self::error::PostgresError;
use self::server::Server;

/// The owner of every test database: it may log in and make roles, but it is no superuser, so that row-level security
/// and missing grants show in tests as they do in production.
pub const OWNER: &str = "settings_owner";
/// The superuser of a throw-away cluster.
pub const ADMIN: &str = "postgres";
/// Names the socket directory of a throw-away cluster that is already running.
pub const SHARED_VARIABLE: &str = "SETTINGS_TEST_PG";
/// Names the directory with `initdb` and `postgres`, where they are not in the place Debian puts them.
pub const BINARIES_VARIABLE: &str = "SETTINGS_TEST_PG_BIN";

/// How a cluster is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Also listens on a free port of 127.0.0.1, where every local user may connect. Without it: a private socket only.
    pub tcp: bool,
    /// Keeps what was committed when the server is killed: fsync, full pages and autovacuum as in production.
    pub durable: bool,
}

/// A running throw-away cluster. Dropping it, or the end of this process however it comes, removes it.
#[derive(Debug)]
pub struct Cluster {
    address: Address,
    server: Option<Server>,
    template: OnceCell<String>,
}

impl Cluster {
    /// Starts a cluster of one's own; about a second.
    pub async fn start(options: Options) -> Result<Self, PostgresError> {
        match Self::try_to_start(options).await {
            // Most likely somebody took the port between our looking for a free one and the server's binding it.
            Err(PostgresError::NotReady(_)) if options.tcp => Self::try_to_start(options).await,
            outcome => outcome,
        }
    }

    async fn try_to_start(options: Options) -> Result<Self, PostgresError> {
        let booting = tokio::task::spawn_blocking(move || Server::boot(options));
        let server = booting.await.map_err(|e| PostgresError::Io("starting", std::io::Error::other(e)))??;
        server.wait_until_ready().await?;
        let address = server.address().clone();
        databases::prepare(&address).await?;
        Ok(Self { address, server: Some(server), template: OnceCell::new() })
    }

    /// Uses a throw-away cluster that another process started, and refuses any other server.
    pub async fn attach(socket_dir: &Path) -> Result<Self, PostgresError> {
        let mut address = Address::find(socket_dir)?;
        address.tcp = databases::prove_throw_away(&address).await?;
        Ok(Self { address, server: None, template: OnceCell::new() })
    }

    /// The cluster of this test process: the one of `SETTINGS_TEST_PG` if that is set, else one started on first use.
    ///
    /// # Panics
    /// When there is none and none can be started; the message says what to install or to set.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        let made = SHARED.get_or_try_init(async || match binaries::variable(SHARED_VARIABLE) {
            Some(socket_dir) => Self::attach(&PathBuf::from(socket_dir)).await,
            None => Self::start(Options::default()).await,
        });
        or_panic(made.await)
    }

    /// The directory of the socket: the value for `SETTINGS_TEST_PG`.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.address.socket_dir
    }

    /// Kills the postmaster and every backend with SIGKILL. Only a [`durable`](Options::durable) cluster survives it.
    pub async fn crash(&self) -> Result<(), PostgresError> {
        self.own()?.crash().await
    }

    /// Stops the server in order; open connections are closed.
    pub fn stop(&self) -> Result<(), PostgresError> {
        self.own()?.stop()
    }

    /// Starts the server again after [`Cluster::crash`] or [`Cluster::stop`], at the same address.
    pub async fn start_again(&self) -> Result<(), PostgresError> {
        let server = self.own()?;
        server.launch()?;
        server.wait_until_ready().await
    }

    fn own(&self) -> Result<&Server, PostgresError> {
        self.server.as_ref().ok_or(PostgresError::NotOurs)
    }
}

/// A test that has no database has failed; its message is all that anybody sees of it.
#[expect(clippy::panic, reason = "only tests come here")]
fn or_panic<T>(result: Result<T, PostgresError>) -> T {
    result.unwrap_or_else(|error| panic!("{}", error.report()))
}
