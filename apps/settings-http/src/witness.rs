//! A folder outside of the database that keeps the newest checkpoint of each chain: a database that was put back to an
//! earlier day, or whose logs were cut, is not served (AU14).
use crate::{audit_commands::compare, failure::Failure};
use settings_app::App;
use settings_crypto::{CheckpointKey, Witness};
use settings_domain::ids::WorkspaceId;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Ends the names of its files.
const NOTE: &str = "note";

/// Compares every note with the database; an error where one does not hold.
pub(crate) async fn check(folder: &Path, app: &App) -> Result<(), Failure> {
    let cannot = |e: io::Error| Failure::configuration(format!("SETTINGS_AUDIT_WITNESS {}: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(cannot)?;
    let verifier = app.ports().sealer.public_key().map_err(|e| Failure::service(e.to_string()))?.verifier;
    let key = CheckpointKey::parse(&verifier).ok_or_else(|| Failure::service("the checkpoint key is none"))?;
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_none_or(|e| e != NOTE) {
            continue;
        }
        let note = fs::read_to_string(&path).map_err(cannot)?;
        let (workspace, link) = key.verify(&note).map_err(|e| {
            Failure::service(format!(
                "{}: {e}. Is this the database, and the keyring, that the folder belongs to?",
                path.display()
            ))
        })?;
        let witness = Witness { workspace, link, receipt: false };
        if let Some(fault) = compare(app, &witness).await.map_err(|e| Failure::service(e.to_string()))? {
            return Err(Failure::service(format!(
                "the audit log of workspace {workspace} is not the one that was signed: event {}: {fault}. Nothing is served. Read \"When the audit log does not hold\" in docs/operations.md; {} is the evidence.",
                link.seq,
                path.display()
            )));
        }
    }
    Ok(())
}

/// Keeps a note in place of the one before: whole, or not at all.
pub(crate) fn keep(folder: &Path, workspace: WorkspaceId, note: &str) -> io::Result<()> {
    let name = |end: &str| -> PathBuf { folder.join(format!("{workspace}.{end}")) };
    fs::create_dir_all(folder)?;
    fs::write(name("new"), note)?;
    fs::rename(name("new"), name(NOTE))
}
