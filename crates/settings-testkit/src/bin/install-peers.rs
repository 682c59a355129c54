//! Installs what the tests talk to, so that no test's time is spent on it. What is there already is left alone.

use settings_testkit::peers;
use std::{
    env,
    io::{Write as _, stdout},
    process::ExitCode,
};

const HELP: &str = "\
usage: install-peers

Installs the programs that tests talk to (from PyPI and npm, at pinned versions) into target/peers. The exit status is 1 if
one can't be installed.";

fn main() -> ExitCode {
    if env::args().len() > 1 {
        println!("{HELP}");
        return ExitCode::from(2);
    }
    // Beside the folder that this program is in, as the tests' own folder is.
    let Some(target) = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned())) else {
        eprintln!("where this program is can't be told");
        return ExitCode::FAILURE;
    };
    let tell = |what: &str| {
        println!("{what}");
        let _ = stdout().flush();
    };
    match peers::install_all(&target.to_string_lossy(), tell) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
