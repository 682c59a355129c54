//! Refused calls, summed up. A denial changes nothing, so it is no part of any change; the service itself writes one
//! event per caller, action and minute, however often somebody knocks (docs/adr/0005).
use crate::{
    audit::{Details, PublicValue, Target},
    change::Change,
    ids::{ApiKeyId, PersonId, UserId},
    policy::{Permit, actions},
};

/// Refused calls of one caller for one action within a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denials {
    /// The account, with its person in this workspace. The platform's people have none here.
    pub user: Option<(UserId, PersonId)>,
    /// The key.
    pub key: Option<ApiKeyId>,
    /// The action's name in the policy.
    pub action: &'static str,
    /// How often.
    pub count: i64,
}

/// Writes the summary down.
pub fn record(permit: &Permit<actions::RecordDenials>, denials: &Denials) -> Change<()> {
    let mut details = Details::new().change("action", None, Some(PublicValue::word(denials.action))).change(
        "count",
        None,
        Some(denials.count.into()),
    );
    if let Some((user, person)) = denials.user {
        details = details.personal("deniedUser", person, user.to_string());
    }
    let target = denials.key.map_or(Target::Workspace, Target::ApiKey);
    Change::recorded(permit, target, details, ())
}
