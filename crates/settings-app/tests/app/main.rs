//! The use cases' own promises, over the fake store: what the worker does with a mail server's moods, what becomes of
//! refused calls and of last-used times. The rules themselves are tested in the domain, the stores by the contract suite.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test")]
mod denials;
mod keys;
mod notifications;
mod sign_in;
mod support;
mod worker;
