//! The databases of a cluster: the template that is migrated once, and its clones.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{ADMIN, Address, Cluster, OWNER, PostgresError, or_panic};

/// A role that no real server has: who finds it knows that everything here may be thrown away.
const MARKER: &str = "settings_throw_away";
/// The key of the lock under which one process at a time makes a template.
const TEMPLATE_LOCK: i64 = 0x5e77_1265;
/// A database that can't be dropped in this time is left to the watchdog.
const DROPPED_WITHIN: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, PostgresError>;

/// A database of one test, dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    url: String,
    admin_url: String,
    tcp_url: Option<String>,
    maintenance_url: String,
}

impl TestDb {
    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the owner, who is no superuser. Fit for `DATABASE_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// As the superuser, whom row-level security does not bind.
    #[must_use]
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// As the owner through 127.0.0.1, if the cluster was started with [`tcp`](super::Options::tcp).
    #[must_use]
    pub fn tcp_url(&self) -> Option<&str> {
        self.tcp_url.as_deref()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let url = std::mem::take(&mut self.maintenance_url);
        // A thread of its own, because the test may or may not be inside a runtime. What is left goes with the cluster.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let work = async { execute(&mut connect(&url).await?, "dropping a database", statement).await };
                tokio::time::timeout(DROPPED_WITHIN, work).await.ok()?.ok()
            })
        });
        let _ = dropped.join();
    }
}

impl Cluster {
    /// Makes every later [`fresh`](Cluster::fresh) database a clone of one that `migrate` prepared. The closure gets a
    /// URL as the owner and must close its connections; it runs once per cluster and key, also when several processes
    /// ask at the same time. The key has to change with the migrations: see [`migrations_key`].
    ///
    /// # Panics
    /// When `migrate` fails, or when this process already set a template with another key.
    pub async fn template<F, R, E>(&self, key: &str, migrate: F)
    where
        F: FnOnce(String) -> R,
        R: Future<Output = Result<(), E>>,
        E: Display,
    {
        let name = format!("template_{key}");
        let made = self.template.get_or_try_init(async || {
            self.make_template(&name, migrate).await?;
            Ok::<_, PostgresError>(name.clone())
        });
        let set = or_panic(made.await);
        assert_eq!(*set, name, "this process already has another template");
    }

    /// A new database: a clone of the template if there is one, else empty.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn fresh(&self) -> TestDb {
        self.create(self.template.get().map(String::as_str)).await
    }

    /// A new database without any table, whether or not there is a template.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn empty(&self) -> TestDb {
        self.create(None).await
    }

    async fn create(&self, template: Option<&str>) -> TestDb {
        let made = async {
            let mut admin = self.admin().await?;
            let unique = sqlx::query_scalar("SELECT 'test_' || replace(gen_random_uuid()::text, '-', '')");
            let name: String = unique.fetch_one(&mut admin).await.map_err(|e| PostgresError::Sql("naming", e))?;
            create_database(&mut admin, &name, template).await?;
            close(admin).await?;
            Ok::<_, PostgresError>(name)
        };
        let name = or_panic(made.await);
        TestDb {
            url: self.address.url(OWNER, &name),
            admin_url: self.address.url(ADMIN, &name),
            tcp_url: self.address.tcp_url(OWNER, &name),
            maintenance_url: self.address.url(ADMIN, "postgres"),
            name,
        }
    }

    async fn admin(&self) -> Outcome<PgConnection> {
        connect(&self.address.url(ADMIN, "postgres")).await
    }

    async fn make_template<F, R, E>(&self, name: &str, migrate: F) -> Outcome<()>
    where
        F: FnOnce(String) -> R,
        R: Future<Output = Result<(), E>>,
        E: Display,
    {
        let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        assert!(plain && name.len() <= 55, "a template's key has at most 46 characters of a-z, 0-9 and _");
        let mut admin = self.admin().await?;
        // Held until the connection closes, so a process that dies while it migrates leaves the work to the next one.
        execute(&mut admin, "locking the templates", format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await?;
        let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)").bind(name);
        if !exists.fetch_one(&mut admin).await.map_err(|e| PostgresError::Sql("looking for the template", e))? {
            let draft = format!("{name}_draft");
            execute(&mut admin, "dropping a draft", format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await?;
            create_database(&mut admin, &draft, None).await?;
            let migrated = migrate(self.address.url(OWNER, &draft)).await;
            migrated.map_err(|error| PostgresError::Migrate(error.to_string()))?;
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
            execute(&mut admin, "ending connections", format!("{end}'{draft}'")).await?;
            execute(&mut admin, "naming the template", format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
        }
        close(admin).await
    }
}

/// A template's key that is another one as soon as a migration changes.
#[must_use]
pub fn migrations_key(migrator: &sqlx::migrate::Migrator) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in migrator.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// Makes the roles of a cluster that just started.
pub(super) async fn prepare(address: &Address) -> Outcome<()> {
    let mut admin = connect(&address.url(ADMIN, "postgres")).await?;
    let roles = format!("CREATE ROLE {MARKER} NOLOGIN; CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS");
    for role in roles.split("; ") {
        execute(&mut admin, "creating a role", role.to_owned()).await?;
    }
    close(admin).await
}

/// Refuses a server that is not throw-away; tells whether it listens on TCP.
pub(super) async fn prove_throw_away(address: &Address) -> Outcome<bool> {
    let mut admin = connect(&address.url(ADMIN, "postgres")).await?;
    let facts = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), current_setting('listen_addresses') <> ''";
    let facts = sqlx::query_as(facts).bind(MARKER).fetch_one(&mut admin).await;
    let (marked, tcp): (bool, bool) = facts.map_err(|e| PostgresError::Sql("asking what it is", e))?;
    close(admin).await?;
    if marked { Ok(tcp) } else { Err(PostgresError::NotThrowAway(address.socket_dir.clone())) }
}

async fn create_database(admin: &mut PgConnection, name: &str, template: Option<&str>) -> Outcome<()> {
    // Not template1: on a cluster that people use as well it need not be empty.
    let template = template.unwrap_or("template0");
    let statement = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}");
    execute(admin, "creating a database", statement).await
}

async fn connect(url: &str) -> Outcome<PgConnection> {
    PgConnection::connect(url).await.map_err(|e| PostgresError::Sql("connecting", e))
}

async fn close(connection: PgConnection) -> Outcome<()> {
    connection.close().await.map_err(|e| PostgresError::Sql("disconnecting", e))
}

/// Runs a statement made of constants and of names that were checked.
async fn execute(connection: &mut PgConnection, doing: &'static str, statement: String) -> Outcome<()> {
    let done = sqlx::query(AssertSqlSafe(statement)).execute(connection).await;
    done.map(drop).map_err(|e| PostgresError::Sql(doing, e))
}
