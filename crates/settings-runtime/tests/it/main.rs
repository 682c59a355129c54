//! The crate from outside: a real V8, and requests that others have signed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test")]
mod bedrock;
mod engine;
mod entity_model;
mod output;
mod reserved_names;
mod resolve;
mod shadowing;
mod variables;
mod world;
