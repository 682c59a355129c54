//! Checks an export with the public key alone: what `settings-http audit verify --export` does, line by line.
use super::{
    chain::{node, verify_public},
    checkpoint_key::CheckpointKey,
    fault,
    found_notes::Witness,
    personal::{Place, recommit},
};
use settings_domain::{
    audit::{
        UNOPENED, Unopened,
        export::{
            CheckpointLine, ERASURE, EndLine, EventLine, FORMAT, HeadLine, Header, LEAVES, Line, OmittedLine,
            PersonalLine, unhex,
        },
    },
    ids::WorkspaceId,
    ports::audit::{Link, Statement},
};
use std::{collections::BTreeSet, fmt};

/// Why an export proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportFault {
    /// The file is no export, or one of a format that this program does not know.
    NoExport(&'static str),
    /// A line can't be read, or does not belong where it stands. Counted from 1.
    Line(u64, String),
    /// An event does not hold.
    Event(i64, String),
    /// The file as a whole does not hold.
    Whole(String),
}

impl fmt::Display for ExportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoExport(why) => write!(f, "this is no audit export: {why}"),
            Self::Line(line, fault) => write!(f, "line {line}: {fault}"),
            Self::Event(seq, fault) => write!(f, "event {seq}: {fault}"),
            Self::Whole(fault) => f.write_str(fault),
        }
    }
}
impl std::error::Error for ExportFault {}

/// What an export that holds was found to hold.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it is of.
    pub header: Header,
    /// Where the chain ends.
    pub head: Link,
    /// Events that are written out.
    pub shown: i64,
    /// Personal values that were compared with what the chain holds of them.
    pub values: u64,
    /// Personal values that were erased.
    pub erased: usize,
    /// Signed notes.
    pub checkpoints: u64,
    /// The newest of them.
    pub signed: Option<Statement>,
    hashes: Vec<[u8; 32]>,
}

impl Checked {
    /// Compares with what somebody outside kept. Only this finds a log that was cut, or written anew by somebody who has the
    /// service's keys.
    pub fn against(&self, witness: &Witness) -> Result<(), ExportFault> {
        if witness.workspace != self.header.workspace {
            return Err(ExportFault::Whole(format!(
                "the note is about another log, that of workspace {}",
                witness.workspace
            )));
        }
        let seq = witness.link.seq;
        match place(&self.hashes, seq) {
            None => Err(ExportFault::Event(
                seq,
                "the note says that it was written, and the export ends before it".to_owned(),
            )),
            Some(hash) if *hash != witness.link.hash => Err(ExportFault::Event(
                seq,
                "the note has another hash: this event or one before it was exchanged".to_owned(),
            )),
            Some(_) => Ok(()),
        }
    }
}

fn place(hashes: &[[u8; 32]], seq: i64) -> Option<&[u8; 32]> {
    hashes.get(usize::try_from(seq.checked_sub(1)?).ok()?)
}

/// Takes an export line by line. Keeps 32 bytes for each event, and no event.
#[derive(Debug)]
pub struct ExportVerifier {
    key: CheckpointKey,
    lines: u64,
    header: Option<Header>,
    last: Link,
    hashes: Vec<[u8; 32]>,
    shown: i64,
    values: u64,
    erased: BTreeSet<(i64, String)>,
    /// What the newest erasure says about all that is erased.
    unopened: Option<String>,
    checkpoints: u64,
    signed: Option<Statement>,
    ended: bool,
}

impl ExportVerifier {
    /// For exports of the service that has this key.
    #[must_use]
    pub const fn new(key: CheckpointKey) -> Self {
        Self {
            key,
            lines: 0,
            header: None,
            last: Link::START,
            hashes: Vec::new(),
            shown: 0,
            values: 0,
            erased: BTreeSet::new(),
            unopened: None,
            checkpoints: 0,
            signed: None,
            ended: false,
        }
    }

    /// Checks the next line.
    pub fn line(&mut self, text: &str) -> Result<(), ExportFault> {
        self.lines += 1;
        let line = serde_json::from_str::<Line>(text);
        let Some(header) = &self.header else {
            self.header = Some(begin(line.map_err(|_| ExportFault::NoExport("its first line is not that of one"))?)?);
            return Ok(());
        };
        let workspace = header.workspace;
        if self.ended && text.trim().is_empty() {
            // A shell or an editor put it there; it says nothing.
            return Ok(());
        }
        // The words of the parser may repeat what the line says; what a person wrote stays out of messages.
        let line = line.map_err(|_| self.here("it can't be read as a line of an export"))?;
        if self.ended {
            return Err(self.here("it stands behind the end"));
        }
        match line {
            Line::Export(_) => Err(self.here("a second beginning")),
            Line::Event(event) => self.event(workspace, &event),
            Line::Omitted(omitted) => self.omitted(&omitted),
            Line::Checkpoint(CheckpointLine { note }) => self.checkpoint(workspace, &note),
            Line::Fault(found) => {
                Err(ExportFault::Event(found.seq, format!("the service found this when it exported: {}", found.fault)))
            }
            Line::End(end) => self.end(&end),
        }
    }

    /// Checks what only the whole file can tell.
    pub fn finish(self) -> Result<Checked, ExportFault> {
        let whole = |fault: &str| ExportFault::Whole(fault.to_owned());
        let header = self.header.ok_or(ExportFault::NoExport("it is empty"))?;
        if !self.ended {
            return Err(whole("the file was cut off: its last line is missing"));
        }
        if header.head != HeadLine::of(&self.last) {
            return Err(whole("the events end elsewhere than the first line says that the log did"));
        }
        // Whoever can write a file can make a chain of hashes. What they can't make is the note at its end.
        if self.signed.map_or(0, |s| s.link.seq) != self.last.seq {
            let signed = self.signed.map_or(0, |s| s.link.seq);
            return Err(ExportFault::Event(
                signed + 1,
                "nothing that the service signed speaks of it or of any event after it".to_owned(),
            ));
        }
        if !erased_as_declared(&self.erased, self.unopened.as_deref()) {
            let first = self.erased.first().map_or(self.last.seq, |(seq, _)| *seq);
            return Err(ExportFault::Event(first, fault::HIDDEN.to_owned()));
        }
        Ok(Checked {
            header,
            head: self.last,
            shown: self.shown,
            values: self.values,
            erased: self.erased.len(),
            checkpoints: self.checkpoints,
            signed: self.signed,
            hashes: self.hashes,
        })
    }

    fn here(&self, fault: &str) -> ExportFault {
        ExportFault::Line(self.lines, fault.to_owned())
    }

    fn event(&mut self, workspace: WorkspaceId, event: &EventLine) -> Result<(), ExportFault> {
        // The place is where the event stands, whatever it says of itself.
        let seq = self.last.seq.saturating_add(1);
        let broken = |fault: &str| ExportFault::Event(seq, fault.to_owned());
        let record = event.record(workspace).ok_or_else(|| broken("its time is none"))?;
        let hash = unhex(&event.hash).ok_or_else(|| broken("its hash is none"))?;
        let link = verify_public(&self.last, &record, &event.commitments(), &hash).map_err(broken)?;
        if record.id(&hash).as_uuid() != event.id {
            return Err(broken("its id is not the one that follows from its time and hash"));
        }
        for personal in &event.personal {
            if opened(workspace, seq, personal).map_err(broken)? {
                self.values += 1;
            } else {
                self.erased.insert((seq, personal.field.clone()));
            }
        }
        if event.action == ERASURE {
            let said = event.changes.iter().find(|c| c.field == UNOPENED);
            // One that declares nothing vouches for nothing: no set of fields has an empty digest.
            self.unopened = Some(said.and_then(|c| c.to.clone()).unwrap_or_default());
        }
        self.shown += 1;
        self.step(link);
        Ok(())
    }

    fn omitted(&mut self, omitted: &OmittedLine) -> Result<(), ExportFault> {
        if self.header.as_ref().is_none_or(|h| h.filter.is_none()) {
            return Err(self.here("events are left out, and the first line says that none are"));
        }
        if self.last.seq.checked_add(1) != Some(omitted.seq) {
            return Err(ExportFault::Event(self.last.seq.saturating_add(1), fault::SEQUENCE.to_owned()));
        }
        if omitted.leaves.is_empty() || omitted.leaves.len() > LEAVES {
            return Err(self.here("it leaves out no event, or too many for one line"));
        }
        for leaf in &omitted.leaves {
            let leaf = unhex(leaf).ok_or_else(|| self.here("a leaf is none"))?;
            let seq = self.last.seq.checked_add(1).ok_or_else(|| self.here("the chain is too long"))?;
            self.step(Link { seq, hash: node(&self.last.hash, &leaf) });
        }
        for (seq, field) in &omitted.erased {
            if !(omitted.seq..=self.last.seq).contains(seq) || !self.erased.insert((*seq, field.clone())) {
                return Err(self.here("an erased field is named that is not among what it leaves out, or twice"));
            }
        }
        Ok(())
    }

    fn step(&mut self, link: Link) {
        self.hashes.push(link.hash);
        self.last = link;
    }

    fn checkpoint(&mut self, workspace: WorkspaceId, note: &str) -> Result<(), ExportFault> {
        let said = self.key.read(note).map_err(|e| self.here(&format!("a checkpoint proves nothing: {e}")))?;
        if said.workspace != workspace {
            return Err(self.here("a checkpoint is about the log of another workspace"));
        }
        match place(&self.hashes, said.link.seq) {
            None => Err(ExportFault::Event(
                said.link.seq,
                "a checkpoint says that it was written, and the export ends before it".to_owned(),
            )),
            Some(hash) if *hash != said.link.hash => Err(ExportFault::Event(
                said.link.seq,
                "a checkpoint has another hash: this event or one before it was exchanged".to_owned(),
            )),
            Some(_) if said.previous != self.signed.map(|s| s.link) => {
                Err(self.here("the checkpoint before this one is missing"))
            }
            Some(_) => {
                self.signed = Some(said);
                self.checkpoints += 1;
                Ok(())
            }
        }
    }

    fn end(&mut self, end: &EndLine) -> Result<(), ExportFault> {
        if (end.events, end.shown) != (self.last.seq, self.shown) {
            return Err(self.here("it counts other events than there are"));
        }
        self.ended = true;
        Ok(())
    }
}

fn begin(line: Line) -> Result<Header, ExportFault> {
    match line {
        Line::Export(header) if header.format == FORMAT => Ok(*header),
        Line::Export(_) => Err(ExportFault::NoExport("its format is unknown to this program")),
        _ => Err(ExportFault::NoExport("its first line is not that of one")),
    }
}

/// Whether a field is still there, and then the one that was committed to.
fn opened(workspace: WorkspaceId, seq: i64, personal: &PersonalLine) -> Result<bool, &'static str> {
    let place = Place { workspace, seq, field: &personal.field };
    match (&personal.value, &personal.nonce) {
        (None, None) => Ok(false),
        (Some(value), Some(nonce)) => {
            let nonce = unhex(nonce).ok_or(fault::OPENING_DOES_NOT_MATCH)?;
            let expected = recommit(&nonce, place, value);
            let matches = unhex(&personal.commitment) == Some(expected);
            if matches { Ok(true) } else { Err(fault::OPENING_DOES_NOT_MATCH) }
        }
        _ => Err(fault::OPENING_DOES_NOT_MATCH),
    }
}

/// Whether exactly those fields are erased that the newest erasure declares: the one place where this rule is asked for.
fn erased_as_declared(erased: &BTreeSet<(i64, String)>, declared: Option<&str>) -> bool {
    let mut unopened = Unopened::default();
    for (seq, field) in erased {
        unopened.add(*seq, field);
    }
    declared.map_or(erased.is_empty(), |declared| declared == unopened.digest())
}
