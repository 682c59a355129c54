//! What has to run beside the requests.
use crate::Settings;
use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// How long the worker rests when nothing is due, and how often last-used times are written.
const REST: Duration = Duration::from_secs(1);
/// How often a worker looks for more while it waits for slow receivers.
const PAUSE: Duration = Duration::from_millis(250);
/// How often refused calls are summed up in the audit log.
const DENIALS: Duration = Duration::from_mins(1);
/// How often what nobody needs any more is dropped.
const UPKEEP: Duration = Duration::from_hours(1);

impl Settings {
    /// Delivers what is due, begins audit digests, writes down who was seen and who was refused, and tidies up, until `stop` ends.
    /// One process that does this is enough; several share the work. Without it nothing is sent, and nobody's refusal is recorded.
    ///
    /// Faults are logged and tried again: this returns once `stop` has ended and what was under way is done or given back.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        let over = AtomicBool::new(false);
        let stopped = async {
            stop.await;
            over.store(true, Ordering::Relaxed);
        };
        let mut stopped = pin!(stopped);
        let rounds = async {
            let (mut denials, mut upkeep) = (Instant::now() + DENIALS, Instant::now() + UPKEEP);
            while !over.load(Ordering::Relaxed) {
                self.send(&over).await;
                self.remember().await;
                if denials <= Instant::now() {
                    denials += DENIALS;
                    self.app().flush_denials().await;
                    self.app().ports().vault.sweep();
                }
                if upkeep <= Instant::now() {
                    upkeep += UPKEEP;
                    note("upkeep", self.app().ports().store.tidy().await);
                }
                let rest = sleep_until(Instant::now() + REST);
                tokio::select! { () = rest => {}, () = self.app().ports().store.queued(), if self.senders().is_some() => {} }
            }
        };
        let mut rounds = pin!(rounds);
        tokio::select! {
            () = &mut rounds => {}
            () = &mut stopped => rounds.await,
        }
        self.app().flush_denials().await;
        self.remember().await;
    }

    async fn send(&self, over: &AtomicBool) {
        let Some(senders) = self.senders() else { return };
        note("audit digests", self.app().begin_audit_digests().await);
        let pause = || Box::pin(sleep(PAUSE));
        note("messages", self.app().deliver(senders, pause, || over.load(Ordering::Relaxed)).await);
    }
    async fn remember(&self) {
        note("last-used times", self.app().flush_activity().await);
    }
}

/// A fault of the background has nobody to be told to.
fn note<T, E: std::fmt::Display>(what: &'static str, result: Result<T, E>) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "the background failed; it will be tried again");
    }
}
