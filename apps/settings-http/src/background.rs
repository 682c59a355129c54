//! What runs beside the requests: sightings, denials, limits, the worker.
use crate::{compose::Service, witness};
use settings_api::Api;
use settings_app::{App, billing::Reports};
use settings_domain::keys::Wrappings;
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

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
/// How many workspaces the directory elsewhere follows at once: a large one holds no other one up.
const FOLLOWERS: usize = 2;
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

/// Starts the tasks of a serving process; they end when `stop` is cancelled.
pub(crate) fn start(tasks: &TaskTracker, stop: &CancellationToken, api: &Arc<Api>, service: &Service, worker: bool) {
    let (app, ending) = (service.app.clone(), stop.clone());
    tasks.spawn(async move {
        while rest(SIGHTINGS, &ending).await {
            flush_activity(&app).await;
        }
    });
    let (app, api, ending) = (service.app.clone(), api.clone(), stop.clone());
    tasks.spawn(async move {
        count_keys(&app).await;
        while rest(DENIALS, &ending).await {
            app.flush_denials().await;
            app.ports().vault.sweep();
            count_keys(&app).await;
            if let Some(limits) = api.limits() {
                limits.sweep();
            }
        }
    });
    let (app, ending) = (service.app.clone(), stop.clone());
    tasks.spawn(async move {
        while rest(UPKEEP, &ending).await {
            if let Err(error) = app.ports().store.tidy().await {
                tracing::warn!(%error, "upkeep failed; it will be tried again in an hour");
            }
        }
    });
    if worker {
        start_worker(tasks, stop, service);
    }
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

/// Starts the worker: one task that sends, and one that begins digests and counts what waits, so that a long queue holds
/// neither up.
pub(crate) fn start_worker(tasks: &TaskTracker, stop: &CancellationToken, service: &Service) {
    let (app, senders) = (service.app.clone(), service.senders.clone());
    let (signing, witness, ending) = (app.clone(), service.audit_witness.clone(), stop.clone());
    start_billing(tasks, stop, app.clone());
    for _ in 0..FOLLOWERS {
        if let Some(mirror) = service.mirror.clone() {
            tasks.spawn(crate::mirror::keep_following(app.clone(), mirror, stop.clone()));
        }
    }
    tasks.spawn(async move {
        while rest(CHECKPOINTS, &ending).await {
            sign(&signing, witness.as_deref()).await;
        }
    });
    let (erasing, ending) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while rest(ERASURES, &ending).await {
            if let Err(error) = erasing.resume_erasures(|| ending.is_cancelled()).await {
                tracing::warn!(%error, "what an erasure left could not be emptied; it will be tried again");
            }
        }
    });
    let (sending, ending) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !ending.is_cancelled() {
            let pause = || Box::pin(look_again(&sending, PAUSE));
            match sending.deliver(&senders, pause, || ending.is_cancelled()).await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(error) => tracing::warn!(%error, "the outbox could not be read"),
            }
            tokio::select! { () = look_again(&sending, REST) => {}, () = ending.cancelled() => {} }
        }
    });
    let stop = stop.clone();
    tasks.spawn(async move {
        while rest(REST, &stop).await {
            if let Err(error) = app.begin_audit_digests().await {
                tracing::warn!(%error, "it could not be seen which audit digests are due");
            }
            match app.ports().store.depth().await {
                #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                Ok(depth) => metrics::gauge!("settings_outbox_waiting").set(depth as f64),
                Err(error) => tracing::debug!(%error, "the outbox could not be counted"),
            }
        }
    });
}

/// Signs the audit logs that are due.
async fn sign(app: &App, witness: Option<&Path>) {
    let signed = match app.sign_due_checkpoints().await {
        Ok(signed) => signed,
        Err(error) => {
            tracing::warn!(%error, "it could not be seen which audit logs have grown");
            return;
        }
    };
    metrics::counter!("settings_audit_checkpoints_total").increment(signed.checkpoints.len() as u64);
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!("settings_audit_broken_chains").set(signed.broken.len() as f64);
    for (workspace, checkpoint) in witness.iter().flat_map(|_| &signed.checkpoints) {
        let kept = witness.map_or(Ok(()), |folder| witness::keep(folder, *workspace, &checkpoint.note));
        if let Err(error) = kept {
            tracing::warn!(%workspace, %error, "a checkpoint could not be kept in the folder of witnesses");
        }
    }
}

/// Starts what keeps up with the billing service: customers, subscriptions and seats, and the reports of usage. Apart from
/// the rest, since it waits for somebody else.
fn start_billing(tasks: &TaskTracker, stop: &CancellationToken, app: Arc<App>) {
    if app.ports().billing.is_none() {
        return;
    }
    let (checking, ending) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        // At once, so that the first summary knows its customer.
        loop {
            if let Err(error) = checking.check_billing().await {
                tracing::warn!(%error, "it could not be seen which subscriptions are to be checked");
            }
            if !rest(BILLING, &ending).await {
                return;
            }
        }
    });
    let stop = stop.clone();
    tasks.spawn(async move {
        let mut pause = USAGE;
        while rest(pause, &stop).await {
            pause = match app.report_usage().await {
                Ok(Reports { failed: 0, .. }) => USAGE,
                Ok(_) => USAGE_FAILED,
                Err(error) => {
                    tracing::warn!(%error, "it could not be seen which usage is to be reported");
                    USAGE_FAILED
                }
            };
        }
    });
}

/// Waits until it is worth to look for messages again: this process has queued some, or the time is over.
async fn look_again(app: &App, period: Duration) {
    tokio::select! { () = tokio::time::sleep(period) => {}, () = app.ports().store.queued() => {} }
}

/// Writes what is still in memory, once nothing runs any more.
pub(crate) async fn flush(app: &App) {
    app.flush_denials().await;
    flush_activity(app).await;
}

async fn flush_activity(app: &App) {
    if let Err(error) = app.flush_activity().await {
        tracing::warn!(%error, "last-used times could not be written; they will be tried again");
    }
}

/// Waits; false when it is time to stop.
async fn rest(period: Duration, stop: &CancellationToken) -> bool {
    tokio::select! { () = tokio::time::sleep(period) => true, () = stop.cancelled() => false }
}
