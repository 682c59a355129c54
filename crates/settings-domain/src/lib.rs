//! The rules of the settings service: entities, the policy, decisions, audit facts and ports.
//!
//! Pure: no I/O, no clock, no randomness; everything of that kind is passed in. A mutation is *permitted*
//! ([`policy::permit`]), *opened* ([`transaction::Transaction`]), decided by a plain function that returns a
//! [`change::Change`], and *committed*. Code that skips a step does not compile.
//!
//! Who wants the permission policy alone takes [`policy`] and leaves the rest.
#![warn(missing_docs)]

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
enum Readme {}

pub mod api_keys;
pub mod audit;
pub mod audit_digest;
pub mod billing;
pub mod change;
pub mod connections;
pub mod deliveries;
pub mod denials;
pub mod environments;
pub mod erasure;
pub mod error;
pub mod events;
pub mod idempotency;
pub mod ids;
pub mod impact;
pub mod invitations;
pub mod keys;
pub mod members;
pub mod micros;
pub mod mirror;
pub mod models;
pub mod notices;
pub mod notifications;
pub mod policy;
pub mod ports;
pub mod references;
pub mod sealed;
pub mod secrets;
pub mod text;
pub mod tokens;
pub mod transaction;
pub mod variables;
pub mod webhook_subscriptions;
pub mod workspaces;
