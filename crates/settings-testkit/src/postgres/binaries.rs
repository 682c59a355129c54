//! The server programs of this machine, and the user to run them as.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{ADMIN, BINARIES_VARIABLE, PostgresError};

/// A variable of the environment; tests have no configuration to take it from.
#[expect(clippy::disallowed_methods, reason = "the harness is configured by the test script, not by the service")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The directory of `initdb` and `postgres`.
pub(super) fn find() -> Result<PathBuf, PostgresError> {
    if let Some(named) = variable(BINARIES_VARIABLE) {
        let named = PathBuf::from(named);
        return if named.join("initdb").exists() { Ok(named) } else { Err(PostgresError::NoBinaries) };
    }
    newest_in(Path::new("/usr/lib/postgresql")).ok_or(PostgresError::NoBinaries)
}

/// The programs of the highest version below Debian's directory: `<root>/<version>/bin`.
fn newest_in(root: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(root).ok()?.flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let complete = numbered
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, bin)| ["initdb", "postgres"].iter().all(|program| bin.join(program).exists()));
    complete.max().map(|(_, bin)| bin)
}

/// An unprivileged user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The user to become: none unless we are root. A directory that we just made tells who we are.
    pub(super) fn needed(own_directory: &Path) -> Result<Option<Self>, PostgresError> {
        let owner = std::fs::metadata(own_directory).map_err(|e| PostgresError::Io("reading our directory", e))?.uid();
        if owner != 0 {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").map_err(|e| PostgresError::Io("reading /etc/passwd", e))?;
        Self::parse(&users).ok_or(PostgresError::NoAccount).map(Some)
    }

    fn parse(passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| match line.split(':').collect::<Vec<_>>().as_slice() {
            [name, _, uid, gid, ..] if *name == ADMIN => Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }),
            _ => None,
        })
    }
}

/// A silent command, as the user, out of reach of the terminal's signals, in a directory that everyone may enter.
pub(super) fn command(program: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_highest_number_that_has_a_server() {
        let root = tempfile::tempdir().unwrap();
        for (version, programs) in [("9", 2), ("15", 2), ("17", 1), ("doc", 2)] {
            let bin = root.path().join(version).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            for program in ["initdb", "postgres"].iter().take(programs) {
                std::fs::write(bin.join(program), "").unwrap();
            }
        }
        assert_eq!(newest_in(root.path()), Some(root.path().join("15/bin")));
        assert_eq!(newest_in(&root.path().join("absent")), None);
    }

    #[test]
    fn the_account_is_the_user_postgres() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgres-exporter:x:7:7::/:/bin/sh\npostgres:x:101:104:PG,,,:/v:/b\n";
        assert_eq!(Account::parse(passwd), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(Account::parse("root:x:0:0::/root:/bin/sh\n"), None);
    }
}
