//! The server process of a cluster that is our own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::binaries::{self, Account, command};
use super::watchdog::Watchdog;
use super::{ADMIN, Address, Options, PostgresError};

/// A loaded machine may take long; a server that is broken ends by itself.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How long the processes of a killed server may take to disappear.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// Settings of every throw-away cluster.
const SETTINGS: &[&str] = &[
    "cluster_name=settings-throw-away",
    "dynamic_shared_memory_type=mmap", // in the data directory, so that a killed server leaves nothing in /dev/shm
    "jit=off",
    "log_timezone=UTC",
    "logging_collector=off",
    "max_connections=300",
    "max_wal_senders=0",
    "max_wal_size=256MB",
    "timezone=UTC",
    "wal_level=minimal",
];
/// What makes a cluster fast that may lose its data.
const FORGETFUL: &[&str] = &["autovacuum=off", "fsync=off", "full_page_writes=off", "synchronous_commit=off"];

/// A postmaster, its directory and the watchdog that removes both.
#[derive(Debug)]
pub(super) struct Server {
    binaries: PathBuf,
    account: Option<Account>,
    address: Address,
    options: Options,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    postmaster: Option<Child>,
    watchdog: Watchdog,
}

impl Server {
    /// Makes a cluster in a new directory and launches its server.
    pub(super) fn boot(options: Options) -> Result<Self, PostgresError> {
        let binaries = binaries::find()?;
        // Not the system's temporary directory: the path of a socket may have some hundred bytes and no more.
        let dir = tempfile::Builder::new().prefix("settings-pg-").tempdir_in("/tmp");
        let dir = dir.map_err(|e| PostgresError::Io("making a directory in /tmp", e))?;
        let account = Account::needed(dir.path())?;
        if let Some(Account { uid, gid }) = account {
            let given = chown(dir.path(), Some(uid), Some(gid));
            given.map_err(|e| PostgresError::Io("giving the directory to the user postgres", e))?;
        }
        let port = if options.tcp { free_port()? } else { 5432 };
        let watchdog = Watchdog::watch(dir.path(), account)?;
        let address = Address { socket_dir: dir.keep(), port, tcp: options.tcp };
        let state = Mutex::new(State { postmaster: None, watchdog });
        let server = Self { binaries, account, address, options, state };
        server.initdb()?;
        server.launch()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    fn data(&self) -> PathBuf {
        self.address.socket_dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.address.socket_dir.join("server.log")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn initdb(&self) -> Result<(), PostgresError> {
        let mut initdb = self.command("initdb")?;
        initdb.args(["--username", ADMIN, "--auth", "trust", "--no-sync", "--encoding", "UTF8"]);
        initdb.args(["--locale", "C.UTF-8", "--pgdata"]).arg(self.data());
        let failed = |e| PostgresError::Io("running initdb", e);
        let mut child = initdb.spawn().map_err(failed)?;
        self.state().watchdog.guard(child.id())?;
        let status = child.wait().map_err(failed)?;
        self.state().watchdog.guard(0)?;
        if status.success() { Ok(()) } else { Err(PostgresError::Initdb(self.end_of_log())) }
    }

    /// Starts the postmaster as our child, unless it runs.
    pub(super) fn launch(&self) -> Result<(), PostgresError> {
        let mut state = self.state();
        if state.postmaster.is_some() {
            return Ok(());
        }
        let mut postgres = self.command("postgres")?;
        postgres.arg("-D").arg(self.data()).arg("-k").arg(&self.address.socket_dir);
        postgres.args(["-p", &self.address.port.to_string()]);
        let addresses = if self.options.tcp { "listen_addresses=127.0.0.1" } else { "listen_addresses=" };
        let speed = if self.options.durable { &[] } else { FORGETFUL };
        for setting in SETTINGS.iter().chain(speed).chain([&addresses]) {
            postgres.args(["-c", setting]);
        }
        let child = postgres.spawn().map_err(|e| PostgresError::Io("starting postgres", e))?;
        let pid = child.id();
        state.postmaster = Some(child);
        state.watchdog.guard(pid)
    }

    /// Waits until the server accepts connections.
    pub(super) async fn wait_until_ready(&self) -> Result<(), PostgresError> {
        let url = self.address.url(ADMIN, "postgres");
        let since = Instant::now();
        loop {
            match PgConnection::connect(&url).await {
                Ok(connection) => return connection.close().await.map_err(|e| PostgresError::Sql("connecting", e)),
                Err(error) if self.ended() || since.elapsed() > READY_WITHIN => {
                    return Err(PostgresError::NotReady(format!("{error}\n{}", self.end_of_log())));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Kills the postmaster and its backends, and waits until none is left.
    pub(super) async fn crash(&self) -> Result<(), PostgresError> {
        let backends = {
            let mut state = self.state();
            let Some(mut postmaster) = state.postmaster.take() else { return Ok(()) };
            let backends = children_of(postmaster.id());
            postmaster.kill().map_err(|e| PostgresError::Io("killing postgres", e))?;
            for backend in &backends {
                signal("KILL", *backend)?;
            }
            postmaster.wait().map_err(|e| PostgresError::Io("waiting for postgres", e))?;
            state.watchdog.guard(0)?;
            backends
        };
        let since = Instant::now();
        while backends.iter().any(|pid| is_running(*pid)) && since.elapsed() < GONE_WITHIN {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Stops the server in order.
    pub(super) fn stop(&self) -> Result<(), PostgresError> {
        let mut state = self.state();
        let Some(mut postmaster) = state.postmaster.take() else { return Ok(()) };
        signal("INT", postmaster.id())?;
        postmaster.wait().map_err(|e| PostgresError::Io("waiting for postgres", e))?;
        state.watchdog.guard(0)
    }

    fn ended(&self) -> bool {
        self.state().postmaster.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// One of the server's programs, writing to the log.
    fn command(&self, program: &str) -> Result<Command, PostgresError> {
        let log = File::options().append(true).create(true).open(self.log());
        let log = log.map_err(|e| PostgresError::Io("opening the log", e))?;
        let also = log.try_clone().map_err(|e| PostgresError::Io("opening the log", e))?;
        let mut command = command(&self.binaries.join(program), self.account);
        command.env("LC_ALL", "C.UTF-8").stdout(log).stderr(also);
        Ok(command)
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(20)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut state = self.state();
        state.watchdog.release();
        if let Some(mut postmaster) = state.postmaster.take() {
            let _ = postmaster.wait(); // it stays a zombie, which looks alive to the watchdog, until somebody waits
        }
        state.watchdog.wait();
    }
}

fn free_port() -> Result<u16, PostgresError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|e| PostgresError::Io("looking for a free port", e))
}

/// `kill` of the shell: the standard library can send no signal but SIGKILL, and only to a child.
fn signal(name: &str, pid: u32) -> Result<(), PostgresError> {
    let mut kill = command(Path::new("/bin/sh"), None);
    kill.args(["-c", r#"kill -s "$1" "$2""#, "kill", name, &pid.to_string()]);
    kill.status().map(drop).map_err(|e| PostgresError::Io("sending a signal", e))
}

/// The processes whose parent is the given one, on systems with `/proc`. Elsewhere backends see by themselves that their
/// postmaster is gone.
fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its_parent)| its_parent == parent)).collect()
}

fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// State and parent of a process. They follow its name, which is in brackets and may contain anything.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_until_it_is_gone() {
        let mut child = command(Path::new("/bin/sh"), None).args(["-c", "sleep 60"]).spawn().unwrap();
        assert!(children_of(std::process::id()).contains(&child.id()));
        assert!(is_running(child.id()));
        signal("KILL", child.id()).unwrap();
        child.wait().unwrap();
        assert!(!is_running(child.id()));
    }
}
