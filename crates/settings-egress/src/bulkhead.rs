//! Keeps one tenant's dead receivers from taking what the others need.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many attempts each tenant has under way. Tenants without any take no memory.
#[derive(Default)]
pub(crate) struct Bulkhead {
    under_way: Mutex<HashMap<Box<str>, usize>>,
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("tenants", &self.lock().len()).finish()
    }
}

/// One attempt; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Arc<Bulkhead>,
    tenant: Box<str>,
}

impl Bulkhead {
    /// Begins an attempt, or not if the tenant has `limit` of them. Nobody waits here: who waits holds a worker.
    pub(crate) fn enter(self: &Arc<Self>, tenant: &str, limit: usize) -> Option<Slot> {
        let mut all = self.lock();
        if all.get(tenant).copied().unwrap_or(0) >= limit {
            return None;
        }
        let tenant: Box<str> = tenant.into();
        *all.entry(tenant.clone()).or_default() += 1;
        drop(all);
        Some(Slot { of: Arc::clone(self), tenant })
    }

    /// A panic elsewhere leaves the counts as they are, which is right.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut all = self.of.lock();
        if let Some(count) = all.get_mut(&self.tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own_share_and_gets_it_back() {
        let bulkhead = Arc::new(Bulkhead::default());
        let first = bulkhead.enter("a", 2);
        let second = bulkhead.enter("a", 2);
        assert!(first.is_some() && second.is_some());
        assert!(bulkhead.enter("a", 2).is_none());
        assert!(bulkhead.enter("b", 2).is_some());
        drop(first);
        assert!(bulkhead.enter("a", 2).is_some());
    }

    #[test]
    fn a_tenant_without_attempts_takes_no_memory() {
        let bulkhead = Arc::new(Bulkhead::default());
        let slots: Vec<_> = (0..100).map(|n| bulkhead.enter(&n.to_string(), 1)).collect();
        assert_eq!(bulkhead.lock().len(), 100);
        drop(slots);
        assert_eq!(bulkhead.lock().len(), 0);
    }

    #[test]
    fn a_limit_of_nothing_lets_nobody_in() {
        assert!(Arc::new(Bulkhead::default()).enter("a", 0).is_none());
    }
}
