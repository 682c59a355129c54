//! The rules, tried out: exhaustive tables, naive models, random sequences of commands. One binary for all of it.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod audit;
mod audit_digests;
mod entry;
mod environments;
mod golden;
mod keys;
mod members;
mod mirror;
mod models;
mod policy;
mod references;
mod secrets;
mod sequences;
mod support;
mod variables;
mod workspaces;
