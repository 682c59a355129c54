//! Exports an audit log, batch by batch: whatever its length, one batch is in memory. No transaction stays open while a slow
//! reader takes its time; the right is asked for anew with every batch, so who loses it gets no more.
use crate::{App, Ports};
use settings_domain::{
    audit::{
        SealedEvent,
        export::{
            CheckpointLine, ERASURE, EndLine, EventLine, FORMAT, FaultLine, FilterLine, HeadLine, Header, LEAVES, Line,
            OmittedLine, admits, hex, instant,
        },
    },
    ids::WorkspaceId,
    policy::actions::ReadAudit,
    ports::{
        StoreError,
        audit::{Disclosed, Link, Salts, SealError, Statement},
        store::{AuditFilter, Selector},
    },
    text::Slug,
    transaction::{Caller, EntryError, Snapshot},
};
use time::OffsetDateTime;

/// Events of a batch.
const BATCH: i64 = 500;

/// What an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be checked: everything is checked on the way, and what the filter leaves out leaves its hashes.
    Proof,
    /// To be read: the events that the filter lets through, and nothing else.
    Reading,
}

/// Why an export breaks off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The caller may not read the log any more.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value can't be opened, or the end can't be signed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What was exported until now names somebody who has to be forgotten.
    #[error("a person was erased while the audit log was exported")]
    Erased,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Events,
    /// Those after a place.
    Checkpoints(i64),
    Done,
}

/// An export under way.
pub struct AuditExport {
    ports: Ports,
    caller: Caller,
    workspace: WorkspaceId,
    slug: Slug,
    filter: AuditFilter,
    purpose: Purpose,
    /// Where the log ended when the export began: what is written meanwhile is not part of it.
    head: Link,
    begun_at: OffsetDateTime,
    stage: Stage,
    last: Link,
    shown: i64,
    /// What the newest checkpoint so far speaks of.
    signed: Option<Link>,
    omitted: OmittedLine,
}

impl std::fmt::Debug for AuditExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditExport")
            .field("workspace", &self.workspace)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Begins an export for somebody who was just let in.
    pub async fn export_audit(
        &self,
        mut snapshot: Snapshot<ReadAudit>,
        caller: &Caller,
        filter: AuditFilter,
        purpose: Purpose,
    ) -> Result<AuditExport, StoreError> {
        let (workspace, begun_at) = (snapshot.permit().scope().workspace(), snapshot.at());
        let (slug, head) = (snapshot.slug().await?, snapshot.head().await?);
        // Ids alone: who asks stands in no event, since a reading leaves none.
        tracing::info!(%workspace, caller = ?caller.id(), events = head.seq, ?purpose, "an audit log is exported");
        Ok(AuditExport {
            ports: self.ports.clone(),
            caller: caller.clone(),
            workspace,
            slug,
            filter,
            purpose,
            head,
            begun_at,
            stage: Stage::Begin,
            last: Link::START,
            shown: 0,
            signed: None,
            omitted: OmittedLine::default(),
        })
    }
}

impl AuditExport {
    /// What the workspace is called in addresses.
    #[must_use]
    pub const fn slug(&self) -> &Slug {
        &self.slug
    }
    /// When it began.
    #[must_use]
    pub const fn begun_at(&self) -> OffsetDateTime {
        self.begun_at
    }

    /// The next lines; `None` at the end. An error is the end as well, and says that what came before is no whole export.
    pub async fn next(&mut self) -> Result<Option<Vec<Line>>, ExportError> {
        let lines = match self.stage {
            Stage::Begin => self.begin()?,
            Stage::Events => self.events().await?,
            Stage::Checkpoints(after) => self.checkpoints(after).await?,
            Stage::Done => return Ok(None),
        };
        Ok(Some(lines))
    }

    async fn snapshot(&self) -> Result<Snapshot<ReadAudit>, EntryError> {
        Snapshot::open(self.ports.store.as_ref(), &self.caller, &Selector::Id(self.workspace)).await
    }

    fn begin(&mut self) -> Result<Vec<Line>, ExportError> {
        self.stage = Stage::Events;
        Ok(vec![Line::Export(Box::new(Header {
            format: FORMAT.to_owned(),
            workspace: self.workspace,
            slug: self.slug.to_string(),
            exported_at: instant(self.begun_at),
            filter: FilterLine::of(&self.filter),
            public_key: self.ports.sealer.public_key()?.verifier,
            head: HeadLine::of(&self.head),
        }))])
    }

    async fn events(&mut self) -> Result<Vec<Line>, ExportError> {
        let limit = BATCH.min(self.head.seq - self.last.seq);
        let part = if limit > 0 { Some(self.snapshot().await?.stretch(self.last.seq, limit).await?) } else { None };
        let Some(part) = part.filter(|p| !p.events.is_empty()) else { return self.end_of_events().await };
        let mut lines = Vec::new();
        for event in &part.events {
            match self.purpose {
                Purpose::Reading => {
                    let disclosed = self.ports.sealer.disclose(event, &part.salts)?;
                    self.last = Link { seq: event.record.seq, hash: event.hash };
                    if self.admits(event, &disclosed) {
                        lines.push(line(event, disclosed));
                    }
                }
                Purpose::Proof => {
                    if let Err(fault) = self.prove(event, &part.salts, &mut lines) {
                        return Ok(self.broken(lines, fault));
                    }
                }
            }
        }
        self.close_run(&mut lines);
        Ok(lines)
    }

    fn admits(&self, event: &SealedEvent, disclosed: &[Disclosed]) -> bool {
        let said = |field: &str| {
            let found = disclosed.iter().find(|d| d.field == field)?;
            found.opening.as_ref().map(|(value, _)| value.as_str())
        };
        admits(&self.filter, &event.record, said)
    }

    /// Checks an event, and writes it down or leaves it out.
    fn prove(&mut self, event: &SealedEvent, salts: &Salts, lines: &mut Vec<Line>) -> Result<(), &'static str> {
        let sealer = &self.ports.sealer;
        let link = sealer.check(&self.last, event, salts)?;
        let disclosed = sealer.disclose(event, salts).map_err(|e| e.0)?;
        // An erasure says what may be missing: without it nobody could tell an erased person from a hidden one.
        if self.admits(event, &disclosed) || event.record.action == ERASURE {
            self.close_run(lines);
            self.shown += 1;
            lines.push(line(event, disclosed));
        } else {
            let seq = event.record.seq;
            if self.omitted.leaves.is_empty() {
                self.omitted.seq = seq;
            }
            self.omitted.leaves.push(hex(&sealer.leaf(&event.record, &event.commitments)));
            let erased = disclosed.into_iter().filter(|d| d.opening.is_none());
            self.omitted.erased.extend(erased.map(|d| (seq, d.field)));
            if self.omitted.leaves.len() >= LEAVES {
                self.close_run(lines);
            }
        }
        self.last = link;
        Ok(())
    }

    fn close_run(&mut self, lines: &mut Vec<Line>) {
        if !self.omitted.leaves.is_empty() {
            lines.push(Line::Omitted(std::mem::take(&mut self.omitted)));
        }
    }

    /// The log does not hold: the export says so, ends there and is signed by nobody.
    fn broken(&mut self, mut lines: Vec<Line>, fault: &str) -> Vec<Line> {
        let (workspace, seq) = (self.workspace, self.last.seq + 1);
        tracing::error!(%workspace, seq, fault, "an audit log that was exported does not hold");
        self.close_run(&mut lines);
        lines.push(Line::Fault(FaultLine { seq, fault: fault.to_owned() }));
        self.stage = Stage::Done;
        lines
    }

    async fn end_of_events(&mut self) -> Result<Vec<Line>, ExportError> {
        if self.purpose == Purpose::Reading {
            self.stage = Stage::Done;
            return Ok(Vec::new());
        }
        if self.last != self.head {
            return Ok(self.broken(Vec::new(), "the chain's head does not match the events"));
        }
        // Whoever was erased meanwhile still stands in what was exported before.
        let mut after = self.head.seq;
        loop {
            let part = self.snapshot().await?.stretch(after, BATCH).await?;
            if part.events.iter().any(|e| e.record.action == ERASURE) {
                return Err(ExportError::Erased);
            }
            match part.events.last() {
                Some(last) => after = last.record.seq,
                None => break,
            }
        }
        self.stage = Stage::Checkpoints(0);
        Ok(Vec::new())
    }

    async fn checkpoints(&mut self, after: i64) -> Result<Vec<Line>, ExportError> {
        let at = self.snapshot().await?.at();
        let kept = self.ports.store.after(self.workspace, after, BATCH).await?;
        let mut lines = Vec::new();
        for checkpoint in kept.iter().filter(|c| c.link.seq <= self.head.seq) {
            self.signed = Some(checkpoint.link);
            lines.push(Line::Checkpoint(CheckpointLine { note: checkpoint.note.clone() }));
        }
        if let Some(last) = kept.last().filter(|c| c.link.seq < self.head.seq) {
            self.stage = Stage::Checkpoints(last.link.seq);
            return Ok(lines);
        }
        // Every event up to here was checked on the way, so this is no signature on the database's word.
        if self.head.seq > 0 {
            let (workspace, link, previous) = (self.workspace, self.head, self.signed);
            let statement = Statement { workspace, link, previous, at: Some(at) };
            lines.push(Line::Checkpoint(CheckpointLine { note: self.ports.sealer.state(&statement)? }));
        }
        lines.push(Line::End(EndLine { events: self.head.seq, shown: self.shown }));
        self.stage = Stage::Done;
        Ok(lines)
    }
}

fn line(event: &SealedEvent, disclosed: Vec<Disclosed>) -> Line {
    Line::Event(Box::new(EventLine::of(&event.record, &event.commitments, disclosed, &event.hash)))
}
