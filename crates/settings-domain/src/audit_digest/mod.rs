//! The audit digest (seed A): what stands in the audit log, mailed on a schedule.
//!
//! A digest covers places in the chain and not times: from behind the last one that a mail server accepted to the end of
//! the chain as it is when the digest begins. So no event is left out and none is told twice, however clocks jump. A period
//! that was missed is covered by the next digest, which is one.
mod run;
pub mod schedule;

pub use run::{ActorCount, ActorName, AuditSummary, DigestRun, RunState};
pub use schedule::{DayOfMonth, DayOfWeek, Frequency, Hour, Schedule};

use crate::{
    audit::{Details, PublicValue, Risk, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    ids::{DeliveryId, DigestRunId},
    impact::Guard,
    notices::Notice,
    policy::{Permit, actions},
    text::Email,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// Most recipients.
pub const MAX_RECIPIENTS: usize = 50;

/// What somebody chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSettings {
    /// Whether digests are sent.
    pub enabled: bool,
    /// When.
    pub schedule: Schedule,
    /// Which events count.
    pub risks: BTreeSet<Risk>,
    /// Who gets them, each once. The first spelling of an address stays.
    pub recipients: Vec<Email>,
}

impl DigestSettings {
    /// The settings, with every address once.
    #[must_use]
    pub fn new(enabled: bool, schedule: Schedule, risks: BTreeSet<Risk>, mut recipients: Vec<Email>) -> Self {
        let mut seen = BTreeSet::new();
        recipients.retain(|r| seen.insert(r.key().clone()));
        Self { enabled, schedule, risks, recipients }
    }
}

impl Default for DigestSettings {
    /// None; once switched on, every Monday at 08:00 about what is high or critical.
    fn default() -> Self {
        let risks = BTreeSet::from([Risk::High, Risk::Critical]);
        Self { enabled: false, schedule: Schedule::default(), risks, recipients: Vec::new() }
    }
}

/// The digest of a workspace. The default is what a workspace has before anybody chose anything: version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditDigest {
    /// What was chosen.
    pub settings: DigestSettings,
    /// When the next one is due; `None` while they are switched off.
    #[serde(with = "crate::micros::option")]
    pub next_due_at: Option<OffsetDateTime>,
    /// When the digest that began last was due; `None` before the first.
    #[serde(with = "crate::micros::option")]
    pub last_due_at: Option<OffsetDateTime>,
    /// When a mail server last accepted one.
    #[serde(with = "crate::micros::option")]
    pub last_sent_at: Option<OffsetDateTime>,
    /// Place of the last event that an accepted digest covered; 0 before the first.
    pub covered_seq: i64,
    /// When that digest began; `None` before the first.
    #[serde(with = "crate::micros::option")]
    pub covered_at: Option<OffsetDateTime>,
    /// Counts the choices, from 1. Digests that are sent do not count.
    pub version: i64,
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum AuditDigestWrite {
    /// What was chosen, and when the next digest is due. The first choice makes the row.
    Configure(AuditDigest),
    /// A digest begins, and the next is due then. Earlier ones that no server accepted yet are never sent: this one covers
    /// what they would have said.
    Begin(Box<DigestRun>, OffsetDateTime),
    /// A server accepted the first mail of a digest, at this instant.
    Sent(Box<DigestRun>, OffsetDateTime),
}

/// Stands for an erased recipient of a digest that began: the places of the others are what their mails go by. A domain that
/// is reserved for never existing (RFC 2606), and nobody's recipient.
pub fn nobody() -> Result<Email, crate::text::TextError> {
    "erased@erased.invalid".parse()
}

refusals! {
    /// Why a digest was not configured.
    AuditDigestError {
        NoRecipients: Invalid "validation-failed" at "/recipients", "A digest that is sent needs at least one recipient.";
        NoRiskLevels: Invalid "validation-failed" at "/includeRiskLevels", "A digest that is sent needs at least one risk level.";
    }
}

impl AuditDigest {
    /// Chooses. Another schedule holds from now on and is never due in the past; what was due under the old one and has not
    /// begun is covered by the next digest.
    pub fn configure(
        &self,
        permit: &Permit<actions::UpdateAuditDigest>,
        settings: DigestSettings,
        guard: &Guard,
    ) -> Result<Change<Self>, Refused<AuditDigestError>> {
        guard.check_version(self.version)?;
        if settings.enabled && settings.recipients.is_empty() {
            return Err(AuditDigestError::NoRecipients.into());
        }
        if settings.enabled && settings.risks.is_empty() {
            return Err(AuditDigestError::NoRiskLevels.into());
        }
        // Addresses are equal by their keys, but another spelling is a change that somebody wants.
        let spelled = |s: &DigestSettings| s.recipients.iter().map(|r| r.as_str().to_owned()).collect::<Vec<_>>();
        if settings == self.settings && spelled(&settings) == spelled(&self.settings) {
            return Ok(Change::nothing(permit, self.clone()));
        }
        let goes_on = self.settings.enabled && self.settings.schedule == settings.schedule;
        let next_due_at = match self.next_due_at {
            _ if !settings.enabled => None,
            Some(due) if goes_on => Some(due),
            // A clock that went back must not make one instant due twice.
            _ => Some(settings.schedule.next_after(self.last_due_at.map_or(permit.at(), |due| due.max(permit.at())))),
        };
        let details = self.settings.difference(&settings);
        let next = Self { settings, next_due_at, version: self.version + 1, ..self.clone() };
        let write = Write::AuditDigest(AuditDigestWrite::Configure(next.clone()));
        Ok(Change::decided(permit, write, Target::AuditDigest, details, next))
    }

    /// Whether a digest is due.
    #[must_use]
    pub fn is_due(&self, at: OffsetDateTime) -> bool {
        self.settings.enabled && self.next_due_at.is_some_and(|due| due <= at)
    }

    /// Begins the digest that is due: closes its window at `head`, the last place in the chain, and owes each recipient a
    /// mail. Whatever was missed is in this one. Changes nothing when none is due, so that only one of several workers
    /// begins it. `delivery` makes an id for each mail.
    pub fn begin(
        &self,
        permit: &Permit<actions::SendAuditDigest>,
        head: i64,
        id: DigestRunId,
        mut delivery: impl FnMut() -> DeliveryId,
    ) -> Change<Option<DigestRun>> {
        let at = permit.at();
        let Some(due_at) = self.next_due_at.filter(|_| self.is_due(at)) else { return Change::nothing(permit, None) };
        let run = DigestRun {
            id,
            due_at,
            from_seq: self.covered_seq + 1,
            to_seq: head.max(self.covered_seq),
            since: self.covered_at,
            until: at,
            risks: self.settings.risks.clone(),
            recipients: self.settings.recipients.clone(),
            state: RunState::Queued,
        };
        let next_due_at = self.settings.schedule.next_after(at);
        let mails: Vec<_> = (0_i64..).zip(&run.recipients).map(|(recipient, _)| recipient).collect();
        let write = Write::AuditDigest(AuditDigestWrite::Begin(Box::new(run.clone()), next_due_at));
        mails.into_iter().fold(Change::prepared(permit, write, Some(run)), |change, recipient| {
            change.notice(Notice::AuditDigestMail { delivery: delivery(), run: id, recipient })
        })
    }

    /// Whether this recipient of a digest that began still wants it.
    #[must_use]
    pub fn is_wanted_by(&self, recipient: &Email) -> bool {
        self.settings.enabled && self.settings.recipients.contains(recipient)
    }
}

impl DigestSettings {
    /// What the log says of a change: everything but the addresses, of which it says how many there are.
    fn difference(&self, next: &Self) -> Details {
        let flag = |b: bool| Some(PublicValue::word(if b { "true" } else { "false" }));
        let day = |n: Option<i64>| n.map(PublicValue::from);
        let count = |s: &Self| i64::try_from(s.recipients.len()).ok().map(PublicValue::from);
        let of = |s: &Self| {
            let f = s.schedule.frequency;
            [
                ("enabled", flag(s.enabled)),
                ("frequency", Some(PublicValue::word(f.name()))),
                ("dayOfWeek", day(f.day_of_week().map(i64::from))),
                ("dayOfMonth", day(f.day_of_month().map(i64::from))),
                ("hourUTC", Some(i64::from(s.schedule.hour).into())),
                ("includeRiskLevels", Some(PublicValue::risks(&s.risks))),
                ("recipients", count(s)),
            ]
        };
        let recipients_differ = self.recipients != next.recipients;
        of(self).into_iter().zip(of(next)).fold(Details::new(), |details, ((field, from), (_, to))| {
            let differs = from != to || (field == "recipients" && recipients_differ);
            if differs { details.change(field, from, to) } else { details }
        })
    }
}
