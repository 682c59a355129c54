//! Who hears of something, and a message that is about to be sent.
use super::{Delivery, Destination, Message};
use crate::{
    connections::{Connection, ConnectionRecord, ConnectionStatus},
    events::EventRecord,
    ids::{DeliveryId, UserId, WorkspaceId},
    notifications::{Channel, NotificationSettings},
    policy::EventType,
    text::{Email, Slug},
    webhook_subscriptions::{Health, SubscriptionRecord, SubscriptionStatus, WebhookSubscription},
};
use time::OffsetDateTime;

/// Who may have to hear of something, as it stands.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    /// What was chosen.
    pub settings: NotificationSettings,
    /// The active admins.
    pub admins: Vec<UserId>,
    /// The Slack connection, if there is one.
    pub connection: Option<Connection>,
    /// Every webhook subscription.
    pub subscriptions: Vec<WebhookSubscription>,
}

impl Audience {
    /// A delivery for everybody who is to hear of an event of this type. A channel that was chosen and is gone is replaced by
    /// mail: what somebody must hear about is not lost with a connection.
    #[must_use]
    pub fn hear(
        &self,
        workspace: WorkspaceId,
        message: Message,
        kind: EventType,
        at: OffsetDateTime,
        mut id: impl FnMut() -> DeliveryId,
    ) -> Vec<Delivery> {
        let preference = self.settings.of(kind);
        let mut to = Vec::new();
        let mut mail = preference.channels.contains(&Channel::Email);
        if preference.channels.contains(&Channel::Slack) {
            // One in error is queued for too: the message waits for it to be authorized again.
            match self.connection.as_ref().filter(|c| c.is_ready() || c.status == ConnectionStatus::Error) {
                Some(connection) => to.push(Destination::Slack(connection.id)),
                None => mail = true,
            }
        }
        if preference.channels.contains(&Channel::Webhook) {
            let before = to.len();
            let hears = |s: &&WebhookSubscription| s.status == SubscriptionStatus::Active && s.events.contains(&kind);
            to.extend(self.subscriptions.iter().filter(hears).map(|s| Destination::Webhook(s.id)));
            mail |= to.len() == before;
        }
        if mail {
            to.splice(0..0, self.mail_for(kind));
        }
        let delivery =
            |destination| Delivery { workspace, id: id(), message, destination, instead_of: None, created_at: at };
        to.into_iter().map(delivery).collect()
    }

    /// Who gets mails about an event of this type: the chosen recipients, else the admins.
    pub(super) fn mail_for(&self, kind: EventType) -> Vec<Destination> {
        let chosen = &self.settings.of(kind).recipients;
        if chosen.is_empty() {
            return self.admins.iter().copied().map(Destination::Member).collect();
        }
        chosen.iter().map(|r| Destination::Recipient(r.id)).collect()
    }

    /// A mail to each admin.
    pub(crate) fn tell_admins(
        &self,
        workspace: WorkspaceId,
        message: Message,
        at: OffsetDateTime,
        id: &mut dyn FnMut() -> DeliveryId,
    ) -> Vec<Delivery> {
        let mail = |user: &UserId| Delivery {
            workspace,
            id: id(),
            message,
            destination: Destination::Member(*user),
            instead_of: None,
            created_at: at,
        };
        self.admins.iter().map(mail).collect()
    }
}

/// A message that is about to be sent, with everything as it stands now.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The workspace's display name.
    pub workspace_name: String,
    /// Its slug, for links.
    pub slug: Slug,
    /// What is said.
    pub content: OutgoingContent,
    /// To whom.
    pub to: OutgoingTo,
}

/// What is said.
#[derive(Debug, Clone)]
pub enum OutgoingContent {
    /// A published event.
    Event(Box<EventRecord>),
    /// That the channel works.
    Test,
    /// That Slack no longer takes messages.
    SlackFailing(Box<Connection>),
    /// That a webhook no longer takes messages.
    WebhookFailing(Box<WebhookSubscription>),
}

/// To whom.
#[derive(Debug, Clone)]
pub enum OutgoingTo {
    /// By mail.
    Mail(Email),
    /// Into a channel of Slack.
    Slack(Box<ConnectionRecord>),
    /// To a webhook, with what is known of its failing.
    Webhook(Box<SubscriptionRecord>, Health),
}
