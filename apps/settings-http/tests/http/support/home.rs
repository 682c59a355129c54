//! A home: a database, a keyring and a folder, and the processes that are started in it.
use super::{issuer::Issuer, server::Server};
use settings_testkit::postgres::{Cluster, Options, TestDb};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::LazyLock,
};
use tempfile::TempDir;

/// Who holds the System role in every home.
pub(crate) const PLATFORM: &str = "root@platform.example";
/// The program under test. `SETTINGS_TEST_BINARY` names another build of it, such as the one to be released.
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::var_os("SETTINGS_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_settings-http").into()).into()
});

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// Where processes share everything.
pub(crate) struct Home {
    pub(crate) store: Store,
    dir: TempDir,
    db: Option<TestDb>,
    /// A cluster of one's own, to be crashed and stopped.
    pub(crate) cluster: Option<Cluster>,
    url: String,
}

/// Changes to the environment: a value, or nothing to take a variable away.
pub(crate) type Env<'a> = &'a [(&'a str, Option<&'a str>)];

impl Home {
    pub(crate) async fn new(store: Store) -> Self {
        let dir = tempfile::Builder::new().prefix("settings-http-test-").tempdir().unwrap();
        let (db, url) = match store {
            Store::Sqlite => (None, format!("sqlite://{}", dir.path().join("settings.db").display())),
            Store::Postgres => {
                let db = Cluster::shared().await.empty().await;
                let url = db.url().to_owned();
                (Some(db), url)
            }
        };
        Self { store, dir, db, cluster: None, url }
    }
    /// On a Postgres of its own that keeps what it has committed, whatever happens to it.
    pub(crate) async fn on_its_own_postgres() -> Self {
        let cluster = Cluster::start(Options { durable: true, ..Options::default() }).await.unwrap();
        let db = cluster.empty().await;
        let url = db.url().to_owned();
        let dir = tempfile::Builder::new().prefix("settings-http-test-").tempdir().unwrap();
        Self { store: Store::Postgres, dir, db: Some(db), cluster: Some(cluster), url }
    }

    /// The program in this home, with a clean environment.
    pub(crate) fn command(&self, env: Env<'_>) -> Command {
        let mut command = Command::new(&*BINARY);
        command.current_dir(self.dir.path()).env_clear();
        let path = std::env::var("PATH").unwrap();
        let keyring = self.dir.path().join("keyring.json").display().to_string();
        let mut all = vec![
            ("PATH", path.as_str()),
            ("SETTINGS_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &self.url),
            ("SETTINGS_KEYRING", &keyring),
            ("SETTINGS_RATE_LIMIT", "off"),
            ("AUTH0_ISSUER_BASE_URL", &Issuer::shared().url),
            ("AUTH0_AUDIENCE", super::issuer::AUDIENCE),
            ("SETTINGS_PLATFORM_ADMINS", PLATFORM),
            ("SETTINGS_MAIL", "mailbox"),
            ("RUST_LOG", "info"),
        ];
        all.retain(|(name, _)| !env.iter().any(|(n, _)| n == name));
        all.extend(env.iter().filter_map(|(name, value)| value.map(|v| (*name, v))));
        command.envs(all);
        command
    }
    /// Starts a server.
    pub(crate) fn serve(&self, env: Env<'_>) -> Server {
        let command = self.command(env);
        tokio::task::block_in_place(|| Server::start(command))
    }
    /// The SQLite file, to be opened by others.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str], env: Env<'_>) -> Output {
        let mut command = self.command(env);
        tokio::task::block_in_place(|| command.args(arguments).output().unwrap())
    }

    /// Runs statements past the service, as somebody would who can write to the database. `{ws}` becomes the literal of
    /// a workspace's id, which the engines write differently.
    pub(crate) async fn sql(&self, workspace: &str, statements: &[&str]) {
        let hex = workspace.replace('-', "");
        match self.store {
            Store::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                for statement in statements {
                    let text = statement.replace("{ws}", &format!("x'{hex}'"));
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect(statement);
                }
                connection.close().await.unwrap();
            }
            Store::Postgres => {
                let url = self.db.as_ref().unwrap().admin_url();
                let mut connection = PgConnection::connect(url).await.unwrap();
                for statement in statements {
                    let text = statement.replace("{ws}", &format!("'{workspace}'::uuid"));
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect(statement);
                }
                connection.close().await.unwrap();
            }
        }
    }
    /// The one number that a question past the service gives.
    pub(crate) async fn number(&self, workspace: &str, question: &str) -> i64 {
        let hex = workspace.replace('-', "");
        match self.store {
            Store::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let text = question.replace("{ws}", &format!("x'{hex}'"));
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
            }
            Store::Postgres => {
                let mut connection = PgConnection::connect(self.db.as_ref().unwrap().admin_url()).await.unwrap();
                let text = question.replace("{ws}", &format!("'{workspace}'::uuid"));
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
    /// Everything that lies in this home, byte for byte: each file of the folder, and on Postgres each table as text (where
    /// bytes are in hex).
    pub(crate) async fn raw_data(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
        if let Some(db) = &self.db {
            let mut connection = PgConnection::connect(db.admin_url()).await.unwrap();
            let tables: Vec<String> =
                sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
            assert!(tables.len() > 20, "{tables:?}");
            for table in tables {
                let text = format!("SELECT coalesce(string_agg(t::text, chr(10)), '') FROM {table} t");
                let rows: String = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
                all.push((table, rows.into_bytes()));
            }
        }
        all
    }
}
