//! The prober from outside: real sockets, a verifier of signatures, and what must not show.
#![expect(clippy::unwrap_used, reason = "test")]
mod bedrock;
mod bounds;
mod providers;
mod refusals;
mod silence;
mod support;
