//! What runs beside the requests: sightings, denials, limits, the worker.
use crate::compose::Service;
use settings_api::Api;
use settings_app::App;
use settings_domain::ports::mail::Mailer;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the worker rests when nothing is due.
const REST: Duration = Duration::from_millis(500);

/// Starts the tasks of a serving process; they end when `stop` is cancelled.
pub(crate) fn start(tasks: &TaskTracker, stop: &CancellationToken, api: &Arc<Api>, service: &Service, worker: bool) {
    let (app, ending) = (service.app.clone(), stop.clone());
    tasks.spawn(async move { every(Duration::from_secs(1), &ending, async || flush_activity(&app).await).await });
    let (app, api, ending) = (service.app.clone(), api.clone(), stop.clone());
    tasks.spawn(async move {
        every(Duration::from_secs(60), &ending, async || {
            app.flush_denials().await;
            if let Some(limits) = api.limits() {
                limits.sweep();
            }
        })
        .await;
        app.flush_denials().await;
        flush_activity(&app).await;
    });
    if worker {
        start_worker(tasks, stop, service.app.clone(), service.mailer.clone());
    }
}

/// Starts the worker.
pub(crate) fn start_worker(tasks: &TaskTracker, stop: &CancellationToken, app: Arc<App>, mailer: Arc<dyn Mailer>) {
    let stop = stop.clone();
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let busy = match app.deliver(mailer.as_ref()).await {
                Ok(taken) => taken > 0,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read");
                    false
                }
            };
            match app.ports().store.depth().await {
                #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                Ok(depth) => metrics::gauge!("settings_outbox_waiting").set(depth as f64),
                Err(error) => tracing::debug!(%error, "the outbox could not be counted"),
            }
            if !busy {
                tokio::select! { () = tokio::time::sleep(REST) => {}, () = stop.cancelled() => {} }
            }
        }
    });
}

async fn flush_activity(app: &App) {
    if let Err(error) = app.flush_activity().await {
        tracing::warn!(%error, "last-used times could not be written; they will be tried again");
    }
}

async fn every(period: Duration, stop: &CancellationToken, mut run: impl AsyncFnMut()) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! { _ = ticks.tick() => run().await, () = stop.cancelled() => return }
    }
}
