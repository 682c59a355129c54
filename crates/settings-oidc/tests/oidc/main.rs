//! The verifier against an issuer served on loopback.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test")]
mod auth0;
mod configuration;
mod keys;
mod support;
mod tokens;
