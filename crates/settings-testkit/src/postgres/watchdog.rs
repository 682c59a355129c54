//! Cleans up after a cluster whatever happens to the process that started it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use super::PostgresError;
use super::binaries::{Account, command};

/// Holds the pipe until its writer is gone, however it went, then stops the server and removes the directory. Each line
/// it reads names the process to stop; 0 is none.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pid=0
while read -r line; do pid=$line; done
if [ "$pid" -gt 0 ] && kill -QUIT "$pid" 2>/dev/null; then
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL "$pid" 2>/dev/null
fi
tries=0
until rm -rf "$1" || [ "$tries" -ge 20 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
"#;

/// The `sh` that outlives us for the moment the cleaning takes.
#[derive(Debug)]
pub(super) struct Watchdog {
    child: Child,
    /// Closed by the kernel when this process ends: that is the signal.
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(super) fn watch(dir: &Path, account: Option<Account>) -> Result<Self, PostgresError> {
        let mut sh = command(Path::new("/bin/sh"), account);
        sh.args(["-c", SCRIPT, "settings-watchdog"]).arg(dir).stdin(Stdio::piped());
        let mut child = sh.spawn().map_err(|e| PostgresError::Io("starting the watchdog", e))?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Says which process has to go at the end.
    pub(super) fn guard(&mut self, pid: u32) -> Result<(), PostgresError> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        writeln!(pipe, "{pid}").map_err(|e| PostgresError::Io("talking to the watchdog", e))
    }

    /// Starts the cleaning now; `wait` for its end.
    pub(super) fn release(&mut self) {
        self.pipe = None;
    }

    pub(super) fn wait(&mut self) {
        let _ = self.child.wait();
    }
}
