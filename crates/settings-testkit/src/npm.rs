//! Packages from npm at pinned versions, installed on first use.
use crate::peers::{self, Failed};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder where the packages of `peers/<name>/package.json` are, each below `node_modules`, with the folder's other
/// files beside them. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
pub(crate) fn installed(target: &str, name: &str) -> Result<PathBuf, Failed> {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    peers::node_modules(target, name, &peer.join("package.json"))?;
    let place = Path::new(target).join("../peers").join(name);
    for entry in fs::read_dir(peer)? {
        let file = entry?;
        let (text, beside) = (fs::read(file.path())?, place.join(file.file_name()));
        if fs::read(&beside).ok().as_ref() != Some(&text) {
            fs::write(beside, text)?;
        }
    }
    Ok(place)
}
