//! One digest: its window, its recipients, and what is to be said of the window.
use super::AuditDigestWrite;
use crate::{
    audit::{Details, Risk, Target},
    change::{Change, Write},
    ids::DigestRunId,
    policy::{Permit, actions},
    text::Email,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// How far a digest has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// Its mails are queued and none was accepted yet.
    Queued,
    /// A mail server has accepted the first of its mails.
    Sent,
    /// The next digest began before any mail of this one was accepted, and covers its window too.
    Superseded,
}

impl RunState {
    /// All.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Sent, Self::Superseded];
    /// Name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Superseded => "superseded",
        }
    }
    /// Reads the stored name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == s)
    }
}

/// A digest that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRun {
    /// Its id.
    pub id: DigestRunId,
    /// When it was due: unique in a workspace.
    #[serde(with = "crate::micros")]
    pub due_at: OffsetDateTime,
    /// Place of the first event that it covers.
    pub from_seq: i64,
    /// Place of the last one; one less than `from_seq` where there are none.
    pub to_seq: i64,
    /// When the digest before began; `None` for the first.
    #[serde(with = "crate::micros::option")]
    pub since: Option<OffsetDateTime>,
    /// When it began.
    #[serde(with = "crate::micros")]
    pub until: OffsetDateTime,
    /// Which events count.
    pub risks: BTreeSet<Risk>,
    /// Who gets it.
    pub recipients: Vec<Email>,
    /// How far it has come.
    pub state: RunState,
}

impl DigestRun {
    /// A mail server has accepted a mail of this digest. The first time that is written down, with the digest's one audit
    /// event, and the next digest begins where this one ends; after that nothing changes.
    pub fn accepted(&self, permit: &Permit<actions::SendAuditDigest>) -> Change<()> {
        if self.state != RunState::Queued {
            return Change::nothing(permit, ());
        }
        let recipients = i64::try_from(self.recipients.len()).unwrap_or(i64::MAX);
        let number = |details: Details, (field, n): (&'static str, i64)| details.change(field, None, Some(n.into()));
        let said = [("fromSeq", self.from_seq), ("toSeq", self.to_seq), ("recipients", recipients)];
        let details = said.into_iter().fold(Details::new(), number);
        let write = Write::AuditDigest(AuditDigestWrite::Sent(Box::new(self.clone()), permit.at()));
        Change::decided(permit, write, Target::AuditDigest, details, ())
    }
    /// Whether its mails are still to be sent: no later digest covers its window.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.state != RunState::Superseded
    }
    /// The recipient of one of its mails.
    #[must_use]
    pub fn recipient(&self, place: i64) -> Option<&Email> {
        self.recipients.get(usize::try_from(place).ok()?)
    }
}

/// A stretch of the log in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSummary {
    /// How many events of each risk; risks without any may be missing.
    pub totals: Vec<(Risk, i64)>,
    /// Who did the most, most first.
    pub actors: Vec<ActorCount>,
}

/// How many events somebody left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorCount {
    /// Who.
    pub actor: ActorName,
    /// How many.
    pub events: i64,
}

/// Who acted, by the name that can still be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActorName {
    /// A person; `None` for one that was erased or never had a name here.
    Person(Option<String>),
    /// An API key, by its name and prefix.
    Key(String),
    /// The platform's people.
    Platform,
    /// The service's own tasks.
    Service,
}

impl ActorName {
    /// An API key.
    #[must_use]
    pub fn key(name: &str, prefix: &str) -> Self {
        Self::Key(format!("{name} ({prefix})"))
    }
    /// In words, for people.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Person(Some(name)) => name,
            Self::Person(None) => "erased person".to_owned(),
            Self::Key(name) => format!("API key {name}"),
            Self::Platform => "the platform".to_owned(),
            Self::Service => "the service".to_owned(),
        }
    }
}
