//! What can go wrong before a test has its database.

use std::{io, path::PathBuf};

use super::{ADMIN, BINARIES_VARIABLE, SHARED_VARIABLE};

/// Why there is no throw-away Postgres.
#[derive(Debug)]
pub enum PostgresError {
    /// No `initdb` and `postgres` on this machine.
    NoBinaries,
    /// Root may not run Postgres, and there is no unprivileged user to become.
    NoAccount,
    /// A file or a process of the cluster could not be used.
    Io(&'static str, io::Error),
    /// `initdb` failed; with what it said.
    Initdb(String),
    /// The server ended or did not accept connections in time; with the end of its log.
    NotReady(String),
    /// The server refused a statement of the harness.
    Sql(&'static str, sqlx::Error),
    /// The caller's migrations failed on the template.
    Migrate(String),
    /// No server listens in the directory.
    NoSocket(PathBuf),
    /// A server listens in the directory, but no throw-away one: nothing was done to it.
    NotThrowAway(PathBuf),
    /// Another process started the cluster, so it is not ours to stop.
    NotOurs,
}

impl PostgresError {
    /// The error with everything below it: what a panic message or a person at a terminal needs.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut below = std::error::Error::source(self);
        while let Some(source) = below {
            text.push_str(": ");
            text.push_str(&source.to_string());
            below = source.source();
        }
        text
    }
}

impl std::fmt::Display for PostgresError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoBinaries => write!(
                f,
                "no Postgres server to test with: install it (Debian: apt-get install postgresql) \
                 or set {BINARIES_VARIABLE} to the directory of initdb"
            ),
            Self::NoAccount => write!(f, "Postgres does not run as root, and there is no user `{ADMIN}` to run it as"),
            Self::Io(doing, _) | Self::Sql(doing, _) => write!(f, "throw-away Postgres: {doing} failed"),
            Self::Initdb(output) => write!(f, "throw-away Postgres: initdb failed:\n{output}"),
            Self::NotReady(log) => write!(f, "throw-away Postgres does not accept connections:\n{log}"),
            Self::Migrate(error) => write!(f, "the template of the test databases can't be migrated: {error}"),
            Self::NoSocket(dir) => write!(f, "{SHARED_VARIABLE}: no server listens in {}", dir.display()),
            Self::NotThrowAway(dir) => {
                write!(f, "{SHARED_VARIABLE}: the server in {} is no throw-away cluster", dir.display())
            }
            Self::NotOurs => write!(f, "another process started this cluster: it is not ours to stop"),
        }
    }
}

impl std::error::Error for PostgresError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, source) => Some(source),
            Self::Sql(_, source) => Some(source),
            _ => None,
        }
    }
}
