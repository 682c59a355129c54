//! What is asked, in words that favour neither policy: who calls, in which state, about which workspace, and for what.
use serde::{Deserialize, Serialize};
use settings_domain::policy::{
    EventType, Permission, Requirement, Role, Scope, ScopeSet, SystemTask,
    actions::{self, ActionRow},
};
use std::{fmt, str::FromStr};

/// What an account is in one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Membership {
    /// Nothing.
    #[default]
    None,
    /// It was a member.
    Former(Role),
    /// It is a member.
    Active(Role),
}

/// Where a key's end lies, seen from the instant of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expiry {
    /// It has none.
    #[default]
    Never,
    /// A microsecond away.
    Ahead,
    /// This very instant.
    Now,
    /// A microsecond ago.
    Behind,
}

/// Everything about a request but what is asked: one caller and one workspace, "here". There is one more, "elsewhere".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Situation {
    /// A person.
    Account {
        /// Whether the operator named this account a platform owner.
        #[serde(default)]
        platform: bool,
        /// What it is in the workspace that is asked about.
        #[serde(default)]
        here: Membership,
        /// What it is in the other one.
        #[serde(default)]
        elsewhere: Membership,
        /// Whether the workspace was deleted.
        #[serde(default)]
        deleted: bool,
    },
    /// An API key.
    Key {
        /// What it may do; every one of the 65,536 sets, though a stored key has at least one scope.
        #[serde(with = "scope_list")]
        scopes: ScopeSet,
        /// Whether it belongs to the other workspace.
        #[serde(default)]
        foreign: bool,
        /// Whether it was revoked.
        #[serde(default)]
        revoked: bool,
        /// When it ends.
        #[serde(default)]
        expiry: Expiry,
        /// Whether the workspace was deleted.
        #[serde(default)]
        deleted: bool,
    },
    /// Somebody who holds an invitation.
    Invitee {
        /// Whether it is to the other workspace.
        #[serde(default)]
        foreign: bool,
    },
    /// The service itself.
    Service {
        /// Its task.
        #[serde(with = "task_name")]
        task: SystemTask,
        /// Whether it works for the other workspace.
        #[serde(default)]
        foreign: bool,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// A permission of the matrix.
    Permission(Permission),
    /// To publish an event of this type.
    Publish(EventType),
    /// An action that asks for something else than a permission: an invitation, or to be the service itself.
    Action(&'static ActionRow),
}

impl Question {
    /// Every question there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let permissions = Permission::ALL.iter().copied().map(Self::Permission);
        permissions.chain(EventType::ALL.map(Self::Publish)).chain(Self::actions()).collect()
    }
    fn actions() -> impl Iterator<Item = Self> {
        actions::ALL.iter().filter(|a| !matches!(a.requires, Requirement::Permission(_))).map(Self::Action)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(permission) => f.write_str(permission.name()),
            Self::Publish(event) => write!(f, "{} {event}", Permission::EventsPublish.name()),
            Self::Action(action) => f.write_str(action.name),
        }
    }
}

/// The text is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("names neither a permission, nor `events:publish` and an event type, nor an action that asks for none")]
pub struct UnknownQuestion;

impl FromStr for Question {
    type Err = UnknownQuestion;
    fn from_str(s: &str) -> Result<Self, UnknownQuestion> {
        Self::all().into_iter().find(|q| q.to_string() == s).ok_or(UnknownQuestion)
    }
}

impl Serialize for Question {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Question {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A request. Its text is its line in the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Who, and where.
    #[serde(flatten)]
    pub situation: Situation,
    /// For what.
    #[serde(rename = "asks")]
    pub question: Question,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Every task of the service.
pub const TASKS: [SystemTask; 6] = [
    SystemTask::RecordDenials,
    SystemTask::Execute,
    SystemTask::RotateKeys,
    SystemTask::SendDigest,
    SystemTask::Deliver,
    SystemTask::SyncBilling,
];

/// What a task is called here and in the Cedar policies. A new one stops the build: give it a name, a place in [`TASKS`] and
/// a policy in `policy/service.cedar`.
#[must_use]
pub const fn duty(task: SystemTask) -> &'static str {
    match task {
        SystemTask::RecordDenials => "record denials",
        SystemTask::Execute => "execute",
        SystemTask::RotateKeys => "rotate keys",
        SystemTask::SendDigest => "send digests",
        SystemTask::Deliver => "deliver",
        SystemTask::SyncBilling => "sync billing",
    }
}

/// A task by its name.
mod task_name {
    use super::{SystemTask, TASKS, duty};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(task: &SystemTask, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(duty(*task))
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<SystemTask, D::Error> {
        let name = String::deserialize(d)?;
        TASKS.into_iter().find(|t| duty(*t) == name).ok_or_else(|| D::Error::custom(format!("{name} is no task")))
    }
}

/// Scopes as a list of names, which may be empty.
mod scope_list {
    use super::{Scope, ScopeSet};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(scopes: &ScopeSet, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(scopes.iter().map(Scope::name))
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<ScopeSet, D::Error> {
        let names = Vec::<String>::deserialize(d)?;
        names.iter().map(|n| n.parse::<Scope>().map_err(|e| D::Error::custom(format!("{n} {e}")))).collect()
    }
}
