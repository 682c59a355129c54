//! The client against receivers on loopback.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test")]
mod agreement;
mod answers;
mod bounds;
mod environment;
mod support;
mod tenants;
mod tls;
mod vetting;
