//! The crate from outside: a real V8, and requests that others have signed.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test")]
mod bedrock;
