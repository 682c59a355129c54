//! What the audit log says, and the proof that nothing has changed.
use super::{shape, tenant::Tenant};
use serde_json::{Value, json};

impl Tenant {
    /// Every event, oldest first. Summaries of refused calls come once a minute and are left out.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.events_where("").await
    }
    /// Events by a filter, oldest first.
    pub(crate) async fn events_where(&self, filter: &str) -> Vec<Value> {
        let (mut events, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = self.path(&format!("/audit/events?limit=100{filter}{cursor}"));
            let page = self.admin.get(path).await.ok();
            events.extend(shape::list(&page, shape::EVENT));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        events.reverse();
        events.retain(|e| e["action"] != "authz.denied");
        events
    }
    /// The whole chain verifies; how many events it has.
    pub(crate) async fn intact(&self) -> i64 {
        let v = self.admin.get(self.path("/audit/verify")).await.ok();
        shape::is(&v, &[("events", "number"), ("erasedFields", "number"), ("head", "hex"), ("intact", "flag")]);
        assert_eq!(v["intact"], true, "{v}");
        v["events"].as_i64().unwrap()
    }
    /// All that can be read, with what every call changes taken out.
    async fn everything(&self) -> Value {
        let mut all = json!({});
        for path in [
            "/workspace",
            "/workspace/environments",
            "/workspace/members?limit=100",
            "/workspace/invitations?limit=100",
            "/workspace/api-keys?limit=100",
            "/workspace/audit-digest",
            "/workspace/notifications",
            "/workspace/notifications/deliveries?limit=100",
            "/webhooks/subscriptions",
            "/connections",
            "/secrets?limit=100",
            "/settings/model-integrations?limit=100",
            "/api/variables?limit=100",
            // Of values there is only this to see: which are equal.
            "/api/variables/matrix",
        ] {
            let mut page = match path.strip_prefix("/api/") {
                None => self.admin.get(self.path(path)).await.ok(),
                Some(_) => self.admin.within(&self.id).get(path).await.ok(),
            };
            for item in page["items"].as_array_mut().into_iter().flatten() {
                for seen in ["lastActiveAt", "lastUsedAt", "emailStatus"] {
                    item.as_object_mut().unwrap().remove(seen);
                }
                if path.contains("/deliveries") {
                    // What the worker does meanwhile: a delivery has a status too, and of its own accord.
                    for progress in ["status", "attempts", "nextAttemptAt"] {
                        item.as_object_mut().unwrap().remove(progress);
                    }
                }
            }
            // A cursor is sealed anew each time: only whether there is one can be compared.
            if let Some(cursor) = page.get_mut("nextCursor") {
                *cursor = json!(!cursor.is_null());
            }
            all[path] = page;
        }
        all["events"] = json!(self.events().await);
        all
    }
}

/// What `act` gives, and the events that it added.
pub(crate) async fn added<T>(tenant: &Tenant, act: impl Future<Output = T>) -> (T, Vec<Value>) {
    let before = tenant.events().await;
    let given = act.await;
    let mut after = tenant.events().await;
    tenant.intact().await;
    assert_eq!(&after[..before.len()], &before[..], "the past has changed");
    (given, after.split_off(before.len()))
}

/// What `act` gives, which must change nothing in any of the tenants: no row, no event.
pub(crate) async fn unchanged_by<T>(tenants: &[&Tenant], act: impl Future<Output = T>) -> T {
    let mut before = Vec::new();
    for tenant in tenants {
        before.push(tenant.everything().await);
    }
    let given = act.await;
    for (tenant, before) in tenants.iter().zip(before) {
        let after = tenant.everything().await;
        for (what, before) in before.as_object().unwrap() {
            assert_eq!(&after[what], before, "{what} of {} has changed", tenant.slug);
        }
        tenant.intact().await;
    }
    given
}

/// As [`unchanged_by`], for one tenant.
pub(crate) async fn assert_unchanged<T>(tenant: &Tenant, act: impl Future<Output = T>) -> T {
    unchanged_by(&[tenant], act).await
}
