//! Packages from npm at pinned versions, installed on first use.
use crate::moto::Failed;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder where the packages of `peers/<name>/package.json` are, each below `node_modules`, with the folder's other
/// files beside them. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
pub(crate) fn installed(target: &Path, name: &str) -> Result<PathBuf, Failed> {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let wanted = fs::read_to_string(peer.join("package.json"))?;
    let peers = target.join("../peers");
    let place = peers.join(name);
    // Written last, so that it says what is installed.
    let ready = place.join("ready.json");
    fs::create_dir_all(&place)?;
    // Tests are processes of their own and start together: one installs, the others wait.
    let lock = File::create(peers.join(format!("{name}.lock")))?;
    lock.lock()?;
    if fs::read_to_string(&ready).ok().as_ref() != Some(&wanted) {
        fs::write(place.join("package.json"), &wanted)?;
        let output = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"])
            .current_dir(&place)
            .output()
            .map_err(|e| format!("npm can't be started, install it: {e}"))?;
        if !output.status.success() {
            return Err(format!("npm install failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        fs::write(ready, &wanted)?;
    }
    for entry in fs::read_dir(peer)? {
        let file = entry?;
        let (text, beside) = (fs::read(file.path())?, place.join(file.file_name()));
        if fs::read(&beside).ok().as_ref() != Some(&text) {
            fs::write(beside, text)?;
        }
    }
    Ok(place)
}
