//! What runs beside the requests and is this program's alone: the directory elsewhere that follows. Everything else is
//! [`Settings::begin_work`](settings::Settings::begin_work).
use crate::compose::Service;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many workspaces the directory elsewhere follows at once: a large one holds no other one up.
const FOLLOWERS: usize = 2;

/// Starts it; it ends when `stop` is cancelled.
pub(crate) fn follow(tasks: &TaskTracker, stop: &CancellationToken, service: &Service) {
    for _ in 0..FOLLOWERS {
        if let Some(mirror) = service.mirror.clone() {
            tasks.spawn(crate::mirror::keep_following(service.app.clone(), mirror, stop.clone()));
        }
    }
}
