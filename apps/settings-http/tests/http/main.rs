//! The service as its callers meet it: the real binary over HTTP, on SQLite and on Postgres.
//!
//! Nothing in here knows the program's insides: expectations come from the contract, and what is proven is proven by what
//! the service answers, or by what lies in its database.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "test"
)]
mod api_keys;
mod audit_coverage;
mod audit_digests;
mod canaries;
mod crashes;
mod credentials;
mod cursors;
mod demo;
mod emails;
mod golden;
mod idempotency;
mod invitations;
mod isolation;
mod json;
mod keys_rotate;
mod logs;
mod main_job;
mod members;
mod models;
mod operations;
mod outages;
mod preconditions;
mod races;
mod rate_limits;
mod references;
mod roles;
mod secrets;
mod sign_in;
mod support;
mod tampering;
mod transport;
mod variables;
mod workspaces;
