//! One notification: looked up as it stands now, sent over its channel, settled.
use super::{Senders, texts};
use crate::{App, sealing::failed};
use secrecy::{ExposeSecret, SecretString};
use settings_domain::{
    connections::{ConnectionRecord, ConnectionStatus, SlackFault},
    deliveries::{Attempt, Outgoing, OutgoingContent, OutgoingTo, PARKED_FOR},
    ids::WorkspaceId,
    micros,
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::{
        StoreError,
        mail::{Mail, MailError},
        outbox::{Claimed, Fate},
        sending::{Retry, SendFailure},
        slack::SlackError,
        webhooks::WebhookDelivery,
    },
    sealed::Opening,
    text::Email,
    webhook_subscriptions::{SubscriptionRecord, SubscriptionStatus},
};
use std::time::Instant;
use time::Duration;

/// What a mail server said for good.
pub(super) const REFUSED: &str = "the mail server refused the message";
/// What a mail server could not do now.
pub(super) const UNAVAILABLE: &str = "the mail server is unavailable";
/// How long to leave a value that can't be opened now, because the keyring is away.
const KEYRING_AWAY: Duration = Duration::seconds(30);
/// After so long, asking for patience does not help any more.
pub(super) const LONGEST: Duration = Duration::hours(72);

/// What an attempt came to.
struct Outcome {
    /// Whether anything was sent at all. What was not leaves no attempt: the ledger says what receivers did, and a webhook
    /// does not fail by what never came to it.
    attempted: bool,
    accepted: bool,
    status: Option<u16>,
    cause: Option<&'static str>,
    next: Next,
}

/// What follows.
enum Next {
    /// As the queue has it.
    Settle(Fate),
    /// Nothing more: give it up.
    GiveUp,
    /// The connection is no good, for this reason.
    FailConnection(SlackFault, &'static str),
}

impl Outcome {
    const fn accepted(status: Option<u16>) -> Self {
        Self { attempted: true, accepted: true, status, cause: None, next: Next::Settle(Fate::Delivered) }
    }
    const fn failed(cause: &'static str, status: Option<u16>, next: Next) -> Self {
        Self { attempted: true, accepted: false, status, cause: Some(cause), next }
    }
    /// Nothing was sent.
    const fn not_sent(cause: &'static str, next: Next) -> Self {
        Self { attempted: false, accepted: false, status: None, cause: Some(cause), next }
    }
}

impl App {
    /// Sends a notification.
    pub(super) async fn deliver_notification(
        &self,
        senders: &Senders,
        message: &Claimed,
        workspace: WorkspaceId,
    ) -> Result<(), StoreError> {
        let store = self.ports.store.as_ref();
        let Some(out) = store.outgoing(workspace, message.delivery).await? else {
            return store.settle(message, None, Fate::Dropped).await;
        };
        let task = Actor::task(SystemTask::Deliver, workspace);
        let permit =
            permit::<actions::DeliverMessages>(&task, self.ports.clock.now()).map_err(StoreError::unavailable)?;
        let begun = Instant::now();
        let outcome = match self.attempt(senders, message, &permit, &out).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return self.not_attempted(message, workspace, &out).await,
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(delivery = %message.delivery, %error, "a notification could not be opened; it waits");
                return store.settle(message, None, Fate::Postponed(KEYRING_AWAY)).await;
            }
            Err(error) => {
                // A value that was tampered with does not mend, and must not keep its place in the queue.
                tracing::error!(delivery = %message.delivery, %error, "a notification does not open and is given up");
                return self.give_up(message, workspace).await;
            }
        };
        let attempt = Attempt {
            at: micros::truncate(self.ports.clock.now()),
            accepted: outcome.accepted,
            status: outcome.status.map(i64::from),
            cause: outcome.cause.map(str::to_owned),
            millis: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        };
        let attempt = outcome.attempted.then_some(attempt);
        if let Some(cause) = outcome.cause {
            tracing::info!(delivery = %message.delivery, attempt = message.attempt, cause, "a notification was not taken");
        }
        match outcome.next {
            Next::Settle(fate) => store.settle(message, attempt.as_ref(), fate).await?,
            Next::GiveUp => {
                store.settle(message, attempt.as_ref(), Fate::Ended).await?;
                self.give_up(message, workspace).await?;
            }
            Next::FailConnection(fault, reason) => {
                if let OutgoingTo::Slack(record) = &out.to {
                    self.fail_connection(workspace, record.connection.version, fault, reason).await?;
                }
                store.settle(message, attempt.as_ref(), Fate::Parked(PARKED_FOR)).await?;
            }
        }
        match (&out.to, attempt) {
            (OutgoingTo::Webhook(record, health), Some(a)) if !a.accepted && health.is_hopeless(a.at) => {
                self.disable_webhook(workspace, record.subscription.id).await
            }
            _ => Ok(()),
        }
    }

    /// Nothing was sent, because the receiver is not ready: waits for it where that can help, else gives up.
    async fn not_attempted(&self, message: &Claimed, workspace: WorkspaceId, out: &Outgoing) -> Result<(), StoreError> {
        let store = self.ports.store.as_ref();
        match &out.to {
            OutgoingTo::Slack(r) if r.connection.status == ConnectionStatus::Error && !message.parked => {
                store.settle(message, None, Fate::Parked(PARKED_FOR)).await
            }
            _ => self.give_up(message, workspace).await,
        }
    }

    /// Makes one attempt; `None` where the receiver is not ready for any.
    async fn attempt(
        &self,
        senders: &Senders,
        message: &Claimed,
        permit: &Permit<actions::DeliverMessages>,
        out: &Outgoing,
    ) -> Result<Option<Outcome>, StoreError> {
        let text = match &out.content {
            OutgoingContent::Event(record) => Some(self.open_one(permit, record.opening(permit)).await?),
            _ => None,
        };
        let text = text.as_ref().map(ExposeSecret::expose_secret);
        match &out.to {
            OutgoingTo::Mail(to) => self.mail(senders, message, out, text, to).await.map(Some),
            OutgoingTo::Slack(record) => self.post(senders, message, permit, out, text, record).await,
            OutgoingTo::Webhook(record, _) => self.call(senders, message, permit, out, text, record).await,
        }
    }

    async fn mail(
        &self,
        senders: &Senders,
        message: &Claimed,
        out: &Outgoing,
        text: Option<&str>,
        to: &Email,
    ) -> Result<Outcome, StoreError> {
        let letter = texts::letter(out, text, &self.rules.public_url);
        let mail = Mail { delivery: message.delivery, to: to.clone(), letter };
        Ok(match senders.mailer.send(&mail).await {
            Ok(()) => Outcome::accepted(None),
            Err(MailError::Refused(_)) => Outcome::failed(REFUSED, None, Next::GiveUp),
            Err(MailError::Unavailable(_)) => self.again(message, UNAVAILABLE, None, Duration::ZERO),
            Err(MailError::Resting(wait)) => Outcome::not_sent(UNAVAILABLE, self.patience(message, wait)),
        })
    }

    async fn post(
        &self,
        senders: &Senders,
        message: &Claimed,
        permit: &Permit<actions::DeliverMessages>,
        out: &Outgoing,
        text: Option<&str>,
        record: &ConnectionRecord,
    ) -> Result<Option<Outcome>, StoreError> {
        let (Some(slack), Some(channel), Some(opening)) =
            (&senders.slack, &record.connection.channel, record.opening(permit))
        else {
            return Ok(None);
        };
        let token = self.open_one(permit, Some(opening)).await?;
        let said = texts::slack(out, text, &self.rules.public_url);
        Ok(Some(match slack.post(&token, channel.as_str(), &said, message.delivery).await {
            Ok(()) => Outcome::accepted(None),
            Err(SlackError::Auth(cause)) => {
                Outcome::failed(cause, None, Next::FailConnection(SlackFault::Token, cause))
            }
            Err(SlackError::Channel(cause)) => {
                Outcome::failed(cause, None, Next::FailConnection(SlackFault::Channel, cause))
            }
            Err(SlackError::RateLimited(wait)) => {
                let cause = "Slack asks to wait";
                Outcome::failed(cause, Some(429), self.patience(message, wait))
            }
            Err(SlackError::Unavailable(cause)) => self.again(message, cause, None, Duration::ZERO),
            Err(SlackError::Resting(wait)) => {
                Outcome::not_sent("Slack is left alone for a while", self.patience(message, wait))
            }
            Err(SlackError::Refused(cause) | SlackError::Code(cause)) => Outcome::failed(cause, None, Next::GiveUp),
            Err(SlackError::Configuration) => {
                Outcome::failed("Slack does not accept this service's client", None, Next::GiveUp)
            }
        }))
    }

    async fn call(
        &self,
        senders: &Senders,
        message: &Claimed,
        permit: &Permit<actions::DeliverMessages>,
        out: &Outgoing,
        text: Option<&str>,
        record: &SubscriptionRecord,
    ) -> Result<Option<Outcome>, StoreError> {
        if record.subscription.status != SubscriptionStatus::Active {
            return Ok(None);
        }
        let mut secrets = Vec::new();
        for opening in record.openings(permit) {
            secrets.push(self.open_one(permit, Some(opening)).await?);
        }
        let at = self.ports.clock.now();
        let body = match text {
            Some(text) => text.as_bytes().to_vec(),
            None => texts::test_event(message.delivery, out, &self.rules.public_url, at),
        };
        let (delivery, tenant, url) =
            (message.delivery, record.subscription.workspace, record.subscription.url.clone());
        let delivery = WebhookDelivery { delivery, tenant, url, body, secrets, at };
        Ok(Some(match senders.webhooks.send(&delivery).await {
            Ok(accepted) => Outcome::accepted(Some(accepted.status)),
            Err(SendFailure { cause, status, retry: Retry::Never }) => Outcome::failed(cause, status, Next::GiveUp),
            Err(SendFailure { cause, status, retry: Retry::Later }) => {
                self.again(message, cause, status, Duration::ZERO)
            }
            // All places of the tenant are taken, or the receiver is left alone: nothing was sent, so nothing counts.
            Err(SendFailure { cause, status: None, retry: Retry::After(wait) }) => {
                Outcome::not_sent(cause, self.patience(message, wait))
            }
            Err(SendFailure { cause, status, retry: Retry::After(wait) }) => self.again(message, cause, status, wait),
        }))
    }

    /// A failure that may mend: by the schedule, while it lasts.
    fn again(&self, message: &Claimed, cause: &'static str, status: Option<u16>, at_least: Duration) -> Outcome {
        let next = match self.scheduled(message) {
            Some(wait) => Next::Settle(Fate::Again(wait.max(at_least))),
            None => Next::GiveUp,
        };
        Outcome::failed(cause, status, next)
    }

    /// Waits without counting, but not for ever.
    fn patience(&self, message: &Claimed, wait: Duration) -> Next {
        if self.ports.clock.now() - message.queued_at < LONGEST {
            Next::Settle(Fate::Postponed(wait))
        } else {
            Next::GiveUp
        }
    }

    async fn open_one(
        &self,
        permit: &Permit<actions::DeliverMessages>,
        opening: Option<Opening<'_>>,
    ) -> Result<SecretString, StoreError> {
        let opening = opening.ok_or_else(|| StoreError::Corrupt("a message of another tenant".to_owned()))?;
        let generation = opening.sealed().generation();
        let cipher = self.ports.vault.generation(permit.scope(), generation).await.map_err(failed)?;
        cipher.open(opening).map_err(failed)
    }
}
