//! Where a cluster listens, and the URLs that lead there.

use std::path::{Path, PathBuf};

use super::PostgresError;

/// A socket directory and the port that names the socket in it.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
    /// Whether the same port also answers on 127.0.0.1.
    pub(super) tcp: bool,
}

impl Address {
    /// The address of the server whose socket is in the directory.
    pub(super) fn find(socket_dir: &Path) -> Result<Self, PostgresError> {
        let none = || PostgresError::NoSocket(socket_dir.to_owned());
        let entries = std::fs::read_dir(socket_dir).map_err(|_| none())?;
        let port = entries
            .flatten()
            .find_map(|entry| entry.file_name().to_str()?.strip_prefix(".s.PGSQL.")?.parse().ok())
            .ok_or_else(none)?;
        Ok(Self { socket_dir: socket_dir.to_owned(), port, tcp: false })
    }

    /// A URL through the socket. Everything is said in it, so that no `PG…` variable of the environment has a say.
    pub(super) fn url(&self, user: &str, database: &str) -> String {
        let host = self.socket_dir.display();
        format!("postgres:///{database}?host={host}&port={}&user={user}&sslmode=disable", self.port)
    }

    /// A URL through 127.0.0.1, if the server listens there.
    pub(super) fn tcp_url(&self, user: &str, database: &str) -> Option<String> {
        self.tcp.then(|| format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_everything() {
        let address = Address { socket_dir: "/tmp/x".into(), port: 5432, tcp: true };
        assert_eq!(address.url("u", "d"), "postgres:///d?host=/tmp/x&port=5432&user=u&sslmode=disable");
        assert_eq!(address.tcp_url("u", "d").unwrap(), "postgres://u@127.0.0.1:5432/d?sslmode=disable");
    }

    #[test]
    fn a_server_without_tcp_has_no_tcp_url() {
        let address = Address { socket_dir: "/tmp/x".into(), port: 5432, tcp: false };
        assert_eq!(address.tcp_url("u", "d"), None);
    }

    #[test]
    fn the_socket_names_the_port_and_its_lock_file_does_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".s.PGSQL.54321.lock"), "").unwrap();
        assert!(matches!(Address::find(dir.path()), Err(PostgresError::NoSocket(_))));
        std::fs::write(dir.path().join(".s.PGSQL.54321"), "").unwrap();
        assert_eq!(Address::find(dir.path()).unwrap().port, 54321);
    }
}
