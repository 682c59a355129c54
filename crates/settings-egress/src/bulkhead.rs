//! Keeps one tenant's dead receivers from taking what the others need.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The places of one tenant, and how many hold one or wait for one.
struct Places {
    free: Arc<Semaphore>,
    interested: usize,
}

/// How many attempts each tenant has under way. Tenants without any take no memory.
#[derive(Default)]
pub(crate) struct Bulkhead {
    tenants: Mutex<HashMap<Box<str>, Places>>,
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("tenants", &self.lock().len()).finish()
    }
}

/// Somebody holds a place of a tenant, or waits for one.
#[derive(Debug)]
struct Interest {
    of: Arc<Bulkhead>,
    tenant: Box<str>,
}

/// One attempt; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _place: OwnedSemaphorePermit,
    _interest: Interest,
}

impl Bulkhead {
    /// Begins an attempt, or not if the tenant has `limit` of them and none ends within `wait`. Who came first is first.
    ///
    /// A short wait lets a burst to a receiver that answers go through; one that does not answer frees no place in time, and
    /// whoever waits here holds a worker.
    pub(crate) async fn enter(self: &Arc<Self>, tenant: &str, limit: usize, wait: Duration) -> Option<Slot> {
        let (free, interest) = self.join(tenant, limit);
        let place = match Arc::clone(&free).try_acquire_owned() {
            Ok(place) => place,
            Err(_) if wait.is_zero() => return None,
            Err(_) => timeout(wait, free.acquire_owned()).await.ok()?.ok()?,
        };
        Some(Slot { _place: place, _interest: interest })
    }

    fn join(self: &Arc<Self>, tenant: &str, limit: usize) -> (Arc<Semaphore>, Interest) {
        let tenant: Box<str> = tenant.into();
        let mut all = self.lock();
        let fresh = || Places { free: Arc::new(Semaphore::new(limit)), interested: 0 };
        let places = all.entry(tenant.clone()).or_insert_with(fresh);
        places.interested += 1;
        (Arc::clone(&places.free), Interest { of: Arc::clone(self), tenant })
    }

    /// A panic elsewhere leaves the counts as they are, which is right.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Places>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let mut all = self.of.lock();
        if let Some(places) = all.get_mut(&self.tenant) {
            places.interested = places.interested.saturating_sub(1);
            if places.interested == 0 {
                all.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT: Duration = Duration::ZERO;

    #[tokio::test]
    async fn each_tenant_has_its_own_share_and_gets_it_back() {
        let bulkhead = Arc::new(Bulkhead::default());
        let first = bulkhead.enter("a", 2, NOT).await;
        let second = bulkhead.enter("a", 2, NOT).await;
        assert!(first.is_some() && second.is_some());
        assert!(bulkhead.enter("a", 2, NOT).await.is_none());
        assert!(bulkhead.enter("b", 2, NOT).await.is_some());
        drop(first);
        assert!(bulkhead.enter("a", 2, NOT).await.is_some());
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_place_that_becomes_free_in_time() {
        let bulkhead = Arc::new(Bulkhead::default());
        let first = bulkhead.enter("a", 1, NOT).await;
        assert!(bulkhead.enter("a", 1, Duration::from_millis(1)).await.is_none(), "nobody left in time");
        let another = Arc::clone(&bulkhead);
        let waiting = tokio::spawn(async move { another.enter("a", 1, Duration::from_hours(1)).await.is_some() });
        while bulkhead.lock().get("a").is_some_and(|places| places.interested < 2) {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn a_tenant_without_attempts_takes_no_memory() {
        let bulkhead = Arc::new(Bulkhead::default());
        let mut slots = Vec::new();
        for n in 0..100 {
            slots.push(bulkhead.enter(&n.to_string(), 1, NOT).await);
            assert!(bulkhead.enter(&n.to_string(), 1, NOT).await.is_none());
        }
        assert_eq!(bulkhead.lock().len(), 100);
        drop(slots);
        assert_eq!(bulkhead.lock().len(), 0);
    }

    #[tokio::test]
    async fn a_limit_of_nothing_lets_nobody_in() {
        assert!(Arc::new(Bulkhead::default()).enter("a", 0, NOT).await.is_none());
    }
}
