//! Notification preferences (seed A, Notifications): which events are told on which channels, and to whom by mail.
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    connections::{Connection, ConnectionStatus},
    error::{Refused, refusals},
    ids::RecipientId,
    impact::Guard,
    policy::{EventType, Permit, actions},
    text::{Email, EmailKey},
    webhook_subscriptions::{SubscriptionStatus, WebhookSubscription},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most recipients of one event type.
pub const MAX_RECIPIENTS: usize = 50;

/// Where something can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    Email,
    /// In Slack.
    Slack,
    /// To webhooks.
    Webhook,
}

impl Channel {
    /// All, in the order of seed A.
    pub const ALL: [Self; 3] = [Self::Email, Self::Slack, Self::Webhook];
    /// Name on the wire and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
    /// Reads the name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == s)
    }
}

/// An address of the workspace's own choice. Kept once, so that preferences and queued messages name it by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Its id.
    pub id: RecipientId,
    /// The address, in its first spelling.
    pub email: Email,
}

/// What is chosen for one event type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// Where it is told; nowhere is fine.
    pub channels: BTreeSet<Channel>,
    /// Who gets the mails; the admins where nobody is named.
    pub recipients: Vec<Recipient>,
}

impl Default for Preference {
    /// By mail to the admins: what nobody chose must not be lost.
    fn default() -> Self {
        Self { channels: BTreeSet::from([Channel::Email]), recipients: Vec::new() }
    }
}

/// What is wanted for one event type. `recipients: None` leaves them as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceChange {
    /// Where it is told.
    pub channels: BTreeSet<Channel>,
    /// Who gets the mails.
    pub recipients: Option<Vec<Email>>,
}

/// The preferences of a workspace. The default is what it has before anybody chose anything: version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationSettings {
    preferences: BTreeMap<EventType, Preference>,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum NotificationWrite {
    /// The preferences as they shall be; the first make the row. Addresses that they name are kept, others forgotten.
    Save(NotificationSettings),
}

/// Whether a channel can be used, and why not.
pub type Readiness = Result<(), &'static str>;

/// What the channels stand on.
#[derive(Debug, Clone, Default)]
pub struct Channels {
    /// Whether the operator has set up Slack.
    pub slack_configured: bool,
    /// The Slack connection, if there is one.
    pub connection: Option<Connection>,
    /// Every webhook subscription.
    pub subscriptions: Vec<WebhookSubscription>,
}

impl Channels {
    /// Whether a channel can be used now; if not, why and what to do about it.
    pub fn readiness(&self, channel: Channel) -> Readiness {
        match channel {
            Channel::Email => Ok(()),
            Channel::Slack => match &self.connection {
                Some(c) if c.is_ready() => Ok(()),
                Some(c) if c.status == ConnectionStatus::Active => {
                    Err("The Slack connection has no channel to post to. Choose one in Connections.")
                }
                Some(c) if c.status == ConnectionStatus::Error && c.channel.is_none() => {
                    Err("Slack refused the connection's channel. Choose another one in Connections.")
                }
                Some(c) if c.status == ConnectionStatus::Error => {
                    Err("The Slack connection is in error. Authorize it again in Connections.")
                }
                _ if !self.slack_configured => Err("Slack is not set up on this installation."),
                _ => Err("There is no active Slack connection. Create one in Connections."),
            },
            Channel::Webhook => {
                let active = |s: &WebhookSubscription| s.status == SubscriptionStatus::Active;
                if self.subscriptions.iter().any(active) {
                    Ok(())
                } else if self.subscriptions.is_empty() {
                    Err("There is no webhook subscription. Add one in Webhooks.")
                } else {
                    Err("Every webhook subscription is disabled. Enable one in Webhooks.")
                }
            }
        }
    }
}

refusals! {
    /// Why preferences were not changed.
    NotificationsError {
        SlackUnavailable: Conflict "channel-unavailable" at "/preferences", "The channel slack needs an active Slack connection with a channel to post to. Connect Slack in Connections first.";
        WebhookUnavailable: Conflict "channel-unavailable" at "/preferences", "The channel webhook needs an active webhook subscription. Add or enable one in Webhooks first.";
    }
}

impl NotificationSettings {
    /// The preferences as they are stored; types that are not named have the default.
    #[must_use]
    pub const fn stored(preferences: BTreeMap<EventType, Preference>, version: i64) -> Self {
        Self { preferences, version }
    }
    /// What is stored: types that nobody chose anything for are not named.
    #[must_use]
    pub const fn chosen(&self) -> &BTreeMap<EventType, Preference> {
        &self.preferences
    }
    /// What is chosen for a type.
    #[must_use]
    pub fn of(&self, kind: EventType) -> Preference {
        self.preferences.get(&kind).cloned().unwrap_or_default()
    }
    /// All five, in the order of the documents.
    pub fn all(&self) -> impl Iterator<Item = (EventType, Preference)> {
        EventType::ALL.into_iter().map(|kind| (kind, self.of(kind)))
    }
    /// Every address that is named, each once.
    #[must_use]
    pub fn recipients(&self) -> Vec<&Recipient> {
        let mut seen = BTreeSet::new();
        self.preferences.values().flat_map(|p| &p.recipients).filter(|r| seen.insert(r.id)).collect()
    }

    /// The same without these addresses; `None` where none of them is named. A type left without any goes to the admins.
    pub(crate) fn without(&self, addresses: &BTreeSet<EmailKey>) -> Option<Self> {
        let mut next = self.clone();
        for preference in next.preferences.values_mut() {
            preference.recipients.retain(|r| !addresses.contains(r.email.key()));
        }
        next.version += 1;
        (next.preferences != self.preferences).then_some(next)
    }

    /// Chooses. Types that are not named keep what they have. `id` makes an id for each address that is new here.
    pub fn update(
        &self,
        permit: &Permit<actions::UpdateNotifications>,
        wanted: &BTreeMap<EventType, PreferenceChange>,
        channels: &Channels,
        guard: &Guard,
        mut id: impl FnMut() -> RecipientId,
    ) -> Result<Change<Self>, Refused<NotificationsError>> {
        guard.check_version(self.version)?;
        for (channel, refusal) in [
            (Channel::Slack, NotificationsError::SlackUnavailable),
            (Channel::Webhook, NotificationsError::WebhookUnavailable),
        ] {
            let chosen = wanted.values().any(|w| w.channels.contains(&channel));
            if chosen && channels.readiness(channel).is_err() {
                return Err(refusal.into());
            }
        }
        let mut known: Vec<Recipient> = self.recipients().into_iter().cloned().collect();
        let mut next = self.clone();
        for (kind, change) in wanted {
            let mut preference = self.of(*kind);
            preference.channels.clone_from(&change.channels);
            if let Some(addresses) = &change.recipients {
                preference.recipients = name_all(addresses, &mut known, &mut id);
            }
            next.preferences.insert(*kind, preference);
        }
        let details = self.difference(&next);
        let Some(details) = details else { return Ok(Change::nothing(permit, self.clone())) };
        next.version = self.version + 1;
        let write = Write::Notifications(NotificationWrite::Save(next.clone()));
        Ok(Change::decided(permit, write, Target::Notifications, details, next))
    }

    /// What the log says of a change: channels by name, addresses by their number. `None` where nothing differs.
    fn difference(&self, next: &Self) -> Option<Details> {
        let mut details = None;
        for kind in EventType::ALL {
            let (from, to) = (self.of(kind), next.of(kind));
            if from == to {
                continue;
            }
            let mut said = details.take().unwrap_or_else(Details::new);
            if from.channels != to.channels {
                said = said.change(
                    kind.name(),
                    Some(PublicValue::channels(&from.channels)),
                    Some(PublicValue::channels(&to.channels)),
                );
            }
            if from.recipients != to.recipients {
                let count = |p: &Preference| i64::try_from(p.recipients.len()).ok().map(PublicValue::from);
                said = said.change(recipients_field(kind), count(&from), count(&to));
            }
            details = Some(said);
        }
        details
    }
}

/// Each address once, by the id that it has or gets.
fn name_all(addresses: &[Email], known: &mut Vec<Recipient>, id: &mut impl FnMut() -> RecipientId) -> Vec<Recipient> {
    let mut named: Vec<Recipient> = Vec::new();
    for email in addresses {
        if named.iter().any(|r| r.email == *email) {
            continue;
        }
        let recipient = known.iter().find(|r| r.email == *email).cloned().unwrap_or_else(|| {
            let fresh = Recipient { id: id(), email: email.clone() };
            known.push(fresh.clone());
            fresh
        });
        named.push(recipient);
    }
    named
}

const fn recipients_field(kind: EventType) -> &'static str {
    match kind {
        EventType::RunFailed => "run_failed.recipients",
        EventType::ApprovalRequested => "approval_requested.recipients",
        EventType::WorkflowDeployed => "workflow_deployed.recipients",
        EventType::McpServerDegraded => "mcp_server_degraded.recipients",
        EventType::SecretRotated => "secret_rotated.recipients",
    }
}
