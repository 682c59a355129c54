//! The worker: sends queued messages, at least once, with patience.
use crate::App;
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::ports::{
    StoreError,
    mail::{Letter, Mail, MailError, Mailer},
    outbox::{Claimed, Job},
};
use time::Duration;

/// How many messages a worker takes at once.
const BATCH: i64 = 20;
/// How long they are its own. Longer than any single send may take, batch included.
const LEASE: Duration = Duration::minutes(5);
/// Waits between attempts (contract, webhooks: the same schedule for every channel).
const SCHEDULE: [Duration; 7] = [
    Duration::seconds(5),
    Duration::minutes(5),
    Duration::minutes(30),
    Duration::hours(2),
    Duration::hours(5),
    Duration::hours(10),
    Duration::hours(10),
];

impl App {
    /// Sends what is due. Returns how many messages were taken: none means that the worker may rest. Once `stopping`, what
    /// was taken and not begun is given back.
    pub async fn deliver(&self, mailer: &dyn Mailer, stopping: impl Fn() -> bool + Send) -> Result<usize, StoreError> {
        let store = self.ports.store.as_ref();
        let claimed = store.claim(BATCH, LEASE).await?;
        for (done, message) in claimed.iter().enumerate() {
            if stopping() {
                store.release(claimed.get(done..).unwrap_or_default()).await?;
                break;
            }
            if let Err(error) = self.deliver_one(mailer, message).await {
                tracing::warn!(delivery = %message.delivery, %error, "a message's fate could not be written down; it will come again");
            }
        }
        Ok(claimed.len())
    }

    async fn deliver_one(&self, mailer: &dyn Mailer, message: &Claimed) -> Result<(), StoreError> {
        let store = self.ports.store.as_ref();
        let Some(mail) = self.write(message).await? else { return store.done(message, false).await };
        match mailer.send(&mail).await {
            Ok(()) => {
                if let Job::AuditDigest(workspace, run, _) = message.job {
                    // Before the message is settled: should this process die in between, the mail comes again under the same
                    // Message-ID, and no accepted digest goes unrecorded.
                    self.audit_digest_accepted(workspace, run).await?;
                }
                store.done(message, true).await
            }
            Err(error) => {
                let (cause, wait) = match &error {
                    MailError::Refused(_) => ("refused by the mail server", None),
                    MailError::Unavailable(_) => {
                        let attempt = usize::try_from(message.attempt).unwrap_or(usize::MAX);
                        ("mail server unavailable", SCHEDULE.get(attempt).copied())
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
            Job::AuditDigest(workspace, run, recipient) => {
                self.audit_digest_mail(message.delivery, workspace, run, recipient).await?
            }
            Job::SignIn(id) => store.sign_in_letter(id).await?.map(|(to, expires_at)| Mail {
                delivery: message.delivery,
                to,
                letter: Letter::SignIn { link: link("sign-in", self.ports.mint.sign_in(id).text), expires_at },
            }),
        })
    }
}
