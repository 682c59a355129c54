//! Deliveries: one message for one receiver on one channel, and the ledger of what became of it (contract, deliveries).
//!
//! A delivery names its receiver and never holds an address, a text or a token: those are looked up when it is sent, so
//! who has gone by then gets nothing (NO10).
mod audience;

pub use audience::{Audience, Outgoing, OutgoingContent, OutgoingTo};

use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    error::{Refused, refusals},
    events::queue,
    ids::{ConnectionId, DeliveryId, PublishedEventId, RecipientId, UserId, WebhookSubscriptionId, WorkspaceId},
    notices::Notice,
    notifications::Channel,
    policy::{EventType, Permit, actions},
    webhook_subscriptions::{Health, SubscriptionStatus, WebhookSubscriptionWrite},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How long a message waits for a connection to be authorized again.
pub const PARKED_FOR: Duration = Duration::hours(24);
/// Waits between attempts, on every channel (contract, webhooks). Eight attempts in all.
pub const SCHEDULE: [Duration; 7] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(10),
];

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A published event.
    Event(PublishedEventId),
    /// That the channel works.
    Test,
    /// That Slack no longer takes messages.
    SlackFailing(ConnectionId),
    /// That a webhook no longer takes messages.
    WebhookFailing(WebhookSubscriptionId),
}

impl Message {
    /// Name of its kind in the database and on the wire.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Test => "test",
            Self::SlackFailing(_) => "slack-failing",
            Self::WebhookFailing(_) => "webhook-failing",
        }
    }
}

/// Who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// A member, by mail.
    Member(UserId),
    /// An address of the workspace's own choice, by mail.
    Recipient(RecipientId),
    /// The channel of a Slack connection.
    Slack(ConnectionId),
    /// A webhook.
    Webhook(WebhookSubscriptionId),
}

impl Destination {
    /// The channel it is on.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::Member(_) | Self::Recipient(_) => Channel::Email,
            Self::Slack(_) => Channel::Slack,
            Self::Webhook(_) => Channel::Webhook,
        }
    }
    /// Name of its kind in the database.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Recipient(_) => "recipient",
            Self::Slack(_) => "slack",
            Self::Webhook(_) => "webhook",
        }
    }
}

/// One message for one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Stable over retries.
    pub id: DeliveryId,
    /// What is said.
    pub message: Message,
    /// To whom.
    pub destination: Destination,
    /// The delivery that was given up, in whose place this one is sent.
    pub instead_of: Option<DeliveryId>,
    /// When it was queued.
    #[serde(with = "crate::micros")]
    pub created_at: OffsetDateTime,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// Waiting for its first or next attempt.
    Pending,
    /// Waiting for Slack to be connected again, for 24 hours at most.
    Parked,
    /// The receiver took it.
    Delivered,
    /// Given up. It can be retried.
    Failed,
    /// Nobody waits for it any more: the receiver is gone.
    Dropped,
}

impl DeliveryStatus {
    /// All.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Parked, Self::Delivered, Self::Failed, Self::Dropped];
    /// Name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Parked => "parked",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
    /// Reads the name.
    #[must_use]
    pub fn parse(s: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == s)
    }
}

/// One attempt to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    #[serde(with = "crate::micros")]
    pub at: OffsetDateTime,
    /// Whether the receiver took it.
    pub accepted: bool,
    /// What it answered, where it answers with numbers.
    pub status: Option<i64>,
    /// Why it failed, in our own words.
    pub cause: Option<String>,
    /// How long it took, in whole milliseconds.
    pub millis: i64,
}

/// A delivery with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// The delivery.
    pub delivery: Delivery,
    /// The type of its event, for one about an event.
    pub event_type: Option<EventType>,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Every attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// When it is tried next, while it waits.
    #[serde(with = "crate::micros::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// What an adapter writes. The queue's row of a delivery is written by its notice.
#[derive(Debug, Clone, Copy)]
pub enum DeliveryWrite {
    /// A new row of the ledger.
    Insert(Delivery),
    /// A given-up delivery is due now, and has all its attempts again.
    Retry(DeliveryId),
    /// Given up: never tried again by itself.
    GiveUp(DeliveryId),
    /// What is parked for this connection is due now.
    Resume(ConnectionId),
}

refusals! {
    /// Why a delivery was not retried.
    RetryDeliveryError {
        NotFound: NotFound "not-found", "There is no such delivery.";
        NotFailed: Conflict "delivery-not-failed", "Only a delivery that was given up can be retried; this one was delivered, was dropped, or is still being tried.";
    }
}

refusals! {
    /// Why no test message was sent.
    TestChannelError {
        ChannelUnavailable: Conflict "channel-unavailable" at "/channel", "This channel is not ready: slack needs an active connection, webhook an active subscription.";
        NobodyToMail: Conflict "channel-unavailable" at "/channel", "There is no admin with an e-mail address to send a test to.";
    }
}

impl Delivery {
    /// Sends a test over one channel: by mail to the caller, where that is a member, else to the admin who joined first; to
    /// the connection; to the webhook that changed last.
    pub fn test(
        permit: &Permit<actions::TestChannel>,
        id: DeliveryId,
        channel: Channel,
        audience: &Audience,
    ) -> Result<Change<Self>, Refused<TestChannelError>> {
        let destination = match channel {
            Channel::Email => {
                // Who is no member, such as a platform owner or a key, gets no mails of this workspace.
                let member = permit.actor().user().filter(|_| permit.actor().person().is_some());
                let somebody = member.or_else(|| audience.admins.first().copied());
                Destination::Member(somebody.ok_or(TestChannelError::NobodyToMail)?)
            }
            Channel::Slack => {
                let there = audience.connection.as_ref().filter(|c| c.is_ready());
                Destination::Slack(there.ok_or(TestChannelError::ChannelUnavailable)?.id)
            }
            Channel::Webhook => {
                // The newest: whoever tests has just made or mended one.
                let active = audience.subscriptions.iter().filter(|s| s.status == SubscriptionStatus::Active);
                let there = active.max_by_key(|s| (s.updated_at, s.id));
                Destination::Webhook(there.ok_or(TestChannelError::ChannelUnavailable)?.id)
            }
        };
        let (workspace, created_at) = (permit.scope().workspace(), permit.at());
        let delivery = Self { workspace, id, message: Message::Test, destination, instead_of: None, created_at };
        let details = Details::new().change("channel", None, Some(PublicValue::word(channel.name())));
        let write = Write::Delivery(DeliveryWrite::Insert(delivery));
        Ok(Change::decided(permit, write, Target::Delivery(id), details, delivery).notice(Notice::Delivery(id)))
    }
}

impl DeliveryView {
    /// Tries a given-up delivery again, from the start of its schedule.
    pub fn retry(&self, permit: &Permit<actions::RetryDelivery>) -> Result<Change<Self>, Refused<RetryDeliveryError>> {
        if self.status != DeliveryStatus::Failed {
            return Err(RetryDeliveryError::NotFailed.into());
        }
        let id = self.delivery.id;
        let next = Self { status: DeliveryStatus::Pending, next_attempt_at: Some(permit.at()), ..self.clone() };
        let write = Write::Delivery(DeliveryWrite::Retry(id));
        Ok(Change::decided(permit, write, Target::Delivery(id), details(&self.delivery), next))
    }

    /// Gives up: what was about an event is mailed to those who would have got its mails, unless the event is `mailed`
    /// already, and the first that is given up while a webhook fails tells the admins. One that somebody switched off or
    /// deleted does not fail. `id` makes an id for each mail.
    pub fn give_up(
        &self,
        permit: &Permit<actions::GiveUpDelivery>,
        audience: &Audience,
        health: Health,
        mailed: bool,
        mut id: impl FnMut() -> DeliveryId,
    ) -> Change<()> {
        let Delivery { workspace, id: failed, message, destination, .. } = self.delivery;
        if !matches!(self.status, DeliveryStatus::Pending | DeliveryStatus::Parked) {
            return Change::nothing(permit, ());
        }
        let at = permit.at();
        let write = Write::Delivery(DeliveryWrite::GiveUp(failed));
        let mut change = Change::decided(permit, write, Target::Delivery(failed), details(&self.delivery), ());
        if destination.channel() == Channel::Email {
            return change;
        }
        let kind = self.event_type.filter(|_| matches!(message, Message::Event(_)));
        if let Some(kind) = kind.filter(|_| !mailed) {
            let mail = |destination| Delivery {
                workspace,
                id: id(),
                message,
                destination,
                instead_of: Some(failed),
                created_at: at,
            };
            let mails = audience.mail_for(kind).into_iter().map(mail).collect();
            change = queue(change, mails);
        }
        if let Destination::Webhook(webhook) = destination
            && health.is_news()
            && audience.subscriptions.iter().any(|s| s.id == webhook && s.status == SubscriptionStatus::Active)
        {
            let told = Write::WebhookSubscription(WebhookSubscriptionWrite::Told(webhook, at));
            let mails = audience.tell_admins(workspace, Message::WebhookFailing(webhook), at, &mut id);
            change = queue(change.write(told), mails);
        }
        change
    }
}

fn details(delivery: &Delivery) -> Details {
    let word = |w| Some(PublicValue::word(w));
    Details::new().change("channel", None, word(delivery.destination.channel().name())).change(
        "message",
        None,
        word(delivery.message.kind()),
    )
}
