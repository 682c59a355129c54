//! Programs of other people's making that tests talk to, installed into the target directory: all of them by
//! [`install_all`], which the test command does before the tests, else each on its first use.
use std::{
    error::Error,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// Whatever went wrong, for a test that fails of it.
pub type Failed = Box<dyn Error + Send + Sync>;

/// AWS: KMS, SES, IAM.
pub const MOTO: &str = "moto[server]==5.2.5";
/// A Stripe that keeps subscriptions.
pub const LOCALSTRIPE: &str = "localstripe==1.15.10";
/// The mail server.
pub const AIOSMTPD: &str = "aiosmtpd==1.4.6";
/// Who checks the signatures of webhooks.
pub const STANDARDWEBHOOKS: &str = "standardwebhooks==1.1.0";
/// A client of the Model Context Protocol.
pub const MCP: &str = "mcp==2.3.0";
/// All of the above.
const PYTHON: [&str; 5] = [MOTO, LOCALSTRIPE, AIOSMTPD, STANDARDWEBHOOKS, MCP];
/// Folders of packages from npm, and where in `crates` their `package.json` is.
const NODE: [(&str, &str); 5] = [
    ("wiremock", "settings-testkit/peers/wiremock"),
    ("openid", "settings-testkit/peers/openid"),
    ("slack", "settings-testkit/peers/slack"),
    ("stripe", "settings-stripe/tests/peers"),
    ("ses", "settings-aws/tests/peers"),
];

/// Installs everything that is not there yet, and tells what it is about to look at. `target` is a folder beside `peers`.
pub fn install_all(target: &str, tell: impl Fn(&str)) -> Result<(), Failed> {
    for package in PYTHON {
        tell(package);
        python(target, package)?;
    }
    for (name, folder) in NODE {
        tell(name);
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("package.json");
        node_modules(target, name, &package)?;
    }
    Ok(())
}

/// A Python that has a pinned package, such as `moto[server]==5.2.5`. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
pub fn python(target: &str, package: &str) -> Result<PathBuf, Failed> {
    let (name, version) = package.split_once("==").ok_or("the package is not pinned")?;
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    let peers = Path::new(target).join("../peers");
    let venv = peers.join(name);
    let ready = venv.join(format!(".ready-{version}"));
    let _lock = lock(&peers, name)?;
    let python = venv.join("bin/python");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
        File::create(&ready)?;
    }
    Ok(python)
}

/// The `node_modules` of a `package.json` with pinned packages. `name` is the folder's.
pub fn node_modules(target: &str, name: &str, package: &Path) -> Result<PathBuf, Failed> {
    let wanted = fs::read_to_string(package)?;
    let peers = Path::new(target).join("../peers");
    let place = peers.join(name);
    // Written last, so that it says what is installed.
    let ready = place.join("ready.json");
    let _lock = lock(&peers, name)?;
    if fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        fs::create_dir_all(&place)?;
        fs::write(place.join("package.json"), &wanted)?;
        let install = ["install", "--no-audit", "--no-fund", "--no-package-lock"];
        run(Command::new("npm").args(install).current_dir(&place))?;
        fs::write(ready, wanted)?;
    }
    Ok(place.join("node_modules"))
}

/// Tests are processes of their own and start together: one installs, the others wait. Given back when it is dropped.
fn lock(peers: &Path, name: &str) -> Result<File, Failed> {
    fs::create_dir_all(peers)?;
    let lock = File::create(peers.join(format!("{name}.lock")))?;
    lock.lock()?;
    Ok(lock)
}

/// Runs a program to its end, which must be a good one.
fn run(command: &mut Command) -> Result<(), Failed> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
