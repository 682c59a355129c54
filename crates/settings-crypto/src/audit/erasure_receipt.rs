//! Receipts of erasures: signed notes in the form of the [checkpoints](super::checkpoint), with another origin, so that
//! neither can be taken for the other. Whoever was erased, or their lawyer, can check one with the public key alone.
use super::{
    checkpoint,
    checkpoint_key::{CheckpointError, CheckpointKey},
};
use crate::key::Key;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use settings_domain::{
    ids::WorkspaceId,
    micros,
    ports::audit::{ErasureNote, Link, SealError},
};

/// What the first line begins with.
const ORIGIN: &str = "settings-erasure/";

/// Workspace; place and hash of `member.erased`; its instant in microseconds since 1970; how many events spoke of the
/// person. Nothing in it says who it was.
pub(super) fn sign(key: &Key, workspace: WorkspaceId, erasure: &ErasureNote) -> Result<String, SealError> {
    let ErasureNote { link, at, events } = erasure;
    let hash = BASE64_STANDARD.encode(link.hash);
    let at = micros::from_time(*at);
    checkpoint::note(key, &format!("{ORIGIN}{workspace}\n{}\n{hash}\n{at}\n{events}\n", link.seq))
}

impl CheckpointKey {
    /// Checks the receipt of an erasure, and reads what it says.
    pub fn read_erasure(&self, note: &str) -> Result<(WorkspaceId, ErasureNote), CheckpointError> {
        read(&self.text_of(note)?).ok_or(CheckpointError::Malformed)
    }
}

fn read(text: &str) -> Option<(WorkspaceId, ErasureNote)> {
    let mut lines = text.lines();
    let workspace = lines.next()?.strip_prefix(ORIGIN)?.parse().ok()?;
    let seq = lines.next()?.parse().ok()?;
    let hash = BASE64_STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    let at = micros::to_time(lines.next()?.parse().ok()?)?;
    let events = lines.next()?.parse().ok()?;
    lines.next().is_none().then_some((workspace, ErasureNote { link: Link { seq, hash }, at, events }))
}
