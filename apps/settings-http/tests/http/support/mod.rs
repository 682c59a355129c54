//! What every test stands on: the real binary in a home of its own, an issuer, people, and answers that are checked.
pub(crate) mod answer;
pub(crate) mod audit;
pub(crate) mod auth0;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod export;
pub(crate) mod home;
pub(crate) mod issuer;
pub(crate) mod long_log;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod scripted_slack;
pub(crate) mod server;
pub(crate) mod shape;
pub(crate) mod slack;
pub(crate) mod spellings;
pub(crate) mod stripe;
pub(crate) mod telling;
pub(crate) mod tenant;
pub(crate) mod values;

pub(crate) use self::{
    answer::Answer,
    audit::{added, assert_unchanged, unchanged_by},
    client::{Caller, Site},
    home::{Home, Store},
    tenant::{Member, Tenant},
};
pub(crate) use serde_json::{Value, json};

/// Makes `sqlite::name` and `postgres::name` of each `async fn name(store: Store)`.
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::support::Store::Sqlite).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::support::Store::Postgres).await; })*
        }
    };
}
pub(crate) use on_both_stores;

/// Waits until `look` finds something, or says what never came.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(std::time::Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Something that nobody else uses: 20 hex digits.
pub(crate) fn unique() -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    id[12..].to_owned()
}
