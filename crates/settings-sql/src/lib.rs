//! The store, once, generic over the SQL driver.
//!
//! An engine crate brings an [`engine::Engine`]: how to connect, how to open a transaction, how to name a tenant in it,
//! and the few statements that it says in its own way. Everything else is here, one file per feature: statements as named
//! constants, how their rows are read, what they write. [`store::Database`] is an open database; with the service's
//! sealer it becomes a [`store::SqlStore`], which implements the domain's ports.
//!
//! Rules are the domain's. What stands here twice, as a constraint, is the last wall and not the first.
#[macro_use]
mod statements;
pub mod accounts;
pub mod activity;
pub mod api_keys;
pub mod audit;
pub mod audit_checkpoints;
pub mod audit_digest;
pub mod billing;
pub mod connections;
pub mod data_keys;
pub mod db;
pub mod deliveries;
pub mod directory;
pub mod engine;
pub mod environments;
pub mod erasure;
pub mod erasure_work;
pub mod error;
pub mod events;
mod group_read;
pub mod idempotency;
pub mod invitations;
pub mod members;
pub mod mirror;
pub mod models;
pub mod notifications;
pub mod outbox;
pub mod outgoing;
mod persist;
mod ports;
pub mod references;
pub mod resolving;
pub mod root_key;
pub mod secrets;
mod session;
pub mod store;
pub mod variables;
pub mod webhook_subscriptions;
pub mod workspaces;

pub use error::ConnectError;
pub use statements::statements;
pub use store::{Database, SqlStore};
