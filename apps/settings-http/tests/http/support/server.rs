//! One process of the service, started as an operator would start it.
use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// Kills the process should this one die before it could. `done` on the pipe calls it off.
const WATCHDOG: &str = r#"read -r word; [ "$word" = done ] || kill -9 "$1""#;
/// A start takes a fraction of this on an idle machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a process has said so far, line by line.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<(Mutex<Said>, Condvar)>);

/// The lines, and whether there will be no more.
type Said = (Vec<String>, bool);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let ours = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                ours.0.0.lock().unwrap().0.push(String::from_utf8_lossy(&line).into_owned());
                ours.0.1.notify_all();
            }
            ours.0.0.lock().unwrap().1 = true;
            ours.0.1.notify_all();
        });
        lines
    }
    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().0.clone()
    }
    /// The line at this place; `None` when the process says no more.
    fn at(&self, index: usize) -> Option<String> {
        let wait = |state: &mut Said| state.0.len() <= index && !state.1;
        let (state, _) = self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, wait).unwrap();
        state.0.get(index).cloned()
    }
    /// Everything, once the process has closed its end.
    pub(crate) fn to_the_end(&self) -> Vec<String> {
        let (state, _) = self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, |s| !s.1).unwrap();
        state.0.clone()
    }
}

/// A running process.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Mutex<Child>,
    watchdog: Option<ChildStdin>,
    pid: u32,
    /// Its stdout.
    pub(crate) out: Lines,
    /// Its stderr: the log.
    pub(crate) log: Lines,
}

impl Server {
    /// Starts one and waits until it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "watchdog", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let (out, log) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        let first = out.at(0);
        let address =
            first.as_deref().and_then(|l| l.strip_prefix("listening on http://")).and_then(|a| a.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("the server did not start: {first:?}\n{}", log.to_the_end().join("\n"));
        };
        let watchdog = watchdog.unwrap().stdin.take();
        Self { address, child: Mutex::new(child), watchdog, pid, out, log }
    }

    /// Sends a signal by its name.
    fn signal(&self, name: &str) {
        let sent =
            Command::new("/bin/sh").args(["-c", r#"kill "-$1" "$2""#, "kill", name, &self.pid.to_string()]).status();
        assert!(sent.unwrap().success(), "the server is gone already");
    }
    /// The second line of stdout, where there is one: the demo's sign-in link.
    pub(crate) fn second_line(&self) -> Option<String> {
        self.out.at(1)
    }
    /// Asks it to stop.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("TERM");
    }
    /// Waits for its end.
    pub(crate) fn ended(&self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return (status, since.elapsed());
            }
            assert!(since.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    /// Stops it in order; it must say that all went well.
    pub(crate) fn stop(&self) -> Duration {
        self.ask_to_stop();
        let (status, took) = self.ended();
        assert_eq!(status.code(), Some(0), "{:?}", self.log.to_the_end());
        took
    }
    /// Kills it at once, with SIGKILL.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log.all();
            eprintln!("the end of the server's log:\n{}", log[log.len().saturating_sub(40)..].join("\n"));
        }
        if let Some(mut pipe) = self.watchdog.take() {
            let _ = writeln!(pipe, "done");
        }
    }
}
