//! The worker: sends queued messages, at least once, with patience.
mod consequences;
mod notification;
mod texts;

use crate::App;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, select},
    stream::FuturesUnordered,
};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    deliveries::SCHEDULE,
    ids::DeliveryId,
    ports::{
        StoreError,
        mail::{Letter, Mail, MailError, Mailer},
        outbox::{Claimed, Job},
        slack::SlackApi,
        webhooks::WebhookSender,
    },
};
use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc};
use time::Duration;

/// How many messages a worker has under way at once. Most of the time of each is waiting for its receiver.
const SLOTS: usize = 64;
/// So many places have to be free before more messages are taken: one query for many of them.
const WORTH_A_CLAIM: usize = SLOTS / 2;
/// How long a message is its worker's own. Longer than any single send may take.
const LEASE: Duration = Duration::minutes(5);
/// How many pauses a worker that stops waits for what is under way, before it gives it back.
const GRACE: usize = 12;

/// The ways out.
#[derive(Clone)]
pub struct Senders {
    /// Mail.
    pub mailer: Arc<dyn Mailer>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Slack; `None` where the operator has not set it up.
    pub slack: Option<Arc<dyn SlackApi>>,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Senders").finish_non_exhaustive()
    }
}

impl App {
    /// Sends what is due, many at once, until nothing is due and nothing under way. Returns how many messages were taken:
    /// none means that the worker may rest. A slow receiver holds one place and nobody else up: at each `pause` more is
    /// taken. Once `stopping`, nothing more is taken; what is under way has a dozen pauses to end, then it is given back.
    pub async fn deliver<P: Future<Output = ()> + Send + Unpin>(
        &self,
        senders: &Senders,
        pause: impl Fn() -> P + Send + Sync,
        stopping: impl Fn() -> bool + Send + Sync,
    ) -> Result<usize, StoreError> {
        let store = self.ports.store.as_ref();
        let mut under_way = FuturesUnordered::new();
        let mut messages: BTreeMap<DeliveryId, Claimed> = BTreeMap::new();
        let (mut taken, mut paused) = (0, true);
        while !stopping() {
            let free = SLOTS - messages.len();
            let claimed = if free >= WORTH_A_CLAIM || (paused && free > 0) {
                let claim = store.claim(i64::try_from(free).unwrap_or(1), LEASE);
                match meanwhile(claim, &mut under_way, &mut messages).await {
                    Ok(claimed) => claimed,
                    Err(error) if messages.is_empty() => return Err(error),
                    Err(error) => {
                        tracing::warn!(%error, "no further messages could be taken; what is under way goes on");
                        Vec::new()
                    }
                }
            } else {
                Vec::new()
            };
            paused = false;
            taken += claimed.len();
            for message in claimed {
                messages.insert(message.delivery, message.clone());
                under_way.push(async move {
                    if let Err(error) = self.deliver_one(senders, &message).await {
                        tracing::warn!(delivery = %message.delivery, %error, "a message's fate could not be written down; it will come again");
                    }
                    message.delivery
                });
            }
            if messages.is_empty() {
                return Ok(taken);
            }
            match select(under_way.next(), pause()).await {
                Either::Left((settled, _)) => {
                    settled.map(|id| messages.remove(&id));
                    // Whatever else has ended meanwhile.
                    while let Some(Some(id)) = under_way.next().now_or_never() {
                        messages.remove(&id);
                    }
                }
                Either::Right(_) => paused = true,
            }
        }
        for _ in 0..GRACE {
            if messages.is_empty() {
                break;
            }
            let mut rest = pause();
            while let Either::Left((Some(id), still)) = select(under_way.next(), rest).await {
                messages.remove(&id);
                rest = still;
            }
        }
        drop(under_way);
        if !messages.is_empty() {
            store.release(&messages.into_values().collect::<Vec<_>>()).await?;
        }
        Ok(taken)
    }

    async fn deliver_one(&self, senders: &Senders, message: &Claimed) -> Result<(), StoreError> {
        if let Job::Notification(workspace) = message.job {
            return self.deliver_notification(senders, message, workspace).await;
        }
        if let Job::SeatQuantity(workspace) = message.job {
            return self.deliver_seats(message, workspace).await;
        }
        let store = self.ports.store.as_ref();
        let Some(mail) = self.write(message).await? else { return store.done(message, false).await };
        match senders.mailer.send(&mail).await {
            Ok(()) => {
                if let Job::AuditDigest(workspace, run, _) = message.job {
                    // Before the message is settled: should this process die in between, the mail comes again under the same
                    // Message-ID, and no accepted digest goes unrecorded.
                    self.audit_digest_accepted(workspace, run).await?;
                }
                store.done(message, true).await
            }
            // Nothing was sent, so nothing counts; but not for ever.
            Err(MailError::Resting(wait)) if self.ports.clock.now() - message.queued_at < notification::LONGEST => {
                store.postpone(message, wait, notification::UNAVAILABLE).await
            }
            Err(error) => {
                let (cause, wait) = match &error {
                    MailError::Refused(_) => (notification::REFUSED, None),
                    MailError::Unavailable(_) | MailError::Resting(_) => {
                        (notification::UNAVAILABLE, self.scheduled(message))
                    }
                };
                tracing::warn!(delivery = %message.delivery, attempt = message.attempt, cause, "a mail was not accepted");
                match wait {
                    Some(wait) => store.retry(message, wait, cause).await,
                    None => store.dead(message, cause).await,
                }
            }
        }
    }

    /// How long to wait before the next attempt; `None` after the last one. Up to a tenth longer than the schedule says, by
    /// chance, so that what failed together does not come back together.
    pub(crate) fn scheduled(&self, message: &Claimed) -> Option<Duration> {
        let wait = SCHEDULE.get(usize::try_from(message.attempt).unwrap_or(usize::MAX))?;
        let [.., chance] = self.ports.entropy.uuid().into_bytes();
        Some(*wait + *wait / 10 * i32::from(chance) / 255)
    }

    /// The letter as it has to be now; `None` when nobody waits for it any more.
    async fn write(&self, message: &Claimed) -> Result<Option<Mail>, StoreError> {
        let store = self.ports.store.as_ref();
        let link = |page: &str, token: SecretString| {
            SecretString::from(format!("{}/{page}/{}", self.rules.public_url, token.expose_secret()))
        };
        Ok(match message.job {
            Job::Invitation(workspace, id, generation) => {
                store.invitation_letter(workspace, id, generation).await?.map(|l| Mail {
                    delivery: message.delivery,
                    to: l.to,
                    letter: Letter::Invitation {
                        workspace: l.workspace,
                        inviter: l.inviter,
                        role: l.role,
                        link: link("invitations", self.ports.mint.invitation(id, generation).text),
                        expires_at: l.expires_at,
                    },
                })
            }
            Job::InvitationAsked(workspace, _) => store.ask_letter(workspace, message.delivery).await?.map(|l| Mail {
                delivery: message.delivery,
                to: l.to,
                letter: Letter::InvitationAsked {
                    workspace: l.workspace,
                    invited: l.invited,
                    link: format!("{}/{}/settings/members", self.rules.public_url, l.slug),
                },
            }),
            Job::MemberErased(workspace, admin, seq) => store.admin_letter(workspace, admin).await?.map(|l| Mail {
                delivery: message.delivery,
                to: l.to,
                letter: Letter::MemberErased {
                    workspace: l.workspace,
                    seq,
                    link: format!("{}/{}/settings/audit-log", self.rules.public_url, l.slug),
                },
            }),
            Job::AuditDigest(workspace, run, recipient) => {
                self.audit_digest_mail(message.delivery, workspace, run, recipient).await?
            }
            Job::SignIn(id) => store.sign_in_letter(id).await?.map(|(to, expires_at)| Mail {
                delivery: message.delivery,
                to,
                letter: Letter::SignIn { link: link("sign-in", self.ports.mint.sign_in(id).text), expires_at },
            }),
            // A notification's text depends on its channel, and a number of seats is no mail.
            Job::Notification(_) | Job::SeatQuantity(_) => None,
        })
    }
}

/// Waits for something while what is under way goes on: that may hold what is waited for, such as the one writer of SQLite.
async fn meanwhile<T, F: Future<Output = DeliveryId>>(
    wanted: impl Future<Output = T>,
    under_way: &mut FuturesUnordered<F>,
    messages: &mut BTreeMap<DeliveryId, Claimed>,
) -> T {
    let mut wanted = pin!(wanted);
    loop {
        if under_way.is_empty() {
            return wanted.await;
        }
        match select(wanted.as_mut(), under_way.next()).await {
            Either::Left((value, _)) => return value,
            Either::Right((settled, _)) => {
                settled.map(|id| messages.remove(&id));
            }
        }
    }
}
