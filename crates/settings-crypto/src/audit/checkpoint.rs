//! Signed notes about audit chains: whoever keeps one can tell later whether the log still is the one it speaks of.
//!
//! The format is C2SP's signed note with a checkpoint for its text (`c2sp.org/signed-note`, `c2sp.org/tlog-checkpoint`),
//! so that other witnesses can read and countersign it: origin, place of the last event, its hash in Base64, for checkpoints
//! of the table two lines more (the checkpoint before, the time), a blank line, and a signature that begins with a dash and
//! the key's name. Ed25519, so the same state always gives the same note.
use super::checkpoint_key::CheckpointKey;
use crate::key::Key;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use settings_domain::{
    audit::export::instant,
    ids::WorkspaceId,
    ports::audit::{Link, SealError, Statement},
};
use std::fmt::Write as _;

/// The name of the key, as it stands in every note.
pub(super) const NAME: &str = "settings-audit";
/// What a receipt's text begins with, so that none passes for a checkpoint.
pub(super) const RECEIPT: &str = "settings-audit-receipt";
/// What stands before the checkpoint before.
pub(super) const PREVIOUS: &str = "previous ";
/// What stands before the time.
pub(super) const TIME: &str = "time ";

fn pair(key: &Key) -> Result<Ed25519KeyPair, SealError> {
    // Derived for this purpose alone, so there is no public key that it could fail to fit.
    Ed25519KeyPair::from_seed_unchecked(key.expose()).map_err(|_| SealError("the checkpoint key is none"))
}

/// Signs the state of a chain.
pub(super) fn sign(key: &Key, statement: &Statement) -> Result<String, SealError> {
    let Statement { workspace, link, previous, at } = statement;
    let mut text = place(NAME, *workspace, link);
    if let Some(previous) = previous {
        let _ = writeln!(text, "{PREVIOUS}{} {}", previous.seq, BASE64_STANDARD.encode(previous.hash));
    }
    if let Some(at) = at {
        let _ = writeln!(text, "{TIME}{}", instant(*at));
    }
    note(key, &text)
}

/// A text with a signature below it. It ends with a line end and has no blank line.
pub(super) fn note(key: &Key, text: &str) -> Result<String, SealError> {
    let signature = signature(key, text)?;
    Ok(format!("{text}\n\u{2014} {NAME} {signature}\n"))
}

/// A receipt for an event: the lines of its text and the signature, each behind a space.
pub(super) fn receipt(key: &Key, workspace: WorkspaceId, link: &Link) -> Result<String, SealError> {
    let text = place(RECEIPT, workspace, link);
    let signature = signature(key, &text)?;
    Ok(format!("{} {signature}", text.trim_end().replace('\n', " ")))
}

/// The first three lines of every text that is signed.
pub(super) fn place(name: &str, workspace: WorkspaceId, link: &Link) -> String {
    format!("{name}/{workspace}\n{}\n{}\n", link.seq, BASE64_STANDARD.encode(link.hash))
}

/// The key's id and its signature, in Base64.
fn signature(key: &Key, text: &str) -> Result<String, SealError> {
    let pair = pair(key)?;
    let mut signature = public_of(&pair)?.key_id().to_vec();
    signature.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
    Ok(BASE64_STANDARD.encode(signature))
}

/// The public half.
pub(super) fn public(key: &Key) -> Result<CheckpointKey, SealError> {
    public_of(&pair(key)?)
}

fn public_of(pair: &Ed25519KeyPair) -> Result<CheckpointKey, SealError> {
    let bytes = pair.public_key().as_ref().try_into().map_err(|_| SealError("the checkpoint key is none"))?;
    Ok(CheckpointKey::new(bytes))
}
