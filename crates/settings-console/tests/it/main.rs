//! The console over the fake store.
#![expect(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a failure ends the test that meets it")]
mod audit;
mod billing;
mod connections;
mod contrast;
mod deliveries;
mod digest;
mod erasure;
mod escaping;
mod forms;
mod leaving;
mod markup;
mod models;
mod notifications;
mod policy;
mod secrets;
mod sessions;
mod stage;
mod variables;
mod webhook_subscriptions;
