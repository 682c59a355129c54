//! Finds what the service signed in a text of any kind: a mail as it was forwarded, a log, a file of notes.
use super::checkpoint_key::{CheckpointError, CheckpointKey};
use settings_domain::{ids::WorkspaceId, ports::audit::Link};

const NOTE: &str = "settings-audit/";
const RECEIPT: &str = "settings-audit-receipt/";
const DASH: &str = "\u{2014} ";
/// Most lines between a note's third and its blank line: what later versions may add.
const MORE: usize = 8;

/// What somebody outside kept of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// Whose chain.
    pub workspace: WorkspaceId,
    /// Where it ended.
    pub link: Link,
    /// Whether it is the receipt of one event, and not a checkpoint.
    pub receipt: bool,
}

/// Every signed note and every receipt in a text, checked with the key. Signs of quotation, indents and carriage returns
/// are what mail programs put there, and a long signature may have been broken behind the name.
#[must_use]
pub fn found_notes(text: &str, key: &CheckpointKey) -> Vec<Result<Witness, CheckpointError>> {
    let lines: Vec<&str> = text.lines().map(|l| l.trim_start_matches(['>', ' ', '\t']).trim_end()).collect();
    let mut found = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let rest = lines.get(place + 1..).unwrap_or_default();
        if let Some((_, origin)) = line.split_once(RECEIPT) {
            let receipt = origin.split(' ').take(4).collect::<Vec<_>>().join(" ");
            let read = key.read_receipt(&format!("{RECEIPT}{}", receipt.trim_end_matches(['"', '\'', ','])));
            found.push(read.map(|(workspace, link)| Witness { workspace, link, receipt: true }));
        } else if let Some(note) = line.split_once(NOTE).and_then(|(_, origin)| note(origin, rest)) {
            found.push(key.verify(&note).map(|(workspace, link)| Witness { workspace, link, receipt: false }));
        }
    }
    found
}

/// The note that begins here, put together again; `None` where none does.
fn note(origin: &str, rest: &[&str]) -> Option<String> {
    let mut lines = rest.iter().copied();
    let (seq, hash) = (lines.next()?, lines.next()?);
    if seq.is_empty() || !seq.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut note = format!("{NOTE}{origin}\n{seq}\n{hash}\n");
    for _ in 0..=MORE {
        match lines.next()? {
            "" => break,
            line => note.extend([line, "\n"]),
        }
    }
    note.push('\n');
    let mut signed = false;
    while let Some(line) = lines.next().filter(|l| l.starts_with(DASH)) {
        signed = true;
        let broken = line.strip_prefix(DASH).is_some_and(|name| !name.contains(' '));
        let signature = if broken { lines.next()? } else { "" };
        let gap = if broken { " " } else { "" };
        note.extend([line, gap, signature, "\n"]);
    }
    signed.then_some(note)
}
