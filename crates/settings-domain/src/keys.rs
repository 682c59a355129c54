//! Rotation of the key-encryption key: data keys are wrapped anew, values stay as they are.
//!
//! The wrappings change in many small transactions while the service runs, so no single change holds them all. One event
//! is written before the first of them and one after the last: no wrapping changes without a trace, also when the process
//! is killed in the middle.
use crate::{
    audit::{Details, PublicValue, Target},
    change::Change,
    policy::{Permit, actions},
};

/// How the data keys of a database are wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrappings {
    /// The key-encryption key that wraps now, by the keyring's own name.
    pub current: String,
    /// How many data keys there are.
    pub total: i64,
    /// How many of them another key-encryption key wrapped.
    pub old: i64,
}

/// What a finished rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Data keys that this run wrapped anew.
    pub rewrapped: i64,
    /// Data keys that still need an older key-encryption key: those that did not open. 0 is what is wanted.
    pub left: i64,
}

fn details(phase: &'static str, wrappings: &Wrappings) -> Details {
    Details::new().change("phase", None, Some(PublicValue::word(phase))).change(
        "keyEncryptionKey",
        None,
        Some(PublicValue::configured(&wrappings.current)),
    )
}

/// Writes down that a rotation begins, or goes on after it was cut short.
pub fn begin(permit: &Permit<actions::RotateKeys>, wrappings: &Wrappings, resumed: bool) -> Change<()> {
    let details = details(if resumed { "resumed" } else { "begun" }, wrappings);
    let details = details.change("dataKeysToWrap", None, Some(wrappings.old.into()));
    Change::recorded(permit, Target::Keys, details, ())
}

/// Writes down what it did.
pub fn finish(permit: &Permit<actions::RotateKeys>, wrappings: &Wrappings, rotated: Rotated) -> Change<()> {
    let details = details("finished", wrappings)
        .change("dataKeysWrapped", None, Some(rotated.rewrapped.into()))
        .change("dataKeysOnAnOldKey", None, Some(rotated.left.into()));
    Change::recorded(permit, Target::Keys, details, ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Risk,
        ids::WorkspaceId,
        policy::{Actor, SystemTask, permit},
    };
    use time::OffsetDateTime;

    #[test]
    fn a_rotation_leaves_critical_events_with_its_counts_and_nothing_personal() {
        let task = Actor::task(SystemTask::RotateKeys, WorkspaceId::PLATFORM);
        let permit = permit::<actions::RotateKeys>(&task, OffsetDateTime::UNIX_EPOCH).unwrap();
        let wrappings = Wrappings { current: "local-1".to_owned(), total: 9, old: 7 };
        let changes = [
            begin(&permit, &wrappings, false),
            begin(&permit, &wrappings, true),
            finish(&permit, &wrappings, Rotated { rewrapped: 6, left: 1 }),
        ];
        let mut said = vec![];
        for change in &changes {
            let [event] = change.set().events() else { panic!("one event each") };
            let record = event.record(1);
            assert_eq!((record.action.as_str(), record.risk), ("keys.rotated", Risk::Critical));
            assert_eq!((record.workspace, record.target_kind.as_str()), (WorkspaceId::PLATFORM, "keys"));
            assert!(change.set().writes().is_empty() && event.personal().is_empty());
            let part = |c: &crate::audit::FieldChange| format!("{}={}", c.field, c.to.clone().unwrap_or_default());
            said.push(record.changes.iter().map(part).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(
            said,
            [
                "phase=begun keyEncryptionKey=local-1 dataKeysToWrap=7",
                "phase=resumed keyEncryptionKey=local-1 dataKeysToWrap=7",
                "phase=finished keyEncryptionKey=local-1 dataKeysWrapped=6 dataKeysOnAnOldKey=1",
            ]
        );
    }
}
