//! What has to run beside the requests.
use crate::Settings;
use settings_app::{App, billing::Reports, worker::Senders};
use settings_domain::keys::Wrappings;
use std::{sync::Arc, time::Duration};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How long the worker rests when nothing is due.
const REST: Duration = Duration::from_millis(500);
/// How often a worker looks for more while it waits for slow receivers.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it is looked for subscriptions that were not checked for a day, and for new workspaces.
const BILLING: Duration = Duration::from_secs(10);
/// How often usage is reported.
const USAGE: Duration = Duration::from_secs(5);
/// How long to rest where reports failed.
const USAGE_FAILED: Duration = Duration::from_mins(1);
/// How often last-used times are written.
const SIGHTINGS: Duration = Duration::from_secs(1);
/// How often refused calls are summed up in the audit log.
const DENIALS: Duration = Duration::from_mins(1);
/// How often it is seen which audit logs have grown.
const CHECKPOINTS: Duration = Duration::from_secs(2);
/// How often it is looked for erasures that a process left before everything was emptied.
const ERASURES: Duration = Duration::from_secs(2);
/// How often what nobody needs any more is dropped.
const UPKEEP: Duration = Duration::from_hours(1);

/// Which part of the work a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Share {
    /// All of it.
    All,
    /// What every process that serves requests has to do for itself: who was seen, who was refused, limits, upkeep.
    Requests,
    /// What one process does for all, and several share: messages, digests, checkpoints, erasures, billing.
    Queue,
}

/// Work under way. Dropped, it ends by itself; [`finish`](Self::finish) waits for what it holds.
#[derive(Debug)]
#[must_use = "work ends when this is dropped"]
pub struct Working {
    tasks: TaskTracker,
    stop: CancellationToken,
    _ending: DropGuard,
    settings: Settings,
}

impl Working {
    /// Tells everything to end, waits until it has or `patience` is over, and writes down what is still in memory. What could not end
    /// is taken up by another process after its lease. Whether everything ended.
    pub async fn finish(self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(patience, self.tasks.wait()).await.is_ok();
        self.settings.flush().await;
        ended
    }
}

impl Settings {
    /// Delivers what is due, begins audit digests, signs checkpoints, completes erasures, writes down who was seen and who was refused,
    /// and tidies up, until `stop` ends. One process that does this is enough; several share the work. Without it nothing is sent, and
    /// nobody's refusal is recorded.
    ///
    /// Faults are logged and tried again: this returns once `stop` has ended and what was under way is done or given back.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        let working = self.begin_work(Share::All);
        stop.await;
        working.finish(Duration::MAX).await;
    }

    /// Begins a part of the work, for a process that serves requests until all of them are answered and only then ends.
    pub fn begin_work(&self, share: Share) -> Working {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        if share != Share::Queue {
            self.begin_upkeep(&tasks, &stop);
        }
        if share != Share::Requests {
            self.begin_queue(&tasks, &stop);
        }
        Working { tasks, _ending: stop.clone().drop_guard(), stop, settings: self.clone() }
    }

    /// Writes what is still in memory: who was seen, and who was refused.
    pub async fn flush(&self) {
        self.app().flush_denials().await;
        flush_activity(self.app()).await;
    }

    fn begin_upkeep(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        let (app, ending) = (Arc::clone(self.app()), stop.clone());
        tasks.spawn(async move {
            while rest(SIGHTINGS, &ending).await {
                flush_activity(&app).await;
            }
        });
        let (settings, ending) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            count_keys(settings.app()).await;
            while rest(DENIALS, &ending).await {
                settings.app().flush_denials().await;
                settings.app().ports().vault.sweep();
                count_keys(settings.app()).await;
                settings.sweep_limits();
            }
        });
        let (app, ending) = (Arc::clone(self.app()), stop.clone());
        tasks.spawn(async move {
            while rest(UPKEEP, &ending).await {
                note("upkeep", app.ports().store.tidy().await);
            }
        });
    }

    fn begin_queue(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        begin_billing(tasks, stop, self.app());
        let (settings, ending) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            while rest(CHECKPOINTS, &ending).await {
                settings.sign().await;
            }
        });
        let (app, ending) = (Arc::clone(self.app()), stop.clone());
        tasks.spawn(async move {
            while rest(ERASURES, &ending).await {
                note("erasures", app.resume_erasures(|| ending.is_cancelled()).await);
            }
        });
        let Some(senders) = self.senders().cloned() else { return };
        tasks.spawn(send(Arc::clone(self.app()), senders, stop.clone()));
        // Apart from what is sent, so that a long queue does not hold it up.
        let (app, ending) = (Arc::clone(self.app()), stop.clone());
        tasks.spawn(async move {
            while rest(REST, &ending).await {
                note("audit digests", app.begin_audit_digests().await);
                match app.ports().store.depth().await {
                    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                    Ok(depth) => metrics::gauge!("settings_outbox_waiting").set(depth as f64),
                    Err(error) => tracing::debug!(%error, "the outbox could not be counted"),
                }
            }
        });
    }

    /// Signs the audit logs that are due, and shows what was signed to whoever keeps it elsewhere.
    async fn sign(&self) {
        let Some(signed) = note("checkpoints", self.app().sign_due_checkpoints().await) else { return };
        metrics::counter!("settings_audit_checkpoints_total").increment(signed.checkpoints.len() as u64);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("settings_audit_broken_chains").set(signed.broken.len() as f64);
        if let Some(witness) = self.witness() {
            for (workspace, checkpoint) in &signed.checkpoints {
                witness(*workspace, &checkpoint.note);
            }
        }
    }
}

async fn send(app: Arc<App>, senders: Senders, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = || Box::pin(look_again(&app, PAUSE));
        match note("messages", app.deliver(&senders, pause, || stop.is_cancelled()).await) {
            Some(sent) if sent > 0 => continue,
            _ => {}
        }
        tokio::select! { () = look_again(&app, REST) => {}, () = stop.cancelled() => {} }
    }
}

/// Begins what keeps up with the billing service: customers, subscriptions and seats, and the reports of usage. Apart from
/// the rest, since it waits for somebody else.
fn begin_billing(tasks: &TaskTracker, stop: &CancellationToken, app: &Arc<App>) {
    if app.ports().billing.is_none() {
        return;
    }
    let (checking, ending) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move {
        // At once, so that the first summary knows its customer.
        loop {
            note("subscriptions", checking.check_billing().await);
            if !rest(BILLING, &ending).await {
                return;
            }
        }
    });
    let (app, stop) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move {
        let mut pause = USAGE;
        while rest(pause, &stop).await {
            pause = match note("reports of usage", app.report_usage().await) {
                Some(Reports { failed: 0, .. }) => USAGE,
                _ => USAGE_FAILED,
            };
        }
    });
}

/// How many data keys the current key-encryption key wraps, and how many an older one: what a rotation left.
async fn count_keys(app: &App) {
    match app.key_wrappings().await {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        Ok(Wrappings { total, old, .. }) => {
            metrics::gauge!("settings_data_keys", "state" => "current").set((total - old) as f64);
            metrics::gauge!("settings_data_keys", "state" => "old").set(old as f64);
        }
        Err(error) => tracing::debug!(%error, "data keys could not be counted"),
    }
}

/// Waits until it is worth to look for messages again: this process has queued some, or the time is over.
async fn look_again(app: &App, period: Duration) {
    tokio::select! { () = tokio::time::sleep(period) => {}, () = app.ports().store.queued() => {} }
}

async fn flush_activity(app: &App) {
    note("last-used times", app.flush_activity().await);
}

/// A fault of the background has nobody to be told to.
fn note<T, E: std::fmt::Display>(what: &'static str, result: Result<T, E>) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(what, %error, "the background failed; it will be tried again")).ok()
}

/// Waits; false when it is time to stop.
async fn rest(period: Duration, stop: &CancellationToken) -> bool {
    tokio::select! { () = tokio::time::sleep(period) => true, () = stop.cancelled() => false }
}
