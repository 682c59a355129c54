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
mod audit_exports;
mod audit_silence;
mod audit_witnesses;
mod billing;
mod canaries;
mod canaries_told;
mod crashes;
mod credentials;
mod cursors;
mod deliveries;
mod delivery_crashes;
mod demo;
mod emails;
mod erasure;
mod erasure_crashes;
mod erasure_traces;
mod events;
mod golden;
mod idempotency;
mod invitation_asks;
mod invitations;
mod isolation;
mod json;
mod keys_rotate;
mod kms;
mod logs;
mod mails_ses;
mod main_job;
mod mcp;
mod members;
mod mirror;
mod models;
mod notifications;
mod operations;
mod outages;
mod places_away;
mod preconditions;
mod races;
mod rate_limits;
mod references;
mod roles;
mod secrets;
mod sign_in;
mod slack;
mod slack_failures;
mod support;
mod tampering;
mod transport;
mod variables;
mod webhook_attempts;
mod webhook_urls;
mod webhooks;
mod workspaces;
