//! When the use of each model was last noted.
use settings_domain::ids::ModelId;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use time::{Duration, OffsetDateTime};

/// How much time there is between two notes about one model.
const EVERY: Duration = Duration::seconds(1);

#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<ModelId, OffsetDateTime>>);

impl Uses {
    fn lock(&self) -> MutexGuard<'_, HashMap<ModelId, OffsetDateTime>> {
        // Each change is one insertion or removal: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Whether a use is to be noted. Of many at once one is told so.
    pub(super) fn is_due(&self, model: ModelId, at: OffsetDateTime) -> bool {
        let mut noted = self.lock();
        match noted.get(&model) {
            // A clock that went backwards makes the last note old, not young.
            Some(last) if at >= *last && at - *last < EVERY => false,
            _ => {
                noted.insert(model, at);
                true
            }
        }
    }
    /// The note was not taken.
    pub(super) fn forget(&self, model: ModelId) {
        self.lock().remove(&model);
    }
}
