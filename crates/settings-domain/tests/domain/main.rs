//! The rules, tried out: exhaustive tables, naive models, random sequences of commands. One binary for all of it.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod audience;
mod audit;
mod audit_digests;
mod billing;
mod connections;
mod deliveries;
mod entry;
mod environments;
mod event_content;
mod events;
mod golden;
mod keys;
mod members;
mod mirror;
mod models;
mod notifications;
mod notified;
mod policy;
mod policy_words;
mod references;
mod secrets;
mod sequences;
mod support;
mod variables;
mod webhook_subscriptions;
mod workspaces;
