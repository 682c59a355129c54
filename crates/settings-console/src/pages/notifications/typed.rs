//! The form as text: what was ticked and typed, or what is there.
use crate::{cx::Cx, form::Faults, ui::event_name};
use settings_domain::{
    notifications::{Channel, MAX_RECIPIENTS, NotificationSettings, PreferenceChange},
    policy::EventType,
    text::Email,
};
use std::collections::{BTreeMap, BTreeSet};

/// The field of an event's recipients.
pub(super) const fn recipients_field(kind: EventType) -> &'static str {
    match kind {
        EventType::RunFailed => "run_failed-recipients",
        EventType::ApprovalRequested => "approval_requested-recipients",
        EventType::WorkflowDeployed => "workflow_deployed-recipients",
        EventType::McpServerDegraded => "mcp_server_degraded-recipients",
        EventType::SecretRotated => "secret_rotated-recipients",
    }
}

/// One event's row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: EventType,
    pub(super) channels: BTreeSet<Channel>,
    /// One address a line; none stands for the admins.
    pub(super) recipients: String,
}

pub(super) struct Typed {
    pub(super) rows: Vec<Row>,
    pub(super) version: i64,
}

impl Typed {
    pub(super) fn stored(settings: &NotificationSettings) -> Self {
        let row = |(kind, p): (EventType, settings_domain::notifications::Preference)| {
            let lines: Vec<&str> = p.recipients.iter().map(|r| r.email.as_str()).collect();
            Row { kind, channels: p.channels, recipients: lines.join("\n") }
        };
        Self { rows: settings.all().map(row).collect(), version: settings.version }
    }

    pub(super) fn sent(cx: &Cx) -> Self {
        let row = |kind: EventType| Row {
            kind,
            channels: cx.fields(kind.name()).filter_map(Channel::parse).collect(),
            recipients: cx.field(recipients_field(kind)).replace("\r\n", "\n"),
        };
        Self {
            rows: EventType::ALL.into_iter().map(row).collect(),
            version: cx.field("version").parse().unwrap_or_default(),
        }
    }

    pub(super) fn of(&self, kind: EventType) -> Option<&Row> {
        self.rows.iter().find(|r| r.kind == kind)
    }

    /// What differs from what is there, or every fault. Events that stay as they are are not named: a channel that does
    /// not work at present is only refused where somebody changes something about its event.
    pub(super) fn read(
        &self,
        present: &NotificationSettings,
        faults: &mut Faults,
    ) -> Option<BTreeMap<EventType, PreferenceChange>> {
        let mut wanted = BTreeMap::new();
        for row in &self.rows {
            let Some(recipients) = addresses(row, faults) else { continue };
            let there = present.of(row.kind);
            let same = recipients.iter().eq(there.recipients.iter().map(|r| &r.email));
            if row.channels != there.channels || !same {
                let change = PreferenceChange { channels: row.channels.clone(), recipients: Some(recipients) };
                wanted.insert(row.kind, change);
            }
        }
        faults.none().then_some(wanted)
    }

    /// Both versions of what differs, for a form that aged.
    pub(super) fn against(&self, now: &Self) -> Vec<(&'static str, String, String)> {
        let told = |row: &Row| {
            let channels: Vec<_> = row.channels.iter().map(|c| c.name()).collect();
            let people: Vec<_> = row.recipients.split_whitespace().collect();
            let channels = if channels.is_empty() { "nowhere".to_owned() } else { channels.join(", ") };
            if people.is_empty() {
                format!("{channels}; the admins")
            } else {
                format!("{channels}; {}", people.join(", "))
            }
        };
        let both = self.rows.iter().zip(&now.rows).filter(|(mine, theirs)| mine != theirs);
        both.map(|(mine, theirs)| (event_name(mine.kind), told(mine), told(theirs))).collect()
    }
}

fn addresses(row: &Row, faults: &mut Faults) -> Option<Vec<Email>> {
    let (mut recipients, mut wrong) = (Vec::<Email>::new(), Vec::new());
    for (place, line) in row.recipients.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        match line.trim().parse::<Email>() {
            // An address counts once.
            Ok(email) if recipients.contains(&email) => {}
            Ok(email) => recipients.push(email),
            Err(e) => wrong.push(format!("Line {}: {e}.", place + 1)),
        }
    }
    if recipients.len() > MAX_RECIPIENTS {
        wrong.push(format!("At most {MAX_RECIPIENTS} addresses."));
    }
    if wrong.is_empty() {
        return Some(recipients);
    }
    faults.field(recipients_field(row.kind), wrong.join(" "));
    None
}
